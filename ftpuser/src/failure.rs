//! Why a sub-command did not do what it was asked for, in words that say what to do next.

use std::fmt;
use std::path::Path;

use common::auth::native::{NativeError, PasswordError, UserFile};
use common::settings::nearest::nearest;

pub(crate) enum Failure {
    /// The arguments contradict each other or lack something.
    Usage(String),
    Failed(String),
    /// What the user file said to it.
    Native(NativeError),
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure::Usage(message.into())
    }

    pub(crate) fn failed(error: impl fmt::Display) -> Failure {
        Failure::Failed(error.to_string())
    }

    /// What is said of it, where this is the user file.
    pub(crate) fn told(self, file: &Path) -> String {
        let error = match self {
            Failure::Usage(message) | Failure::Failed(message) => return message,
            Failure::Native(error) => error,
        };
        let hint = match &error {
            NativeError::NoSuchUser(name) => {
                let near = like(file, name).map(|near| format!(", did you mean \"{near}\"?"));
                format!(" in {}{}", file.display(), near.unwrap_or_default())
            }
            NativeError::UserExists(_) => format!(" in {}; --replace replaces", file.display()),
            NativeError::WrongPassword
            | NativeError::Busy
            | NativeError::Malformed { .. }
            | NativeError::Password(_)
            | NativeError::Untrusted { .. }
            | NativeError::Io { .. } => String::new(),
        };
        format!("{error}{hint}")
    }
}

/// The user whose name is nearest to this one.
fn like(file: &Path, name: &str) -> Option<String> {
    let entries = UserFile::open(file).ok()?.entries().ok()?;
    nearest(name, entries.iter().map(|entry| entry.name.as_str())).map(str::to_owned)
}

impl From<NativeError> for Failure {
    fn from(error: NativeError) -> Self {
        Failure::Native(error)
    }
}

impl From<PasswordError> for Failure {
    fn from(error: PasswordError) -> Self {
        Failure::failed(error)
    }
}
