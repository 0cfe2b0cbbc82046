//! Where a daemon's log goes beside its own file, and in what form. Pure: no I/O.

use std::path::PathBuf;

use super::LogFormat;
use crate::journal;

/// Where entries go, and how they are written.
#[derive(Clone, Debug, PartialEq)]
pub struct Outputs {
    /// The form of lines in files.
    pub format: LogFormat,
    /// Whether they go to syslog too, and where that listens.
    pub syslog: bool,
    pub syslog_socket: PathBuf,
    /// Whether they go to systemd's journal, with a field for each fact, and where that listens.
    pub journal: bool,
    pub journal_socket: PathBuf,
    /// Where transfers are told one by one (xferlog).
    pub transfers: Option<PathBuf>,
}

impl Default for Outputs {
    fn default() -> Self {
        Outputs {
            format: LogFormat::Text,
            syslog: false,
            syslog_socket: PathBuf::from("/dev/log"),
            journal: false,
            journal_socket: PathBuf::from(journal::SOCKET),
            transfers: None,
        }
    }
}
