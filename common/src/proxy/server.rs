//! The server's side of a gateway's session: commands out, whole replies in. Waits for nothing.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use crate::control::{Control, Lost};
use crate::proto::answer::{Answer, AnswerFault, Assembler};
use crate::proto::request::Request;

/// Why there is no more to expect of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServerFault {
    /// It has closed the connection, or that broke.
    Lost,
    /// What it sends is not FTP.
    Speech(AnswerFault),
    /// It sent a reply that nothing was asked for.
    Unasked,
}

impl From<Lost> for ServerFault {
    fn from(_: Lost) -> ServerFault {
        ServerFault::Lost
    }
}

/// A server that was reached.
pub(super) struct Server {
    control: Control,
    assembler: Assembler,
    /// Where it is: every data connection goes there or comes from there, whatever its replies say.
    pub(super) address: SocketAddr,
    /// It has refused PASV.
    pub(super) prefers_extended: bool,
}

impl Server {
    /// Takes the connection to it. A server that reads no command for `patience` is lost.
    pub(super) fn new(socket: OwnedFd, address: SocketAddr, patience: Duration) -> Server {
        Server {
            control: Control::new(socket, patience),
            assembler: Assembler::default(),
            address,
            prefers_extended: address.is_ipv6(),
        }
    }

    /// Sends a command.
    pub(super) fn send(&mut self, request: &Request) -> Result<(), ServerFault> {
        Ok(self.control.command(request)?)
    }

    /// Takes what has arrived.
    pub(super) fn fill(&mut self) -> Result<(), ServerFault> {
        Ok(self.control.fill()?)
    }

    /// The next whole reply, if it is here.
    pub(super) fn take(&mut self) -> Result<Option<Answer>, ServerFault> {
        while let Some(input) = self.control.take() {
            let answer = self.assembler.push(input).map_err(ServerFault::Speech)?;
            if answer.is_some() {
                return Ok(answer);
            }
        }
        match self.control.ended() {
            // SECURITY: its end would be waited for as long as it comes.
            _ if self.control.is_overlong() => Err(ServerFault::Speech(AnswerFault::TooLong)),
            true => Err(ServerFault::Lost),
            false => Ok(None),
        }
    }

    /// Whether something has come that no command was the reason for.
    pub(super) fn has_unasked(&mut self) -> Result<bool, ServerFault> {
        self.fill()?;
        Ok(self.control.has_unread() || self.assembler.is_within())
    }

    /// Whether more may come.
    pub(super) fn is_open(&self) -> bool {
        !self.control.ended()
    }
}

impl AsFd for Server {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }
}
