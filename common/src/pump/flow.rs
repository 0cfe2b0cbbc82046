//! The ways data moves: file to network by sendfile, listing by splice, network to file, and both directions through
//! stages.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{SpliceFFlags, splice};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::sendfile::sendfile64;
use nix::sys::socket::{MsgFlags, recv, send};

use super::{Flow, Step};
use crate::stage::Stage;

/// The most that one sendfile is asked for.
const SEND_PIECE: usize = 2 << 20;
/// The buffer of an upload: small until it was full once, so that small files cost no large one.
const FIRST_PIECE: usize = 8 << 10;
const RECEIVE_PIECE: usize = 256 << 10;
/// The buffer before and behind stages.
const STAGED_PIECE: usize = 64 << 10;

/// A download without stages: the kernel copies from the file to the socket.
#[derive(Debug)]
pub struct SendFile {
    file: OwnedFd,
    data: OwnedFd,
    offset: u64,
    end: u64,
}

impl SendFile {
    /// Sends the octets from `offset` to `end` of a file.
    pub fn new(file: OwnedFd, data: OwnedFd, offset: u64, end: u64) -> SendFile {
        SendFile {
            file,
            data,
            offset,
            end,
        }
    }
}

impl Flow for SendFile {
    fn step(&mut self) -> Step {
        let left = self.end.saturating_sub(self.offset);
        if left == 0 {
            return Step::Complete;
        }
        let piece = usize::try_from(left).map_or(SEND_PIECE, |left| left.min(SEND_PIECE));
        let Ok(mut offset) = i64::try_from(self.offset) else {
            return Step::StoreFailed(Errno::EOVERFLOW);
        };
        match sendfile64(&self.data, &self.file, Some(&mut offset), piece) {
            // The file has become shorter meanwhile: the client must not take what there was for the whole.
            Ok(0) => Step::StoreFailed(Errno::EIO),
            Ok(count) => {
                self.offset += count as u64;
                Step::Moved(count as u64)
            }
            Err(Errno::EAGAIN) => Step::WaitsForData(PollFlags::POLLOUT),
            Err(Errno::EINTR) => Step::Moved(0),
            Err(errno) if is_of_network(errno) => Step::DataLost(errno),
            Err(errno) => Step::StoreFailed(errno),
        }
    }

    fn data(&self) -> BorrowedFd<'_> {
        self.data.as_fd()
    }
}

/// Whether an error of a call on a file and a socket is the socket's: those that tcp(7) and ip(7) name.
fn is_of_network(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::EPIPE
            | Errno::ECONNRESET
            | Errno::ECONNABORTED
            | Errno::ECONNREFUSED
            | Errno::ETIMEDOUT
            | Errno::EHOSTUNREACH
            | Errno::EHOSTDOWN
            | Errno::ENETUNREACH
            | Errno::ENETDOWN
            | Errno::ENETRESET
            | Errno::ENOTCONN
            | Errno::ENOBUFS
            | Errno::EPROTO
    )
}

/// A listing: from keeper's pipe to the socket without a copy.
#[derive(Debug)]
pub struct SendPipe {
    pipe: OwnedFd,
    data: OwnedFd,
}

impl SendPipe {
    pub fn new(pipe: OwnedFd, data: OwnedFd) -> SendPipe {
        SendPipe { pipe, data }
    }

    fn pipe_is_ready(&self) -> bool {
        let mut ready = [PollFd::new(self.pipe.as_fd(), PollFlags::POLLIN)];
        matches!(poll(&mut ready, PollTimeout::ZERO), Ok(1..))
    }
}

impl Flow for SendPipe {
    fn step(&mut self) -> Step {
        match splice(
            &self.pipe,
            None,
            &self.data,
            None,
            SEND_PIECE,
            SpliceFFlags::SPLICE_F_NONBLOCK,
        ) {
            Ok(0) => Step::Complete,
            Ok(count) => Step::Moved(count as u64),
            Err(Errno::EAGAIN) if self.pipe_is_ready() => Step::WaitsForData(PollFlags::POLLOUT),
            Err(Errno::EAGAIN) => Step::WaitsForSource,
            Err(Errno::EINTR) => Step::Moved(0),
            Err(errno) => Step::DataLost(errno),
        }
    }

    fn data(&self) -> BorrowedFd<'_> {
        self.data.as_fd()
    }

    fn source(&self) -> Option<BorrowedFd<'_>> {
        Some(self.pipe.as_fd())
    }
}

/// An upload without stages.
#[derive(Debug)]
pub struct ReceiveFile {
    data: OwnedFd,
    file: OwnedFd,
    buffer: Vec<u8>,
}

impl ReceiveFile {
    pub fn new(data: OwnedFd, file: OwnedFd) -> ReceiveFile {
        ReceiveFile {
            data,
            file,
            buffer: vec![0; FIRST_PIECE],
        }
    }
}

impl Flow for ReceiveFile {
    fn step(&mut self) -> Step {
        match receive(&self.data, &mut self.buffer) {
            Ok(0) => Step::Complete,
            Ok(count) => match write_all(&self.file, &self.buffer[..count]) {
                Ok(()) => {
                    if count == self.buffer.len() && count < RECEIVE_PIECE {
                        self.buffer = vec![0; RECEIVE_PIECE];
                    }
                    Step::Moved(count as u64)
                }
                Err(errno) => Step::StoreFailed(errno),
            },
            Err(step) => step,
        }
    }

    fn data(&self) -> BorrowedFd<'_> {
        self.data.as_fd()
    }
}

/// A download or a listing through a stage.
pub struct SendStaged<S> {
    file: OwnedFd,
    data: OwnedFd,
    stage: S,
    input: Vec<u8>,
    output: Vec<u8>,
    sent: usize,
    at_end: bool,
}

impl<S: Stage> SendStaged<S> {
    /// Sends the file from where its offset is, or what comes out of a pipe.
    pub fn new(file: OwnedFd, data: OwnedFd, stage: S) -> Self {
        SendStaged {
            file,
            data,
            stage,
            input: vec![0; STAGED_PIECE],
            output: Vec::new(),
            sent: 0,
            at_end: false,
        }
    }
}

impl<S: Stage> Flow for SendStaged<S> {
    fn step(&mut self) -> Step {
        if self.sent == self.output.len() {
            self.sent = 0;
            self.output.clear();
            if self.at_end {
                return Step::Complete;
            }
            match nix::unistd::read(&self.file, &mut self.input) {
                Ok(0) => {
                    self.at_end = true;
                    self.stage.finish(&mut self.output);
                }
                Ok(count) => self.stage.push(&self.input[..count], &mut self.output),
                // A pipe whose writer is behind.
                Err(Errno::EAGAIN) => return Step::WaitsForSource,
                Err(Errno::EINTR) => {}
                Err(errno) => return Step::StoreFailed(errno),
            }
            return Step::Moved(0);
        }
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        match send(self.data.as_raw_fd(), &self.output[self.sent..], flags) {
            Ok(count) => {
                self.sent += count;
                Step::Moved(count as u64)
            }
            Err(Errno::EAGAIN) => Step::WaitsForData(PollFlags::POLLOUT),
            Err(Errno::EINTR) => Step::Moved(0),
            Err(errno) => Step::DataLost(errno),
        }
    }

    fn data(&self) -> BorrowedFd<'_> {
        self.data.as_fd()
    }

    fn source(&self) -> Option<BorrowedFd<'_>> {
        Some(self.file.as_fd())
    }
}

/// An upload through a stage.
pub struct ReceiveStaged<S> {
    data: OwnedFd,
    file: OwnedFd,
    stage: S,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl<S: Stage> ReceiveStaged<S> {
    pub fn new(data: OwnedFd, file: OwnedFd, stage: S) -> Self {
        ReceiveStaged {
            data,
            file,
            stage,
            input: vec![0; STAGED_PIECE],
            output: Vec::new(),
        }
    }
}

impl<S: Stage> Flow for ReceiveStaged<S> {
    fn step(&mut self) -> Step {
        let count = match receive(&self.data, &mut self.input) {
            Ok(count) => count,
            Err(step) => return step,
        };
        self.output.clear();
        if count == 0 {
            self.stage.finish(&mut self.output);
        } else {
            self.stage.push(&self.input[..count], &mut self.output);
        }
        match write_all(&self.file, &self.output) {
            Ok(()) if count == 0 => Step::Complete,
            Ok(()) => Step::Moved(count as u64),
            Err(errno) => Step::StoreFailed(errno),
        }
    }

    fn data(&self) -> BorrowedFd<'_> {
        self.data.as_fd()
    }
}

/// Receives what is there; zero is the clean end (FIN). A reset is no end: it is [`Step::DataLost`].
fn receive(data: &OwnedFd, buffer: &mut [u8]) -> Result<usize, Step> {
    match recv(data.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT) {
        Ok(count) => Ok(count),
        Err(Errno::EAGAIN) => Err(Step::WaitsForData(PollFlags::POLLIN)),
        Err(Errno::EINTR) => Err(Step::Moved(0)),
        Err(errno) => Err(Step::DataLost(errno)),
    }
}

fn write_all(file: &OwnedFd, mut octets: &[u8]) -> Result<(), Errno> {
    while !octets.is_empty() {
        match nix::unistd::write(file, octets) {
            Ok(0) => return Err(Errno::EIO),
            Ok(count) => octets = &octets[count..],
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
