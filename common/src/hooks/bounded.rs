//! Octets of bounded length, as events carry them. Pure: no I/O.

use std::fmt;

/// Up to `LONGEST` octets, without NUL: they can be an argument of a program.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Bounded<const LONGEST: usize>(Vec<u8>);

/// A path: that of the jail's root and a virtual one below it.
pub type Path = Bounded<8192>;

/// A name of a user or a group.
pub type Name = Bounded<255>;

/// A line of text, such as a reply or the reason of an end.
pub type Text = Bounded<512>;

/// The octets are more than an event may carry, or there is a NUL among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too long for an event, or with a NUL")
    }
}

impl std::error::Error for TooLong {}

impl<const LONGEST: usize> Bounded<LONGEST> {
    pub const LONGEST: usize = LONGEST;

    /// Takes octets as they are, or not at all: what is cut would be the name of something else.
    pub fn new(octets: impl Into<Vec<u8>>) -> Result<Self, TooLong> {
        let octets = octets.into();
        if octets.len() > LONGEST || octets.contains(&0) {
            return Err(TooLong);
        }
        Ok(Bounded(octets))
    }

    /// Takes what fits, for text that only people read.
    pub fn cut(text: &str) -> Self {
        let mut octets = Vec::new();
        for character in text.chars().filter(|&c| c != '\0') {
            if octets.len() + character.len_utf8() > LONGEST {
                break;
            }
            octets.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        Bounded(octets)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl<const LONGEST: usize> fmt::Debug for Bounded<LONGEST> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_are_taken_whole_or_not_at_all() {
        assert_eq!(Name::new(*b"fr\xffd").unwrap().as_bytes(), b"fr\xffd");
        assert!(Name::new([b'a'; 255]).is_ok());
        assert_eq!(Name::new([b'a'; 256]), Err(TooLong));
        assert_eq!(Name::new(*b"a\0b"), Err(TooLong));
        assert_eq!(Text::cut(&"é".repeat(300)).as_bytes().len(), 512);
        assert_eq!(Text::cut("a\0b").as_bytes(), b"ab");
    }
}
