//! Hookd's own loop: hears the door and the sessions, hands what happens to programs and sinks, and answers who waits. It waits
//! for nobody.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::stat::fstat;

use super::guest::{Guest, Heard, Identity, Owed, of_daemon, take_datagram};
use super::keeping::{Keeping, Kept};
use super::message::{
    Answer, Introduction, LONGEST_MESSAGE, Parting, Request, Stage, Told, Verdict,
};
use super::outlet::Outlets;
use super::program::{Conclusion, Offer, Programs};
use super::question::{Asker, Questions, Word};
use super::queue::Urgency;
use crate::control::until;
use crate::hooks::{Event, Id, Kind, Outcome, Phase};
use crate::log::Log;
use crate::settings::SpoolFull;
use crate::sys::{self, Wait};
use crate::wire::{Wire, decode};

/// So many messages of one session are taken before the others have their turn.
const TURN: usize = 64;

/// What came of listening to a session.
enum Turn {
    Silent,
    Spoke,
    Ended,
}

/// How long the listener is left alone that has too much to do to hear who has gone.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) struct Desk<'a> {
    door: Option<OwnedFd>,
    log: Log,
    programs: Programs,
    outlets: Outlets,
    guests: BTreeMap<u64, Guest>,
    questions: Questions,
    keeping: Keeping<'a>,
    /// Uploads that are kept if nobody refuses them, by their questions.
    keeps: HashMap<u64, Kept>,
    spool_full: SpoolFull,
    /// What sessions were owed by the hookd before.
    owed: HashMap<Id, Owed>,
    /// What the listener is yet to hear.
    partings: VecDeque<Parting>,
}

impl<'a> Desk<'a> {
    pub(super) fn new(
        door: OwnedFd,
        (programs, outlets): (Programs, Outlets),
        (keeping, spool_full): (Keeping<'a>, SpoolFull),
        log: Log,
    ) -> Desk<'a> {
        Desk {
            door: Some(door),
            log,
            programs,
            outlets,
            guests: BTreeMap::new(),
            questions: Questions::default(),
            keeping,
            keeps: HashMap::new(),
            spool_full,
            owed: HashMap::new(),
            partings: VecDeque::new(),
        }
    }

    /// Goes on with what is left of the hookd before.
    fn take_over(&mut self) {
        let left = self.keeping.take_over();
        self.owed = left.owed;
        for kept in left.events {
            self.tell_again(kept);
        }
        self.keeping.settle();
    }

    /// Serves until the door is closed, all sessions have ended, and all that they owed has run.
    pub(super) fn serve(&mut self) -> i32 {
        self.take_over();
        while !self.is_over() {
            let ready = match self.wait() {
                Ok(ready) => ready,
                Err(Errno::EINTR) => continue,
                Err(errno) => {
                    self.log.line(&format!("hooks: poll: {errno}"));
                    return 1;
                }
            };
            self.hear_door();
            self.hear_guests();
            let concluded = self.programs.look(&ready);
            self.conclude(concluded);
            let failed = self.programs.start();
            self.conclude(failed);
            let now = Instant::now();
            self.programs.tell_of_drops(now);
            for id in self.outlets.work(now) {
                self.keeping.done(id);
            }
            for kept in self.keeping.overdue(now) {
                self.tell_again(kept);
            }
            self.keeping.settle();
            self.part();
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
            fds.extend(descriptors.into_iter().map(readable));
        }
        let outlets = self.outlets.descriptors();
        fds.extend(outlets.map(|(fd, flags)| PollFd::new(fd, flags)));
        let heard_now = self.guests.values().filter(|guest| !guest.awaits_user);
        fds.extend(heard_now.map(Guest::channel).map(readable));
        fds.extend(self.door.as_ref().map(AsFd::as_fd).map(readable));
        let heard = (!self.partings.is_empty()).then(|| Instant::now() + PAUSE);
        let deadlines = [
            self.programs.deadline(),
            self.outlets.deadline(),
            self.keeping.deadline(),
            heard,
        ];
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
            let heard =
                sys::receive_datagram(door.as_fd(), &mut octets, LONGEST_MESSAGE, Wait::Peek);
            match heard {
                Ok(datagram) if datagram.length == 0 => self.door = None,
                Ok(datagram) => {
                    match (decode(&octets), datagram.descriptor) {
                        (Ok(introduction), descriptor) => self.introduce(introduction, descriptor),
                        (Err(_), _) => self.log.line("hooks: the door brought what is no message"),
                    }
                    // Whatever comes of it is written down before it is gone.
                    self.keeping.settle();
                    self.take_from_door();
                }
                // It was closed before all was read that hookd has said: what was said to hookd is still there.
                Err(Errno::EINTR | Errno::ECONNRESET) => {}
                Err(Errno::EAGAIN) => return,
                Err(_) => self.door = None,
            }
        }
    }

    fn take_from_door(&self) {
        if let Some(door) = &self.door {
            take_datagram(door.as_fd());
        }
    }

    fn introduce(&mut self, introduction: Introduction, descriptor: Option<OwnedFd>) {
        match (introduction, descriptor) {
            (
                Introduction::Session {
                    number,
                    id,
                    process,
                    client,
                    server,
                    stage,
                    user_follows,
                },
                Some(channel),
            ) => {
                if !self.guests.contains_key(&number) {
                    self.end_former(id);
                    let mut guest = Guest::new(channel, (id, process), (client, server));
                    guest.recall(self.owed.remove(&id).unwrap_or_default());
                    guest.awaits_user = user_follows;
                    self.guests.insert(number, guest);
                }
                match stage {
                    Stage::New => self.tell_of_connection(number),
                    Stage::Fronted => {}
                    Stage::Again => {
                        if let Some(guest) = self.guests.get(&number) {
                            send(guest.channel(), &Answer::Again);
                        }
                    }
                }
            }
            (Introduction::User { number, user }, root) => {
                if let Some(guest) = self.guests.get_mut(&number) {
                    guest.introduce(user, root);
                }
            }
            (
                Introduction::Passed {
                    number,
                    client,
                    server,
                },
                None,
            ) => {
                if let Some(guest) = self.guests.get_mut(&number) {
                    guest.passed(client, server);
                }
                self.tell_of_connection(number);
            }
            (Introduction::Daemon { happened }, None) => self.tell(of_daemon(&happened), None),
            _ => {}
        }
    }

    fn tell_of_connection(&mut self, number: u64) {
        if let Some(guest) = self.guests.get_mut(&number) {
            let event = guest.event(Told::new(Kind::Connect));
            self.tell(event, None);
        }
    }

    /// Ends what a session was before it began anew: what it said then comes before.
    fn end_former(&mut self, session: Id) {
        let of = |(_, guest): &(&u64, &Guest)| guest.session() == session;
        let former = self.guests.iter().find(of).map(|(&number, _)| number);
        if let Some(number) = former {
            for _ in 0..TURN {
                if !matches!(self.hear_guest(number), Turn::Spoke) {
                    break;
                }
            }
            self.end_guest(number);
        }
    }

    fn hear_guests(&mut self) {
        let numbers: Vec<u64> = self.guests.keys().copied().collect();
        for number in numbers {
            for _ in 0..TURN {
                if !self.guests.get(&number).is_some_and(Guest::speaks) {
                    break;
                }
                // SECURITY: what was said of a session before it said this is at the door by now: a login must not be told
                // without its user.
                self.hear_door();
                match self.hear_guest(number) {
                    Turn::Silent => break,
                    Turn::Spoke => {}
                    Turn::Ended => {
                        self.end_guest(number);
                        break;
                    }
                }
            }
        }
    }

    /// Takes one thing that a session says.
    fn hear_guest(&mut self, number: u64) -> Turn {
        let Some(guest) = self.guests.get_mut(&number) else {
            return Turn::Silent;
        };
        let (request, file) = match guest.hear() {
            Heard::Nothing => return Turn::Silent,
            Heard::End => return Turn::Ended,
            Heard::Request(request, file) => (*request, file),
        };
        let (before, identity) = (guest.owed().clone(), guest.identity.clone());
        match request {
            Request::Tell { told } => {
                let phase = told.phase();
                let mut event = guest.event(told);
                self.keeping.set_apart(&mut event);
                self.tell_in(phase, event, identity);
            }
            Request::Sum { sum } => guest.sum(sum),
            // It is asked twice where another hookd has begun meanwhile.
            Request::Ask {
                number: question, ..
            } if guest.asked.replace(question) == Some(question) => {}
            Request::Ask {
                number: question,
                phase,
                told,
            } => {
                let asker = Asker {
                    guest: number,
                    number: question,
                };
                let mut event = guest.event(told);
                self.keeping.set_apart(&mut event);
                self.ask(asker, event, phase, identity, file);
            }
        }
        if let Some(guest) = self.guests.get(&number) {
            if *guest.owed() != before {
                self.keeping.owe(guest.session(), guest.owed());
            }
            // Whatever comes of it is written down before it is gone.
            self.keeping.settle();
            guest.take();
        }
        Turn::Spoke
    }

    fn end_guest(&mut self, number: u64) {
        let Some(mut guest) = self.guests.remove(&number) else {
            return;
        };
        let identity = guest.identity.clone();
        for kept in self.keeping.of_ended(guest.session()) {
            self.tell_again(kept);
        }
        for event in guest.farewell() {
            self.tell(event, identity.clone());
        }
        self.keeping.owe_nothing(guest.session());
        self.keeping.settle();
        self.partings.push_back(Parting::Over { number });
    }

    /// Tells the listener whose channels it need not keep any more.
    fn part(&mut self) {
        while let (Some(parting), Some(door)) = (self.partings.front(), &self.door) {
            let mut octets = Vec::new();
            parting.put(&mut octets);
            match sys::send_datagram(door.as_fd(), &octets, None) {
                Ok(()) => drop(self.partings.pop_front()),
                Err(Errno::EINTR) => {}
                // The listener is busy, or gone.
                Err(_) => return,
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
        let event = Rc::new(event);
        if phase == Phase::Accept {
            let kept = self.kept(&event, identity.as_deref(), file.as_ref());
            self.keeps.insert(question, kept);
        }
        let offer = Offer {
            event,
            phase,
            identity,
            file: file.map(Rc::new),
            question: Some(question),
            urgency: Urgency::MayWait,
        };
        self.spread(&offer);
        // All hooks are asked by now.
        self.heard(question, Word::Nothing);
    }

    /// An upload as it is to be kept until everybody has heard of it.
    fn kept(&self, event: &Event, identity: Option<&Identity>, file: Option<&OwnedFd>) -> Kept {
        let stat = file.and_then(|file| fstat(file).ok());
        let mut event = event.clone();
        event.act.outcome = Some(Outcome::Success);
        Kept {
            event,
            phase: Phase::After,
            identity: identity.cloned(),
            file: stat.map(|stat| (stat.st_dev, stat.st_ino)),
        }
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
            urgency: Urgency::MayWait,
        };
        self.spread(&offer);
    }

    /// Tells what was written down.
    fn tell_again(&mut self, kept: Kept) {
        self.tell_in(kept.phase, kept.event, kept.identity.map(Rc::new));
    }

    /// Hands an event to every hook that is for it.
    fn spread(&mut self, offer: &Offer) {
        let has_happened = matches!(offer.phase, Phase::After | Phase::Error);
        let spooled = has_happened && self.keeping.told(&offer.event);
        let urgency = if spooled {
            Urgency::Kept
        } else {
            offer.urgency
        };
        let offer = Offer {
            event: Rc::clone(&offer.event),
            identity: offer.identity.clone(),
            file: offer.file.clone(),
            urgency,
            ..*offer
        };
        let written = self.outlets.take(&offer.event, offer.phase, urgency);
        let (run, unheard) = self.programs.take(&offer, &mut self.questions);
        if has_happened {
            let kept = Kept {
                event: Event::clone(&offer.event),
                phase: offer.phase,
                identity: offer.identity.as_deref().cloned(),
                file: None,
            };
            self.keeping.delivering(&kept, written + run, spooled);
        }
        self.conclude(unheard);
    }

    fn conclude(&mut self, conclusions: Vec<Conclusion>) {
        for conclusion in conclusions {
            if let Some(id) = conclusion.of {
                self.keeping.done(id);
            }
            if let Some(question) = conclusion.question {
                self.heard(question, conclusion.word);
            }
        }
    }

    /// One more hook of a question was heard.
    fn heard(&mut self, question: u64, word: Word) {
        let Some((asker, mut verdict)) = self.questions.heard(question, word) else {
            return;
        };
        if let Some(mut kept) = self.keeps.remove(&question)
            && !matches!(verdict, Verdict::Refuse { .. })
        {
            kept.named(&verdict);
            if !self.keep(kept) {
                verdict = Verdict::NoRoom;
            }
        }
        if let Some(guest) = self.guests.get(&asker.guest) {
            let number = asker.number;
            send(guest.channel(), &Answer::Verdict { number, verdict });
        }
    }

    /// Keeps an upload before it gets its name; whether it may.
    fn keep(&mut self, kept: Kept) -> bool {
        let id = kept.event.id;
        let Err(errno) = self.keeping.keep(kept) else {
            return true;
        };
        let (may, what) = match self.spool_full {
            SpoolFull::Refuse => (false, "the upload is refused"),
            SpoolFull::Accept => (true, "the upload is accepted without"),
        };
        let why = errno.desc();
        self.log.line(&format!(
            "hooks: event {id} cannot be spooled: {why}; {what}"
        ));
        may
    }
}

fn send(channel: BorrowedFd<'_>, answer: &Answer) {
    let mut octets = Vec::new();
    answer.put(&mut octets);
    // Who does not hear it has gone, or asks again.
    let _ = sys::send_datagram(channel, &octets, None);
}

#[cfg(test)]
mod tests {
    use super::super::ledger::{Book, Ledger};
    use super::super::message::Introduced;
    use super::super::outlet::Posting;
    use super::super::program::Identities;
    use super::super::results::Results;
    use super::*;
    use crate::channel::UserName;
    use crate::sandbox;

    fn desk(door: OwnedFd) -> Desk<'static> {
        let log = Log::nowhere();
        let book = Book::new().unwrap().as_fd().try_clone_to_owned().unwrap();
        let ledger = Ledger::open(book).unwrap();
        let keeping = Keeping::new(ledger, None, (Id::from_bytes([1; 16]), &[]), log.clone());
        let identities = Identities {
            hook: None,
            named: Vec::new(),
        };
        let results = Results::new(log.clone(), None);
        let posting = Posting {
            programs: sandbox::Programs::new().unwrap(),
            user: 0,
            log: log.clone(),
        };
        let programs = Programs::new(Vec::new(), identities, results);
        let outlets = Outlets::new(Vec::new(), &posting);
        let keepers = (keeping, SpoolFull::Refuse);
        Desk::new(door, (programs, outlets), keepers, log)
    }

    #[test]
    fn a_login_is_told_with_its_user_also_if_hookd_looked_between_the_two() {
        let (door, behind) = super::super::door().unwrap();
        let (keeper, channel) = super::super::channel().unwrap();
        let mut desk = desk(behind.door.try_clone().unwrap());
        let address: std::net::SocketAddr = "192.0.2.1:2000".parse().unwrap();
        let guest = Guest::new(channel, (Id::from_bytes([2; 16]), 1), (address, address));
        desk.guests.insert(7, guest);
        // This was the look at the door: only then its user is introduced, and the session tells of the login.
        desk.hear_door();
        let name = UserName::new(b"alice").unwrap();
        let user = Introduced {
            login: name.clone(),
            name,
            uid: 1000,
            gid: 100,
            groups: Vec::new(),
            client: address,
            server: address,
        };
        let introduction = Introduction::User { number: 7, user };
        door.introduce(&introduction, None).unwrap();
        let mut told = Vec::new();
        Request::Tell {
            told: Told::new(Kind::Login),
        }
        .put(&mut told);
        sys::send_datagram(keeper.as_fd(), &told, None).unwrap();
        desk.hear_guests();
        // A logout is owed to those who have logged in.
        let owed = desk.guests.get_mut(&7).unwrap().farewell();
        let user = owed[0].session.as_ref().unwrap().user.as_ref();
        assert_eq!((owed.len(), owed[0].kind), (1, Kind::Logout));
        assert_eq!(user.map(|user| user.uid), Some(1000));
    }
}
