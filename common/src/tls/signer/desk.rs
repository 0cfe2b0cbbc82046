//! Where the signer works: channels come in through the door, and on each of them one request at a time is answered.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{SockType, getsockopt, sockopt};
use rustls::sign::SigningKey;

use super::super::budget::{Allowance, Budget};
use super::super::message::Shape;
use super::sign;
use crate::channel::{Answerer, Broken, SignAnswer, SignRequest, Signing};
use crate::log::Log;
use crate::sys::{self, Wait};
use crate::wire::Octets;

/// The door's number among those of the channels.
const DOOR: u64 = 0;
/// So much happens before the door and the waiting are looked at again.
const AT_ONCE: usize = 64;
/// So many refused requests of all channels are logged.
const MOST_LOGGED: u32 = 20;

pub(in crate::tls) struct Desk {
    epoll: Epoll,
    door: OwnedFd,
    /// Whether somebody could still bring a channel.
    open: bool,
    channels: HashMap<u64, Channel>,
    next: u64,
    /// Channels that have used up their budget for now, and until when.
    waiting: Vec<(Instant, u64)>,
    logged: u32,
}

struct Channel {
    answerer: Answerer<Signing>,
    budget: Budget,
}

/// What becomes of a channel after a look at it.
enum Next {
    Stay,
    Wait(Instant),
    Close,
}

impl Desk {
    pub(in crate::tls) fn new(door: OwnedFd) -> Result<Desk, Errno> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&door, EpollEvent::new(EpollFlags::EPOLLIN, DOOR))?;
        Ok(Desk {
            epoll,
            door,
            open: true,
            channels: HashMap::new(),
            next: DOOR + 1,
            waiting: Vec::new(),
            logged: 0,
        })
    }

    /// What must stay open.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        [self.epoll.0.as_fd(), self.door.as_fd()].into_iter()
    }

    /// Signs until nobody is left who could ask. Gives the status to end with.
    pub(in crate::tls) fn serve(&mut self, keys: &[Arc<dyn SigningKey>], log: &Log) -> i32 {
        let mut events = [EpollEvent::empty(); AT_ONCE];
        while self.open || !self.channels.is_empty() {
            let count = match self.epoll.wait(&mut events, self.patience()) {
                Ok(count) => count,
                Err(Errno::EINTR) => 0,
                Err(_) => return 1,
            };
            for event in &events[..count] {
                let hung_up = event.events().contains(EpollFlags::EPOLLHUP);
                match event.data() {
                    DOOR => self.let_in(hung_up),
                    // Nobody waits for an answer any more. Closing takes a channel out of the epoll set too.
                    number if hung_up => drop(self.channels.remove(&number)),
                    number => self.look_at(number, keys, log),
                }
            }
            self.wake();
        }
        0
    }

    /// How long nothing may happen until a channel has a budget again.
    fn patience(&self) -> EpollTimeout {
        let Some(end) = self.waiting.iter().map(|&(end, _)| end).min() else {
            return EpollTimeout::NONE;
        };
        let left = end.saturating_duration_since(Instant::now());
        // Rounded up: to wake too early is to wake twice.
        EpollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(EpollTimeout::MAX)
    }

    /// Takes the channel that a keeper brings.
    fn let_in(&mut self, hung_up: bool) {
        let mut word = Vec::new();
        match sys::receive_datagram(self.door.as_fd(), &mut word, 1, Wait::No) {
            // SECURITY: an empty message looks like the end; only the hang-up is one.
            Ok(datagram) if datagram.length == 0 && hung_up => {
                let _ = self.epoll.delete(&self.door);
                self.open = false;
            }
            Ok(datagram) => {
                if let Some(socket) = datagram.descriptor.filter(is_channel) {
                    self.add(socket);
                }
            }
            // What cannot be taken is closed, and its session sees that.
            Err(_) => {}
        }
    }

    fn add(&mut self, socket: OwnedFd) {
        let number = self.next;
        if self.epoll.add(&socket, interest(number)).is_ok() {
            self.next += 1;
            let channel = Channel {
                answerer: Answerer::over(socket),
                budget: Budget::new(Instant::now()),
            };
            self.channels.insert(number, channel);
        }
    }

    fn look_at(&mut self, number: u64, keys: &[Arc<dyn SigningKey>], log: &Log) {
        let Some(channel) = self.channels.get_mut(&number) else {
            return;
        };
        match channel.answer_one(keys, log, &mut self.logged) {
            Next::Stay => {}
            Next::Wait(end) => {
                // Nothing but its end is told of it meanwhile.
                let mut nothing = EpollEvent::new(EpollFlags::empty(), number);
                let _ = self.epoll.modify(&channel.answerer, &mut nothing);
                self.waiting.push((end, number));
            }
            Next::Close => drop(self.channels.remove(&number)),
        }
    }

    /// Looks at the channels again that have waited long enough.
    fn wake(&mut self) {
        let now = Instant::now();
        let Desk {
            waiting,
            channels,
            epoll,
            ..
        } = self;
        waiting.retain(|&(end, number)| {
            let waits = end > now;
            if !waits && let Some(channel) = channels.get(&number) {
                let _ = epoll.modify(&channel.answerer, &mut interest(number));
            }
            waits && channels.contains_key(&number)
        });
    }
}

fn interest(number: u64) -> EpollEvent {
    EpollEvent::new(EpollFlags::EPOLLIN, number)
}

fn is_channel(socket: &OwnedFd) -> bool {
    getsockopt(socket, sockopt::SockType) == Ok(SockType::SeqPacket)
}

impl Channel {
    /// Answers the request that has come, if one has and there is a budget for it.
    fn answer_one(&mut self, keys: &[Arc<dyn SigningKey>], log: &Log, logged: &mut u32) -> Next {
        match self.budget.take(Instant::now()) {
            Allowance::Now => {}
            Allowance::At(end) => return Next::Wait(end),
            Allowance::Never => {
                log.line("signer: a session has used up all its signatures");
                return Next::Close;
            }
        }
        let (ticket, request) = match self.answerer.receive() {
            Ok(Some(received)) => received,
            Ok(None) => return Next::Stay,
            Err(broken) => {
                if broken == Broken::Malformed {
                    log.line("signer: a session broke the rules of its channel");
                }
                return Next::Close;
            }
        };
        let answer = match signature(&request, keys) {
            Some(signature) => SignAnswer::Signature { signature },
            None => {
                *logged = logged.saturating_add(1);
                if *logged <= MOST_LOGGED {
                    log.line("signer: refused to sign what is no handshake of ours");
                }
                SignAnswer::Refused
            }
        };
        match self.answerer.answer(ticket, &answer, None) {
            Ok(()) => Next::Stay,
            Err(_) => Next::Close,
        }
    }
}

/// The signature that is asked for, if it is one of a handshake and the key is one that makes it.
fn signature(request: &SignRequest, keys: &[Arc<dyn SigningKey>]) -> Option<Octets<2048>> {
    let SignRequest::Sign {
        certificate,
        scheme,
        message,
    } = request;
    let key = keys.get(usize::from(*certificate))?;
    let scheme = (*scheme).into();
    // SECURITY: a session that was taken over gets handshakes signed, and nothing that means something elsewhere.
    Shape::of(message.as_slice()).filter(|shape| shape.permits(scheme))?;
    Octets::new(&sign(key.as_ref(), scheme, message.as_slice())?)
}
