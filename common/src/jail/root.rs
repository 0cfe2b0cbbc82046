//! Opening the directory that becomes a session's root, by its real path. This is done before the session has a jail.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};

/// Opens a directory, as `O_PATH`. With `base`, absolute paths are taken from there, and no link may be on the way.
///
/// # Errors
/// `ENOTDIR` if the path's last name is a symbolic link or no directory, `ELOOP` for a link on the way below `base`, else what openat2(2) says.
pub fn open_root(base: Option<BorrowedFd<'_>>, path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let resolve = match base {
        // SECURITY: whoever may write a directory above could lead this look-up, which root makes, anywhere (CVE-2017-7418).
        Some(_) => ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_SYMLINKS,
        None => ResolveFlag::RESOLVE_NO_MAGICLINKS,
    };
    let how = OpenHow::new().flags(flags).resolve(resolve);
    // SECURITY: a trailing slash would make the kernel follow a link in the last place.
    let octets = path.as_os_str().as_bytes();
    let end = octets
        .iter()
        .rposition(|&b| b != b'/')
        .map_or(1, |last| last + 1);
    let path = octets.get(..end).filter(|p| !p.is_empty()).unwrap_or(b"/");
    match base {
        Some(base) => openat2(base, path, how),
        None => openat2(AT_FDCWD, path, how),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_link_is_refused_as_the_last_name_with_and_without_slashes() {
        let scratch = tempfile::tempdir().unwrap();
        let path = |name: &str| scratch.path().join(name);
        nix::unistd::mkdir(&path("real"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::os::unix::fs::symlink("real", path("link")).unwrap();
        assert!(open_root(None, &path("real")).is_ok());
        assert!(open_root(None, &path("real///")).is_ok());
        for name in ["link", "link/", "link//"] {
            assert_eq!(
                open_root(None, &path(name)).unwrap_err(),
                Errno::ENOTDIR,
                "{name}"
            );
        }
        assert_eq!(open_root(None, &path("none")).unwrap_err(), Errno::ENOENT);
        let base = open_root(None, scratch.path()).unwrap();
        assert!(open_root(Some(base.as_fd()), Path::new("/real")).is_ok());
        assert!(open_root(Some(base.as_fd()), Path::new("/../real")).is_ok());
        assert_eq!(
            open_root(Some(base.as_fd()), scratch.path()).unwrap_err(),
            Errno::ENOENT
        );
    }
}
