//! Charsets of names on the wire: names on disk are octets, normally UTF-8, and a client with another charset sends and
//! sees them in that one. What the charset cannot say is escaped (`escape.rs` says how), so that no name is lost. Pure: no I/O.
//!
//! Offered are charsets that contain ASCII as it is and have no state: then `/` is `/` and nothing else, text can be
//! converted piece by piece, and the escapes, which are ASCII, can stand anywhere.

mod escape;

use std::borrow::Cow;
use std::fmt;

use encoding_rs::{
    BIG5, DecoderResult, EUC_JP, EUC_KR, EncoderResult, Encoding, GB18030, GBK, IBM866,
    ISO_2022_JP, ISO_8859_2, ISO_8859_3, ISO_8859_4, ISO_8859_5, ISO_8859_6, ISO_8859_7,
    ISO_8859_8, ISO_8859_8_I, ISO_8859_10, ISO_8859_13, ISO_8859_14, ISO_8859_15, ISO_8859_16,
    KOI8_R, KOI8_U, MACINTOSH, REPLACEMENT, SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_874,
    WINDOWS_1250, WINDOWS_1251, WINDOWS_1252, WINDOWS_1253, WINDOWS_1254, WINDOWS_1255,
    WINDOWS_1256, WINDOWS_1257, WINDOWS_1258, X_MAC_CYRILLIC, X_USER_DEFINED,
};

use self::escape::Escaped;

/// A charset that names can have on the wire. UTF-8 means that octets pass as they are, whatever they are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Charset(&'static Encoding);

#[rustfmt::skip]
const OFFERED: &[&Encoding] = &[
    UTF_8, BIG5, EUC_JP, EUC_KR, GB18030, GBK, IBM866, ISO_8859_2, ISO_8859_3, ISO_8859_4, ISO_8859_5, ISO_8859_6,
    ISO_8859_7, ISO_8859_8, ISO_8859_8_I, ISO_8859_10, ISO_8859_13, ISO_8859_14, ISO_8859_15, ISO_8859_16, KOI8_R,
    KOI8_U, MACINTOSH, SHIFT_JIS, WINDOWS_874, WINDOWS_1250, WINDOWS_1251, WINDOWS_1252, WINDOWS_1253, WINDOWS_1254,
    WINDOWS_1255, WINDOWS_1256, WINDOWS_1257, WINDOWS_1258, X_MAC_CYRILLIC,
];

/// Names that Windows gives its code pages and the Encoding Standard does not know.
const CODE_PAGES: &[(&str, &Encoding)] = &[
    ("cp874", WINDOWS_874),
    ("cp932", SHIFT_JIS),
    ("cp936", GBK),
    ("cp949", EUC_KR),
    ("cp950", BIG5),
];

/// Why a word is not the name of a charset that names can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    Unknown,
    /// Known, but not for names; the reason.
    NotForNames(&'static str),
}

/// The octets are no text in the charset of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotText;

impl Charset {
    /// Octets pass as they are.
    pub const UTF_8: Charset = Charset(UTF_8);

    /// All that are offered.
    pub fn all() -> impl Iterator<Item = Charset> {
        OFFERED.iter().copied().map(Charset)
    }

    /// Finds a charset by any of its names in the Encoding Standard, or by the number of its code page, in any case.
    pub fn find(name: &str) -> Result<Charset, Unusable> {
        let code_page = CODE_PAGES
            .iter()
            .find(|(page, _)| page.eq_ignore_ascii_case(name))
            .map(|&(_, encoding)| encoding);
        let encoding = code_page
            .or_else(|| Encoding::for_label(name.as_bytes()))
            .ok_or(Unusable::Unknown)?;
        if OFFERED.contains(&encoding) {
            return Ok(Charset(encoding));
        }
        Err(if encoding == ISO_2022_JP {
            Unusable::NotForNames("what its octets mean depends on those before them")
        } else if encoding == UTF_16BE || encoding == UTF_16LE {
            Unusable::NotForNames("its text is full of NUL octets")
        } else if encoding == X_USER_DEFINED {
            Unusable::NotForNames("its octets are no characters")
        } else {
            debug_assert!(encoding == REPLACEMENT);
            Unusable::NotForNames("it is unsafe, and nothing converts to it")
        })
    }

    /// The name in the Encoding Standard.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Whether octets pass as they are.
    pub fn is_transparent(self) -> bool {
        self == Charset::UTF_8
    }

    /// The place among those that are offered, by which one half of a session tells the other.
    pub fn number(self) -> u8 {
        (0u8..)
            .zip(OFFERED)
            .find(|(_, offered)| **offered == self.0)
            .map_or(0, |(number, _)| number)
    }

    /// The charset at a place among those that are offered.
    pub fn from_number(number: u8) -> Option<Charset> {
        OFFERED.get(usize::from(number)).copied().map(Charset)
    }

    /// What a client typed, as it is on disk.
    ///
    /// # Errors
    /// The octets are no text in this charset: no name is better than a mangled one.
    pub fn to_disk(self, typed: &[u8]) -> Result<Cow<'_, [u8]>, NotText> {
        if self.is_transparent() {
            return Ok(Cow::Borrowed(typed));
        }
        let text = self
            .0
            .decode_without_bom_handling_and_without_replacement(typed)
            .ok_or(NotText)?;
        if text.contains('%') {
            return Ok(Cow::Owned(escape::undo(&text)));
        }
        Ok(match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        })
    }

    /// What is on disk, as the client sees it: [`to_disk`](Self::to_disk) of it is `octets` again.
    pub fn to_wire(self, octets: &[u8]) -> Cow<'_, [u8]> {
        if self.is_transparent() || is_plain(octets) {
            return Cow::Borrowed(octets);
        }
        let mut wire = Vec::with_capacity(octets.len() * 2);
        self.append_wire(octets, &mut wire);
        Cow::Owned(wire)
    }

    /// Appends what is on disk as the client sees it.
    pub fn append_wire(self, octets: &[u8], out: &mut Vec<u8>) {
        if self.is_transparent() || is_plain(octets) {
            out.extend_from_slice(octets);
            return;
        }
        for chunk in octets.utf8_chunks() {
            let mut rest = chunk.valid();
            while let Some((at, special)) = escape::find(rest) {
                self.put_run(&rest[..at], out);
                escape::put(Escaped::Character(special), out);
                rest = &rest[at + special.len_utf8()..];
            }
            self.put_run(rest, out);
            for &octet in chunk.invalid() {
                escape::put(Escaped::Octet(octet), out);
            }
        }
    }

    /// Appends text without anything that must be escaped in every charset.
    fn put_run(self, text: &str, out: &mut Vec<u8>) {
        if text.is_ascii() {
            out.extend_from_slice(text.as_bytes());
            return;
        }
        if self.put_exactly(text, out) {
            return;
        }
        for character in text.chars() {
            if !self.put_exactly(character.encode_utf8(&mut [0; 4]), out) {
                escape::put(Escaped::Character(character), out);
            }
        }
    }

    /// Appends the text if it comes back as the same. In some charsets octets that can be written for a character are
    /// read as another one, so that this must be tried.
    fn put_exactly(self, text: &str, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let mut encoder = self.0.new_encoder();
        let Some(most) = encoder.max_buffer_length_from_utf8_without_replacement(text.len()) else {
            return false;
        };
        out.resize(start + most, 0);
        let (result, _, written) =
            encoder.encode_from_utf8_without_replacement(text, &mut out[start..], true);
        out.truncate(start + written);
        let exact = result == EncoderResult::InputEmpty && self.reads(&out[start..], text);
        if !exact {
            out.truncate(start);
        }
        exact
    }

    /// Whether the octets are read as the text.
    fn reads(self, octets: &[u8], text: &str) -> bool {
        let mut decoder = self.0.new_decoder_without_bom_handling();
        let (mut octets, mut text) = (octets, text.as_bytes());
        let mut buffer = [0; 256];
        loop {
            let (result, read, written) =
                decoder.decode_to_utf8_without_replacement(octets, &mut buffer, true);
            let Some(rest) = text.strip_prefix(&buffer[..written]) else {
                return false;
            };
            (octets, text) = (&octets[read..], rest);
            match result {
                DecoderResult::InputEmpty => return text.is_empty(),
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => return false,
            }
        }
    }
}

impl fmt::Debug for Charset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether the octets are the same in every charset.
fn is_plain(octets: &[u8]) -> bool {
    octets.is_ascii() && memchr::memchr3(b'%', b'\r', b'\n', octets).is_none()
}

#[cfg(test)]
mod tests;
