//! Lines of a file that may be long, and of which nobody knows what they are.

use std::io::{self, BufRead, BufReader, Read};

/// The longest line that is read as one, in octets: a path with every octet escaped in JSON, and all digests.
const LONGEST_LINE: u64 = 64 * 1024;

/// Reads line after line.
pub(crate) struct Lines<R> {
    reader: BufReader<R>,
    end: u8,
    failed: bool,
}

pub(crate) enum Line {
    /// Without its end.
    Whole(Vec<u8>),
    /// It was passed over; what begins in the middle of a line is no line.
    TooLong,
}

impl<R: Read> Lines<R> {
    /// Lines that end with this octet; the last one need not.
    pub(crate) fn new(reader: R, end: u8) -> Lines<R> {
        Lines {
            reader: BufReader::with_capacity(64 * 1024, reader),
            end,
            failed: false,
        }
    }

    fn read(&mut self) -> io::Result<Option<Line>> {
        let mut line = Vec::new();
        let mut limited = (&mut self.reader).take(LONGEST_LINE);
        if limited.read_until(self.end, &mut line)? == 0 {
            return Ok(None);
        }
        if line.pop_if(|last| *last == self.end).is_none() && line.len() as u64 == LONGEST_LINE {
            self.reader.skip_until(self.end)?;
            return Ok(Some(Line::TooLong));
        }
        if self.end == b'\n' {
            line.pop_if(|last| *last == b'\r');
        }
        Ok(Some(Line::Whole(line)))
    }
}

impl<R: Read> Iterator for Lines<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<io::Result<Line>> {
        // What failed once would fail for ever.
        let next = if self.failed {
            None
        } else {
            self.read().transpose()
        };
        self.failed |= matches!(next, Some(Err(_)));
        next
    }
}
