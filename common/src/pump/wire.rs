//! The data connection as flows that handle octets see it: the one place between them and the socket.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{MsgFlags, recv, send};

use super::Step;

/// A data connection; what cannot be done now is the [`Step`] that tells why.
#[derive(Debug)]
pub(super) struct Wire(OwnedFd);

impl Wire {
    pub(super) fn new(data: OwnedFd) -> Wire {
        Wire(data)
    }

    /// Sends as much as there is room for.
    pub(super) fn send(&mut self, octets: &[u8]) -> Result<usize, Step> {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        match send(self.0.as_raw_fd(), octets, flags) {
            Ok(count) => Ok(count),
            Err(Errno::EAGAIN) => Err(Step::WaitsForData(PollFlags::POLLOUT)),
            Err(Errno::EINTR) => Err(Step::Moved(0)),
            Err(errno) => Err(Step::DataLost(errno)),
        }
    }

    /// Receives what is there; zero is the clean end (FIN). A reset is no end: it is [`Step::DataLost`].
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, Step> {
        match recv(self.0.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT) {
            Ok(count) => Ok(count),
            Err(Errno::EAGAIN) => Err(Step::WaitsForData(PollFlags::POLLIN)),
            Err(Errno::EINTR) => Err(Step::Moved(0)),
            Err(errno) => Err(Step::DataLost(errno)),
        }
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
