//! The end of a download: whether the other side's system has all octets. Writing them means that this system has them, and
//! a client that has vanished would leave a transfer that went well.

use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::poll::PollFlags;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use socket2::SockRef;

use super::wire::Layer;
use super::{Attendant, End, Outcome, Woken, watch};
use crate::net;
use crate::sys::tcp::{self, Sent, State};

/// Acknowledgements may be held back for so many segments (RFC 5681 §4.2).
const HELD_BACK: u64 = 2;

/// Tells when a connection that sends no more has been acknowledged to its end.
///
/// The kernel wakes up those who wait for a socket then, but there is no event that poll(2) would return for: the socket is
/// writable before and after. With edges epoll(7) tells of each such wake, and a look finds out what it was. It is FIN's
/// acknowledgement that makes one: with a client that keeps the connection until it has read 226 that may come 40 ms late
/// (delayed acknowledgements), where not all octets were acknowledged at once.
#[derive(Debug)]
pub struct Delivery(Epoll);

impl Delivery {
    /// Made before the sandbox, and used for one transfer after the other.
    ///
    /// # Errors
    /// What epoll_create1(2) says.
    pub fn new() -> io::Result<Delivery> {
        Ok(Delivery(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?))
    }

    /// Says on `data` that this was all, if it was, and waits until all is acknowledged. `stall` is how long nothing may be
    /// acknowledged; zero is no limit.
    pub fn settle(
        &self,
        outcome: Outcome,
        data: BorrowedFd<'_>,
        layer: Layer,
        attendant: &mut dyn Attendant,
        stall: Duration,
    ) -> Outcome {
        if outcome.end != End::Complete {
            return outcome;
        }
        let end = match self.delivered(data, layer, attendant, outcome.moved, stall) {
            Ok(()) => End::Complete,
            Err(end) => end,
        };
        Outcome { end, ..outcome }
    }

    fn delivered(
        &self,
        data: BorrowedFd<'_>,
        layer: Layer,
        attendant: &mut dyn Attendant,
        moved: u64,
        stall: Duration,
    ) -> Result<(), End> {
        let sent = tcp::sent(data).map_err(End::DataLost)?;
        // A connection that is gone says so below.
        let _ = SockRef::from(&data).shutdown(Shutdown::Write);
        if sent.state == State::Open && sent.idle {
            return Ok(());
        }
        let edges = EpollFlags::EPOLLOUT | EpollFlags::EPOLLET;
        let event = EpollEvent::new(edges, 0);
        self.0.add(data, event).map_err(End::DataLost)?;
        let mut end = Ending::new(sent, layer, stall);
        let ended = loop {
            // The edge is taken before the look: one that comes behind it ends the next wait.
            let _ = self.0.wait(&mut [EpollEvent::empty()], EpollTimeout::ZERO);
            if let Some(ended) = end.look(data) {
                break ended;
            }
            let edge = Some((self.as_fd(), PollFlags::POLLIN));
            match watch(edge, attendant, end.deadline, moved) {
                Woken::Ready | Woken::TimedOut => {}
                Woken::Interrupted(interrupt) => break Err(End::Interrupted(interrupt)),
            }
        };
        let _ = self.0.delete(data);
        ended
    }
}

/// A connection that sends no more, until all is acknowledged.
struct Ending {
    /// Before it was said that this is all.
    sent: Sent,
    layer: Layer,
    stall: Duration,
    acknowledged: Option<u64>,
    deadline: Option<Instant>,
}

impl Ending {
    fn new(sent: Sent, layer: Layer, stall: Duration) -> Ending {
        Ending {
            sent,
            layer,
            stall,
            acknowledged: None,
            deadline: None,
        }
    }

    /// Whether it is over, and how.
    fn look(&mut self, data: BorrowedFd<'_>) -> Option<Result<(), End>> {
        let now = match tcp::sent(data) {
            Ok(now) => now,
            Err(errno) => return Some(Err(End::DataLost(errno))),
        };
        match now.state {
            State::Acknowledged => return Some(Ok(())),
            State::Closed => return Some(self.closed(data, now)),
            State::Open => {}
        }
        if self.acknowledged != Some(now.acknowledged) {
            self.acknowledged = Some(now.acknowledged);
            self.deadline = (!self.stall.is_zero()).then(|| Instant::now() + self.stall);
            return None;
        }
        let late = self.deadline.is_some_and(|end| Instant::now() >= end);
        late.then_some(Err(End::Stalled))
    }

    fn closed(&self, data: BorrowedFd<'_>, now: Sent) -> Result<(), End> {
        let late = match self.layer {
            Layer::Clear => 0,
            // Who has read all that it wanted may leave close_notify unread: that is a reset, before it has acknowledged
            // what it read last.
            Layer::Tls => HELD_BACK * u64::from(now.segment),
        };
        let all = now.acknowledged + late >= self.sent.written;
        match net::failure(&data) {
            Some(errno) if !all => Err(End::DataLost(errno)),
            Some(_) | None => Ok(()),
        }
    }
}

impl AsFd for Delivery {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;

    use super::super::{Happened, Interrupt, Watched, reset};
    use super::*;

    /// A client whose control connection is silent.
    struct Silent(UnixStream, UnixStream);

    impl Attendant for Silent {
        fn begin(&mut self) -> Option<Interrupt> {
            None
        }
        fn watch(&self) -> Watched<'_> {
            [
                (self.0.as_fd(), PollFlags::POLLIN),
                (self.1.as_fd(), PollFlags::empty()),
                (self.1.as_fd(), PollFlags::empty()),
            ]
        }
        fn attend(&mut self, [control, ..]: Happened, _: u64) -> Option<Interrupt> {
            (!control.is_empty()).then_some(Interrupt::Abort)
        }
    }

    const DONE: Outcome = Outcome {
        moved: 0,
        end: End::Complete,
    };

    fn connected() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    /// Writes until nothing more fits; the number of octets.
    fn fill(mut data: &TcpStream) -> usize {
        data.set_nonblocking(true).unwrap();
        let mut written = 0;
        while let Ok(count) = data.write(&[b'x'; 64 << 10]) {
            written += count;
        }
        written
    }

    fn settle(data: &TcpStream, layer: Layer, stall: Duration) -> End {
        let (control, _client) = UnixStream::pair().unwrap();
        let mut silent = Silent(control.try_clone().unwrap(), control);
        let delivery = Delivery::new().unwrap();
        let settled = delivery.settle(DONE, data.as_fd(), layer, &mut silent, stall);
        settled.end
    }

    #[test]
    fn what_was_read_is_delivered_also_where_the_reader_stays() {
        for closes in [false, true] {
            let (mut client, data) = connected();
            let written = fill(&data);
            let read = std::thread::scope(|scope| {
                let reader = scope.spawn(|| {
                    let mut all = Vec::new();
                    client.read_to_end(&mut all).unwrap();
                    if closes {
                        client.shutdown(Shutdown::Both).unwrap();
                    }
                    all.len()
                });
                assert_eq!(settle(&data, Layer::Clear, Duration::ZERO), End::Complete);
                reader.join().unwrap()
            });
            assert_eq!(read, written);
        }
    }

    #[test]
    fn nothing_at_all_is_delivered_at_once() {
        let (_client, data) = connected();
        assert_eq!(settle(&data, Layer::Clear, Duration::ZERO), End::Complete);
    }

    #[test]
    fn what_nobody_reads_is_not_delivered() {
        let (_client, data) = connected();
        fill(&data);
        let stall = Duration::from_millis(20);
        assert_eq!(settle(&data, Layer::Clear, stall), End::Stalled);
    }

    #[test]
    fn a_reset_with_much_on_its_way_is_no_delivery() {
        for layer in [Layer::Clear, Layer::Tls] {
            let (client, data) = connected();
            fill(&data);
            reset(&client);
            drop(client);
            let end = settle(&data, layer, Duration::ZERO);
            assert!(matches!(end, End::DataLost(_)), "{layer:?}: {end:?}");
        }
    }

    #[test]
    fn a_reset_behind_all_octets_is_a_delivery() {
        let (mut client, mut data) = connected();
        data.write_all(b"whole").unwrap();
        client.read_exact(&mut [0; 5]).unwrap();
        reset(&client);
        drop(client);
        assert_eq!(settle(&data, Layer::Clear, Duration::ZERO), End::Complete);
    }

    #[test]
    fn abor_ends_the_wait() {
        let (_client, data) = connected();
        fill(&data);
        let (control, mut client) = UnixStream::pair().unwrap();
        client.write_all(b"ABOR\r\n").unwrap();
        let mut silent = Silent(control.try_clone().unwrap(), control);
        let delivery = Delivery::new().unwrap();
        let settled = delivery.settle(
            DONE,
            data.as_fd(),
            Layer::Clear,
            &mut silent,
            Duration::ZERO,
        );
        assert_eq!(settled.end, End::Interrupted(Interrupt::Abort));
    }
}
