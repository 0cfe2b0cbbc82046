//! Where files go that a hook has refused, so that somebody can look at them: out of every jail, and out of their users' hands.

use std::ffi::OsStr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, open};
use nix::libc;
use nix::sys::stat::{Mode, fchmod, fstat, stat};
use nix::unistd::{Gid, Uid, fchown, linkat};

use crate::hooks::{Event, Path as EventPath};
use crate::sandbox;

/// The longest part of a name that is the file's own, in octets.
const LONGEST_NAME: usize = 160;

/// Gives a file a second name in a directory of the same file system; gives that. The first one is keeper's to remove.
pub(super) fn keep(
    directory: &Path,
    file: BorrowedFd<'_>,
    event: &Event,
) -> Result<PathBuf, Errno> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let place = open(directory, flags, Mode::empty())?;
    // SECURITY: a second name of a file that has one already, such as one that was continued in place, would change hands.
    if fstat(file)?.st_nlink != 1 {
        return Err(Errno::EMLINK);
    }
    if sandbox::is_root() && !in_sticky_directory(event) {
        fchown(file, Some(Uid::from_raw(0)), Some(Gid::from_raw(0)))?;
    }
    fchmod(file, Mode::S_IRUSR)?;
    let name = name(event);
    let from = format!("/proc/self/fd/{}", file.as_raw_fd());
    linkat(
        AT_FDCWD,
        from.as_str(),
        &place,
        name.as_str(),
        AtFlags::AT_SYMLINK_FOLLOW,
    )?;
    Ok(directory.join(name))
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
    use std::os::fd::AsFd;

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
    fn a_file_gets_a_second_name_once() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("upload");
        let flags = OFlag::O_RDWR | OFlag::O_CREAT;
        let file = open(&path, flags, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        let event = event(b"/upload");
        let kept = keep(scratch.path(), file.as_fd(), &event).unwrap();
        assert!(kept.exists());
        assert_eq!(fstat(&file).unwrap().st_mode & 0o7777, 0o400);
        let again = keep(scratch.path(), file.as_fd(), &event);
        assert_eq!(again, Err(Errno::EMLINK));
    }
}
