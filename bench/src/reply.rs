//! Reads replies of a server (RFC 959 §4.2) and the address in a 227. Pure: bytes in, values out.

use crate::failure::Failure;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    /// The last line, with its code.
    pub(crate) text: String,
}

/// The first complete reply in `bytes` and how many bytes it takes; `None` when more bytes are needed.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Reply, usize)>, Failure> {
    let mut used = 0;
    let mut opening = None;
    while let Some(length) = bytes[used..].iter().position(|byte| *byte == b'\n') {
        let line = &bytes[used..used + length];
        used += length + 1;
        let text = String::from_utf8_lossy(line).trim_end().to_owned();
        let code = text.get(..3).and_then(|digits| digits.parse::<u16>().ok());
        match (opening, code, text.as_bytes().get(3)) {
            (None, Some(code), Some(b'-')) => opening = Some(code),
            (None, Some(code), Some(b' ') | None) => return Ok(Some((Reply { code, text }, used))),
            (None, _, _) => return Err(Failure::wrong(format!("not a reply: {text:?}"))),
            (Some(first), Some(code), Some(b' ') | None) if first == code => {
                return Ok(Some((Reply { code, text }, used)));
            }
            (Some(_), _, _) => {}
        }
    }
    Ok(None)
}

/// The port of `227 … (h1,h2,h3,h4,p1,p2)`. The address is not looked at: every server here is on loopback.
pub(crate) fn passive_port(text: &str) -> Option<u16> {
    let (_, numbers) = text.split_once('(')?;
    let (numbers, _) = numbers.split_once(')')?;
    let numbers: Vec<u8> = numbers
        .split(',')
        .map(|number| number.trim().parse())
        .collect::<Result<_, _>>()
        .ok()?;
    let [_, _, _, _, high, low] = numbers[..] else {
        return None;
    };
    Some(u16::from_be_bytes([high, low]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_of_one_line_ends_at_its_line() {
        let (reply, used) = parse(b"226 Done.\r\n230 next").unwrap().unwrap();
        assert_eq!(
            (reply.code, reply.text.as_str(), used),
            (226, "226 Done.", 11)
        );
    }

    #[test]
    fn a_reply_of_many_lines_ends_at_its_own_code() {
        let bytes = b"211-Features:\r\n 211 not the end\r\n212 nor this\r\n211 End\r\nrest";
        let (reply, used) = parse(bytes).unwrap().unwrap();
        assert_eq!((reply.code, used), (211, bytes.len() - 4));
        assert_eq!(parse(&bytes[..used - 1]).unwrap(), None);
    }

    #[test]
    fn a_line_without_a_code_is_a_failure() {
        assert!(parse(b"hello\r\n").is_err());
    }

    #[test]
    fn the_port_of_227_is_its_last_two_numbers() {
        assert_eq!(
            passive_port("227 Entering Passive Mode (127,0,0,1,58,153)."),
            Some(15001)
        );
        assert_eq!(passive_port("227 (127,0,0,1,58)"), None);
        assert_eq!(passive_port("227 (127,0,0,1,258,1)"), None);
    }
}
