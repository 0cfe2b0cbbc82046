//! Users of the system: the files passwd and shadow, read line by line. Knows nothing of name services, which cannot tell where
//! a line is wrong. A line that is not a record denies its user and harms no other.

mod lists;
mod record;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;

use std::path::{Path, PathBuf};

use nix::unistd::User;

use super::crypt::verify_nobodys;
use super::native::{Lines, shown};
use super::{CryptError, Crypted, Secret};
pub use record::{Fault, SystemUser};
use record::{Passwd, Shadow};

/// Where the system keeps its users and who of them may log in.
#[derive(Clone, Debug)]
pub struct Files {
    pub passwd: PathBuf,
    pub shadow: PathBuf,
    pub shells: PathBuf,
    pub ftpusers: PathBuf,
}

impl Default for Files {
    fn default() -> Self {
        Files {
            passwd: PathBuf::from("/etc/passwd"),
            shadow: PathBuf::from("/etc/shadow"),
            shells: PathBuf::from("/etc/shells"),
            ftpusers: PathBuf::from("/etc/ftpusers"),
        }
    }
}

/// Which of the two files holds the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Passwd,
    Shadow,
}

/// Why a user of the system is not let in.
#[derive(Debug)]
pub enum SystemError {
    NoSuchUser(String),
    WrongPassword,
    /// The account has no password that could be right.
    Locked,
    /// The account may not log in, whatever the password.
    Barred(Bar),
    /// The memory that the hash wants is not there.
    OutOfMemory,
    /// The user's line cannot be believed.
    Malformed {
        file: PathBuf,
        line: u64,
        why: Fault,
    },
    Io {
        file: PathBuf,
        source: io::Error,
    },
}

/// What keeps an account out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bar {
    Root,
    /// Its shell is not one of those that people log in with.
    Shell(String),
    /// The list of users who may not use FTP names it.
    Listed(PathBuf),
    Expired,
    /// The password must be changed, which FTP cannot ask for.
    PasswordExpired,
}

impl fmt::Display for SystemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SystemError::NoSuchUser(name) => write!(f, "no user {name}"),
            SystemError::WrongPassword => f.write_str("wrong password"),
            SystemError::Locked => f.write_str("the account is locked or has no password"),
            SystemError::Barred(bar) => match bar {
                Bar::Root => f.write_str("the account is root's, which is refused"),
                Bar::Shell(shell) => write!(f, "the shell {shell:?} is not one of /etc/shells"),
                Bar::Listed(file) => write!(f, "{} names the user", file.display()),
                Bar::Expired => f.write_str("the account has expired"),
                Bar::PasswordExpired => f.write_str("the password has expired"),
            },
            SystemError::OutOfMemory => f.write_str("not enough memory for the password's hash"),
            SystemError::Malformed { file, line, why } => {
                write!(f, "{}:{line}: {why}", file.display())
            }
            SystemError::Io { file, source } => write!(f, "{}: {source}", file.display()),
        }
    }
}

impl std::error::Error for SystemError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            SystemError::Io { source, .. } => Some(source),
            SystemError::NoSuchUser(_)
            | SystemError::WrongPassword
            | SystemError::Locked
            | SystemError::Barred(_)
            | SystemError::OutOfMemory
            | SystemError::Malformed { .. } => None,
        }
    }
}

impl Files {
    /// Checks a password. Whether or not there is such a user, one password is hashed; only then is it looked whether the account
    /// may log in, so that neither time nor answer tells a guesser that a password was right. `today` counts days from 1970.
    pub fn authenticate(
        &self,
        source: Source,
        name: &[u8],
        secret: &Secret,
        today: u64,
    ) -> Result<SystemUser, SystemError> {
        let account = self
            .account(source, name)
            .inspect_err(|_| verify_nobodys(secret))?;
        let Some(hash) = &account.hash else {
            verify_nobodys(secret);
            return Err(SystemError::Locked);
        };
        let right = hash.verify(secret).map_err(|_| SystemError::OutOfMemory)?;
        if !right {
            return Err(SystemError::WrongPassword);
        }
        self.admit(account, today)
    }

    /// Finds a user who could log in with the right password, for `--check`.
    pub fn find(&self, source: Source, name: &[u8], today: u64) -> Result<SystemUser, SystemError> {
        let account = self.account(source, name)?;
        if account.hash.is_none() {
            return Err(SystemError::Locked);
        }
        self.admit(account, today)
    }

    /// Tells whether the files can be read that a password of this source needs.
    pub fn look(&self, source: Source) -> Result<(), SystemError> {
        open(&self.passwd)?;
        match source {
            Source::Passwd => Ok(()),
            Source::Shadow => open(&self.shadow).map(drop),
        }
    }

    /// Finds a user by the name services, whose password another method has checked.
    pub fn known(&self, name: &[u8]) -> Result<SystemUser, SystemError> {
        let no_user = || SystemError::NoSuchUser(shown(name));
        let text = std::str::from_utf8(name).map_err(|_| no_user())?;
        let entry = User::from_name(text)
            .map_err(|errno| io(&self.passwd, errno.into()))?
            .ok_or_else(no_user)?;
        let account = Account {
            user: SystemUser::of(&entry).ok_or_else(no_user)?,
            shell: entry.shell.as_os_str().as_bytes().to_vec(),
            hash: None,
            aging: None,
        };
        self.admit(account, 0)
    }

    fn admit(&self, account: Account, today: u64) -> Result<SystemUser, SystemError> {
        let barred = |bar| Err(SystemError::Barred(bar));
        let Account {
            user, shell, aging, ..
        } = account;
        if user.uid() == 0 {
            return barred(Bar::Root);
        }
        if !lists::is_shell(&self.shells, &shell)? {
            return barred(Bar::Shell(shown(&shell)));
        }
        if lists::names(&self.ftpusers, user.name().as_bytes())? {
            return barred(Bar::Listed(self.ftpusers.clone()));
        }
        match aging.map(|aging| aging.judge(today)) {
            None | Some(Ok(())) => Ok(user),
            Some(Err(bar)) => barred(bar),
        }
    }

    fn account(&self, source: Source, name: &[u8]) -> Result<Account, SystemError> {
        let (passwd, line) = find(&self.passwd, name, Passwd::parse)?;
        let (file, line, word, aging) = match source {
            Source::Passwd => (&self.passwd, line, passwd.password, None),
            Source::Shadow => {
                let (shadow, line) = find(&self.shadow, name, Shadow::parse)?;
                (&self.shadow, line, shadow.password, Some(shadow.aging))
            }
        };
        // SECURITY: an empty field is no password, never every password. `x` says that it is kept elsewhere.
        let hash = match word.expose() {
            b"" | b"x" | [b'!' | b'*', ..] => None,
            hash => {
                let hash = Crypted::parse(hash).and_then(|hash| match hash.weakness() {
                    None if hash.is_of_crypt() => Ok(hash),
                    _ => Err(CryptError::Unknown),
                });
                Some(hash.map_err(|why| malformed(file, line, Fault::Password(why)))?)
            }
        };
        Ok(Account {
            user: passwd.user,
            shell: passwd.shell,
            hash,
            aging,
        })
    }
}

/// A user as both files have them.
struct Account {
    user: SystemUser,
    shell: Vec<u8>,
    hash: Option<Crypted>,
    aging: Option<record::Aging>,
}

/// Finds a user's line, by the exact name: the first one decides, even if it is not a record.
fn find<T>(
    path: &Path,
    name: &[u8],
    parse: impl FnOnce(&[u8]) -> Result<T, Fault>,
) -> Result<(T, u64), SystemError> {
    let mut lines = Lines::new(open(path)?, LONGEST_LINE);
    // SECURITY: "fred:x" is no name, though a line may begin with it.
    let is_name = !name.is_empty() && !name.contains(&b':') && !name.starts_with(b"#");
    while let Some(line) = lines.next().map_err(|error| io(path, error))? {
        let rest = line.octets.strip_prefix(name);
        if is_name && rest.is_some_and(|rest| rest.starts_with(b":") || rest.is_empty()) {
            let number = line.number;
            if line.octets.len() > LONGEST_LINE {
                return Err(malformed(path, number, Fault::TooLong));
            }
            return parse(line.octets)
                .map(|record| (record, number))
                .map_err(|why| malformed(path, number, why));
        }
    }
    Err(SystemError::NoSuchUser(shown(name)))
}

/// The longest line that is a record or an entry of a list, in octets.
const LONGEST_LINE: usize = 16 * 1024;

fn open(path: &Path) -> Result<File, SystemError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the system's own files are configuration and outside of every jail"
    )]
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path);
    opened.map_err(|error| io(path, error))
}

fn io(file: &Path, source: io::Error) -> SystemError {
    SystemError::Io {
        file: file.to_owned(),
        source,
    }
}

fn malformed(file: &Path, line: u64, why: Fault) -> SystemError {
    SystemError::Malformed {
        file: file.to_owned(),
        line,
        why,
    }
}

impl From<CryptError> for Fault {
    fn from(error: CryptError) -> Self {
        Fault::Password(error)
    }
}
