//! Where files go that a hook has refused, so that somebody can look at them: out of every jail, and out of their users' hands.

use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, RenameFlags, open, openat, renameat2};
use nix::libc;
use nix::sys::sendfile::sendfile64;
use nix::sys::stat::{Mode, fchmod, fstat, stat};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Gid, Pid, Uid, UnlinkatFlags, fchown, fsync, linkat, unlinkat};

use crate::hooks::{Event, Path as EventPath};
use crate::part::Part;
use crate::sandbox;
use crate::sys::{self, Fork};

/// The longest part of a name that is the file's own, in octets.
const LONGEST_NAME: usize = 160;

/// So much is copied by one call, in octets.
const PIECE: usize = 16 << 20;

/// Where a file is that was refused.
#[derive(Debug)]
pub(super) enum Kept {
    There(PathBuf),
    Soon(Copying),
}

/// A copy on its way, by a process of its own, so that hookd waits for no disk.
#[derive(Debug)]
pub(super) struct Copying {
    process: Pid,
    ended: OwnedFd,
    path: PathBuf,
}

impl Copying {
    /// Becomes readable when it has ended.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.ended.as_fd()
    }

    /// What it has come to, for when it has ended.
    pub(super) fn finish(self) -> Result<PathBuf, Errno> {
        match waitpid(self.process, None) {
            Ok(WaitStatus::Exited(_, 0)) => Ok(self.path),
            Ok(WaitStatus::Exited(_, errno)) => Err(Errno::from_raw(errno)),
            _ => Err(Errno::EIO),
        }
    }
}

/// Keeps a file in a directory: under a second name if it has only a hidden one, which is keeper's to remove, and if both are on
/// one file system; else as a copy.
pub(super) fn keep(directory: &Path, file: BorrowedFd<'_>, event: &Event) -> Result<Kept, Errno> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let place = open(directory, flags, Mode::empty())?;
    let name = name(event);
    let path = directory.join(&name);
    // SECURITY: a second name of a file that others know, such as one that was continued in place, would change hands.
    let is_hidden = event.act.temporary.is_some() && fstat(file)?.st_nlink == 1;
    if is_hidden && fstat(file)?.st_dev == fstat(&place)?.st_dev {
        match link(&place, &name, file, event) {
            Ok(()) => return Ok(Kept::There(path)),
            // Mounted twice.
            Err(Errno::EXDEV) => {}
            Err(errno) => return Err(errno),
        }
    }
    copy(&place, &name, file, path).map(Kept::Soon)
}

fn link(place: &OwnedFd, name: &str, file: BorrowedFd<'_>, event: &Event) -> Result<(), Errno> {
    if sandbox::is_root() && !in_sticky_directory(event) {
        fchown(file, Some(Uid::from_raw(0)), Some(Gid::from_raw(0)))?;
    }
    fchmod(file, Mode::S_IRUSR)?;
    let from = format!("/proc/self/fd/{}", file.as_raw_fd());
    let flags = AtFlags::AT_SYMLINK_FOLLOW;
    linkat(AT_FDCWD, from.as_str(), place, name, flags)
}

/// Begins to copy a file.
fn copy(
    place: &OwnedFd,
    name: &str,
    file: BorrowedFd<'_>,
    path: PathBuf,
) -> Result<Copying, Errno> {
    // Anew, so that it begins at its beginning.
    let from = format!("/proc/self/fd/{}", file.as_raw_fd());
    let source = open(
        from.as_str(),
        OFlag::O_RDONLY | OFlag::O_CLOEXEC,
        Mode::empty(),
    )?;
    match sys::fork()? {
        Fork::Parent(process) => Ok(Copying {
            process,
            ended: sys::watch_process(process)?,
            path,
        }),
        Fork::Child => {
            Part::Copier.begin();
            let copied = sys::keep_only(&[place.as_fd(), source.as_fd()])
                .and_then(|()| write(place, name, &source));
            sys::exit(copied.map_or_else(|errno| errno as i32, |()| 0))
        }
    }
}

/// Writes a copy, which has its name when all of it is on the disk.
fn write(place: &OwnedFd, name: &str, source: &OwnedFd) -> Result<(), Errno> {
    let unfinished = format!(".{name}");
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
    let target = openat(place, unfinished.as_str(), flags, Mode::S_IRUSR)?;
    let flags = RenameFlags::RENAME_NOREPLACE;
    let kept = fill(&target, source)
        .and_then(|()| fsync(&target))
        .and_then(|()| renameat2(place, unfinished.as_str(), place, name, flags));
    if kept.is_err() {
        let _ = unlinkat(place, unfinished.as_str(), UnlinkatFlags::NoRemoveDir);
    }
    kept.and_then(|()| fsync(place))
}

fn fill(target: &OwnedFd, source: &OwnedFd) -> Result<(), Errno> {
    loop {
        match sendfile64(target, source, None, PIECE) {
            Ok(0) => return Ok(()),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Whether keeper could not remove the first name any more if the file were another's.
fn in_sticky_directory(event: &Event) -> bool {
    let temporary = event.act.temporary.as_ref().map(EventPath::as_bytes);
    let directory = temporary.and_then(|path| Path::new(OsStr::from_bytes(path)).parent());
    directory.is_some_and(|directory| {
        stat(directory).is_ok_and(|status| status.st_mode & libc::S_ISVTX != 0)
    })
}

/// The event's number, and of the file's name what does no harm in a shell or on a terminal.
fn name(event: &Event) -> String {
    let path = event
        .act
        .path
        .as_ref()
        .map_or(&b""[..], EventPath::as_bytes);
    let name = path
        .rsplit(|&octet| octet == b'/')
        .next()
        .unwrap_or_default();
    let plain = name.iter().take(LONGEST_NAME).map(|&octet| match octet {
        b'.' | b'-' | b'_' => char::from(octet),
        octet if octet.is_ascii_alphanumeric() => char::from(octet),
        _ => '_',
    });
    format!("{}-{}", event.id, plain.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::super::guest::of_daemon;
    use super::super::message::Happened;
    use super::*;
    use crate::hooks::Kind;

    fn event(path: &[u8]) -> Event {
        let mut event = of_daemon(&Happened::new(Kind::Upload));
        event.act.path = EventPath::new(path).ok();
        event
    }

    #[test]
    fn names_in_the_quarantine_are_plain() {
        let event = event(b"/in/a b;\n$(id)\xff.exe");
        assert_eq!(name(&event), format!("{}-a_b____id__.exe", event.id));
    }

    #[test]
    fn a_hidden_file_gets_a_second_name() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("upload");
        let flags = OFlag::O_RDWR | OFlag::O_CREAT;
        let file = open(&path, flags, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        let mut event = event(b"/upload");
        event.act.temporary = EventPath::new(path.as_os_str().as_bytes()).ok();
        let Kept::There(kept) = keep(scratch.path(), file.as_fd(), &event).unwrap() else {
            panic!("it was copied");
        };
        assert!(kept.exists());
        assert_eq!(fstat(&file).unwrap().st_mode & 0o7777, 0o400);
    }

    #[test]
    fn a_copy_is_whole_or_not_there() {
        let scratch = tempfile::tempdir().unwrap();
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        let place = open(scratch.path(), flags, Mode::empty()).unwrap();
        let path = scratch.path().join("upload");
        let flags = OFlag::O_RDWR | OFlag::O_CREAT;
        let source = open(&path, flags, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        nix::unistd::ftruncate(&source, 100_000).unwrap();
        write(&place, "kept", &source).unwrap();
        let kept = stat(&scratch.path().join("kept")).unwrap();
        assert_eq!((kept.st_size, kept.st_mode & 0o7777), (100_000, 0o400));
        assert_eq!(write(&place, "kept", &source), Err(Errno::EEXIST));
        assert!(!scratch.path().join(".kept").exists());
    }
}
