//! Changes the user file so that a reader, a second editor or a power cut sees all of a change or nothing of it.
//!
//! The lock is on the file itself, taken again until the locked file is the one under the name: an editor before us may
//! have put another there. No lock file is left behind, and nobody who cannot open the file can hold its editors up.

use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, Flock, FlockArg, OFlag, openat, renameat};
use nix::sys::stat::{Mode, fchmod, fstatat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, unlinkat};
use zeroize::Zeroizing;

use super::opening::{Made, is_same, open_directory, open_file, open_or_make};
use super::read::{is_line_of, name_of_line};
use super::record::{Fields, LONGEST_LINE, Name, Record, RecordError, shown};
use super::text::Text;
use super::{Distrust, NativeError, Stored};

/// What adding does to a user who is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    Refuse,
    Replace,
}

/// The file under its lock, with the changes that [`Edit::commit`] makes real. Dropped without it, nothing has changed: a file
/// that was made for them goes again.
pub struct Edit {
    path: PathBuf,
    directory: OwnedFd,
    file_name: OsString,
    /// Before the lock, which shall hold until it is gone.
    made: Option<Made>,
    locked: Flock<File>,
    about: About,
    text: Text,
}

/// A file as it was before the lock. What is found under it counts; if that is the same file, it need not be read again.
pub struct Early {
    about: About,
    text: Text,
}

/// What tells one state of a file from another.
type About = (u64, u64, u64, (i64, i64), (i64, i64));

fn about(file: &std::fs::Metadata) -> About {
    let changed = (file.ctime(), file.ctime_nsec());
    let written = (file.mtime(), file.mtime_nsec());
    (file.dev(), file.ino(), file.len(), written, changed)
}

impl Early {
    /// Reads a file while something else takes its time; `None` if it cannot be, which is told under the lock.
    pub fn read(path: &Path) -> Option<Early> {
        let directory = open_directory(path).ok()?;
        let file = open_file(&directory, path.file_name()?).ok()?;
        let before = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
        let text = Text::read(&file).ok()?;
        let same = about(&file.metadata().ok()?) == about(&before);
        same.then(|| Early {
            about: about(&before),
            text,
        })
    }

    /// Whether somebody had this name.
    pub fn has(&self, name: &Name) -> bool {
        let name = name.as_bytes();
        self.text.iter().any(|line| is_line_of(line, name))
    }
}

/// What to do where there is no file yet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Fail,
    Create,
}

impl Edit {
    /// Locks and reads a file that is there.
    pub fn begin(path: &Path) -> Result<Edit, NativeError> {
        Edit::lock(path, Missing::Fail, FlockArg::LockExclusive, None)
    }

    /// The same for who has read it already.
    pub fn begin_after(path: &Path, early: Option<Early>) -> Result<Edit, NativeError> {
        Edit::lock(path, Missing::Fail, FlockArg::LockExclusive, early)
    }

    /// Locks and reads a file that is there, unless another editor has it: [`NativeError::Busy`].
    pub fn begin_at_once(path: &Path) -> Result<Edit, NativeError> {
        Edit::lock(path, Missing::Fail, FlockArg::LockExclusiveNonblock, None)
    }

    /// Locks and reads a file, which is made with mode 0600 if need be.
    pub fn begin_or_create(path: &Path) -> Result<Edit, NativeError> {
        Edit::begin_or_create_after(path, None)
    }

    /// The same for who has read it already.
    pub fn begin_or_create_after(path: &Path, early: Option<Early>) -> Result<Edit, NativeError> {
        Edit::lock(path, Missing::Create, FlockArg::LockExclusive, early)
    }

    fn lock(
        path: &Path,
        missing: Missing,
        how: FlockArg,
        early: Option<Early>,
    ) -> Result<Edit, NativeError> {
        let io = |errno: Errno| NativeError::io(path, errno);
        let file_name = path.file_name().ok_or_else(|| io(Errno::EISDIR))?;
        let directory = open_directory(path).map_err(io)?;
        let (locked, found, is_new) = loop {
            let (file, is_new) = match missing {
                Missing::Fail => (open_file(&directory, file_name).map_err(io)?, false),
                Missing::Create => open_or_make(&directory, file_name).map_err(io)?,
            };
            let locked = Flock::lock(file, how).map_err(|(_, errno)| match errno {
                Errno::EWOULDBLOCK => NativeError::Busy,
                errno => io(errno),
            })?;
            let opened = locked.metadata().map_err(|e| NativeError::io(path, e))?;
            if !opened.is_file() {
                return Err(NativeError::Untrusted {
                    file: path.to_owned(),
                    why: Distrust::NotAFile,
                });
            }
            match fstatat(&directory, file_name, AtFlags::AT_SYMLINK_NOFOLLOW) {
                Ok(named) if is_same(&named, &opened) => break (locked, about(&opened), is_new),
                Ok(_) | Err(Errno::ENOENT) => {}
                Err(errno) => return Err(io(errno)),
            }
        };
        // Not before: only under the lock is what is there still the empty file.
        let made = match is_new {
            true => Some(Made {
                directory: directory
                    .try_clone()
                    .map_err(|e| NativeError::io(path, e))?,
                file_name: file_name.to_owned(),
            }),
            false => None,
        };
        let text = match early.filter(|early| early.about == found) {
            Some(early) => early.text,
            None => Text::read(&locked).map_err(|e| NativeError::io(path, e))?,
        };
        Ok(Edit {
            path: path.to_owned(),
            directory,
            file_name: file_name.to_owned(),
            made,
            locked,
            about: found,
            text,
        })
    }

    /// Lets others have the file, and keeps what was read of it, unless there is a change in that.
    pub fn let_go(self) -> Option<Early> {
        let Edit { about, text, .. } = self;
        (!text.is_changed()).then_some(Early { about, text })
    }

    /// Adds a user at the end, or in the place of the user's first line. Later lines of the same name go: they would have
    /// come alive with that user's next deletion.
    pub fn put(&mut self, record: &Record, existing: Existing) -> Result<(), NativeError> {
        self.put_all(std::slice::from_ref(record), existing)
    }

    /// Adds users as [`Edit::put`] does, in one pass through the file. On an error some of them are there, so nothing should be
    /// committed then.
    pub fn put_all(&mut self, records: &[Record], existing: Existing) -> Result<(), NativeError> {
        let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut doubled = HashSet::new();
        let put: HashSet<_> = records
            .iter()
            .map(|r| folded(r.name().as_bytes()))
            .collect();
        // Most lines are of others, and cost no allocation; where one user is put, not even a look at the name.
        let only = match records {
            [only] => Some(only.name().as_bytes()),
            _ => None,
        };
        let mut folded_name = Vec::new();
        for (place, line) in self.text.iter().enumerate() {
            if only.is_some_and(|only| !is_line_of(line, only)) {
                continue;
            }
            let Some(name) = name_of_line(line) else {
                continue;
            };
            folded_name.clear();
            folded_name.extend(name.iter().map(u8::to_ascii_lowercase));
            if !put.contains(&folded_name) {
                continue;
            }
            match places.entry(folded_name.clone()) {
                Vacant(first) => _ = first.insert(place),
                Occupied(_) => _ = doubled.insert(place),
            }
        }
        for record in records {
            let line = self.line(record)?;
            match (places.entry(folded(record.name().as_bytes())), existing) {
                (Occupied(_), Existing::Refuse) => {
                    return Err(NativeError::UserExists(record.name().to_string()));
                }
                (Occupied(place), Existing::Replace) => self.text.replace(*place.get(), line),
                (Vacant(place), Existing::Refuse | Existing::Replace) => {
                    place.insert(self.text.len());
                    self.text.push(line);
                }
            }
        }
        if !doubled.is_empty() {
            self.text.retain(|place, _| !doubled.contains(&place));
        }
        Ok(())
    }

    /// A user as the file has them now.
    pub fn record(&self, name: &[u8]) -> Result<Record, NativeError> {
        let place = self.first(name);
        let place = place.ok_or_else(|| NativeError::NoSuchUser(shown(name)))?;
        let line = self.text.line(place);
        Record::parse(line.strip_suffix(b"\n").unwrap_or(line))
            .map_err(|why| self.malformed(place, why))
    }

    /// Puts a record in the place of the first line of its name, and leaves later ones alone.
    pub fn replace(&mut self, record: &Record) -> Result<(), NativeError> {
        let name = record.name();
        let place = self.first(name.as_bytes());
        let place = place.ok_or_else(|| NativeError::NoSuchUser(name.to_string()))?;
        self.text.replace(place, self.line(record)?);
        Ok(())
    }

    /// Deletes every line of a user, in any case of the name.
    pub fn delete(&mut self, name: &[u8]) -> Result<(), NativeError> {
        let before = self.text.len();
        self.text.retain(|_, line| !is_line_of(line, name));
        if self.text.len() == before {
            return Err(NativeError::NoSuchUser(shown(name)));
        }
        Ok(())
    }

    /// The name as the user's line has it: what an old digest is made of.
    pub fn name_of(&self, name: &[u8]) -> Result<Name, NativeError> {
        let place = self.first(name);
        let place = place.ok_or_else(|| NativeError::NoSuchUser(shown(name)))?;
        let octets = self.text.line(place).split(|&b| b == b':').next();
        Name::new(octets.unwrap_or_default()).map_err(|e| self.malformed(place, e.into()))
    }

    /// Whether the user's line is still this record, in any spelling of it.
    pub fn holds(&self, record: &Record) -> bool {
        let line = self
            .first(record.name().as_bytes())
            .map(|place| self.text.line(place));
        line.and_then(|line| Record::parse(line.strip_suffix(b"\n").unwrap_or(line)).ok())
            .is_some_and(|held| held.encode() == record.encode())
    }

    /// Gives a user another password and leaves the rest of the line as it is. So a user whose old type is refused can
    /// be let in again.
    pub fn set_password(&mut self, name: &[u8], stored: &Stored) -> Result<(), NativeError> {
        let name = self.name_of(name)?;
        let place = self.first(name.as_bytes()).unwrap_or_default();
        let line = self.text.line(place);
        let fields = Fields::split(line.strip_suffix(b"\n").unwrap_or(line))
            .ok_or_else(|| self.malformed(place, RecordError::TooFewFields))?;
        let parts = [fields.name, &stored.encode(), fields.rest];
        let record = Record::parse(&parts.join(&b':')).map_err(|why| self.malformed(place, why))?;
        self.text.replace(place, self.line(&record)?);
        Ok(())
    }

    /// Makes the changes real: when this returns, they survive a power cut.
    pub fn commit(mut self) -> Result<(), NativeError> {
        let done = self.write_anew();
        done.map_err(|e| NativeError::io(&self.path, e))
    }

    fn write_anew(&mut self) -> io::Result<()> {
        // One fixed name: the lock makes it ours, and what a killed editor left there goes now.
        let mut temporary = OsString::from(".");
        temporary.push(&self.file_name);
        temporary.push(".new");
        match unlinkat(&self.directory, &*temporary, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        let file = openat(
            &self.directory,
            &*temporary,
            flags,
            Mode::S_IRUSR | Mode::S_IWUSR,
        )?;
        let written = self.write(File::from(file)).and_then(|()| {
            renameat(
                &self.directory,
                &*temporary,
                &self.directory,
                &*self.file_name,
            )?;
            Ok(())
        });
        if written.is_err() {
            // The first error is the one to tell; the next editor removes what may still be there.
            #[expect(clippy::let_underscore_must_use, reason = "as said above")]
            let _ = unlinkat(&self.directory, &*temporary, UnlinkatFlags::NoRemoveDir);
        }
        written?;
        // The name is the new file's now.
        if let Some(made) = self.made.take() {
            made.keep();
        }
        nix::unistd::fsync(&self.directory)?;
        Ok(())
    }

    fn write(&self, mut file: File) -> io::Result<()> {
        let old = self.locked.metadata()?;
        let new = file.metadata()?;
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
            fchown(
                &file,
                Some(Uid::from_raw(old.uid())),
                Some(Gid::from_raw(old.gid())),
            )?;
        }
        // A group that could read still can; what a daemon would refuse is not carried over.
        fchmod(&file, Mode::from_bits_truncate(0o600 | old.mode() & 0o040))?;
        self.text.write(&mut file)?;
        file.sync_all()
    }

    /// The place of the line that decides about a user.
    fn first(&self, name: &[u8]) -> Option<usize> {
        self.text.iter().position(|line| is_line_of(line, name))
    }

    fn line(&self, record: &Record) -> Result<Zeroizing<Vec<u8>>, NativeError> {
        let mut line = Zeroizing::new(record.encode());
        if line.len() > LONGEST_LINE {
            return Err(self.malformed(self.text.len(), RecordError::TooLong));
        }
        line.push(b'\n');
        Ok(line)
    }

    fn malformed(&self, place: usize, why: RecordError) -> NativeError {
        let line = self.text.line(place);
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let pointed = (place < self.text.len()).then(|| why.about().point(place + 1, line));
        NativeError::Malformed {
            file: self.path.clone(),
            line: place as u64 + 1,
            why,
            pointed,
        }
    }
}

/// Names are the same in any ASCII case.
fn folded(name: &[u8]) -> Vec<u8> {
    name.to_ascii_lowercase()
}
