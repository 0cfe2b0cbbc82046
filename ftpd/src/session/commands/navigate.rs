//! PWD, CWD, CDUP.

use common::channel::FileRequest;
use common::path::{PathError, VirtualPath, quote};
use common::proto::args::PathArg;
use common::proto::reply::{Code, Reply};

use crate::session::{Stop, User, outcome};

/// Converts a path argument and resolves it against the working directory.
pub(in crate::session) fn resolve(user: &User, argument: &[u8]) -> Result<VirtualPath, Stop> {
    join(user, &user.names.on_disk(argument)?)
}

/// Resolves a path that was converted already.
pub(in crate::session) fn join(user: &User, path: &[u8]) -> Result<VirtualPath, Stop> {
    user.directory.join(path).map_err(not_a_path)
}

pub(in crate::session) fn not_a_path(error: PathError) -> Stop {
    let text = match error {
        PathError::Nul => "A path cannot hold a NUL.",
        PathError::TooLong => "The path is too long.",
    };
    Reply::new(Code::NAME_NOT_ALLOWED, text).into()
}

pub(in crate::session) fn pwd(user: &User) -> Reply {
    let mut text = quote(&user.names.on_wire(user.directory.as_bytes()));
    text.extend_from_slice(b" is the current directory.");
    Reply::new(Code::PATHNAME, text)
}

pub(in crate::session) fn cwd(user: &mut User, path: &PathArg) -> Result<Reply, Stop> {
    let target = resolve(user, &path.0)?;
    change(user, target, &path.0)
}

pub(in crate::session) fn cdup(user: &mut User) -> Result<Reply, Stop> {
    let parent = user.directory.parent();
    change(user, parent, b"..")
}

fn change(user: &mut User, path: VirtualPath, typed: &[u8]) -> Result<Reply, Stop> {
    user.files
        .order(&FileRequest::ChangeDir { path: path.clone() })?
        .map_err(outcome::about(typed))?;
    user.directory = path;
    Ok(Reply::new(Code::ACTION_DONE, "Directory changed."))
}
