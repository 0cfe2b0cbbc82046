//! Why a scenario has no figure. A failure is shown in the table; it is never turned into a number.

use std::fmt;
use std::io;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The server says that it does not have the command.
    Unsupported(String),
    /// A wrong reply, byte count, content, or no answer in time.
    Wrong(String),
}

impl Failure {
    pub(crate) fn wrong(what: impl fmt::Display) -> Self {
        Self::Wrong(what.to_string())
    }

    /// The same of a command that only some servers have: what the others say to it differs.
    pub(crate) fn unsupported(self) -> Self {
        match self {
            Self::Unsupported(what) | Self::Wrong(what) => Self::Unsupported(what),
        }
    }

    /// Makes an input or output error of `step` a failure.
    pub(crate) fn during(step: &str) -> impl Fn(io::Error) -> Self + '_ {
        move |cause| {
            let cause = match cause.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "no progress in time".into(),
                _ => cause.to_string(),
            };
            Self::Wrong(format!("{step}: {cause}"))
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported(what) => write!(f, "not supported: {what}"),
            Self::Wrong(what) => f.write_str(what),
        }
    }
}
