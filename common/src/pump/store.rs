//! The file that an upload is written to.

use std::os::fd::OwnedFd;

use nix::errno::Errno;

use super::Step;

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
        if self.room - self.octets < octets.len() as u64 {
            return Err(Step::StoreFailed(Errno::EFBIG));
        }
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
}
