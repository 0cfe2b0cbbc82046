//! Hashes of crypt(3), as shadow(5) has them, and htpasswd(1)'s: which are cheap enough to be verified. Hashing is `sys`'s, or
//! of [`super::apache`].

use std::ffi::{CStr, CString};
use std::fmt;

use nix::errno::Errno;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{Secret, apache};
use crate::sys::crypt::crypt;

/// The longest hash, in octets (libxcrypt's own limit).
const LONGEST: usize = 384;
/// Rounds of sha256-crypt and sha512-crypt: by default 5,000, in some 3 ms.
const MOST_ROUNDS: u32 = 1_000_000;
/// The exponent of bcrypt's rounds: 5 by default, doubling the time each.
const HIGHEST_BCRYPT: u32 = 14;
/// yescrypt's N and r as exponent and factor: 128·N·r octets are 256 MiB. By default 12 and 32, which are 16 MiB.
const HIGHEST_YESCRYPT: (usize, usize) = (16, 32);

/// The hash of nobody: of the kind and the cost that distributions choose.
const NOBODYS: &str = "$y$j9T$WbUBFgBl9QQZovOc/Aspc.$...........................................";

/// The digits of crypt(3).
pub(super) const DIGITS: &[u8] =
    b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The digits of a hash by DES: two of the salt, and the encrypted block.
const DES: usize = 13;

/// A hash of crypt(3) or of htpasswd(1) that can be verified.
#[derive(Clone)]
#[cfg_attr(test, derive(PartialEq))]
pub struct Crypted {
    text: CString,
    method: Method,
}

/// What has made a hash.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    /// crypt(3), by all but its oldest method.
    Crypt,
    /// crypt(3) by DES, which looks at eight characters.
    Des,
    Apr1,
    Sha1,
}

/// Why a text is not such a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CryptError {
    /// Not of a method that is known here, or cut off.
    Unknown,
    /// Verifying would cost more than any honest hash does.
    Cost,
}

impl fmt::Display for CryptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CryptError::Unknown => f.write_str(
                "not a hash of crypt(3) by yescrypt, bcrypt, sha512-crypt, sha256-crypt, md5-crypt or DES, or of htpasswd",
            ),
            CryptError::Cost => f.write_str("the cost of the hash is above the limit"),
        }
    }
}

impl std::error::Error for CryptError {}

impl Crypted {
    /// Reads a hash. What is locked (`!…`, `*`), empty or of another method is none.
    pub fn parse(text: &[u8]) -> Result<Crypted, CryptError> {
        let plain = |octet: &u8| octet.is_ascii_graphic() && !b":;*!\\".contains(octet);
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        if text.len() > LONGEST || !text.iter().all(plain) {
            return Err(CryptError::Unknown);
        }
        let hash = |method| {
            let text = CString::new(text).map_err(|_| CryptError::Unknown)?;
            Ok(Crypted { text, method })
        };
        if text.len() == DES && text.iter().all(is_digit) {
            return hash(Method::Des);
        }
        if text.strip_prefix(apache::SHA1).is_some_and(apache::is_sha1) {
            return hash(Method::Sha1);
        }
        let method = salted(text)?;
        hash(method)
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Whether crypt(3) verifies it, as other programs do.
    pub fn is_of_crypt(&self) -> bool {
        matches!(self.method, Method::Crypt | Method::Des)
    }

    /// The method, where who reads the hash learns the password quickly.
    pub fn weakness(&self) -> Option<&'static str> {
        match self.method {
            Method::Crypt | Method::Apr1 => None,
            Method::Des => Some("DES, which ignores all behind 8 characters"),
            Method::Sha1 => Some("SHA-1 without a salt"),
        }
    }

    /// Checks a password, in a time that does not tell how much of the hash is right.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn verify(&self, secret: &Secret) -> Result<bool, Errno> {
        let password = secret.expose();
        let again = match self.method {
            Method::Crypt | Method::Des => return self.verify_by_crypt(password),
            Method::Apr1 => {
                let salt = self.as_bytes().split(|&octet| octet == b'$').nth(2);
                apache::apr1(password, salt.unwrap_or_default())
            }
            Method::Sha1 => apache::sha1(password),
        };
        Ok(again.ct_eq(self.as_bytes()).into())
    }

    fn verify_by_crypt(&self, password: &[u8]) -> Result<bool, Errno> {
        let mut phrase = Zeroizing::new(Vec::with_capacity(password.len() + 1));
        phrase.extend_from_slice(password);
        phrase.push(0);
        let Ok(phrase) = CStr::from_bytes_with_nul(&phrase) else {
            return Ok(false);
        };
        match crypt(phrase, &self.text) {
            Ok(hash) => Ok(hash.ct_eq(self.as_bytes()).into()),
            Err(Errno::ENOMEM) => Err(Errno::ENOMEM),
            // A phrase that is too long for the method, or a salt that it does not take.
            Err(_) => Ok(false),
        }
    }
}

/// What has made a hash with a salt, `$METHOD$…`, if it is whole and its cost can be borne.
fn salted(text: &[u8]) -> Result<Method, CryptError> {
    // What comes behind the cost: a salt and a hash of a known length.
    let mut parts = text.split(|&octet| octet == b'$').skip(1);
    let mut method = Method::Crypt;
    let mut next = || parts.next().unwrap_or_default();
    let (salt, hash, length) = match next() {
        b"y" => {
            yescrypt_cost(next())?;
            (next(), next(), 43)
        }
        b"2a" | b"2b" | b"2y" => {
            bcrypt_cost(next())?;
            // Salt and hash stand without anything between.
            let both = next();
            let salt = both.get(..22).unwrap_or_default();
            (salt, both.get(22..).unwrap_or_default(), 31)
        }
        b"6" => {
            let salt = sha_salt(&mut next)?;
            (salt, next(), 86)
        }
        b"5" => {
            let salt = sha_salt(&mut next)?;
            (salt, next(), 43)
        }
        b"1" => (next(), next(), 22),
        b"apr1" => {
            method = Method::Apr1;
            (next(), next(), apache::LENGTH)
        }
        _ => return Err(CryptError::Unknown),
    };
    if salt.is_empty()
        || method == Method::Apr1 && salt.len() > apache::SALT
        || hash.len() != length
        || !hash.iter().all(is_digit)
        || parts.next().is_some()
    {
        return Err(CryptError::Unknown);
    }
    Ok(method)
}

fn is_digit(octet: &u8) -> bool {
    DIGITS.contains(octet)
}

/// Does the work of verifying a hash, and forgets the outcome, so that the time of an answer does not tell whether there is
/// such a user.
pub(super) fn verify_nobodys(secret: &Secret) {
    let verified = Crypted::parse(NOBODYS.as_bytes()).map(|hash| hash.verify(secret));
    std::hint::black_box(verified.is_ok());
}

/// `j9T`: the flavour of the default, N and r. Further parameters have further digits and are not taken.
fn yescrypt_cost(text: &[u8]) -> Result<(), CryptError> {
    let number = |octet: u8| {
        DIGITS
            .iter()
            .position(|&digit| digit == octet)
            .map(|place| place + 1)
    };
    let [b'j', n, r] = *text else {
        return Err(CryptError::Unknown);
    };
    let (highest_n, highest_r) = HIGHEST_YESCRYPT;
    match (number(n), number(r)) {
        (Some(n), Some(r)) if n <= highest_n && r <= highest_r => Ok(()),
        (Some(_), Some(_)) => Err(CryptError::Cost),
        _ => Err(CryptError::Unknown),
    }
}

fn bcrypt_cost(text: &[u8]) -> Result<(), CryptError> {
    match decimal(text).filter(|_| text.len() == 2) {
        Some(4..=HIGHEST_BCRYPT) => Ok(()),
        Some(_) => Err(CryptError::Cost),
        None => Err(CryptError::Unknown),
    }
}

/// The salt of `$6$salt$…` or `$6$rounds=5000$salt$…`.
fn sha_salt<'a>(next: &mut impl FnMut() -> &'a [u8]) -> Result<&'a [u8], CryptError> {
    let first = next();
    let Some(rounds) = first.strip_prefix(b"rounds=") else {
        return Ok(first);
    };
    match decimal(rounds) {
        Some(..=MOST_ROUNDS) => Ok(next()),
        Some(_) => Err(CryptError::Cost),
        None => Err(CryptError::Unknown),
    }
}

fn decimal(text: &[u8]) -> Option<u32> {
    let digits = (1..=9).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text)
        .ok()
        .filter(|_| digits)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "hunter2", made with mkpasswd(1) of the package whois.
    const HASHES: [&str; 5] = [
        "$y$j9T$7.t6h4EA7gUVxFa2TrRWX.$wVS.YYkqtaSCu7lyfc9l4lCe8qnRvzH3xuWZ47LExn9",
        "$2b$05$PsA7uAn4PoIjFmmdTyMjNuUxpWVZ3vj38tW4AnRsf10GBGKlX7DFu",
        "$6$EVyMSiIMLhmHxZ1y$u3MNtDzMQZwnRXUBnvOJk9N01xrWo26z0tkEbOA1AGIzjJMr5igxEZE216eHh6efN0NqAydx.4AIg7xMY5zEk.",
        "$5$Eti7mtGs3PkRhtB.$M8kDk.1zLNjuAt4h6MidwOuD3nvwsNff4kolsCtKPVD",
        "$1$N9nC60I9$KeBmCD9jmIv8S143pVJrf1",
    ];

    fn verify(hash: &str, password: &[u8]) -> bool {
        let hash = Crypted::parse(hash.as_bytes()).unwrap();
        hash.verify(&Secret::new(password)).unwrap()
    }

    #[test]
    fn hashes_of_other_programs_are_verified() {
        for hash in HASHES {
            assert!(verify(hash, b"hunter2"), "{hash}");
            for wrong in [&b""[..], b"hunter3", b"hunter2\0", b"Hunter2", &[0xff; 600]] {
                assert!(!verify(hash, wrong), "{hash}");
            }
        }
    }

    /// "hunter2", made with htpasswd(1) of the package apache2-utils.
    const OLD: [&str; 3] = [
        "ZTgoMHBp3AyK.",
        "$apr1$PSniQN6n$NKdK5ltdwuTDLrQEC1jIA1",
        "{SHA}87u9ZqY9S/F0eUBXjsPQEDUw4h0=",
    ];

    #[test]
    fn old_hashes_of_htpasswd_are_verified() {
        for hash in OLD {
            assert!(verify(hash, b"hunter2"), "{hash}");
            for wrong in [&b""[..], b"hunter3", b"Hunter2"] {
                assert!(!verify(hash, wrong), "{hash}");
            }
        }
        let weak = OLD.map(|hash| {
            Crypted::parse(hash.as_bytes())
                .unwrap()
                .weakness()
                .is_some()
        });
        assert_eq!(weak, [true, false, true]);
    }

    #[test]
    fn what_is_cut_off_locked_or_old_is_no_hash() {
        for hash in HASHES {
            for end in 0..hash.len() {
                let cut = Crypted::parse(&hash.as_bytes()[..end]);
                assert_eq!(cut.err(), Some(CryptError::Unknown), "{}", &hash[..end]);
            }
            for locked in [
                format!("!{hash}"),
                format!("{hash}:"),
                format!("{hash}$"),
                format!("*{hash}"),
            ] {
                assert_eq!(
                    Crypted::parse(locked.as_bytes()).err(),
                    Some(CryptError::Unknown),
                    "{locked}"
                );
            }
        }
        for other in [
            "",
            "!",
            "*",
            "x",
            "rl0uE0wW2Wq1",
            "rl0uE0wW2Wq1kk",
            "rl0uE0wW2Wq1-",
            "{SHA}87u9ZqY9S/F0eUBXjsPQEDUw4h",
            "{SSHA}87u9ZqY9S/F0eUBXjsPQEDUw4h0=",
            "$apr1$saltsalt1$y4x4JzbQYkYzJMlqYIdfp1",
            "_J9..rasmBYk8r9AiWNc",
            "$3$$8846f7eaee8fb117ad06bdd830b7586c",
            "$2x$05$",
            "hunter2",
        ] {
            assert_eq!(
                Crypted::parse(other.as_bytes()).err(),
                Some(CryptError::Unknown),
                "{other}"
            );
        }
    }

    #[test]
    fn a_costly_hash_is_refused_before_any_work() {
        let [yescrypt, bcrypt, sha512, ..] = HASHES;
        for (hash, from, to) in [
            (yescrypt, "$j9T$", "$jFT$"),
            (yescrypt, "$j9T$", "$j9z$"),
            (bcrypt, "$05$", "$31$"),
            (bcrypt, "$05$", "$03$"),
            (sha512, "$6$", "$6$rounds=999999999$"),
        ] {
            let costly = hash.replacen(from, to, 1);
            assert_ne!(costly, hash);
            assert_eq!(
                Crypted::parse(costly.as_bytes()).err(),
                Some(CryptError::Cost),
                "{costly}"
            );
        }
        for odd in ["$6$rounds=$", "$6$rounds=-1$", "$6$rounds=9999999999$"] {
            let odd = sha512.replacen("$6$", odd, 1);
            assert_eq!(
                Crypted::parse(odd.as_bytes()).err(),
                Some(CryptError::Unknown),
                "{odd}"
            );
        }
    }

    #[test]
    fn nobodys_hash_is_one_that_is_worked_on() {
        assert!(Crypted::parse(NOBODYS.as_bytes()).is_ok());
    }
}
