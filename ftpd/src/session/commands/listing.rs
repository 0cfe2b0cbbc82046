//! LIST, NLST, MLSD, and STAT with a path.

use common::channel::{FileRequest, ListFormat, Pattern, Typed};
use common::path::VirtualPath;
use common::proto::args::{ListArg, PathArg};
use common::proto::listing::{ListOptions, Remark};
use common::proto::reply::{Code, Mark, Reply};
use common::pump::{self, Source};
use common::stage::{Cargo, Options, Plan};

use super::navigate::{join, resolve};
use crate::session::{Link, Stop, User, gather, outcome, transfer};

pub(in crate::session) fn list(
    link: &mut Link,
    user: &mut User,
    argument: &ListArg,
) -> Result<Reply, Stop> {
    let request = ask(user, argument, ListFormat::Long)?;
    send(link, user, &request)
}

pub(in crate::session) fn nlst(
    link: &mut Link,
    user: &mut User,
    argument: &ListArg,
) -> Result<Reply, Stop> {
    let format = match argument.long {
        true => ListFormat::Long,
        false => ListFormat::Names,
    };
    let request = ask(user, argument, format)?;
    send(link, user, &request)
}

pub(in crate::session) fn mlsd(
    link: &mut Link,
    user: &mut User,
    path: &PathArg,
) -> Result<Reply, Stop> {
    let path = resolve(user, &path.0)?;
    let (directory, ..) = user.files.stat(path.clone())?.map_err(outcome::file)?;
    if !directory {
        // RFC 3659 §7.2.1
        return Ok(Reply::new(
            Code::BAD_ARGUMENT,
            "MLSD lists directories; MLST tells of a file.",
        ));
    }
    let request = FileRequest::List {
        path,
        pattern: None,
        typed: Typed::default(),
        format: ListFormat::Facts,
        options: ListOptions::default(),
        facts: user.facts,
    };
    send(link, user, &request)
}

/// What keeper is asked for an argument of LIST, NLST or STAT.
fn ask(user: &mut User, argument: &ListArg, format: ListFormat) -> Result<FileRequest, Stop> {
    // Before anything is looked for in it: in some charsets half of a character looks like a bracket.
    let typed = user.names.on_disk(&argument.path)?;
    let mut text = typed.as_ref();
    if let Some(trimmed) = without_blanks(text)
        && user.files.stat(join(user, text)?)?.is_err()
    {
        // Blanks belong to the name of a file that is there, and are a mistake of the client anywhere else.
        text = trimmed;
    }
    let (path, pattern, typed) = match pattern_in(user, text)? {
        None => (join(user, text)?, None, text.to_vec()),
        Some(start) => {
            let (head, tail) = text.split_at(start);
            let (path, pattern, typed) = below(join(user, head)?, head, tail);
            let pattern = Pattern::new(&pattern)
                .ok_or_else(|| Reply::new(Code::BAD_ARGUMENT, "The pattern is too long."))?;
            (path, Some(pattern), typed)
        }
    };
    let typed = Typed::new(&typed)
        .ok_or_else(|| Reply::new(Code::BAD_ARGUMENT, "The path is too long for a listing."))?;
    Ok(FileRequest::List {
        path,
        pattern,
        typed,
        format,
        options: argument.options,
        facts: user.facts,
    })
}

/// The path without the blanks around it, which clients send by mistake; `None` where there are none.
fn without_blanks(text: &[u8]) -> Option<&[u8]> {
    let trimmed = text.trim_ascii();
    (trimmed.len() < text.len()).then_some(trimmed)
}

/// Where the first component begins that is a pattern: it has wildcards and is no name as it stands.
pub(in crate::session) fn pattern_in(user: &mut User, text: &[u8]) -> Result<Option<usize>, Stop> {
    let mut start = 0;
    for component in text.split(|&octet| octet == b'/') {
        let end = start + component.len();
        let wild = component.iter().any(|b| matches!(b, b'*' | b'?' | b'['));
        if wild && user.files.stat(join(user, &text[..end])?)?.is_err() {
            return Ok(Some(start));
        }
        start = end + 1;
    }
    Ok(None)
}

/// Takes the dots out of a pattern, as they are taken out of a path: gives the directory that it begins in, what is left of
/// it, and how the directory was typed.
pub(in crate::session) fn below(
    mut path: VirtualPath,
    typed: &[u8],
    pattern: &[u8],
) -> (VirtualPath, Vec<u8>, Vec<u8>) {
    let mut typed = typed.to_vec();
    let mut components: Vec<&[u8]> = Vec::new();
    for component in pattern.split(|&octet| octet == b'/') {
        match component {
            b"" | b"." => {}
            b".." if components.pop().is_none() => {
                path = path.parent();
                typed.extend_from_slice(b"../");
            }
            b".." => {}
            other => components.push(other),
        }
    }
    (path, components.join(&b'/'), typed)
}

fn send(link: &mut Link, user: &mut User, request: &FileRequest) -> Result<Reply, Stop> {
    let cargo = Cargo::Listing(user.names.charset());
    let plan = Plan::new(user.representation, Options::default(), cargo);
    let plan = plan.map_err(outcome::not_offered)?;
    let pipe = user.files.list(request)?.map_err(outcome::file)?;
    let mark = Mark::new("Here comes the listing.");
    let sent = transfer::send(link, user, Source::Pipe(pipe), plan, &mark);
    // Without a data connection too: keeper keeps what it has made ready until it is told.
    let listed = user.files.list_end()?;
    let ended = sent?;
    let reply = match (ended.outcome.end, listed) {
        (pump::End::Complete, Ok(remark)) => outcome::listed(remark),
        (pump::End::Complete, Err(denied)) => outcome::file(denied),
        (end, _) => outcome::sent(end)?,
    };
    transfer::conclude(link, ended.aborted, reply)
}

/// STAT with a path: a listing on the control connection (RFC 959 §4.1.3).
pub(in crate::session) fn in_reply(user: &mut User, argument: &ListArg) -> Result<Reply, Stop> {
    let request = ask(user, argument, ListFormat::Long)?;
    let pipe = user.files.list(&request)?.map_err(outcome::file)?;
    let listing = gather::lines(&pipe, user.names);
    drop(pipe);
    let remark = user.files.list_end()?.map_err(outcome::file)?;
    let last = match remark {
        _ if !listing.whole => "There is more; LIST shows all.",
        Remark::Whole => "End",
        Remark::Unsorted => "It was too much to be sorted.",
        Remark::Unreadable => "Some directories cannot be read.",
        Remark::TooDeep | Remark::TooMany | Remark::TooLong => "There is more.",
    };
    Ok(Reply::block(
        Code::FILE_STATUS,
        "Listing:",
        listing.lines,
        last,
    ))
}
