//! The one pump: moves data between a descriptor and a data connection while it watches the control connection and the
//! channel, so that ABOR, STAT and timeouts work whatever the disk or the network does.

mod attend;
mod consume;
mod delivery;
mod measure;
mod open;
mod pace;
mod pipe;
mod receive;
mod relay;
mod sendfile;
mod source;
mod splice;
mod staged;
mod store;
mod wire;

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};

pub use attend::Watch;
pub use consume::{Consume, Consumer};
pub use delivery::Delivery;
pub use measure::Measure;
pub use open::{
    Arrival, DataConnection, OpenError, accept, await_connect, secure, take_arrival, unbound,
};
pub use pace::{Lessor, Pace};
pub use pipe::Pipe;
pub use receive::Receive;
pub use relay::{Relay, RelayTls, reset};
pub use sendfile::SendFile;
pub use source::{Producer, Source};
pub use splice::SendPipe;
pub use staged::SendStaged;
pub use store::Store;
pub use wire::{Layer, Secured, Wire};

use pace::Allowance;

use crate::control::until;
use crate::stage::{Confirmation, Fault};
use crate::tls;

/// After so many octets, or so long, without a wait, the attendant is asked all the same: some octets make much work.
const BREATH: u64 = 8 << 20;
const LONG_BREATH: Duration = Duration::from_millis(100);

/// What one step of a flow came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Moved(u64),
    /// The data connection is not ready for these events.
    WaitsForData(PollFlags),
    /// The source has nothing yet.
    WaitsForSource,
    Complete,
    /// The data connection broke.
    DataLost(Errno),
    /// Its TLS broke.
    Insecure(tls::Fault),
    /// The file could not be read or written.
    StoreFailed(Errno),
    /// The connection that data comes from broke.
    SourceLost(Errno),
    /// The octets are not what they should be.
    Spoiled(Fault),
}

/// A direction and a way of moving data; owns the data connection and what is at its other end.
pub trait Flow {
    /// Moves what can be moved without waiting, in a bounded piece: at most so many octets of the data connection.
    fn step(&mut self, most: u64) -> Step;
    fn data(&self) -> BorrowedFd<'_>;
    /// What [`Step::WaitsForSource`] waits for; files are always ready.
    fn source(&self) -> Option<BorrowedFd<'_>> {
        None
    }
    /// The digest of the octets of the representation, where one was taken; told once, when the transfer has ended.
    fn confirmation(&mut self) -> Option<Confirmation> {
        None
    }
    /// Octets that a file got, where these are not those of the data connection.
    fn stored(&self) -> Option<u64> {
        None
    }
}

/// Why a wait must end before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// The client sent ABOR.
    Abort,
    /// The control connection broke.
    ControlLost,
    /// The trusted half is gone.
    KeeperGone,
    /// Of a gateway: the server's control connection broke.
    ServerGone,
}

/// What an attendant watches, and what has happened there.
pub type Watched<'a> = [(BorrowedFd<'a>, PollFlags); 3];
pub type Happened = [PollFlags; 3];

/// Whoever looks after the control connection and the channel during a transfer.
pub trait Attendant {
    /// Looks, before anything is waited for, at what came together with the command that began the transfer.
    fn begin(&mut self) -> Option<Interrupt>;
    /// What to watch; descriptors without events are still watched for their end.
    fn watch(&self) -> Watched<'_>;
    /// Hears now and then that so much was moved.
    fn note(&mut self, _moved: u64) {}
    /// Deals with what happened on them; `moved` is the progress so far, in octets.
    fn attend(&mut self, events: Happened, moved: u64) -> Option<Interrupt>;
}

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Complete,
    Interrupted(Interrupt),
    DataLost(Errno),
    Insecure(tls::Fault),
    StoreFailed(Errno),
    SourceLost(Errno),
    Spoiled(Fault),
    /// Nothing moved for too long.
    Stalled,
}

/// A transfer that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Octets that went through the data connection.
    pub moved: u64,
    pub end: End,
}

/// Runs a flow to its end, no faster than its pace. A transfer that makes no progress for `stall`, though it may, is given
/// up; zero is no limit.
pub fn run(
    flow: &mut dyn Flow,
    attendant: &mut dyn Attendant,
    pace: &mut Pace,
    stall: Duration,
) -> Outcome {
    let mut moved = 0;
    let mut unattended = 0;
    let mut attended = Instant::now();
    let mut deadline = None;
    if let Some(interrupt) = attendant.begin() {
        let end = End::Interrupted(interrupt);
        return Outcome { moved, end };
    }
    let end = loop {
        let most = match pace.allowance() {
            Allowance::Octets(most) => most,
            held_back => match pause(held_back, pace, attendant, moved) {
                None => continue,
                Some(interrupt) => break End::Interrupted(interrupt),
            },
        };
        let (wait_for, waits) = match flow.step(most) {
            Step::Moved(count) => {
                pace.moved(count);
                moved += count;
                unattended += count;
                deadline = None;
                if unattended < BREATH && attended.elapsed() < LONG_BREATH {
                    continue;
                }
                (None, false)
            }
            Step::WaitsForData(events) => (Some((flow.data(), events)), true),
            Step::WaitsForSource => (
                flow.source().map(|source| (source, PollFlags::POLLIN)),
                true,
            ),
            Step::Complete => break End::Complete,
            Step::DataLost(errno) => break End::DataLost(errno),
            Step::Insecure(fault) => break End::Insecure(fault),
            Step::StoreFailed(errno) => break End::StoreFailed(errno),
            Step::SourceLost(errno) => break End::SourceLost(errno),
            Step::Spoiled(fault) => break End::Spoiled(fault),
        };
        unattended = 0;
        if waits && deadline.is_none() && !stall.is_zero() {
            deadline = Some(Instant::now() + stall);
        }
        let limit = if waits {
            deadline
        } else {
            Some(Instant::now())
        };
        attendant.note(moved);
        let woken = watch(wait_for, attendant, limit, moved);
        attended = Instant::now();
        match woken {
            Woken::Ready => {}
            Woken::TimedOut if waits => break End::Stalled,
            // What came together with the command makes no event of its own.
            Woken::TimedOut => {
                if let Some(interrupt) = attendant.attend([PollFlags::empty(); 3], moved) {
                    break End::Interrupted(interrupt);
                }
            }
            Woken::Interrupted(interrupt) => break End::Interrupted(interrupt),
        }
    };
    attendant.note(moved);
    Outcome { moved, end }
}

/// Waits until something may move again, or for the attendant.
fn pause(
    held_back: Allowance,
    pace: &Pace,
    attendant: &mut dyn Attendant,
    moved: u64,
) -> Option<Interrupt> {
    let until = match held_back {
        Allowance::NotBefore(time) => Some(time),
        Allowance::Octets(_) | Allowance::Awaited => None,
    };
    attendant.note(moved);
    let lease = pace.awaited().map(|pipe| (pipe, PollFlags::POLLIN));
    match watch(lease, attendant, until, moved) {
        Woken::Ready | Woken::TimedOut => None,
        Woken::Interrupted(interrupt) => Some(interrupt),
    }
}

/// A piece of at most so many octets.
fn bounded(piece: usize, most: u64) -> usize {
    usize::try_from(most).map_or(piece, |most| piece.min(most))
}

pub(crate) enum Woken {
    Ready,
    TimedOut,
    Interrupted(Interrupt),
}

/// Waits for a descriptor, the attendant's descriptors, or the deadline; lets the attendant work.
pub(crate) fn watch(
    wanted: Option<(BorrowedFd<'_>, PollFlags)>,
    attendant: &mut dyn Attendant,
    deadline: Option<Instant>,
    moved: u64,
) -> Woken {
    let events = {
        let [first, second, third] = attendant.watch();
        let mut ready = [
            PollFd::new(first.0, first.1),
            PollFd::new(second.0, second.1),
            PollFd::new(third.0, third.1),
            PollFd::new(
                wanted.map_or(first.0, |(fd, _)| fd),
                wanted.map_or(PollFlags::empty(), |(_, events)| events),
            ),
        ];
        let count = if wanted.is_some() { 4 } else { 3 };
        match poll(&mut ready[..count], until(deadline)) {
            Ok(0) => return Woken::TimedOut,
            Ok(_) => {}
            Err(Errno::EINTR) => return Woken::Ready,
            Err(_) => return Woken::Interrupted(Interrupt::KeeperGone),
        }
        [0, 1, 2].map(|index: usize| ready[index].revents().unwrap_or(PollFlags::empty()))
    };
    if events.iter().any(|events| !events.is_empty())
        && let Some(interrupt) = attendant.attend(events, moved)
    {
        return Woken::Interrupted(interrupt);
    }
    Woken::Ready
}
