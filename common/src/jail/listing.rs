//! Listings as stepped iterators: LIST, NLST and MLSD of a directory, of the directories below it, or of what a pattern
//! finds. Writes whole lines; in the order of the directory it needs memory for one buffer and the depth alone.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::sys::stat::fstat;

use super::entries::{Entry, Hint};
use super::lines::{self, Lines, Name};
use super::partial::is_temporary;
use super::sorted::Sorted;
use super::viewer::Holder;
use super::walk::{Choice, Links, Stage, Walk};
use super::{Failure, Jail, describe, look};
use crate::path::VirtualPath;
use crate::pattern::{LONGEST_PATTERN, Pattern, TooLong};
use crate::proto::facts::{FactSet, Stat, name_in_line};
use crate::proto::listing::{ListOptions, Order, Remark};

/// What a line of a listing looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As `ls -l` shows it (LIST).
    Long,
    /// The name alone (NLST).
    Names,
    /// Facts and name (MLSD): of all entries of one directory, whatever the options.
    Facts,
}

/// What is listed of a path, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListRequest {
    pub format: Format,
    pub options: ListOptions,
    /// Only what matches below the path; components that are patterns or names, with slashes between them, at most
    /// [`LONGEST_PATTERN`] octets.
    pub pattern: Option<Vec<u8>>,
    /// The path as the client typed it, or what stands before the pattern, so that names can be used as they are shown
    /// (RFC 1123 §4.1.2.7).
    pub typed: Vec<u8>,
    /// The facts that MLSD shows.
    pub facts: FactSet,
    pub limits: Limits,
}

/// What a listing that goes through several directories may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Directories below the first; without any, there is no `-R`.
    pub depth: u32,
    /// Entries that are looked at; zero is no limit.
    pub entries: u64,
    /// What the lines that are kept to be sorted may take together, in octets.
    pub sorted: usize,
}

/// Whether a listing goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Call again. Nothing may have been appended: a step also ends when it has looked at enough entries.
    More,
    Done,
}

/// Entries that one step looks at; to open a directory counts as several.
const LOOKS: usize = 1024;
const LOOKS_OF_OPENING: usize = 16;
/// Octets of lines to be sorted that a listing may keep: those of more than 100,000 entries.
pub const MOST_SORTED: usize = 16 << 20;
/// How long a listing may work that does more than to write a directory as it comes. Waiting for the client is not work.
const LONGEST_WORK: Duration = Duration::from_secs(30);

/// A listing that is under way.
pub struct Listing {
    /// Lines that were written before the first step.
    ready: Vec<u8>,
    lines: Lines,
    format: Format,
    options: ListOptions,
    patterns: Vec<Pattern>,
    walk: Walk,
    budget: Budget,
    remark: Remark,
    /// A limit was met: there is nothing to come but lines that were kept.
    ending: bool,
}

/// What is left of the limits; `None` is no limit.
struct Budget {
    depth: usize,
    entries: Option<u64>,
    work: Option<Duration>,
    /// Octets of lines that may be kept to be sorted.
    sorted: usize,
    /// Octets of names that are kept while the directories between them are listed.
    kept: usize,
}

impl Jail {
    /// Begins to list a directory, or a single file.
    pub fn list(&self, path: &VirtualPath, request: &ListRequest) -> Result<Listing, Failure> {
        let patterns = patterns(request.pattern.as_deref())?;
        if request.options.itself && patterns.is_empty() && request.format != Format::Facts {
            return self.list_one(path, request);
        }
        let directory = match self.enter(path, OFlag::O_RDONLY) {
            Ok(directory) => directory,
            // Not a directory, or a link that leads nowhere.
            Err(Failure::NotADirectory | Failure::NotFound | Failure::Loop)
                if patterns.is_empty() && request.format != Format::Facts =>
            {
                return self.list_one(path, request);
            }
            Err(failure) => return Err(failure),
        };
        let mut holder = Holder::Fixed;
        let mut ready = Vec::new();
        if request.format == Format::Facts {
            let stat = describe(&fstat(&directory)?);
            holder = self.shared.viewer.holder(&stat);
            lines::itself_and_above(self, path, &stat, request.facts, &mut ready);
        }
        let lines = Lines::new(self, request.format, request.facts, holder);
        let mut listing = self.listing(request, lines, patterns)?;
        if listing.patterns.len() > 1 {
            let root = self.root.try_clone().map_err(|_| Failure::Exhausted)?;
            listing.walk.follow_from(root, path.relative().to_vec());
        }
        let choice = match listing.patterns.is_empty() {
            false => Choice::Matching(0),
            true => listing.everything(),
        };
        if listing.has_headings() && listing.patterns.is_empty() {
            listing.heading(&mut ready);
        }
        listing.ready = ready;
        let stage = listing.first_stage(choice);
        listing.walk.push(directory, b"", choice, stage);
        Ok(listing)
    }

    /// Lists one thing, whatever it is, and not what is in it.
    fn list_one(&self, path: &VirtualPath, request: &ListRequest) -> Result<Listing, Failure> {
        let (directory, own, stat) = match self.place(path)? {
            Some(place) => {
                let stat = place.look()?;
                (place.directory, place.name, stat)
            }
            None => {
                let root = self.enter(path, OFlag::O_PATH)?;
                (root, b".".as_slice(), self.stat(path)?)
            }
        };
        let format = match request.format {
            Format::Names => Format::Names,
            Format::Long | Format::Facts => Format::Long,
        };
        let mut lines = Lines::new(self, format, request.facts, Holder::Fixed);
        let mut ready = Vec::new();
        let name = Name {
            prefix: b"",
            shown: match request.typed.as_slice() {
                b"" => b".",
                typed => typed,
            },
            own,
        };
        lines.write(&mut ready, &directory, name, Some(&stat));
        let mut listing = self.listing(request, lines, Vec::new())?;
        listing.ready = ready;
        Ok(listing)
    }

    /// A listing that has no directory yet.
    fn listing(
        &self,
        request: &ListRequest,
        lines: Lines,
        patterns: Vec<Pattern>,
    ) -> Result<Listing, Failure> {
        let Limits {
            depth,
            entries,
            sorted,
        } = request.limits;
        let mut options = request.options;
        options.recursive &= depth > 0 && request.format != Format::Facts;
        let walks = options.recursive || patterns.len() > 1;
        let works = walks || !patterns.is_empty() || options.order != Order::Unsorted;
        let mut prefix = request.typed.clone();
        if patterns.is_empty() {
            if prefix == b"." {
                prefix.clear();
            }
            if !prefix.is_empty() && !prefix.ends_with(b"/") {
                prefix.push(b'/');
            }
        }
        Ok(Listing {
            ready: Vec::new(),
            lines,
            format: request.format,
            options,
            patterns,
            walk: Walk::new(prefix, self.served.clone()),
            budget: Budget {
                depth: usize::try_from(depth).unwrap_or(usize::MAX),
                entries: (walks && entries > 0).then_some(entries),
                work: works.then_some(LONGEST_WORK),
                sorted,
                kept: 0,
            },
            remark: Remark::Whole,
            ending: false,
        })
    }
}

/// Reads the components of a pattern.
pub(super) fn patterns(pattern: Option<&[u8]>) -> Result<Vec<Pattern>, Failure> {
    let Some(pattern) = pattern else {
        return Ok(Vec::new());
    };
    if pattern.len() > LONGEST_PATTERN {
        return Err(Failure::NameTooLong);
    }
    pattern
        .split(|&octet| octet == b'/')
        .map(|part| Pattern::new(part).map_err(|TooLong| Failure::NameTooLong))
        .collect()
}

impl Listing {
    /// Appends whole lines until `out` has grown by about `budget` octets, or enough entries were looked at for once.
    pub fn step(&mut self, out: &mut Vec<u8>, budget: usize) -> Result<Step, Failure> {
        let begun = Instant::now();
        let full = out.len().saturating_add(budget);
        out.append(&mut self.ready);
        if self.budget.work == Some(Duration::ZERO) {
            self.break_off(Remark::TooLong);
        }
        let mut looks = LOOKS;
        let mut step = Step::More;
        while step == Step::More && looks > 0 {
            step = self.advance(out, full, &mut looks)?;
            if out.len() >= full {
                break;
            }
        }
        if let Some(work) = &mut self.budget.work {
            *work = work.saturating_sub(begun.elapsed());
        }
        Ok(step)
    }

    /// What there is to be said about a listing that is done.
    pub fn remark(&self) -> Remark {
        self.remark
    }

    fn advance(
        &mut self,
        out: &mut Vec<u8>,
        full: usize,
        looks: &mut usize,
    ) -> Result<Step, Failure> {
        let Some((level, ..)) = self.walk.last() else {
            return Ok(Step::Done);
        };
        match level.stage {
            Stage::List => self.list(out, full, looks)?,
            Stage::Collect(_) => self.collect(looks)?,
            Stage::Emit(_) => self.emit(out, full)?,
            Stage::Descend | Stage::DescendTo(_) => self.descend(out, looks)?,
        }
        Ok(Step::More)
    }

    /// Writes entries as they come.
    fn list(&mut self, out: &mut Vec<u8>, full: usize, looks: &mut usize) -> Result<(), Failure> {
        let Some((level, entries, prefix)) = self.walk.last() else {
            return Ok(());
        };
        let prefix = prefix_of(self.format, level.choice, prefix);
        while let Some(Entry { name, .. }) = entries.next(level.directory.as_fd())? {
            if !self.budget.take_entry() {
                self.break_off(Remark::TooMany);
                return Ok(());
            }
            *looks -= 1;
            let own = name.to_bytes();
            if accepts(level.choice, &self.patterns, own)
                && let Ok(stat) = stat_if(self.lines.describe(), &level.directory, name)
            {
                let name = Name {
                    prefix,
                    shown: own,
                    own,
                };
                self.lines.write(out, &level.directory, name, stat.as_ref());
            }
            if out.len() >= full || *looks == 0 {
                return Ok(());
            }
        }
        if self.options.recursive {
            level.stage = Stage::Descend;
            self.walk.rewind()
        } else {
            self.walk.leave()
        }
    }

    /// Keeps entries, until all are there or they become too many.
    fn collect(&mut self, looks: &mut usize) -> Result<(), Failure> {
        let Some((level, entries, prefix)) = self.walk.last() else {
            return Ok(());
        };
        let Stage::Collect(sorted) = &mut level.stage else {
            return Ok(());
        };
        let prefix = prefix_of(self.format, level.choice, prefix);
        while let Some(Entry { name, hint }) = entries.next(level.directory.as_fd())? {
            if !self.budget.take_entry() {
                self.break_off(Remark::TooMany);
                return Ok(());
            }
            *looks -= 1;
            let own = name.to_bytes();
            let described = self.lines.describe() || sorted.needs_stat();
            if accepts(level.choice, &self.patterns, own)
                && let Ok(stat) = stat_if(described, &level.directory, name)
            {
                // One whose kind is unknown is found out when it is entered.
                let is_directory = matches!(hint, Hint::Directory | Hint::Unknown);
                let name = Name {
                    prefix,
                    shown: own,
                    own,
                };
                let (lines, directory) = (&mut self.lines, &level.directory);
                sorted.add(own, stat.as_ref(), is_directory, |out| {
                    lines.write(out, directory, name, stat.as_ref());
                });
            }
            if sorted.size() > self.budget.sorted.saturating_sub(self.budget.kept) {
                level.stage = Stage::List;
                self.remark = self.remark.max(Remark::Unsorted);
                return self.walk.rewind();
            }
            if *looks == 0 {
                return Ok(());
            }
        }
        self.collected();
        Ok(())
    }

    /// Goes on from keeping lines to writing them.
    fn collected(&mut self) {
        if let Some((level, ..)) = self.walk.last()
            && let Stage::Collect(_) = level.stage
            && let Stage::Collect(mut sorted) = std::mem::replace(&mut level.stage, Stage::List)
        {
            sorted.sort();
            level.stage = Stage::Emit(sorted);
        }
    }

    /// Writes lines that were kept.
    fn emit(&mut self, out: &mut Vec<u8>, full: usize) -> Result<(), Failure> {
        let Some((level, ..)) = self.walk.last() else {
            return Ok(());
        };
        let Stage::Emit(sorted) = &mut level.stage else {
            return Ok(());
        };
        while let Some(line) = sorted.next_line() {
            out.extend_from_slice(line);
            if out.len() >= full {
                return Ok(());
            }
        }
        if self.ending {
            self.walk.end();
            return Ok(());
        }
        if !self.options.recursive {
            return self.walk.leave();
        }
        if let Stage::Emit(sorted) = std::mem::replace(&mut level.stage, Stage::Descend) {
            let directories = sorted.into_directories();
            self.budget.kept += directories.size();
            level.stage = Stage::DescendTo(directories);
        }
        Ok(())
    }

    /// Enters the next directory below the last one; leaves that one where there is none.
    fn descend(&mut self, out: &mut Vec<u8>, looks: &mut usize) -> Result<(), Failure> {
        let Some((level, entries, _)) = self.walk.last() else {
            return Ok(());
        };
        // A directory that is only on the way to what is listed may be a link, as in a path.
        let child = match level.choice {
            Choice::Matching(number) if number + 1 < self.patterns.len() => {
                Some(Choice::Matching(number + 1))
            }
            Choice::Matching(_) | Choice::All | Choice::Plain => None,
        };
        let name = match &mut level.stage {
            Stage::DescendTo(directories) => {
                let name = directories.next_name();
                if name.is_none() {
                    self.budget.kept -= directories.size();
                }
                name
            }
            Stage::List | Stage::Collect(_) | Stage::Emit(_) | Stage::Descend => loop {
                let Some(Entry { name, hint }) = entries.next(level.directory.as_fd())? else {
                    break None;
                };
                // Entries that were listed have been counted.
                if child.is_some() && !self.budget.take_entry() {
                    self.break_off(Remark::TooMany);
                    return Ok(());
                }
                *looks -= 1;
                let leads_on = match hint {
                    Hint::Directory | Hint::Unknown => true,
                    Hint::Link => child.is_some(),
                    Hint::Other => false,
                };
                if leads_on && accepts(level.choice, &self.patterns, name.to_bytes()) {
                    break Some(name.to_bytes().to_vec());
                }
                if *looks == 0 {
                    return Ok(());
                }
            },
        };
        let Some(name) = name else {
            return self.walk.leave();
        };
        *looks = looks.saturating_sub(LOOKS_OF_OPENING);
        self.enter(out, &name, child)
    }

    /// Enters a directory, to list it or, with a `choice`, to look for what else the pattern wants.
    fn enter(
        &mut self,
        out: &mut Vec<u8>,
        name: &[u8],
        choice: Option<Choice>,
    ) -> Result<(), Failure> {
        let links = match choice {
            Some(_) => Links::Follow,
            None => Links::Refuse,
        };
        let directory = match self.walk.open(name, links) {
            Ok(directory) => directory,
            // It has gone, or is no directory after all.
            Err(Failure::NotFound | Failure::NotADirectory | Failure::Loop) => return Ok(()),
            Err(Failure::Exhausted) => return Err(Failure::Exhausted),
            Err(_) => {
                self.remark = self.remark.max(Remark::Unreadable);
                return Ok(());
            }
        };
        if self.walk.depth() > self.budget.depth {
            self.remark = self.remark.max(Remark::TooDeep);
            return Ok(());
        }
        let has_heading = choice.is_none() && self.has_headings();
        let choice = choice.unwrap_or(self.everything());
        let stage = self.first_stage(choice);
        self.walk.push(directory, name, choice, stage);
        if has_heading {
            out.extend_from_slice(b"\r\n");
            self.heading(out);
        }
        Ok(())
    }

    /// Ends at a limit. Lines that were kept are still written.
    fn break_off(&mut self, remark: Remark) {
        self.remark = self.remark.max(remark);
        self.ending = true;
        self.collected();
        match self.walk.last() {
            Some((level, ..)) if matches!(level.stage, Stage::Emit(_)) => {}
            _ => self.walk.end(),
        }
    }

    /// What is listed of a directory without a pattern.
    fn everything(&self) -> Choice {
        match self.options.all || self.format == Format::Facts {
            true => Choice::All,
            false => Choice::Plain,
        }
    }

    fn first_stage(&self, choice: Choice) -> Stage {
        match choice {
            Choice::Matching(number) if number + 1 < self.patterns.len() => Stage::Descend,
            Choice::Matching(_) | Choice::All | Choice::Plain => match self.options.order {
                Order::Unsorted => Stage::List,
                Order::Name | Order::Time | Order::Size => {
                    Stage::Collect(Sorted::new(&self.options))
                }
            },
        }
    }

    /// Whether each directory has its path above its entries, as `ls -lR` has it. Names alone are paths in themselves.
    fn has_headings(&self) -> bool {
        self.options.recursive && self.format == Format::Long
    }

    /// Appends the path of the last directory, as it follows from what was typed.
    fn heading(&self, out: &mut Vec<u8>) {
        let path = self.walk.prefix.as_slice();
        if !self.walk.was_typed() && self.patterns.is_empty() {
            out.extend_from_slice(if path.is_empty() { b"." } else { b"./" });
        }
        let path = match path {
            b"/" => path,
            _ => path.strip_suffix(b"/").unwrap_or(path),
        };
        name_in_line(out, path);
        out.extend_from_slice(b":\r\n");
    }
}

impl Budget {
    fn take_entry(&mut self) -> bool {
        match &mut self.entries {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }
}

/// Whether a choice of entries includes a name.
pub(super) fn accepts(choice: Choice, patterns: &[Pattern], name: &[u8]) -> bool {
    // Most names begin with another letter, and are done after one comparison.
    let dotted = name.first() == Some(&b'.');
    if dotted && (name == b"." || name == b".." || is_temporary(name)) {
        return false;
    }
    match choice {
        Choice::All => true,
        Choice::Plain => !dotted,
        Choice::Matching(number) => patterns[number].matches_file(name),
    }
}

/// What stands before a name: names alone are to be used as they are, and so is what a pattern found.
fn prefix_of(format: Format, choice: Choice, prefix: &[u8]) -> &[u8] {
    match (format, choice) {
        (Format::Names, _) | (Format::Long, Choice::Matching(_)) => prefix,
        (Format::Long | Format::Facts, _) => b"",
    }
}

/// Describes an entry where that is needed. One that cannot be described, most often because it has just gone, is not listed.
fn stat_if(
    needed: bool,
    directory: &OwnedFd,
    name: &std::ffi::CStr,
) -> Result<Option<Stat>, Failure> {
    Ok(match needed {
        true => Some(look(directory, name)?),
        false => None,
    })
}
