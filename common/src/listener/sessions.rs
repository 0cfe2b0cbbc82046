//! The sessions that run: which process is whose trusted half, what is known of them, and the list for SITE WHO.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::time::Instant;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, getpgid};

use super::answers::Envelope;
use super::census::{Census, Counted};
use super::door::{Door, Judgement, Tally};
use super::hooks::{Acquaintance, Hooks};
use super::penalties::{Offence, Source};
use super::reports::{ServerName, Verdict};
use super::status::Status;
use crate::activity::Page;
use crate::channel::{Refusal, UserName};
use crate::hookd::Introduced;
use crate::log::{Log, SessionLogs};
use crate::net::{Ends, Passed};

/// So many wrong old passwords a session may show.
const MOST_GUESSES: u32 = 3;
/// The longest list of sessions, in octets: what a pipe takes at once.
const LONGEST_LIST: usize = 64 << 10;

/// A session, by its process group, which its first process has founded and named.
#[derive(Debug)]
pub(super) struct Session {
    /// Its trusted half, a child of the listener that is not collected yet; none between two of them.
    pub(super) keeper: Option<Pid>,
    /// Its network half, once a keeper has left that to the next.
    network: Option<Pid>,
    pub(super) ends: Ends,
    user: Option<UserName>,
    /// Limits are not for this one.
    exempt: bool,
    /// It had to make room, and is about to end.
    evicted: bool,
    /// Which one it is since the start.
    number: u64,
    pub(super) since: Instant,
    pub(super) reports: u32,
    /// A change of the password that is asked for.
    change: Option<OwnedFd>,
    /// The process that changes the password.
    changer: Option<Pid>,
    /// Wrong old passwords.
    guesses: u32,
    /// The former trusted half has left its channel: another one is to take it.
    handover: Option<Handover>,
    /// How hookd knows it.
    pub(super) acquaintance: Option<Acquaintance>,
    /// Where it tells what it does.
    pub(super) page: Option<Page>,
    /// The operator wants it to end.
    pub(super) kicked: bool,
    /// The server of a pool that it is with.
    pub(super) server: Option<ServerName>,
}

/// What one trusted half leaves to the next.
#[derive(Debug)]
pub(super) struct Handover {
    pub(super) channel: OwnedFd,
    pub(super) ticket: u32,
    /// The network half.
    pub(super) session: Pid,
    /// Tells when the network half has ended.
    pub(super) ended: OwnedFd,
    /// Whether the next one leads to another server.
    pub(super) led: bool,
}

/// A process that has ended, as a session sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dead {
    /// The trusted half: the session is over.
    Session,
    /// A network half that has outlived its first keeper.
    NetworkHalf,
    /// A process that changed a password.
    Changer,
    /// A trusted half that another one has followed.
    Former,
    /// No part of a session.
    Other,
}

#[derive(Debug)]
pub(super) struct Sessions {
    /// Where those write that have a log of their own.
    pub(super) logs: SessionLogs,
    all: HashMap<Pid, Session>,
    census: Census,
    /// How many there have been.
    came: u64,
    /// Those that may have a handover, and those that may have a change of password: so that nobody looks for them among all.
    handovers: Vec<Pid>,
    changes: Vec<Pid>,
}

impl Sessions {
    pub(super) fn with_log(log: Log) -> Sessions {
        Sessions {
            logs: SessionLogs::new(log),
            all: HashMap::new(),
            census: Census::default(),
            came: 0,
            handovers: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// Notes a session.
    pub(super) fn add(&mut self, keeper: Pid, ends: Ends, exempt: bool) {
        self.came += 1;
        let session = Session {
            keeper: Some(keeper),
            network: None,
            ends,
            user: None,
            exempt,
            evicted: false,
            number: self.came,
            since: Instant::now(),
            reports: 0,
            change: None,
            changer: None,
            guesses: 0,
            handover: None,
            acquaintance: None,
            page: None,
            kicked: false,
            server: None,
        };
        self.forget(keeper);
        self.census.add(session.counted(keeper));
        self.all.insert(keeper, session);
    }

    /// Notes where a session tells what it does.
    pub(super) fn tells_on(&mut self, group: Pid, page: Option<Page>) {
        if let Some(session) = self.all.get_mut(&group) {
            session.page = page;
        }
    }

    /// All of them, as they came.
    pub(super) fn in_order(&self) -> Vec<(Pid, &Session)> {
        let mut sessions: Vec<_> = self.all.iter().map(|(group, one)| (*group, one)).collect();
        sessions.sort_unstable_by_key(|(_, session)| session.number);
        sessions
    }

    /// How many are with a server of a pool.
    pub(super) fn with_server(&self, name: &str) -> usize {
        let there = |session: &&Session| {
            let server = session.server.as_ref();
            server.is_some_and(|server| server.as_slice() == name.as_bytes())
        };
        self.all.values().filter(there).count()
    }

    /// Notes how hookd knows a session.
    pub(super) fn introduced(&mut self, group: Pid, acquaintance: Option<Acquaintance>) {
        if let Some(session) = self.all.get_mut(&group) {
            session.acquaintance = acquaintance;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The process groups of all.
    pub(super) fn groups(&self) -> impl Iterator<Item = Pid> {
        self.all.keys().copied()
    }

    /// What has ended with a child that is about to be collected. Its reports must have been heard before.
    pub(super) fn buried(&mut self, child: Pid) -> Dead {
        let group = getpgid(Some(child)).ok();
        let Some(session) = group.and_then(|group| self.all.get_mut(&group)) else {
            return Dead::Other;
        };
        if session.changer == Some(child) {
            session.changer = None;
            return Dead::Changer;
        }
        if session.keeper == Some(child) {
            session.keeper = None;
            if session.handover.is_none() {
                return Dead::Session;
            }
        }
        if session.network == Some(child) {
            Dead::NetworkHalf
        } else {
            Dead::Former
        }
    }

    /// Forgets the session of a trusted half that has ended; gives it with its process group.
    pub(super) fn remove(&mut self, keeper: Pid) -> Option<(Pid, Session)> {
        let group = getpgid(Some(keeper)).ok()?;
        self.take(group).map(|session| (group, session))
    }

    /// Counts what is there, for a client that wants to be let in.
    pub(super) fn tally(&self, source: Source) -> Tally {
        self.census.tally(source)
    }

    /// Ends a session that is not logged in, for another one.
    pub(super) fn make_room(&mut self, door: &mut Door) {
        if let Some(group) = self.evict() {
            door.logins.done(group);
            let _ = killpg(group, Signal::SIGKILL);
        }
    }

    /// Judges a session by the client that a front end has named, as if it had come just now.
    pub(super) fn readmit(&mut self, group: Pid, passed: Passed, door: &mut Door) -> Verdict {
        let now = Instant::now();
        let Some(session) = self.all.get_mut(&group) else {
            return Verdict::Refused {
                why: Refusal::Exhausted,
            };
        };
        self.census.remove(session.counted(group));
        session.ends.passed = Some(passed);
        let client = session.ends.client();
        session.exempt = door.exempts(client);
        let judgement = door.judge(client, self.census.tally(Source::of(client)), now);
        // Who is refused is about to go, and takes no place from those who are not.
        session.evicted = matches!(judgement, Judgement::Refuse(_));
        if judgement == Judgement::EnterInPlace {
            // Before this one is counted again: it shall not be the one that has to go.
            self.make_room(door);
        }
        if let Some(session) = self.all.get(&group) {
            self.census.add(session.counted(group));
        }
        match judgement {
            Judgement::Enter | Judgement::EnterInPlace => Verdict::Admitted,
            Judgement::Refuse(why) => {
                door.refused(client, why, now);
                Verdict::Refused { why }
            }
        }
    }

    /// Chooses the session that makes room: of the source with most of those that are not logged in, the oldest.
    fn evict(&mut self) -> Option<Pid> {
        let group = self.census.first_to_go()?;
        self.alter(group, |session| session.evicted = true);
        Some(group)
    }

    /// Forgets a session by its group.
    pub(super) fn forget(&mut self, group: Pid) {
        self.take(group);
    }

    fn take(&mut self, group: Pid) -> Option<Session> {
        let session = self.all.remove(&group)?;
        self.logs.end(group);
        self.census.remove(session.counted(group));
        Some(session)
    }

    /// The session of a process group.
    pub(super) fn of(&mut self, group: Pid) -> Option<&mut Session> {
        self.all.get_mut(&group)
    }

    /// Changes what a session counts for.
    fn alter(&mut self, group: Pid, change: impl FnOnce(&mut Session)) {
        if let Some(session) = self.all.get_mut(&group) {
            self.census.remove(session.counted(group));
            change(session);
            self.census.add(session.counted(group));
        }
    }

    /// Gives a session to a user, unless that has as many as it may have; zero is any number.
    pub(super) fn enter(&mut self, group: Pid, user: UserName, most: u32) -> bool {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        if most != 0 && self.census.of_user(&user) >= most {
            return false;
        }
        self.alter(group, |session| session.user = Some(user));
        true
    }

    /// Notes that a trusted half wants to leave its channel to another one; `Err` if one has done so already.
    pub(super) fn hand_over(&mut self, group: Pid, handover: Handover) -> Result<(), ()> {
        let session = self.all.get_mut(&group).ok_or(())?;
        if session.handover.is_some() {
            return Err(());
        }
        session.network = Some(handover.session);
        session.handover = Some(handover);
        self.handovers.push(group);
        Ok(())
    }

    /// A session that waits for its next trusted half, and what it gets.
    pub(super) fn next_handover(&mut self) -> Option<(Pid, &mut Session, Handover)> {
        let (group, handover) = loop {
            let group = self.handovers.pop()?;
            let session = self.all.get_mut(&group);
            if let Some(handover) = session.and_then(|session| session.handover.take()) {
                break (group, handover);
            }
        };
        let session = self.all.get_mut(&group)?;
        Some((group, session, handover))
    }

    /// Notes the next trusted half: the session is nobody's again.
    pub(super) fn replaced(&mut self, group: Pid, keeper: Pid) {
        self.logs.end(group);
        self.alter(group, |session| {
            session.keeper = Some(keeper);
            session.user = None;
        });
    }

    /// Notes that a session wants its password changed, in the place of any other change that it wants. Not without a user,
    /// and not for guessing: the channel is closed then, which is the answer.
    pub(super) fn want_change(&mut self, group: Pid, channel: OwnedFd) {
        if let Some(session) = self.all.get_mut(&group) {
            let may = session.user.is_some() && session.guesses < MOST_GUESSES;
            session.change = may.then_some(channel);
            if may && !self.changes.contains(&group) {
                self.changes.push(group);
            }
        }
    }

    /// Takes the change of a password that is to begin, if there is a place for it; the session and its process group.
    pub(super) fn next_change(
        &mut self,
        door: &mut Door,
    ) -> Option<(Pid, &mut Session, OwnedFd, UserName)> {
        let all = &mut self.all;
        let wants = |group: &Pid| {
            all.get(group)
                .is_some_and(|session| session.change.is_some())
        };
        self.changes.retain(wants);
        let next = self.changes.iter().position(|group| {
            let session = all.get(group);
            session.is_some_and(|session| door.logins.take_place(*group, session.source()))
        })?;
        let group = self.changes.remove(next);
        let session = all.get_mut(&group)?;
        let (channel, user) = (session.change.take()?, session.user.clone()?);
        Some((group, session, channel, user))
    }

    /// Notes how a change of a password of the session with this process ended.
    pub(super) fn changed(&mut self, group: Pid, status: Status, door: &mut Door) {
        door.logins.free(group);
        if let Some(session) = self.all.get_mut(&group)
            && status == Status::LoginFailed
        {
            session.guesses += 1;
            if session.guesses >= MOST_GUESSES {
                session.change = None;
            }
            let client = session.ends.client();
            door.offended(client, Offence::WrongPassword, Instant::now());
        }
    }

    /// Writes the list of sessions, as much as fits, without waiting for a reader.
    pub(super) fn list(&self, envelope: &Envelope) {
        let sessions = self.in_order();
        let mut text = String::new();
        for (group, session) in sessions {
            let line = session.line(group);
            if text.len() + line.len() > LONGEST_LIST {
                break;
            }
            text.push_str(&line);
        }
        envelope.send_octets(text.as_bytes());
    }
}

impl Session {
    /// Tells hookd whose session it is; `Err` if it may not be anybody's now.
    pub(super) fn introduce_user(
        &mut self,
        hooks: &mut Hooks,
        user: Introduced,
        root: OwnedFd,
    ) -> Result<(), ()> {
        let acquaintance = self.acquaintance.ok_or(())?;
        hooks.introduce_user(acquaintance, user, root);
        Ok(())
    }

    pub(super) fn changed_by(&mut self, changer: Pid) {
        self.changer = Some(changer);
    }

    pub(super) fn user(&self) -> Option<&UserName> {
        self.user.as_ref()
    }

    /// Whether it had to make room.
    pub(super) fn was_evicted(&self) -> bool {
        self.evicted
    }

    pub(super) fn source(&self) -> Source {
        Source::of(self.ends.client())
    }

    fn counted(&self, group: Pid) -> Counted<'_> {
        Counted {
            group,
            number: self.number,
            source: self.source(),
            exempt: self.exempt,
            visitor: self.user.is_none() && !self.exempt && !self.evicted,
            user: self.user.as_ref(),
        }
    }

    fn line(&self, group: Pid) -> String {
        let user = match &self.user {
            Some(user) => user.as_slice().escape_ascii().to_string(),
            None => "(login)".to_owned(),
        };
        let seconds = self.since.elapsed().as_secs();
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let client = self.ends.client().to_string();
        format!("{group:>8}  {user:<20}  {client:<39}  {hours:>3}:{minutes:02}:{seconds:02}\r\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    fn with(sessions: &[(i32, u8, Option<&[u8]>)]) -> Sessions {
        let mut all = Sessions::with_log(Log::nowhere());
        for &(group, last, user) in sessions {
            let (group, peer) = (
                Pid::from_raw(group),
                SocketAddr::from(([192, 0, 2, last], 5000)),
            );
            let local = SocketAddr::from(([127, 0, 0, 1], 21));
            let passed = None;
            all.add(
                group,
                Ends {
                    local,
                    peer,
                    passed,
                },
                false,
            );
            let user = user.and_then(UserName::new);
            assert!(user.is_none_or(|user| all.enter(group, user, 0)));
        }
        all
    }

    #[test]
    fn the_oldest_of_the_greediest_makes_room_once() {
        let mut sessions = with(&[
            (-2, 1, None),
            (-3, 2, None),
            (-4, 2, None),
            (-5, 3, Some(b"a")),
            (-6, 3, Some(b"a")),
            (-7, 3, Some(b"a")),
        ]);
        let tally = Tally {
            all: 6,
            ordinary: 6,
            here: 2,
            visitors: 3,
            visitors_here: 2,
            most_visitors: 2,
        };
        let greedy = Source::of([192, 0, 2, 2].into());
        assert_eq!(sessions.tally(greedy), tally);
        assert_eq!(sessions.evict(), Some(Pid::from_raw(-3)));
        assert_eq!(sessions.tally(greedy).visitors, 2);
        assert_eq!(sessions.tally(greedy).here, 2);
        // Of sources with as many, the one that was there first.
        assert_eq!(sessions.evict(), Some(Pid::from_raw(-2)));
        assert_eq!(sessions.evict(), Some(Pid::from_raw(-4)));
        assert_eq!(sessions.evict(), None);
    }

    #[test]
    fn a_user_has_only_so_many_sessions_and_each_end_frees_a_place() {
        let mut sessions = with(&[(-2, 1, Some(b"a")), (-3, 2, Some(b"a")), (-4, 2, None)]);
        let (last, user) = (Pid::from_raw(-4), || UserName::new(b"a").unwrap());
        assert!(!sessions.enter(last, user(), 2));
        sessions.forget(Pid::from_raw(-2));
        assert!(sessions.enter(last, user(), 2));
        sessions.replaced(Pid::from_raw(-3), Pid::from_raw(-8));
        assert!(sessions.enter(Pid::from_raw(-3), user(), 2));
        assert_eq!(sessions.len(), 2);
    }
}
