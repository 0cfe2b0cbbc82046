//! FEAT, HELP, STAT, SIZE, MDTM, MLST.

use std::time::Duration;

use common::proto::args::{ListArg, PathArg, Representation};
use common::proto::facts::{self, FactSet};
use common::proto::reply::{Code, Line, Reply};
use common::proto::verbs::{TABLE, Verb, VerbSet};

use super::listing;
use super::navigate::resolve;
use crate::session::{Link, Stop, User, outcome};

/// What is offered beyond RFC 959, with the facts that are on.
pub(in crate::session) fn feat(permitted: VerbSet, chosen: FactSet) -> Reply {
    let features = Verb::all()
        .filter(|&verb| permitted.contains(verb))
        .filter_map(|verb| verb.spec().feat);
    let lines = features.map(|feature| match feature {
        facts::FEAT => Line::from(format!(" {}", chosen.feature())),
        other => Line::from(format!(" {other}")),
    });
    Reply::block(Code::SYSTEM_STATUS, "Features:", lines.collect(), "End")
}

pub(in crate::session) fn help(permitted: VerbSet, about: Option<&str>) -> Reply {
    if let Some(about) = about {
        return match Verb::find(about).filter(|&verb| permitted.contains(verb)) {
            Some(verb) => {
                let spec = verb.spec();
                let syntax = format!("{} {}", spec.verb, spec.arguments);
                Reply::new(
                    Code::HELP,
                    format!("Syntax: {} - {}.", syntax.trim_end(), spec.help),
                )
            }
            None => Reply::new(Code::NOT_OFFERED, "This command is not offered."),
        };
    }
    let names: Vec<&str> = TABLE
        .iter()
        .zip(Verb::all())
        .filter(|(_, verb)| permitted.contains(*verb))
        .map(|(s, _)| s.verb)
        .collect();
    let lines = names
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
    let path = resolve(user, &path.0)?;
    if user.representation == Representation::Ascii {
        // RFC 3659 §4: the size is that of the transfer, which for text only the transfer itself can tell.
        return Ok(Reply::new(
            Code::UNAVAILABLE,
            "SIZE is known in TYPE I only.",
        ));
    }
    let (directory, size, _) = user.files.stat(path)?.map_err(outcome::file)?;
    Ok(if directory {
        Reply::new(Code::UNAVAILABLE, "It is a directory.")
    } else {
        Reply::new(Code::FILE_STATUS, size.to_string())
    })
}

pub(in crate::session) fn mdtm(user: &mut User, path: &PathArg) -> Result<Reply, Stop> {
    let path = resolve(user, &path.0)?;
    let (_, _, modified) = user.files.stat(path)?.map_err(outcome::file)?;
    let mut text = Vec::new();
    facts::time_value(&mut text, modified);
    Ok(Reply::new(Code::FILE_STATUS, text))
}

pub(in crate::session) fn mlst(user: &mut User, path: &PathArg) -> Result<Reply, Stop> {
    let path = resolve(user, &path.0)?;
    let facts = user.files.facts(path, user.facts)?.map_err(outcome::file)?;
    let mut line = vec![b' '];
    line.extend_from_slice(&facts);
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
    let kind = match user.representation {
        Representation::Ascii => "ASCII",
        Representation::Image => "image",
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
        format!(" TYPE {kind}, MODE stream, STRU file; {idle}").into(),
    ];
    Reply::block(Code::SYSTEM_STATUS, "Status:", lines, "End")
}
