//! The file that tells which process the daemon is. Its lock, not its content, says whether that one still runs.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::unistd::{getpid, unlink};

use crate::sys::lock::{Lock, lock_octets};

/// The longest number that is told of another daemon, in octets.
const LONGEST: u64 = 16;

/// The file under its lock. Sessions and servants close theirs, so the lock ends with the daemon, however it ends.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    _locked: File,
}

impl PidFile {
    /// Makes the file of this process.
    ///
    /// # Errors
    /// A sentence: the file cannot be written, or another daemon has it.
    pub fn new(path: &Path) -> Result<PidFile, String> {
        let failed =
            |error: &dyn std::fmt::Display| format!("PidFile: {}: {error}", path.display());
        #[expect(
            clippy::disallowed_methods,
            reason = "the daemon's own file, before there is a client"
        )]
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o644)
            .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).bits())
            .open(path)
            .map_err(|error| failed(&error))?;
        // A child that closes its copy does not take such a lock away.
        match lock_octets(file.as_fd(), Lock::Exclusive, 0, 0) {
            Ok(true) => {}
            Ok(false) => {
                let other = number(&file);
                return Err(failed(&format!("another daemon runs with it{other}")));
            }
            Err(errno) => return Err(failed(&errno.desc())),
        }
        file.set_len(0)
            .and_then(|()| writeln!(&file, "{}", getpid()))
            .map_err(|error| failed(&error))?;
        Ok(PidFile {
            path: path.to_owned(),
            _locked: file,
        })
    }

    /// Removes the file: the daemon has ended in order.
    pub fn remove(self) {
        // Where that is not allowed the lock, which goes now, tells the next one all the same.
        let _ = unlink(&self.path);
    }
}

/// The process that the file names, for a sentence.
fn number(file: &File) -> String {
    let mut text = String::new();
    match file.take(LONGEST).read_to_string(&mut text) {
        Ok(_) if text.trim().parse::<u32>().is_ok() => format!(": process {}", text.trim()),
        _ => String::new(),
    }
}
