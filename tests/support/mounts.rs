//! File systems of a test's own, in a mount namespace of its thread: the rest of the machine does not see them.

use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

use crate::require;

/// A mounted file system, unmounted when it goes out of scope.
pub struct Mounted(PathBuf);

impl Mounted {
    /// An empty tmpfs, with options as tmpfs(5) has them; its directory is made.
    #[track_caller]
    pub fn tmpfs(at: &Path, options: &str) -> Mounted {
        std::fs::create_dir_all(at).unwrap();
        let kind = Some("tmpfs");
        mount(kind, at, kind, MsFlags::empty(), Some(options)).unwrap();
        Mounted(at.to_owned())
    }

    /// A directory that is elsewhere too.
    #[track_caller]
    pub fn bind(source: &Path, at: &Path) -> Mounted {
        std::fs::create_dir_all(at).unwrap();
        let flags = MsFlags::MS_BIND;
        mount(Some(source), at, None::<&str>, flags, None::<&str>).unwrap();
        Mounted(at.to_owned())
    }

    /// The machine's own /proc. Read-only, and to be mounted when the server has started: whatever prepares or removes a
    /// test's directory changes owners and unlinks as root, and must not do so there.
    #[track_caller]
    pub fn proc(at: &Path) -> Mounted {
        let mounted = Mounted::bind(Path::new("/proc"), at);
        let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        mount(None::<&str>, at, None::<&str>, flags, None::<&str>).unwrap();
        mounted
    }

    /// The file system in an image, with options as mount(8) takes them.
    #[track_caller]
    pub fn image(image: &Path, at: &Path, options: &str) -> Mounted {
        std::fs::create_dir_all(at).unwrap();
        run(Command::new("mount")
            .args(["-t", "ext4", "-o", &format!("loop,{options}")])
            .args([image, at]));
        Mounted(at.to_owned())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Processes of the server may still be on it, and end a moment later.
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

/// Makes an image with an empty ext4 of so many MiB.
#[track_caller]
pub fn ext4(image: &Path, mebibytes: u64) {
    let file = std::fs::File::create(image).unwrap();
    file.set_len(mebibytes << 20).unwrap();
    let arguments = ["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"];
    run(Command::new("mkfs.ext4").args(arguments).arg(image));
}

/// Whether this thread may mount: it has a mount namespace of its own from now on.
#[must_use]
pub fn private() -> bool {
    if !require::root() {
        return false;
    }
    let separate = unshare(CloneFlags::CLONE_NEWNS).and_then(|()| {
        let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)
    });
    separate.is_ok() || require::missing("the right to make mount namespaces")
}

/// Whether images can be mounted.
#[must_use]
pub fn loops() -> bool {
    private()
        && require::programs(&["mkfs.ext4", "mount"])
        && (Path::new("/dev/loop-control").exists() || require::missing("loop devices"))
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}");
}
