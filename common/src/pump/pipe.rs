//! A pipe that octets pass through on their way, so that no process copies them: what splice(2) needs between two descriptors.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, splice};
use nix::unistd::{pipe2, read};

use super::bounded;

/// The most that a pipe of an ordinary user may hold (pipe(7)).
const SIZE: i32 = 1 << 20;
/// The least that is worth the way through a pipe: a user who has many gets small ones (`pipe-user-pages-soft`).
const LARGE: usize = 256 << 10;
/// What is read at once of what was left in it.
const PIECE: usize = 64 << 10;

pub(super) const FLAGS: SpliceFFlags =
    SpliceFFlags::SPLICE_F_NONBLOCK.union(SpliceFFlags::SPLICE_F_MOVE);

/// What octets pass through; used by one transfer after the other.
#[derive(Debug)]
pub struct Pipe {
    reading: OwnedFd,
    writing: OwnedFd,
    /// The most that is taken at once.
    piece: usize,
}

impl Pipe {
    /// Makes a pipe, a large one if the system lets it be.
    ///
    /// # Errors
    /// What pipe2(2) says.
    pub fn new() -> io::Result<Pipe> {
        let (reading, writing) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        let size = fcntl(&writing, FcntlArg::F_SETPIPE_SZ(SIZE))
            .or_else(|_| fcntl(&writing, FcntlArg::F_GETPIPE_SZ))?;
        Ok(Pipe {
            reading,
            writing,
            piece: usize::try_from(size).unwrap_or(1),
        })
    }

    /// One that is so large that it is worth while, if there is any.
    pub(super) fn large() -> Option<Pipe> {
        Pipe::new().ok().filter(|pipe| pipe.piece >= LARGE)
    }

    /// The descriptors that must stay open.
    pub fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.reading.as_fd(), self.writing.as_fd()]
    }

    /// Takes in what `from` has, `most` octets at most; zero is its end.
    ///
    /// # Errors
    /// What splice(2) says: EAGAIN if there is nothing yet, or no room.
    pub(super) fn take(&self, from: &impl AsFd, most: u64) -> Result<usize, Errno> {
        splice(
            from,
            None,
            &self.writing,
            None,
            bounded(self.piece, most),
            FLAGS,
        )
    }

    /// Gives `to` what it takes of `count` octets that are inside.
    ///
    /// # Errors
    /// What splice(2) says: EINVAL if its file system knows no such way, or it is open for appending.
    pub(super) fn give(&self, to: &impl AsFd, count: usize) -> Result<usize, Errno> {
        splice(&self.reading, None, to, None, count, FLAGS)
    }

    /// Reads some of what is inside, as from any descriptor.
    ///
    /// # Errors
    /// What read(2) says: EAGAIN if nothing is inside.
    pub(super) fn read(&self) -> Result<Vec<u8>, Errno> {
        let mut octets = vec![0; PIECE];
        let count = read(&self.reading, &mut octets)?;
        octets.truncate(count);
        Ok(octets)
    }

    /// Throws away what a transfer that broke off has left.
    pub(super) fn drain(&self) {
        while match self.read() {
            Ok(octets) => !octets.is_empty(),
            Err(errno) => errno == Errno::EINTR,
        } {}
    }
}
