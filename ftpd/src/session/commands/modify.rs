//! What changes the metadata of files: MFMT, MFF and the form of MDTM that sets the time (draft-somers-ftp-mfxx), SITE
//! CHMOD, UTIME, SYMLINK, UMASK.

use common::channel::FileRequest;
use common::path::VirtualPath;
use common::proto::args::{NewFacts, NewLink, NewTimes, PathArg};
use common::proto::facts::{self, Permissions};
use common::proto::reply::{Code, Reply};

use super::inspect;
use super::navigate::resolve;
use crate::session::{Stop, User, outcome};

pub(in crate::session) fn mfmt(user: &mut User, time: i64, path: &PathArg) -> Result<Reply, Stop> {
    let facts = NewFacts {
        modify: Some(time),
        mode: None,
    };
    mff(user, facts, path)
}

/// Sets facts and tells those that it has set. The mode comes first, as it is what fails more often: then all stays as it was.
pub(in crate::session) fn mff(
    user: &mut User,
    facts: NewFacts,
    argument: &PathArg,
) -> Result<Reply, Stop> {
    let path = resolve(user, &argument.0)?;
    if let Some(mode) = facts.mode {
        set_mode(user, path.clone(), mode)?;
    }
    let mut text = Vec::new();
    if let Some(time) = facts.modify {
        let modified = user
            .files
            .set_times(path, time, None)?
            .map_err(outcome::file)?;
        text.extend_from_slice(b"Modify=");
        facts::time_value(&mut text, modified);
        text.push(b';');
    }
    if let Some(mode) = facts.mode {
        text.extend_from_slice(format!("UNIX.mode=0{mode};").as_bytes());
    }
    text.push(b' ');
    text.extend_from_slice(&argument.0);
    Ok(Reply::new(Code::FILE_STATUS, text))
}

/// `MDTM <time> <path>`. A file that the whole argument names is meant itself.
pub(in crate::session) fn mdtm(
    user: &mut User,
    time: i64,
    path: &PathArg,
    whole: &PathArg,
) -> Result<Reply, Stop> {
    let named = resolve(user, &whole.0)?;
    if user.files.stat(named)?.is_ok() {
        return inspect::mdtm(user, whole);
    }
    mfmt(user, time, path)
}

pub(in crate::session) fn chmod(
    user: &mut User,
    mode: Permissions,
    path: &PathArg,
) -> Result<Reply, Stop> {
    let path = resolve(user, &path.0)?;
    set_mode(user, path, mode)?;
    Ok(Reply::new(Code::OK, format!("The mode is {mode}.")))
}

fn set_mode(user: &mut User, path: VirtualPath, mode: Permissions) -> Result<(), Stop> {
    user.files
        .order(&FileRequest::SetMode { path, mode })?
        .map_err(|denied| outcome::file(denied).into())
}

pub(in crate::session) fn utime(user: &mut User, times: &NewTimes) -> Result<Reply, Stop> {
    let path = resolve(user, &times.path.0)?;
    user.files
        .set_times(path, times.modified, Some(times.accessed))?
        .map_err(outcome::about(&times.path.0))?;
    Ok(Reply::new(Code::OK, "The times are set."))
}

/// The target is taken from the link's directory, as ln(1) does.
pub(in crate::session) fn symlink(user: &mut User, new: &NewLink) -> Result<Reply, Stop> {
    let link = resolve(user, &new.link.0)?;
    let target = link
        .parent()
        .join(&user.names.on_disk(&new.target.0)?)
        .map_err(super::navigate::not_a_path)?;
    user.files
        .order(&FileRequest::Symlink { target, link })?
        .map_err(outcome::about(&new.link.0))?;
    Ok(Reply::new(Code::OK, "The link is made."))
}

pub(in crate::session) fn umask(user: &mut User, new: Option<Permissions>) -> Result<Reply, Stop> {
    let umask = user.files.umask(new)?.map_err(outcome::file)?;
    Ok(Reply::new(Code::OK, format!("The umask is {umask}.")))
}
