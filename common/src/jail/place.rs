//! One name in an opened directory: what is acted on where no flag confines a path.

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, ResolveFlag};
use nix::unistd::fsync;

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

/// The sync of a directory after a change in it.
pub(super) enum Settle {
    NotWanted,
    Directory(OwnedFd),
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
                    Ok(readable) => Ok(Settle::Directory(readable)),
                    Err(Failure::Denied) => Ok(Settle::Unreadable),
                    Err(failure) => Err(failure),
                }
            }
        }
    }

    /// Makes the change last. In an unreadable directory it lasts from the system's next own sync on.
    pub(super) fn finish(self) -> Result<(), Failure> {
        match self {
            Settle::Directory(directory) => Ok(fsync(directory.as_fd())?),
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
