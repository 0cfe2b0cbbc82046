//! System calls without a library in between. The only unsafe code of the tests.
#![expect(
    unsafe_code,
    reason = "what is tried here is what a process that was taken over would try"
)]

use nix::errno::Errno;
use nix::libc::{c_long, syscall};

/// Makes a call; the numbers are its arguments, addresses among them.
pub(crate) fn call(number: c_long, arguments: [usize; 6]) -> Result<c_long, Errno> {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: every address that the tests pass is null, nonsense that the kernel refuses, or that of a value which the
    // caller keeps alive and lets the kernel read only; and the process that calls does nothing afterwards but exit.
    Errno::result(unsafe { syscall(number, a, b, c, d, e, f) })
}

/// The address of a value that the kernel is to read.
pub(crate) fn address<T: ?Sized>(value: &T) -> usize {
    std::ptr::from_ref(value).cast::<()>() as usize
}
