//! Reads replies as RFC 959 §4.2 frames them and says what is wrong with any others. Pure: no I/O.
//! Not the product's parser: two that share a mistake would agree.

use std::borrow::Cow;
use std::fmt;

/// A whole reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub code: u16,
    /// The text of each line, without code and separator.
    pub lines: Vec<String>,
}

/// How the octets of replies become text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Text {
    /// They must be UTF-8.
    #[default]
    Utf8,
    /// Each is one character, whatever the server means by it.
    Octets,
    /// The same, and controls that end no line are let through: replies repeat names as they are.
    Names,
}

impl Text {
    fn read(self, octets: &[u8]) -> Option<Cow<'_, str>> {
        match self {
            Text::Utf8 => str::from_utf8(octets).ok().map(Cow::Borrowed),
            Text::Octets | Text::Names => Some(octets.iter().copied().map(char::from).collect()),
        }
    }
}

impl Reply {
    /// All text, lines joined with LF.
    pub fn text(&self) -> String {
        self.lines.join("\n")
    }

    /// Takes one whole reply in UTF-8 from the front of `octets`: `None` if more must come, else the reply and its length.
    pub fn take(octets: &[u8]) -> Result<Option<(Reply, usize)>, String> {
        Reply::take_as(octets, Text::Utf8)
    }

    /// The same for replies that may be in another charset.
    pub fn take_as(octets: &[u8], text: Text) -> Result<Option<(Reply, usize)>, String> {
        let mut reply: Option<Reply> = None;
        let mut at = 0;
        loop {
            let Some((line, length)) = line(&octets[at..], text)? else {
                return Ok(None);
            };
            at += length;
            let head = head(&line);
            match &mut reply {
                None => {
                    let (code, separator, text) =
                        head.ok_or_else(|| format!("does not begin with a code: {line:?}"))?;
                    let first = Reply {
                        code,
                        lines: vec![text.to_owned()],
                    };
                    if separator == ' ' {
                        return Ok(Some((first, at)));
                    }
                    reply = Some(first);
                }
                Some(reply) => match head {
                    Some((code, ' ', text)) if code == reply.code => {
                        reply.lines.push(text.to_owned());
                        return Ok(Some((reply.clone(), at)));
                    }
                    Some((code, '-', text)) if code == reply.code => {
                        reply.lines.push(text.to_owned())
                    }
                    // RFC 959 §4.2: a line that begins with a number must be padded.
                    _ if begins_with_number(&line) => {
                        let code = reply.code;
                        return Err(format!(
                            "line within a {code} reply is not padded: {line:?}"
                        ));
                    }
                    _ => reply.lines.push(line.into_owned()),
                },
            }
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.lines.join(" / "))
    }
}

/// The longest line that is taken for a line.
const LONGEST_LINE: usize = 8192;

/// The first line without CR LF, and its length with them. Anything but text and TAB is refused.
fn line(octets: &[u8], text: Text) -> Result<Option<(Cow<'_, str>, usize)>, String> {
    let Some(lf) = octets.iter().position(|&b| b == b'\n') else {
        return match octets.len() {
            0..LONGEST_LINE => Ok(None),
            length => Err(format!("no end of line in {length} octets")),
        };
    };
    let shown = octets[..=lf].escape_ascii();
    let Some(line) = octets[..lf].strip_suffix(b"\r") else {
        return Err(format!("line ends without CR: {shown}"));
    };
    let is_stray = |octet: u8| match text {
        Text::Names => matches!(octet, b'\r' | 0),
        Text::Utf8 | Text::Octets => (octet < b' ' && octet != b'\t') || octet == 0x7f,
    };
    if line.iter().any(|&octet| is_stray(octet)) {
        return Err(format!("control character in a reply: {shown}"));
    }
    let text = text
        .read(line)
        .ok_or_else(|| format!("not UTF-8: {shown}"))?;
    Ok(Some((text, lf + 1)))
}

fn begins_with_number(line: &str) -> bool {
    line.len() >= 3 && line.bytes().take(3).all(|octet| octet.is_ascii_digit())
}

/// Splits `250-text` into code, separator and text.
fn head(line: &str) -> Option<(u16, char, &str)> {
    let (digits, rest) = line.split_at_checked(3)?;
    let [b'1'..=b'5', b'0'..=b'5', b'0'..=b'9'] = digits.as_bytes() else {
        return None;
    };
    let separator = rest.chars().next().filter(|c| matches!(c, ' ' | '-'))?;
    Some((digits.parse().ok()?, separator, &rest[1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(octets: &str) -> Option<(u16, usize)> {
        Reply::take(octets.as_bytes())
            .unwrap()
            .map(|(reply, length)| (reply.code, length))
    }

    #[test]
    fn a_reply_ends_with_its_code_and_a_blank() {
        assert_eq!(taken("200 ok\r\n"), Some((200, 8)));
        assert_eq!(taken("213-a\r\ndrwx b\r\n213 c\r\n"), Some((213, 22)));
        assert_eq!(taken("211-a\r\n b\r\n211 c\r\nrest"), Some((211, 18)));
        assert_eq!(taken("211-a\r\n211-b\r\n211 c\r\n"), Some((211, 21)));
        for part in [
            "",
            "2",
            "200 ok",
            "200 ok\r",
            "211-a\r\n",
            "211-a\r\n 211 b\r\n",
        ] {
            assert_eq!(taken(part), None, "{part:?}");
        }
    }

    #[test]
    fn octets_of_another_charset_are_text_if_asked_for() {
        let (reply, _) = Reply::take_as(b"257 \"/\xdf\"\r\n", Text::Octets)
            .unwrap()
            .unwrap();
        assert_eq!(reply.text(), "\"/\u{df}\"");
        assert!(Reply::take_as(b"257 \x1b\r\n", Text::Octets).is_err());
        assert!(Reply::take_as(b"257 \x1b\r\n", Text::Names).is_ok());
        assert!(Reply::take_as(b"257 \r \r\n", Text::Names).is_err());
    }

    #[test]
    fn what_rfc_959_does_not_allow_is_an_error() {
        for bad in [
            "200 ok\n",
            "200 o\rk\r\n",
            "200 o\0k\r\n",
            "200\r\n",
            "200xok\r\n",
            "20 ok\r\n",
            "600 ok\r\n",
            "260 ok\r\n",
            "\r\n",
            "ok\r\n",
            "211-a\r\n200 b\r\n",
            "211-a\r\n200b\r\n",
            "211-a\r\n213-b\r\n",
        ] {
            assert!(Reply::take(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(Reply::take(&[b'2'; LONGEST_LINE]).is_err());
        assert!(Reply::take(b"200 \xff\r\n").is_err());
    }
}
