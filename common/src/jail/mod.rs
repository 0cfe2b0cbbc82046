//! The only door to the users' file system. Everything is opened below a root descriptor, never through `..`,
//! absolute links or magic links that leave it.
//!
//! SECURITY: the kernel resolves every path (openat2 with `RESOLVE_IN_ROOT`), so no link can be swapped between a
//! check and its use. Operations that have no such flag act on an opened parent and one name in it.

mod create;
mod entries;
mod failure;
mod lines;
mod listing;
mod lock;
mod metadata;
mod names;
mod pack;
mod partial;
mod place;
mod root;
mod sorted;
mod tree;
mod unpack;
mod upload;
mod viewer;
mod walk;

use std::cell::Cell;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, RenameFlags, ResolveFlag};
use nix::fcntl::{openat2, renameat, renameat2};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat, major, minor, mkdirat};
use nix::sys::statfs;
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::path::VirtualPath;
use crate::settings::{Durability, Locks};

pub use crate::proto::facts::{FactSet, Kind, Permissions, Stat};
pub use failure::Failure;
pub use listing::{Format, Limits, ListRequest, Listing, MOST_SORTED, Step};
pub use names::Names;
pub use pack::{Content, Next, Owner, Pack, PackRequest, Packed};
pub use partial::Continuable;
pub use root::open_root;
pub use tree::{Copying, Outcome, Progress, Tree};
pub use unpack::Allowance;
pub use upload::{Disposition, Sealed, Upload, Wanted};
pub use viewer::{Allowed, Viewer};

use lock::{Part, Share};
use place::{Place, Settle};
use walk::Links;

/// A concurrent rename makes the kernel give up a resolution; it is asked again this many times.
const ATTEMPTS: usize = 64;

/// File systems that are windows into the kernel: they hold no files of users.
const KERNEL_FILE_SYSTEMS: &[statfs::FsType] = &[
    statfs::PROC_SUPER_MAGIC,
    statfs::SYSFS_MAGIC,
    statfs::CGROUP_SUPER_MAGIC,
    statfs::CGROUP2_SUPER_MAGIC,
    statfs::DEBUGFS_MAGIC,
    statfs::TRACEFS_MAGIC,
    statfs::SECURITYFS_MAGIC,
    statfs::SELINUX_MAGIC,
    statfs::BPF_FS_MAGIC,
    statfs::NSFS_MAGIC,
    statfs::DEVPTS_SUPER_MAGIC,
];

/// The user's files, below one directory. It acts with the identity of the process; the process' own umask should
/// be 0, so that the jail's is the one that counts.
pub struct Jail {
    root: OwnedFd,
    umask: Cell<Permissions>,
    /// Whether links on the way are followed, inside the root.
    links: Links,
    shared: Arc<Shared>,
    served: Served,
    terms: Terms,
    /// The directory that was searched for leftovers last, by device and inode.
    swept: Cell<Option<(u64, u64)>>,
}

/// The settings that transfers follow.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The largest size of an uploaded file.
    pub largest: Option<u64>,
    /// How long a broken upload is kept to be continued; zero is not at all.
    pub keep: Duration,
    pub locks: Locks,
}

/// The devices of the last file systems that turned out to be served, so that most operations need not ask.
#[derive(Clone, Debug, Default)]
struct Served(Cell<[Option<u64>; 2]>);

/// What listings need of their jail while they run.
struct Shared {
    viewer: Viewer,
    names: Names,
}

/// A file that is open for reading.
#[derive(Debug)]
pub struct Opened {
    pub file: OwnedFd,
    pub size: u64,
    /// Somebody writes it meanwhile.
    pub contested: bool,
}

impl Jail {
    /// Makes `root` the `/` of all paths. New files and directories do not get the bits of `umask`.
    pub fn new(root: OwnedFd, umask: u32, viewer: Viewer, names: Names) -> Jail {
        Jail {
            root,
            umask: Cell::new(Permissions::of(umask)),
            links: Links::Follow,
            shared: Arc::new(Shared { viewer, names }),
            served: Served::default(),
            terms: Terms {
                largest: None,
                keep: Duration::ZERO,
                locks: Locks::None,
            },
            swept: Cell::new(None),
        }
    }

    pub fn with_terms(self, terms: Terms) -> Jail {
        Jail { terms, ..self }
    }

    /// The same jail with another root.
    fn at(&self, root: OwnedFd, links: Links) -> Jail {
        Jail {
            root,
            umask: self.umask.clone(),
            links,
            shared: Arc::clone(&self.shared),
            served: self.served.clone(),
            terms: self.terms,
            swept: self.swept.clone(),
        }
    }

    /// Opens a regular file for reading. Never waits, not even for a FIFO.
    pub fn open(&self, path: &VirtualPath) -> Result<Opened, Failure> {
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file = self.resolve(path, path.relative(), flags)?;
        let stat = self.regular(&file)?;
        if self.terms.locks == Locks::None {
            return Ok(Opened {
                size: stat.size,
                file,
                contested: false,
            });
        }
        let contested = !lock::take(&file, Part::Content, Share::Readers)?;
        if contested && self.terms.locks == Locks::Mandatory {
            return Err(Failure::Busy);
        }
        Ok(Opened {
            // Of now: whoever wrote it has ended.
            size: describe(&fstat(&file)?).size,
            file,
            contested,
        })
    }

    /// Checks that a path is a directory that the user may enter.
    pub fn check_dir(&self, path: &VirtualPath) -> Result<(), Failure> {
        self.enter(path, OFlag::O_PATH).map(|_| ())
    }

    /// Describes a file or directory; links are followed.
    pub fn stat(&self, path: &VirtualPath) -> Result<Stat, Failure> {
        self.describe(path, OFlag::O_PATH)
    }

    /// Appends the facts of a file, a space and its path, as one line of the MLST reply without its end. A link is
    /// described as what it leads to, or as a link where that is not to be had.
    pub fn facts(
        &self,
        path: &VirtualPath,
        wanted: FactSet,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        lines::facts(self, path, wanted, out)
    }

    /// Gives a file, directory or link another name. A file of that name is replaced, a directory never is.
    pub fn rename(
        &self,
        from: &VirtualPath,
        to: &VirtualPath,
        durability: Durability,
    ) -> Result<(), Failure> {
        let (from, to) = (self.place(from)?, self.place(to)?);
        let (Some(from), Some(to)) = (from, to) else {
            return Err(Failure::Denied);
        };
        let settle_from = Settle::prepare(&from, durability)?;
        let settle_to = Settle::prepare(&to, durability)?;
        let names = (from.name, to.name);
        let noreplace = RenameFlags::RENAME_NOREPLACE;
        match renameat2(&from.directory, names.0, &to.directory, names.1, noreplace) {
            Ok(()) => {}
            // The name is taken, or the file system does not know the flag.
            Err(Errno::EEXIST | Errno::EINVAL) => {
                if let Ok(target) = to.look()
                    && target.kind == Kind::Directory
                {
                    return Err(Failure::IsADirectory);
                }
                renameat(&from.directory, names.0, &to.directory, names.1).map_err(|errno| {
                    match errno {
                        // Into itself.
                        Errno::EINVAL => Failure::Denied,
                        // A directory onto a file.
                        Errno::ENOTDIR => Failure::Exists,
                        other => other.into(),
                    }
                })?;
            }
            Err(errno) => return Err(errno.into()),
        }
        settle_to.finish()?;
        if (from.stat.device, from.stat.inode) == (to.stat.device, to.stat.inode) {
            return Ok(());
        }
        settle_from.finish()
    }

    /// Removes a file or link.
    pub fn remove(&self, path: &VirtualPath, durability: Durability) -> Result<(), Failure> {
        let place = self.place(path)?.ok_or(Failure::IsADirectory)?;
        let settle = Settle::prepare(&place, durability)?;
        match unlinkat(&place.directory, place.name, UnlinkatFlags::NoRemoveDir) {
            // What is left of a broken upload goes with the file, or is all that there is of it.
            Ok(()) => {
                self.partials().forget(&place.directory, place.name);
            }
            Err(Errno::ENOENT) if self.partials().forget(&place.directory, place.name) => {}
            Err(errno) => return Err(errno.into()),
        }
        settle.finish()
    }

    /// Makes a directory.
    pub fn make_dir(&self, path: &VirtualPath, durability: Durability) -> Result<(), Failure> {
        let place = self.place(path)?.ok_or(Failure::Exists)?;
        let settle = Settle::prepare(&place, durability)?;
        let mode = self.new_mode(0o777);
        mkdirat(&place.directory, place.name, mode)?;
        settle.finish()
    }

    /// Removes an empty directory. What is left of broken uploads in it goes too.
    pub fn remove_dir(&self, path: &VirtualPath, durability: Durability) -> Result<(), Failure> {
        let place = self.place(path)?.ok_or(Failure::Denied)?;
        let settle = Settle::prepare(&place, durability)?;
        let remove = || unlinkat(&place.directory, place.name, UnlinkatFlags::RemoveDir);
        let removed = match remove() {
            Err(Errno::ENOTEMPTY | Errno::EEXIST) if self.clear(&place) => remove(),
            removed => removed,
        };
        removed.map_err(|errno| match errno {
            // POSIX lets a file system say it this way.
            Errno::EEXIST => Failure::NotEmpty,
            other => other.into(),
        })?;
        settle.finish()
    }

    /// Removes leftovers from a directory that holds nothing else.
    fn clear(&self, place: &Place<'_>) -> bool {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
        let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS;
        open_below(&place.directory, place.name, flags, resolve)
            .is_ok_and(|directory| self.partials().clear(&directory))
    }

    /// The mode of something new.
    fn new_mode(&self, mode: u32) -> Mode {
        Mode::from_bits_truncate(mode & !u32::from(self.umask.get().bits()))
    }

    /// Opens `relative`, which is `path` or its directory, with links followed inside the root only, if at all.
    fn resolve(
        &self,
        path: &VirtualPath,
        relative: &[u8],
        flags: OFlag,
    ) -> Result<OwnedFd, Failure> {
        if partial::names_temporary(path) {
            return Err(Failure::NotFound);
        }
        let resolve = match self.links {
            Links::Follow => ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS,
            Links::Refuse => ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS,
        };
        open_below(&self.root, relative, flags, resolve)
    }

    /// Opens a directory that the user may enter.
    fn enter(&self, path: &VirtualPath, flags: OFlag) -> Result<OwnedFd, Failure> {
        // Looking up the dot asks for the permission to search the directory itself.
        let dot = [path.relative(), b"/."].concat();
        let directory = self.resolve(path, &dot, flags | OFlag::O_DIRECTORY)?;
        self.served.check(&directory, &fstat(&directory)?)?;
        Ok(directory)
    }

    /// Opens the directory that holds a path; `None` for the root, which nothing holds.
    fn place<'p>(&self, path: &'p VirtualPath) -> Result<Option<Place<'p>>, Failure> {
        let Some((directory, name)) = place::split(path) else {
            return Ok(None);
        };
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
        let directory = self.resolve(path, directory, flags)?;
        let stat = fstat(&directory)?;
        self.served.check(&directory, &stat)?;
        Ok(Some(Place {
            directory,
            stat: describe(&stat),
            name,
        }))
    }

    fn describe(&self, path: &VirtualPath, flags: OFlag) -> Result<Stat, Failure> {
        let file = self.resolve(path, path.relative(), flags)?;
        let stat = fstat(&file)?;
        self.served.check(&file, &stat)?;
        Ok(describe(&stat))
    }

    /// Checks that an open file is one that may be read or written.
    fn regular(&self, file: &OwnedFd) -> Result<Stat, Failure> {
        let stat = fstat(file)?;
        match describe(&stat).kind {
            Kind::File => {}
            Kind::Directory => return Err(Failure::IsADirectory),
            Kind::Link | Kind::Pipe | Kind::Socket | Kind::CharacterDevice | Kind::BlockDevice => {
                return Err(Failure::Special);
            }
        }
        self.served.check(file, &stat)?;
        Ok(describe(&stat))
    }
}

impl Served {
    /// Refuses what is on a file system of the kernel's own.
    fn check(&self, file: &OwnedFd, stat: &FileStat) -> Result<(), Failure> {
        let device = Some(stat.st_dev);
        let served = self.0.get();
        if served.contains(&device) {
            return Ok(());
        }
        if KERNEL_FILE_SYSTEMS.contains(&statfs::fstatfs(file)?.filesystem_type()) {
            return Err(Failure::Special);
        }
        self.0.set([device, served[0]]);
        Ok(())
    }
}

/// Opens a path below a directory by the rules of `resolve`; again for a bounded number of times where something
/// was renamed meanwhile.
fn open_below(
    directory: &OwnedFd,
    path: &[u8],
    flags: OFlag,
    resolve: ResolveFlag,
) -> Result<OwnedFd, Failure> {
    let how = OpenHow::new()
        .flags(flags | OFlag::O_CLOEXEC)
        .resolve(resolve);
    for _ in 0..ATTEMPTS {
        match openat2(directory, path, how) {
            Ok(file) => return Ok(file),
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            // A magic link or the like: the path would have left its root.
            Err(Errno::EXDEV) => return Err(Failure::Denied),
            Err(errno) => return Err(errno.into()),
        }
    }
    Err(Failure::Busy)
}

/// Describes a name in a directory; a link is described as a link.
fn look(directory: impl AsFd, name: &(impl nix::NixPath + ?Sized)) -> Result<Stat, Errno> {
    fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW).map(|stat| describe(&stat))
}

/// Takes the values that the protocol shows from those of the system.
#[allow(
    clippy::useless_conversion,
    reason = "the number of links has another width on other machines"
)]
fn describe(stat: &FileStat) -> Stat {
    let kind = Kind::of(stat.st_mode);
    Stat {
        kind,
        mode: stat.st_mode & 0o7777,
        links: stat.st_nlink.into(),
        uid: stat.st_uid,
        gid: stat.st_gid,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        modified: (
            stat.st_mtime,
            u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
        ),
        device: stat.st_dev,
        inode: stat.st_ino,
        node: match kind {
            Kind::CharacterDevice | Kind::BlockDevice => (major(stat.st_rdev), minor(stat.st_rdev)),
            Kind::File | Kind::Directory | Kind::Link | Kind::Pipe | Kind::Socket => (0, 0),
        },
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "the tests look at the jail from outside"
)]
mod tests;
