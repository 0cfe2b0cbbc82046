//! Stored passwords: MetaFTPd's digests as they are, argon2id for what is new. No I/O but fresh salts.

use std::fmt;

use argon2::password_hash::phc::{ParamsString, PasswordHash, Salt};
use argon2::{ARGON2ID_IDENT, Argon2, Params, Version};
use subtle::ConstantTimeEq;

use super::record::{FieldError, Name, RecordError, field};
use crate::auth::{CryptError, Crypted, Secret};
use crate::digest::{Digest, Recorded, hex};
use crate::settings::{Cost, Scheme};

/// The length of argon2id salts and of MetaFTPd's, in octets.
const SALT: usize = 16;
const OLD_SALT: usize = 20;
/// The length of a new argon2id hash, and the shortest that is verified, in octets.
const HASH: usize = 32;
const SHORTEST_HASH: usize = 16;

/// What a password check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    Accept,
    Refuse,
}

impl From<bool> for Verdict {
    fn from(equal: bool) -> Self {
        if equal {
            Verdict::Accept
        } else {
            Verdict::Refuse
        }
    }
}

/// Why a password could not be stored or checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordError {
    Empty,
    /// No `PASS` line can carry it: it holds CR, LF or NUL.
    Unsendable,
    /// The scheme would put the password itself into the file, which cannot hold it.
    Field(FieldError),
    /// It should have been a hash of crypt(3).
    Crypt(CryptError),
    /// The memory that the hash wants is not there.
    OutOfMemory,
    /// The system has no random octets for the salt.
    NoSalt,
}

impl From<CryptError> for PasswordError {
    fn from(error: CryptError) -> Self {
        PasswordError::Crypt(error)
    }
}

impl From<FieldError> for PasswordError {
    fn from(error: FieldError) -> Self {
        PasswordError::Field(error)
    }
}

impl fmt::Display for PasswordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PasswordError::Empty => f.write_str("the password is empty"),
            PasswordError::Unsendable => {
                f.write_str("the password holds a line break or NUL, which FTP cannot send")
            }
            PasswordError::Field(error) => error.fmt(f),
            PasswordError::Crypt(error) => error.fmt(f),
            PasswordError::OutOfMemory => f.write_str("not enough memory for the password's hash"),
            PasswordError::NoSalt => f.write_str("the system gives no random octets"),
        }
    }
}

impl std::error::Error for PasswordError {}

/// The type, salt and secret of a record.
#[derive(Clone)]
#[cfg_attr(test, derive(PartialEq))]
pub struct Stored(Kept);

#[derive(Clone)]
#[cfg_attr(test, derive(PartialEq))]
enum Kept {
    Nothing,
    /// The password itself. For a challenge it is as any other: no greeting of ours has one.
    Clear(Scheme, Secret),
    /// HASH(name ‖ salt ‖ password) of MetaFTPd; the salt is used as the text that stands in the file.
    Digest(Scheme, Recorded, Vec<u8>, Digest),
    Crypt(Crypted),
    Argon2id(Box<PasswordHash>),
}

impl Stored {
    /// Prepares a password for the file. `name` as the record will have it; `Null` ignores the password, and all but
    /// argon2id the cost. For `Crypt` the hash comes in the place of the password.
    pub fn new(
        scheme: Scheme,
        cost: Cost,
        name: &Name,
        secret: &Secret,
    ) -> Result<Stored, PasswordError> {
        let octets = secret.expose();
        if scheme == Scheme::Null {
            return Ok(Stored(Kept::Nothing));
        }
        if octets.is_empty() {
            return Err(PasswordError::Empty);
        }
        if octets.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)) {
            return Err(PasswordError::Unsendable);
        }
        let kept = match scheme.digest() {
            Some(recorded) => {
                let salt = hex(&random::<OLD_SALT>()?).into_bytes();
                let digest = recorded.digest(&[name.as_bytes(), &salt, octets]);
                Kept::Digest(scheme, recorded, salt, digest)
            }
            None if matches!(scheme, Scheme::Plain | Scheme::Challenge) => {
                field("password", octets)?;
                Kept::Clear(scheme, secret.clone())
            }
            None if scheme == Scheme::Crypt => Kept::Crypt(Crypted::parse(octets)?),
            None => Kept::Argon2id(Box::new(argon2id(cost, secret, &random::<SALT>()?)?)),
        };
        Ok(Stored(kept))
    }

    /// Takes over a hash that another program made: argon2id in PHC's form, or one of crypt(3) or htpasswd(1).
    pub fn of_hash(hash: &[u8]) -> Result<Stored, RecordError> {
        let scheme = match hash.starts_with(b"$argon2id$") {
            true => Scheme::Argon2id,
            false => Scheme::Crypt,
        };
        Stored::parse(scheme.name().as_bytes(), b"", hash)
    }

    /// The hash of crypt(3) or htpasswd(1), where it is one.
    pub fn crypted(&self) -> Option<&Crypted> {
        match &self.0 {
            Kept::Crypt(hash) => Some(hash),
            _ => None,
        }
    }

    /// Reads the three fields of a record.
    pub(super) fn parse(word: &[u8], salt: &[u8], secret: &[u8]) -> Result<Stored, RecordError> {
        let scheme = Scheme::find(&String::from_utf8_lossy(word))?;
        field("salt", salt)?;
        if scheme == Scheme::Null {
            return Ok(Stored(Kept::Nothing));
        }
        field("secret", secret)?;
        if secret.is_empty() {
            return Err(RecordError::EmptySecret);
        }
        let kept = match scheme.digest() {
            Some(recorded) => {
                let digest = Digest::from_hex(secret)
                    .filter(|digest| digest.as_bytes().len() == recorded.length())
                    .ok_or(RecordError::Secret("the hex digest of its type"))?;
                Kept::Digest(scheme, recorded, salt.to_vec(), digest)
            }
            None if matches!(scheme, Scheme::Plain | Scheme::Challenge) => {
                Kept::Clear(scheme, Secret::new(secret))
            }
            None if !salt.is_empty() => {
                return Err(RecordError::Secret("alone: such a hash has its own salt"));
            }
            None if scheme == Scheme::Crypt => Kept::Crypt(Crypted::parse(secret)?),
            None => Kept::Argon2id(Box::new(parse_argon2id(secret)?)),
        };
        Ok(Stored(kept))
    }

    /// The fields `type:salt:secret`.
    pub(super) fn encode(&self) -> Vec<u8> {
        let name = self.scheme().name();
        match &self.0 {
            Kept::Nothing => format!("{name}::").into_bytes(),
            Kept::Clear(_, secret) => [format!("{name}::").as_bytes(), secret.expose()].concat(),
            Kept::Digest(_, _, salt, digest) => [
                format!("{name}:").as_bytes(),
                salt,
                format!(":{digest}").as_bytes(),
            ]
            .concat(),
            Kept::Crypt(hash) => [format!("{name}::").as_bytes(), hash.as_bytes()].concat(),
            Kept::Argon2id(hash) => format!("{name}::{hash}").into_bytes(),
        }
    }

    pub fn scheme(&self) -> Scheme {
        match &self.0 {
            Kept::Nothing => Scheme::Null,
            Kept::Clear(scheme, _) | Kept::Digest(scheme, ..) => *scheme,
            Kept::Crypt(_) => Scheme::Crypt,
            Kept::Argon2id(_) => Scheme::Argon2id,
        }
    }

    /// What verifying costs, for argon2id.
    pub fn cost(&self) -> Option<Cost> {
        match &self.0 {
            Kept::Argon2id(hash) => cost(hash),
            Kept::Nothing | Kept::Clear(..) | Kept::Digest(..) | Kept::Crypt(_) => None,
        }
    }

    pub(super) fn verify(&self, name: &Name, secret: &Secret) -> Result<Verdict, PasswordError> {
        let equal = match &self.0 {
            Kept::Nothing => true,
            Kept::Clear(_, stored) => stored == secret,
            Kept::Digest(_, recorded, salt, digest) => {
                let given = recorded.digest(&[name.as_bytes(), salt, secret.expose()]);
                given.as_bytes().ct_eq(digest.as_bytes()).into()
            }
            Kept::Crypt(hash) => hash
                .verify(secret)
                .map_err(|_| PasswordError::OutOfMemory)?,
            Kept::Argon2id(stored) => verify_argon2id(stored, secret)?,
        };
        Ok(Verdict::from(equal))
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stored({}…)", self.scheme().name())
    }
}

/// Does the work of reading and verifying a new record, and forgets the outcome, so that the time of an answer does not tell
/// whether there is such a user.
pub fn verify_nobody(cost: Cost, secret: &Secret) {
    let line = format!(
        "$argon2id$v=19${cost}${}${}",
        "A".repeat(22),
        "A".repeat(43)
    );
    // Without the memory there is no time to spend either; a real user's check would have failed as well.
    let verified = parse_argon2id(line.as_bytes()).map(|hash| verify_argon2id(&hash, secret));
    std::hint::black_box(verified.is_ok());
}

fn verify_argon2id(stored: &PasswordHash, secret: &Secret) -> Result<bool, PasswordError> {
    let Some((context, salt, hash)) = parts(stored) else {
        return Ok(false);
    };
    let mut given = vec![0; hash.len()];
    context
        .hash_password_into(secret.expose(), salt, &mut given)
        .map_err(|_| PasswordError::OutOfMemory)?;
    Ok(given.ct_eq(hash).into())
}

fn argon2id(cost: Cost, secret: &Secret, salt: &[u8; SALT]) -> Result<PasswordHash, PasswordError> {
    // A cost is within the limits, lengths and names are constants: the only failure that is left is a lack of memory.
    let failed = || PasswordError::OutOfMemory;
    let params =
        Params::new(cost.memory, cost.passes, cost.lanes, Some(HASH)).map_err(|_| failed())?;
    let written = ParamsString::try_from(&params).map_err(|_| failed())?;
    let mut hash = [0; HASH];
    Argon2::new(argon2::Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(secret.expose(), salt, &mut hash)
        .map_err(|_| failed())?;
    Ok(PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: written,
        salt: Some(Salt::new(salt).map_err(|_| failed())?),
        hash: Some(hash.as_slice().try_into().map_err(|_| failed())?),
    })
}

/// Reads a PHC string, and refuses before any work what would cost too much.
fn parse_argon2id(secret: &[u8]) -> Result<PasswordHash, RecordError> {
    let stored = std::str::from_utf8(secret)
        .ok()
        .and_then(|text| PasswordHash::new(text).ok())
        .filter(|stored| stored.algorithm == ARGON2ID_IDENT && parts(stored).is_some())
        .ok_or(RecordError::Secret("a PHC string of argon2id"))?;
    // SECURITY: one record must not be able to take the machine's memory or hours of its time.
    if !cost(&stored).is_some_and(Cost::is_bearable) {
        return Err(RecordError::Cost);
    }
    Ok(stored)
}

fn cost(stored: &PasswordHash) -> Option<Cost> {
    let params = Params::try_from(stored).ok()?;
    Some(Cost {
        memory: params.m_cost(),
        passes: params.t_cost(),
        lanes: params.p_cost(),
    })
}

/// The function, the salt and the hash of a PHC string; `None` where one is missing, unknown or too short.
fn parts(stored: &PasswordHash) -> Option<(Argon2<'static>, &[u8], &[u8])> {
    let version = match stored.version {
        Some(version) => Version::try_from(version).ok()?,
        None => Version::V0x10,
    };
    let params = Params::try_from(stored).ok()?;
    let salt = stored.salt.as_ref()?.as_ref();
    let hash = stored.hash.as_ref()?.as_bytes();
    let context = Argon2::new(argon2::Algorithm::Argon2id, version, params);
    (hash.len() >= SHORTEST_HASH).then_some((context, salt, hash))
}

fn random<const N: usize>() -> Result<[u8; N], PasswordError> {
    let mut octets = [0; N];
    getrandom::fill(&mut octets).map_err(|_| PasswordError::NoSalt)?;
    Ok(octets)
}
