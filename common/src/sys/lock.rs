//! Locks on ranges of a file that belong to the open file description, and so to whoever holds that: they end with it.

use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

/// How a range is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    None,
    Shared,
    Exclusive,
}

/// Sets the lock of `len` octets from `start`, of all behind it if `len` is zero; `false` says that somebody else has one of
/// them. Never waits.
///
/// # Errors
/// What fcntl(2) says about F_OFD_SETLK.
pub fn lock_octets(file: BorrowedFd<'_>, lock: Lock, start: i64, len: i64) -> Result<bool, Errno> {
    let kind = match lock {
        Lock::None => libc::F_UNLCK,
        Lock::Shared => libc::F_RDLCK,
        Lock::Exclusive => libc::F_WRLCK,
    };
    let short = |number| libc::c_short::try_from(number).map_err(|_| Errno::EINVAL);
    let range = libc::flock {
        l_type: short(kind)?,
        l_whence: short(libc::SEEK_SET)?,
        l_start: start,
        l_len: len,
        l_pid: 0,
    };
    loop {
        return match fcntl(file, FcntlArg::F_OFD_SETLK(&range)) {
            Ok(_) => Ok(true),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
            Err(Errno::EINTR) => continue,
            Err(errno) => Err(errno),
        };
    }
}
