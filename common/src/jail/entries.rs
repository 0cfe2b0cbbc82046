//! The entries of one directory in the order of the directory, in constant memory. Knows no file but their names.

use std::ffi::CStr;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;

use super::Failure;
use crate::sys::directory::read_entries;

/// Octets that are read at a time: several hundred entries.
const BUFFER: usize = 32 * 1024;
/// Where the parts of a `linux_dirent64` begin: inode and offset in 8 octets each, length in 2, type, name.
const LENGTH: usize = 16;
const NAME: usize = 19;

/// Entries that were read and not yet taken.
pub(super) struct Entries {
    buffer: Box<[u8]>,
    taken: usize,
    filled: usize,
}

impl Entries {
    pub(super) fn new() -> Self {
        Entries {
            buffer: vec![0; BUFFER].into_boxed_slice(),
            taken: 0,
            filled: 0,
        }
    }

    /// Whether the next entry has to be read first.
    pub(super) fn is_empty(&self) -> bool {
        self.taken == self.filled
    }

    /// Reads the next entries; `false` says that there are none.
    pub(super) fn read(&mut self, directory: BorrowedFd<'_>) -> Result<bool, Failure> {
        self.taken = 0;
        self.filled = 0;
        self.filled = match read_entries(directory, &mut self.buffer) {
            // The directory itself was removed.
            Err(Errno::ENOENT) => 0,
            read => read?,
        };
        Ok(self.filled > 0)
    }

    /// Takes the name of the next entry.
    pub(super) fn next(&mut self) -> Result<Option<&CStr>, Failure> {
        let rest = &self.buffer[self.taken..self.filled];
        if rest.is_empty() {
            return Ok(None);
        }
        let length = rest.get(LENGTH..NAME).map_or(0, |field| {
            usize::from(u16::from_ne_bytes([field[0], field[1]]))
        });
        let name = rest.get(NAME..length).ok_or(Failure::Io)?;
        self.taken += length;
        CStr::from_bytes_until_nul(name)
            .map(Some)
            .map_err(|_| Failure::Io)
    }
}
