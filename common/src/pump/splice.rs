//! A listing without stages: from keeper's pipe to the socket without a copy.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{SpliceFFlags, splice};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{Flow, Step, bounded};

/// The most that one splice is asked for.
const PIECE: usize = 2 << 20;

/// A pipe's octets on their way to the socket.
#[derive(Debug)]
pub struct SendPipe {
    pipe: OwnedFd,
    data: OwnedFd,
}

impl SendPipe {
    pub fn new(pipe: OwnedFd, data: OwnedFd) -> SendPipe {
        SendPipe { pipe, data }
    }

    fn pipe_is_ready(&self) -> bool {
        let mut ready = [PollFd::new(self.pipe.as_fd(), PollFlags::POLLIN)];
        matches!(poll(&mut ready, PollTimeout::ZERO), Ok(1..))
    }
}

impl Flow for SendPipe {
    fn step(&mut self, most: u64) -> Step {
        match splice(
            &self.pipe,
            None,
            &self.data,
            None,
            bounded(PIECE, most),
            SpliceFFlags::SPLICE_F_NONBLOCK,
        ) {
            Ok(0) => Step::Complete,
            Ok(count) => Step::Moved(count as u64),
            Err(Errno::EAGAIN) if self.pipe_is_ready() => Step::WaitsForData(PollFlags::POLLOUT),
            Err(Errno::EAGAIN) => Step::WaitsForSource,
            Err(Errno::EINTR) => Step::Moved(0),
            Err(errno) => Step::DataLost(errno),
        }
    }

    fn data(&self) -> BorrowedFd<'_> {
        self.data.as_fd()
    }

    fn source(&self) -> Option<BorrowedFd<'_>> {
        Some(self.pipe.as_fd())
    }
}
