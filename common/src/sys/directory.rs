//! Reads directory entries by the hundred into the caller's buffer. readdir(3) would copy every name once more and
//! nix has no safe form of it that keeps the descriptor usable.
#![expect(unsafe_code, reason = "one system call that nix does not have")]

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;

/// Fills `buffer` with `linux_dirent64` records (getdents(2)) and says how many octets they take; 0 is the end.
pub fn read_entries(directory: BorrowedFd<'_>, buffer: &mut [u8]) -> nix::Result<usize> {
    // SAFETY: the pointer and the length are those of one exclusively borrowed slice, the kernel writes nothing but
    // octets into it, and the descriptor is open for as long as it is borrowed.
    let read = unsafe {
        libc::syscall(
            libc::SYS_getdents64,
            directory.as_raw_fd(),
            buffer.as_mut_ptr(),
            buffer.len(),
        )
    };
    Errno::result(read).map(|read| usize::try_from(read).unwrap_or(0))
}
