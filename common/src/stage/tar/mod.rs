//! Archives of STRU T: POSIX tar, written and read as the octets come. Names are octets. Pure: no I/O.
//!
//! Nothing is ever unpacked here: the reader tells what an archive says, and whoever listens decides what of it is done.

mod number;
mod read;
mod records;
mod write;

use std::fmt;

pub use self::read::{Event, Reader};
pub use self::write::{END, Owner, header, padding};

/// Archives are made of blocks of so many octets.
pub const BLOCK: usize = 512;

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    File,
    Directory,
    /// A symbolic link to this target.
    Link(Vec<u8>),
}

/// One entry as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Without a slash at the end, whatever the kind.
    pub path: Vec<u8>,
    pub kind: Kind,
    /// Octets of content, which only files have.
    pub size: u64,
    /// The permissions of owner, group and others.
    pub mode: u16,
    /// Seconds since 1970.
    pub modified: i64,
}

/// What the reader makes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    File,
    Directory,
    /// A link, a device or a pipe: it has no content and is never made.
    Other,
}

/// One entry as it was read. Its path is as it stands in the archive, and not to be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub path: Vec<u8>,
    pub sort: Sort,
    pub size: u64,
    pub mode: u16,
    pub modified: i64,
}

/// What is wrong with an archive, and the entry at which it shows, as far as its name is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    pub entry: Vec<u8>,
    pub wrong: Wrong,
}

/// Why an archive is not read on. What two programs might understand differently is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    Truncated,
    Checksum,
    /// Not a header of any tar.
    Format,
    /// A field that must be a number and is none, or none that can be.
    Number(&'static str),
    /// A kind of entry that is not known.
    Unknown(u8),
    Sparse,
    /// Content of something that has none.
    Content,
    /// An extended header that breaks its own rules.
    Records,
    /// Two names for one entry, or two of the same record.
    Twice,
    /// The extended header and the header disagree on the size.
    Sizes,
    /// A header for a next entry, behind which there is none.
    Dangling,
    /// A header for all entries that would change their names or sizes.
    Global,
    NoName,
    NameTooLong,
    TooManyRecords,
    /// One block of zeros, where two are the end.
    LoneZeros,
    Trailing,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Wrong::Truncated => "the archive ends too early",
            Wrong::Checksum => "the checksum of its header is wrong",
            Wrong::Format => "its header is not one of tar",
            Wrong::Number(field) => return write!(f, "its {field} is no number that can be"),
            Wrong::Unknown(flag) => {
                return write!(f, "its type '{}' is unknown", flag.escape_ascii());
            }
            Wrong::Sparse => "sparse entries are not read",
            Wrong::Content => "it has content but is no file",
            Wrong::Records => "its extended header is damaged",
            Wrong::Twice => "its headers say something twice",
            Wrong::Sizes => "its headers disagree on its size",
            Wrong::Dangling => "an extended header has no entry",
            Wrong::Global => "a global header would change names or sizes",
            Wrong::NoName => "it has no name",
            Wrong::NameTooLong => "its name is too long",
            Wrong::TooManyRecords => "its extended header is too long",
            Wrong::LoneZeros => "there is a hole in the archive",
            Wrong::Trailing => "there is something behind the end of the archive",
        })
    }
}

#[cfg(test)]
mod tests;
