//! Opens the user file for a change, or makes it, and takes an empty one away again.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{FileStat, Mode};
use nix::unistd::{UnlinkatFlags, unlinkat};

/// An empty file under the lock that was made for it; removed with this, unless it is kept.
pub(super) struct Made {
    pub(super) directory: OwnedFd,
    pub(super) file_name: OsString,
}

impl Made {
    /// Leaves the name to the file that has it now.
    pub(super) fn keep(mut self) {
        self.file_name.clear();
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if self.file_name.is_empty() {
            return;
        }
        // What went wrong before is the error to tell; an empty file lets nobody in.
        #[expect(clippy::let_underscore_must_use, reason = "as said above")]
        let _ = unlinkat(
            &self.directory,
            &*self.file_name,
            UnlinkatFlags::NoRemoveDir,
        );
    }
}

pub(super) fn open_directory(path: &Path) -> Result<OwnedFd, Errno> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    open(parent.unwrap_or(Path::new(".")), flags, Mode::empty())
}

pub(super) fn open_file(directory: &OwnedFd, name: &OsStr) -> Result<File, Errno> {
    openat(directory, name, to_read(), Mode::empty()).map(File::from)
}

/// Opens a file that is there, or makes an empty one: then it is new.
pub(super) fn open_or_make(directory: &OwnedFd, name: &OsStr) -> Result<(File, bool), Errno> {
    let new = to_read() | OFlag::O_CREAT | OFlag::O_EXCL;
    loop {
        match openat(directory, name, new, Mode::S_IRUSR | Mode::S_IWUSR) {
            Err(Errno::EEXIST) => {}
            made => return made.map(|made| (File::from(made), true)),
        }
        match open_file(directory, name) {
            // Whoever made it has removed it again.
            Err(Errno::ENOENT) => {}
            opened => return opened.map(|file| (file, false)),
        }
    }
}

/// Reading is enough to lock and to replace. O_NONBLOCK: a FIFO in the file's place must not hold us up.
fn to_read() -> OFlag {
    OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC
}

pub(super) fn is_same(named: &FileStat, opened: &std::fs::Metadata) -> bool {
    (named.st_dev, named.st_ino) == (opened.dev(), opened.ino())
}
