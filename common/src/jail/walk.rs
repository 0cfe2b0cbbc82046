//! The directories that a listing goes through, depth first: a stack of open directories and the place where each goes on.
//! Memory grows with the depth alone. Writes no line.

use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::{OFlag, ResolveFlag};
use nix::sys::stat::fstat;
use nix::unistd::{Whence, lseek};

use super::entries::Entries;
use super::sorted::{Directories, Sorted};
use super::{Failure, Kind, Served, Stat, describe, open_below};

/// The way from the directory where a listing began to the one that is being read.
pub(super) struct Walk {
    stack: Vec<Level>,
    /// The entries of the last level.
    pub(super) entries: Entries,
    /// The argument's directory as it was typed, then the way from there, ending in a slash unless both are nothing.
    pub(super) prefix: Vec<u8>,
    typed: usize,
    /// For directories that a pattern finds: the root, and the path below it where the listing began.
    base: Option<(OwnedFd, Vec<u8>)>,
    served: Served,
}

/// A directory on the way.
pub(super) struct Level {
    pub(super) directory: OwnedFd,
    pub(super) choice: Choice,
    pub(super) stage: Stage,
    /// Where its entries go on once the levels above it are done.
    position: i64,
    /// The length of the prefix for its entries.
    prefix: usize,
}

/// Which entries of a directory are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    All,
    /// All but those that begin with a dot.
    Plain,
    /// Those that match a component of the pattern, by its number.
    Matching(usize),
}

/// What is being done with a directory.
pub(super) enum Stage {
    /// Its entries are written as they come.
    List,
    /// They are kept until all are there.
    Collect(Sorted),
    /// What was kept is written.
    Emit(Sorted),
    /// The directories among its entries are entered, one after the other, as they come.
    Descend,
    /// So are these.
    DescendTo(Directories),
}

/// Whether links are followed on the way into a directory; never out of the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Links {
    Refuse,
    Follow,
}

impl Walk {
    /// Goes nowhere yet.
    pub(super) fn new(prefix: Vec<u8>, served: Served) -> Walk {
        Walk {
            stack: Vec::new(),
            entries: Entries::new(),
            typed: prefix.len(),
            prefix,
            base: None,
            served,
        }
    }

    /// Makes it possible to follow links: from `root`, for a way that begins at `path` below it.
    pub(super) fn follow_from(&mut self, root: OwnedFd, path: Vec<u8>) {
        self.base = Some((root, path));
    }

    /// Whether the client named a directory.
    pub(super) fn was_typed(&self) -> bool {
        self.typed > 0
    }

    /// The directory that is being read, its entries, and what stands before their names.
    pub(super) fn last(&mut self) -> Option<(&mut Level, &mut Entries, &[u8])> {
        let level = self.stack.last_mut()?;
        Some((level, &mut self.entries, &self.prefix))
    }

    /// The number of directories on the way.
    pub(super) fn depth(&self) -> usize {
        self.stack.len()
    }

    /// Goes on to a directory, of which `name` is the name in the last one; the first has none.
    pub(super) fn push(&mut self, directory: OwnedFd, name: &[u8], choice: Choice, stage: Stage) {
        if let Some(level) = self.stack.last_mut() {
            level.position = self.entries.position();
            self.prefix.extend_from_slice(name);
            self.prefix.push(b'/');
        }
        self.stack.push(Level {
            directory,
            choice,
            stage,
            position: 0,
            prefix: self.prefix.len(),
        });
        self.entries.restart();
    }

    /// Goes back to the directory before, to where its entries go on.
    pub(super) fn leave(&mut self) -> Result<(), Failure> {
        self.stack.pop();
        let Some(level) = self.stack.last() else {
            return Ok(());
        };
        self.prefix.truncate(level.prefix);
        let position = level.position;
        self.seek(position)
    }

    /// Goes back to the beginning of the last directory.
    pub(super) fn rewind(&mut self) -> Result<(), Failure> {
        self.seek(0)
    }

    /// Leaves all directories.
    pub(super) fn end(&mut self) {
        self.stack.clear();
    }

    fn seek(&mut self, position: i64) -> Result<(), Failure> {
        self.entries.restart();
        if let Some(level) = self.stack.last() {
            lseek(level.directory.as_fd(), position, Whence::SeekSet)?;
        }
        Ok(())
    }

    /// Opens a directory below the last one.
    pub(super) fn open(&self, name: &[u8], links: Links) -> Result<OwnedFd, Failure> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        // Looking up the dot asks for the permission to search the directory itself.
        let opened = match (links, &self.base, self.stack.last()) {
            // SECURITY: a link is followed from the root and inside it only, as in every other path.
            (Links::Follow, Some((root, base)), _) => {
                let way = &self.prefix[self.typed..];
                let path = [base.as_slice(), b"/", way, name, b"/."].concat();
                let resolve = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
                open_below(root, &path, flags, resolve)?
            }
            (Links::Refuse, _, Some(level)) => {
                let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS;
                open_below(&level.directory, &[name, b"/."].concat(), flags, resolve)?
            }
            (Links::Follow, None, _) | (Links::Refuse, _, None) => return Err(Failure::NotFound),
        };
        self.served.check(&opened, &fstat(&opened)?)?;
        Ok(opened)
    }

    /// Opens a regular file in the last directory for reading, and describes what was opened. Never waits.
    pub(super) fn open_file(&self, name: &[u8]) -> Result<(OwnedFd, Stat), Failure> {
        let level = self.stack.last().ok_or(Failure::NotFound)?;
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS;
        let file = open_below(&level.directory, name, flags, resolve)?;
        let stat = fstat(&file)?;
        self.served.check(&file, &stat)?;
        let stat = describe(&stat);
        match stat.kind {
            Kind::File => Ok((file, stat)),
            // It is another one than it was when it was looked at.
            _ => Err(Failure::Special),
        }
    }
}
