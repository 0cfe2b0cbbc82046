//! One line of the user file: a user's record and its grammar. Pure: no I/O.
//!
//! `name:type:salt:secret:realuser:home:settings`, without escapes: what would need one is refused.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::password::{PasswordError, Stored, Verdict, verify_nobody};
use super::place::About;
use crate::auth::{CryptError, Secret};
use crate::path::{LONGEST_NAME, LONGEST_PATH};
use crate::settings::{Cost, NoScheme};

/// The longest line that is a record, in octets.
pub const LONGEST_LINE: usize = 64 * 1024;

/// The name that a user logs in with: octets that can stand in the file, compared without regard to ASCII case.
#[derive(Clone, Debug)]
pub struct Name(Vec<u8>);

impl Name {
    /// Takes any octets but those that the file, a path or a comment would read otherwise.
    pub fn new(name: &[u8]) -> Result<Name, FieldError> {
        field("name", name)?;
        let fault = match name {
            b"" => FieldFault::Empty,
            b"." | b".." => FieldFault::Dots,
            [b'#', ..] => FieldFault::Comment,
            _ if name.contains(&b'/') => FieldFault::Slash,
            _ if name.len() > LONGEST_NAME => FieldFault::TooLong(LONGEST_NAME),
            _ => return Ok(Name(name.to_vec())),
        };
        Err(FieldError::new("name", fault))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl fmt::Display for Name {
    /// Shows text as it is and other octets escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.0))
    }
}

/// Octets for a person to read: nothing in them can steer a terminal or end a line.
pub fn shown(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => octets.escape_ascii().to_string(),
    }
}

/// A setting of one user: the key and the value of `Key=Value`.
pub type Setting = (String, String);

/// A user of the native file. Whatever is in it can be written to the file and read back as the same.
#[derive(Clone, Debug)]
#[cfg_attr(test, derive(PartialEq))]
pub struct Record {
    name: Name,
    stored: Stored,
    real_user: String,
    home: PathBuf,
    settings: Vec<Setting>,
}

impl Record {
    /// Checks every field.
    pub fn new(
        name: Name,
        stored: Stored,
        real_user: &str,
        home: &Path,
        settings: Vec<Setting>,
    ) -> Result<Record, FieldError> {
        field("real user", real_user.as_bytes())?;
        if real_user.is_empty() {
            return Err(FieldError::new("real user", FieldFault::Empty));
        }
        let octets = home.as_os_str().as_bytes();
        field("home", octets)?;
        if octets.first() != Some(&b'/') {
            return Err(FieldError::new("home", FieldFault::NotAbsolute));
        }
        if octets.len() > LONGEST_PATH {
            return Err(FieldError::new("home", FieldFault::TooLong(LONGEST_PATH)));
        }
        for (key, value) in &settings {
            setting(key, value)?;
        }
        Ok(Record {
            name,
            stored,
            real_user: real_user.to_owned(),
            home: home.to_owned(),
            settings,
        })
    }

    /// Reads one line, without its LF.
    pub fn parse(line: &[u8]) -> Result<Record, RecordError> {
        if line.len() > LONGEST_LINE {
            return Err(RecordError::TooLong);
        }
        let fields = Fields::split(line).ok_or(RecordError::TooFewFields)?;
        let name = Name::new(fields.name)?;
        let stored = Stored::parse(fields.scheme, fields.salt, fields.secret)?;
        let settings = text("settings", fields.settings)?
            .split_ascii_whitespace()
            .map(|word| match word.split_once('=') {
                Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
                // SECURITY: dropping the word could drop a user's jail.
                None => Err(FieldError::new("settings", FieldFault::NoEquals)),
            })
            .collect::<Result<_, _>>()?;
        let real_user = text("real user", fields.real_user)?;
        let home = Path::new(OsStr::from_bytes(fields.home));
        Ok(Record::new(name, stored, real_user, home, settings)?)
    }

    /// The line for the file, without its LF.
    pub fn encode(&self) -> Vec<u8> {
        let mut line = self.name.0.clone();
        line.push(b':');
        line.extend_from_slice(&self.stored.encode());
        line.push(b':');
        line.extend_from_slice(self.real_user.as_bytes());
        line.push(b':');
        line.extend_from_slice(self.home.as_os_str().as_bytes());
        line.push(b':');
        for (place, (key, value)) in self.settings.iter().enumerate() {
            let gap = if place == 0 { "" } else { " " };
            line.extend_from_slice(format!("{gap}{key}={value}").as_bytes());
        }
        line
    }

    /// The name as the file has it, which need not be in the case that the client used.
    pub fn name(&self) -> &Name {
        &self.name
    }
    pub fn stored(&self) -> &Stored {
        &self.stored
    }
    /// The user of the system that a session becomes. It is not known whether they exist.
    pub fn real_user(&self) -> &str {
        &self.real_user
    }
    pub fn home(&self) -> &Path {
        &self.home
    }
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// Checks a password, in a time that does not tell how much of it was right.
    pub fn verify(&self, secret: &Secret) -> Result<Verdict, PasswordError> {
        self.stored.verify(&self.name, secret)
    }

    /// Makes up for what verifying this record cost less than a new one would: every refusal takes at least that time.
    pub fn make_up_for(&self, cost: Cost, secret: &Secret) {
        let spent = self.stored.cost().map_or(0, Cost::work);
        if spent < cost.work() {
            verify_nobody(cost, secret);
        }
    }
}

/// A line cut at its colons; the last field keeps those that follow, as in MetaFTPd.
pub(super) struct Fields<'a> {
    pub(super) name: &'a [u8],
    pub(super) scheme: &'a [u8],
    pub(super) salt: &'a [u8],
    pub(super) secret: &'a [u8],
    /// From the real user to the end.
    pub(super) rest: &'a [u8],
    pub(super) real_user: &'a [u8],
    pub(super) home: &'a [u8],
    pub(super) settings: &'a [u8],
}

impl<'a> Fields<'a> {
    /// `None` where there are fewer than six fields. Only the settings may be left out together with their colon.
    pub(super) fn split(line: &'a [u8]) -> Option<Fields<'a>> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut start = line.splitn(5, |&b| b == b':');
        let (name, scheme, salt) = (start.next()?, start.next()?, start.next()?);
        let (secret, rest) = (start.next()?, start.next()?);
        let mut end = rest.splitn(3, |&b| b == b':');
        let (real_user, home) = (end.next()?, end.next()?);
        let settings = end.next().unwrap_or(b"");
        Some(Fields {
            name,
            scheme,
            salt,
            secret,
            rest,
            real_user,
            home,
            settings,
        })
    }
}

/// Checks what no field may hold.
pub(super) fn field(name: &'static str, octets: &[u8]) -> Result<(), FieldError> {
    let fault = if octets.contains(&b':') {
        FieldFault::Colon
    } else if octets.iter().any(u8::is_ascii_control) {
        FieldFault::Control
    } else if octets.last() == Some(&b'\\') {
        // MetaFTPd does not see a colon behind a backslash: it would read other fields than we do.
        FieldFault::Backslash
    } else {
        return Ok(());
    };
    Err(FieldError::new(name, fault))
}

/// Checks that a setting stays one word of the last field. A colon cannot end that field, so a value may hold it.
fn setting(key: &str, value: &str) -> Result<(), FieldError> {
    field("setting key", key.as_bytes())?;
    let breaks = |c: char| c.is_ascii_whitespace();
    let fault = if key.is_empty() {
        FieldFault::Empty
    } else if key.contains('=') {
        FieldFault::Equals
    } else if key.contains(breaks) || value.contains(breaks) {
        FieldFault::Space
    } else if value.bytes().any(|b| b.is_ascii_control()) {
        FieldFault::Control
    } else {
        return Ok(());
    };
    Err(FieldError::new("settings", fault))
}

fn text<'a>(name: &'static str, octets: &'a [u8]) -> Result<&'a str, FieldError> {
    std::str::from_utf8(octets).map_err(|_| FieldError::new(name, FieldFault::NotText))
}

/// A field that cannot stand in the file, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    field: &'static str,
    fault: FieldFault,
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldFault {
    Empty,
    /// Longer than this many octets.
    TooLong(usize),
    Colon,
    Control,
    Backslash,
    Slash,
    Dots,
    Comment,
    NotAbsolute,
    NotText,
    NoEquals,
    Equals,
    Space,
}

impl FieldError {
    pub(super) fn new(field: &'static str, fault: FieldFault) -> FieldError {
        FieldError { field, fault }
    }

    pub fn fault(&self) -> FieldFault {
        self.fault
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = self.field;
        match self.fault {
            FieldFault::Empty => write!(f, "{field} is empty"),
            FieldFault::TooLong(most) => write!(f, "{field} is longer than {most} octets"),
            FieldFault::Colon => write!(f, "{field} holds a ':', which separates fields"),
            FieldFault::Control => write!(f, "{field} holds a control character"),
            FieldFault::Backslash => write!(f, "{field} ends with a backslash"),
            FieldFault::Slash => write!(f, "{field} holds a '/'"),
            FieldFault::Dots => write!(f, "{field} is '.' or '..'"),
            FieldFault::Comment => write!(f, "{field} starts with '#', as comments do"),
            FieldFault::NotAbsolute => write!(f, "{field} does not start with '/'"),
            FieldFault::NotText => {
                write!(f, "{field} is not UTF-8: save the file in that encoding")
            }
            FieldFault::NoEquals => write!(f, "{field} hold a word that is not Key=Value"),
            FieldFault::Equals => write!(f, "{field} hold a key with a '='"),
            FieldFault::Space => write!(f, "{field} are separated by spaces and cannot hold one"),
        }
    }
}

impl std::error::Error for FieldError {}

/// Why a line is not a record that can log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordError {
    TooLong,
    TooFewFields,
    Field(FieldError),
    Scheme(NoScheme),
    /// The type wants a secret, and there is none.
    EmptySecret,
    /// The secret is not what its type makes.
    Secret(&'static str),
    Crypt(CryptError),
    /// Verifying would cost more than any honest record does.
    Cost,
}

impl RecordError {
    /// What of the line is wrong.
    pub fn about(&self) -> About {
        match self {
            RecordError::TooLong | RecordError::TooFewFields => About::Line,
            RecordError::Field(FieldError { field, .. }) => match *field {
                "name" => About::Name,
                "real user" => About::RealUser,
                "home" => About::Home,
                "settings" | "setting key" => About::Settings,
                _ => About::Secret,
            },
            RecordError::Scheme(_) => About::Type,
            RecordError::EmptySecret
            | RecordError::Secret(_)
            | RecordError::Crypt(_)
            | RecordError::Cost => About::Secret,
        }
    }
}

impl From<FieldError> for RecordError {
    fn from(error: FieldError) -> Self {
        RecordError::Field(error)
    }
}

impl From<CryptError> for RecordError {
    fn from(error: CryptError) -> Self {
        RecordError::Crypt(error)
    }
}

impl From<NoScheme> for RecordError {
    fn from(error: NoScheme) -> Self {
        RecordError::Scheme(error)
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordError::TooLong => write!(f, "line longer than {LONGEST_LINE} octets"),
            RecordError::TooFewFields => f.write_str("fewer than six fields"),
            RecordError::Field(error) => error.fmt(f),
            RecordError::Scheme(error) => error.fmt(f),
            RecordError::EmptySecret => f.write_str("secret is empty"),
            RecordError::Secret(what) => write!(f, "secret is not {what}"),
            RecordError::Crypt(error) => write!(f, "secret is wrong: {error}"),
            RecordError::Cost => f.write_str("the cost of the argon2id hash is above the limit"),
        }
    }
}

impl std::error::Error for RecordError {}
