//! Between two data connections: from one socket to the other through a pipe, without a copy.

use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::PollFlags;
use socket2::SockRef;

use super::pipe::Pipe;
use super::wire::Wire;
use super::{Flow, Step, bounded};

/// What a transfer with TLS on one side takes at once.
const PIECE: usize = 64 << 10;
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
        match self.pipe.take(&self.from, most) {
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
        match self.pipe.give(&self.to, self.held) {
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
    use std::io::{self, Read, Write};
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
        assert_eq!(pipe.read(), Err(Errno::EAGAIN));
        let mut buffer = [0; 16];
        // Neither side takes it for an ordinary end.
        for mut end in [source, sink] {
            let error = end.read(&mut buffer).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        }
    }
}
