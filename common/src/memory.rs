//! Files in memory that one process writes and others only read.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

/// Opens such a file anew. SECURITY: sessions inherit it, and one that was taken over shall not write it for the others.
///
/// # Errors
/// What open(2) says.
pub fn read_only(table: &File) -> io::Result<File> {
    let path = format!("/proc/self/fd/{}", table.as_raw_fd());
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    Ok(File::from(open(path.as_str(), flags, Mode::empty())?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use nix::sys::memfd::{MFdFlags, memfd_create};

    use super::*;

    #[test]
    fn sessions_cannot_write_the_table() {
        let table = File::from(memfd_create(c"table", MFdFlags::MFD_CLOEXEC).unwrap());
        let inherited = read_only(&table).unwrap();
        table.write_all_at(&[192, 0, 2, 1], 0).unwrap();
        let mut octets = [0; 4];
        inherited.read_exact_at(&mut octets, 0).unwrap();
        assert_eq!(octets, [192, 0, 2, 1]);
        assert!(inherited.write_all_at(&[0], 0).is_err());
    }
}
