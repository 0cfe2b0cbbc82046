//! Values that are paths, and the words for logs that are no files. Pure: no I/O.

use std::path::{Path, PathBuf};

use super::{Value, Wrong, not, shown};
use crate::settings::LogName;

/// The names of logs that are no files but what a program in the foreground was started with.
pub const STDOUT: &str = "STDOUT";
pub const STDERR: &str = "STDERR";

/// The name of a log that is no file but syslog.
pub const SYSLOG: &str = "SYSLOG";

impl Value<'_> {
    /// A path, made absolute if a base directory is known.
    pub fn path(self) -> Result<PathBuf, Wrong> {
        let path = Path::new(self.text);
        match self.base {
            _ if self.text.is_empty() || self.text.contains('\0') => Err(not("a path")),
            _ if path.is_absolute() => Ok(path.to_owned()),
            Some(base) => Ok(base.join(path)),
            None => Err(not("an absolute path")),
        }
    }

    /// Paths that commas separate.
    pub fn paths(self) -> Result<Vec<PathBuf>, Wrong> {
        let path = |text: &str| {
            let text = text.trim();
            Value { text, ..self }.path()
        };
        self.text.split(',').map(path).collect()
    }

    /// The path of a log file.
    pub fn log_path(self) -> Result<PathBuf, Wrong> {
        if self.text.contains("$(") {
            return Err(Wrong::Because(format!(
                "\"{}\": this file has no variables; only LogFile has",
                shown(self.text)
            )));
        }
        match self.text {
            SYSLOG => Err(Wrong::Because(
                "SYSLOG is for LogFile and ServLogFile: this log goes to a file".to_owned(),
            )),
            _ => self.log_file(),
        }
    }

    /// The path of the server's own log, which may be syslog.
    pub fn server_log_path(self) -> Result<PathBuf, Wrong> {
        match self.text {
            SYSLOG => self.log_file(),
            _ => self.log_path(),
        }
    }

    /// A file, or a word for something that is none.
    fn log_file(self) -> Result<PathBuf, Wrong> {
        match self.text {
            STDOUT | STDERR | SYSLOG => Ok(PathBuf::from(self.text)),
            _ => self.path(),
        }
    }

    /// The path of the log of sessions.
    pub fn log_name(self) -> Result<LogName, Wrong> {
        let path = self.log_file()?;
        let path = path.to_str().ok_or_else(|| not("a path in UTF-8"))?;
        LogName::new(path).map_err(|unknown| {
            Wrong::Because(format!(
                "\"{}\" is no variable: $(User), $(RealUser) and $(ClientIP) are",
                shown(unknown)
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::value;
    use super::*;

    #[test]
    fn a_relative_path_needs_a_base() {
        assert_eq!(value("users").path(), Err(not("an absolute path")));
        let base = Some(Path::new("/srv"));
        assert_eq!(
            Value {
                text: "users",
                base
            }
            .path(),
            Ok(PathBuf::from("/srv/users"))
        );
        assert!(
            Value {
                text: "SYSLOG",
                base
            }
            .log_path()
            .is_err()
        );
        assert!(value("/var/log/$(User).log").log_path().is_err());
    }
}
