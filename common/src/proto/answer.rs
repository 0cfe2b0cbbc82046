//! Replies of a server as its client reads them (RFC 959 §4.2): lines to values, strictly and within limits. Pure: no I/O.

use super::line::Input;
use super::reply::{Code, Line, Mark, Reply};

/// The most lines of one reply: a listing in the reply to STAT has many.
const MOST_LINES: usize = 4096;
/// The most octets of one reply.
const MOST_OCTETS: usize = 256 << 10;

/// What a reply says about the command (RFC 959 §4.2.1), by its first digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Another reply follows.
    Preliminary,
    Complete,
    /// The server waits for more.
    Intermediate,
    /// It may work later.
    Transient,
    Permanent,
}

/// A whole reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    code: Code,
    /// The text without codes; the last one ended it.
    lines: Vec<Vec<u8>>,
}

/// Why what came is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerFault {
    /// A line without a code where a reply has to begin.
    NoCode,
    /// A line or a reply is too long.
    TooLong,
    /// A line holds a NUL or a bare carriage return.
    Malformed,
}

impl AnswerFault {
    /// The fault in words.
    pub fn text(self) -> &'static str {
        match self {
            AnswerFault::NoCode => "it sent a line that is no reply",
            AnswerFault::TooLong => "it sent a reply that does not end",
            AnswerFault::Malformed => "it sent a line with a NUL or a bare CR",
        }
    }
}

impl Answer {
    pub fn code(&self) -> Code {
        self.code
    }

    pub fn outcome(&self) -> Outcome {
        match self.code.number() {
            ..200 => Outcome::Preliminary,
            200..300 => Outcome::Complete,
            300..400 => Outcome::Intermediate,
            400..500 => Outcome::Transient,
            500.. => Outcome::Permanent,
        }
    }

    /// The text of the last line.
    pub fn text(&self) -> &[u8] {
        self.lines.last().map_or(b"", Vec::as_slice)
    }

    /// The lines between the first and the last one.
    pub fn between(&self) -> &[Vec<u8>] {
        match &self.lines[..] {
            [_, between @ .., _] => between,
            _ => &[],
        }
    }

    /// The same reply as one of our own, under the same code.
    pub fn relay(self) -> Reply {
        let code = self.code;
        self.relay_as(code)
    }

    /// The same text as a reply of our own under another code.
    pub fn relay_as(self, code: Code) -> Reply {
        let mut lines = self.lines.into_iter().map(Line::from);
        let first = lines.next().unwrap_or_default();
        let mut rest: Vec<Line> = lines.collect();
        match rest.pop() {
            Some(last) => Reply::block(code, first, rest, last),
            None => Reply::new(code, first),
        }
    }

    /// The text of a preliminary reply as a mark of our own.
    pub fn mark(&self) -> Mark {
        Mark::new(self.text().to_vec())
    }
}

/// Puts replies together.
#[derive(Debug, Default)]
pub struct Assembler {
    /// Of a reply whose last line has not come yet.
    code: Option<Code>,
    lines: Vec<Vec<u8>>,
    octets: usize,
}

impl Assembler {
    /// Whether a reply has begun and not ended.
    pub fn is_within(&self) -> bool {
        self.code.is_some()
    }

    /// Takes the next line; `Some` if it was the last one of a reply.
    ///
    /// # Errors
    /// It is no line of a reply: what follows cannot be understood either.
    pub fn push(&mut self, input: Input) -> Result<Option<Answer>, AnswerFault> {
        let line = match input {
            Input::Line(line) => line,
            Input::TooLong => return Err(AnswerFault::TooLong),
            Input::Malformed => return Err(AnswerFault::Malformed),
        };
        self.octets += line.len() + 2;
        if self.octets > MOST_OCTETS || self.lines.len() >= MOST_LINES {
            return Err(AnswerFault::TooLong);
        }
        let (code, follows) = match (self.code, head(&line)) {
            (None, None) => return Err(AnswerFault::NoCode),
            (None, Some(head)) => head,
            (Some(begun), Some((code, follows))) if begun == code => (code, follows),
            // RFC 959 §4.2: lines between may hold anything else.
            (Some(_), _) => {
                self.lines.push(line);
                return Ok(None);
            }
        };
        self.lines.push(line.get(4..).unwrap_or_default().to_vec());
        self.code = Some(code);
        if follows {
            return Ok(None);
        }
        *self = Assembler {
            lines: std::mem::take(&mut self.lines),
            ..Assembler::default()
        };
        Ok(Some(Answer {
            code,
            lines: std::mem::take(&mut self.lines),
        }))
    }
}

/// The code of a line that begins with one, and whether more lines follow.
fn head(line: &[u8]) -> Option<(Code, bool)> {
    let (digits, rest) = line.split_at_checked(3)?;
    let follows = match rest.first() {
        Some(b'-') => true,
        Some(b' ') | None => false,
        Some(_) => return None,
    };
    let number = digits.iter().try_fold(0u16, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u16::from(digit - b'0'))?;
        Some(number * 10 + digit)
    })?;
    Some((Code::of_server(number)?, follows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::line::LineReader;
    use proptest::prelude::*;

    fn answers(octets: &[u8]) -> Result<Vec<Answer>, AnswerFault> {
        let mut reader = LineReader::default();
        let (mut assembler, mut found) = (Assembler::default(), Vec::new());
        for chunk in octets.chunks(100) {
            reader.push(chunk);
            while let Some(input) = reader.take() {
                found.extend(assembler.push(input)?);
            }
        }
        Ok(found)
    }

    fn relayed(octets: &[u8]) -> String {
        let mut out = Vec::new();
        for answer in answers(octets).unwrap() {
            answer.relay().encode(&mut out);
        }
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn replies_of_one_line_and_of_several_come_out_as_they_went_in() {
        for text in [
            "220 Hello.\r\n",
            "211-Features:\r\n MDTM\r\n SIZE\r\n211 End\r\n",
            "230-Welcome\r\nto this\r\n230 server.\r\n331 Password?\r\n",
            "226 \r\n",
        ] {
            assert_eq!(relayed(text.as_bytes()), text);
        }
        // A code alone, and a code before each line.
        assert_eq!(relayed(b"226\r\n"), "226 \r\n");
        assert_eq!(
            relayed(b"211-a\r\n211-b\r\n211 c\r\n"),
            "211-a\r\nb\r\n211 c\r\n"
        );
    }

    #[test]
    fn row_85_another_code_does_not_end_a_reply_and_cannot_begin_one_for_our_client() {
        let text = relayed(b"220-a\r\n230 Logged in\r\n220x\r\n220 b\r\n");
        assert_eq!(text, "220-a\r\n 230 Logged in\r\n 220x\r\n220 b\r\n");
    }

    #[test]
    fn what_is_no_reply_is_a_fault() {
        for text in [
            "Hello\r\n",
            "22 x\r\n",
            "2200 x\r\n",
            "\r\n",
            "000 x\r\n",
            "699 x\r\n",
            "22a x\r\n",
            "SSH-2.0-x\r\n",
        ] {
            assert_eq!(answers(text.as_bytes()), Err(AnswerFault::NoCode), "{text}");
        }
        assert_eq!(answers(b"220 a\rb\r\n"), Err(AnswerFault::Malformed));
        assert_eq!(answers(b"220 a\0b\r\n"), Err(AnswerFault::Malformed));
    }

    #[test]
    fn row_85_a_reply_without_end_is_a_fault_and_not_memory() {
        let long = [&b"220 "[..], &[b'x'; 10_000], b"\r\n"].concat();
        assert_eq!(answers(&long), Err(AnswerFault::TooLong));
        let endless = b"220-x\r\n".repeat(MOST_LINES + 1);
        assert_eq!(answers(&endless), Err(AnswerFault::TooLong));
        let wide = [&b"220-"[..], &[b'x'; 4000], b"\r\n"].concat().repeat(100);
        assert_eq!(answers(&wide), Err(AnswerFault::TooLong));
    }

    proptest! {
        #[test]
        fn whatever_a_server_sends_our_client_gets_whole_replies(octets: Vec<u8>, code in 100u16..700) {
            let octets = [format!("{code}-").as_bytes(), &octets, b"\r\n", format!("{code} x\r\n").as_bytes()].concat();
            if let Ok(found) = answers(&octets) {
                for answer in found {
                    let mut out = Vec::new();
                    let code = answer.code().number();
                    answer.relay().encode(&mut out);
                    let again = answers(&out).unwrap();
                    prop_assert_eq!(again.len(), 1);
                    prop_assert_eq!(again[0].code().number(), code);
                }
            }
        }
    }
}
