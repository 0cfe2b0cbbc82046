//! Why the file system said no. Decides no reply: the reply codes belong to the commands.

use nix::errno::Errno;

/// Why the file system said no, in the words that a reply needs; the errno goes to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No such file or directory.
    NotFound,
    /// Permissions say no.
    Denied,
    Exists,
    /// A transfer was to begin beyond the end of the file.
    BadOffset,
    NotADirectory,
    IsADirectory,
    /// A directory that is not empty.
    NotEmpty,
    /// Not a regular file or directory, or on a file system that is not served (/proc, /sys).
    Special,
    NameTooLong,
    /// Too many links, or a link that may not be followed.
    Loop,
    NoSpace,
    Quota,
    TooLarge,
    ReadOnly,
    /// Source and target are on different file systems.
    CrossDevice,
    /// Somebody else uses it.
    Busy,
    /// There is a broken upload of that name, and it is not clear which of both is meant.
    Unfinished,
    /// Too many others do what takes the whole machine.
    Crowded,
    /// It needs a listener, and this session was started without one.
    Alone,
    /// Out of descriptors, memory or ports: try again later.
    Exhausted,
    /// More entries, or deeper ones, than are taken.
    Limit,
    /// The device failed, or anything else.
    Io,
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::ENOENT => Failure::NotFound,
            Errno::EACCES | Errno::EPERM => Failure::Denied,
            Errno::EEXIST => Failure::Exists,
            Errno::ENOTDIR => Failure::NotADirectory,
            Errno::EISDIR => Failure::IsADirectory,
            Errno::ENOTEMPTY => Failure::NotEmpty,
            Errno::ENXIO | Errno::ENODEV => Failure::Special,
            Errno::ENAMETOOLONG => Failure::NameTooLong,
            Errno::ELOOP => Failure::Loop,
            Errno::ENOSPC => Failure::NoSpace,
            Errno::EDQUOT => Failure::Quota,
            Errno::EFBIG => Failure::TooLarge,
            Errno::EROFS => Failure::ReadOnly,
            Errno::EXDEV => Failure::CrossDevice,
            Errno::EBUSY | Errno::ETXTBSY => Failure::Busy,
            Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM | Errno::EAGAIN | Errno::ENOBUFS => {
                Failure::Exhausted
            }
            _ => Failure::Io,
        }
    }
}
