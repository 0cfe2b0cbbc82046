//! The types of passwords in the user file: how each is called and which is the stronger. Pure: computes no hash.

use std::fmt;

use super::nearest::nearest;
use crate::digest::{Algorithm, Jh, Recorded};

/// How a password is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// No password: every one is accepted.
    Null,
    /// The password itself.
    Plain,
    Md5,
    Sha1,
    Sha256,
    Sha512,
    Whirlpool,
    /// Only MetaFTPd makes those.
    Jh(Jh),
    /// The password itself, for MetaFTPd's logins by challenge. Only MetaFTPd makes those.
    Challenge,
    /// What crypt(3) made, taken over from elsewhere.
    Crypt,
    Argon2id,
}

impl Scheme {
    /// Those that new passwords may be kept as.
    pub const MADE: [Scheme; 9] = [
        Scheme::Argon2id,
        Scheme::Null,
        Scheme::Plain,
        Scheme::Md5,
        Scheme::Sha1,
        Scheme::Sha256,
        Scheme::Sha512,
        Scheme::Whirlpool,
        Scheme::Crypt,
    ];

    /// Those of entries that MetaFTPd made, which are verified and no more.
    pub const OLD: [Scheme; 5] = [
        Scheme::Jh(Jh::Jh224),
        Scheme::Jh(Jh::Jh256),
        Scheme::Jh(Jh::Jh384),
        Scheme::Jh(Jh::Jh512),
        Scheme::Challenge,
    ];

    /// Finds a type that a new password may be kept as.
    pub fn to_make(word: &str) -> Result<Scheme, NoScheme> {
        match Scheme::find(word)? {
            old if Scheme::OLD.contains(&old) => Err(NoScheme::Old(old)),
            scheme => Ok(scheme),
        }
    }

    /// Finds a type by its word in the file. SECURITY: `null` in another case was no password in MetaFTPd and is none here.
    pub fn find(word: &str) -> Result<Scheme, NoScheme> {
        match word {
            "null" => return Ok(Scheme::Null),
            "plain" | "plaintext" => return Ok(Scheme::Plain),
            "argon2id" => return Ok(Scheme::Argon2id),
            "crypt" => return Ok(Scheme::Crypt),
            "challenge" => return Ok(Scheme::Challenge),
            _ => {}
        }
        let shown = || word.chars().take(32).collect::<String>();
        match Algorithm::find(word) {
            Some(Algorithm::Md5) => Ok(Scheme::Md5),
            Some(Algorithm::Sha1) => Ok(Scheme::Sha1),
            Some(Algorithm::Sha256) => Ok(Scheme::Sha256),
            Some(Algorithm::Sha512) => Ok(Scheme::Sha512),
            Some(Algorithm::Whirlpool) => Ok(Scheme::Whirlpool),
            Some(Algorithm::Crc32 | Algorithm::Blake3) => Err(NoScheme::Refused(shown())),
            None => match Jh::find(word) {
                Some(jh) => Ok(Scheme::Jh(jh)),
                None => Err(NoScheme::Unknown(shown())),
            },
        }
    }

    /// The word that we write; MetaFTPd reads all but `argon2id` and `crypt`.
    pub fn name(self) -> &'static str {
        match self {
            Scheme::Null => "null",
            Scheme::Plain => "plain",
            Scheme::Argon2id => "argon2id",
            Scheme::Crypt => "crypt",
            Scheme::Challenge => "challenge",
            Scheme::Md5
            | Scheme::Sha1
            | Scheme::Sha256
            | Scheme::Sha512
            | Scheme::Whirlpool
            | Scheme::Jh(_) => self.digest().map_or("", Recorded::name),
        }
    }

    /// Whether somebody who reads the file finds such passwords with less work than those of the other type.
    pub fn is_weaker_than(self, other: Scheme) -> bool {
        self.strength() < other.strength()
    }

    fn strength(self) -> u8 {
        match self {
            Scheme::Null => 0,
            Scheme::Plain | Scheme::Challenge => 1,
            Scheme::Md5 => 2,
            Scheme::Sha1 => 3,
            Scheme::Sha256 | Scheme::Jh(Jh::Jh224 | Jh::Jh256) => 4,
            Scheme::Sha512 | Scheme::Whirlpool | Scheme::Jh(Jh::Jh384 | Jh::Jh512) => 5,
            Scheme::Crypt => 6,
            Scheme::Argon2id => 7,
        }
    }

    /// The digest that the old types are made with.
    pub fn digest(self) -> Option<Recorded> {
        Some(match self {
            Scheme::Md5 => Recorded::File(Algorithm::Md5),
            Scheme::Sha1 => Recorded::File(Algorithm::Sha1),
            Scheme::Sha256 => Recorded::File(Algorithm::Sha256),
            Scheme::Sha512 => Recorded::File(Algorithm::Sha512),
            Scheme::Whirlpool => Recorded::File(Algorithm::Whirlpool),
            Scheme::Jh(jh) => Recorded::Jh(jh),
            Scheme::Null | Scheme::Plain | Scheme::Challenge | Scheme::Crypt | Scheme::Argon2id => {
                return None;
            }
        })
    }
}

/// Why a word is no type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoScheme {
    /// A type of MetaFTPd that we do not verify.
    Refused(String),
    Unknown(String),
    /// A type that is verified, and not made.
    Old(Scheme),
}

impl fmt::Display for NoScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoScheme::Refused(name) => {
                write!(f, "passwords of type {name} are not supported: ")?;
                f.write_str("`ftpuser passwd` gives the user one of argon2id, the default")
            }
            NoScheme::Old(old) => {
                let name = old.name();
                write!(
                    f,
                    "entries of type {name} log in, but no new ones are made: "
                )?;
                f.write_str("argon2id, the default, is better, and MetaFTPd reads sha-512 too")
            }
            NoScheme::Unknown(name) => {
                write!(f, "unknown password type {name:?}")?;
                match nearest(name, Scheme::MADE.map(Scheme::name)) {
                    Some(near) => write!(f, ", did you mean {near:?}?"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl std::error::Error for NoScheme {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_found_by_the_name_that_is_written() {
        for scheme in Scheme::MADE {
            assert_eq!(Scheme::find(scheme.name()), Ok(scheme));
            assert_eq!(Scheme::to_make(scheme.name()), Ok(scheme));
        }
        for old in Scheme::OLD {
            assert_eq!(Scheme::find(old.name()), Ok(old));
            assert_eq!(Scheme::to_make(old.name()), Err(NoScheme::Old(old)));
        }
    }

    #[test]
    fn no_type_is_weaker_than_none_or_stronger_than_the_default() {
        for scheme in Scheme::MADE.into_iter().chain(Scheme::OLD) {
            assert!(
                !scheme.is_weaker_than(Scheme::Null) && !Scheme::Argon2id.is_weaker_than(scheme)
            );
        }
        assert!(Scheme::Md5.is_weaker_than(Scheme::Sha512));
    }
}
