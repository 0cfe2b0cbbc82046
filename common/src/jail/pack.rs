//! What goes into an archive: files, directories and what is in them, one entry at a time and in the order of their names.
//! Names of one directory are kept at a time, within a budget; the tree is never collected. Knows no format of archives.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{OFlag, readlinkat};
use nix::sys::stat::fstat;

use super::listing::{accepts, patterns};
use super::sorted::Sorted;
use super::walk::{Choice, Links, Stage, Walk};
use super::{Failure, Jail, Kind, Progress, Shared, Stat, describe, look};
use crate::path::{LONGEST_PATH, VirtualPath};
use crate::pattern::Pattern;
use crate::proto::listing::{ListOptions, Order};
use crate::settings::ArchiveLinks;

/// Directories that a tree is gone down: each is open meanwhile.
const DEEPEST: usize = 200;
/// Entries that one step looks at.
const LOOKS: usize = 1024;
/// What the names that are kept to be sorted may take together, in octets; more are taken as they come.
const MOST_KEPT: usize = 16 << 20;
/// The number of a user or group that is not to be seen.
const NOBODY: u32 = 65_534;

/// What is packed, and how.
#[derive(Clone, Debug)]
pub struct PackRequest {
    /// Names below the directory that are meant instead of the directory itself.
    pub pattern: Option<Vec<u8>>,
    /// What the path, or the directory of the pattern, is called in the archive; may be nothing.
    pub name: Vec<u8>,
    pub links: ArchiveLinks,
    /// The most entries; zero is no limit.
    pub entries: u64,
}

/// One entry, with what it holds.
#[derive(Debug)]
pub struct Packed {
    pub path: Vec<u8>,
    pub content: Content,
    pub mode: u32,
    pub modified: i64,
    pub owner: Owner,
}

#[derive(Debug)]
pub enum Content {
    File { file: OwnedFd, size: u64 },
    Directory,
    Link(Vec<u8>),
}

/// To whom an entry belongs, as far as that is to be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    pub uid: u32,
    pub gid: u32,
    /// Empty where there is no name.
    pub user: Vec<u8>,
    pub group: Vec<u8>,
}

/// What a step finds.
#[derive(Debug)]
pub enum Next {
    Entry(Packed),
    /// Something that is not in the archive, and why.
    Missing(Vec<u8>, Failure),
    End,
}

/// A tree on its way into an archive.
pub struct Pack {
    walk: Walk,
    patterns: Vec<Pattern>,
    shared: Arc<Shared>,
    links: ArchiveLinks,
    left: Option<u64>,
    kept: usize,
    /// What the path itself is.
    first: Option<Packed>,
}

impl Jail {
    /// Begins with a file, a directory, or what a pattern finds in a directory. A path that is a link means what it leads to.
    pub fn pack(&self, path: &VirtualPath, request: &PackRequest) -> Result<Pack, Failure> {
        let patterns = patterns(request.pattern.as_deref())?;
        let mut prefix = request.name.clone();
        if !prefix.is_empty() {
            prefix.push(b'/');
        }
        let mut pack = Pack {
            walk: Walk::new(prefix, self.served.clone()),
            patterns,
            shared: Arc::clone(&self.shared),
            links: request.links,
            left: (request.entries > 0).then_some(request.entries),
            kept: 0,
            first: None,
        };
        let directory = match self.enter(path, OFlag::O_RDONLY) {
            Err(Failure::NotADirectory) if pack.patterns.is_empty() => {
                let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
                let file = self.resolve(path, path.relative(), flags)?;
                let stat = self.regular(&file)?;
                let content = Content::File {
                    file,
                    size: stat.size,
                };
                pack.first = Some(pack.packed(request.name.clone(), content, &stat));
                return Ok(pack);
            }
            entered => entered?,
        };
        let choice = match pack.patterns.is_empty() {
            true => Choice::All,
            false => Choice::Matching(0),
        };
        if choice == Choice::All && !request.name.is_empty() {
            let stat = describe(&fstat(&directory)?);
            pack.first = Some(pack.packed(request.name.clone(), Content::Directory, &stat));
        }
        pack.walk.push(directory, b"", choice, by_name());
        Ok(pack)
    }
}

/// The names of a directory that was just entered are kept until all are there.
fn by_name() -> Stage {
    Stage::Collect(Sorted::new(&ListOptions {
        order: Order::Name,
        ..ListOptions::default()
    }))
}

impl Pack {
    /// Looks for the next entry for a while.
    pub fn step(&mut self) -> Progress<Next> {
        if let Some(first) = self.first.take() {
            return Progress::Done(Next::Entry(first));
        }
        for _ in 0..LOOKS {
            match self.advance() {
                Ok(None) => {}
                Ok(Some(next)) => return Progress::Done(next),
                Err(failure) => {
                    // A directory that cannot be read on; those above it can.
                    let path = self.place();
                    if self.walk.leave().is_err() {
                        self.walk.end();
                    }
                    return Progress::Done(Next::Missing(path, failure));
                }
            }
        }
        Progress::More
    }

    /// Looks at one entry.
    fn advance(&mut self) -> Result<Option<Next>, Failure> {
        let Some((level, entries, _)) = self.walk.last() else {
            return Ok(Some(Next::End));
        };
        let name = match &mut level.stage {
            Stage::Collect(sorted) => {
                if let Some(entry) = entries.next(level.directory.as_fd())? {
                    let name = entry.name.to_bytes();
                    if accepts(level.choice, &self.patterns, name) {
                        // All of them are wanted later on, not directories alone.
                        sorted.add(name, None, true, |_| ());
                    }
                    if sorted.size() > MOST_KEPT.saturating_sub(self.kept) {
                        level.stage = Stage::Descend;
                        self.walk.rewind()?;
                    }
                } else if let Stage::Collect(mut sorted) =
                    std::mem::replace(&mut level.stage, Stage::Descend)
                {
                    sorted.sort();
                    let names = sorted.into_directories();
                    self.kept += names.size();
                    level.stage = Stage::DescendTo(names);
                }
                return Ok(None);
            }
            Stage::DescendTo(names) => {
                let name = names.next_name();
                if name.is_none() {
                    self.kept -= names.size();
                }
                name
            }
            Stage::Descend | Stage::List | Stage::Emit(_) => {
                match entries.next(level.directory.as_fd())? {
                    Some(entry) if accepts(level.choice, &self.patterns, entry.name.to_bytes()) => {
                        Some(entry.name.to_bytes().to_vec())
                    }
                    Some(_) => return Ok(None),
                    None => None,
                }
            }
        };
        match name {
            Some(name) => Ok(self.take(&name)),
            None => self.walk.leave().map(|()| None),
        }
    }

    /// Deals with one name in the last directory.
    fn take(&mut self, name: &[u8]) -> Option<Next> {
        let (level, _, prefix) = self.walk.last()?;
        let path = [prefix, name].concat();
        let choice = level.choice;
        let stat = match look(&level.directory, name) {
            // It is gone meanwhile.
            Err(Errno::ENOENT) => return None,
            Err(errno) => return Some(Next::Missing(path, errno.into())),
            Ok(stat) => stat,
        };
        if let Choice::Matching(number) = choice
            && number + 1 < self.patterns.len()
        {
            // Only on the way to what is meant.
            if stat.kind == Kind::Directory
                && let Err(failure) = self.descend(name, Choice::Matching(number + 1))
            {
                return Some(Next::Missing(path, failure));
            }
            return None;
        }
        match self.left {
            Some(0) => {
                self.walk.end();
                return Some(Next::Missing(path, Failure::Limit));
            }
            Some(left) => self.left = Some(left - 1),
            None => {}
        }
        if path.len() > LONGEST_PATH {
            return Some(Next::Missing(path, Failure::NameTooLong));
        }
        match self.open(name, &stat) {
            Ok(Some((content, stat))) => Some(Next::Entry(self.packed(path, content, &stat))),
            Ok(None) | Err(Failure::NotFound) => None,
            Err(failure) => Some(Next::Missing(path, failure)),
        }
    }

    /// Opens what goes into the archive under a name; `None` is what does not.
    fn open(&mut self, name: &[u8], stat: &Stat) -> Result<Option<(Content, Stat)>, Failure> {
        match stat.kind {
            Kind::File => {
                let (file, stat) = self.walk.open_file(name)?;
                let size = stat.size;
                Ok(Some((Content::File { file, size }, stat)))
            }
            Kind::Directory => {
                self.descend(name, Choice::All)?;
                Ok(Some((Content::Directory, *stat)))
            }
            Kind::Link if self.links == ArchiveLinks::Keep => {
                let Some((level, ..)) = self.walk.last() else {
                    return Ok(None);
                };
                let target = readlinkat(&level.directory, name)?.into_vec();
                Ok(Some((Content::Link(target), *stat)))
            }
            Kind::Link | Kind::Pipe | Kind::Socket | Kind::CharacterDevice | Kind::BlockDevice => {
                Ok(None)
            }
        }
    }

    fn descend(&mut self, name: &[u8], choice: Choice) -> Result<(), Failure> {
        if self.walk.depth() >= DEEPEST {
            return Err(Failure::Limit);
        }
        let directory = self.walk.open(name, Links::Refuse)?;
        self.walk.push(directory, name, choice, by_name());
        Ok(())
    }

    fn packed(&self, path: Vec<u8>, content: Content, stat: &Stat) -> Packed {
        let names = &self.shared.names;
        let owner = match names.are_hidden() {
            true => Owner {
                uid: NOBODY,
                gid: NOBODY,
                ..Owner::default()
            },
            false => Owner {
                uid: stat.uid,
                gid: stat.gid,
                user: names.user(stat.uid).unwrap_or_default().to_vec(),
                group: names.group(stat.gid).unwrap_or_default().to_vec(),
            },
        };
        Packed {
            path,
            content,
            mode: stat.mode & 0o777,
            modified: stat.modified.0,
            owner,
        }
    }

    /// The directory that is being read.
    fn place(&mut self) -> Vec<u8> {
        let place = self.walk.last().map(|(_, _, prefix)| prefix);
        let place = place.unwrap_or_default();
        place.strip_suffix(b"/").unwrap_or(place).to_vec()
    }
}
