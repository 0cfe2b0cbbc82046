//! Cuts a stream into lines with one buffer of fixed size; a longer line is told, never held. Knows nothing of records.

use std::io::{self, Read};

use zeroize::Zeroize;

/// Large enough that a file of 100,000 users is some sixty reads.
const BUFFER: usize = 128 * 1024;

/// The lines of a file that holds secrets: the buffer is wiped at the end.
pub(in crate::auth) struct Lines<R> {
    source: R,
    buffer: Vec<u8>,
    /// How far the buffer was ever filled: only so much of it is touched, and wiped.
    touched: usize,
    /// What of the buffer is filled and not yet told.
    start: usize,
    end: usize,
    number: u64,
    longest: usize,
    /// The last line told was too long, and its end has not been seen.
    skipping: bool,
}

/// One line without its LF.
#[derive(Debug, PartialEq)]
pub(in crate::auth) struct Line<'a> {
    /// Counts from 1.
    pub(in crate::auth) number: u64,
    /// The whole line, or of one that is too long its first `longest + 1` octets.
    pub(in crate::auth) octets: &'a [u8],
}

impl<R: Read> Lines<R> {
    pub(in crate::auth) fn new(source: R, longest: usize) -> Lines<R> {
        Lines {
            source,
            buffer: vec![0; BUFFER.max(longest + 2)],
            touched: 0,
            start: 0,
            end: 0,
            number: 0,
            longest,
            skipping: false,
        }
    }

    /// The next line; the last one may lack its LF.
    pub(in crate::auth) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        let (from, length) = loop {
            let held = &self.buffer[self.start..self.end];
            let newline = memchr::memchr(b'\n', held);
            let (length, taken) = match newline {
                Some(place) => (place, place + 1),
                None if held.len() > self.longest => (held.len(), held.len()),
                None if self.fill()? => continue,
                None if self.start == self.end => return Ok(None),
                None => (self.end - self.start, self.end - self.start),
            };
            let from = self.start;
            self.start += taken;
            // The line goes on where neither an LF nor the end of the file was seen; at the end there is no more to skip.
            if std::mem::replace(&mut self.skipping, newline.is_none()) {
                continue;
            }
            break (from, length);
        };
        self.number += 1;
        let length = length.min(self.longest + 1);
        Ok(Some(Line {
            number: self.number,
            octets: &self.buffer[from..from + length],
        }))
    }

    /// Reads more behind what is held; `false` at the end of the file.
    fn fill(&mut self) -> io::Result<bool> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        loop {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(count) => {
                    self.end += count;
                    self.touched = self.touched.max(self.end);
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl<R> Drop for Lines<R> {
    fn drop(&mut self) {
        self.buffer[..self.touched].zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives one octet at a time or as much as there is room for.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(buffer.len()).min(self.0.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn lines(octets: &[u8], piece: usize, longest: usize) -> Vec<(u64, Vec<u8>)> {
        let mut lines = Lines::new(Pieces(octets, piece), longest);
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            all.push((line.number, line.octets.to_vec()));
        }
        all
    }

    #[test]
    fn a_line_that_fills_the_buffer_is_told_once_and_cut() {
        let mut octets = vec![b'x'; 3 * BUFFER];
        octets.extend_from_slice(b"\nfred\n");
        let all = lines(&octets, usize::MAX, 1000);
        assert_eq!(all, [(1, vec![b'x'; 1001]), (2, b"fred".to_vec())]);
    }

    #[test]
    fn the_longest_line_is_whole() {
        let octets = [
            &[b'x'; 9][..],
            b"\n",
            &[b'y'; 10],
            b"\n",
            &[b'z'; 11],
            b"\n",
        ]
        .concat();
        let lengths: Vec<_> = lines(&octets, 1, 9)
            .iter()
            .map(|(_, line)| line.len())
            .collect();
        assert_eq!(lengths, [9, 10, 10]);
    }

    proptest! {
        #[test]
        fn lines_are_those_of_split(octets in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..200),
                                    piece in 1usize..50, longest in 0usize..40) {
            let mut expected: Vec<_> = octets.split(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
            expected.pop_if(|last| last.is_empty());
            for line in &mut expected {
                line.truncate(longest + 1);
            }
            let told: Vec<_> = lines(&octets, piece, longest).into_iter().map(|(_, line)| line).collect();
            prop_assert_eq!(told, expected);
        }
    }
}
