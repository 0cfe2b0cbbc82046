//! Hookd's own loop: hears the door and the sessions, hands what happens to programs and sinks, and answers who waits. It waits
//! for nobody.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};

use super::guest::{Guest, Heard, Identity, of_daemon};
use super::message::{Answer, Introduction, LONGEST_MESSAGE, Request, Told};
use super::outlet::Outlets;
use super::program::{Conclusion, Offer, Programs};
use super::question::{Asker, Questions, Word};
use crate::control::until;
use crate::hooks::{Event, Kind, Phase};
use crate::log::Log;
use crate::sys::{self, Wait};
use crate::wire::{Wire, decode};

/// So many messages of one session are taken before the others have their turn.
const TURN: usize = 64;

pub(super) struct Desk {
    door: Option<OwnedFd>,
    log: Log,
    programs: Programs,
    outlets: Outlets,
    guests: BTreeMap<u64, Guest>,
    questions: Questions,
}

impl Desk {
    pub(super) fn new(door: OwnedFd, programs: Programs, outlets: Outlets, log: Log) -> Desk {
        Desk {
            door: Some(door),
            log,
            programs,
            outlets,
            guests: BTreeMap::new(),
            questions: Questions::default(),
        }
    }

    /// Serves until the door is closed, all sessions have ended, and all that they owed has run.
    pub(super) fn serve(&mut self) -> i32 {
        while !self.is_over() {
            let ready = match self.wait() {
                Ok(ready) => ready,
                Err(Errno::EINTR) => continue,
                Err(errno) => {
                    self.log.line(&format!("hooks: poll: {errno}"));
                    return 1;
                }
            };
            // Before the sessions: what they say is said after what the listener says of them.
            self.hear_door();
            self.hear_guests();
            let concluded = self.programs.look(&ready);
            self.conclude(concluded);
            let failed = self.programs.start();
            self.conclude(failed);
            let now = Instant::now();
            self.programs.tell_of_drops(now);
            self.outlets.work(now);
        }
        0
    }

    fn is_over(&mut self) -> bool {
        let is_idle = self.door.is_none() && self.guests.is_empty() && self.programs.is_idle();
        is_idle && self.outlets.have_ended(Instant::now())
    }

    /// Waits until there is something to do; gives which programs have ended.
    fn wait(&self) -> Result<Vec<bool>, Errno> {
        let readable = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut fds: Vec<PollFd<'_>> = Vec::new();
        let mut ends = Vec::new();
        for descriptors in self.programs.descriptors() {
            ends.push(fds.len());
            fds.extend(descriptors.map(readable));
        }
        let outlets = self.outlets.descriptors();
        fds.extend(outlets.map(|(fd, flags)| PollFd::new(fd, flags)));
        fds.extend(self.guests.values().map(Guest::channel).map(readable));
        fds.extend(self.door.as_ref().map(AsFd::as_fd).map(readable));
        let deadlines = [self.programs.deadline(), self.outlets.deadline()];
        poll(&mut fds, until(deadlines.into_iter().flatten().min()))?;
        let has_ended = |&place: &usize| {
            let events = fds.get(place).and_then(PollFd::revents);
            events.is_some_and(|events| !events.is_empty())
        };
        Ok(ends.iter().map(has_ended).collect())
    }

    fn hear_door(&mut self) {
        while let Some(door) = &self.door {
            let mut octets = Vec::new();
            let heard = sys::receive_datagram(door.as_fd(), &mut octets, LONGEST_MESSAGE, Wait::No);
            match heard {
                Ok(datagram) if datagram.length == 0 => self.door = None,
                Ok(datagram) => match (decode(&octets), datagram.descriptor) {
                    (Ok(introduction), descriptor) => self.introduce(introduction, descriptor),
                    (Err(_), _) => self.log.line("hooks: the door brought what is no message"),
                },
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return,
                Err(_) => self.door = None,
            }
        }
    }

    fn introduce(&mut self, introduction: Introduction, descriptor: Option<OwnedFd>) {
        match (introduction, descriptor) {
            (
                Introduction::Session {
                    number,
                    process,
                    client,
                    server,
                    again,
                },
                Some(channel),
            ) => {
                // One that begins anew: what it said before comes before.
                self.hear_guest(number);
                self.end_guest(number);
                let mut guest = Guest::new(channel, process, client, server);
                if again {
                    send(guest.channel(), &Answer::Again);
                } else {
                    let event = guest.event(Told::new(Kind::Connect));
                    self.tell(event, None);
                }
                self.guests.insert(number, guest);
            }
            (Introduction::User { number, user }, root) => {
                if let Some(guest) = self.guests.get_mut(&number) {
                    guest.introduce(user, root);
                }
            }
            (Introduction::Daemon { kind, reason }, None) => {
                self.tell(of_daemon(kind, reason.as_slice()), None);
            }
            _ => {}
        }
    }

    fn hear_guests(&mut self) {
        let numbers: Vec<u64> = self.guests.keys().copied().collect();
        for number in numbers {
            if self.hear_guest(number) {
                self.end_guest(number);
            }
        }
    }

    /// Takes what a session says; whether it has ended.
    fn hear_guest(&mut self, number: u64) -> bool {
        for _ in 0..TURN {
            let Some(guest) = self.guests.get_mut(&number) else {
                return false;
            };
            let (request, file) = match guest.hear() {
                Heard::Nothing => return false,
                Heard::End => return true,
                Heard::Request(request, file) => (*request, file),
            };
            match request {
                Request::Recall { data, logged_in } => guest.recall(data, logged_in),
                Request::Tell { told } => {
                    let (phase, identity) = (told.phase(), guest.identity.clone());
                    let event = guest.event(told);
                    self.tell_in(phase, event, identity);
                }
                Request::Ask {
                    number: question,
                    phase,
                    told,
                } => {
                    // It is asked twice where another hookd has begun meanwhile.
                    if guest.asked.replace(question) == Some(question) {
                        continue;
                    }
                    let asker = Asker {
                        guest: number,
                        number: question,
                    };
                    let identity = guest.identity.clone();
                    let event = guest.event(told);
                    self.ask(asker, event, phase, identity, file);
                }
            }
        }
        false
    }

    fn end_guest(&mut self, number: u64) {
        if let Some(mut guest) = self.guests.remove(&number) {
            let identity = guest.identity.clone();
            for event in guest.farewell() {
                self.tell(event, identity.clone());
            }
        }
    }

    fn ask(
        &mut self,
        asker: Asker,
        event: Event,
        phase: Phase,
        identity: Option<Rc<Identity>>,
        file: Option<OwnedFd>,
    ) {
        let question = self.questions.open(asker);
        let offer = Offer {
            event: Rc::new(event),
            phase,
            identity,
            file: file.map(Rc::new),
            question: Some(question),
        };
        self.spread(&offer);
        // All hooks are asked by now.
        self.heard(question, Word::Nothing);
    }

    /// Tells what has happened to every hook that is for it.
    fn tell(&mut self, event: Event, identity: Option<Rc<Identity>>) {
        self.tell_in(Phase::After, event, identity);
    }

    fn tell_in(&mut self, phase: Phase, event: Event, identity: Option<Rc<Identity>>) {
        let offer = Offer {
            event: Rc::new(event),
            phase,
            identity,
            file: None,
            question: None,
        };
        self.spread(&offer);
    }

    /// Hands an event to every hook that is for it.
    fn spread(&mut self, offer: &Offer) {
        self.outlets.take(&offer.event, offer.phase);
        let unheard = self.programs.take(offer, &mut self.questions);
        self.conclude(unheard);
    }

    fn conclude(&mut self, conclusions: Vec<Conclusion>) {
        for Conclusion { question, word } in conclusions {
            if let Some(question) = question {
                self.heard(question, word);
            }
        }
    }

    /// One more hook of a question was heard.
    fn heard(&mut self, question: u64, word: Word) {
        if let Some((asker, verdict)) = self.questions.heard(question, word)
            && let Some(guest) = self.guests.get(&asker.guest)
        {
            let number = asker.number;
            send(guest.channel(), &Answer::Verdict { number, verdict });
        }
    }
}

fn send(channel: BorrowedFd<'_>, answer: &Answer) {
    let mut octets = Vec::new();
    answer.put(&mut octets);
    // Who does not hear it has gone, or asks again.
    let _ = sys::send_datagram(channel, &octets, None);
}
