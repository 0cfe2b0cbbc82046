//! The control connection as lines in and replies out, with deadlines. Used by every program that speaks FTP.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv, send};
use zeroize::Zeroize;

use crate::net;
use crate::proto::line::{Input, LineReader};
use crate::proto::reply::{Mark, Reply};
use crate::proto::request::Request;
use crate::tls::{Fault, Follows, Halt, Side, Stream};

/// The client is gone or does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

/// One end of a control connection.
pub struct Control {
    socket: OwnedFd,
    layer: Layer,
    reader: LineReader,
    /// How long a client may leave a reply unread.
    patience: Duration,
    /// The client will send nothing more.
    ended: bool,
    /// Why TLS is of no more use.
    fault: Option<Fault>,
}

/// What is between the socket and the lines.
enum Layer {
    Clear,
    Tls(Box<Stream>),
    /// The server has said that it leaves TLS; what comes is TLS until the client has said so too.
    Leaving(Box<Stream>),
}

impl Control {
    /// Takes a connected, non-blocking stream socket. A client that reads no reply for `patience` is lost.
    pub fn new(socket: OwnedFd, patience: Duration) -> Control {
        Control {
            socket,
            patience,
            layer: Layer::Clear,
            reader: LineReader::default(),
            ended: false,
            fault: None,
        }
    }

    /// Goes over to TLS: from here on nothing else is understood. [`handshake`](Self::handshake) has to follow.
    ///
    /// # Errors
    /// The configuration cannot be used.
    pub fn secure(&mut self, side: impl Into<Side>) -> Result<(), Fault> {
        // SECURITY: what came in the clear must not be taken for what comes under TLS (CVE-2011-1575).
        self.reader = LineReader::default();
        self.layer = Layer::Tls(Box::new(Stream::for_control(side.into())?));
        Ok(())
    }

    /// Goes on with the handshake; `Some` is what to poll the socket for before the next call.
    ///
    /// # Errors
    /// The connection broke, or [`fault`](Self::fault) says why there is no TLS.
    pub fn handshake(&mut self) -> Result<Option<PollFlags>, Lost> {
        let Layer::Tls(stream) = &mut self.layer else {
            return Ok(None);
        };
        let done = stream
            .handshake(self.socket.as_fd())
            .and_then(|()| stream.flush(self.socket.as_fd(), Follows::Nothing));
        match done {
            Ok(()) => Ok(None),
            Err(Halt::Waits(events)) => {
                net::acknowledge(&self.socket);
                Ok(Some(events))
            }
            Err(halt) => Err(self.lost(halt)),
        }
    }

    /// Whether the lines travel under TLS.
    pub fn is_secure(&self) -> bool {
        matches!(self.layer, Layer::Tls(_))
    }

    /// The TLS that the lines travel under.
    pub fn tls(&self) -> Option<&Stream> {
        match &self.layer {
            Layer::Tls(stream) => Some(stream),
            Layer::Clear | Layer::Leaving(_) => None,
        }
    }

    /// Leaves TLS: what is said from here on is in the clear.
    ///
    /// # Errors
    /// The connection broke.
    pub fn leave_tls(&mut self) -> Result<(), Lost> {
        if let Layer::Tls(mut stream) = std::mem::replace(&mut self.layer, Layer::Clear) {
            let closed = stream.close(self.socket.as_fd());
            self.layer = Layer::Leaving(stream);
            self.reader = LineReader::default();
            match closed {
                Ok(()) | Err(Halt::Waits(_)) => {}
                Err(halt) => return Err(self.lost(halt)),
            }
        }
        Ok(())
    }

    /// Says that nothing more will be said, as far as TLS has a word for it.
    pub fn close(&mut self) {
        if let Layer::Tls(stream) = &mut self.layer {
            // The client may be gone: then nobody needs to hear it.
            let _ = stream.close(self.socket.as_fd());
        }
    }

    /// Why TLS was given up.
    pub fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// Whether something has arrived that was not taken yet.
    pub fn has_unread(&self) -> bool {
        !self.reader.is_empty()
    }

    /// Whether a line is coming in that is too long already.
    pub fn is_overlong(&self) -> bool {
        self.reader.is_overlong()
    }

    /// Whether the client has closed its side.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Whether the client has closed its side and left nothing to be done, as far as is known without waiting.
    pub fn is_gone(&mut self) -> bool {
        self.fill().is_err() || (self.ended && self.reader.peek().is_none())
    }

    /// What to poll the socket for: input while there is room for it.
    pub fn interest(&self) -> PollFlags {
        if self.ended || self.reader.room() == 0 {
            PollFlags::empty()
        } else {
            PollFlags::POLLIN
        }
    }

    /// Takes what has arrived, without waiting.
    ///
    /// # Errors
    /// The connection broke.
    pub fn fill(&mut self) -> Result<(), Lost> {
        let mut buffer = [0u8; 512];
        while !self.ended && self.reader.room() > 0 {
            let most = self.reader.room().min(buffer.len());
            match self.receive(&mut buffer[..most]) {
                Ok(0) => self.ended = true,
                Ok(count) => {
                    self.reader.push(&buffer[..count]);
                    buffer[..count].zeroize(); // it may have been a password
                    // In the clear that was all; under TLS there may be another record.
                    if count < most && matches!(self.layer, Layer::Clear) {
                        break;
                    }
                }
                Err(Halt::Waits(_)) => break,
                // A line that was cut off is not carried out: the end needs no proof here.
                Err(Halt::Failed(Fault::Truncated)) => self.ended = true,
                Err(halt) => return Err(self.lost(halt)),
            }
        }
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, Halt> {
        let socket = self.socket.as_fd();
        match &mut self.layer {
            Layer::Clear => loop {
                match recv(socket.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT) {
                    Ok(count) => return Ok(count),
                    Err(Errno::EINTR) => {}
                    Err(Errno::EAGAIN) => return Err(Halt::Waits(PollFlags::POLLIN)),
                    Err(errno) => return Err(Halt::Lost(errno)),
                }
            },
            Layer::Tls(stream) => stream.receive(socket, buffer),
            Layer::Leaving(stream) => {
                stream.leave(socket)?;
                let count = stream.take_rest(buffer);
                if stream.has_rest() {
                    return Ok(count);
                }
                self.layer = Layer::Clear;
                match count {
                    0 => self.receive(buffer),
                    count => Ok(count),
                }
            }
        }
    }

    fn lost(&mut self, halt: Halt) -> Lost {
        if let Halt::Failed(fault) = halt {
            self.fault = Some(fault);
        }
        Lost
    }

    /// Takes the next line that has arrived.
    pub fn take(&mut self) -> Option<Input> {
        let taken = self.reader.take();
        self.top_up();
        taken.or_else(|| self.reader.take())
    }

    /// What TLS has received already makes no event of its own: it goes on to where lines are looked for.
    fn top_up(&mut self) {
        let Layer::Tls(stream) = &mut self.layer else {
            return;
        };
        let mut buffer = [0u8; 512];
        while self.reader.room() > 0 {
            let most = self.reader.room().min(buffer.len());
            match stream.take(self.socket.as_fd(), &mut buffer[..most]) {
                Ok(0) | Err(Halt::Waits(_)) => break,
                Ok(count) => {
                    self.reader.push(&buffer[..count]);
                    buffer[..count].zeroize();
                }
                Err(halt) => {
                    self.ended = true;
                    self.lost(halt);
                    return;
                }
            }
        }
        self.ended |= stream.has_ended();
    }

    /// The next line, left where it is.
    pub fn peek(&self) -> Option<&[u8]> {
        self.reader.peek()
    }

    /// Takes the line that was marked as urgent (Telnet Synch) if `wanted` says so, whatever waits before it.
    pub fn take_urgent(&mut self, wanted: impl FnOnce(&[u8]) -> bool) -> bool {
        let taken = self.reader.take_urgent(wanted);
        self.top_up();
        taken
    }

    /// The octets that have arrived of a line whose end has not.
    pub fn unfinished(&self) -> &[u8] {
        self.reader.unfinished()
    }

    /// Sends a reply, waiting for a slow client within limits.
    ///
    /// # Errors
    /// The connection broke, or the client does not read.
    pub fn reply(&mut self, reply: &Reply) -> Result<(), Lost> {
        let mut out = Vec::with_capacity(128);
        reply.encode(&mut out);
        self.write(&out)
    }

    /// Sends a command to a server at the other end, likewise.
    ///
    /// # Errors
    /// The connection broke, or the server does not read.
    pub fn command(&mut self, request: &Request) -> Result<(), Lost> {
        self.write(request.octets())
    }

    /// Sends the preliminary reply of a transfer.
    pub(crate) fn mark(&mut self, mark: &Mark) -> Result<(), Lost> {
        let mut out = Vec::with_capacity(128);
        mark.encode(&mut out);
        self.write(&out)
    }

    fn write(&mut self, mut out: &[u8]) -> Result<(), Lost> {
        let deadline = Instant::now() + self.patience;
        loop {
            let events = match self.send(&mut out) {
                Ok(()) => return Ok(()),
                Err(Halt::Waits(events)) => events,
                Err(halt) => return Err(self.lost(halt)),
            };
            let mut ready = [PollFd::new(self.socket.as_fd(), events)];
            if matches!(poll(&mut ready, until(Some(deadline))), Ok(0)) {
                return Err(Lost);
            }
        }
    }

    /// Sends what the socket takes, and cuts it off the front; well when nothing is left.
    fn send(&mut self, out: &mut &[u8]) -> Result<(), Halt> {
        let socket = self.socket.as_fd();
        if let Layer::Tls(stream) = &mut self.layer {
            while !out.is_empty() {
                let count = stream.send(socket, out, Follows::Nothing)?;
                *out = &out[count..];
            }
            return stream.flush(socket, Follows::Nothing);
        }
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        while !out.is_empty() {
            match send(socket.as_raw_fd(), out, flags) {
                Ok(count) => *out = &out[count..],
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Err(Halt::Waits(PollFlags::POLLOUT)),
                Err(errno) => return Err(Halt::Lost(errno)),
            }
        }
        Ok(())
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The time left until a deadline, as poll(2) wants it, rounded up so that it is never early.
pub fn until(deadline: Option<Instant>) -> PollTimeout {
    let Some(deadline) = deadline else {
        return PollTimeout::NONE;
    };
    let left = deadline.saturating_duration_since(Instant::now()) + Duration::from_micros(999);
    PollTimeout::try_from(left.as_millis()).unwrap_or(PollTimeout::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::os::unix::net::UnixStream;

    use rustls::version::{TLS12, TLS13};

    use super::*;
    use crate::proto::reply::Code;
    use crate::tls::testing::{ClientStream, Pki, client, sockets};

    const PATIENCE: Duration = Duration::from_secs(60);

    fn wait(control: &Control, events: PollFlags) {
        let mut ready = [PollFd::new(control.as_fd(), events)];
        poll(&mut ready, PollTimeout::NONE).unwrap();
    }

    fn secured(socket: OwnedFd, pki: &Pki) -> Control {
        let mut control = Control::new(socket, PATIENCE);
        control.secure(pki.server()).unwrap();
        while let Some(events) = control.handshake().unwrap() {
            wait(&control, events);
        }
        control
    }

    fn next(control: &mut Control) -> Option<Input> {
        loop {
            let line = control.take();
            if line.is_some() || control.ended() {
                return line;
            }
            wait(control, PollFlags::POLLIN);
            control.fill().unwrap();
        }
    }

    fn line(text: &str) -> Option<Input> {
        Some(Input::Line(text.as_bytes().to_vec()))
    }

    fn reply(stream: &mut impl Read) -> String {
        let mut octets = vec![];
        while !octets.ends_with(b"\r\n") {
            let mut one = [0];
            stream.read_exact(&mut one).unwrap();
            octets.push(one[0]);
        }
        String::from_utf8(octets).unwrap()
    }

    #[test]
    fn many_lines_in_one_record_come_out_one_by_one() {
        let pki = Pki::new();
        for version in [&TLS12, &TLS13] {
            let (there, here) = sockets();
            // More than there is room for in the reader, in one record and in another one behind it.
            let other = client(&pki.client(version, &[]), there, |stream| {
                let lines: String = (0..1500).map(|n| format!("NOOP {n}\r\n")).collect();
                stream.write_all(lines.as_bytes()).unwrap();
                stream.write_all(b"QUIT\r\n").unwrap();
                let last = reply(stream);
                stream.conn.send_close_notify();
                stream.flush().unwrap();
                last
            });
            let mut control = secured(here, &pki);
            for n in 0..1500 {
                assert_eq!(next(&mut control), line(&format!("NOOP {n}")));
            }
            assert_eq!(next(&mut control), line("QUIT"));
            control.reply(&Reply::new(Code::GOODBYE, "Bye.")).unwrap();
            assert_eq!(next(&mut control), None);
            control.close();
            assert_eq!(other.join().unwrap(), "221 Bye.\r\n");
        }
    }

    /// What the client says in the clear once it has left TLS, and with how many words.
    fn leaves(leave: impl FnOnce(&mut ClientStream) + Send + 'static) {
        let pki = Pki::new();
        let (there, here) = sockets();
        let other = client(&pki.client(&TLS13, &[]), there, |stream| {
            assert_eq!(reply(stream), "220 Anew.\r\n");
            // The server's close_notify.
            assert_eq!(stream.read(&mut [0; 10]).unwrap(), 0);
            leave(stream);
            let mut clear: &UnixStream = &stream.sock;
            clear.write_all(b"USER x\r\nNOOP\r\n").unwrap();
            let mut answer = String::new();
            BufReader::new(clear).read_line(&mut answer).unwrap();
            answer
        });
        let mut control = secured(here, &pki);
        control
            .reply(&Reply::new(Code::SERVICE_READY, "Anew."))
            .unwrap();
        control.leave_tls().unwrap();
        assert_eq!(next(&mut control), line("USER x"));
        assert_eq!(next(&mut control), line("NOOP"));
        assert!(!control.is_secure());
        control
            .reply(&Reply::new(Code::OK, "In the clear."))
            .unwrap();
        assert_eq!(other.join().unwrap(), "200 In the clear.\r\n");
    }

    #[test]
    fn lines_are_in_the_clear_behind_the_end_of_tls() {
        leaves(|stream| {
            stream.conn.send_close_notify();
            stream.flush().unwrap();
        });
        leaves(|_| {});
    }

    #[test]
    fn what_came_in_the_clear_is_forgotten_under_tls() {
        let pki = Pki::new();
        let (mut there, here) = sockets();
        there.write_all(b"AUTH TLS\r\nUSER eve\r\nPASS").unwrap();
        let mut control = Control::new(here, PATIENCE);
        assert_eq!(next(&mut control), line("AUTH TLS"));
        assert!(control.has_unread());
        control.secure(pki.server()).unwrap();
        assert!(!control.has_unread() && control.take().is_none());
    }
}
