//! A FIFO. It is opened for reading too, so that it can be written before there is a reader and outlives each of them.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::unistd::write;

use super::{Notice, Trouble, gone, line, progress};

pub(super) struct Fifo {
    path: PathBuf,
    end: Option<OwnedFd>,
}

impl Fifo {
    pub(super) fn new(path: &Path) -> Fifo {
        Fifo {
            path: path.to_owned(),
            end: None,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.end.as_ref().map(AsFd::as_fd)
    }

    /// Up to PIPE_BUF octets are written all or not at all. A longer line may go in pieces; nobody else writes in between,
    /// as hookd is the only writer.
    pub(super) fn write(
        &mut self,
        notice: &Notice,
        written: usize,
    ) -> Result<Option<usize>, Trouble> {
        let end = match self.end.take() {
            Some(end) => end,
            None => self.open()?,
        };
        let rest = line(notice, written);
        let wrote = write(&end, &rest);
        self.end = Some(end);
        match wrote {
            Ok(count) => Ok(progress(count, rest.len())),
            Err(errno) => Err(gone("write", errno)),
        }
    }

    fn open(&self) -> Result<OwnedFd, Trouble> {
        let flags = OFlag::O_RDWR | OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let end = open(&self.path, flags, Mode::empty()).map_err(|errno| gone("open", errno))?;
        let mode = fstat(&end)
            .map_err(|errno: Errno| gone("fstat", errno))?
            .st_mode;
        match SFlag::from_bits_truncate(mode) & SFlag::S_IFMT {
            SFlag::S_IFIFO => Ok(end),
            _ => Err(Trouble::Gone("it is no FIFO: make it by mkfifo".to_owned())),
        }
    }
}
