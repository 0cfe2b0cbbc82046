//! The beginning of uploads: what is there already, who else writes it, and whether there is room.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{Mode, fstat};
use nix::unistd::{AccessFlags, faccessat, ftruncate};

use super::lock::{self, Part, Share};
use super::partial::{Continuable, Partial, Partials};
use super::place::Place;
use super::upload::{Disposition, End, Hidden, Taken, Upload, Visible, Wanted};
use super::{Failure, Jail, Kind, Stat, describe, open_below};
use crate::path::VirtualPath;
use crate::settings::Locks;

/// The bits of a mode that an upload keeps: setuid and setgid are never among them.
const PERMISSIONS: u32 = 0o777;

impl Jail {
    /// Begins an upload. A link in the target's place is replaced, never written through.
    pub fn create(&self, path: &VirtualPath, wanted: impl Into<Wanted>) -> Result<Upload, Failure> {
        let mut wanted: Wanted = wanted.into();
        if self.terms.keep.is_zero() {
            wanted.continuable = Continuable::No;
        }
        let place = self.place(path)?.ok_or(Failure::IsADirectory)?;
        self.sweep(&place);
        let upload = match wanted.at {
            Disposition::Replace | Disposition::At(0) => {
                self.begin(place, wanted, Taken::Replaced)?
            }
            Disposition::Overwrite => {
                let flags = OFlag::O_WRONLY | OFlag::O_CREAT;
                let replaces = place.look().is_ok();
                let mut upload = self.in_place(place, flags, true)?.0;
                upload.replaces = replaces;
                upload
            }
            Disposition::New => match place.look() {
                Err(Errno::ENOENT) => self.begin(place, wanted, Taken::Kept)?,
                Ok(_) => return Err(Failure::Exists),
                Err(errno) => return Err(errno.into()),
            },
            Disposition::Append => self.append(place, wanted)?,
            Disposition::At(offset) => self.go_on(place, wanted, offset)?,
        };
        if let Err(failure) = upload.check_room(wanted) {
            upload.suspend();
            return Err(failure);
        }
        if wanted.at == Disposition::Overwrite {
            // Nothing is cut off before the locks are had.
            ftruncate(&upload.file, 0)?;
        }
        Ok(upload)
    }

    /// How much of a broken upload is there to be continued.
    pub fn unfinished(&self, path: &VirtualPath) -> Result<u64, Failure> {
        let place = self.place(path)?.ok_or(Failure::IsADirectory)?;
        match self.partials().unfinished(&place.directory, place.name) {
            Ok(Some(partial)) => Ok(partial.told()),
            // One that goes on is not broken.
            Ok(None) | Err(Failure::Busy) => Err(Failure::NotFound),
            Err(failure) => Err(failure),
        }
    }

    pub(super) fn partials(&self) -> Partials {
        Partials {
            uid: self.shared.viewer.uid,
            keep: self.terms.keep,
        }
    }

    /// Looks for leftovers, once in each directory that uploads come to one after the other.
    fn sweep(&self, place: &Place<'_>) {
        let directory = Some((place.stat.device, place.stat.inode));
        if self.swept.replace(directory) != directory {
            self.partials().sweep(&place.directory);
        }
    }

    /// Creates the hidden file of an upload.
    fn begin(&self, place: Place<'_>, wanted: Wanted, taken: Taken) -> Result<Upload, Failure> {
        let replaced = replaceable(&place)?;
        let (held, mut contested) = match &replaced {
            Some(_) => self.hold(&place)?,
            None => (None, false),
        };
        let partials = self.partials();
        let partial = partials.begin(&place.directory, place.name, wanted.continuable)?;
        contested |= self.terms.locks != Locks::None && partial.contested;
        let mut upload = self.hidden(&place, partial, replaced, wanted, taken)?;
        if self.terms.locks != Locks::None {
            let other = wanted.continuable.other();
            contested |= partials.is_alive(&place.directory, place.name, other)?;
        }
        upload.contested = self.judge(contested)?;
        upload.held = held;
        Ok(upload)
    }

    /// An upload to a hidden file, from its beginning. From here on every way out removes the file again.
    fn hidden(
        &self,
        place: &Place<'_>,
        partial: Partial,
        replaced: Option<Stat>,
        wanted: Wanted,
        taken: Taken,
    ) -> Result<Upload, Failure> {
        let mut hidden = Hidden {
            directory: place
                .directory
                .try_clone()
                .map_err(|_| Failure::Exhausted)?,
            temporary: partial.name,
            target: place.name.to_vec(),
            taken,
            mode: self.new_mode(0o666),
            continued: false,
            continuable: wanted.continuable,
            settled: false,
        };
        let file = partial.file;
        let replaces = replaced.is_some();
        if let Some(replaced) = replaced {
            let mode = kept_mode(&replaced, &describe(&fstat(&file)?));
            hidden.mode = Mode::from_bits_truncate(mode);
        }
        if self.terms.locks != Locks::None {
            lock::take(&file, Part::Content, Share::Writer)?;
        }
        Ok(Upload {
            file,
            start: 0,
            largest: self.terms.largest,
            contested: false,
            replaces,
            end: End::Rename(hidden),
            held: None,
        })
    }

    /// Goes on with a broken upload, or writes at the end of the file.
    fn append(&self, place: Place<'_>, wanted: Wanted) -> Result<Upload, Failure> {
        let unfinished = self.broken(&place, wanted)?;
        match (place.look(), unfinished) {
            (Err(Errno::ENOENT), None) => self.begin(place, wanted, Taken::Replaced),
            (Err(Errno::ENOENT), Some(partial)) => {
                let start = partial.told();
                self.resume(place, partial, wanted, start)
            }
            // The client may mean the file that is there as well as the one that is not whole.
            (Ok(_), Some(_)) => Err(Failure::Unfinished),
            (Ok(_), None) => {
                let flags = OFlag::O_WRONLY | OFlag::O_APPEND;
                let (upload, size) = self.in_place(place, flags, false)?;
                upload.from(size)
            }
            (Err(errno), _) => Err(errno.into()),
        }
    }

    /// Goes on with a broken upload, or with the file where there is none.
    fn go_on(&self, place: Place<'_>, wanted: Wanted, offset: u64) -> Result<Upload, Failure> {
        if let Some(partial) = self.broken(&place, wanted)? {
            return self.resume(place, partial, wanted, offset);
        }
        let (upload, size) = self.in_place(place, OFlag::O_WRONLY, true)?;
        if offset > size {
            return Err(Failure::BadOffset);
        }
        upload.from(offset)
    }

    fn broken(&self, place: &Place<'_>, wanted: Wanted) -> Result<Option<Partial>, Failure> {
        match wanted.continuable {
            Continuable::Yes => self.partials().unfinished(&place.directory, place.name),
            Continuable::No => Ok(None),
        }
    }

    fn resume(
        &self,
        place: Place<'_>,
        partial: Partial,
        wanted: Wanted,
        offset: u64,
    ) -> Result<Upload, Failure> {
        if offset > partial.told() {
            return Err(Failure::BadOffset);
        }
        let replaced = replaceable(&place)?;
        let (held, contested) = match &replaced {
            Some(_) => self.hold(&place)?,
            None => (None, false),
        };
        let contested = self.judge(contested)?;
        let mut upload = self.hidden(&place, partial, replaced, wanted, Taken::Replaced)?;
        if let End::Rename(hidden) = &mut upload.end {
            hidden.continued = true;
        }
        upload.held = held;
        upload.contested = contested;
        upload.from(offset)
    }

    /// Opens a regular file to be written where it is; gives its size too. Nobody else writes it meanwhile.
    fn in_place(
        &self,
        place: Place<'_>,
        flags: OFlag,
        truncate: bool,
    ) -> Result<(Upload, u64), Failure> {
        let (file, stat, contested) = self.lock_in_place(&place, flags)?;
        if !lock::take(&file, Part::Pen, Share::Writer)? {
            return Err(Failure::Busy);
        }
        let contested = self.judge(contested)?;
        let upload = Upload {
            file,
            start: 0,
            largest: self.terms.largest,
            contested,
            replaces: true,
            end: End::InPlace(Visible {
                directory: place.directory,
                name: place.name.to_vec(),
                truncate,
            }),
            held: None,
        };
        Ok((upload, stat.size))
    }

    /// Locks a file that an upload is to replace. Where there is no need of locks it is not even opened.
    fn hold(&self, place: &Place<'_>) -> Result<(Option<OwnedFd>, bool), Failure> {
        if self.terms.locks == Locks::None {
            return Ok((None, false));
        }
        let (file, _, contested) = self.lock_in_place(place, OFlag::O_WRONLY)?;
        Ok((Some(file), contested))
    }

    /// Opens a regular file for writing and takes the lock that `Locks` is about. `true` says that somebody else has it.
    fn lock_in_place(
        &self,
        place: &Place<'_>,
        flags: OFlag,
    ) -> Result<(OwnedFd, Stat, bool), Failure> {
        let flags = flags | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS;
        let file = if flags.contains(OFlag::O_CREAT) {
            let mode = self.new_mode(0o666);
            openat2(
                &place.directory,
                place.name,
                OpenHow::new().flags(flags).mode(mode).resolve(resolve),
            )?
        } else {
            open_below(&place.directory, place.name, flags, resolve)?
        };
        self.regular(&file)?;
        let contested =
            self.terms.locks != Locks::None && !lock::take(&file, Part::Content, Share::Writer)?;
        // Whoever had the lock before may have replaced the file.
        let stat = describe(&fstat(&file)?);
        match place.look() {
            Ok(now) if now.is_same(&stat) => Ok((file, stat, contested)),
            Ok(_) | Err(Errno::ENOENT) => Err(Failure::Busy),
            Err(errno) => Err(errno.into()),
        }
    }

    /// What the setting makes of somebody else's lock: an error, or something to be told.
    fn judge(&self, contested: bool) -> Result<bool, Failure> {
        match self.terms.locks {
            Locks::Mandatory | Locks::MandatoryWrite if contested => Err(Failure::Busy),
            Locks::None | Locks::Advisory | Locks::Mandatory | Locks::MandatoryWrite => {
                Ok(contested)
            }
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
