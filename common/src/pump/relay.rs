//! Between two data connections: from one socket to the other through a pipe, without a copy.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, splice};
use nix::poll::PollFlags;
use nix::unistd::{pipe2, read};
use socket2::SockRef;

use super::wire::Wire;
use super::{Flow, Step, bounded};

/// What a transfer with TLS on one side takes at once.
const PIECE: usize = 64 << 10;
/// The most that a pipe of an ordinary user may hold (pipe(7)).
const PIPE_SIZE: i32 = 1 << 20;

/// What octets pass through on their way; made before the sandbox, and used by one transfer after the other.
#[derive(Debug)]
pub struct Pipe {
    reading: OwnedFd,
    writing: OwnedFd,
    /// The most that is taken at once.
    piece: usize,
}

impl Pipe {
    /// Makes a pipe, a large one if the system lets it be.
    ///
    /// # Errors
    /// What pipe2(2) says.
    pub fn new() -> io::Result<Pipe> {
        let (reading, writing) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        let size = fcntl(&writing, FcntlArg::F_SETPIPE_SZ(PIPE_SIZE))
            .or_else(|_| fcntl(&writing, FcntlArg::F_GETPIPE_SZ))?;
        Ok(Pipe {
            reading,
            writing,
            piece: usize::try_from(size).unwrap_or(1),
        })
    }

    /// The descriptors that must stay open.
    pub fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.reading.as_fd(), self.writing.as_fd()]
    }

    /// Throws away what a transfer that broke off has left.
    fn drain(&self) {
        let mut buffer = [0; 64 << 10];
        while matches!(
            read(&self.reading, &mut buffer),
            Ok(1..) | Err(Errno::EINTR)
        ) {}
    }
}

/// A transfer from one data connection to another. SECURITY: until it is complete both end with a reset, even if this process is
/// killed, so that neither side takes what it has for all there is.
#[derive(Debug)]
pub struct Relay<'a> {
    from: OwnedFd,
    to: OwnedFd,
    pipe: &'a Pipe,
    /// Octets in the pipe.
    held: usize,
}

impl<'a> Relay<'a> {
    pub fn new(from: OwnedFd, to: OwnedFd, pipe: &'a Pipe) -> Relay<'a> {
        reset(&from);
        reset(&to);
        Relay {
            from,
            to,
            pipe,
            held: 0,
        }
    }

    /// Breaks both connections off.
    pub fn reset(self) {
        reset(&self.from);
        reset(&self.to);
    }

    fn take_in(&mut self, most: u64) -> Result<usize, Step> {
        let piece = bounded(self.pipe.piece, most);
        match splice(&self.from, None, &self.pipe.writing, None, piece, FLAGS) {
            Ok(0) => {
                spare(&self.from);
                spare(&self.to);
                Err(Step::Complete)
            }
            Ok(count) => Ok(count),
            Err(Errno::EAGAIN) => Err(Step::WaitsForSource),
            Err(Errno::EINTR) => Err(Step::Moved(0)),
            Err(errno) => Err(Step::SourceLost(errno)),
        }
    }
}

const FLAGS: SpliceFFlags = SpliceFFlags::SPLICE_F_NONBLOCK.union(SpliceFFlags::SPLICE_F_MOVE);

/// Has a connection end with a reset when it is closed, and not as if all had been sent.
pub fn reset(socket: &impl AsFd) {
    // One that is broken already needs no other end.
    let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
}

/// Has it end as if all had been sent, which is so now.
fn spare(socket: &impl AsFd) {
    let _ = SockRef::from(socket).set_linger(None);
}

impl Flow for Relay<'_> {
    fn step(&mut self, most: u64) -> Step {
        if self.held == 0 {
            match self.take_in(most) {
                Ok(count) => self.held = count,
                Err(step) => return step,
            }
        }
        match splice(&self.pipe.reading, None, &self.to, None, self.held, FLAGS) {
            Ok(count) => {
                self.held -= count.min(self.held);
                Step::Moved(count as u64)
            }
            Err(Errno::EAGAIN) => Step::WaitsForData(PollFlags::POLLOUT),
            Err(Errno::EINTR) => Step::Moved(0),
            Err(errno) => Step::DataLost(errno),
        }
    }

    fn data(&self) -> BorrowedFd<'_> {
        self.to.as_fd()
    }

    fn source(&self) -> Option<BorrowedFd<'_>> {
        Some(self.from.as_fd())
    }
}

impl Drop for Relay<'_> {
    fn drop(&mut self) {
        if self.held > 0 {
            self.pipe.drain();
        }
    }
}

/// A transfer of which one side is under TLS, or both: through this process's memory. Both ends are as with [`Relay`].
pub struct RelayTls {
    from: Wire,
    to: Wire,
    buffer: Vec<u8>,
    /// What of the buffer is still to be sent.
    held: Range<usize>,
    ended: bool,
}

impl RelayTls {
    pub fn new(from: Wire, to: Wire) -> RelayTls {
        reset(&from);
        reset(&to);
        RelayTls {
            from,
            to,
            buffer: vec![0; PIECE],
            held: 0..0,
            ended: false,
        }
    }

    /// Gives where it went, once all is there.
    pub fn into_target(self) -> Wire {
        self.to
    }

    /// As [`Relay::reset`].
    pub fn reset(mut self) {
        self.to.look();
        reset(&self.from);
        reset(&self.to);
    }
}

impl Flow for RelayTls {
    fn step(&mut self, most: u64) -> Step {
        if self.held.is_empty() && !self.ended {
            let most = bounded(PIECE, most);
            match self.from.receive(&mut self.buffer[..most]) {
                Ok(0) => self.ended = true,
                Ok(count) => self.held = 0..count,
                Err(Step::WaitsForData(_)) => return Step::WaitsForSource,
                Err(Step::DataLost(errno)) => return Step::SourceLost(errno),
                Err(step) => return step,
            }
        }
        if self.held.is_empty() {
            return match self.to.finish() {
                Ok(()) => {
                    spare(&self.from);
                    spare(&self.to);
                    Step::Complete
                }
                Err(step) => step,
            };
        }
        match self.to.send(&self.buffer[self.held.clone()]) {
            Ok(count) => {
                self.held.start += count;
                Step::Moved(count as u64)
            }
            Err(step) => step,
        }
    }

    fn data(&self) -> BorrowedFd<'_> {
        self.to.as_fd()
    }

    fn source(&self) -> Option<BorrowedFd<'_>> {
        Some(self.from.as_fd())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    fn connected() -> (TcpStream, OwnedFd) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        far.set_nonblocking(true).unwrap();
        (near, far.into())
    }

    fn wait(step: Step, relay: &Relay) {
        use nix::poll::{PollFd, PollTimeout, poll};
        let (fd, events) = match step {
            Step::WaitsForData(events) => (relay.data(), events),
            Step::WaitsForSource => (relay.source().unwrap(), PollFlags::POLLIN),
            _ => return,
        };
        poll(&mut [PollFd::new(fd, events)], PollTimeout::NONE).unwrap();
    }

    #[test]
    fn all_octets_arrive_and_then_the_end() {
        let pipe = Pipe::new().unwrap();
        let ((mut source, from), (mut sink, to)) = (connected(), connected());
        let octets: Vec<u8> = (0..5_000_000u32).map(|n| (n % 251) as u8).collect();
        let sent = octets.clone();
        std::thread::scope(|scope| {
            scope.spawn(move || source.write_all(&sent).unwrap());
            let reader = scope.spawn(move || {
                let mut got = Vec::new();
                sink.read_to_end(&mut got).unwrap();
                got
            });
            let mut relay = Relay::new(from, to, &pipe);
            loop {
                match relay.step(u64::MAX) {
                    Step::Complete => break,
                    Step::Moved(_) => {}
                    step @ (Step::WaitsForData(_) | Step::WaitsForSource) => wait(step, &relay),
                    step => panic!("{step:?}"),
                }
            }
            drop(relay);
            assert!(reader.join().unwrap() == octets);
        });
    }

    #[test]
    fn a_transfer_that_broke_off_leaves_nothing_to_the_next_one() {
        let pipe = Pipe::new().unwrap();
        let ((mut source, from), (sink, to)) = (connected(), connected());
        source.write_all(b"left over").unwrap();
        let mut relay = Relay::new(from, to, &pipe);
        relay.held = loop {
            match relay.take_in(u64::MAX) {
                Ok(count) => break count,
                Err(step) => wait(step, &relay),
            }
        };
        drop(relay);
        let mut buffer = [0; 16];
        assert_eq!(read(&pipe.reading, &mut buffer), Err(Errno::EAGAIN));
        // Neither side takes it for an ordinary end.
        for mut end in [source, sink] {
            let error = end.read(&mut buffer).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        }
    }
}
