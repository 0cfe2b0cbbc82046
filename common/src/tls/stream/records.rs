//! Records on their way in and out: they are opened where they came, made where they wait, and no more of them are taken than
//! there is room for.

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{MsgFlags, recv};

use super::connection::{Make, Reached, Stepped};
use super::{FIRST_PIECE, Follows, Halt, LONGEST_FLIGHT, PIECE, Stream};
use crate::tls::Fault;

/// How far the records that are here lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Advance {
    /// Some were opened.
    Opened,
    /// It needs more of them.
    Starved,
    Ended,
}

impl Stream {
    pub(super) fn seal(&mut self, socket: BorrowedFd<'_>, octets: &[u8]) -> Result<(), Halt> {
        self.write(socket, Make::Data(octets))
    }

    /// Has records made, once everything is done that has to come before them.
    pub(super) fn write(&mut self, socket: BorrowedFd<'_>, make: Make<'_>) -> Result<(), Halt> {
        while self.advance(socket, &mut [])?.0 == Advance::Opened {}
        let incoming = self.incoming.queued_mut();
        let discard = self
            .connection
            .write(incoming, make, &mut self.outgoing)
            .ok_or(Fault::Ours)?;
        self.incoming.discard(discard);
        Ok(())
    }

    /// Goes through the records that are here until some are opened, into `out` and what does not fit into
    /// [`opened`](Self::opened), or until there are no more.
    pub(super) fn advance(
        &mut self,
        socket: BorrowedFd<'_>,
        out: &mut [u8],
    ) -> Result<(Advance, usize), Halt> {
        if let Some(fault) = self.fault {
            return Err(fault.into());
        }
        let advanced = self.try_advance(out);
        advanced.map_err(|fault| {
            self.fault = Some(fault);
            self.tell_alert(socket);
            fault.into()
        })
    }

    fn try_advance(&mut self, out: &mut [u8]) -> Result<(Advance, usize), Fault> {
        loop {
            let Stepped {
                discard,
                count,
                reached,
            } = self.connection.step(
                self.incoming.queued_mut(),
                out,
                &mut self.opened,
                &mut self.outgoing,
            )?;
            self.incoming.discard(discard);
            let advance = match reached {
                Reached::Data => Advance::Opened,
                Reached::Made => continue,
                Reached::Waiting if self.ended => Advance::Ended,
                Reached::Waiting => Advance::Starved,
                Reached::End => {
                    self.ended = true;
                    Advance::Ended
                }
            };
            return Ok((advance, count));
        }
    }

    /// Tells the other end why it is over, as far as that is possible without waiting.
    fn tell_alert(&mut self, socket: BorrowedFd<'_>) {
        // SECURITY: no further than what is to be sent: rustls remembers where in the records the next messages of a handshake
        // are, and would look for them.
        while self.connection.state().wants_write() {
            if !self.connection.encode_alert(&mut self.outgoing) {
                break;
            }
        }
        let _ = self.flush(socket, Follows::Nothing);
    }

    /// Receives more records.
    pub(super) fn fill(&mut self, socket: BorrowedFd<'_>) -> Result<(), Halt> {
        let most = if self.connection.state().is_handshaking() {
            LONGEST_FLIGHT
        } else {
            self.piece
        };
        let queued = self.incoming.len();
        if queued >= most {
            return Err(Fault::TooLong.into());
        }
        // Small until it was full once, so that little data costs little memory.
        let capacity = match self.incoming.capacity() {
            0 => FIRST_PIECE,
            full if full == queued || self.saturated => full.saturating_mul(4),
            capacity => capacity,
        };
        let room = self.incoming.room(capacity.min(most) - queued);
        let count = loop {
            match recv(socket.as_raw_fd(), room, MsgFlags::MSG_DONTWAIT) {
                Ok(0) => return Err(Fault::Truncated.into()),
                Ok(count) => break count,
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => {
                    self.saturated = false;
                    if self.piece < PIECE && self.incoming.capacity() > FIRST_PIECE {
                        self.incoming.shrink();
                    }
                    return Err(Halt::Waits(PollFlags::POLLIN));
                }
                Err(errno) => return Err(Halt::Lost(errno)),
            }
        };
        self.saturated = count == room.len();
        self.incoming.filled(count);
        Ok(())
    }
}
