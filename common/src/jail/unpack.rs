//! Where an archive is unpacked: a directory of the jail, below which no link is followed. Knows no format of archives.

use std::os::fd::OwnedFd;

use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, mkdirat};

use super::place::Settle;
use super::walk::Links;
use super::{Failure, Jail, Permissions};
use crate::path::VirtualPath;
use crate::settings::Durability;

/// Directories that an entry may lie in.
const DEEPEST: usize = 100;
/// What the owner may do with a directory until all that belongs in it is there.
const USABLE: u32 = 0o700;

/// What an archive may still unpack; `None` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    pub entries: Option<u64>,
    pub octets: Option<u64>,
}

impl Jail {
    /// A directory as a jail of its own, in which nothing leads through a link.
    ///
    /// SECURITY: the directory is opened once. Whatever its path leads to later on, entries go where the first one went.
    pub fn inside(&self, directory: &VirtualPath) -> Result<Jail, Failure> {
        let root: OwnedFd = self.enter(directory, OFlag::O_PATH)?;
        Ok(self.at(root, Links::Refuse))
    }

    /// Makes a directory that is to get these permissions in the end; `false` if there is one already.
    pub fn unpack_dir(
        &self,
        path: &VirtualPath,
        mode: Permissions,
        durability: Durability,
    ) -> Result<bool, Failure> {
        let Some(place) = self.place(path)? else {
            return Ok(false);
        };
        let settle = Settle::prepare(&place, durability)?;
        let mode = self.new_mode(u32::from(mode.bits()));
        match mkdirat(
            &place.directory,
            place.name,
            mode | Mode::from_bits_truncate(USABLE),
        ) {
            Ok(()) => settle.finish().map(|()| true),
            Err(nix::errno::Errno::EEXIST) => self.check_dir(path).map(|()| false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The permissions without the bits that new files do not get.
    pub fn masked(&self, mode: Permissions) -> Permissions {
        Permissions::of(self.new_mode(u32::from(mode.bits())).bits())
    }
}

impl Allowance {
    /// Takes an entry with so many octets, unless it lies too deep or is too much.
    pub fn take(&mut self, path: &VirtualPath, octets: u64) -> Result<(), Failure> {
        let slashes = path.as_bytes().iter().filter(|&&octet| octet == b'/');
        if slashes.count() > DEEPEST {
            return Err(Failure::Limit);
        }
        let left = |left: Option<u64>, count: u64| match left {
            None => Ok(None),
            Some(left) => left.checked_sub(count).map(Some).ok_or(Failure::Limit),
        };
        *self = Allowance {
            entries: left(self.entries, 1)?,
            octets: left(self.octets, octets)?,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_ends_with_what_does_not_fit() {
        let path = VirtualPath::new(b"/a/b").unwrap();
        let mut allowance = Allowance {
            entries: Some(3),
            octets: Some(10),
        };
        assert_eq!(allowance.take(&path, 6), Ok(()));
        assert_eq!(allowance.take(&path, 5), Err(Failure::Limit));
        assert_eq!(allowance.take(&path, 4), Ok(()));
        assert_eq!(allowance.take(&path, 0), Ok(()));
        assert_eq!(allowance.take(&path, 0), Err(Failure::Limit));
        let mut none = Allowance {
            entries: None,
            octets: None,
        };
        assert_eq!(none.take(&path, u64::MAX), Ok(()));
        let deep = VirtualPath::new("/d".repeat(101).as_bytes()).unwrap();
        assert_eq!(none.take(&deep, 0), Err(Failure::Limit));
    }
}
