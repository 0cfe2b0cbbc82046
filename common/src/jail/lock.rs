//! Locks on open files: they belong to the open file, travel with its descriptors and end with the last of them, whatever dies.

use std::os::fd::AsFd;

use super::Failure;
use crate::sys::lock::{Lock, lock_octets};

/// What of a file is locked. Other programs that lock a whole file lock both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All that a file can hold: what `Locks` is about.
    Content,
    /// The last octet that there can be: whoever writes has it, so that two never mix.
    Pen,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    Readers,
    /// The file must be open for writing.
    Writer,
}

/// Takes a lock; `false` says that somebody else has it. Never waits.
pub(super) fn take(file: impl AsFd, part: Part, share: Share) -> Result<bool, Failure> {
    let (start, len) = match part {
        Part::Content => (0, i64::MAX - 1),
        Part::Pen => (i64::MAX - 1, 1),
    };
    let kind = match share {
        Share::Readers => Lock::Shared,
        Share::Writer => Lock::Exclusive,
    };
    Ok(lock_octets(file.as_fd(), kind, start, len)?)
}
