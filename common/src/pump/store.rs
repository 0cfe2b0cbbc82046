//! The file that an upload is written to.

use std::os::fd::OwnedFd;

use nix::errno::Errno;

use super::Step;

/// A file under way.
#[derive(Debug)]
pub(super) struct Store {
    file: OwnedFd,
    octets: u64,
}

impl Store {
    pub(super) fn new(file: OwnedFd) -> Store {
        Store { file, octets: 0 }
    }

    /// Octets that were written.
    pub(super) fn octets(&self) -> u64 {
        self.octets
    }

    /// Writes everything, at the offset of the file.
    pub(super) fn write(&mut self, mut octets: &[u8]) -> Result<(), Step> {
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
