//! The file that an upload is written to.

use std::os::fd::OwnedFd;

use nix::errno::Errno;

use super::Step;
use super::pipe::Pipe;

/// A file under way, and how many octets it may take.
#[derive(Debug)]
pub struct Store {
    file: OwnedFd,
    octets: u64,
    room: u64,
}

impl Store {
    /// Writes from where the file's offset is: `room` octets at most, or what the file system takes.
    pub fn new(file: OwnedFd, room: Option<u64>) -> Store {
        Store {
            file,
            octets: 0,
            room: room.unwrap_or(u64::MAX),
        }
    }

    /// Octets that were written.
    pub(super) fn octets(&self) -> u64 {
        self.octets
    }

    /// Writes everything, at the offset of the file. What there is no room for is refused in the kernel's word for it, and
    /// not begun with.
    pub(super) fn write(&mut self, mut octets: &[u8]) -> Result<(), Step> {
        self.make_room(octets.len())?;
        while !octets.is_empty() {
            match nix::unistd::write(&self.file, octets) {
                Ok(0) => return Err(Step::StoreFailed(Errno::EIO)),
                Ok(count) => {
                    self.octets += count as u64;
                    octets = &octets[count..];
                }
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(Step::StoreFailed(errno)),
            }
        }
        Ok(())
    }

    /// Writes `count` octets out of a pipe, likewise; tells whether the file takes any that way: else they were copied.
    pub(super) fn draw(&mut self, pipe: &Pipe, count: usize) -> Result<bool, Step> {
        self.make_room(count)?;
        let mut left = count;
        while left > 0 {
            match pipe.give(&self.file, left) {
                Ok(0) => return Err(Step::StoreFailed(Errno::EIO)),
                Ok(drawn) => {
                    self.octets += drawn as u64;
                    left -= drawn.min(left);
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EINVAL) => return self.copy(pipe, left).map(|()| false),
                Err(errno) => return Err(Step::StoreFailed(errno)),
            }
        }
        Ok(true)
    }

    fn copy(&mut self, pipe: &Pipe, mut left: usize) -> Result<(), Step> {
        while left > 0 {
            match pipe.read() {
                Ok(octets) => {
                    self.write(&octets)?;
                    left -= octets.len().min(left);
                }
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(Step::StoreFailed(errno)),
            }
        }
        Ok(())
    }

    fn make_room(&self, octets: usize) -> Result<(), Step> {
        let fits = self.room - self.octets >= octets as u64;
        fits.then_some(()).ok_or(Step::StoreFailed(Errno::EFBIG))
    }
}
