//! How many sessions may do something costly at a time, for each user and in all. A turn is a lock on one octet of a file in memory
//! that all sessions share, so the kernel ends it with whoever has it, whatever dies.

use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::Mode;

use crate::sys::lock::{Lock, lock_octets};

/// At a time for each user, and for all of them together.
const EACH: i64 = 4;
const ALL: i64 = 16;
/// Where the octets of all begin: behind those of the largest uid.
const COMMON: i64 = 1 << 40;

/// What is shared: made once, before the first session.
#[derive(Debug)]
pub struct Turns(OwnedFd);

impl Turns {
    /// Makes the file.
    ///
    /// # Errors
    /// memfd_create(2) failed.
    pub fn new() -> Result<Turns, Errno> {
        memfd_create(c"turns", MFdFlags::MFD_CLOEXEC).map(Turns)
    }

    /// Joins as a user, before /proc is out of reach. A lock belongs to whoever opened the file, so each session opens it anew.
    ///
    /// # Errors
    /// There is no /proc.
    pub fn join(&self, uid: u32) -> Result<Queue, Errno> {
        let path = format!("/proc/self/fd/{}", self.0.as_raw_fd());
        let file = open(
            path.as_str(),
            OFlag::O_RDWR | OFlag::O_CLOEXEC,
            Mode::empty(),
        )?;
        Ok(Queue { file, uid })
    }
}

impl AsFd for Turns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// One session's place.
pub struct Queue {
    file: OwnedFd,
    uid: u32,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Queue of {}", self.uid)
    }
}

/// Whether it is one's turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Turn {
    Now,
    /// Too many others have it.
    Later,
}

impl Queue {
    /// Takes a turn, giving up one that was not given back. Never waits.
    ///
    /// # Errors
    /// The file cannot be locked.
    pub fn take(&self) -> Result<Turn, Errno> {
        self.give_back()?;
        let own = i64::from(self.uid) * EACH;
        for (start, count) in [(own, EACH), (COMMON, ALL)] {
            if !self.lock_one_of(start, count)? {
                self.give_back()?;
                return Ok(Turn::Later);
            }
        }
        Ok(Turn::Now)
    }

    /// Lets others have their turn.
    ///
    /// # Errors
    /// The file cannot be unlocked.
    pub fn give_back(&self) -> Result<(), Errno> {
        self.set(Lock::None, 0, 0).map(drop)
    }

    fn lock_one_of(&self, start: i64, count: i64) -> Result<bool, Errno> {
        for place in start..start + count {
            if self.set(Lock::Exclusive, place, 1)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Sets the lock of some octets, of all if there are none; `false` says that somebody else has one of them.
    fn set(&self, kind: Lock, start: i64, len: i64) -> Result<bool, Errno> {
        lock_octets(self.file.as_fd(), kind, start, len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_counted_for_each_user_and_in_all() {
        let turns = Turns::new().unwrap();
        let take = |uid| {
            let queue = turns.join(uid).unwrap();
            (queue.take().unwrap(), queue)
        };
        let mut taken: Vec<Queue> = Vec::new();
        for _ in 0..EACH {
            let (turn, queue) = take(1000);
            assert_eq!(turn, Turn::Now);
            taken.push(queue);
        }
        assert_eq!(take(1000).0, Turn::Later);
        // Whoever has one takes it again.
        assert_eq!(taken[0].take(), Ok(Turn::Now));
        for uid in (0..=u32::MAX)
            .rev()
            .take(usize::try_from(ALL - EACH).unwrap())
        {
            let (turn, queue) = take(uid);
            assert_eq!(turn, Turn::Now);
            taken.push(queue);
        }
        assert_eq!(take(7).0, Turn::Later);
        // One that is given back, or whose owner is gone, is free again; a refused one holds nothing.
        taken[4].give_back().unwrap();
        assert_eq!(take(1000).0, Turn::Later);
        let (turn, _seven) = take(7);
        assert_eq!(turn, Turn::Now);
        drop(taken);
        assert_eq!(take(1000).0, Turn::Now);
    }
}
