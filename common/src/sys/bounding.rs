//! The capability bounding set: capabilities(7).

use nix::errno::Errno;
use nix::libc;

/// The numbers of the capabilities that are in it. Kernels count them from 0 up, at most to 63.
///
/// # Errors
/// What prctl(2) says, but for capabilities that this kernel does not know.
pub fn members() -> Result<Vec<u8>, Errno> {
    let mut members = Vec::new();
    for number in 0..64 {
        // SAFETY: this operation reads one number and touches no memory.
        let found =
            unsafe { libc::prctl(libc::PR_CAPBSET_READ, libc::c_ulong::from(number), 0, 0, 0) };
        match Errno::result(found) {
            Ok(1) => members.push(number),
            Ok(_) => {}
            Err(Errno::EINVAL) if number > 0 => break,
            Err(errno) => return Err(errno),
        }
    }
    Ok(members)
}

/// Takes one out, for good.
///
/// # Errors
/// What prctl(2) says.
pub fn drop(number: u8) -> Result<(), Errno> {
    // SAFETY: this operation reads one number and touches no memory.
    let dropped =
        unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(number), 0, 0, 0) };
    Errno::result(dropped).map(|_| ())
}
