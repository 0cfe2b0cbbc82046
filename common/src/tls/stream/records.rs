//! Records on their way in and out: they are opened where they came, made where they wait, and no more of them are taken than
//! there is room for.

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{MsgFlags, recv};
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};

use super::{FIRST_PIECE, Follows, Halt, LONGEST_FLIGHT, LONGEST_RECORD, PIECE, Stream};
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
        self.write(socket, |traffic, room| traffic.encrypt(octets, room))
    }

    /// Has records made, once everything is done that has to come before them.
    pub(super) fn write(
        &mut self,
        socket: BorrowedFd<'_>,
        mut make: impl FnMut(&mut WriteTraffic<'_>, &mut [u8]) -> Result<usize, EncryptError>,
    ) -> Result<(), Halt> {
        while self.advance(socket, &mut [])?.0 == Advance::Opened {}
        let UnbufferedStatus { discard, state } = self
            .connection
            .process_tls_records(self.incoming.queued_mut());
        let Ok(ConnectionState::WriteTraffic(mut traffic)) = state else {
            return Err(Fault::Ours.into());
        };
        let mut least = 1;
        let written = loop {
            match make(&mut traffic, self.outgoing.room(least)) {
                Ok(written) => break written,
                Err(EncryptError::InsufficientSize(size)) => least = size.required_size,
                Err(EncryptError::EncryptExhausted) => return Err(Fault::Ours.into()),
            }
        };
        self.outgoing.filled(written);
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
            let UnbufferedStatus { discard, state } = self
                .connection
                .process_tls_records(self.incoming.queued_mut());
            let mut discard = discard;
            let mut count = 0;
            let advance = match state? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        let fits = record.payload.len().min(out.len() - count);
                        let (head, tail) = record.payload.split_at(fits);
                        out[count..count + fits].copy_from_slice(head);
                        count += fits;
                        self.opened.put(tail);
                    }
                    Some(Advance::Opened)
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    let mut least = 1;
                    let written = loop {
                        match data.encode(self.outgoing.room(least)) {
                            Ok(written) => break written,
                            Err(EncodeError::InsufficientSize(size)) => least = size.required_size,
                            Err(EncodeError::AlreadyEncoded) => return Err(Fault::Ours),
                        }
                    };
                    self.outgoing.filled(written);
                    None
                }
                // It has its place among what is sent.
                ConnectionState::TransmitTlsData(data) => {
                    data.done();
                    None
                }
                ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_) => {
                    Some(if self.ended {
                        Advance::Ended
                    } else {
                        Advance::Starved
                    })
                }
                ConnectionState::PeerClosed | ConnectionState::Closed => {
                    self.ended = true;
                    Some(Advance::Ended)
                }
                // Early data is never offered.
                _ => return Err(Fault::Ours),
            };
            self.incoming.discard(discard);
            if let Some(advance) = advance {
                return Ok((advance, count));
            }
        }
    }

    /// Tells the client why it is over, as far as that is possible without waiting.
    fn tell_alert(&mut self, socket: BorrowedFd<'_>) {
        // SECURITY: no further than what is to be sent: rustls remembers where in the records the next messages of a handshake
        // are, and would look for them.
        while self.connection.wants_write() {
            match self.connection.process_tls_records(&mut []).state {
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    // An alert is a record of a few octets.
                    let Ok(written) = data.encode(self.outgoing.room(LONGEST_RECORD)) else {
                        break;
                    };
                    self.outgoing.filled(written);
                }
                _ => break,
            }
        }
        let _ = self.flush(socket, Follows::Nothing);
    }

    /// Receives more records.
    pub(super) fn fill(&mut self, socket: BorrowedFd<'_>) -> Result<(), Halt> {
        let most = if self.connection.is_handshaking() {
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

type WriteTraffic<'c> = rustls::unbuffered::WriteTraffic<'c, rustls::server::ServerConnectionData>;
