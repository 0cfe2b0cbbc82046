//! Modes, times and links. Each acts on the opened directory and one name in it, never through a link.

use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::fcntl::{OFlag, ResolveFlag};
use nix::sys::stat::{Mode, UtimensatFlags, fchmod, fstat, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::symlinkat;

use super::partial;
use super::place::{Place, Settle};
use super::{Failure, Jail, Kind, describe, open_below};
use crate::path::VirtualPath;
use crate::proto::facts::Permissions;
use crate::settings::Durability;
use crate::sys;

/// No link on the way and none at the end.
pub(super) const STRAIGHT: ResolveFlag =
    ResolveFlag::RESOLVE_BENEATH.union(ResolveFlag::RESOLVE_NO_SYMLINKS);

impl Jail {
    /// The bits that new files and directories do not get.
    pub fn umask(&self) -> Permissions {
        self.umask.get()
    }

    pub fn set_umask(&self, umask: Permissions) {
        self.umask.set(umask);
    }

    /// Changes the permissions of a file or directory.
    ///
    /// SECURITY: setuid and setgid bits that were there are gone afterwards, on directories too: the kernel's filter
    /// lets no call pass that has them.
    pub fn set_mode(
        &self,
        path: &VirtualPath,
        mode: Permissions,
        durability: Durability,
    ) -> Result<(), Failure> {
        let place = self.changeable(path)?;
        let settle = Settle::prepare_entry(&place, durability)?;
        let mode = Mode::from_bits_truncate(mode.bits().into());
        match sys::mode::change_mode(place.directory.as_fd(), place.name, mode) {
            // Some filters around containers say EPERM to every call that they do not know.
            Err(Errno::ENOSYS | Errno::EPERM) => change_opened(&place, mode)?,
            Err(Errno::EOPNOTSUPP) => return Err(Failure::Special),
            changed => changed?,
        }
        settle.finish()
    }

    /// Changes when a file or directory was last modified and, unless it is to stay, last read, in seconds since 1970.
    /// Answers the modification time that it has now: a file system may not reach as far.
    pub fn set_times(
        &self,
        path: &VirtualPath,
        modified: i64,
        accessed: Option<i64>,
        durability: Durability,
    ) -> Result<i64, Failure> {
        let place = self.changeable(path)?;
        let settle = Settle::prepare_entry(&place, durability)?;
        let accessed = match accessed {
            Some(seconds) => TimeSpec::new(seconds, 0),
            None => TimeSpec::UTIME_OMIT,
        };
        utimensat(
            &place.directory,
            place.name,
            &accessed,
            &TimeSpec::new(modified, 0),
            UtimensatFlags::NoFollowSymlink,
        )?;
        settle.finish()?;
        Ok(place.look()?.modified.0)
    }

    /// Makes a symbolic link to a file or directory that is there.
    ///
    /// SECURITY: programs outside the jail follow links too. What is stored leads from the link's own directory to the
    /// target with no other link on the way, so that it means the same to them, and nothing outside.
    pub fn symlink(
        &self,
        target: &VirtualPath,
        link: &VirtualPath,
        durability: Durability,
    ) -> Result<(), Failure> {
        if partial::names_temporary(target) {
            return Err(Failure::NotFound);
        }
        let parent = link.parent();
        let way = Way::between(&parent, target);
        let search = OFlag::O_PATH | OFlag::O_DIRECTORY;
        let common = self.resolve(link, &joined(&way.common), search)?;
        let directory = open_below(&common, &joined(&way.up), search, STRAIGHT)?;
        let stat = fstat(&directory)?;
        self.served.check(&directory, &stat)?;
        let found = open_below(&common, &joined(&way.down), OFlag::O_PATH, STRAIGHT)?;
        let found_stat = fstat(&found)?;
        self.served.check(&found, &found_stat)?;
        ordinary(describe(&found_stat).kind)?;
        let place = Place {
            directory,
            stat: describe(&stat),
            name: link.name().ok_or(Failure::Exists)?,
        };
        let settle = Settle::prepare(&place, durability)?;
        symlinkat(way.text().as_slice(), &place.directory, place.name)?;
        settle.finish()
    }

    /// The place of a file or directory whose metadata may be changed; the root has none.
    pub(super) fn changeable<'p>(&self, path: &'p VirtualPath) -> Result<Place<'p>, Failure> {
        let place = self.place(path)?.ok_or(Failure::Denied)?;
        ordinary(place.look()?.kind)?;
        Ok(place)
    }
}

/// Changes the mode by a descriptor, as kernels before Linux 6.6 allow it without following a link: only what the user
/// may open can be had this way.
pub(super) fn change_opened(place: &Place<'_>, mode: Mode) -> Result<(), Failure> {
    let open = |access| {
        let flags = access | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        open_below(&place.directory, place.name, flags, STRAIGHT)
    };
    let file = match open(OFlag::O_RDONLY) {
        Err(Failure::Denied) => open(OFlag::O_WRONLY)?,
        opened => opened?,
    };
    ordinary(describe(&fstat(&file)?).kind)?;
    Ok(fchmod(&file, mode)?)
}

fn ordinary(kind: Kind) -> Result<(), Failure> {
    match kind {
        Kind::File | Kind::Directory => Ok(()),
        Kind::Link | Kind::Pipe | Kind::Socket | Kind::CharacterDevice | Kind::BlockDevice => {
            Err(Failure::Special)
        }
    }
}

/// How one gets from a directory to a target: up to the last directory above both, and down from there.
struct Way<'a> {
    common: Vec<&'a [u8]>,
    /// From the common directory to the one where the way begins.
    up: Vec<&'a [u8]>,
    /// From the common directory to the target.
    down: Vec<&'a [u8]>,
}

impl<'a> Way<'a> {
    fn between(directory: &'a VirtualPath, target: &'a VirtualPath) -> Way<'a> {
        let components = |path: &'a VirtualPath| -> Vec<&'a [u8]> {
            let all = path.as_bytes().split(|&octet| octet == b'/');
            all.filter(|component| !component.is_empty()).collect()
        };
        let (mut up, mut down) = (components(directory), components(target));
        let both = up.iter().zip(&down).take_while(|(a, b)| a == b).count();
        let common = up.drain(..both).collect();
        down.drain(..both);
        Way { common, up, down }
    }

    /// What the link holds.
    fn text(&self) -> Vec<u8> {
        let steps: Vec<&[u8]> = self.up.iter().map(|_| &b".."[..]).collect();
        joined(&[steps, self.down.clone()].concat())
    }
}

/// A relative path; without components it is the directory itself.
fn joined(components: &[&[u8]]) -> Vec<u8> {
    match components {
        [] => b".".to_vec(),
        _ => components.join(&b'/'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(directory: &str, target: &str) -> String {
        let path = |text: &str| VirtualPath::new(text.as_bytes()).unwrap();
        let (directory, target) = (path(directory), path(target));
        String::from_utf8(Way::between(&directory, &target).text()).unwrap()
    }

    #[test]
    fn a_link_says_the_shortest_way() {
        assert_eq!(text("/", "/file"), "file");
        assert_eq!(text("/a/b", "/a/b/c/d"), "c/d");
        assert_eq!(text("/a/b", "/a/c"), "../c");
        assert_eq!(text("/a/b", "/x"), "../../x");
        assert_eq!(text("/a/b", "/a/b"), ".");
        assert_eq!(text("/a/b", "/a"), "..");
        assert_eq!(text("/", "/"), ".");
        assert_eq!(text("/ab", "/a"), "../a");
    }
}
