//! The types of passwords in the user file: how each is called and which is the stronger. Pure: computes no hash.

use std::fmt;

use super::nearest::nearest;
use crate::digest::Algorithm;

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
    /// What crypt(3) made, taken over from elsewhere.
    Crypt,
    Argon2id,
}

impl Scheme {
    pub const ALL: [Scheme; 9] = [
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

    /// Finds a type by its word in the file. SECURITY: `null` in another case was no password in MetaFTPd and is none here.
    pub fn find(word: &str) -> Result<Scheme, NoScheme> {
        match word {
            "null" => return Ok(Scheme::Null),
            "plain" | "plaintext" => return Ok(Scheme::Plain),
            "argon2id" => return Ok(Scheme::Argon2id),
            "crypt" => return Ok(Scheme::Crypt),
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
            None => Err(match word.to_ascii_lowercase().as_str() {
                "challenge" | "jh-224" | "jh-256" | "jh-384" | "jh-512" => {
                    NoScheme::Refused(shown())
                }
                _ => NoScheme::Unknown(shown()),
            }),
        }
    }

    /// The word that we write; MetaFTPd reads all but `argon2id` and `crypt`.
    pub fn name(self) -> &'static str {
        match self {
            Scheme::Null => "null",
            Scheme::Plain => "plain",
            Scheme::Argon2id => "argon2id",
            Scheme::Crypt => "crypt",
            Scheme::Md5 | Scheme::Sha1 | Scheme::Sha256 | Scheme::Sha512 | Scheme::Whirlpool => {
                self.algorithm().map_or("", Algorithm::name)
            }
        }
    }

    /// Whether somebody who reads the file finds such passwords with less work than those of the other type.
    pub fn is_weaker_than(self, other: Scheme) -> bool {
        self.strength() < other.strength()
    }

    fn strength(self) -> u8 {
        match self {
            Scheme::Null => 0,
            Scheme::Plain => 1,
            Scheme::Md5 => 2,
            Scheme::Sha1 => 3,
            Scheme::Sha256 => 4,
            Scheme::Sha512 | Scheme::Whirlpool => 5,
            Scheme::Crypt => 6,
            Scheme::Argon2id => 7,
        }
    }

    /// The digest that the old types are made with.
    pub fn algorithm(self) -> Option<Algorithm> {
        match self {
            Scheme::Md5 => Some(Algorithm::Md5),
            Scheme::Sha1 => Some(Algorithm::Sha1),
            Scheme::Sha256 => Some(Algorithm::Sha256),
            Scheme::Sha512 => Some(Algorithm::Sha512),
            Scheme::Whirlpool => Some(Algorithm::Whirlpool),
            Scheme::Null | Scheme::Plain | Scheme::Crypt | Scheme::Argon2id => None,
        }
    }
}

/// Why a word is no type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoScheme {
    /// A type of MetaFTPd that we do not verify.
    Refused(String),
    Unknown(String),
}

impl fmt::Display for NoScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoScheme::Refused(name) => write!(f, "passwords of type {name} are not supported"),
            NoScheme::Unknown(name) => {
                write!(f, "unknown password type {name:?}")?;
                match nearest(name, Scheme::ALL.map(Scheme::name)) {
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
        for scheme in Scheme::ALL {
            assert_eq!(Scheme::find(scheme.name()), Ok(scheme));
        }
    }

    #[test]
    fn no_type_is_weaker_than_none_or_stronger_than_the_default() {
        for scheme in Scheme::ALL {
            assert!(
                !scheme.is_weaker_than(Scheme::Null) && !Scheme::Argon2id.is_weaker_than(scheme)
            );
        }
        assert!(Scheme::Md5.is_weaker_than(Scheme::Sha512));
    }
}
