//! A directory that keeps events until they are delivered, over the death of any process and a power cut: an event is
//! in it before the client hears that its upload has arrived, and leaves it when everybody has it. What a crash leaves is
//! delivered again, under the same id.
//!
//! Each event is a file whose name is its id. It has two lines, a note of its keeper's and its JSON; a file without the second
//! line's end was never acknowledged.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, FcntlArg, OFlag, fcntl, open, openat, renameat};
use nix::sys::stat::{Mode, fstat};
use nix::sys::statvfs::fstatvfs;
use nix::unistd::{Uid, UnlinkatFlags, faccessat, fsync, unlinkat};

use crate::hooks::Id;

/// What the first line begins with.
const HEAD: &str = "ftpd-event 1 ";

/// The file that is locked.
const LOCK: &str = ".lock";

/// With less of a file system free there is no room for events, in octets.
const LEAST_ROOM: u64 = 256 << 10;

/// No event is longer; a longer file is somebody else's.
const LONGEST_EVENT: u64 = 1 << 20;

/// The directory. Nobody else opens it meanwhile.
#[derive(Debug)]
pub struct Spool {
    directory: OwnedFd,
    /// Locked for all processes that inherit it, until the last of them has ended.
    lock: OwnedFd,
}

/// Opens a directory that will do.
fn look(path: &Path) -> Result<OwnedFd, String> {
    let say = |why: &str| format!("{}: {why}", path.display());
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let directory = open(path, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::ENOENT => say(&format!("{}: mkdir -m 700 it", errno.desc())),
        errno => say(errno.desc()),
    })?;
    let stat = fstat(&directory).map_err(|errno| say(errno.desc()))?;
    // SECURITY: whoever writes here makes events that nobody caused.
    if stat.st_uid != Uid::effective().as_raw() || stat.st_mode & 0o022 != 0 {
        return Err(say(
            "must belong to the user of the server, and nobody else may write it",
        ));
    }
    faccessat(
        &directory,
        ".",
        nix::unistd::AccessFlags::W_OK,
        AtFlags::AT_EACCESS,
    )
    .map_err(|errno| say(errno.desc()))?;
    Ok(directory)
}

/// An event as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: Id,
    /// What its keeper must know beside it, on one line.
    pub note: String,
    pub json: String,
}

/// What a crash has left.
#[derive(Debug, Default)]
pub struct Left {
    /// To be delivered again, in the order of their ids, which is that of time.
    pub entries: Vec<Entry>,
    /// Names of files that are no events.
    pub strange: Vec<String>,
}

impl Spool {
    /// Looks whether the directory will do, and whether there is room. `Err` is a sentence about it.
    pub fn check(path: &Path) -> Result<(), String> {
        let say = |why: &str| format!("{}: {why}", path.display());
        let system = fstatvfs(look(path)?).map_err(|errno| say(errno.desc()))?;
        let free = system
            .blocks_available()
            .saturating_mul(system.fragment_size());
        // Some file systems do not tell how large they are.
        if (system.blocks() > 0 && free < LEAST_ROOM)
            || (system.files() > 0 && system.files_available() == 0)
        {
            return Err(say("there is no room left for events: make some"));
        }
        Ok(())
    }

    /// Opens the directory. `Err` is a sentence about it.
    pub fn open(path: &Path) -> Result<Spool, String> {
        let say = |why: &str| format!("{}: {why}", path.display());
        let directory = look(path)?;
        let lock = lock(directory.as_fd()).map_err(|errno| match errno {
            Errno::EAGAIN | Errno::EACCES => say("another server uses it"),
            errno => say(errno.desc()),
        })?;
        Ok(Spool { directory, lock })
    }

    /// What must stay open.
    pub fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.directory.as_fd(), self.lock.as_fd()]
    }

    /// Keeps an event. When this returns `Ok` the event survives a power cut; else nothing of it is kept.
    pub fn put(&self, entry: &Entry) -> Result<(), Errno> {
        let name = entry.id.to_string();
        let unfinished = format!(".{name}");
        let kept = self.write(&unfinished, entry).and_then(|()| {
            renameat(
                self.as_fd(),
                unfinished.as_str(),
                self.as_fd(),
                name.as_str(),
            )
        });
        if let Err(errno) = kept {
            let _ = self.remove(&unfinished);
            return Err(errno);
        }
        fsync(self.as_fd()).inspect_err(|_| {
            let _ = self.remove(&name);
        })
    }

    /// Forgets an event that everybody has. If the system dies now it is delivered once more.
    pub fn delivered(&self, id: Id) -> Result<(), Errno> {
        match self.remove(&id.to_string()) {
            Err(Errno::ENOENT) => Ok(()),
            removed => removed,
        }
    }

    /// Reads what was not delivered. What was begun and not acknowledged is removed.
    pub fn left(&self) -> Result<Left, Errno> {
        let mut left = Left::default();
        let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut files = Dir::openat(self.as_fd(), ".", flags, Mode::empty())?;
        for file in files.iter() {
            let file = file?;
            let Ok(name) = file.file_name().to_str() else {
                left.strange
                    .push(file.file_name().to_string_lossy().into_owned());
                continue;
            };
            match name.strip_prefix('.') {
                Some("" | "." | "lock") => {}
                Some(unfinished) if Id::parse(unfinished).is_some() => self.remove(name)?,
                _ => match Id::parse(name).and_then(|id| self.read(name, id)) {
                    Some(entry) => left.entries.push(entry),
                    None => left.strange.push(name.to_owned()),
                },
            }
        }
        left.entries.sort_by_key(|entry| entry.id);
        Ok(left)
    }

    fn write(&self, name: &str, entry: &Entry) -> Result<(), Errno> {
        let flags =
            OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        let mut file = File::from(openat(self.as_fd(), name, flags, mode)?);
        let text = format!("{HEAD}{}\n{}\n", entry.note, entry.json);
        let errno =
            |error: std::io::Error| Errno::from_raw(error.raw_os_error().unwrap_or_default());
        file.write_all(text.as_bytes()).map_err(errno)?;
        fsync(file.as_fd())
    }

    fn read(&self, name: &str, id: Id) -> Option<Entry> {
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = openat(self.as_fd(), name, flags, Mode::empty()).ok()?;
        let mut text = String::new();
        File::from(file)
            .take(LONGEST_EVENT)
            .read_to_string(&mut text)
            .ok()?;
        let (note, json) = text.strip_prefix(HEAD)?.split_once('\n')?;
        let json = json
            .strip_suffix('\n')
            .filter(|json| !json.contains('\n'))?;
        Some(Entry {
            id,
            note: note.to_owned(),
            json: json.to_owned(),
        })
    }

    fn remove(&self, name: &str) -> Result<(), Errno> {
        unlinkat(self.as_fd(), name, UnlinkatFlags::NoRemoveDir)
    }
}

/// Takes the lock of a directory.
fn lock(directory: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let file = openat(directory, LOCK, flags, Mode::S_IRUSR | Mode::S_IWUSR)?;
    // Of the whole file, and of the open file rather than of a process: it outlives the one that takes it.
    let short = |number: i32| i16::try_from(number).map_err(|_| Errno::EINVAL);
    let whole = nix::libc::flock {
        l_type: short(nix::libc::F_WRLCK)?,
        l_whence: short(nix::libc::SEEK_SET)?,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(&file, FcntlArg::F_OFD_SETLK(&whole))?;
    Ok(file)
}

impl AsFd for Spool {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    /// Tells a second run of this test program which directory is its.
    const WRITER: &str = "FTPD_TEST_SPOOL";

    fn entry(number: u128, octets: usize) -> Entry {
        Entry {
            id: Id::from_bytes(number.to_be_bytes()),
            note: "user=1000".to_owned(),
            json: format!("{{\"n\":{number},\"x\":\"{}\"}}", "x".repeat(octets)),
        }
    }

    /// Not a test of its own: puts events until it is killed or told wrong, and says each number that is safe.
    #[test]
    fn writer() {
        let Some(path) = std::env::var_os(WRITER) else {
            return;
        };
        let spool = Spool::open(Path::new(&path)).unwrap();
        let first = spool.left().unwrap().entries.len() as u128;
        for number in first.. {
            match spool.put(&entry(number, 3000)) {
                Ok(()) => eprintln!("safe {number}"),
                Err(errno) => {
                    eprintln!("failed {errno:?}");
                    return;
                }
            }
        }
    }

    fn write_in(mut command: Command, directory: &Path) -> Child {
        command
            .args(["--exact", "spool::tests::writer", "--nocapture"])
            .env(WRITER, directory)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a test runs itself a second time"
    )]
    fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
        Command::new(program)
    }

    /// Opens what was in use. A program that another test is about to start holds all locks until it has begun.
    fn open_again(directory: &Path) -> Spool {
        let mut opened = Spool::open(directory);
        for _ in 0..1000 {
            match opened {
                Err(why) if why.contains("another server") => {
                    nix::poll::poll(&mut [], 10u8).unwrap();
                    opened = Spool::open(directory);
                }
                opened => return opened.unwrap(),
            }
        }
        opened.unwrap()
    }

    #[test]
    fn an_event_stays_until_it_is_delivered() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::open(directory.path()).unwrap();
        for number in [3, 1, 2] {
            spool.put(&entry(number, 10)).unwrap();
        }
        assert!(
            Spool::open(directory.path())
                .unwrap_err()
                .contains("another server")
        );
        drop(spool);
        let spool = open_again(directory.path());
        assert_eq!(
            spool.left().unwrap().entries,
            [1, 2, 3].map(|n| entry(n, 10))
        );
        spool.delivered(entry(2, 0).id).unwrap();
        spool.delivered(entry(2, 0).id).unwrap();
        assert_eq!(spool.left().unwrap().entries, [1, 3].map(|n| entry(n, 10)));
        assert_eq!(
            spool.put(&entry(1, 10)),
            Ok(()),
            "the same event is kept once"
        );
        assert_eq!(spool.left().unwrap().entries.len(), 2);
    }

    #[test]
    fn what_is_no_event_is_told_and_what_was_begun_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::open(directory.path()).unwrap();
        let make = |name: &str, text: &str| {
            let flags = OFlag::O_CREAT | OFlag::O_WRONLY;
            let file = openat(spool.as_fd(), name, flags, Mode::S_IRUSR).unwrap();
            File::from(file).write_all(text.as_bytes()).unwrap();
        };
        let name = |number: u128| format!("{number:032x}");
        make("README", "hello");
        make(&name(1), "ftpd-event 1 upload\n{}");
        make(&name(2), "ftpd-event 2 upload\n{}\n");
        make(&name(3), "ftpd-event 1 user=1\n{}\n{}\n");
        make(&format!(".{}", name(4)), "ftpd-ev");
        let mut left = spool.left().unwrap();
        left.strange.sort();
        assert_eq!(
            left.strange,
            [name(1), name(2), name(3), "README".to_owned()]
        );
        assert_eq!(left.entries, []);
        let gone = openat(
            spool.as_fd(),
            format!(".{}", name(4)).as_str(),
            OFlag::O_RDONLY,
            Mode::empty(),
        );
        assert_eq!(gone.unwrap_err(), Errno::ENOENT);
    }

    #[test]
    fn a_directory_that_others_may_write_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let opened = open(directory.path(), OFlag::O_DIRECTORY, Mode::empty()).unwrap();
        nix::sys::stat::fchmod(&opened, Mode::from_bits_truncate(0o770)).unwrap();
        assert!(
            Spool::open(directory.path())
                .unwrap_err()
                .contains("nobody else may write it")
        );
        assert!(
            Spool::open(Path::new("/nowhere"))
                .unwrap_err()
                .starts_with("/nowhere: No such")
        );
    }

    #[test]
    fn no_kill_loses_what_was_said_to_be_safe() {
        let directory = tempfile::tempdir().unwrap();
        let itself = std::env::current_exe().unwrap();
        let mut safe = 0;
        for round in 0..20u32 {
            let mut child = write_in(command(&itself), directory.path());
            let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
            for _ in 0..=round % 7 {
                let line = lines.next().unwrap().unwrap();
                assert_eq!(line, format!("safe {safe}"));
                safe += 1u128;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            // It may have said more before the kill.
            for line in lines {
                if line.unwrap() == format!("safe {safe}") {
                    safe += 1;
                }
            }
            let left = open_again(directory.path()).left().unwrap();
            assert_eq!(left.strange, [""; 0]);
            assert!(left.entries.len() as u128 >= safe, "round {round}");
            // One more may be safe without having been said.
            safe = left.entries.len() as u128;
            assert!(
                left.entries
                    .iter()
                    .zip(0..)
                    .all(|(left, n)| *left == entry(n, 3000))
            );
        }
    }

    #[test]
    fn a_full_disk_refuses_an_event_and_keeps_all_others() {
        let directory = tempfile::tempdir().unwrap();
        let itself = std::env::current_exe().unwrap();
        let script = "mount -t tmpfs -o size=128k,mode=0700 none \"$1\" || { echo skip >&2; exit; }
            \"$0\" --exact spool::tests::writer --nocapture; ls -A \"$1\" >&2";
        let mut shell = command("unshare");
        shell.args(["--mount", "sh", "-c", script]);
        shell
            .arg(&itself)
            .arg(directory.path())
            .env(WRITER, directory.path());
        let output = shell.stdout(Stdio::null()).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        if !text.contains("failed") {
            assert!(
                !nix::unistd::geteuid().is_root() || text.contains("skip"),
                "{text}"
            );
            eprintln!("skipped: only root can mount a small file system");
            return;
        }
        assert!(text.contains("failed ENOSPC"), "{text}");
        let safe = text
            .lines()
            .filter(|line| line.starts_with("safe "))
            .count();
        let files: Vec<_> = text
            .lines()
            .filter(|line| Id::parse(line.trim_start_matches('.')).is_some())
            .collect();
        assert!(safe > 0 && files.len() == safe, "{text}");
        assert!(files.iter().all(|name| !name.starts_with('.')), "{text}");
    }
}
