//! Octets of a control connection to lines: CR LF or LF ends, Telnet commands removed (RFC 854), length limited.
//! Pure: no I/O.

use std::collections::VecDeque;

use zeroize::Zeroize;

/// The longest line, in octets without its end: the longest path and a verb.
pub const LONGEST_LINE: usize = 4200;
/// Room for lines that wait behind a transfer.
const ROOM: usize = 2 * LONGEST_LINE;
/// So many lines that were too long may wait.
const MOST_DROPPED: usize = 16;

/// What a line turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Input {
    Line(Vec<u8>),
    /// Longer than [`LONGEST_LINE`]; all of it is gone.
    TooLong,
    /// It held a NUL or a carriage return that ends nothing.
    Malformed,
}

/// Collects octets and hands out whole lines.
#[derive(Debug, Default)]
pub struct LineReader {
    /// Telnet-free octets that were not handed out yet.
    pending: Vec<u8>,
    /// Where in `pending` the line begins that is coming in.
    line_start: usize,
    telnet: Telnet,
    /// The line that is coming in is too long: drop it up to its end.
    overlong: bool,
    /// Lines too long already seen, to be told in their place: offsets in `pending` where one ended.
    dropped: VecDeque<usize>,
    /// Where in `pending` Interrupt Process or the Data Mark of a Synch came last (RFC 854): the line there is urgent.
    urgent: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Telnet {
    #[default]
    Data,
    /// After IAC.
    Command,
    /// After IAC WILL, WONT, DO or DONT.
    Option,
    /// Inside IAC SB … IAC SE.
    Subnegotiation,
    SubnegotiationCommand,
}

const IAC: u8 = 255;
const DATA_MARK: u8 = 242;
const INTERRUPT_PROCESS: u8 = 244;
const SB: u8 = 250;
const SE: u8 = 240;
const WILL: u8 = 251;
const DONT: u8 = 254;

impl LineReader {
    /// How many more octets may be pushed: reading stops at zero, so a flood stays in the kernel's buffer.
    pub fn room(&self) -> usize {
        if self.dropped.len() >= MOST_DROPPED {
            0
        } else if self.overlong {
            LONGEST_LINE
        } else {
            ROOM.saturating_sub(self.pending.len())
        }
    }

    /// Whether the line that is coming in is too long already: it may never end.
    pub fn is_overlong(&self) -> bool {
        self.overlong
    }

    /// Takes octets from the network; at most [`room`](Self::room) of them.
    pub fn push(&mut self, octets: &[u8]) {
        for &octet in octets {
            self.telnet = match (self.telnet, octet) {
                (Telnet::Data, IAC) => Telnet::Command,
                (Telnet::Data, _) => {
                    self.data(octet);
                    Telnet::Data
                }
                (Telnet::Command, IAC) => {
                    self.data(IAC);
                    Telnet::Data
                }
                (Telnet::Command, WILL..=DONT) => Telnet::Option,
                (Telnet::Command, SB) => Telnet::Subnegotiation,
                (Telnet::Command, INTERRUPT_PROCESS | DATA_MARK) => {
                    self.urgent = Some(self.pending.len());
                    Telnet::Data
                }
                (Telnet::Command | Telnet::Option, _) => Telnet::Data,
                (Telnet::Subnegotiation, IAC) => Telnet::SubnegotiationCommand,
                (Telnet::Subnegotiation, _) => Telnet::Subnegotiation,
                (Telnet::SubnegotiationCommand, SE) => Telnet::Data,
                (Telnet::SubnegotiationCommand, _) => Telnet::Subnegotiation,
            };
        }
    }

    fn data(&mut self, octet: u8) {
        if self.overlong {
            // SECURITY: the tail of an overlong line is never parsed as a command (CVE-2008-4242).
            if octet == b'\n' {
                self.overlong = false;
                self.dropped.push_back(self.pending.len());
            }
            return;
        }
        self.pending.push(octet);
        if octet == b'\n' {
            self.line_start = self.pending.len();
        } else if self.pending.len() - self.line_start > LONGEST_LINE + 1 {
            self.pending[self.line_start..].zeroize();
            self.pending.truncate(self.line_start);
            self.overlong = true;
        }
    }

    /// The next whole line without taking it, if it is a line at all.
    pub fn peek(&self) -> Option<&[u8]> {
        if self.dropped.front() == Some(&0) {
            return None;
        }
        let end = memchr::memchr(b'\n', &self.pending)?;
        Some(trim_end(&self.pending[..end]))
    }

    /// Whether nothing has arrived that was not taken.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
            && self.dropped.is_empty()
            && !self.overlong
            && self.telnet == Telnet::Data
    }

    /// The octets that have arrived of a line whose end has not.
    pub fn unfinished(&self) -> &[u8] {
        &self.pending[self.line_start..]
    }

    /// Takes the line that the client marked as urgent if `wanted` says so, whatever waits before it.
    pub fn take_urgent(&mut self, wanted: impl FnOnce(&[u8]) -> bool) -> bool {
        let Some(mark) = self.urgent else {
            return false;
        };
        let start = memchr::memrchr(b'\n', &self.pending[..mark]).map_or(0, |end| end + 1);
        let Some(length) = memchr::memchr(b'\n', &self.pending[start..]) else {
            return false;
        };
        // One chance: later lines are ordinary again.
        self.urgent = None;
        let end = start + length + 1;
        if !wanted(trim_end(&self.pending[start..end - 1])) {
            return false;
        }
        self.cut(start, end);
        true
    }

    /// Removes octets; what moves down leaves nothing behind, for a password may have been there.
    fn cut(&mut self, start: usize, end: usize) {
        let gone = end - start;
        self.pending.copy_within(end.., start);
        let kept = self.pending.len() - gone;
        self.pending[kept..].zeroize();
        self.pending.truncate(kept);
        let moved = |offset: usize| {
            if offset >= end {
                offset - gone
            } else {
                offset.min(start)
            }
        };
        self.line_start = moved(self.line_start);
        for offset in &mut self.dropped {
            *offset = moved(*offset);
        }
        // The mark went with its line.
        self.urgent = self.urgent.filter(|&mark| mark >= end).map(moved);
    }

    /// Takes the next whole line.
    pub fn take(&mut self) -> Option<Input> {
        if self.dropped.front() == Some(&0) {
            self.dropped.pop_front();
            return Some(Input::TooLong);
        }
        let end = memchr::memchr(b'\n', &self.pending)?;
        let line = trim_end(&self.pending[..end]).to_vec();
        self.cut(0, end + 1);
        if line.len() > LONGEST_LINE {
            Some(Input::TooLong)
        } else if line.iter().any(|&b| b == 0 || b == b'\r') {
            Some(Input::Malformed)
        } else {
            Some(Input::Line(line))
        }
    }
}

fn trim_end(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_abor(line: &[u8]) -> bool {
        line == b"ABOR"
    }

    #[test]
    fn an_urgent_line_overtakes_what_waits() {
        let mut reader = LineReader::default();
        reader.push(b"NOOP\r\nQUIT\r\n\xff\xf4\xff\xf2ABOR\r\nSTAT\r\n");
        assert!(reader.take_urgent(is_abor));
        assert!(!reader.take_urgent(is_abor));
        let rest: Vec<Input> = std::iter::from_fn(|| reader.take()).collect();
        let line = |text: &str| Input::Line(text.as_bytes().to_vec());
        assert_eq!(rest, [line("NOOP"), line("QUIT"), line("STAT")]);
    }

    #[test]
    fn a_line_without_a_mark_is_not_urgent() {
        let mut reader = LineReader::default();
        reader.push(b"NOOP\r\nABOR\r\n");
        assert!(!reader.take_urgent(is_abor));
        // A mark on another line is used up by it; one before a line that is still coming waits for it.
        reader.push(b"\xff\xf4QUIT\r\nABOR\r\n");
        assert!(!reader.take_urgent(is_abor));
        assert!(!reader.take_urgent(is_abor));
        reader.push(b"\xff\xf2AB");
        assert!(!reader.take_urgent(is_abor));
        reader.push(b"OR\r\n");
        assert!(reader.take_urgent(is_abor));
        assert_eq!(std::iter::from_fn(|| reader.take()).count(), 4);
    }

    #[test]
    fn an_urgent_line_is_found_behind_one_that_was_too_long() {
        let mut reader = LineReader::default();
        let long = [&[b'x'; LONGEST_LINE + 100][..], b"\r\n"].concat();
        for octets in [b"CWD a\r\n", &long[..], b"\xff\xf4\xff\xf2ABOR\r\n"] {
            reader.push(octets);
        }
        assert!(reader.take_urgent(is_abor));
        assert_eq!(reader.take(), Some(Input::Line(b"CWD a".to_vec())));
        assert_eq!(reader.take(), Some(Input::TooLong));
        assert_eq!(reader.take(), None);
    }

    fn lines(octets: &[u8]) -> Vec<Input> {
        let mut reader = LineReader::default();
        let mut found = Vec::new();
        for chunk in octets.chunks(7) {
            reader.push(chunk);
            while let Some(input) = reader.take() {
                found.push(input);
            }
        }
        found
    }

    fn line(text: &str) -> Input {
        Input::Line(text.as_bytes().to_vec())
    }

    #[test]
    fn both_line_ends_are_understood() {
        assert_eq!(lines(b"NOOP\r\nPWD\nrest"), [line("NOOP"), line("PWD")]);
        assert_eq!(lines(b"\r\n\n"), [line(""), line("")]);
    }

    #[test]
    fn the_tail_of_an_overlong_line_is_not_a_command() {
        for length in [LONGEST_LINE + 3, 5000, 65536, 1 << 20] {
            let mut octets = vec![b'A'; length];
            octets.extend_from_slice(b" DELE x\r\nNOOP\r\n");
            assert_eq!(lines(&octets), [Input::TooLong, line("NOOP")], "{length}");
        }
        let longest = "A".repeat(LONGEST_LINE);
        assert_eq!(lines(format!("{longest}\r\n").as_bytes()), [line(&longest)]);
        assert_eq!(
            lines(format!("{longest}B\r\nPWD\r\n").as_bytes()),
            [Input::TooLong, line("PWD")]
        );
    }

    #[test]
    fn overlong_lines_are_told_in_their_place() {
        let mut reader = LineReader::default();
        let mut octets = b"ONE\r\n".to_vec();
        octets.extend_from_slice(&[b'A'; 5000]);
        octets.extend_from_slice(b"\r\nTWO\r\n");
        for chunk in octets.chunks(100) {
            reader.push(chunk);
        }
        assert_eq!(reader.peek(), Some(&b"ONE"[..]));
        assert_eq!(reader.take(), Some(line("ONE")));
        assert_eq!(reader.peek(), None);
        assert_eq!(reader.take(), Some(Input::TooLong));
        assert_eq!(reader.take(), Some(line("TWO")));
        assert_eq!(reader.take(), None);
    }

    #[test]
    fn nul_and_bare_carriage_return_are_malformed() {
        assert_eq!(
            lines(b"DELE a\0b\r\nDELE a\rb\r\n"),
            [Input::Malformed, Input::Malformed]
        );
    }

    #[test]
    fn telnet_commands_are_removed_and_doubled_iac_is_an_octet() {
        assert_eq!(lines(b"\xff\xf4\xff\xf2ABOR\r\n"), [line("ABOR")]);
        assert_eq!(
            lines(b"A\xff\xfb\x01B\xff\xfa\x18\x00\xff\xf0C\r\n"),
            [line("ABC")]
        );
        assert_eq!(lines(b"\xff\xffx\n"), [Input::Line(b"\xffx".to_vec())]);
    }

    proptest! {
        #[test]
        fn any_octets_give_bounded_clean_lines(octets in proptest::collection::vec(any::<u8>(), 0..20_000)) {
            for input in lines(&octets) {
                if let Input::Line(line) = input {
                    prop_assert!(line.len() <= LONGEST_LINE);
                    prop_assert!(!line.iter().any(|b| matches!(b, 0 | b'\r' | b'\n')));
                }
            }
        }

        #[test]
        fn the_buffer_stays_bounded(octets in proptest::collection::vec(any::<u8>(), 0..60_000)) {
            let mut reader = LineReader::default();
            let mut rest = &octets[..];
            while !rest.is_empty() {
                let room = reader.room().min(rest.len()).min(1000);
                if room == 0 {
                    prop_assert!(reader.take().is_some());
                    continue;
                }
                reader.push(&rest[..room]);
                rest = &rest[room..];
                prop_assert!(reader.pending.len() <= ROOM);
                prop_assert!(reader.dropped.len() <= MOST_DROPPED + 1);
            }
        }
    }
}
