//! Uploads: received under a hidden name, then renamed into place, or continued in place. Moves no data itself.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, RenameFlags, ResolveFlag, openat2, renameat, renameat2};
use nix::sys::stat::{Mode, UtimensatFlags, fchmod, fstat, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{
    AccessFlags, UnlinkatFlags, Whence, faccessat, fdatasync, ftruncate, lseek, syncfs, unlinkat,
};

use super::place::{Place, Settle, temporary_name};
use super::{Failure, Jail, Kind, Stat, describe, open_below};
use crate::path::VirtualPath;
use crate::proto::facts::Permissions;
use crate::settings::Durability;

/// How often a hidden name that is taken is replaced by another.
const ATTEMPTS: usize = 4;
/// The bits of a mode that an upload keeps: setuid and setgid are never among them.
const PERMISSIONS: u32 = 0o777;

/// What becomes of a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It stays until the upload is complete, and is then replaced (STOR).
    Replace,
    /// There must be none, now and at the end (STOU).
    New,
    /// It is written on at its end (APPE).
    Append,
    /// It is overwritten from an offset on, and ends where the upload ends (REST and STOR). 0 is `Replace`.
    At(u64),
}

/// A file that is being received. The receiver writes at the descriptor's own position. Dropping it is to discard it.
#[must_use]
#[derive(Debug)]
pub struct Upload {
    file: OwnedFd,
    start: u64,
    end: End,
}

/// What makes an upload complete.
#[derive(Debug)]
enum End {
    Rename(Hidden),
    /// The file ends where the descriptor stands.
    Truncate,
    Nothing,
}

/// A hidden name, removed when it is dropped unless it was renamed.
#[derive(Debug)]
struct Hidden {
    directory: OwnedFd,
    temporary: Vec<u8>,
    target: Vec<u8>,
    taken: Taken,
    renamed: bool,
}

/// What becomes of a file that has the name when the upload gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Replaced,
    Kept,
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if !self.renamed {
            let name = self.temporary.as_slice();
            // Nobody is left to be told; the name stays hidden in any case.
            let _ = unlinkat(&self.directory, name, UnlinkatFlags::NoRemoveDir);
        }
    }
}

impl Jail {
    /// Begins an upload. A link in the target's place is replaced, never written through.
    pub fn create(&self, path: &VirtualPath, disposition: Disposition) -> Result<Upload, Failure> {
        let place = self.place(path)?.ok_or(Failure::IsADirectory)?;
        match disposition {
            Disposition::Replace | Disposition::At(0) => self.begin(place, Taken::Replaced),
            Disposition::New => match place.look() {
                Err(Errno::ENOENT) => self.begin(place, Taken::Kept),
                Ok(_) => Err(Failure::Exists),
                Err(errno) => Err(errno.into()),
            },
            Disposition::Append => match self.in_place(&place, OFlag::O_APPEND) {
                Ok((file, stat)) => Ok(Upload {
                    file,
                    start: stat.size,
                    end: End::Nothing,
                }),
                Err(Failure::NotFound) => self.begin(place, Taken::Replaced),
                Err(failure) => Err(failure),
            },
            Disposition::At(start) => {
                let (file, stat) = self.in_place(&place, OFlag::empty())?;
                let offset = i64::try_from(start).map_err(|_| Failure::BadOffset)?;
                if start > stat.size {
                    return Err(Failure::BadOffset);
                }
                lseek(&file, offset, Whence::SeekSet)?;
                Ok(Upload {
                    file,
                    start,
                    end: End::Truncate,
                })
            }
        }
    }

    /// Creates the hidden file of an upload.
    fn begin(&self, place: Place<'_>, taken: Taken) -> Result<Upload, Failure> {
        let replaced = replaceable(&place)?;
        let mode = match &replaced {
            Some(stat) => stat.mode & PERMISSIONS,
            None => self.new_mode(0o666).bits(),
        };
        let (file, temporary) = create_hidden(&place.directory, mode)?;
        // From here on every way out removes the hidden file again.
        let hidden = Hidden {
            directory: place.directory,
            temporary,
            target: place.name.to_vec(),
            taken,
            renamed: false,
        };
        if let Some(replaced) = replaced {
            let created = describe(&fstat(&file)?);
            fchmod(
                &file,
                Mode::from_bits_truncate(kept_mode(&replaced, &created)),
            )?;
        }
        Ok(Upload {
            file,
            start: 0,
            end: End::Rename(hidden),
        })
    }

    /// Opens a regular file to be written where it is.
    fn in_place(&self, place: &Place<'_>, flags: OFlag) -> Result<(OwnedFd, Stat), Failure> {
        let flags = flags | OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS;
        let file = open_below(&place.directory, place.name, flags, resolve)?;
        let stat = self.regular(&file)?;
        Ok((file, stat))
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
        Ok(fchmod(
            &self.file,
            Mode::from_bits_truncate(mode.bits().into()),
        )?)
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

    /// Completes the upload and answers the size of the file. Where a step before the rename fails, the hidden file is
    /// removed and the old one is as it was.
    pub fn commit(self, durability: Durability) -> Result<u64, Failure> {
        let Upload { file, end, .. } = self;
        if let End::Truncate = end {
            ftruncate(&file, lseek(&file, 0, Whence::SeekCur)?)?;
        }
        if durability == Durability::Strict {
            fdatasync(&file)?;
        }
        let size = describe(&fstat(&file)?).size;
        if let End::Rename(hidden) = end {
            hidden.rename(&file, durability)?;
        }
        Ok(size)
    }

    /// Gives the upload up. A hidden file is removed; a file that was continued in place keeps what it has got.
    pub fn discard(self) {}
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
        self.renamed = true;
        match settle {
            // A drop box: the whole file system is synced through the file.
            Settle::Unreadable => Ok(syncfs(file)?),
            settle => settle.finish(),
        }
    }
}

/// Checks that an upload may take a name. Answers the regular file that it replaces.
fn replaceable(place: &Place<'_>) -> Result<Option<Stat>, Failure> {
    let stat = match place.look() {
        Ok(stat) => stat,
        Err(Errno::ENOENT) => return Ok(None),
        Err(errno) => return Err(errno.into()),
    };
    match stat.kind {
        Kind::File => {
            // A rename would not ask whether the file is write-protected; every other way to write it does.
            let flags = AtFlags::AT_EACCESS | AtFlags::AT_SYMLINK_NOFOLLOW;
            faccessat(&place.directory, place.name, AccessFlags::W_OK, flags)?;
            Ok(Some(stat))
        }
        Kind::Link => Ok(None),
        Kind::Directory => Err(Failure::IsADirectory),
        Kind::Pipe | Kind::Socket | Kind::CharacterDevice | Kind::BlockDevice => {
            Err(Failure::Special)
        }
    }
}

fn create_hidden(directory: &OwnedFd, mode: u32) -> Result<(OwnedFd, Vec<u8>), Failure> {
    let flags = OFlag::O_WRONLY
        | OFlag::O_CREAT
        | OFlag::O_EXCL
        | OFlag::O_NOFOLLOW
        | OFlag::O_NOCTTY
        | OFlag::O_CLOEXEC;
    let how = OpenHow::new()
        .flags(flags)
        .mode(Mode::from_bits_truncate(mode))
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
    for _ in 0..ATTEMPTS {
        let name = temporary_name()?;
        match openat2(directory, name.as_slice(), how) {
            Ok(file) => return Ok((file, name)),
            Err(Errno::EEXIST | Errno::EAGAIN | Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Err(Failure::Busy)
}

/// The permissions of a file that takes the place of `replaced`. Where it belongs to another group than that one did,
/// its group gets no more than everybody has.
fn kept_mode(replaced: &Stat, created: &Stat) -> u32 {
    let mode = replaced.mode & PERMISSIONS;
    if replaced.gid == created.gid {
        mode
    } else {
        let others = mode & 0o007;
        mode & (0o707 | others << 3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_group_gets_no_more_than_everybody() {
        let stat = |mode, gid| Stat {
            kind: Kind::File,
            mode,
            links: 1,
            node: (0, 0),
            uid: 0,
            gid,
            size: 0,
            modified: (0, 0),
            device: 0,
            inode: 0,
        };
        assert_eq!(kept_mode(&stat(0o6660, 5), &stat(0, 5)), 0o660);
        assert_eq!(kept_mode(&stat(0o660, 5), &stat(0, 6)), 0o600);
        assert_eq!(kept_mode(&stat(0o664, 5), &stat(0, 6)), 0o644);
    }
}
