//! RMDA, DSIZ, AVBL, SITE MKDIR, RMDIR, CPFR and CPTO.

use common::channel::FileRequest;
use common::path::quote;
use common::proto::args::PathArg;
use common::proto::reply::{Code, Reply, shown};

use super::navigate::resolve;
use crate::session::files::{TreeOutcome, Worked};
use crate::session::{Link, Pending, Stop, User, outcome, transfer};

/// Removes a directory with all that is in it.
pub(in crate::session) fn rmda(
    link: &mut Link,
    user: &mut User,
    path: &PathArg,
) -> Result<Reply, Stop> {
    let request = FileRequest::RemoveTree {
        path: resolve(user, &path.0)?,
    };
    let (done, aborted) = transfer::work(link, user, &request)?;
    let reply = match done.map_err(outcome::about(&path.0))? {
        Worked::Tree(tree) if tree.failed.is_none() && !aborted => Reply::new(
            Code::ACTION_DONE,
            format!("Removed, {} entries.", tree.count),
        ),
        Worked::Tree(tree) => incomplete(user, path, &tree, "were removed before", aborted),
        Worked::Done => Reply::new(Code::ACTION_DONE, "Removed."),
    };
    transfer::conclude(link, aborted, reply)
}

/// The octets of all regular files below a directory, as MetaFTPd tells them.
pub(in crate::session) fn dsiz(
    link: &mut Link,
    user: &mut User,
    path: &PathArg,
) -> Result<Reply, Stop> {
    let request = FileRequest::MeasureTree {
        path: resolve(user, &path.0)?,
    };
    let (done, aborted) = transfer::work(link, user, &request)?;
    let reply = match done.map_err(outcome::about(&path.0))? {
        Worked::Tree(tree) if tree.failed.is_none() && !aborted => {
            Reply::new(Code::FILE_STATUS, tree.count.to_string())
        }
        Worked::Tree(tree) => incomplete(user, path, &tree, "octets were counted before", aborted),
        Worked::Done => Reply::new(Code::FILE_STATUS, "0"),
    };
    transfer::conclude(link, aborted, reply)
}

fn incomplete(user: &User, path: &PathArg, tree: &TreeOutcome, what: &str, aborted: bool) -> Reply {
    if aborted {
        return Reply::new(
            Code::TRANSFER_ABORTED,
            format!("{} {what} the end.", tree.count),
        );
    }
    let mut text = format!("{} {what} ", tree.count).into_bytes();
    text.extend_from_slice(&shown(&path.0));
    let mut why = "it failed.";
    if let Some(failed) = &tree.failed {
        if !failed.path.as_slice().is_empty() {
            text.push(b'/');
            text.extend_from_slice(&shown(&user.names.on_wire(failed.path.as_slice())));
        }
        why = outcome::text(failed.why);
    }
    text.extend_from_slice(b": ");
    text.extend_from_slice(why.as_bytes());
    Reply::new(Code::UNAVAILABLE, text)
}

/// Free space for the user (draft-peterson-streamlined-ftp-command-extensions §4), in octets.
pub(in crate::session) fn avbl(user: &mut User, path: &PathArg) -> Result<Reply, Stop> {
    let directory = resolve(user, &path.0)?;
    let octets = user
        .files
        .space(directory)?
        .map_err(outcome::about(&path.0))?;
    Ok(Reply::new(Code::FILE_STATUS, octets.to_string()))
}

/// Makes a directory and those that lead to it.
pub(in crate::session) fn mkdirs(user: &mut User, path: &PathArg) -> Result<Reply, Stop> {
    let directory = resolve(user, &path.0)?;
    user.files
        .order(&FileRequest::MakeDirs {
            path: directory.clone(),
        })?
        .map_err(outcome::about(&path.0))?;
    let mut text = quote(&user.names.on_wire(directory.as_bytes()));
    text.extend_from_slice(b" created.");
    Ok(Reply::new(Code::PATHNAME, text))
}

pub(in crate::session) fn cpfr(user: &mut User, path: &PathArg) -> Result<Reply, Stop> {
    let from = resolve(user, &path.0)?;
    let (directory, ..) = user
        .files
        .stat(from.clone())?
        .map_err(outcome::about(&path.0))?;
    if directory {
        return Ok(Reply::new(Code::UNAVAILABLE, "Only files are copied."));
    }
    user.pending.copy_from = Some(from);
    Ok(Reply::new(
        Code::PENDING,
        "It exists; SITE CPTO with the name of the copy.",
    ))
}

pub(in crate::session) fn cpto(
    link: &mut Link,
    user: &mut User,
    path: &PathArg,
    pending: &Pending,
) -> Result<Reply, Stop> {
    let Some(from) = pending.copy_from.clone() else {
        return Ok(Reply::new(Code::BAD_SEQUENCE, "Say SITE CPFR first."));
    };
    let to = resolve(user, &path.0)?;
    let (done, aborted) = transfer::work(link, user, &FileRequest::Copy { from, to })?;
    let reply = match done {
        Ok(_) => Reply::new(Code::ACTION_DONE, "Copied."),
        Err(_) if aborted => Reply::new(Code::TRANSFER_ABORTED, "Nothing was copied."),
        Err(denied) => outcome::about(&path.0)(denied),
    };
    transfer::conclude(link, aborted, reply)
}
