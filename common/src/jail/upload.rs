//! Uploads: received under a hidden name, then renamed into place, or continued in place. Moves no data itself.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{RenameFlags, renameat, renameat2};
use nix::sys::stat::{Mode, UtimensatFlags, fchmod, fstat, utimensat};
use nix::sys::statvfs::fstatvfs;
use nix::sys::time::TimeSpec;
use nix::unistd::{Whence, fdatasync, ftruncate, lseek, syncfs};

use super::partial::{self, Continuable};
use super::place::Settle;
use super::{Failure, describe, look};
use crate::proto::facts::Permissions;
use crate::settings::Durability;

/// The longest name of a file, in octets.
const LONGEST_NAME: usize = 255;

/// What becomes of a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It stays until the upload is complete, and is then replaced (STOR).
    Replace,
    /// It is emptied at once, and written where it is: nothing is promised for an upload that breaks.
    Overwrite,
    /// There must be none, now and at the end (STOU).
    New,
    /// A broken upload is continued, or the file is written on at its end (APPE).
    Append,
    /// A broken upload, or else the file, is overwritten from an offset on, and ends where the upload ends (REST and
    /// STOR). 0 is `Replace`.
    At(u64),
}

/// An upload as it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    pub at: Disposition,
    pub continuable: Continuable,
    /// How many octets are to come, where that is known.
    pub declared: Option<u64>,
}

impl From<Disposition> for Wanted {
    /// Of unknown size, and of no use unless it is whole.
    fn from(at: Disposition) -> Wanted {
        Wanted {
            at,
            continuable: Continuable::No,
            declared: None,
        }
    }
}

/// A file that is being received. The receiver writes at the descriptor's own position. Dropping it is to discard it.
#[must_use]
#[derive(Debug)]
pub struct Upload {
    pub(super) file: OwnedFd,
    pub(super) start: u64,
    /// The largest size that the file may get.
    pub(super) largest: Option<u64>,
    pub(super) contested: bool,
    /// There was a file of this name.
    pub(super) replaces: bool,
    pub(super) end: End,
    /// The file that has the name until then, locked.
    pub(super) held: Option<OwnedFd>,
}

/// An upload whose content is whole, and which is yet to get its name. Dropping it is to discard it.
#[must_use]
#[derive(Debug)]
pub struct Sealed {
    upload: Upload,
    size: u64,
}

/// What makes an upload complete.
#[derive(Debug)]
pub(super) enum End {
    Rename(Hidden),
    InPlace(Visible),
}

/// A hidden name, removed when it is dropped unless it was renamed or is kept.
#[derive(Debug)]
pub(super) struct Hidden {
    pub(super) directory: OwnedFd,
    pub(super) temporary: Vec<u8>,
    pub(super) target: Vec<u8>,
    pub(super) taken: Taken,
    /// The permissions that the file gets with its name.
    pub(super) mode: Mode,
    /// What is left behind the last octet of a continued upload is of the attempt before.
    pub(super) continued: bool,
    pub(super) continuable: Continuable,
    pub(super) settled: bool,
}

/// A file that is written under its own name.
#[derive(Debug)]
pub(super) struct Visible {
    pub(super) directory: OwnedFd,
    pub(super) name: Vec<u8>,
    /// The file ends where the descriptor stands.
    pub(super) truncate: bool,
}

/// What becomes of a file that has the name when the upload gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Replaced,
    Kept,
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if !self.settled {
            // Nobody is left to be told; the name stays hidden in any case.
            partial::remove(&self.directory, &self.temporary);
        }
    }
}

impl Upload {
    /// The descriptor to write to.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// The offset in the file at which the upload begins.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Gives the file other permissions than an upload gets, for when it is complete.
    pub fn set_mode(&mut self, mode: Permissions) -> Result<(), Failure> {
        let End::Rename(hidden) = &mut self.end else {
            return Err(Failure::Denied);
        };
        hidden.mode = Mode::from_bits_truncate(mode.bits().into());
        Ok(())
    }

    /// Sets when the content was last modified, in seconds since 1970; nothing may be written afterwards.
    pub fn set_modified(&mut self, modified: i64) -> Result<(), Failure> {
        let End::Rename(hidden) = &self.end else {
            return Err(Failure::Denied);
        };
        utimensat(
            &hidden.directory,
            hidden.temporary.as_slice(),
            &TimeSpec::UTIME_OMIT,
            &TimeSpec::new(modified, 0),
            UtimensatFlags::NoFollowSymlink,
        )?;
        Ok(())
    }

    /// How many octets may come.
    pub fn room(&self) -> Option<u64> {
        Some(self.largest?.saturating_sub(self.start))
    }

    /// Whether there was a file of this name when the upload began.
    pub fn replaces(&self) -> bool {
        self.replaces
    }

    /// How many octets the file has got so far.
    pub fn received(&self) -> u64 {
        let position = lseek(&self.file, 0, Whence::SeekCur);
        let position = position
            .ok()
            .and_then(|position| u64::try_from(position).ok());
        position.unwrap_or(0).saturating_sub(self.start)
    }

    /// Whether somebody else reads or writes the file that this is to be.
    pub fn is_contested(&self) -> bool {
        self.contested
    }

    pub(super) fn from(mut self, start: u64) -> Result<Upload, Failure> {
        let offset = i64::try_from(start).map_err(|_| Failure::BadOffset)?;
        lseek(&self.file, offset, Whence::SeekSet)?;
        self.start = start;
        Ok(self)
    }

    /// Refuses what cannot fit before anything is sent.
    pub(super) fn check_room(&self, wanted: Wanted) -> Result<(), Failure> {
        let least = wanted.declared.unwrap_or(0).saturating_add(self.start);
        if self.largest.is_some_and(|largest| largest < least) {
            return Err(Failure::TooLarge);
        }
        let system = fstatvfs(&self.file)?;
        let free = system
            .blocks_available()
            .saturating_mul(system.fragment_size());
        // Some file systems do not tell how large they are.
        if system.blocks() > 0 && free < wanted.declared.unwrap_or(1) {
            return Err(Failure::NoSpace);
        }
        Ok(())
    }

    /// Completes the upload and answers the size of the file. Where a step before the rename fails, the hidden file is
    /// removed and the old one is as it was.
    pub fn commit(self, durability: Durability) -> Result<u64, Failure> {
        self.seal(durability)?.publish(durability)
    }

    /// Makes the content whole and keeps it, still under the hidden name where there is one.
    pub fn seal(self, durability: Durability) -> Result<Sealed, Failure> {
        let Upload {
            file,
            start,
            largest,
            end,
            ..
        } = &self;
        let ended = match end {
            End::Rename(hidden) => hidden.continued,
            End::InPlace(visible) => visible.truncate,
        };
        if ended {
            ftruncate(file, lseek(file, 0, Whence::SeekCur)?)?;
        }
        let size = describe(&fstat(file)?).size;
        let too_large = largest.is_some_and(|largest| size > largest);
        match end {
            End::Rename(_) if too_large => return Err(Failure::TooLarge),
            End::Rename(hidden) => {
                fchmod(file, hidden.mode)?;
                if durability == Durability::Strict {
                    fdatasync(file)?;
                }
            }
            End::InPlace(_) => {
                let kept = match durability {
                    _ if too_large => Err(Failure::TooLarge),
                    Durability::Strict => fdatasync(file).map_err(Failure::from),
                    Durability::Rename | Durability::Off => Ok(()),
                };
                if kept.is_err() {
                    // What the disk did not take must not be there for a second try to build on.
                    let start = i64::try_from(*start).map_err(|_| Failure::BadOffset)?;
                    ftruncate(file, start)?;
                }
                kept?;
            }
        }
        Ok(Sealed { upload: self, size })
    }

    /// Gives the upload up. A hidden file is removed; a file that was continued in place keeps what it has got.
    pub fn discard(self) {}

    /// Leaves the upload as far as it came, to be continued if it can be.
    pub fn suspend(self) {
        if let End::Rename(mut hidden) = self.end {
            let size = fstat(&self.file).map_or(0, |stat| stat.st_size);
            hidden.settled = hidden.continuable == Continuable::Yes && size > 1;
        }
    }
}

impl Sealed {
    /// The size of the file, in octets.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The file, for somebody who is to look at it.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.upload.descriptor()
    }

    /// The hidden name, if it has one.
    pub fn temporary(&self) -> Option<&[u8]> {
        match &self.upload.end {
            End::Rename(hidden) => Some(&hidden.temporary),
            End::InPlace(_) => None,
        }
    }

    /// Gives the file another name in its directory than was asked for; what has that name stays.
    ///
    /// # Errors
    /// It is no name, or one of those that are hidden, or the file has its name already.
    pub fn rename(&mut self, name: &[u8]) -> Result<(), Failure> {
        let End::Rename(hidden) = &mut self.upload.end else {
            return Err(Failure::Denied);
        };
        if matches!(name, b"" | b"." | b"..")
            || name.iter().any(|octet| matches!(octet, b'/' | 0))
            || partial::is_temporary(name)
        {
            return Err(Failure::Denied);
        }
        if name.len() > LONGEST_NAME {
            return Err(Failure::NameTooLong);
        }
        if hidden.target != name {
            name.clone_into(&mut hidden.target);
            hidden.taken = Taken::Kept;
        }
        Ok(())
    }

    /// Gives the file its name and answers its size.
    pub fn publish(self, durability: Durability) -> Result<u64, Failure> {
        let Upload {
            file,
            end,
            held: _held,
            ..
        } = self.upload;
        match end {
            End::Rename(hidden) => hidden.rename(&file, durability)?,
            End::InPlace(visible) => visible.check(&file)?,
        }
        Ok(self.size)
    }

    /// Gives the file up. One that was continued in place ends where it ended before.
    pub fn refuse(self) -> Result<(), Failure> {
        if let End::InPlace(_) = self.upload.end {
            let start = i64::try_from(self.upload.start).map_err(|_| Failure::BadOffset)?;
            ftruncate(&self.upload.file, start)?;
        }
        Ok(())
    }
}

impl Hidden {
    fn rename(mut self, file: &OwnedFd, durability: Durability) -> Result<(), Failure> {
        let settle = Settle::prepare_in(&self.directory, durability)?;
        let (from, to) = (self.temporary.as_slice(), self.target.as_slice());
        match self.taken {
            Taken::Replaced => renameat(&self.directory, from, &self.directory, to)?,
            Taken::Kept => {
                let flags = RenameFlags::RENAME_NOREPLACE;
                renameat2(&self.directory, from, &self.directory, to, flags)?;
            }
        }
        self.settled = true;
        match settle {
            // A drop box: the whole file system is synced through the file.
            Settle::Unreadable => Ok(syncfs(file)?),
            settle => settle.finish(),
        }
    }
}

impl Visible {
    /// Checks that the file that was written still has the name: a rename may have given it to another one.
    fn check(&self, file: &OwnedFd) -> Result<(), Failure> {
        let written = describe(&fstat(file)?);
        match look(&self.directory, self.name.as_slice()) {
            Ok(now) if now.is_same(&written) => Ok(()),
            Ok(_) | Err(Errno::ENOENT) => Err(Failure::Busy),
            Err(errno) => Err(errno.into()),
        }
    }
}
