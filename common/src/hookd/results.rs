//! Where the ends and outputs of programs are told: in the log, and in a file of their own where there is one.

use std::fmt::Display;
use std::io::Write;
use std::path::Path;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use crate::hooks::Time;
use crate::log::Log;

/// The log, and the file of ExecLog.
#[derive(Debug)]
pub(super) struct Results {
    log: Log,
    file: Option<std::fs::File>,
}

impl Results {
    /// Opens the file; without it the log has to do, which is told there.
    pub(super) fn new(log: Log, path: Option<&Path>) -> Results {
        let flags = OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CREAT;
        // SECURITY: this may be root. A link would lead it into another file, a FIFO would stop it.
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let opened = path.map(|path| (path, open(path, flags, Mode::from_bits_truncate(0o600))));
        let file = opened.and_then(|(path, opened)| {
            let told = opened.inspect_err(|errno| {
                log.line(&format!("hooks: ExecLog {}: {errno}", path.display()));
            });
            told.ok().map(std::fs::File::from)
        });
        Results { log, file }
    }

    /// Tells what somebody should see.
    pub(super) fn line(&self, text: &str) {
        self.log.line(text);
        self.note(&text);
    }

    /// Tells what is as it should be.
    pub(super) fn good(&self, text: &str) {
        self.log.transfer(|| text.to_owned());
        self.note(&text);
    }

    fn note(&self, text: &dyn Display) {
        if let Some(mut file) = self.file.as_ref() {
            // In one piece, so that lines stay whole. What a full disk does not take is in the log all the same.
            let _ = file.write_all(format!("{} {text}\n", Time::now()).as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "the test reads what it has written"
    )]
    fn lines_go_to_the_end_of_the_file_and_a_link_is_not_followed() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("results");
        for _ in 0..2 {
            Results::new(Log::nowhere(), Some(&path)).line("hook /x: exited with 1");
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(
            text.lines()
                .all(|line| line.ends_with("Z hook /x: exited with 1")),
            "{text}"
        );
        let link = scratch.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(Results::new(Log::nowhere(), Some(&link)).file.is_none());
    }
}
