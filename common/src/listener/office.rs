//! A hookd, as the listener sees it: started, started again when it has died, and told who the sessions are that began with
//! its hooks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::unistd::Pid;

use super::Verdict;
use super::answers::Envelope;
use super::hooks::Acquaintance;
use crate::control::until;
use crate::hookd::{self, Behind, Door, Happened, Introduced, Introduction, Recipe, Stage};
use crate::hooks::{Id, Kind};
use crate::log::Log;
use crate::net::{Ends, Passed};
use crate::spool::Spool;
use crate::sys;

/// A hookd that ends sooner is not followed by another one at once.
const SHORTEST_LIFE: Duration = Duration::from_secs(1);

/// So many events of the daemon's own may wait for room at the door.
const MOST_HAPPENED: usize = 1000;

/// What the listener needs so that the hooks of one reading of the settings are run. It never waits for hookd: what finds no room
/// at the door is said when there is some.
#[derive(Debug)]
pub struct Office {
    id: Id,
    recipe: Recipe,
    door: Door,
    behind: Behind,
    process: Pid,
    since: Instant,
    /// When the next one is to be started.
    again: Option<Instant>,
    deaths: u64,
    /// The channels to sessions, until hookd has taken all that came through them: also those of sessions that have ended.
    known: BTreeMap<u64, Known>,
    /// Of whom there is something to say.
    unsaid: BTreeSet<u64>,
    /// Answers to keepers that may tell of their logins once hookd knows the users.
    held: BTreeMap<u64, (Envelope, Verdict)>,
    /// What no session did, and is to be said.
    happened: VecDeque<Happened>,
    /// How much of that found no place.
    lost: u64,
}

/// What hookd, and the next hookd, is to know of a session.
#[derive(Debug)]
struct Known {
    id: Id,
    process: u32,
    /// The client's end of the connection and ours, as they are said first.
    client: SocketAddr,
    server: SocketAddr,
    /// How it is to be introduced.
    stage: Stage,
    /// What a front end has said, and is still to be said.
    passed: Option<Passed>,
    /// Hookd's end of the channel.
    channel: OwnedFd,
    user: Option<(Introduced, OwnedFd)>,
    said: Said,
}

/// How much of that the hookd that there is has been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Nothing,
    Session,
    User,
}

impl Known {
    /// What is to be said next.
    fn next(&self, number: u64) -> Option<(Introduction, Option<BorrowedFd<'_>>)> {
        match (self.said, self.passed, &self.user) {
            (Said::Nothing, _, user) => {
                let session = Introduction::Session {
                    number,
                    id: self.id,
                    process: self.process,
                    client: self.client,
                    server: self.server,
                    stage: self.stage,
                    user_follows: user.is_some(),
                };
                Some((session, Some(self.channel.as_fd())))
            }
            (Said::Session, Some(Passed { client, server }), _) => {
                let passed = Introduction::Passed {
                    number,
                    client,
                    server,
                };
                Some((passed, None))
            }
            (Said::Session, None, Some((user, root))) => {
                let user = user.clone();
                Some((Introduction::User { number, user }, Some(root.as_fd())))
            }
            (Said::Session, None, None) | (Said::User, ..) => None,
        }
    }

    /// That has been said.
    fn said(&mut self) {
        match (self.said, self.passed.take()) {
            (Said::Nothing, passed) => {
                (self.said, self.stage, self.passed) = (Said::Session, Stage::Again, passed);
            }
            (Said::Session, Some(passed)) => {
                (self.client, self.server) = (passed.client, passed.server);
            }
            (Said::Session | Said::User, None | Some(_)) => self.said = Said::User,
        }
    }
}

impl Office {
    /// Starts the first hookd, beside those of `others`.
    pub(super) fn start(recipe: Recipe, others: &[Id]) -> Result<Office, Errno> {
        let (door, behind) = hookd::door()?;
        let id = hookd::fresh_id();
        let process = recipe.start(&behind, id, others)?;
        Ok(Office {
            id,
            recipe,
            door,
            behind,
            process,
            since: Instant::now(),
            again: None,
            deaths: 0,
            known: BTreeMap::new(),
            unsaid: BTreeSet::new(),
            held: BTreeMap::new(),
            happened: VecDeque::new(),
            lost: 0,
        })
    }

    pub(super) fn id(&self) -> Id {
        self.id
    }

    pub(super) fn spool(&self) -> Option<Arc<Spool>> {
        self.recipe.spool.clone()
    }

    /// Whether a channel of this number has not ended yet.
    pub(super) fn knows(&self, number: u64) -> bool {
        self.known.contains_key(&number)
    }

    /// Whether all sessions have ended, and hookd knows it.
    pub(super) fn is_deserted(&self) -> bool {
        self.known.is_empty()
    }

    /// The door, and what it is waited for: that a channel has ended, and room for what is to be said.
    pub(super) fn awaited(&self) -> (BorrowedFd<'_>, PollFlags) {
        let mut events = PollFlags::POLLIN;
        events.set(PollFlags::POLLOUT, self.is_heard() && self.owes_words());
        (self.door.as_fd(), events)
    }

    /// Introduces a session by hookd's end of its channel.
    pub(super) fn introduce(
        &mut self,
        Acquaintance { number, id }: Acquaintance,
        process: Pid,
        ends: Ends,
        channel: OwnedFd,
        stage: Stage,
    ) {
        let passed = ends.passed.map(|passed| (passed.client, passed.server));
        let (client, server) = passed.unwrap_or((ends.peer, ends.local));
        let known = Known {
            id,
            process: u32::try_from(process.as_raw()).unwrap_or_default(),
            client,
            server,
            stage,
            passed: None,
            channel,
            user: None,
            said: Said::Nothing,
        };
        self.known.insert(number, known);
        self.unsaid.insert(number);
        self.say();
    }

    /// Tells whose connection it is, as a front end has said it.
    pub(super) fn passed(&mut self, number: u64, passed: Passed) {
        if let Some(known) = self.known.get_mut(&number) {
            known.passed = Some(passed);
            self.unsaid.insert(number);
            self.say();
        }
    }

    /// Introduces the user of a session.
    pub(super) fn introduce_user(&mut self, number: u64, user: Introduced, root: OwnedFd) {
        if let Some(known) = self.known.get_mut(&number) {
            known.user = Some((user, root));
            self.unsaid.insert(number);
            self.say();
        }
    }

    /// Answers a keeper about its login, once hookd knows the user: before that it must not hear of the login.
    pub(super) fn answer(&mut self, number: u64, envelope: Envelope, verdict: Verdict) {
        match self.is_heard() && self.unsaid.contains(&number) {
            true => drop(self.held.insert(number, (envelope, verdict))),
            false => envelope.send(&verdict),
        }
    }

    /// Tells of what no session did.
    pub(super) fn tell(&mut self, happened: Happened) {
        match self.happened.len() < MOST_HAPPENED {
            true => self.happened.push_back(happened),
            false => self.lost += 1,
        }
        self.say();
    }

    fn owes_words(&self) -> bool {
        !self.happened.is_empty() || !self.unsaid.is_empty()
    }

    /// Says what is to be said, as far as there is room at the door.
    pub(super) fn say(&mut self) {
        // The next one is told of all sessions, and nobody makes room before that.
        if !self.is_heard() {
            return;
        }
        while let Some(happened) = self.happened.pop_front() {
            let introduction = Introduction::Daemon { happened };
            if !pass(&self.door, &introduction, None, &self.recipe.log)
                && let Introduction::Daemon { happened } = introduction
            {
                self.happened.push_front(happened);
                return;
            }
        }
        while let Some(&number) = self.unsaid.first() {
            if let Some(known) = self.known.get_mut(&number) {
                while let Some((introduction, descriptor)) = known.next(number) {
                    if !pass(&self.door, &introduction, descriptor, &self.recipe.log) {
                        return;
                    }
                    known.said();
                }
            }
            self.unsaid.remove(&number);
            if let Some((envelope, verdict)) = self.held.remove(&number) {
                envelope.send(&verdict);
            }
        }
        if std::mem::take(&mut self.lost) > 0 {
            self.recipe
                .log
                .line("hooks: hookd was too slow to be told of all that the daemon did");
        }
    }

    /// Whether a hookd hears, now or when it comes to it.
    fn is_heard(&self) -> bool {
        self.again.is_none()
    }

    /// Hears that a child has ended.
    pub(super) fn buried(&mut self, child: Pid) {
        if child != self.process || self.again.is_some() {
            return;
        }
        self.deaths += 1;
        let count = self.deaths;
        self.recipe.log.line(&format!(
            "hooks: hookd has died ({count} so far); starting another one"
        ));
        let now = Instant::now();
        let pause = if now < self.since + SHORTEST_LIFE {
            SHORTEST_LIFE
        } else {
            Duration::ZERO
        };
        self.again = Some(now + pause);
        // They will be told before anything that a session says.
        for (envelope, verdict) in std::mem::take(&mut self.held).into_values() {
            envelope.send(&verdict);
        }
    }

    /// Hears which channels have ended.
    pub(super) fn hear(&mut self) {
        while let Some(number) = self.door.parting() {
            self.known.remove(&number);
            self.unsaid.remove(&number);
            self.held.remove(&number);
        }
    }

    /// Whether it is time to start another hookd.
    pub(super) fn is_due(&self) -> bool {
        self.again.is_some_and(|again| again <= Instant::now())
    }

    /// Starts another hookd, beside those of `others`.
    pub(super) fn begin_anew(&mut self, others: &[Id]) {
        let now = Instant::now();
        match self.recipe.start(&self.behind, self.id, others) {
            Ok(process) => {
                (self.process, self.since, self.again) = (process, now, None);
                for known in self.known.values_mut() {
                    known.said = Said::Nothing;
                }
                self.unsaid = self.known.keys().copied().collect();
                self.say();
            }
            Err(errno) => {
                let line = format!("hooks: hookd cannot be started: {errno}");
                self.recipe.log.line(&line);
                self.again = Some(now + SHORTEST_LIFE);
            }
        }
    }

    /// When another hookd is to be started.
    pub(super) fn next_turn(&self) -> Option<Instant> {
        self.again
    }

    /// Waits for what hookd owes, but not for ever: it ends when nobody can tell it anything any more.
    pub(super) fn leave(mut self, patience: Duration) {
        let deadline = Instant::now() + patience;
        self.tell(Happened::new(Kind::Stop));
        let Ok(ended) = sys::watch_process(self.process) else {
            return;
        };
        while self.is_heard() && self.owes_words() {
            let mut ready = [
                PollFd::new(ended.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.door.as_fd(), PollFlags::POLLOUT),
            ];
            let polled = poll(&mut ready, until(Some(deadline)));
            let [over, room] = ready.map(|fd| fd.any() == Some(true));
            match polled {
                Err(Errno::EINTR) => {}
                Ok(1..) if room && !over => self.say(),
                // It has died, or is too slow.
                _ => break,
            }
        }
        drop(self);
        let mut ready = [PollFd::new(ended.as_fd(), PollFlags::POLLIN)];
        // It goes on alone where it takes longer.
        let _ = poll(&mut ready, until(Some(deadline)));
    }
}

/// Says one thing; `false` if there is no room for it now.
fn pass(
    door: &Door,
    introduction: &Introduction,
    descriptor: Option<BorrowedFd<'_>>,
    log: &Log,
) -> bool {
    match door.introduce(introduction, descriptor) {
        Ok(()) => true,
        Err(Errno::EAGAIN) => false,
        Err(errno) => {
            log.line(&format!("hooks: not told: {errno}"));
            true
        }
    }
}
