//! Keeper's way to hookd: telling waits for nobody, asking waits for the hooks that are to be waited for.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};

use super::interest::Interest;
use super::message::{Answer, LONGEST_MESSAGE, Listed, Request, Sum, Told, Verdict, VersionWords};
use crate::control::until;
use crate::hooks::{DataConnection, Kind, Phase};
use crate::sys::{self, Wait};
use crate::wire::{Octets, Wire, decode};

/// How long hookd is waited for beyond what its hooks may take: the time of a new one to start.
const PATIENCE: Duration = Duration::from_secs(15);

/// A session's end of its channel to hookd.
#[derive(Debug)]
pub struct Reach {
    channel: Option<OwnedFd>,
    interest: Interest,
    /// The longest that hooks may take.
    longest: Duration,
    next: u32,
    /// What could not be told, since hookd has too much to do.
    lost: u64,
    /// The data connections that hooks were told of, and not yet of their ends: the client's, and a gateway's with the server.
    data: [Option<DataConnection>; 2],
    /// The server that a gateway has reached.
    upstream: Option<SocketAddr>,
    /// What protects the control connection, by the word of the network half.
    tls: Option<Listed<VersionWords>>,
}

impl Reach {
    pub fn new(channel: Option<OwnedFd>, interest: Interest, longest: Duration) -> Reach {
        Reach {
            channel,
            interest,
            longest,
            next: 1,
            lost: 0,
            data: [None; 2],
            upstream: None,
            tls: None,
        }
    }

    /// Has all that is told from now on be of a session under TLS.
    pub fn secured(&mut self, version: Listed<VersionWords>) {
        self.tls = Some(version);
    }

    /// Has all that is told from now on be of a session with this server.
    pub fn led_to(&mut self, server: SocketAddr) {
        self.upstream = Some(server);
    }

    pub fn interest(&self) -> &Interest {
        &self.interest
    }

    /// The descriptor that must stay open.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.channel.as_ref().map(AsFd::as_fd)
    }

    /// How much was lost since this was asked last.
    pub fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// Tells, if anybody wants to know, and asks where somebody is to be waited for. A file may ride on the question.
    pub fn say(&mut self, phase: Phase, mut told: Told, file: Option<BorrowedFd<'_>>) -> Verdict {
        told.tls = self.tls;
        told.upstream = self.upstream;
        if !self.interest.concerns(&told, phase) {
            return Verdict::Pass;
        }
        let over = matches!(phase, Phase::After | Phase::Error);
        if over && !self.interest.waits(&told, phase) {
            self.tell(told);
            return Verdict::Pass;
        }
        let closed = self.interest.fails_closed(&told, phase);
        match self.ask(phase, told, file) {
            Some(verdict) => verdict,
            None if closed => {
                let text = Octets::new(b"Refused: it cannot be checked now.").unwrap_or_default();
                Verdict::Refuse { text }
            }
            None => Verdict::Pass,
        }
    }

    /// Tells of the login; its end will be told by hookd itself.
    pub fn logged_in(&mut self) {
        self.say(Phase::After, Told::new(Kind::Login), None);
    }

    /// Tells what the session has done so far, if anybody wants to know at its end.
    pub fn sum(&mut self, sum: Sum) {
        let wanted = self.interest.has(Kind::Logout, Phase::After);
        if wanted && self.send(&Request::Sum { sum }, None).is_err() {
            self.lost += 1;
        }
    }

    fn tell(&mut self, told: Told) {
        if self.send(&Request::Tell { told }, None).is_err() {
            self.lost += 1;
        }
    }

    /// Tells of a data connection that is about to be made, after the end of any other one on its side: hooks are asked before, and
    /// told after.
    pub fn data_up(&mut self, data: DataConnection) -> Verdict {
        let side = usize::from(data.connection.is_with_server());
        self.end_of(side);
        let told_of = |phase| self.interest.has(Kind::DataUp, phase);
        if told_of(Phase::Before) || told_of(Phase::After) {
            self.data[side] = Some(data);
        }
        let told = Told {
            data: Some(data),
            ..Told::new(Kind::DataUp)
        };
        match self.say(Phase::Before, told.clone(), None) {
            Verdict::Pass | Verdict::Say { .. } | Verdict::Rename { .. } => {
                self.say(Phase::After, told, None)
            }
            refused @ (Verdict::Refuse { .. } | Verdict::NoRoom) => {
                // Hooks that were run before it shall hear the end.
                self.end_of(side);
                refused
            }
        }
    }

    /// Tells of the end of the data connections that there were.
    pub fn data_down(&mut self) {
        (0..self.data.len()).for_each(|side| self.end_of(side));
    }

    fn end_of(&mut self, side: usize) {
        if let Some(data) = self.data.get_mut(side).and_then(Option::take) {
            let told = Told {
                data: Some(data),
                ..Told::new(Kind::DataDown)
            };
            // It is over, whatever they say.
            self.say(Phase::After, told, None);
        }
    }

    /// Reads what hookd says unasked: that it is another one now.
    pub fn attend(&mut self) {
        // Without time to wait there is only what has come already. Nobody waits for an answer now.
        while self.receive(Instant::now()).is_some() {}
    }

    /// None where there is no answer.
    fn ask(&mut self, phase: Phase, told: Told, file: Option<BorrowedFd<'_>>) -> Option<Verdict> {
        self.attend();
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        let deadline = Instant::now() + self.longest + PATIENCE;
        let question = Request::Ask {
            number,
            phase,
            told,
        };
        self.send_until(&question, file, deadline).ok()?;
        loop {
            match self.receive(deadline)? {
                Answer::Verdict {
                    number: answered,
                    verdict,
                } if answered == number => return Some(verdict),
                // To a question that was given up.
                Answer::Verdict { .. } => {}
                Answer::Again => self.send_until(&question, file, deadline).ok()?,
            }
        }
    }

    fn receive(&mut self, deadline: Instant) -> Option<Answer> {
        let mut octets = Vec::new();
        loop {
            let channel = self.channel.as_ref()?;
            match sys::receive_datagram(channel.as_fd(), &mut octets, LONGEST_MESSAGE, Wait::No) {
                Ok(datagram) if datagram.length == 0 => {
                    // Nobody is there any more, and nobody will come.
                    self.channel = None;
                    return None;
                }
                Ok(_) => return decode(&octets).ok(),
                Err(Errno::EAGAIN) => {
                    let mut ready = [PollFd::new(channel.as_fd(), PollFlags::POLLIN)];
                    match poll(&mut ready, until(Some(deadline))) {
                        Ok(0) => return None,
                        Ok(_) | Err(Errno::EINTR) => {}
                        Err(_) => return None,
                    }
                }
                Err(Errno::EINTR) => {}
                Err(_) => return None,
            }
        }
    }

    fn send_until(
        &self,
        request: &Request,
        file: Option<BorrowedFd<'_>>,
        deadline: Instant,
    ) -> Result<(), Errno> {
        let channel = self.channel.as_ref().ok_or(Errno::ENOTCONN)?;
        loop {
            match self.send(request, file) {
                Err(Errno::EAGAIN) => {}
                Err(Errno::EINTR) => continue,
                other => return other,
            }
            let mut ready = [PollFd::new(channel.as_fd(), PollFlags::POLLOUT)];
            match poll(&mut ready, until(Some(deadline))) {
                Ok(0) => return Err(Errno::EAGAIN),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    fn send(&self, request: &Request, file: Option<BorrowedFd<'_>>) -> Result<(), Errno> {
        let channel = self.channel.as_ref().ok_or(Errno::ENOTCONN)?;
        let mut octets = Vec::new();
        request.put(&mut octets);
        sys::send_datagram(channel.as_fd(), &octets, file)
    }
}
