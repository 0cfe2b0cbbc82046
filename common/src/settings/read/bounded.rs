//! Reads whole small files, as far as who could have written them may be trusted.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

const LONGEST_FILE: u64 = 1024 * 1024;

/// Reads a small file that holds a password: one that only its owner can read, and as root only root's.
///
/// # Errors
/// What the system says, or who else could have read it.
pub(crate) fn read_private(path: &Path) -> io::Result<Vec<u8>> {
    use std::os::unix::fs::PermissionsExt;
    let octets = read_bounded(path, nix::unistd::geteuid().is_root())?;
    #[expect(
        clippy::disallowed_methods,
        reason = "the configuration is read before there is a jail"
    )]
    let mode = std::fs::metadata(path)?.permissions().mode();
    match mode & 0o077 {
        0 => Ok(octets),
        _ => {
            let text = format!(
                "its mode {:03o} lets others read it: chmod go= it",
                mode & 0o777
            );
            Err(io::Error::other(text))
        }
    }
}

/// Reads a whole small file. With `only_root`, refuses one that anybody but root could have written.
pub(in crate::settings) fn read_bounded(path: &Path, only_root: bool) -> io::Result<Vec<u8>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the configuration is read before there is a jail"
    )]
    let file: File = OpenOptions::new()
        .read(true)
        // Opening a FIFO must not wait for somebody to write to it.
        .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open(path)?;
    let metadata = file.metadata()?;
    let kind = metadata.file_type();
    // /dev/null is a usual way to say "no file".
    if !kind.is_file() && !kind.is_char_device() {
        return Err(io::Error::other("it is not a regular file: name one"));
    }
    if only_root && kind.is_file() {
        trusted(metadata.uid(), metadata.mode()).map_err(io::Error::other)?;
    }
    let mut octets = Vec::new();
    file.take(LONGEST_FILE + 1).read_to_end(&mut octets)?;
    if octets.len() as u64 > LONGEST_FILE {
        return Err(io::Error::other(
            "it is longer than 1 MiB, as no such file should be: name another",
        ));
    }
    Ok(octets)
}

// SECURITY: who can write the configuration of a root-run server is root.
fn trusted(owner: u32, mode: u32) -> Result<(), String> {
    if owner != 0 {
        return Err(format!(
            "it belongs to user {owner}, but the server runs as root: chown it to root"
        ));
    }
    if mode & 0o022 != 0 {
        return Err(format!(
            "its mode {:03o} lets others than root write it: chmod go-w it",
            mode & 0o777
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_may_write_what_root_obeys() {
        assert_eq!(trusted(0, 0o100_644), Ok(()));
        assert_eq!(
            trusted(0, 0o100_664),
            Err("its mode 664 lets others than root write it: chmod go-w it".to_owned())
        );
        assert!(trusted(0, 0o100_602).is_err());
        assert!(trusted(1000, 0o100_600).is_err());
    }
}
