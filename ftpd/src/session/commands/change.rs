//! DELE, MKD, RMD, RNFR, RNTO.

use common::channel::FileRequest;
use common::path::quote;
use common::proto::args::PathArg;
use common::proto::reply::{Code, Reply};

use super::navigate::resolve;
use crate::session::{Pending, Stop, User, outcome};

pub(in crate::session) fn dele(user: &mut User, path: &PathArg) -> Result<Reply, Stop> {
    let (typed, path) = (&path.0, resolve(user, &path.0)?);
    user.files
        .order(&FileRequest::Remove { path })?
        .map_err(outcome::about(typed))?;
    Ok(Reply::new(Code::ACTION_DONE, "File deleted."))
}

pub(in crate::session) fn mkd(user: &mut User, path: &PathArg) -> Result<Reply, Stop> {
    let (typed, path) = (&path.0, resolve(user, &path.0)?);
    user.files
        .order(&FileRequest::MakeDir { path: path.clone() })?
        .map_err(outcome::about(typed))?;
    let mut text = quote(&user.names.on_wire(path.as_bytes()));
    text.extend_from_slice(b" created.");
    Ok(Reply::new(Code::PATHNAME, text))
}

pub(in crate::session) fn rmd(user: &mut User, path: &PathArg) -> Result<Reply, Stop> {
    let (typed, path) = (&path.0, resolve(user, &path.0)?);
    user.files
        .order(&FileRequest::RemoveDir { path })?
        .map_err(outcome::about(typed))?;
    Ok(Reply::new(Code::ACTION_DONE, "Directory removed."))
}

pub(in crate::session) fn rnfr(user: &mut User, path: &PathArg) -> Result<Reply, Stop> {
    let (typed, path) = (&path.0, resolve(user, &path.0)?);
    user.files
        .stat(path.clone())?
        .map_err(outcome::about(typed))?;
    user.pending.rename_from = Some(path);
    Ok(Reply::new(
        Code::PENDING,
        "It exists; RNTO with the new name.",
    ))
}

pub(in crate::session) fn rnto(
    user: &mut User,
    path: &PathArg,
    pending: &Pending,
) -> Result<Reply, Stop> {
    let Some(from) = pending.rename_from.clone() else {
        return Ok(Reply::new(Code::BAD_SEQUENCE, "Say RNFR first."));
    };
    let (typed, to) = (&path.0, resolve(user, &path.0)?);
    user.files
        .order(&FileRequest::Rename { from, to })?
        .map_err(outcome::about(typed))?;
    Ok(Reply::new(Code::ACTION_DONE, "Renamed."))
}
