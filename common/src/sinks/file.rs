//! A file that grows by a line for each event. It may be renamed away at any time: the next line is in a new one.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, lstat};
use nix::sys::uio::pread;
use nix::unistd::write;

use super::{Notice, Trouble, line, progress};

pub(super) struct File {
    path: PathBuf,
    file: Option<OwnedFd>,
}

impl File {
    pub(super) fn new(path: &Path) -> File {
        File {
            path: path.to_owned(),
            file: None,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes to the end. A line that was begun is continued in the same file, whatever its name is by now.
    pub(super) fn write(
        &mut self,
        notice: &Notice,
        written: usize,
    ) -> Result<Option<usize>, Trouble> {
        let file = match self.file.take() {
            Some(file) if written > 0 || self.is_here(&file) => file,
            _ => self.open()?,
        };
        let rest = line(notice, written);
        let wrote = write(&file, &rest);
        self.file = Some(file);
        match wrote {
            Ok(count) => Ok(progress(count, rest.len())),
            Err(Errno::EINTR) => Ok(Some(0)),
            // A full disk, for one; what is written already stays.
            Err(errno) => Err(Trouble::Stuck(format!("write: {}", errno.desc()))),
        }
    }

    /// Whether the path still leads to this file.
    fn is_here(&self, file: &OwnedFd) -> bool {
        let place = |stat: FileStat| (stat.st_dev, stat.st_ino);
        match (fstat(file.as_fd()), lstat(&self.path)) {
            (Ok(open), Ok(named)) => place(open) == place(named),
            _ => false,
        }
    }

    fn open(&self) -> Result<OwnedFd, Trouble> {
        let stuck = |call: &str, errno: Errno| Trouble::Gone(format!("{call}: {}", errno.desc()));
        // O_NONBLOCK for what is no file after all, such as a FIFO, which nobody should wait for.
        let flags = OFlag::O_RDWR
            | OFlag::O_APPEND
            | OFlag::O_CREAT
            | OFlag::O_NOFOLLOW
            | OFlag::O_NONBLOCK
            | OFlag::O_CLOEXEC;
        let mode = Mode::from_bits_truncate(0o600);
        let file = open(&self.path, flags, mode).map_err(|errno| stuck("open", errno))?;
        let stat = fstat(&file).map_err(|errno| stuck("fstat", errno))?;
        if SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT != SFlag::S_IFREG {
            return Err(Trouble::Gone("it is no regular file".to_owned()));
        }
        // Whoever wrote before may have died within a line.
        let mut last = [b'\n'];
        if stat.st_size > 0 {
            pread(&file, &mut last, stat.st_size - 1).map_err(|errno| stuck("read", errno))?;
        }
        if last != [b'\n'] {
            write(&file, b"\n").map_err(|errno| stuck("write", errno))?;
        }
        Ok(file)
    }
}
