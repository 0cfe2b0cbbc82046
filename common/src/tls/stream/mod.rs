//! One end of a TLS connection over a socket that somebody else polls: nothing here waits, and there is no task and no
//! thread. It does not own the socket.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{MsgFlags, recv, send};
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use rustls::{HandshakeKind, ProtocolVersion, ServerConfig};

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

/// The server's end.
pub struct Stream {
    connection: UnbufferedServerConnection,
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
    /// The client will send nothing more, and has said so.
    ended: bool,
    closing: bool,
    /// Why there is nothing more to be understood.
    fault: Option<Fault>,
}

/// How far the records that are here lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Advance {
    /// Some were opened.
    Opened,
    /// It needs more of them.
    Starved,
    Ended,
}

impl Stream {
    /// For lines: keeps little memory.
    ///
    /// # Errors
    /// The configuration cannot be used.
    pub fn for_control(config: Arc<ServerConfig>) -> Result<Stream, Fault> {
        Stream::new(config, LONGEST_RECORD)
    }

    /// For files.
    ///
    /// # Errors
    /// The configuration cannot be used.
    pub fn for_data(config: Arc<ServerConfig>) -> Result<Stream, Fault> {
        Stream::new(config, PIECE)
    }

    fn new(config: Arc<ServerConfig>, piece: usize) -> Result<Stream, Fault> {
        Ok(Stream {
            connection: UnbufferedServerConnection::new(config)?,
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

    /// Goes on with the handshake. Tickets of TLS 1.3, which are left to be sent at its end, go with what is sent next:
    /// a client that only sends, and may have closed by the time they arrive, would answer them by a reset that takes what is
    /// still under way with it.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub fn handshake(&mut self, socket: BorrowedFd<'_>) -> Result<(), Halt> {
        loop {
            let (advance, _) = self.advance(socket, &mut [])?;
            if !self.connection.is_handshaking() {
                let version = self.connection.protocol_version();
                self.withholds = version == Some(ProtocolVersion::TLSv1_3);
                return match self.withholds {
                    true => Ok(()),
                    false => self.flush(socket, Follows::Nothing),
                };
            }
            self.flush(socket, Follows::Nothing)?;
            if advance == Advance::Ended {
                return Err(Fault::Truncated.into());
            }
            self.fill(socket)?;
        }
    }

    /// Whether the handshake is still going on.
    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Whether the client continued a session of this configuration's, instead of making a new one.
    pub fn resumed(&self) -> bool {
        matches!(
            self.connection.handshake_kind(),
            Some(HandshakeKind::Resumed)
        )
    }

    /// The client's own certificate, if it has shown one, now or in the session that it continued.
    pub fn client_certificate(&self) -> Option<&[u8]> {
        let chain = self.connection.peer_certificates()?;
        chain.first().map(AsRef::as_ref)
    }

    /// Version and cipher suite, for the log.
    pub fn describe(&self) -> String {
        let version = self.connection.protocol_version();
        let suite = self.connection.negotiated_cipher_suite();
        match (version, suite) {
            (Some(version), Some(suite)) => format!("{version:?} {:?}", suite.suite()),
            _ => "no TLS yet".to_owned(),
        }
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
        if !self.closing && !self.connection.is_handshaking() {
            self.closing = true;
            self.write(socket, |traffic, room| traffic.queue_close_notify(room))?;
        }
        self.flush(socket, Follows::Nothing)
    }

    fn seal(&mut self, socket: BorrowedFd<'_>, octets: &[u8]) -> Result<(), Halt> {
        self.write(socket, |traffic, room| traffic.encrypt(octets, room))
    }

    /// Has records made, once everything is done that has to come before them.
    fn write(
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
    fn advance(
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
    fn fill(&mut self, socket: BorrowedFd<'_>) -> Result<(), Halt> {
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

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::os::fd::{AsFd, OwnedFd};

    use rustls::version::{TLS12, TLS13};

    use super::super::testing::{Pki, client, exchange, sockets, until_done};
    use super::*;

    fn accept(config: &Arc<ServerConfig>, socket: &OwnedFd) -> Result<Stream, Halt> {
        let mut stream = Stream::for_data(Arc::clone(config)).unwrap();
        until_done(socket, || stream.handshake(socket.as_fd()))?;
        Ok(stream)
    }

    /// Receives to the end.
    fn receive_all(stream: &mut Stream, socket: &OwnedFd) -> Result<Vec<u8>, Halt> {
        let (mut all, mut buffer) = (Vec::new(), vec![0; 40_000]);
        loop {
            match until_done(socket, || stream.receive(socket.as_fd(), &mut buffer))? {
                0 => return Ok(all),
                count => all.extend_from_slice(&buffer[..count]),
            }
        }
    }

    fn send_all(stream: &mut Stream, socket: &OwnedFd, mut octets: &[u8]) {
        let fd = socket.as_fd();
        while !octets.is_empty() {
            let sent = until_done(socket, || stream.send(fd, octets, Follows::More));
            octets = &octets[sent.unwrap()..];
        }
        until_done(socket, || stream.close(fd)).unwrap();
    }

    #[test]
    fn octets_go_both_ways_in_both_versions() {
        let pki = Pki::new();
        let octets: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
        for version in [&TLS12, &TLS13] {
            let (there, here) = sockets();
            let sent = octets.clone();
            let other = client(&pki.client(version, &[b"ftp"]), there, move |stream| {
                stream.write_all(&sent).unwrap();
                stream.conn.send_close_notify();
                stream.flush().unwrap();
                let mut back = Vec::new();
                stream.read_to_end(&mut back).map(|_| back)
            });
            let mut stream = accept(&pki.server(), &here).unwrap();
            assert!(receive_all(&mut stream, &here).unwrap() == octets);
            send_all(&mut stream, &here, &octets);
            // rustls takes an end without close_notify for an error.
            assert!(other.join().unwrap().unwrap() == octets);
        }
    }

    #[test]
    fn an_end_without_close_notify_is_told_from_one_with_it() {
        let pki = Pki::new();
        for polite in [false, true] {
            let (there, here) = sockets();
            let other = client(&pki.client(&TLS13, &[]), there, move |stream| {
                stream.write_all(b"half of it").unwrap();
                if polite {
                    stream.conn.send_close_notify();
                }
                stream.flush().unwrap();
            });
            let mut stream = accept(&pki.server(), &here).unwrap();
            other.join().unwrap();
            let end = receive_all(&mut stream, &here);
            match polite {
                true => assert_eq!(end, Ok(b"half of it".to_vec())),
                false => assert_eq!(end, Err(Halt::Failed(Fault::Truncated))),
            }
        }
    }

    #[test]
    fn what_fits_into_no_buffer_waits_inside() {
        let pki = Pki::new();
        let (there, here) = sockets();
        let other = client(&pki.client(&TLS13, &[]), there, |stream| {
            exchange(stream, b"0123456789")
        });
        let mut stream = accept(&pki.server(), &here).unwrap();
        let (mut all, mut three) = (Vec::new(), [0; 3]);
        while all.len() < 10 {
            let count = until_done(&here, || stream.receive(here.as_fd(), &mut three)).unwrap();
            all.extend_from_slice(&three[..count]);
        }
        send_all(&mut stream, &here, &all);
        assert_eq!(other.join().unwrap(), b"0123456789");
    }

    #[test]
    fn a_session_is_resumed_with_its_own_configuration_only() {
        let pki = Pki::new();
        for version in [&TLS12, &TLS13] {
            let (own, other) = (pki.server(), pki.server());
            let config = pki.client(version, &[]);
            let resumed = |server| {
                let (there, here) = sockets();
                let visitor = client(&config, there, |stream| exchange(stream, b"x"));
                let mut stream = accept(server, &here).unwrap();
                let mut buffer = [0; 1];
                until_done(&here, || stream.receive(here.as_fd(), &mut buffer)).unwrap();
                send_all(&mut stream, &here, &buffer);
                visitor.join().unwrap();
                stream.resumed()
            };
            assert!(!resumed(&own));
            for _ in 0..20 {
                assert!(resumed(&own));
            }
            assert!(!resumed(&other));
        }
    }

    #[test]
    fn other_protocols_are_told_that_they_are_wrong_here() {
        let pki = Pki::new();
        let (there, here) = sockets();
        let config = pki.client(&TLS13, &[b"http/1.1"]);
        let other = client(&config, there, |stream| {
            stream.conn.complete_io(&mut stream.sock).unwrap_err()
        });
        let refused = accept(&pki.server(), &here);
        assert_eq!(refused.err(), Some(Halt::Failed(Fault::OtherProtocol)));
        drop(here);
        let told = other.join().unwrap();
        assert!(told.to_string().contains("NoApplicationProtocol"), "{told}");
    }

    /// What becomes of a client that sends these octets and closes.
    fn after(octets: &[u8]) -> Option<Halt> {
        let (mut there, here) = sockets();
        let octets = octets.to_vec();
        #[expect(clippy::disallowed_methods, reason = "a test that forks nothing")]
        let other = std::thread::spawn(move || match there.write_all(&octets) {
            Err(error) => assert_eq!(error.kind(), ErrorKind::BrokenPipe),
            Ok(()) => there.shutdown(std::net::Shutdown::Write).unwrap(),
        });
        let end = accept(&Pki::new().server(), &here).err();
        drop(here);
        other.join().unwrap();
        end
    }

    #[test]
    fn garbage_and_endless_hellos_end_the_handshake() {
        assert_eq!(after(b""), Some(Halt::Failed(Fault::Truncated)));
        assert_eq!(after(b"USER x\r\n"), Some(Halt::Failed(Fault::NotTls)));
        // What is out of place, with more behind it.
        assert_eq!(
            after(&[22, 3, 1, 0, 8, 20, 0, 0, 0, 20, 0, 0, 0]),
            Some(Halt::Failed(Fault::NotTls))
        );
        // A ClientHello of 65,000 octets, in records of 1,000.
        let mut hello = vec![1, 0, 0xfd, 0xe8];
        hello.resize(65_004, 0);
        let records: Vec<u8> = hello
            .chunks(1000)
            .flat_map(|piece| [&[22, 3, 1, 3, 232][..], piece].concat())
            .collect();
        assert_eq!(after(&records), Some(Halt::Failed(Fault::TooLong)));
    }
}
