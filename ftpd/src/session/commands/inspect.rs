//! FEAT, HELP, STAT, SIZE, MDTM, MLST.

use std::collections::BTreeSet;
use std::time::Duration;

use common::digest::Algorithm;
use common::jail::Failure;
use common::proto::args::{ListArg, PathArg};
use common::proto::digests;
use common::proto::facts::{self, FactSet};
use common::proto::reply::{Code, Line, Reply};
use common::proto::representation::{Mode, Structure, Type};
use common::proto::verbs::{Verb, VerbSet};

use super::listing;
use super::navigate::resolve;
use crate::session::files::Denied;
use crate::session::{Link, Stop, User, outcome};

/// What is offered beyond RFC 959, with the facts that are on and the digest that is chosen.
pub(in crate::session) fn feat(permitted: VerbSet, chosen: FactSet, hash: Algorithm) -> Reply {
    let features = Verb::all()
        .filter(|&verb| permitted.contains(verb))
        .filter_map(|verb| verb.spec().feat);
    let lines = features.map(|feature| match feature {
        facts::FEAT => Line::from(format!(" {}", chosen.feature())),
        digests::FEAT => Line::from(format!(" {}", digests::feature(hash))),
        other => Line::from(format!(" {other}")),
    });
    Reply::block(Code::SYSTEM_STATUS, "Features:", lines.collect(), "End")
}

/// CSID's answer in its own form. Which version it is only users are told.
pub(in crate::session) fn own_name(to_user: bool) -> &'static str {
    if to_user {
        concat!("Name=ftpd; Version=", env!("CARGO_PKG_VERSION"), ";")
    } else {
        "Name=ftpd;"
    }
}

/// What a verb is for, what a word such as SITE has below it, or which verbs there are.
pub(in crate::session) fn help(permitted: VerbSet, about: Option<&str>) -> Reply {
    let offered = Verb::all().filter(|&verb| permitted.contains(verb));
    let Some(about) = about else {
        return list_of_verbs(offered.map(|verb| verb.spec().verb));
    };
    let about = about.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    if let Some(verb) = Verb::find(&about) {
        return match permitted.contains(verb) {
            true => Reply::new(
                Code::HELP,
                format!("Syntax: {} - {}.", syntax(verb), verb.spec().help),
            ),
            false => not_offered(),
        };
    }
    let below = format!("{about} ");
    let lines: Vec<Line> = offered
        .filter(|verb| verb.spec().verb.starts_with(&below))
        .map(|verb| Line::from(format!(" {}", syntax(verb))))
        .collect();
    if lines.is_empty() {
        return not_offered();
    }
    let last = format!("HELP {about} with one of them tells more.");
    Reply::block(Code::HELP, "These commands are offered:", lines, last)
}

fn not_offered() -> Reply {
    Reply::new(Code::NOT_OFFERED, "This command is not offered.")
}

fn syntax(verb: Verb) -> String {
    let spec = verb.spec();
    format!("{} {}", spec.verb, spec.arguments)
        .trim_end()
        .to_owned()
}

/// The verbs; all that begin with the same word, such as SITE, are shown as this word.
fn list_of_verbs(verbs: impl Iterator<Item = &'static str>) -> Reply {
    let words = verbs.filter_map(|verb| verb.split(' ').next());
    let words: Vec<&str> = words.collect::<BTreeSet<_>>().into_iter().collect();
    let lines = words
        .chunks(8)
        .map(|row| Line::from(format!(" {}", row.join(" "))))
        .collect();
    Reply::block(
        Code::HELP,
        "These commands are offered:",
        lines,
        "HELP with a command tells its syntax.",
    )
}

pub(in crate::session) fn size(user: &mut User, path: &PathArg) -> Result<Reply, Stop> {
    let (typed, path) = (&path.0, resolve(user, &path.0)?);
    if user.representation.kind == Type::Ascii {
        // RFC 3659 §4: the size is that of the transfer, which for text only the transfer itself can tell.
        return Ok(Reply::new(
            Code::UNAVAILABLE,
            "SIZE is known in TYPE I only.",
        ));
    }
    let size = match user.files.stat(path.clone())? {
        Ok((true, ..)) => return Ok(Reply::new(Code::UNAVAILABLE, "It is a directory.")),
        Ok((false, size, _)) => Ok(size),
        // Clients ask where to go on with an upload that broke.
        Err(Denied::Failed(Failure::NotFound)) => user.files.unfinished(path)?,
        Err(denied) => Err(denied),
    };
    Ok(match size {
        Ok(size) => Reply::new(Code::FILE_STATUS, size.to_string()),
        // Whoever may not upload has not asked for that.
        Err(Denied::NotPermitted) => outcome::about(typed)(Denied::Failed(Failure::NotFound)),
        Err(denied) => outcome::about(typed)(denied),
    })
}

pub(in crate::session) fn mdtm(user: &mut User, path: &PathArg) -> Result<Reply, Stop> {
    let (typed, path) = (&path.0, resolve(user, &path.0)?);
    let (_, _, modified) = user.files.stat(path)?.map_err(outcome::about(typed))?;
    let mut text = Vec::new();
    facts::time_value(&mut text, modified);
    Ok(Reply::new(Code::FILE_STATUS, text))
}

pub(in crate::session) fn mlst(user: &mut User, path: &PathArg) -> Result<Reply, Stop> {
    let (typed, path) = (&path.0, resolve(user, &path.0)?);
    let facts = user
        .files
        .facts(path, user.facts)?
        .map_err(outcome::about(typed))?;
    let mut line = vec![b' '];
    line.extend_from_slice(&user.names.on_wire(&facts));
    Ok(Reply::block(
        Code::ACTION_DONE,
        "Facts:",
        vec![line.into()],
        "End",
    ))
}

pub(in crate::session) fn stat(
    link: &Link,
    user: &mut User,
    argument: Option<&ListArg>,
) -> Result<Reply, Stop> {
    let Some(argument) = argument else {
        return Ok(status(link, user));
    };
    listing::in_reply(user, argument)
}

fn status(link: &Link, user: &User) -> Reply {
    let kind = match user.representation.kind {
        Type::Ascii => "ASCII",
        Type::Image => "image",
    };
    let structure = match user.representation.structure {
        Structure::File => "file",
        Structure::Archive => "tar archive",
    };
    let mode = match user.representation.mode {
        Mode::Stream => "stream",
        Mode::Deflate => "Z",
    };
    let idle = match user.account.idle {
        Duration::ZERO => "no idle timeout".to_owned(),
        idle => format!("idle timeout {} s", idle.as_secs()),
    };
    let mut name = b" Logged in as ".to_vec();
    name.extend_from_slice(&user.name);
    let lines = vec![
        format!(" Connected from {}", link.ends.client()).into(),
        name.into(),
        format!(" TYPE {kind}, MODE {mode}, STRU {structure}; {idle}").into(),
    ];
    Reply::block(Code::SYSTEM_STATUS, "Status:", lines, "End")
}
