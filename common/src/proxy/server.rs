//! The server's side of a gateway's session: commands out, whole replies in. Waits for nothing.

use std::fmt;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::poll::PollFlags;

use crate::control::{Control, Lost};
use crate::proto::answer::{Answer, AnswerFault, Assembler};
use crate::proto::request::Request;
use crate::tls::{Fault, Upstream};

/// Why there is no more to expect of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerFault {
    /// It has closed the connection, or that broke.
    Lost,
    /// What it sends is not FTP.
    Speech(AnswerFault),
    /// It sent a reply that nothing was asked for.
    Unasked,
    /// It offers no TLS, and has to.
    NoTls,
    /// It takes no data under TLS, and has to.
    ClearData,
    /// There is no TLS with it.
    Insecure(Fault),
}

impl fmt::Display for ServerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ServerFault::Lost => "it closed the connection",
            ServerFault::Speech(fault) => fault.text(),
            ServerFault::Unasked => "it sent a reply that nothing was asked for",
            ServerFault::NoTls => "it offers no TLS, which ServerTLS requires",
            ServerFault::ClearData => "it takes no data under TLS, which ServerTLS requires",
            ServerFault::Insecure(fault) => return write!(f, "no TLS: {fault}"),
        })
    }
}

impl ServerFault {
    /// What a client hears of it.
    pub(crate) fn for_client(self) -> String {
        match self {
            ServerFault::Lost | ServerFault::Speech(_) | ServerFault::Unasked => {
                "The connection to the server broke.".to_owned()
            }
            ServerFault::NoTls => {
                "The server offers no TLS, without which this gateway goes nowhere.".to_owned()
            }
            ServerFault::ClearData => {
                "The server takes no data under TLS, without which this gateway moves none."
                    .to_owned()
            }
            ServerFault::Insecure(fault) => format!("There is no TLS with the server: {fault}."),
        }
    }
}

impl From<Lost> for ServerFault {
    fn from(_: Lost) -> ServerFault {
        ServerFault::Lost
    }
}

/// A server that was reached.
pub(crate) struct Server {
    control: Control,
    assembler: Assembler,
    /// Where it is: every data connection goes there or comes from there, whatever its replies say.
    pub(crate) address: SocketAddr,
    /// It has refused PASV.
    pub(crate) prefers_extended: bool,
    /// How it is spoken to under TLS.
    pub(crate) upstream: Option<Upstream>,
    /// It has agreed to have data under TLS too.
    pub(crate) protects_data: bool,
}

impl Server {
    /// Takes the connection to it. A server that reads no command for `patience` is lost.
    pub(crate) fn new(socket: OwnedFd, address: SocketAddr, patience: Duration) -> Server {
        Server {
            control: Control::new(socket, patience),
            assembler: Assembler::default(),
            address,
            prefers_extended: address.is_ipv6(),
            upstream: None,
            protects_data: false,
        }
    }

    /// Goes over to TLS; [`handshake`](Self::handshake) has to follow.
    pub(crate) fn secure(&mut self, upstream: Upstream) -> Result<(), ServerFault> {
        self.upstream = Some(upstream.clone());
        self.control.secure(upstream).map_err(ServerFault::Insecure)
    }

    /// Goes on with the handshake; `Some` is what to wait for before the next call.
    pub(crate) fn handshake(&mut self) -> Result<Option<PollFlags>, ServerFault> {
        let done = self.control.handshake();
        done.map_err(|Lost| match self.control.fault() {
            Some(fault) => ServerFault::Insecure(fault),
            None => ServerFault::Lost,
        })
    }

    pub(crate) fn is_secure(&self) -> bool {
        self.control.is_secure()
    }

    /// Version and cipher suite, for the log.
    pub(crate) fn describe(&self) -> String {
        let tls = self.control.tls();
        tls.map_or("no TLS".to_owned(), |stream| stream.describe())
    }

    /// Sends a command.
    pub(crate) fn send(&mut self, request: &Request) -> Result<(), ServerFault> {
        Ok(self.control.command(request)?)
    }

    /// Takes what has arrived.
    pub(crate) fn fill(&mut self) -> Result<(), ServerFault> {
        Ok(self.control.fill()?)
    }

    /// The next whole reply, if it is here.
    pub(crate) fn take(&mut self) -> Result<Option<Answer>, ServerFault> {
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
    pub(crate) fn has_unasked(&mut self) -> Result<bool, ServerFault> {
        self.fill()?;
        Ok(self.has_more())
    }

    /// Whether something is here that came together with the last reply.
    pub(crate) fn has_more(&self) -> bool {
        self.control.has_unread() || self.assembler.is_within()
    }

    /// Whether more may come.
    pub(crate) fn is_open(&self) -> bool {
        !self.control.ended()
    }
}

impl AsFd for Server {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }
}
