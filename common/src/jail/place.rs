//! One name in an opened directory: what is acted on where no flag confines a path.

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, ResolveFlag};
use nix::unistd::{fsync, syncfs};

use super::metadata::STRAIGHT;
use super::{Failure, Stat, look, open_below};
use crate::path::VirtualPath;
use crate::settings::Durability;

/// A name in a directory that is open as `O_PATH`.
pub(super) struct Place<'p> {
    pub(super) directory: OwnedFd,
    /// Describes the directory.
    pub(super) stat: Stat,
    pub(super) name: &'p [u8],
}

impl Place<'_> {
    /// Describes what has the name now.
    pub(super) fn look(&self) -> Result<Stat, Errno> {
        look(&self.directory, self.name)
    }
}

/// The sync after a change.
pub(super) enum Settle {
    NotWanted,
    /// Of the directory that holds what was changed, or of the entry whose mode or times were.
    Opened(OwnedFd),
    /// Of all, from a directory of it: the entry cannot be opened.
    FileSystem(OwnedFd),
    /// A directory that the user may change but not read cannot be synced by itself.
    Unreadable,
}

impl Settle {
    /// Opens what the sync needs, before anything is changed.
    pub(super) fn prepare(place: &Place<'_>, durability: Durability) -> Result<Settle, Failure> {
        Settle::prepare_in(&place.directory, durability)
    }

    pub(super) fn prepare_in(
        directory: &OwnedFd,
        durability: Durability,
    ) -> Result<Settle, Failure> {
        match durability {
            Durability::Rename | Durability::Off => Ok(Settle::NotWanted),
            Durability::Strict => {
                let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
                match open_below(directory, b".", flags, ResolveFlag::RESOLVE_NO_SYMLINKS) {
                    Ok(readable) => Ok(Settle::Opened(readable)),
                    Err(Failure::Denied) => Ok(Settle::Unreadable),
                    Err(failure) => Err(failure),
                }
            }
        }
    }

    /// Opens what the sync of an entry's mode and times needs, before they are changed.
    pub(super) fn prepare_entry(
        place: &Place<'_>,
        durability: Durability,
    ) -> Result<Settle, Failure> {
        if durability != Durability::Strict {
            return Ok(Settle::NotWanted);
        }
        let open = |access| {
            let flags = access | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
            open_below(&place.directory, place.name, flags, STRAIGHT)
        };
        match open(OFlag::O_RDONLY).or_else(|_| open(OFlag::O_WRONLY)) {
            Ok(entry) => Ok(Settle::Opened(entry)),
            Err(_) => Ok(match Settle::prepare(place, durability)? {
                Settle::Opened(directory) => Settle::FileSystem(directory),
                other => other,
            }),
        }
    }

    /// Makes the change last. In an unreadable directory it lasts from the system's next own sync on.
    pub(super) fn finish(self) -> Result<(), Failure> {
        match self {
            Settle::Opened(changed) => Ok(fsync(changed.as_fd())?),
            Settle::FileSystem(directory) => Ok(syncfs(directory.as_fd())?),
            Settle::NotWanted | Settle::Unreadable => Ok(()),
        }
    }
}

/// The directory and the name of a path, both as they are looked up below the root; `None` for the root.
pub(super) fn split(path: &VirtualPath) -> Option<(&[u8], &[u8])> {
    let name = path.name()?;
    let relative = path.relative();
    let directory = &relative[..relative.len() - name.len()];
    Some(if directory.is_empty() {
        (b".", name)
    } else {
        (directory, name)
    })
}
