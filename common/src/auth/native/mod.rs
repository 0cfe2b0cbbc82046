//! MetaFTPd's own user file, `name:type:salt:secret:realuser:home:settings`: read as it is, written with argon2id.
//!
//! A line that is not a record denies its user and harms no other. Nothing here opens the file behind the caller's back
//! or keeps it open, so the next login sees a change.

mod change;
mod edit;
mod lines;
mod opening;
mod password;
mod place;
mod read;
mod record;
mod review;
#[cfg(test)]
mod tests;
mod text;
mod update;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

pub use crate::settings::Scheme;
pub use change::{Unchanged, change};
pub use edit::{Early, Edit, Existing};
pub(super) use lines::Lines;
pub use password::{PasswordError, Stored, Verdict, verify_nobody};
pub use place::{About, Pointed};
pub use read::{Entry, UserFile, authenticate};
pub use record::{FieldError, FieldFault, LONGEST_LINE, Name, Record, RecordError, Setting, shown};
pub use review::{Problem, review};
pub use update::{Updated, update};

/// Where the file is unless a setting says otherwise.
pub const DEFAULT_FILE: &str = "/etc/metaftpd.auth";

/// Why a user was not found, not let in or not changed.
#[derive(Debug)]
pub enum NativeError {
    NoSuchUser(String),
    /// `Edit::put` was told not to replace.
    UserExists(String),
    WrongPassword,
    /// Another editor has the file, and was not to be waited for.
    Busy,
    /// The user's line is not a record that can log in.
    Malformed {
        /// Where in the line, for who may see it.
        pointed: Option<Pointed>,
        file: PathBuf,
        line: u64,
        why: RecordError,
    },
    Password(PasswordError),
    /// Others than the file's owner could have written it, or can read its secrets.
    Untrusted {
        file: PathBuf,
        why: Distrust,
    },
    Io {
        file: PathBuf,
        source: io::Error,
    },
}

/// What makes a user file unfit for a daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distrust {
    NotAFile,
    /// It belongs to somebody who is neither root nor this process.
    Owner(u32),
    /// Its mode lets others than the owner write, or the world read.
    Mode(u32),
}

impl NativeError {
    fn io(file: &Path, source: impl Into<io::Error>) -> NativeError {
        NativeError::Io {
            file: file.to_owned(),
            source: source.into(),
        }
    }
}

impl From<PasswordError> for NativeError {
    fn from(error: PasswordError) -> Self {
        NativeError::Password(error)
    }
}

impl fmt::Display for NativeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NativeError::NoSuchUser(name) => write!(f, "no user {name}"),
            NativeError::UserExists(name) => write!(f, "user {name} exists already"),
            NativeError::WrongPassword => f.write_str("wrong password"),
            NativeError::Busy => f.write_str("the user file is being edited"),
            NativeError::Malformed {
                file,
                line,
                why,
                pointed,
            } => {
                write!(f, "{}:{line}", file.display())?;
                match pointed {
                    Some(Pointed { column, excerpt }) => write!(f, ":{column}: {why}{excerpt}"),
                    None => write!(f, ": {why}"),
                }
            }
            NativeError::Password(error) => error.fmt(f),
            NativeError::Untrusted { file, why } => {
                let file = file.display();
                match why {
                    Distrust::NotAFile => write!(
                        f,
                        "{file} is not a regular file; AuthFile, or -a, names one"
                    ),
                    Distrust::Owner(uid) => write!(
                        f,
                        "{file} belongs to uid {uid}, neither root nor this program's user; \
                         remedy: chown root {file}"
                    ),
                    Distrust::Mode(mode) => write!(
                        f,
                        "{file} has mode {mode:04o}, so that others can read or write passwords; \
                         remedy: chmod 600 {file}"
                    ),
                }
            }
            NativeError::Io { file, source } if source.raw_os_error() == Some(libc::ELOOP) => {
                let file = file.display();
                write!(f, "{file} is a symbolic link, which is refused: ")?;
                f.write_str("name the file that it leads to")
            }
            NativeError::Io { file, source } if source.raw_os_error() == Some(libc::ENOENT) => {
                write!(f, "{}: {source}; AuthFile, or -a, ", file.display())?;
                f.write_str(
                    "names the user file, and `ftpuser add` makes it in a directory that is there",
                )
            }
            NativeError::Io { file, source } => write!(f, "{}: {source}", file.display()),
        }
    }
}

impl std::error::Error for NativeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            NativeError::Malformed { why, .. } => Some(why),
            NativeError::Password(error) => Some(error),
            NativeError::Io { source, .. } => Some(source),
            NativeError::NoSuchUser(_)
            | NativeError::UserExists(_)
            | NativeError::WrongPassword
            | NativeError::Busy
            | NativeError::Untrusted { .. } => None,
        }
    }
}
