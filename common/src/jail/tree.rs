//! Work on whole trees, and copies: done in steps, so that whoever does it can look up in between. No link is followed.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, copy_file_range};
use nix::sys::statvfs::fstatvfs;
use nix::unistd::{UnlinkatFlags, read, unlinkat, write};

use super::entries::Hint;
use super::place::{Place, Settle, split};
use super::walk::{Choice, Links, Stage, Walk};
use super::{Disposition, Failure, Jail, Kind, Upload, look};
use crate::path::VirtualPath;
use crate::settings::Durability;

/// Directories that a tree is gone down: each is open meanwhile.
const DEEPEST: usize = 200;
/// Directories that are made at once.
const MOST_MADE: usize = 64;
/// Entries that one step looks at.
const LOOKS: usize = 256;
/// Octets that one step copies.
const PIECE: usize = 4 << 20;
/// Octets that are copied at a time where the kernel does not do it itself.
const BUFFER: usize = 128 << 10;

/// What is done with a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Measure,
    Remove(Durability),
}

/// How far work has come.
#[derive(Debug)]
pub enum Progress<T> {
    /// Call again.
    More,
    Done(T),
}

/// What became of a tree.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Octets in regular files, or entries that were removed.
    pub count: u64,
    /// The first entry with which it did not work, below the directory, and why.
    pub failed: Option<(Vec<u8>, Failure)>,
}

/// A tree that is being measured or removed.
pub struct Tree {
    walk: Walk,
    purpose: Purpose,
    /// Where the tree's own directory is.
    top: Option<(OwnedFd, CString, Settle)>,
    /// The names of the directories on the way, but for the first.
    names: Vec<CString>,
    count: u64,
    failed: Option<(Vec<u8>, Failure)>,
}

impl Jail {
    /// Begins to add up the sizes of the regular files of a directory and all below it. A file with two names counts
    /// twice.
    pub fn measure_tree(&self, path: &VirtualPath) -> Result<Tree, Failure> {
        self.tree(path, Purpose::Measure)
    }

    /// Begins to remove a directory and all that is in it.
    pub fn remove_tree(&self, path: &VirtualPath, durability: Durability) -> Result<Tree, Failure> {
        self.tree(path, Purpose::Remove(durability))
    }

    fn tree(&self, path: &VirtualPath, purpose: Purpose) -> Result<Tree, Failure> {
        let top = match (purpose, self.place(path)?) {
            (Purpose::Remove(_), None) => return Err(Failure::Denied),
            (Purpose::Remove(durability), Some(place)) => {
                if place.look()?.kind != Kind::Directory {
                    return Err(Failure::NotADirectory);
                }
                let settle = Settle::prepare(&place, durability)?;
                let Place {
                    directory, name, ..
                } = place;
                let name = CString::new(name).map_err(|_| Failure::NotFound)?;
                Some((directory, name, settle))
            }
            (Purpose::Measure, _) => None,
        };
        let directory = self.enter(path, OFlag::O_RDONLY)?;
        let mut walk = Walk::new(Vec::new(), self.served.clone());
        walk.push(directory, b"", Choice::All, Stage::Descend);
        Ok(Tree {
            walk,
            purpose,
            top,
            names: Vec::new(),
            count: 0,
            failed: None,
        })
    }

    /// Makes a directory and those that lead to it, of which some may be there.
    pub fn make_dirs(&self, path: &VirtualPath, durability: Durability) -> Result<(), Failure> {
        let mut missing = Vec::new();
        let mut next = path.clone();
        loop {
            match self.check_dir(&next) {
                Ok(()) => break,
                Err(Failure::NotFound) if split(&next).is_some() => {
                    let parent = next.parent();
                    missing.push(std::mem::replace(&mut next, parent));
                }
                Err(failure) => return Err(failure),
            }
        }
        if missing.is_empty() {
            return Err(Failure::Exists);
        }
        if missing.len() > MOST_MADE {
            return Err(Failure::NameTooLong);
        }
        missing
            .iter()
            .rev()
            .try_for_each(|path| self.make_dir(path, durability))
    }

    /// How many octets the user may still store on the file system of a directory.
    pub fn space(&self, path: &VirtualPath) -> Result<u64, Failure> {
        let directory = self.enter(path, OFlag::O_PATH)?;
        let system = fstatvfs(&directory)?;
        Ok(system
            .blocks_available()
            .saturating_mul(system.fragment_size()))
    }

    /// Begins to copy a regular file: like an upload, the copy has its name when it is whole.
    pub fn copy(&self, from: &VirtualPath, to: &VirtualPath) -> Result<Copying, Failure> {
        let source = self.open(from)?.file;
        let upload = self.create(to, Disposition::Replace)?;
        Ok(Copying {
            source,
            upload,
            by_hand: None,
        })
    }
}

impl Tree {
    /// Goes on for a while.
    pub fn step(&mut self) -> Progress<Outcome> {
        for _ in 0..LOOKS {
            let Some((level, entries, _)) = self.walk.last() else {
                return Progress::Done(self.result());
            };
            let entry = match entries.next(level.directory.as_fd()) {
                Ok(Some(entry)) => entry,
                Ok(None) => {
                    self.leave();
                    continue;
                }
                Err(failure) => {
                    self.fail(None, failure);
                    self.leave();
                    continue;
                }
            };
            if matches!(entry.name.to_bytes(), b"." | b"..") {
                continue;
            }
            let (name, hint) = (entry.name.to_owned(), entry.hint);
            self.take(name, hint);
        }
        Progress::More
    }

    /// Deals with one entry of the last directory.
    fn take(&mut self, name: CString, hint: Hint) {
        let Some((level, ..)) = self.walk.last() else {
            return;
        };
        let directory = &level.directory;
        let is_directory = match hint {
            Hint::Directory => true,
            Hint::Unknown => {
                look(directory, name.as_c_str()).is_ok_and(|stat| stat.kind == Kind::Directory)
            }
            Hint::Link | Hint::Other => false,
        };
        if is_directory {
            self.descend(name);
            return;
        }
        match self.purpose {
            Purpose::Measure => match look(directory, name.as_c_str()) {
                Ok(stat) if stat.kind == Kind::File => {
                    self.count = self.count.saturating_add(stat.size);
                }
                // It is gone meanwhile, or no regular file.
                Ok(_) | Err(Errno::ENOENT) => {}
                Err(errno) => self.fail(Some(&name), errno.into()),
            },
            Purpose::Remove(_) => {
                match unlinkat(directory, name.as_c_str(), UnlinkatFlags::NoRemoveDir) {
                    Ok(()) => self.count += 1,
                    Err(Errno::ENOENT) => {}
                    Err(errno) => self.fail(Some(&name), errno.into()),
                }
            }
        }
    }

    fn descend(&mut self, name: CString) {
        if self.walk.depth() >= DEEPEST {
            self.fail(Some(&name), Failure::Exhausted);
            return;
        }
        match self.walk.open(name.to_bytes(), Links::Refuse) {
            Ok(directory) => {
                self.walk
                    .push(directory, name.to_bytes(), Choice::All, Stage::Descend);
                self.names.push(name);
            }
            Err(failure) => self.fail(Some(&name), failure),
        }
    }

    /// Goes back to the directory before, and removes the one that was left if that is the purpose.
    fn leave(&mut self) {
        let name = self.names.pop();
        if let Err(failure) = self.walk.leave() {
            self.fail(name.as_deref(), failure);
            self.walk.end();
            return;
        }
        let (Purpose::Remove(_), Some(name)) = (self.purpose, name) else {
            return;
        };
        let Some((level, ..)) = self.walk.last() else {
            return;
        };
        match unlinkat(&level.directory, name.as_c_str(), UnlinkatFlags::RemoveDir) {
            Ok(()) => self.count += 1,
            Err(Errno::ENOENT) => {}
            Err(errno) => self.fail(Some(&name), errno.into()),
        }
    }

    /// Only the first failure is told: others may follow from it.
    fn fail(&mut self, name: Option<&std::ffi::CStr>, failure: Failure) {
        if self.failed.is_some() {
            return;
        }
        let mut path = Vec::new();
        for name in self.names.iter().map(CString::as_c_str).chain(name) {
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(name.to_bytes());
        }
        self.failed = Some((path, failure));
    }

    /// Leaves it as far as it came.
    pub fn cancel(self) -> Outcome {
        Outcome {
            count: self.count,
            failed: self.failed,
        }
    }

    fn result(&mut self) -> Outcome {
        if let Some((directory, name, settle)) = self.top.take() {
            match unlinkat(&directory, name.as_c_str(), UnlinkatFlags::RemoveDir) {
                Ok(()) => self.count += 1,
                Err(errno) => self.fail(None, errno.into()),
            }
            if let Err(failure) = settle.finish() {
                self.fail(None, failure);
            }
        }
        Outcome {
            count: self.count,
            failed: self.failed.take(),
        }
    }
}

/// A file that is being copied. Dropping it is to discard the copy.
pub struct Copying {
    source: OwnedFd,
    upload: Upload,
    /// The buffer, where the kernel does not copy between these two files.
    by_hand: Option<Vec<u8>>,
}

impl Copying {
    /// Goes on for a while. When all is copied it can be [committed](Self::into_upload).
    pub fn step(&mut self) -> Result<Progress<()>, Failure> {
        match self.move_piece()? {
            0 => Ok(Progress::Done(())),
            _ => Ok(Progress::More),
        }
    }

    pub fn upload(&self) -> &Upload {
        &self.upload
    }

    /// The whole copy, for it to get its name.
    pub fn into_upload(self) -> Upload {
        self.upload
    }

    fn move_piece(&mut self) -> Result<usize, Errno> {
        if self.by_hand.is_none() {
            let copied = copy_file_range(&self.source, None, self.upload.descriptor(), None, PIECE);
            match copied {
                Err(Errno::EXDEV | Errno::EOPNOTSUPP | Errno::EINVAL | Errno::ENOSYS) => {}
                Err(Errno::EINTR) => return Ok(1),
                other => return other,
            }
        }
        let buffer = self.by_hand.get_or_insert_with(|| vec![0; BUFFER]);
        let count = read(&self.source, buffer)?;
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            let written = write(self.upload.descriptor(), rest)?;
            rest = &rest[written..];
        }
        Ok(count)
    }
}
