//! Opens the user file and looks users up, line by line. Changes nothing.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::lines::Lines;
use super::record::{Fields, LONGEST_LINE, Record, RecordError, shown};
use super::{Distrust, NativeError, Scheme, Verdict, verify_nobody};
use crate::auth::Secret;
use crate::settings::Cost;

/// Mode bits that nobody needs: writing by the group, anything by the world. A group may read, so that a daemon without
/// root can share the file.
const EXCESSIVE_MODE: u32 = 0o027;

/// An open user file: one state of it, since a change is another file under the same name.
pub struct UserFile {
    path: PathBuf,
    file: File,
}

/// One line of the file that is meant to be a record.
pub struct Entry {
    pub line: u64,
    /// The name as far as one can be seen, fit to be shown.
    pub name: String,
    pub record: Result<Record, RecordError>,
}

impl UserFile {
    /// Opens the file for a tool that its owner runs. A symbolic link is refused.
    pub fn open(path: &Path) -> Result<UserFile, NativeError> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the user file is configuration and outside of every jail"
        )]
        let opened = OpenOptions::new()
            .read(true)
            // A FIFO in the file's place must not hold us up.
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(path);
        let io = |error: io::Error| NativeError::io(path, error);
        let file = opened.map_err(io)?;
        if !file.metadata().map_err(io)?.is_file() {
            return Err(untrusted(path, Distrust::NotAFile));
        }
        Ok(UserFile {
            path: path.to_owned(),
            file,
        })
    }

    /// Opens the file for a daemon, which believes it: it must belong to root or to the process's own user, nobody else may
    /// write it, and the world may not read it.
    pub fn open_trusted(path: &Path) -> Result<UserFile, NativeError> {
        let users = UserFile::open(path)?;
        let metadata = users.file.metadata().map_err(|e| users.io(e))?;
        if metadata.uid() != 0 && metadata.uid() != nix::unistd::geteuid().as_raw() {
            return Err(untrusted(path, Distrust::Owner(metadata.uid())));
        }
        if metadata.mode() & EXCESSIVE_MODE != 0 {
            return Err(untrusted(path, Distrust::Mode(metadata.mode() & 0o7777)));
        }
        Ok(users)
    }

    /// Finds a user by name, in any ASCII case. The first line with the name decides, even if it is not a record.
    pub fn find(&self, name: &[u8]) -> Result<Record, NativeError> {
        self.find_line(name).map(|(_, record)| record)
    }

    /// Finds a user and the number of the line.
    fn find_line(&self, name: &[u8]) -> Result<(u64, Record), NativeError> {
        let mut lines = self.lines();
        while let Some(line) = lines.next().map_err(|e| self.io(e))? {
            if is_line_of(line.octets, name) {
                let number = line.number;
                let record = Record::parse(line.octets);
                return record.map(|record| (number, record)).map_err(|why| {
                    NativeError::Malformed {
                        file: self.path.clone(),
                        line: number,
                        why,
                        // SECURITY: for the log, where no part of a line belongs.
                        pointed: None,
                    }
                });
            }
        }
        Err(NativeError::NoSuchUser(shown(name)))
    }

    /// Finds who logs in under a name, and the number of the line: `ftp` is another name for `anonymous` (RFC 1635), if that
    /// takes any password.
    pub fn find_login(&self, name: &[u8]) -> Result<(u64, Record), NativeError> {
        match self.find_line(name) {
            Err(NativeError::NoSuchUser(_)) if name.eq_ignore_ascii_case(b"ftp") => self
                .find_line(b"anonymous")
                .ok()
                .filter(|(_, record)| record.stored().scheme() == Scheme::Null)
                .ok_or_else(|| NativeError::NoSuchUser(shown(name))),
            found => found,
        }
    }

    /// Reads all lines but comments and empty ones.
    pub fn entries(&self) -> Result<Vec<Entry>, NativeError> {
        let mut lines = self.lines();
        let mut entries = Vec::new();
        while let Some(line) = lines.next().map_err(|e| self.io(e))? {
            let octets = line.octets;
            if octets.trim_ascii().is_empty() || octets.starts_with(b"#") {
                continue;
            }
            entries.push(Entry {
                line: line.number,
                // Not more than the name: what follows may be a secret.
                name: Fields::split(octets).map_or_else(String::new, |f| shown(f.name)),
                record: Record::parse(octets),
            });
        }
        Ok(entries)
    }

    /// Shows every line and its number, until that says `false`.
    pub(super) fn each_line(
        &self,
        mut show: impl FnMut(u64, &[u8]) -> bool,
    ) -> Result<(), NativeError> {
        let mut lines = self.lines();
        while let Some(line) = lines.next().map_err(|e| self.io(e))? {
            if !show(line.number, line.octets) {
                break;
            }
        }
        Ok(())
    }

    fn lines(&self) -> Lines<impl Read> {
        let source = FromStart {
            file: &self.file,
            offset: 0,
        };
        Lines::new(source, LONGEST_LINE)
    }

    fn io(&self, source: io::Error) -> NativeError {
        NativeError::io(&self.path, source)
    }
}

/// The name that a line is about. A comment has none.
pub(super) fn name_of_line(line: &[u8]) -> Option<&[u8]> {
    let end = memchr::memchr(b':', line)?;
    (!line.starts_with(b"#")).then(|| &line[..end])
}

/// Whether a line is about this user. A comment has no user.
pub(super) fn is_line_of(line: &[u8], name: &[u8]) -> bool {
    line.get(name.len()) == Some(&b':')
        && line[..name.len()].eq_ignore_ascii_case(name)
        && !name.starts_with(b"#")
        // SECURITY: `fred:null` would find fred's line and be another name for him.
        && !name.contains(&b':')
}

/// Checks a login against the file as a daemon does. Whatever the reason, a refusal takes at least the time of one argon2id
/// verification of this cost, so that time does not tell who exists.
pub fn authenticate(
    path: &Path,
    cost: Cost,
    name: &[u8],
    secret: &Secret,
) -> Result<Record, NativeError> {
    let found = UserFile::open_trusted(path)
        .and_then(|users| users.find_login(name))
        .map(|(_, record)| record);
    match &found {
        Ok(record) => match record.verify(secret)? {
            Verdict::Accept => return found,
            Verdict::Refuse => record.make_up_for(cost, secret),
        },
        Err(_) => verify_nobody(cost, secret),
    }
    found.and(Err(NativeError::WrongPassword))
}

fn untrusted(path: &Path, why: Distrust) -> NativeError {
    NativeError::Untrusted {
        file: path.to_owned(),
        why,
    }
}

/// Reads a file from its start without moving its offset, which a forked process would share.
struct FromStart<'a> {
    file: &'a File,
    offset: u64,
}

impl Read for FromStart<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}
