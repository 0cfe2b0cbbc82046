//! What hookd has taken and not yet brought to its end, in memory that outlives it: the next hookd goes on from there. Values by
//! keys, in a file without a name to which changes are appended, so that a death at any time leaves it whole.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::fstat;
use nix::sys::uio::{pread, pwrite};

use crate::hooks::Id;

/// Where the records begin, unless the first octets say that they begin later.
const FIRST: u64 = 16;
/// Length, checksum, tag and number.
const HEAD: usize = 4 + 4 + 1 + 16;
/// The length of a record that takes a value away.
const GONE: u32 = u32::MAX;
/// The longest value: an event with all its paths, escaped.
const LONGEST: usize = 1 << 20;
/// With less than this it is not worth the work to write what is left anew.
const SLACK: u64 = 4 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Event(Id),
    Session(Id),
}

/// The file, as the listener keeps it for all hookds.
#[derive(Debug)]
pub(super) struct Book(OwnedFd);

#[derive(Debug)]
pub(super) struct Ledger {
    book: OwnedFd,
    /// Where the value of a key is.
    places: BTreeMap<Key, (u64, usize)>,
    /// Where the records begin, and where the next one is written.
    start: u64,
    end: u64,
    /// Octets of the records that count.
    live: u64,
    /// Changes that are not yet in the file.
    unwritten: Vec<u8>,
}

impl Book {
    pub(super) fn new() -> Result<Book, Errno> {
        memfd_create("ledger", MFdFlags::MFD_CLOEXEC).map(Book)
    }
}

impl AsFd for Book {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Key {
    fn octets(self) -> [u8; 17] {
        let (tag, id) = match self {
            Key::Event(id) => (1, id),
            Key::Session(id) => (2, id),
        };
        let mut octets = [tag; 17];
        octets[1..].copy_from_slice(id.as_bytes());
        octets
    }

    fn read(octets: &[u8]) -> Option<Key> {
        let (tag, id) = octets.split_first()?;
        let id = Id::from_bytes(id.try_into().ok()?);
        match tag {
            1 => Some(Key::Event(id)),
            2 => Some(Key::Session(id)),
            _ => None,
        }
    }
}

impl Ledger {
    /// Takes over what is in the book.
    ///
    /// # Errors
    /// What pread(2) says.
    pub(super) fn open(book: OwnedFd) -> Result<Ledger, Errno> {
        let mut start = [0; 8];
        pread(&book, &mut start, 0)?;
        let start = u64::from_le_bytes(start).max(FIRST);
        let mut ledger = Ledger {
            book,
            places: BTreeMap::new(),
            start,
            end: start,
            live: 0,
            unwritten: Vec::new(),
        };
        // What comes behind a record that is not whole was never written.
        while let Some((key, length)) = ledger.record(ledger.end)? {
            ledger.note(key, length);
        }
        Ok(ledger)
    }

    /// All that is in it, in the order of keys.
    pub(super) fn entries(&self) -> Result<Vec<(Key, Vec<u8>)>, Errno> {
        let value = |(&key, &(place, length)): (&Key, &(u64, usize))| {
            let mut value = vec![0; length];
            self.read(&mut value, place)?;
            Ok((key, value))
        };
        self.places.iter().map(value).collect()
    }

    pub(super) fn put(&mut self, key: Key, value: &[u8]) {
        if value.len() <= LONGEST {
            let length = u32::try_from(value.len()).unwrap_or(GONE);
            self.append(key, length, value);
        }
    }

    pub(super) fn remove(&mut self, key: Key) {
        if self.places.contains_key(&key) {
            self.append(key, GONE, &[]);
        }
    }

    /// Writes the changes since the last time down, all together.
    ///
    /// # Errors
    /// What pwrite(2) says: there is no more memory.
    pub(super) fn settle(&mut self) -> Result<(), Errno> {
        if self.unwritten.is_empty() {
            return Ok(());
        }
        let begin = self.end - u64::try_from(self.unwritten.len()).unwrap_or(0);
        let unwritten = std::mem::take(&mut self.unwritten);
        self.write(&unwritten, begin)?;
        if self.end - self.start > SLACK && (self.end - self.start) / 2 > self.live {
            self.compact()?;
        }
        Ok(())
    }

    fn append(&mut self, key: Key, length: u32, value: &[u8]) {
        let key_octets = key.octets();
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&key_octets);
        hasher.update(value);
        self.unwritten.extend(length.to_le_bytes());
        self.unwritten.extend(hasher.finalize().to_le_bytes());
        self.unwritten.extend(key_octets);
        self.unwritten.extend(value);
        self.note(key, length);
    }

    /// Takes in a record at the end.
    fn note(&mut self, key: Key, length: u32) {
        let size = match length {
            GONE => 0,
            length => usize::try_from(length).unwrap_or(0),
        };
        let place = self.end + HEAD as u64;
        let former = match length {
            GONE => self.places.remove(&key),
            _ => self.places.insert(key, (place, size)),
        };
        if let Some((_, former)) = former {
            self.live -= (HEAD + former) as u64;
        }
        if length != GONE {
            self.live += (HEAD + size) as u64;
        }
        self.end = place + size as u64;
    }

    /// The record at a place, if there is a whole one.
    fn record(&self, place: u64) -> Result<Option<(Key, u32)>, Errno> {
        let size = u64::try_from(fstat(&self.book)?.st_size).unwrap_or(0);
        if place + HEAD as u64 > size {
            return Ok(None);
        }
        let mut head = [0; HEAD];
        self.read(&mut head, place)?;
        let number = |octets: &[u8]| octets.try_into().map_or(0, u32::from_le_bytes);
        let (length, checksum) = (number(&head[..4]), number(&head[4..8]));
        let wanted = match length {
            GONE => 0,
            length => usize::try_from(length).unwrap_or(usize::MAX),
        };
        let Some(key) = Key::read(&head[8..]) else {
            return Ok(None);
        };
        if wanted > LONGEST || place + (HEAD + wanted) as u64 > size {
            return Ok(None);
        }
        let mut value = vec![0; wanted];
        self.read(&mut value, place + HEAD as u64)?;
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&head[8..]);
        hasher.update(&value);
        Ok((hasher.finalize() == checksum).then_some((key, length)))
    }

    /// Writes what counts behind all else, and only then says that this is where the records begin.
    fn compact(&mut self) -> Result<(), Errno> {
        let entries = self.entries()?;
        let old = (self.start, self.end);
        self.places.clear();
        (self.start, self.live) = (self.end, 0);
        for (key, value) in entries {
            self.put(key, &value);
        }
        let unwritten = std::mem::take(&mut self.unwritten);
        self.write(&unwritten, self.start)?;
        self.write(&self.start.to_le_bytes(), 0)?;
        let offset = |place: u64| i64::try_from(place).map_err(|_| Errno::EFBIG);
        let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        let (from, length) = (offset(old.0)?, offset(old.1 - old.0)?);
        fallocate(&self.book, flags, from, length)
    }

    fn read(&self, mut octets: &mut [u8], place: u64) -> Result<(), Errno> {
        let mut place = i64::try_from(place).map_err(|_| Errno::EFBIG)?;
        while !octets.is_empty() {
            match pread(&self.book, octets, place) {
                Ok(0) => return Err(Errno::EIO),
                Ok(count) => {
                    octets = &mut octets[count..];
                    place += count as i64;
                }
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    fn write(&self, mut octets: &[u8], place: u64) -> Result<(), Errno> {
        let mut place = i64::try_from(place).map_err(|_| Errno::EFBIG)?;
        while !octets.is_empty() {
            match pwrite(&self.book, octets, place) {
                Ok(count) => {
                    octets = &octets[count..];
                    place += count as i64;
                }
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u8) -> Key {
        Key::Event(Id::from_bytes([number; 16]))
    }

    fn opened(book: &Book) -> Ledger {
        Ledger::open(book.0.try_clone().unwrap()).unwrap()
    }

    #[test]
    fn the_next_one_finds_what_was_settled_and_not_taken_away() {
        let book = Book::new().unwrap();
        let mut ledger = opened(&book);
        let session = Key::Session(Id::from_bytes([1; 16]));
        ledger.put(event(1), b"one");
        ledger.put(event(2), b"two");
        ledger.put(session, b"owes");
        ledger.settle().unwrap();
        ledger.remove(event(1));
        ledger.put(session, b"owes more");
        ledger.settle().unwrap();
        ledger.put(event(3), b"never settled");
        let left = opened(&book).entries().unwrap();
        let expected = [
            (event(2), b"two".to_vec()),
            (session, b"owes more".to_vec()),
        ];
        assert_eq!(left, expected);
    }

    #[test]
    fn a_record_that_is_not_whole_does_not_count_and_is_written_over() {
        let book = Book::new().unwrap();
        let mut ledger = opened(&book);
        ledger.put(event(1), b"one");
        ledger.settle().unwrap();
        let whole = ledger.end;
        ledger.put(event(2), &[7; 9000]);
        let torn = ledger.unwritten.clone();
        ledger.write(&torn[..torn.len() - 1], whole).unwrap();
        let mut next = opened(&book);
        assert_eq!(next.entries().unwrap(), [(event(1), b"one".to_vec())]);
        next.put(event(3), b"three");
        next.settle().unwrap();
        assert_eq!(opened(&book).entries().unwrap().len(), 2);
    }

    #[test]
    fn it_stays_small_however_much_passes_through_it() {
        let book = Book::new().unwrap();
        let mut ledger = opened(&book);
        ledger.put(event(0), b"stays");
        for number in 0..400u32 {
            let key = event(1 + (number % 200) as u8);
            ledger.put(key, &vec![1; 100 << 10]);
            ledger.settle().unwrap();
            ledger.remove(key);
            ledger.settle().unwrap();
        }
        let blocks = fstat(&book).unwrap().st_blocks * 512;
        assert!(blocks < 16 << 20, "{blocks} octets");
        assert_eq!(
            opened(&book).entries().unwrap(),
            [(event(0), b"stays".to_vec())]
        );
    }
}
