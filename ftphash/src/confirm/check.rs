//! Whether a local file is what a server's digest is of. A digest may be of the file as it is, of a part, or of its lines as
//! TYPE A sends them; what fits is tried, most likely first.

use std::io::{self, Read};
use std::path::Path;

use common::digest::{Algorithm, Digest};
use common::stage::Stage;
use common::stage::ascii::ToWire;

use crate::measure::{Buffer, Measure};
use crate::source::{Source, changed};
use crate::verdict::Verdict;

/// Octets that are made ready for the wire at a time.
const PIECE: usize = 128 << 10;

/// What a digest may be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) start: u64,
    /// The octet behind the last one; `None` is the end of the file.
    pub(super) end: Option<u64>,
    pub(super) form: Form,
}

/// How the octets were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As they are.
    Image,
    /// With CR LF at the ends of lines (TYPE A).
    Ascii,
}

/// What a server told of a file.
#[derive(Debug, PartialEq)]
pub(super) enum Claim {
    Digest {
        algorithm: Algorithm,
        digest: Digest,
        /// At least one.
        readings: Vec<Reading>,
    },
    /// In octets.
    Size(u64),
}

impl Claim {
    /// Compares sizes, or looks for a reading of the file that the digest is of.
    ///
    /// # Errors
    /// The file cannot be read, or changes meanwhile.
    pub(super) fn check(
        &self,
        path: &Path,
        measure: &Measure<'_>,
        buffer: &mut Buffer,
    ) -> io::Result<Verdict> {
        let (algorithm, digest, readings) = match self {
            Claim::Digest {
                algorithm,
                digest,
                readings,
            } => (*algorithm, digest, readings),
            Claim::Size(told) => return Ok(of_size(Source::open(path)?.size(), *told)),
        };
        for reading in readings {
            let (found, size) = reading.digest(path, algorithm, measure, buffer)?;
            if found.as_ref() == Some(digest) {
                return Ok(reading.verdict(size));
            }
        }
        Ok(Verdict::Failed)
    }
}

/// What the octets that were moved say about a file of this size.
fn of_size(size: Option<u64>, told: u64) -> Verdict {
    match size {
        Some(size) if size == told => Verdict::OkFor("size alone".to_owned()),
        // What went on after REST has fewer octets than its file.
        Some(size) if size > told => Verdict::Unknown("fewer octets than the file has".to_owned()),
        _ => Verdict::Failed,
    }
}

impl Reading {
    /// The digest of what the reading has of a file, if it has that much; and the size of the file, if that is known.
    fn digest(
        self,
        path: &Path,
        algorithm: Algorithm,
        measure: &Measure<'_>,
        buffer: &mut Buffer,
    ) -> io::Result<(Option<Digest>, Option<u64>)> {
        let mut source = Source::open(path)?;
        let size = source.size();
        if (self.start, self.end, self.form) == (0, None, Form::Image) {
            let measured = measure.digests(source, &[algorithm], buffer)?;
            return Ok((measured.digests.into_iter().next(), size));
        }
        let known = size.unwrap_or(0);
        if self.start > known || self.end.is_some_and(|end| end > known || end < self.start) {
            return Ok((None, size));
        }
        source.skip_to(self.start)?;
        let length = self.end.unwrap_or(known) - self.start;
        let mut part = Counted::new((&mut source).take(length));
        let measured = match self.form {
            Form::Image => measure.in_line(&mut part, &[algorithm], buffer)?,
            Form::Ascii => measure.in_line(&mut Ascii::new(&mut part), &[algorithm], buffer)?,
        };
        if part.count != length {
            return Err(changed());
        }
        source.check_unchanged(known)?;
        Ok((measured.digests.into_iter().next(), size))
    }

    /// What a match says about the file.
    fn verdict(self, size: Option<u64>) -> Verdict {
        let size = size.unwrap_or(0);
        let mut limits = Vec::new();
        match self.end.filter(|&end| end < size) {
            Some(end) if end == self.start => limits.push("no octet".to_owned()),
            Some(end) => limits.push(format!("octets {} to {}", self.start, end - 1)),
            None if self.start > 0 => limits.push(format!("octets from {} on", self.start)),
            None => {}
        }
        if self.form == Form::Ascii {
            limits.push("in TYPE A".to_owned());
        }
        match limits.is_empty() {
            true => Verdict::Ok,
            false => Verdict::OkFor(limits.join(", ")),
        }
    }
}

/// Counts what is read.
struct Counted<R> {
    reader: R,
    count: u64,
}

impl<R> Counted<R> {
    fn new(reader: R) -> Counted<R> {
        Counted { reader, count: 0 }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.count += count as u64;
        Ok(count)
    }
}

/// A file's lines as they are on the wire.
struct Ascii<R> {
    reader: R,
    stage: ToWire,
    piece: Vec<u8>,
    ready: Vec<u8>,
    taken: usize,
}

impl<R> Ascii<R> {
    fn new(reader: R) -> Ascii<R> {
        Ascii {
            reader,
            stage: ToWire::default(),
            piece: vec![0; PIECE],
            ready: Vec::new(),
            taken: 0,
        }
    }
}

impl<R: Read> Read for Ascii<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.ready.len() {
            let count = self.reader.read(&mut self.piece)?;
            self.ready.clear();
            self.taken = 0;
            // It takes everything as it comes, and keeps nothing back.
            let pushed = self.stage.push(&self.piece[..count], &mut self.ready);
            pushed.map_err(|_| io::Error::other("no text"))?;
        }
        let left = &self.ready[self.taken..];
        let count = left.len().min(buffer.len());
        buffer[..count].copy_from_slice(&left[..count]);
        self.taken += count;
        Ok(count)
    }
}
