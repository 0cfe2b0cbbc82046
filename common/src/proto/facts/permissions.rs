//! The mode bits that a client may ask for. Pure: no I/O.

use std::fmt;

/// Read, write and execute for owner, group and others.
///
/// SECURITY: setuid, setgid and sticky have no value of this type, so no path through the program can set them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permissions(u16);

/// What [`Permissions`] holds.
const BITS: u16 = 0o777;
/// All mode bits that there are.
const ALL: u16 = 0o7777;

impl Permissions {
    /// Takes exactly these bits; `None` where there are others.
    pub fn new(bits: u16) -> Option<Permissions> {
        (bits & !BITS == 0).then_some(Permissions(bits))
    }

    /// Takes these bits and leaves others out.
    pub fn of(mode: u32) -> Permissions {
        Permissions(u16::try_from(mode & u32::from(BITS)).unwrap_or(0))
    }

    /// Reads an octal number as chmod(1) has it. Setuid, setgid and sticky may be named and are left out.
    pub fn parse(octal: &[u8]) -> Option<Permissions> {
        if !octal.iter().all(|digit| (b'0'..=b'7').contains(digit)) {
            return None;
        }
        let bits = u16::from_str_radix(std::str::from_utf8(octal).ok()?, 8).ok()?;
        (bits & !ALL == 0).then_some(Permissions(bits & BITS))
    }

    pub fn bits(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03o}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octal_numbers_are_read_and_nothing_else() {
        let parsed = |text: &str| Permissions::parse(text.as_bytes()).map(Permissions::bits);
        assert_eq!(parsed("644"), Some(0o644));
        assert_eq!(parsed("00644"), Some(0o644));
        assert_eq!(parsed("0"), Some(0));
        for text in [
            "",
            "8",
            "-1",
            "+7",
            "64 4",
            "u+x",
            "0x1ff",
            "10000",
            "777777777",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }

    #[test]
    fn no_bits_but_nine_can_be_had() {
        for bits in 0..=u16::MAX {
            assert_eq!(Permissions::new(bits).is_some(), bits <= 0o777);
        }
        for bits in 0..=0o7777u16 {
            let parsed = Permissions::parse(format!("{bits:o}").as_bytes()).unwrap();
            assert_eq!(parsed.bits(), bits & 0o777);
        }
    }
}
