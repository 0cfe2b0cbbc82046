//! One end of a TLS connection over a socket that somebody else polls: nothing here waits, and there is no task and no
//! thread. It does not own the socket.

mod connection;
mod handshake;
mod records;

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{MsgFlags, send};

pub use self::connection::Side;
use self::connection::{Connection, Make};
use self::records::Advance;
use super::Fault;
use super::buffer::Buffer;

/// What is received at first, and what a connection that carries little keeps.
const FIRST_PIECE: usize = 4 << 10;
/// The longest record there is: header, plaintext and the most that may be around it (RFC 5246 §6.2.3).
const LONGEST_RECORD: usize = 5 + (16 << 10) + (2 << 10);
/// SECURITY: a handshake message comes in pieces and is put together before anybody knows who sent it. A client's
/// certificates fit, 64 KiB of hello do not.
const LONGEST_FLIGHT: usize = 32 << 10;
/// What a connection that carries much receives at once, and how much may wait to be sent.
const PIECE: usize = 64 << 10;

/// Why nothing more can be done now, or at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// The socket is not ready for these events.
    Waits(PollFlags),
    /// The connection broke.
    Lost(Errno),
    Failed(Fault),
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Halt {
        Halt::Failed(fault)
    }
}

/// What follows what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// More, at once: what is too small for a packet of its own may wait for that.
    More,
    Nothing,
}

impl Follows {
    fn flags(self) -> MsgFlags {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        match self {
            Follows::More => flags | MsgFlags::from_bits_retain(nix::libc::MSG_MORE),
            Follows::Nothing => flags,
        }
    }
}

/// One end, the server's or the client's.
pub struct Stream {
    connection: Connection,
    /// Records as they came.
    incoming: Buffer,
    /// Octets that were opened before anybody wanted them; never more than one piece's records held.
    opened: Buffer,
    /// Records that are ready to be sent.
    outgoing: Buffer,
    /// The most that is received at once.
    piece: usize,
    /// The last piece filled the room that there was.
    saturated: bool,
    /// What is ready to be sent is to go with what is sent next.
    withholds: bool,
    /// The other end will send nothing more, and has said so.
    ended: bool,
    closing: bool,
    /// Why there is nothing more to be understood.
    fault: Option<Fault>,
}

impl Stream {
    /// For lines: keeps little memory.
    ///
    /// # Errors
    /// The configuration cannot be used.
    pub fn for_control(side: Side) -> Result<Stream, Fault> {
        Stream::new(side, LONGEST_RECORD)
    }

    /// For files.
    ///
    /// # Errors
    /// The configuration cannot be used.
    pub fn for_data(side: Side) -> Result<Stream, Fault> {
        Stream::new(side, PIECE)
    }

    fn new(side: Side, piece: usize) -> Result<Stream, Fault> {
        Ok(Stream {
            connection: Connection::new(side)?,
            incoming: Buffer::default(),
            opened: Buffer::default(),
            outgoing: Buffer::default(),
            piece,
            saturated: false,
            withholds: false,
            ended: false,
            closing: false,
            fault: None,
        })
    }

    /// Takes what has arrived, as much as there is room for; zero is the clean end.
    ///
    /// # Errors
    /// Nothing has arrived yet, or the connection is broken. An end without close_notify is [`Fault::Truncated`].
    pub fn receive(&mut self, socket: BorrowedFd<'_>, out: &mut [u8]) -> Result<usize, Halt> {
        loop {
            let count = self.take(socket, out)?;
            if count > 0 || self.ended || out.is_empty() {
                return Ok(count);
            }
            if !self.withholds {
                // What cannot leave now leaves with something else.
                match self.flush(socket, Follows::Nothing) {
                    Ok(()) | Err(Halt::Waits(_)) => {}
                    Err(halt) => return Err(halt),
                }
            }
            self.fill(socket)?;
        }
    }

    /// Takes what has been received already; zero says nothing.
    ///
    /// # Errors
    /// The connection is broken.
    pub fn take(&mut self, socket: BorrowedFd<'_>, out: &mut [u8]) -> Result<usize, Halt> {
        let mut count = self.opened.take(out);
        while count < out.len() {
            let (advance, opened) = self.advance(socket, &mut out[count..])?;
            count += opened;
            if advance != Advance::Opened {
                break;
            }
        }
        Ok(count)
    }

    /// Whether the client will send nothing more, has said so, and everything was taken.
    pub fn has_ended(&self) -> bool {
        self.ended && self.opened.is_empty()
    }

    /// After [`close`](Self::close): goes on until the client has left TLS too. Well when it has; what it has sent behind that
    /// is [`take_rest`](Self::take_rest)'s. Data that it sends under TLS meanwhile is dropped.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub fn leave(&mut self, socket: BorrowedFd<'_>) -> Result<(), Halt> {
        self.flush(socket, Follows::Nothing)?;
        while !self.ended {
            // Some clients leave without a word: no line of FTP begins as a record does.
            match self.incoming.queued().first() {
                Some(20..=23) | None => {}
                Some(_) => {
                    self.ended = true;
                    break;
                }
            }
            let (advance, _) = self.advance(socket, &mut [])?;
            self.opened.wipe();
            if advance == Advance::Starved {
                self.fill(socket)?;
            }
        }
        Ok(())
    }

    /// Takes what came behind the end of TLS.
    pub fn take_rest(&mut self, out: &mut [u8]) -> usize {
        self.incoming.take(out)
    }

    /// Whether there is more of that.
    pub fn has_rest(&self) -> bool {
        !self.incoming.is_empty()
    }

    /// Makes records of octets, all of them, and sends what the socket takes now; the rest goes with the next piece or with
    /// [`flush`](Self::flush).
    ///
    /// # Errors
    /// The former pieces have to leave first, or the connection is broken.
    pub fn send(
        &mut self,
        socket: BorrowedFd<'_>,
        octets: &[u8],
        follows: Follows,
    ) -> Result<usize, Halt> {
        if self.outgoing.len() >= PIECE {
            self.flush(socket, follows)?;
        }
        let piece = &octets[..octets.len().min(PIECE)];
        self.seal(socket, piece)?;
        match self.flush(socket, follows) {
            Ok(()) | Err(Halt::Waits(_)) => Ok(piece.len()),
            Err(halt) => Err(halt),
        }
    }

    /// Sends what is ready to be sent.
    ///
    /// # Errors
    /// The socket does not take all of it now, or the connection is broken.
    pub fn flush(&mut self, socket: BorrowedFd<'_>, follows: Follows) -> Result<(), Halt> {
        self.withholds = false;
        while !self.outgoing.is_empty() {
            match send(socket.as_raw_fd(), self.outgoing.queued(), follows.flags()) {
                Ok(count) => self.outgoing.discard(count),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Err(Halt::Waits(PollFlags::POLLOUT)),
                Err(errno) => return Err(Halt::Lost(errno)),
            }
        }
        if self.piece < PIECE {
            self.outgoing.shrink();
        }
        Ok(())
    }

    /// Says that nothing more will be sent, and sends what is ready.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub fn close(&mut self, socket: BorrowedFd<'_>) -> Result<(), Halt> {
        if !self.closing && !self.connection.state().is_handshaking() {
            self.closing = true;
            self.write(socket, Make::CloseNotify)?;
        }
        self.flush(socket, Follows::Nothing)
    }
}

#[cfg(test)]
mod tests;
