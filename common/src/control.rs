//! The control connection as lines in and replies out, with deadlines. Used by every program that speaks FTP.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv, send};
use zeroize::Zeroize;

use crate::proto::line::{Input, LineReader};
use crate::proto::reply::{Mark, Reply};

/// The client is gone or does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

/// One end of a control connection.
#[derive(Debug)]
pub struct Control {
    socket: OwnedFd,
    reader: LineReader,
    /// How long a client may leave a reply unread.
    patience: Duration,
    /// The client will send nothing more.
    ended: bool,
}

impl Control {
    /// Takes a connected, non-blocking stream socket. A client that reads no reply for `patience` is lost.
    pub fn new(socket: OwnedFd, patience: Duration) -> Control {
        Control {
            socket,
            patience,
            reader: LineReader::default(),
            ended: false,
        }
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
            match recv(
                self.socket.as_raw_fd(),
                &mut buffer[..most],
                MsgFlags::MSG_DONTWAIT,
            ) {
                Ok(0) => self.ended = true,
                Ok(count) => {
                    self.reader.push(&buffer[..count]);
                    buffer[..count].zeroize(); // it may have been a password
                    if count < most {
                        break;
                    }
                }
                Err(Errno::EAGAIN) => break,
                Err(Errno::EINTR) => {}
                Err(_) => return Err(Lost),
            }
        }
        Ok(())
    }

    /// Takes the next line that has arrived.
    pub fn take(&mut self) -> Option<Input> {
        self.reader.take()
    }

    /// The next line, left where it is.
    pub fn peek(&self) -> Option<&[u8]> {
        self.reader.peek()
    }

    /// Takes the line that was marked as urgent (Telnet Synch) if `wanted` says so, whatever waits before it.
    pub fn take_urgent(&mut self, wanted: impl FnOnce(&[u8]) -> bool) -> bool {
        self.reader.take_urgent(wanted)
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

    /// Sends the preliminary reply of a transfer.
    pub(crate) fn mark(&mut self, mark: &Mark) -> Result<(), Lost> {
        let mut out = Vec::with_capacity(128);
        mark.encode(&mut out);
        self.write(&out)
    }

    fn write(&mut self, mut out: &[u8]) -> Result<(), Lost> {
        let deadline = Instant::now() + self.patience;
        while !out.is_empty() {
            match send(
                self.socket.as_raw_fd(),
                out,
                MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL,
            ) {
                Ok(count) => out = &out[count..],
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => {
                    let mut ready = [PollFd::new(self.socket.as_fd(), PollFlags::POLLOUT)];
                    if matches!(poll(&mut ready, until(Some(deadline))), Ok(0)) {
                        return Err(Lost);
                    }
                }
                Err(_) => return Err(Lost),
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
