//! Listings in the charset of the client. A listing is lines, and all of a line that is not ASCII is names. Pure: no I/O.

use memchr::memrchr;

use super::{Fault, Stage};
use crate::charset::Charset;

/// Disk to wire, line by line, so that nothing that belongs together is cut.
#[derive(Debug)]
pub struct ToWire {
    charset: Charset,
    /// The beginning of a line that is still to end.
    held: Vec<u8>,
}

impl ToWire {
    pub fn new(charset: Charset) -> ToWire {
        ToWire {
            charset,
            held: Vec::new(),
        }
    }

    /// Appends whole lines, each with its end; the last one may lack it.
    fn put(&self, lines: &[u8], out: &mut Vec<u8>) {
        for line in lines.split_inclusive(|&octet| octet == b'\n') {
            let end = if line.ends_with(b"\r\n") {
                2
            } else {
                usize::from(line.ends_with(b"\n"))
            };
            let (names, end) = line.split_at(line.len() - end);
            self.charset.append_wire(names, out);
            out.extend_from_slice(end);
        }
    }
}

impl Stage for ToWire {
    fn push(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let whole = memrchr(b'\n', input).map_or(0, |end| end + 1);
        let (lines, begun) = input.split_at(whole);
        if let Some(first) = lines.iter().position(|&octet| octet == b'\n') {
            let (first, others) = lines.split_at(first + 1);
            if self.held.is_empty() {
                self.put(lines, out);
            } else {
                self.held.extend_from_slice(first);
                self.put(&self.held, out);
                self.held.clear();
                self.put(others, out);
            }
        }
        self.held.extend_from_slice(begun);
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        self.put(&self.held, out);
        self.held.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(charset: Charset, listing: &[u8], chunk: usize) -> Vec<u8> {
        let mut stage = ToWire::new(charset);
        let mut out = Vec::new();
        for piece in listing.chunks(chunk) {
            stage.push(piece, &mut out).unwrap();
        }
        stage.finish(&mut out).unwrap();
        out
    }

    #[test]
    fn names_are_converted_at_every_split() {
        let listing =
            "-rw-r--r--   1 иван     users          12 Jan  1 00:00 файл\r\nя%u{41}\r\n日\r\nя";
        let wire = b"-rw-r--r--   1 \xe8\xe2\xe0\xed     users          12 Jan  1 00:00 \xf4\xe0\xe9\xeb\r\n\xff%u{25}u{41}\r\n%u{65E5}\r\n\xff";
        let charset = Charset::find("windows-1251").unwrap();
        for chunk in 1..=listing.len() {
            assert_eq!(
                run(charset, listing.as_bytes(), chunk),
                wire,
                "chunks of {chunk}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_listing_is_its_names_one_by_one(
            names in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..12), 0..6), chunk in 1usize..30
        ) {
            let line_end = |octet: &u8| matches!(octet, b'\r' | b'\n');
            let names: Vec<_> = names.into_iter().filter(|name| !name.iter().any(line_end)).collect();
            let listing: Vec<u8> = names.iter().flat_map(|name| [name, &b"\r\n"[..]].concat()).collect();
            for charset in Charset::all() {
                let expected: Vec<u8> =
                    names.iter().flat_map(|name| [&*charset.to_wire(name), b"\r\n"].concat()).collect();
                prop_assert_eq!(run(charset, &listing, chunk), expected);
            }
        }
    }
}
