//! The entries of one directory in the order of the directory, in constant memory. Knows no file but their names.

use std::ffi::CStr;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;

use super::Failure;
use crate::sys::directory::read_entries;

/// Octets that are read at a time: several hundred entries.
const BUFFER: usize = 32 * 1024;
/// Where the parts of a `linux_dirent64` begin: inode and offset in 8 octets each, length in 2, type, name.
const OFFSET: usize = 8;
const LENGTH: usize = 16;
const TYPE: usize = 18;
const NAME: usize = 19;

/// Entries that were read and not yet taken.
pub(super) struct Entries {
    buffer: Box<[u8]>,
    taken: usize,
    filled: usize,
    /// Where the directory goes on behind the last entry that was taken.
    position: i64,
}

/// One entry, as the directory knows it.
pub(super) struct Entry<'a> {
    pub(super) name: &'a CStr,
    pub(super) hint: Hint,
}

/// What a directory may tell of its entries' kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    Directory,
    Link,
    Other,
    /// The file system does not keep it.
    Unknown,
}

impl Entries {
    pub(super) fn new() -> Self {
        Entries {
            buffer: vec![0; BUFFER].into_boxed_slice(),
            taken: 0,
            filled: 0,
            position: 0,
        }
    }

    /// Forgets what was read and begins with a directory as it stands, at its beginning.
    pub(super) fn restart(&mut self) {
        self.taken = 0;
        self.filled = 0;
        self.position = 0;
    }

    /// Where to go on with the directory.
    pub(super) fn position(&self) -> i64 {
        self.position
    }

    /// Reads the next entries; `false` says that there are none.
    fn read(&mut self, directory: BorrowedFd<'_>) -> Result<bool, Failure> {
        self.taken = 0;
        self.filled = 0;
        self.filled = match read_entries(directory, &mut self.buffer) {
            // The directory itself was removed.
            Err(Errno::ENOENT) => 0,
            read => read?,
        };
        Ok(self.filled > 0)
    }

    /// Takes the next entry, of `directory` where it has to be read first.
    pub(super) fn next(&mut self, directory: BorrowedFd<'_>) -> Result<Option<Entry<'_>>, Failure> {
        if self.taken == self.filled && !self.read(directory)? {
            return Ok(None);
        }
        let rest = &self.buffer[self.taken..self.filled];
        let header: &[u8; NAME] = rest.first_chunk().ok_or(Failure::Io)?;
        let length = usize::from(u16::from_ne_bytes([header[LENGTH], header[LENGTH + 1]]));
        let name = rest.get(NAME..length).ok_or(Failure::Io)?;
        let offset = header[OFFSET..LENGTH].try_into().map_err(|_| Failure::Io)?;
        self.position = i64::from_ne_bytes(offset);
        self.taken += length;
        Ok(Some(Entry {
            name: CStr::from_bytes_until_nul(name).map_err(|_| Failure::Io)?,
            hint: match header[TYPE] {
                libc::DT_DIR => Hint::Directory,
                libc::DT_LNK => Hint::Link,
                libc::DT_UNKNOWN => Hint::Unknown,
                _ => Hint::Other,
            },
        }))
    }
}
