//! A directory for one test, gone with it. Never outside of the system's temporary directory.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::{Gid, Uid};
use tempfile::TempDir;

/// A temporary directory that other users may pass through, as the servers under test change their identity.
pub struct Scratch(TempDir);

impl Scratch {
    pub fn new() -> Scratch {
        let directory = tempfile::Builder::new()
            .prefix("ftpd-test-")
            .tempdir()
            .unwrap();
        mode(directory.path(), 0o755);
        Scratch(directory)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// A new empty directory below.
    pub fn directory(&self, name: &str) -> PathBuf {
        let path = self.join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Scratch::new()
    }
}

/// Sets permission bits.
pub fn mode(path: &Path, bits: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
}

/// Copies a program to where anybody may run it. Another process does: children that other tests fork at that moment would hold
/// the descriptor by which it is written, and as long as anybody does it cannot be run ("text file busy").
#[track_caller]
pub fn copy_program(from: &Path, to: &Path) {
    let mut install = Command::new("install");
    let status = install.args(["-m", "755"]).args([from, to]).status();
    assert!(status.unwrap().success(), "{} is not there", to.display());
}

/// Writes a script that anybody may run, in the same way.
#[track_caller]
pub fn script(path: &Path, text: &str) {
    let draft = path.with_extension("draft");
    fs::write(&draft, text).unwrap();
    copy_program(&draft, path);
    fs::remove_file(draft).unwrap();
}

/// Gives a directory and all below it to a user, but for what is mounted there. Only root can; for anybody else everything is
/// theirs already.
pub fn give(path: &Path, uid: Uid, gid: Gid) {
    if Uid::effective().is_root() {
        give_on(fs::symlink_metadata(path).unwrap().dev(), path, uid, gid);
    }
}

/// Stays on one file system: what a test mounts may be the machine's own.
fn give_on(device: u64, path: &Path, uid: Uid, gid: Gid) {
    let found = fs::symlink_metadata(path).unwrap();
    if found.dev() != device {
        return;
    }
    std::os::unix::fs::lchown(path, Some(uid.as_raw()), Some(gid.as_raw())).unwrap();
    if found.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give_on(device, &entry.unwrap().path(), uid, gid);
        }
    }
}
