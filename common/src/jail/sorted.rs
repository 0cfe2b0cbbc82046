//! The lines of one directory, kept until all are there and then sorted. Keeps no more than it was allowed.

use std::cmp::Ordering;

use super::Stat;
use crate::proto::listing::{ListOptions, Order};

/// Lines of one directory. Names and lines lie one behind the other in one piece of memory.
pub(super) struct Sorted {
    order: Order,
    reverse: bool,
    text: Vec<u8>,
    records: Vec<Record>,
    /// How many lines were taken, once they are sorted.
    taken: usize,
}

struct Record {
    /// The time or the size that it is sorted by; the largest comes first.
    key: (i64, u32),
    start: usize,
    name: u16,
    line: u16,
    is_directory: bool,
}

impl Sorted {
    pub(super) fn new(options: &ListOptions) -> Sorted {
        Sorted {
            order: options.order,
            reverse: options.reverse,
            text: Vec::new(),
            records: Vec::new(),
            taken: 0,
        }
    }

    /// Whether an entry's place depends on more than its name.
    pub(super) fn needs_stat(&self) -> bool {
        matches!(self.order, Order::Time | Order::Size)
    }

    /// The octets that it keeps.
    pub(super) fn size(&self) -> usize {
        self.text.len() + self.records.len() * size_of::<Record>()
    }

    /// Takes an entry, whose line `write` appends.
    pub(super) fn add(
        &mut self,
        name: &[u8],
        stat: Option<&Stat>,
        is_directory: bool,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let start = self.text.len();
        self.text.extend_from_slice(name);
        write(&mut self.text);
        let line = self.text.len() - start - name.len();
        // Names have 255 octets; a line holds at most two paths of 4095 beside.
        let (Ok(name), Ok(line)) = (u16::try_from(name.len()), u16::try_from(line)) else {
            self.text.truncate(start);
            return;
        };
        let key = match (self.order, stat) {
            (Order::Time, Some(stat)) => stat.modified,
            (Order::Size, Some(stat)) => (i64::try_from(stat.size).unwrap_or(i64::MAX), 0),
            (Order::Unsorted | Order::Name, _) | (_, None) => (0, 0),
        };
        self.records.push(Record {
            key,
            start,
            name,
            line,
            is_directory,
        });
    }

    /// Puts the lines in order.
    pub(super) fn sort(&mut self) {
        let text = &self.text;
        let compare = |one: &Record, other: &Record| -> Ordering {
            let by_key = other.key.cmp(&one.key);
            by_key.then_with(|| one.name(text).cmp(other.name(text)))
        };
        match self.reverse {
            false => self.records.sort_unstable_by(compare),
            true => self
                .records
                .sort_unstable_by(|one, other| compare(other, one)),
        }
    }

    /// Takes the next line.
    pub(super) fn next_line(&mut self) -> Option<&[u8]> {
        let record = self.records.get(self.taken)?;
        self.taken += 1;
        let line = record.start + usize::from(record.name);
        Some(&self.text[line..line + usize::from(record.line)])
    }

    /// Keeps the names of the directories alone, in order.
    pub(super) fn into_directories(self) -> Directories {
        let mut text = Vec::new();
        for record in self.records.iter().filter(|record| record.is_directory) {
            text.extend_from_slice(record.name(&self.text));
            text.push(0);
        }
        text.shrink_to_fit();
        Directories { text, taken: 0 }
    }
}

impl Record {
    fn name<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        &text[self.start..self.start + usize::from(self.name)]
    }
}

/// Names of directories that are still to be entered.
pub(super) struct Directories {
    /// Each ends in a NUL, which no name holds.
    text: Vec<u8>,
    taken: usize,
}

impl Directories {
    /// The octets that it keeps.
    pub(super) fn size(&self) -> usize {
        self.text.len()
    }

    /// Takes the next name.
    pub(super) fn next_name(&mut self) -> Option<Vec<u8>> {
        let rest = &self.text[self.taken..];
        let end = memchr::memchr(0, rest)?;
        self.taken += end + 1;
        Some(rest[..end].to_vec())
    }
}
