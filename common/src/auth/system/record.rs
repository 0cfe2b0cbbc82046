//! One line of passwd or shadow. Pure: no I/O.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::Bar;
use crate::auth::native::Name;
use crate::auth::{CryptError, Secret};
use crate::path::LONGEST_PATH;

/// A user of the system who may log in.
#[derive(Clone, Debug)]
pub struct SystemUser {
    name: Name,
    /// The name again: it is text.
    real_user: String,
    uid: u32,
    home: PathBuf,
}

impl SystemUser {
    /// Takes an entry of the name services; `None` where it cannot be that of a user.
    pub(super) fn of(entry: &nix::unistd::User) -> Option<SystemUser> {
        Some(SystemUser {
            name: Name::new(entry.name.as_bytes()).ok()?,
            real_user: entry.name.clone(),
            uid: entry.uid.as_raw(),
            home: Some(entry.dir.clone()).filter(|home| home.is_absolute())?,
        })
    }

    pub fn name(&self) -> &Name {
        &self.name
    }
    pub fn real_user(&self) -> &str {
        &self.real_user
    }
    pub fn uid(&self) -> u32 {
        self.uid
    }
    pub fn home(&self) -> &Path {
        &self.home
    }
}

/// What makes a line no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    TooLong,
    /// Another number of fields than this.
    Fields(usize),
    Name,
    /// The field is no number of a user or group.
    Number(&'static str),
    Home,
    /// The field is no number of days.
    Days(&'static str),
    Password(CryptError),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::TooLong => f.write_str("the line is too long"),
            Fault::Fields(count) => write!(f, "the line does not have {count} fields"),
            Fault::Name => f.write_str("the name cannot be one of a user"),
            Fault::Number(field) => write!(f, "the {field} is not a number from 0 to 4294967294"),
            Fault::Home => f.write_str("the home is not an absolute path"),
            Fault::Days(field) => write!(f, "the {field} is not a number of days"),
            Fault::Password(error) => error.fmt(f),
        }
    }
}

/// `name:password:uid:gid:comment:home:shell`.
pub(super) struct Passwd {
    pub(super) user: SystemUser,
    pub(super) password: Secret,
    pub(super) shell: Vec<u8>,
}

impl Passwd {
    pub(super) fn parse(line: &[u8]) -> Result<Passwd, Fault> {
        let [name, password, uid, gid, _, home, shell] = fields(line)?;
        let uid = id(uid).ok_or(Fault::Number("uid"))?;
        id(gid).ok_or(Fault::Number("gid"))?;
        if home.first() != Some(&b'/') || home.len() > LONGEST_PATH || control(home) {
            return Err(Fault::Home);
        }
        let name = Name::new(name).map_err(|_| Fault::Name)?;
        let real_user = std::str::from_utf8(name.as_bytes()).map_err(|_| Fault::Name)?;
        Ok(Passwd {
            user: SystemUser {
                real_user: real_user.to_owned(),
                name,
                uid,
                home: PathBuf::from(OsStr::from_bytes(home)),
            },
            password: Secret::new(password),
            shell: shell.to_vec(),
        })
    }
}

/// `name:password:changed:minimum:maximum:warning:inactive:expires:reserved`.
pub(super) struct Shadow {
    pub(super) password: Secret,
    pub(super) aging: Aging,
}

/// When an account and its password expire. Days, counted from 1970.
pub(super) struct Aging {
    changed: Option<u64>,
    maximum: Option<u64>,
    expires: Option<u64>,
}

impl Shadow {
    pub(super) fn parse(line: &[u8]) -> Result<Shadow, Fault> {
        let [
            _,
            password,
            changed,
            minimum,
            maximum,
            warning,
            inactive,
            expires,
            _,
        ] = fields(line)?;
        for (field, octets) in [
            ("minimum age", minimum),
            ("time of warning", warning),
            ("time of inactivity", inactive),
        ] {
            days(field, octets)?;
        }
        Ok(Shadow {
            password: Secret::new(password),
            aging: Aging {
                changed: days("day of the last change", changed)?,
                maximum: days("maximum age", maximum)?,
                expires: days("day of expiry", expires)?,
            },
        })
    }
}

impl Aging {
    /// An inactive account is one whose password expired a while ago: FTP can change neither.
    pub(super) fn judge(&self, today: u64) -> Result<(), Bar> {
        if self.expires.is_some_and(|day| today >= day) {
            return Err(Bar::Expired);
        }
        let last = self
            .changed
            .zip(self.maximum)
            .map(|(changed, maximum)| changed.saturating_add(maximum));
        // Changed on day 0 means: to be changed at the next login.
        if self.changed == Some(0) || last.is_some_and(|last| today > last) {
            return Err(Bar::PasswordExpired);
        }
        Ok(())
    }
}

fn fields<const N: usize>(line: &[u8]) -> Result<[&[u8]; N], Fault> {
    let fields: Vec<_> = line.splitn(N + 1, |&b| b == b':').collect();
    fields.try_into().map_err(|_| Fault::Fields(N))
}

/// SECURITY: digits only. What C reads as 0, or as the −1 that leaves an identity as it is, would be root.
fn id(octets: &[u8]) -> Option<u32> {
    number(octets)
        .and_then(|number| u32::try_from(number).ok())
        .filter(|&id| id != u32::MAX)
}

fn days(field: &'static str, octets: &[u8]) -> Result<Option<u64>, Fault> {
    if octets.is_empty() {
        return Ok(None);
    }
    number(octets).map(Some).ok_or(Fault::Days(field))
}

fn number(octets: &[u8]) -> Option<u64> {
    if !octets.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(octets).ok()?.parse().ok()
}

fn control(octets: &[u8]) -> bool {
    octets.iter().any(u8::is_ascii_control)
}
