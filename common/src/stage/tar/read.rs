//! Reads an archive as it arrives, in any pieces. Strict: what two programs could read as two different trees is refused.
//! Pure: no I/O.

use tar::{EntryType, Header};

use super::records::{self, Records};
use super::{BLOCK, Found, Malformed, Sort, Wrong, number, padding};
use crate::path::LONGEST_PATH;

/// The most octets of an extended header: extended attributes are in there too.
const MOST_RECORDS: u64 = 256 << 10;
/// A number in a header that says: look at the extended one.
const LARGEST_OCTAL: u64 = 0o77_777_777_777;

/// What comes next in an archive.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// An entry begins.
    Entry(Found),
    /// Content of it.
    Data(&'a [u8]),
    /// It is whole.
    Whole,
}

/// The state of an archive between two pieces of it.
pub struct Reader {
    state: State,
    /// A block that has not arrived as a whole.
    block: Box<[u8; BLOCK]>,
    filled: usize,
    /// What headers have said of the entry to come.
    said: Said,
    /// The name of the entry that is being read.
    name: Vec<u8>,
}

enum State {
    /// A header is to come.
    Header,
    /// So many octets of a header's text are to come, then so much padding.
    Text {
        of: Text,
        left: usize,
        padding: usize,
        text: Vec<u8>,
    },
    /// Content and padding of an entry are to come.
    Data {
        left: u64,
        padding: usize,
    },
    Padding(usize),
    /// One block of zeros was there.
    Ending,
    Over,
    /// It was refused.
    Refused(Wrong),
}

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    Records,
    GlobalRecords,
    LongName,
    LongTarget,
}

#[derive(Default)]
struct Said {
    records: bool,
    path: Option<Vec<u8>>,
    long_name: Option<Vec<u8>>,
    long_target: bool,
    target: bool,
    size: Option<u64>,
    modified: Option<i64>,
}

impl Said {
    fn is_anything(&self) -> bool {
        self.records || self.long_name.is_some() || self.long_target
    }
}

impl Default for Reader {
    fn default() -> Self {
        Reader {
            state: State::Header,
            block: Box::new([0; BLOCK]),
            filled: 0,
            said: Said::default(),
            name: Vec::new(),
        }
    }
}

impl Reader {
    /// Takes octets from the front of `input` and tells what they are; `None` when all are taken.
    ///
    /// # Errors
    /// The archive is not read on, and says so again.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, Malformed> {
        let event = match self.state {
            State::Refused(wrong) => Err(wrong),
            _ => self.advance(input),
        };
        event.map_err(|wrong| self.refuse(wrong))
    }

    /// Says that there is no more.
    ///
    /// # Errors
    /// More should have come.
    pub fn finish(&mut self) -> Result<(), Malformed> {
        match self.state {
            State::Over => Ok(()),
            State::Refused(wrong) => Err(self.refuse(wrong)),
            _ => Err(self.refuse(Wrong::Truncated)),
        }
    }

    fn refuse(&mut self, wrong: Wrong) -> Malformed {
        self.state = State::Refused(wrong);
        Malformed {
            entry: self.name.clone(),
            wrong,
        }
    }

    fn advance<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, Wrong> {
        loop {
            match &mut self.state {
                State::Data { left: 0, padding } => {
                    self.state = State::Padding(*padding);
                    return Ok(Some(Event::Whole));
                }
                State::Text { left: 0, .. } => self.take_text()?,
                State::Padding(0) => self.state = State::Header,
                _ if input.is_empty() => return Ok(None),
                State::Data { left, .. } => {
                    let most = usize::try_from(*left).unwrap_or(usize::MAX);
                    let piece = take(input, most);
                    *left -= piece.len() as u64;
                    return Ok(Some(Event::Data(piece)));
                }
                State::Text { left, text, .. } => {
                    let piece = take(input, *left);
                    *left -= piece.len();
                    text.extend_from_slice(piece);
                }
                State::Padding(left) => *left -= take(input, *left).len(),
                State::Header | State::Ending => {
                    let piece = take(input, BLOCK - self.filled);
                    self.block[self.filled..self.filled + piece.len()].copy_from_slice(piece);
                    self.filled += piece.len();
                    if self.filled == BLOCK {
                        self.filled = 0;
                        if let Some(found) = self.take_block()? {
                            return Ok(Some(Event::Entry(found)));
                        }
                    }
                }
                State::Over => {
                    if take(input, usize::MAX).iter().any(|&octet| octet != 0) {
                        return Err(Wrong::Trailing);
                    }
                }
                State::Refused(wrong) => return Err(*wrong),
            }
        }
    }

    /// Deals with a header, or a block at the end.
    fn take_block(&mut self) -> Result<Option<Found>, Wrong> {
        let is_zero = self.block.iter().all(|&octet| octet == 0);
        if matches!(self.state, State::Ending) {
            if !is_zero {
                return Err(Wrong::LoneZeros);
            }
            self.state = State::Over;
            return Ok(None);
        }
        if is_zero {
            if self.said.is_anything() {
                return Err(Wrong::Dangling);
            }
            self.name.clear();
            self.state = State::Ending;
            return Ok(None);
        }
        let block = self.block.clone();
        let header = Header::from_byte_slice(&block[..]);
        let old = header.as_old();
        if number::read(&old.cksum) != Some(sum(&block)) {
            return Err(Wrong::Checksum);
        }
        let is_old = block[257..265] == [0; 8];
        if header.as_ustar().is_none() && header.as_gnu().is_none() && !is_old {
            return Err(Wrong::Format);
        }
        if !self.said.is_anything() {
            self.name = header.path_bytes().into_owned();
        }
        let size = number::read(&old.size).and_then(|size| u64::try_from(size).ok());
        let size = size.ok_or(Wrong::Number("size"))?;
        let text = match header.entry_type() {
            EntryType::XHeader => Some(Text::Records),
            EntryType::XGlobalHeader => Some(Text::GlobalRecords),
            EntryType::GNULongName => Some(Text::LongName),
            EntryType::GNULongLink => Some(Text::LongTarget),
            _ => None,
        };
        match text {
            Some(text) => self.begin_text(text, size).map(|()| None),
            None => self.begin_entry(header, size).map(Some),
        }
    }

    fn begin_text(&mut self, of: Text, size: u64) -> Result<(), Wrong> {
        let (again, most, wrong) = match of {
            Text::Records => (self.said.records, MOST_RECORDS, Wrong::TooManyRecords),
            Text::GlobalRecords => (self.said.is_anything(), MOST_RECORDS, Wrong::TooManyRecords),
            // With a NUL at the end.
            Text::LongName => (
                self.said.long_name.is_some(),
                LONGEST_PATH as u64 + 2,
                Wrong::NameTooLong,
            ),
            Text::LongTarget => (
                self.said.long_target,
                LONGEST_PATH as u64 + 2,
                Wrong::NameTooLong,
            ),
        };
        if again {
            return Err(Wrong::Twice);
        }
        if size > most {
            return Err(wrong);
        }
        self.state = State::Text {
            of,
            left: usize::try_from(size).map_err(|_| wrong)?,
            padding: padding(size),
            text: Vec::new(),
        };
        Ok(())
    }

    /// Deals with a text that is complete.
    fn take_text(&mut self) -> Result<(), Wrong> {
        let State::Text {
            of, padding, text, ..
        } = &mut self.state
        else {
            return Ok(());
        };
        let (of, text) = (*of, std::mem::take(text));
        self.state = State::Padding(*padding);
        match of {
            Text::Records => self.take_records(&text),
            Text::GlobalRecords => check_global(&text),
            Text::LongName => {
                let name = long(&text)?;
                self.name.clone_from(&name);
                self.said.long_name = Some(name);
                Ok(())
            }
            Text::LongTarget => {
                self.said.long_target = true;
                long(&text).map(|_| ())
            }
        }
    }

    fn take_records(&mut self, text: &[u8]) -> Result<(), Wrong> {
        self.said.records = true;
        for record in Records(text) {
            let (key, value) = record.map_err(|_| Wrong::Records)?;
            let again = match key {
                b"path" => {
                    if value.is_empty() || value.contains(&0) {
                        return Err(Wrong::Records);
                    }
                    if value.len() > LONGEST_PATH + 1 {
                        return Err(Wrong::NameTooLong);
                    }
                    self.name = value.to_vec();
                    self.said.path.replace(value.to_vec()).is_some()
                }
                b"linkpath" => {
                    if value.is_empty() || value.contains(&0) {
                        return Err(Wrong::Records);
                    }
                    std::mem::replace(&mut self.said.target, true)
                }
                b"size" => {
                    let size = records::decimal(value).filter(|&size| i64::try_from(size).is_ok());
                    let size = size.ok_or(Wrong::Number("size"))?;
                    self.said.size.replace(size).is_some()
                }
                b"mtime" => {
                    let time = records::time(value).ok_or(Wrong::Number("time"))?;
                    self.said.modified.replace(time).is_some()
                }
                key if key.starts_with(b"GNU.sparse.") => return Err(Wrong::Sparse),
                _ => false,
            };
            if again {
                return Err(Wrong::Twice);
            }
        }
        Ok(())
    }

    /// Deals with the header of an entry itself.
    fn begin_entry(&mut self, header: &Header, size: u64) -> Result<Found, Wrong> {
        let said = std::mem::take(&mut self.said);
        if said.long_target && said.target {
            return Err(Wrong::Twice);
        }
        let path = match (said.path, said.long_name) {
            (Some(_), Some(_)) => return Err(Wrong::Twice),
            (Some(path), None) | (None, Some(path)) => path,
            (None, None) => header.path_bytes().into_owned(),
        };
        if path.is_empty() {
            return Err(Wrong::NoName);
        }
        let size = match said.size {
            None => size,
            Some(said) if said == size => said,
            // What writers put into a field that is too small for the number.
            Some(said) if said > LARGEST_OCTAL && (size == 0 || size == LARGEST_OCTAL) => said,
            Some(_) => return Err(Wrong::Sizes),
        };
        let old = header.as_old();
        let modified = match said.modified {
            Some(modified) => modified,
            None => number_or_nothing(&old.mtime).ok_or(Wrong::Number("time"))?,
        };
        let mode = number_or_nothing(&old.mode).ok_or(Wrong::Number("mode"))?;
        let sort = sort(header.entry_type(), path.ends_with(b"/"))?;
        if size > 0 && sort != Sort::File {
            return Err(Wrong::Content);
        }
        self.state = State::Data {
            left: size,
            padding: padding(size),
        };
        Ok(Found {
            path,
            sort,
            size,
            mode: u16::try_from(mode & 0o777).unwrap_or(0),
            modified,
        })
    }
}

fn sort(kind: EntryType, slash: bool) -> Result<Sort, Wrong> {
    match kind {
        // Before there was a type for directories, the slash told.
        EntryType::Regular | EntryType::Continuous if slash => Ok(Sort::Directory),
        EntryType::Regular | EntryType::Continuous => Ok(Sort::File),
        EntryType::Directory => Ok(Sort::Directory),
        EntryType::Link
        | EntryType::Symlink
        | EntryType::Char
        | EntryType::Block
        | EntryType::Fifo => Ok(Sort::Other),
        EntryType::GNUSparse => Err(Wrong::Sparse),
        other => Err(Wrong::Unknown(other.as_byte())),
    }
}

fn check_global(text: &[u8]) -> Result<(), Wrong> {
    for record in Records(text) {
        let (key, _) = record.map_err(|_| Wrong::Records)?;
        if matches!(key, b"path" | b"linkpath" | b"size" | b"mtime")
            || key.starts_with(b"GNU.sparse.")
        {
            return Err(Wrong::Global);
        }
    }
    Ok(())
}

/// A name of GNU tar, which ends with a NUL.
fn long(text: &[u8]) -> Result<Vec<u8>, Wrong> {
    let name = text.strip_suffix(b"\0").unwrap_or(text);
    if name.is_empty() || name.contains(&0) {
        return Err(Wrong::Records);
    }
    Ok(name.to_vec())
}

/// A field that may be left empty.
fn number_or_nothing(field: &[u8]) -> Option<i64> {
    match number::is_blank(field) {
        true => Some(0),
        false => number::read(field),
    }
}

/// The sum of a header, with blanks for the sum itself.
fn sum(block: &[u8; BLOCK]) -> i64 {
    let (before, after) = (&block[..148], &block[156..]);
    let octets = before.iter().chain(after);
    octets.map(|&octet| i64::from(octet)).sum::<i64>() + 8 * i64::from(b' ')
}

fn take<'a>(input: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (piece, rest) = input.split_at(most.min(input.len()));
    *input = rest;
    piece
}
