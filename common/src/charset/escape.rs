//! The form in which a name shows what its charset cannot say. Pure: no I/O.
//!
//! - `%u{20AC}` is the character of that number (hexadecimal, one to six digits).
//! - `%x{E9}` is the octet of that value, 80 to FF, for names that are not UTF-8.
//!
//! Escaped are characters that the charset lacks, octets that are no UTF-8, CR and LF, and a `%` that would begin an escape
//! otherwise: `100%` stays as it is, and a file that is really called `%u{41}` is shown as `%u{25}u{41}`.
//!
//! SECURITY: only what may need an escape is read from one. `%u{2F}` is no hidden slash and `%u{2E}` no hidden dot: they
//! stand for themselves, like anything else that only looks like an escape.

/// What an escape stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escaped {
    Character(char),
    Octet(u8),
}

/// Appends the escape.
pub(super) fn put(escaped: Escaped, out: &mut Vec<u8>) {
    let text = match escaped {
        Escaped::Character(character) => format!("%u{{{:X}}}", u32::from(character)),
        Escaped::Octet(octet) => format!("%x{{{octet:X}}}"),
    };
    out.extend_from_slice(text.as_bytes());
}

/// The first character that is escaped whatever the charset is, and where it stands.
pub(super) fn find(text: &str) -> Option<(usize, char)> {
    text.char_indices().find(|&(at, character)| {
        matches!(character, '\r' | '\n') || (character == '%' && begins(&text[at + 1..]))
    })
}

/// Whether a `%` before this text would begin an escape.
fn begins(text: &str) -> bool {
    text.starts_with("u{") || text.starts_with("x{")
}

/// The octets on disk that the text of a client stands for.
pub(super) fn undo(text: &str) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        octets.extend_from_slice(before.as_bytes());
        rest = match read(after) {
            Some((Escaped::Character(character), rest)) => {
                octets.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest
            }
            Some((Escaped::Octet(octet), rest)) => {
                octets.push(octet);
                rest
            }
            None => {
                octets.push(b'%');
                after
            }
        };
    }
    octets.extend_from_slice(rest.as_bytes());
    octets
}

/// Reads an escape whose `%` was taken, and gives what follows it.
fn read(text: &str) -> Option<(Escaped, &str)> {
    if !begins(text) {
        return None;
    }
    let (kind, inner) = text.split_once('{')?;
    let (digits, rest) = inner.split_once('}')?;
    // Checked here, since from_str_radix lets a plus sign pass.
    if digits.len() > 6 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let number = u32::from_str_radix(digits, 16).ok()?;
    let escaped = if kind == "x" {
        u8::try_from(number)
            .ok()
            .filter(|octet| !octet.is_ascii())
            .map(Escaped::Octet)
    } else {
        char::from_u32(number)
            .filter(|c| !c.is_ascii() || matches!(c, '%' | '\r' | '\n'))
            .map(Escaped::Character)
    };
    Some((escaped?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_stands_for_a_character_or_an_octet() {
        assert_eq!(undo("a%u{20AC}b%u{e9}"), "a€bé".as_bytes());
        assert_eq!(undo("%x{FF}%x{80}"), b"\xff\x80");
        assert_eq!(undo("%u{10FFFF}"), "\u{10ffff}".as_bytes());
        assert_eq!(undo("%u{D}%u{A}%u{25}u{41}"), b"\r\n%u{41}");
    }

    #[test]
    fn what_only_looks_like_an_escape_stands_for_itself() {
        for text in [
            "100%",
            "%",
            "%%",
            "%41",
            "%u",
            "%u{",
            "%u{}",
            "%u{+E9}",
            "%u{E9",
            "%u{1234567}",
            "%u{110000}",
            "%u{D800}",
            "%u{G}",
            "%U{E9}",
            "%x{100}",
            "%x{ E9}",
            "%{E9}",
        ] {
            assert_eq!(undo(text), text.as_bytes());
        }
    }

    #[test]
    fn no_escape_hides_a_separator_or_a_dot() {
        for text in [
            "%u{2F}",
            "%u{2f}",
            "%u{00002F}",
            "%u{2E}%u{2E}",
            "%u{0}",
            "%x{2F}",
            "%x{00}",
            "%x{2E}",
        ] {
            assert_eq!(undo(text), text.as_bytes());
        }
    }
}
