//! The hidden files of uploads: their names, whose they are, and what becomes of those that nobody writes any more. While
//! an upload lives it has its file locked, so that a file without a lock is a leftover.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{Mode, fstat};
use nix::unistd::{UnlinkatFlags, ftruncate, unlinkat};

use super::entries::Entries;
use super::lock::{self, Part, Share};
use super::{Failure, Kind, Stat, describe, look, open_below};
use crate::digest::{Algorithm, hex};
use crate::path::VirtualPath;

const PREFIX: &[u8] = b".ftpd-";
const SUFFIX: &[u8] = b".part";
/// Octets of a digest or of chance in a hidden name.
const CORE: usize = 16;
/// Nobody but the owner, whatever the umask.
const MODE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);
/// How often a hidden name that is taken is replaced by another.
const ATTEMPTS: usize = 4;
/// A leftover is not looked at before it is so old, even where none are kept.
const YOUNG: Duration = Duration::from_secs(3600);
/// The most entries of a directory in which leftovers are looked for.
const MOST_LOOKED_AT: usize = 10_000;
const STRAIGHT: ResolveFlag = ResolveFlag::RESOLVE_BENEATH.union(ResolveFlag::RESOLVE_NO_SYMLINKS);

/// Whether a broken upload can be continued: only where offsets count the file's own octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continuable {
    Yes,
    No,
}

impl Continuable {
    pub(super) fn other(self) -> Continuable {
        match self {
            Continuable::Yes => Continuable::No,
            Continuable::No => Continuable::Yes,
        }
    }
}

/// The hidden files of one user.
#[derive(Clone, Copy, Debug)]
pub(super) struct Partials {
    /// SECURITY: in a directory that others can write too, a hidden file of theirs is never taken for one's own.
    pub(super) uid: u32,
    /// How long a broken upload is kept; zero is not at all.
    pub(super) keep: Duration,
}

/// A hidden file that this process has locked.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) file: OwnedFd,
    pub(super) name: Vec<u8>,
    pub(super) size: u64,
    /// Somebody else is uploading to the same target.
    pub(super) contested: bool,
}

/// What a hidden name turned out to be.
enum Found {
    Nothing,
    /// Somebody writes it.
    Alive,
    /// Not one's own, or not only one's own.
    Foreign(Stat),
    Mine(Partial, Stat),
}

impl Partials {
    /// The hidden file of a new upload. A leftover of the same target is written anew; where another upload goes on, a
    /// name of chance is taken.
    pub(super) fn begin(
        self,
        directory: &OwnedFd,
        target: &[u8],
        continuable: Continuable,
    ) -> Result<Partial, Failure> {
        let name = name_of(target, continuable);
        let mut contested = false;
        if let Some(file) = create(directory, &name)? {
            if lock::take(&file, Part::Pen, Share::Writer)? {
                return Ok(Partial::new(file, name));
            }
        } else {
            match self.find(directory, &name)? {
                Found::Mine(partial, _) => {
                    ftruncate(&partial.file, 0)?;
                    return Ok(Partial { size: 0, ..partial });
                }
                Found::Alive => contested = true,
                Found::Nothing | Found::Foreign(_) => {}
            }
        }
        for _ in 0..ATTEMPTS {
            let name = random_name()?;
            if let Some(file) = create(directory, &name)?
                && lock::take(&file, Part::Pen, Share::Writer)?
            {
                let partial = Partial::new(file, name);
                return Ok(Partial {
                    contested,
                    ..partial
                });
            }
        }
        Err(Failure::Busy)
    }

    /// The broken upload of a target that can be continued, if there is one.
    pub(super) fn unfinished(
        self,
        directory: &OwnedFd,
        target: &[u8],
    ) -> Result<Option<Partial>, Failure> {
        if self.keep.is_zero() {
            return Ok(None);
        }
        let name = name_of(target, Continuable::Yes);
        match self.find(directory, &name)? {
            Found::Alive => Err(Failure::Busy),
            Found::Nothing | Found::Foreign(_) => Ok(None),
            Found::Mine(_, stat) if age(&stat) > self.keep => {
                remove(directory, &name);
                Ok(None)
            }
            Found::Mine(partial, _) => Ok(Some(partial).filter(|partial| partial.told() > 0)),
        }
    }

    /// Whether an upload to the target goes on under this kind of name.
    pub(super) fn is_alive(
        self,
        directory: &OwnedFd,
        target: &[u8],
        continuable: Continuable,
    ) -> Result<bool, Failure> {
        let found = self.find(directory, &name_of(target, continuable))?;
        Ok(matches!(found, Found::Alive))
    }

    /// Removes what is left of broken uploads to a target; `true` if something was.
    pub(super) fn forget(self, directory: &OwnedFd, target: &[u8]) -> bool {
        let mut forgotten = false;
        for continuable in [Continuable::Yes, Continuable::No] {
            let name = name_of(target, continuable);
            if let Ok(Found::Mine(..)) = self.find(directory, &name) {
                forgotten |= remove(directory, &name);
            }
        }
        forgotten
    }

    /// Removes leftovers that have been there for too long, as far as a bounded look finds them.
    pub(super) fn sweep(self, directory: &OwnedFd) {
        let limit = self.keep.max(YOUNG);
        // Nobody waits for this: what cannot be removed now is for the next time.
        let _ = each_name(directory, |readable, name| {
            if is_temporary(name) && look(readable, name).is_ok_and(|stat| age(&stat) > limit) {
                self.remove_dead(readable, name, limit);
            }
            true
        });
    }

    /// Removes all leftovers of a directory that holds nothing else; `true` if it is empty now.
    pub(super) fn clear(self, directory: &OwnedFd) -> bool {
        let limit = self.keep.max(YOUNG);
        let mut all = true;
        let only_hidden = each_name(directory, |_, name| {
            all &= is_temporary(name);
            all
        });
        if only_hidden.is_err() || !all {
            return false;
        }
        let cleared = each_name(directory, |readable, name| {
            all &= self.remove_dead(readable, name, limit);
            all
        });
        cleared.is_ok() && all
    }

    /// Removes a hidden file that nobody writes; of others, whose locks are not to be seen, one that is old enough.
    fn remove_dead(self, directory: &OwnedFd, name: &[u8], limit: Duration) -> bool {
        match self.find(directory, name) {
            Ok(Found::Nothing) => true,
            Ok(Found::Mine(..)) => remove(directory, name),
            Ok(Found::Foreign(stat)) => age(&stat) > limit && remove(directory, name),
            Ok(Found::Alive) | Err(_) => false,
        }
    }

    /// Looks what has a hidden name; takes it if nobody has.
    fn find(self, directory: &OwnedFd, name: &[u8]) -> Result<Found, Failure> {
        let seen = match look(directory, name) {
            Ok(stat) => stat,
            Err(Errno::ENOENT) => return Ok(Found::Nothing),
            Err(errno) => return Err(errno.into()),
        };
        if seen.kind != Kind::File
            || seen.uid != self.uid
            || seen.links != 1
            || seen.mode & 0o077 != 0
        {
            return Ok(Found::Foreign(seen));
        }
        let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file = match open_below(directory, name, flags, STRAIGHT) {
            Ok(file) => file,
            Err(Failure::NotFound) => return Ok(Found::Nothing),
            Err(Failure::Denied) => return Ok(Found::Foreign(seen)),
            Err(failure) => return Err(failure),
        };
        if !lock::take(&file, Part::Pen, Share::Writer)? {
            return Ok(Found::Alive);
        }
        // What was looked at may have been renamed or removed before the lock was had.
        let stat = describe(&fstat(&file)?);
        match look(directory, name) {
            Ok(now) if now.is_same(&seen) && now.is_same(&stat) => {}
            Ok(_) => return Ok(Found::Alive),
            Err(Errno::ENOENT) => return Ok(Found::Nothing),
            Err(errno) => return Err(errno.into()),
        }
        let partial = Partial {
            size: stat.size,
            ..Partial::new(file, name.to_vec())
        };
        Ok(Found::Mine(partial, stat))
    }
}

impl Partial {
    fn new(file: OwnedFd, name: Vec<u8>) -> Partial {
        Partial {
            file,
            name,
            size: 0,
            contested: false,
        }
    }

    /// How much of it counts as received. One octet less than there is: a client that finds all of its file here would
    /// take for done what was never acknowledged and has no name yet.
    pub(super) fn told(&self) -> u64 {
        self.size.saturating_sub(1)
    }
}

/// Calls `each` for the names of a directory, but for the dots, until it says `false`.
fn each_name(
    directory: &OwnedFd,
    mut each: impl FnMut(&OwnedFd, &[u8]) -> bool,
) -> Result<(), Failure> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
    let readable = open_below(directory, b".", flags, ResolveFlag::RESOLVE_NO_SYMLINKS)?;
    let mut entries = Entries::new();
    for _ in 0..MOST_LOOKED_AT {
        let Some(entry) = entries.next(readable.as_fd())? else {
            return Ok(());
        };
        let name = entry.name.to_bytes();
        if !matches!(name, b"." | b"..") && !each(&readable, name) {
            return Ok(());
        }
    }
    Err(Failure::Exhausted)
}

/// Makes a hidden file; `None` if the name is taken.
fn create(directory: &OwnedFd, name: &[u8]) -> Result<Option<OwnedFd>, Failure> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL;
    let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let how = OpenHow::new().flags(flags).mode(MODE).resolve(STRAIGHT);
    for _ in 0..ATTEMPTS {
        match openat2(directory, name, how) {
            Ok(file) => return Ok(Some(file)),
            Err(Errno::EEXIST) => return Ok(None),
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Err(Failure::Busy)
}

pub(super) fn remove(directory: &OwnedFd, name: &[u8]) -> bool {
    unlinkat(directory, name, UnlinkatFlags::NoRemoveDir).is_ok()
}

fn age(stat: &Stat) -> Duration {
    let modified = u64::try_from(stat.modified.0).unwrap_or(0);
    let since = UNIX_EPOCH + Duration::from_secs(modified);
    SystemTime::now().duration_since(since).unwrap_or_default()
}

/// The hidden name of uploads to a target: found again by whoever continues, after whatever death.
fn name_of(target: &[u8], continuable: Continuable) -> Vec<u8> {
    let kind: &[u8] = match continuable {
        Continuable::Yes => b"continuable\0",
        Continuable::No => b"whole\0",
    };
    let digest = Algorithm::Sha256.digest(&[kind, target].concat());
    hidden(&digest.as_bytes()[..CORE])
}

fn random_name() -> Result<Vec<u8>, Failure> {
    let mut random = [0; CORE];
    getrandom::fill(&mut random).map_err(|_| Failure::Exhausted)?;
    Ok(hidden(&random))
}

fn hidden(core: &[u8]) -> Vec<u8> {
    [PREFIX, hex(core).as_bytes(), SUFFIX].concat()
}

/// Whether a name is one of those that uploads have until they are complete.
pub(super) fn is_temporary(name: &[u8]) -> bool {
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

/// Whether a component of a path is a hidden name.
pub(super) fn names_temporary(path: &VirtualPath) -> bool {
    let path = path.as_bytes();
    memchr::memmem::find(path, PREFIX).is_some()
        && path.split(|&octet| octet == b'/').any(is_temporary)
}
