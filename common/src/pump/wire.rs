//! The data connection as flows that handle octets see it: the one place between them and the socket, and the last link of
//! every chain. Under TLS it is the only way to the socket.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{MsgFlags, recv, send};

use super::Step;
use super::pipe::Pipe;
use crate::settings::CloseNotify;
use crate::tls::{Fault, Follows, Halt, Side, Stream};

/// So many pieces that nobody asked for are taken before a connection is closed.
const MOST_LOOKS: u32 = 16;

/// A data connection; what cannot be done now is the [`Step`] that tells why.
pub enum Wire {
    Clear(OwnedFd),
    Tls(Box<Secured>),
}

/// What octets on a data connection travel under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    Clear,
    Tls,
}

/// A data connection under TLS.
pub struct Secured {
    socket: OwnedFd,
    stream: Stream,
    close_notify: CloseNotify,
}

impl From<OwnedFd> for Wire {
    fn from(socket: OwnedFd) -> Wire {
        Wire::Clear(socket)
    }
}

impl Wire {
    /// Sends as much as there is room for. More follows, or [`finish`](Self::finish).
    pub(super) fn send(&mut self, octets: &[u8]) -> Result<usize, Step> {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        match self {
            Wire::Clear(socket) => match send(socket.as_raw_fd(), octets, flags) {
                Ok(count) => Ok(count),
                Err(Errno::EAGAIN) => Err(Step::WaitsForData(PollFlags::POLLOUT)),
                Err(Errno::EINTR) => Err(Step::Moved(0)),
                Err(errno) => Err(Step::DataLost(errno)),
            },
            // What is too small for a packet of its own leaves with what follows: close_notify at the latest.
            Wire::Tls(tls) => {
                let socket = tls.socket.as_fd();
                Ok(tls.stream.send(socket, octets, Follows::More)?)
            }
        }
    }

    /// Says that this was all.
    pub(super) fn finish(&mut self) -> Result<(), Step> {
        match self {
            Wire::Clear(_) => Ok(()),
            Wire::Tls(tls) => Ok(tls.stream.close(tls.socket.as_fd())?),
        }
    }

    /// Receives what is there; zero is the clean end (FIN, and under TLS close_notify, if it is demanded). A reset is no end:
    /// it is [`Step::DataLost`].
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, Step> {
        match self {
            Wire::Clear(socket) => {
                let flags = MsgFlags::MSG_DONTWAIT;
                received(recv(socket.as_raw_fd(), buffer, flags))
            }
            Wire::Tls(tls) => Ok(tls.receive(buffer)?),
        }
    }
}

impl Wire {
    /// Has a pipe receive, as [`receive`](Self::receive) does: only where nothing is between the socket and the octets.
    pub(super) fn pour(&self, pipe: &Pipe, most: u64) -> Result<usize, Step> {
        received(pipe.take(self, most))
    }

    pub fn layer(&self) -> Layer {
        match self {
            Wire::Clear(_) => Layer::Clear,
            Wire::Tls(_) => Layer::Tls,
        }
    }

    /// Takes what has arrived at a connection that only sends: a server's tickets, which its next data connections need.
    pub(super) fn look(&mut self) {
        if let Wire::Tls(tls) = self {
            tls.look();
        }
    }

    /// Closes a connection that only sent.
    pub fn leave(mut self) {
        self.look();
    }
}

/// What a call that waits for nothing has received.
fn received(result: Result<usize, Errno>) -> Result<usize, Step> {
    result.map_err(|errno| match errno {
        Errno::EAGAIN => Step::WaitsForData(PollFlags::POLLIN),
        Errno::EINTR => Step::Moved(0),
        errno => Step::DataLost(errno),
    })
}

impl Secured {
    pub(super) fn new(
        socket: OwnedFd,
        side: Side,
        close_notify: CloseNotify,
    ) -> Result<Secured, Fault> {
        Ok(Secured {
            socket,
            stream: Stream::for_data(side)?,
            close_notify,
        })
    }

    pub(super) fn handshake(&mut self) -> Result<(), Halt> {
        self.stream.handshake(self.socket.as_fd())
    }

    /// The client's own certificate, if it has shown one.
    pub fn client_certificate(&self) -> Option<&[u8]> {
        self.stream.client_certificate()
    }

    /// Whether it continues the TLS session of the control connection, or of another one of the same configuration.
    pub fn resumed(&self) -> bool {
        self.stream.resumed()
    }

    fn look(&mut self) {
        let mut buffer = [0; 4096];
        // SECURITY: who sends where nothing is to be sent is not listened to for ever.
        for _ in 0..MOST_LOOKS {
            if !matches!(
                self.stream.receive(self.socket.as_fd(), &mut buffer),
                Ok(1..)
            ) {
                break;
            }
        }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, Halt> {
        let socket = self.socket.as_fd();
        let count = match self.stream.receive(socket, buffer) {
            Err(Halt::Failed(Fault::Truncated)) if self.close_notify == CloseNotify::Lax => 0,
            result => result?,
        };
        if count == 0 {
            // Some clients wait for the server's word before they close; one that has closed already needs it no more.
            let _ = self.stream.close(socket);
        }
        Ok(count)
    }
}

impl From<Halt> for Step {
    fn from(halt: Halt) -> Step {
        match halt {
            Halt::Waits(events) => Step::WaitsForData(events),
            Halt::Lost(errno) => Step::DataLost(errno),
            Halt::Failed(fault) => Step::Insecure(fault),
        }
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Wire::Clear(socket) => socket.as_fd(),
            Wire::Tls(tls) => tls.as_fd(),
        }
    }
}

impl AsFd for Secured {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
