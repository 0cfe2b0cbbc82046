//! Changes the mode of one name in a directory without following a link. nix goes through glibc, which on the kernels
//! that lack the call, and in older versions on all, takes the way over /proc, and a jail has none.
#![expect(unsafe_code, reason = "one system call that nix does not have")]

use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::stat::Mode;

/// The number of fchmodat2, the same on all machines; the libc crate has it for some only.
pub const FCHMODAT2: libc::c_long = 452;

/// Makes `mode` the mode of `name` in `directory` (fchmodat2(2) with `AT_SYMLINK_NOFOLLOW`, since Linux 6.6).
///
/// # Errors
/// `ENOSYS` if the kernel is older, `EOPNOTSUPP` if the name is a link; else what chmod(2) says.
pub fn change_mode(directory: BorrowedFd<'_>, name: &[u8], mode: Mode) -> nix::Result<()> {
    let name = CString::new(name).map_err(|_| Errno::EINVAL)?;
    // SAFETY: the name is a C string that lives until the call is over, the kernel only reads it, and the descriptor is
    // open for as long as it is borrowed.
    let changed = unsafe {
        libc::syscall(
            FCHMODAT2,
            directory.as_raw_fd(),
            name.as_ptr(),
            mode.bits(),
            libc::AT_SYMLINK_NOFOLLOW,
        )
    };
    Errno::result(changed).map(drop)
}
