//! A download without stages: the kernel copies from the file to the socket.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::sendfile::sendfile64;

use super::{Flow, Step, bounded};

/// The most that one sendfile is asked for.
const PIECE: usize = 2 << 20;

/// A file on its way to the socket.
#[derive(Debug)]
pub struct SendFile {
    file: OwnedFd,
    data: OwnedFd,
    offset: u64,
    end: u64,
}

impl SendFile {
    /// Sends the octets from `offset` to `end` of a file.
    pub fn new(file: OwnedFd, data: OwnedFd, offset: u64, end: u64) -> SendFile {
        SendFile {
            file,
            data,
            offset,
            end,
        }
    }
}

impl Flow for SendFile {
    fn step(&mut self, most: u64) -> Step {
        let left = self.end.saturating_sub(self.offset);
        if left == 0 {
            return Step::Complete;
        }
        let piece = bounded(PIECE, left.min(most));
        let Ok(mut offset) = i64::try_from(self.offset) else {
            return Step::StoreFailed(Errno::EOVERFLOW);
        };
        match sendfile64(&self.data, &self.file, Some(&mut offset), piece) {
            // The file has become shorter meanwhile: the client must not take what there was for the whole.
            Ok(0) => Step::StoreFailed(Errno::EIO),
            Ok(count) => {
                self.offset += count as u64;
                Step::Moved(count as u64)
            }
            Err(Errno::EAGAIN) => Step::WaitsForData(PollFlags::POLLOUT),
            Err(Errno::EINTR) => Step::Moved(0),
            Err(errno) if is_of_network(errno) => Step::DataLost(errno),
            Err(errno) => Step::StoreFailed(errno),
        }
    }

    fn data(&self) -> BorrowedFd<'_> {
        self.data.as_fd()
    }
}

/// Whether an error of a call on a file and a socket is the socket's: those that tcp(7) and ip(7) name.
fn is_of_network(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::EPIPE
            | Errno::ECONNRESET
            | Errno::ECONNABORTED
            | Errno::ECONNREFUSED
            | Errno::ETIMEDOUT
            | Errno::EHOSTUNREACH
            | Errno::EHOSTDOWN
            | Errno::ENETUNREACH
            | Errno::ENETDOWN
            | Errno::ENETRESET
            | Errno::ENOTCONN
            | Errno::ENOBUFS
            | Errno::EPROTO
    )
}
