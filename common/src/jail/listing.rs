//! Listings as stepped iterators over one directory: LIST, NLST, MLSD, and the facts of MLST. Writes whole lines in
//! the order of the directory and in constant memory; never walks into another directory.

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::fcntl::{OFlag, readlinkat};
use nix::sys::stat::fstat;

use super::entries::Entries;
use super::pattern::Pattern;
use super::place::is_temporary;
use super::viewer::Holder;
use super::{Failure, Jail, Kind, Shared, Stat, describe, look};
use crate::path::VirtualPath;
use crate::proto::facts::{FactSet, Facts, LongLines, Subject, name_in_line};

/// What a line of a listing looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As `ls -l` shows it (LIST).
    Long,
    /// The name alone (NLST).
    Names,
    /// Facts and name (MLSD).
    Facts,
}

/// What is listed of a path, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListRequest {
    pub format: Format,
    /// Also names that begin with a dot; MLSD always lists them.
    pub all: bool,
    /// Only the names in the directory that match; at most [`LONGEST_PATTERN`](super::LONGEST_PATTERN) octets.
    pub pattern: Option<Vec<u8>>,
    /// The directory part of the argument as the client typed it, slash included: it stands before the name of a
    /// single file and before names that a pattern found, so that they can be used as they are (RFC 1123 §4.1.2.7).
    pub typed: Vec<u8>,
    /// The facts that MLSD shows.
    pub facts: FactSet,
}

/// Whether a listing goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Call again. Nothing may have been appended: a step also ends when it has looked at enough entries.
    More,
    Done,
}

/// A listing that is under way.
pub struct Listing {
    /// Lines that were written before the first step.
    ready: Vec<u8>,
    /// `None` for a single file.
    directory: Option<Directory>,
    lines: Lines,
    prefix: Vec<u8>,
}

struct Directory {
    descriptor: OwnedFd,
    entries: Entries,
    wanted: Wanted,
}

/// Which names of a directory are listed.
enum Wanted {
    All,
    Plain,
    Matching(Pattern),
}

/// The writer of each format, with what it needs for all entries.
enum Lines {
    Names,
    Long(Box<LongLines>, Arc<Shared>),
    Facts(Box<Facts>, Arc<Shared>, Holder),
}

impl Jail {
    /// Begins to list a directory, or a single file.
    pub fn list(&self, path: &VirtualPath, request: &ListRequest) -> Result<Listing, Failure> {
        let wanted = match &request.pattern {
            Some(pattern) => Wanted::Matching(Pattern::new(pattern)?),
            None if request.all || request.format == Format::Facts => Wanted::All,
            None => Wanted::Plain,
        };
        let descriptor = match self.enter(path, OFlag::O_RDONLY) {
            Ok(descriptor) => descriptor,
            // Not a directory, or a link that leads nowhere.
            Err(Failure::NotADirectory | Failure::NotFound | Failure::Loop)
                if request.pattern.is_none() && request.format != Format::Facts =>
            {
                return self.list_file(path, request);
            }
            Err(failure) => return Err(failure),
        };
        let mut ready = Vec::new();
        let lines = match request.format {
            Format::Names => Lines::Names,
            Format::Long => Lines::long(self),
            Format::Facts => {
                let stat = describe(&fstat(&descriptor)?);
                if request.pattern.is_none() {
                    self.list_itself_and_above(path, &stat, request.facts, &mut ready);
                }
                let holder = self.shared.viewer.holder(&stat);
                Lines::Facts(
                    Box::new(Facts::new(request.facts)),
                    Arc::clone(&self.shared),
                    holder,
                )
            }
        };
        let prefix = match &request.pattern {
            Some(_) => request.typed.clone(),
            None => Vec::new(),
        };
        Ok(Listing {
            ready,
            directory: Some(Directory {
                descriptor,
                entries: Entries::new(),
                wanted,
            }),
            lines,
            prefix,
        })
    }

    /// Lists one thing that is not a directory.
    fn list_file(&self, path: &VirtualPath, request: &ListRequest) -> Result<Listing, Failure> {
        let place = self.place(path)?.ok_or(Failure::NotADirectory)?;
        let stat = place.look()?;
        let mut lines = match request.format {
            Format::Names => Lines::Names,
            Format::Long | Format::Facts => Lines::long(self),
        };
        let mut ready = Vec::new();
        lines.write(
            &mut ready,
            &place.directory,
            place.name,
            Some(&stat),
            &request.typed,
        );
        Ok(Listing {
            ready,
            directory: None,
            lines,
            prefix: Vec::new(),
        })
    }

    /// Writes the lines of the listed directory itself and, below the root, of the one above it (RFC 3659 §7.5.1).
    /// The one above is that of the path, so that nothing above the root can show.
    fn list_itself_and_above(
        &self,
        path: &VirtualPath,
        stat: &Stat,
        wanted: FactSet,
        out: &mut Vec<u8>,
    ) {
        let viewer = &self.shared.viewer;
        let mut write = |subject, stat: &Stat, name| {
            let perm = || viewer.perm(stat, Holder::Fixed);
            Facts::new(wanted).write(out, subject, stat, perm, name);
            out.extend_from_slice(b"\r\n");
        };
        write(Subject::Listed, stat, b".");
        if !path.is_root()
            && let Ok(above) = self.stat(&path.parent())
        {
            write(Subject::Above, &above, b"..");
        }
    }
}

/// Appends the line of MLST.
pub(super) fn facts(
    jail: &Jail,
    path: &VirtualPath,
    wanted: FactSet,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    let viewer = &jail.shared.viewer;
    let Some(place) = jail.place(path)? else {
        let stat = jail.stat(path)?;
        let perm = || viewer.perm(&stat, Holder::Fixed);
        Facts::new(wanted).write(out, Subject::Entry, &stat, perm, path.as_bytes());
        return Ok(());
    };
    let own = place.look()?;
    let mut stat = own;
    if own.kind == Kind::Link || own.device != place.stat.device {
        stat = match jail.stat(path) {
            Ok(target) => target,
            Err(Failure::Special) => return Err(Failure::Special),
            Err(_) => own,
        };
    }
    let target;
    let subject = if stat.kind == Kind::Link {
        target = target_of(&place.directory, place.name);
        Subject::Link(&target)
    } else {
        Subject::Entry
    };
    // To delete or rename the path is to delete or rename the link.
    let holder = viewer.holder(&place.stat);
    let perm = || viewer.perm(&stat, holder);
    Facts::new(wanted).write(out, subject, &stat, perm, path.as_bytes());
    Ok(())
}

impl Listing {
    /// Appends whole lines until `out` has grown by about `budget` octets, or enough entries were looked at for once.
    pub fn step(&mut self, out: &mut Vec<u8>, budget: usize) -> Result<Step, Failure> {
        let full = out.len().saturating_add(budget);
        out.append(&mut self.ready);
        let Some(directory) = &mut self.directory else {
            return Ok(Step::Done);
        };
        let Directory {
            descriptor,
            entries,
            wanted,
        } = directory;
        if entries.is_empty() && !entries.read(descriptor.as_fd())? {
            return Ok(Step::Done);
        }
        while let Some(entry) = entries.next()? {
            if wanted.accepts(entry.to_bytes()) {
                self.lines.write_entry(out, descriptor, entry, &self.prefix);
                if out.len() >= full {
                    break;
                }
            }
        }
        Ok(Step::More)
    }
}

impl Wanted {
    fn accepts(&self, name: &[u8]) -> bool {
        // Most names begin with another letter, and are done after one comparison.
        let dotted = name.first() == Some(&b'.');
        if dotted && (name == b"." || name == b".." || is_temporary(name)) {
            return false;
        }
        match self {
            Wanted::All => true,
            Wanted::Plain => !dotted,
            Wanted::Matching(pattern) => pattern.matches(name),
        }
    }
}

impl Lines {
    fn long(jail: &Jail) -> Lines {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        Lines::Long(Box::new(LongLines::new(now)), Arc::clone(&jail.shared))
    }

    /// Writes the line of an entry. One that cannot be described, most often because it has just gone, has none.
    fn write_entry(&mut self, out: &mut Vec<u8>, directory: &OwnedFd, name: &CStr, prefix: &[u8]) {
        let stat = match self {
            Lines::Names => None,
            Lines::Long(..) | Lines::Facts(..) => match look(directory, name) {
                Ok(stat) => Some(stat),
                Err(_) => return,
            },
        };
        self.write(out, directory, name.to_bytes(), stat.as_ref(), prefix);
    }

    /// Writes one line; formats that show more than names have a `stat`.
    fn write(
        &mut self,
        out: &mut Vec<u8>,
        directory: &OwnedFd,
        name: &[u8],
        stat: Option<&Stat>,
        prefix: &[u8],
    ) {
        match (self, stat) {
            (Lines::Long(lines, shared), Some(stat)) => {
                let names = &shared.names;
                lines.write(
                    out,
                    stat,
                    |out| names.write_user(stat.uid, out),
                    |out| names.write_group(stat.gid, out),
                );
                name_in_line(out, prefix);
                name_in_line(out, name);
                if stat.kind == Kind::Link {
                    out.extend_from_slice(b" -> ");
                    name_in_line(out, &target_of(directory, name));
                }
            }
            (Lines::Facts(lines, shared, holder), Some(stat)) => {
                let perm = || shared.viewer.perm(stat, *holder);
                if stat.kind == Kind::Link {
                    let target = target_of(directory, name);
                    lines.write(out, Subject::Link(&target), stat, perm, name);
                } else {
                    lines.write(out, Subject::Entry, stat, perm, name);
                }
            }
            (Lines::Names, _) | (_, None) => {
                name_in_line(out, prefix);
                name_in_line(out, name);
            }
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// Where a link points to; nothing when it has just gone.
fn target_of(directory: &OwnedFd, name: &[u8]) -> Vec<u8> {
    let target = readlinkat(directory, name).unwrap_or_default();
    std::os::unix::ffi::OsStringExt::into_vec(target)
}
