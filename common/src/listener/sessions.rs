//! The sessions that run: which process is whose trusted half, what is known of them, and the list for SITE WHO.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::time::Instant;

use nix::unistd::{Pid, getpgid};

use super::answers::Envelope;
use super::door::{Door, Tally};
use super::leases::Leases;
use super::penalties::{Offence, Source};
use super::reports::{self, Report, Verdict};
use super::status::Status;
use crate::channel::UserName;
use crate::net::Ends;
use crate::rate::Direction;
use crate::sys;

/// So many reports a session may make; one that makes more was taken over.
const MOST_REPORTS: u32 = 1000;
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
    pub(super) user: Option<UserName>,
    /// Limits are not for this one.
    exempt: bool,
    /// It had to make room, and is about to end.
    pub(super) evicted: bool,
    since: Instant,
    reports: u32,
    /// A change of the password that is asked for.
    change: Option<OwnedFd>,
    /// The process that changes the password.
    changer: Option<Pid>,
    /// Wrong old passwords.
    guesses: u32,
    /// The former trusted half has left its channel: another one is to take it.
    pub(super) handover: Option<Handover>,
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

#[derive(Debug, Default)]
pub(super) struct Sessions(HashMap<Pid, Session>);

impl Sessions {
    pub(super) fn add(&mut self, keeper: Pid, ends: Ends, exempt: bool) {
        let session = Session {
            keeper: Some(keeper),
            network: None,
            ends,
            user: None,
            exempt,
            evicted: false,
            since: Instant::now(),
            reports: 0,
            change: None,
            changer: None,
            guesses: 0,
            handover: None,
        };
        self.0.insert(keeper, session);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The process groups of all.
    pub(super) fn groups(&self) -> impl Iterator<Item = Pid> {
        self.0.keys().copied()
    }

    /// What has ended with a child that is about to be collected. Its reports must have been heard before.
    pub(super) fn buried(&mut self, child: Pid) -> Dead {
        let group = getpgid(Some(child)).ok();
        let Some(session) = group.and_then(|group| self.0.get_mut(&group)) else {
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
        self.0.remove(&group).map(|session| (group, session))
    }

    /// Counts what is there, for a client that wants to be let in.
    pub(super) fn tally(&self, source: Source) -> Tally {
        let mut tally = Tally {
            all: self.0.len(),
            ..Tally::default()
        };
        let mut visitors: HashMap<Source, usize> = HashMap::new();
        for session in self.0.values().filter(|session| !session.exempt) {
            tally.ordinary += 1;
            let from = session.source();
            tally.here += usize::from(from == source);
            if session.is_visitor() {
                tally.visitors += 1;
                *visitors.entry(from).or_default() += 1;
            }
        }
        tally.visitors_here = visitors.get(&source).copied().unwrap_or(0);
        tally.most_visitors = visitors.values().copied().max().unwrap_or(0);
        tally
    }

    /// Chooses the session that makes room: of the source with most of those that are not logged in, the oldest.
    pub(super) fn evict(&mut self) -> Option<Pid> {
        let mut visitors: HashMap<Source, usize> = HashMap::new();
        for session in self.0.values().filter(|session| session.is_visitor()) {
            *visitors.entry(session.source()).or_default() += 1;
        }
        let most = visitors.values().copied().max()?;
        let (group, session) = self
            .0
            .iter_mut()
            .filter(|(_, session)| {
                session.is_visitor() && visitors.get(&session.source()) == Some(&most)
            })
            .min_by_key(|(_, session)| session.since)?;
        session.evicted = true;
        Some(*group)
    }

    /// Forgets a session by its group.
    pub(super) fn forget(&mut self, group: Pid) {
        self.0.remove(&group);
    }

    /// Takes a report in; `Err` is the group of a session that breaks the rules.
    pub(super) fn hear(
        &mut self,
        (sender, report, descriptor): reports::Received,
        door: &mut Door,
        leases: &mut Leases,
    ) -> Result<(), Option<Pid>> {
        // SECURITY: the sender is the kernel's word, and nobody leaves the group of its session.
        let group = getpgid(Some(sender)).map_err(|_| None)?;
        let session = self.0.get_mut(&group).ok_or(None)?;
        // Those who move much ask often: of leases there are as many as time allows.
        if !matches!(report, Some(Report::Lease { .. })) {
            session.reports += 1;
        }
        if session.keeper != Some(sender) || session.reports > MOST_REPORTS {
            return Err(Some(group));
        }
        match (report, descriptor) {
            (Some(Report::Admit), Some(pipe)) if session.user.is_none() => {
                let source = session.source();
                let envelope = Envelope::of(pipe).ok_or(Some(group))?;
                let asked = door.logins.ask(group, source, envelope);
                asked.map_err(|()| Some(group))
            }
            (Some(Report::Failed), None) if door.logins.runs(group) => {
                door.logins.done(group);
                door.offended(
                    session.ends.client(),
                    Offence::WrongPassword,
                    Instant::now(),
                );
                Ok(())
            }
            (Some(Report::LoggedIn { user, most }), Some(pipe)) if door.logins.runs(group) => {
                door.logins.done(group);
                let envelope = Envelope::of(pipe).ok_or(Some(group))?;
                let verdict = self.enter(group, user, most);
                envelope.send(&verdict);
                Ok(())
            }
            (
                Some(Report::Reinitialise {
                    ticket,
                    session: network,
                }),
                Some(channel),
            ) if session.handover.is_none() && reports::is_channel(&channel) => {
                let (network, ended) = member(network, group).ok_or(Some(group))?;
                session.network = Some(network);
                session.handover = Some(Handover {
                    channel,
                    ticket,
                    session: network,
                    ended,
                });
                Ok(())
            }
            (Some(Report::ChangePassword), Some(channel)) if reports::is_channel(&channel) => {
                // Not without a user, and not for guessing: the channel is closed then, which is the answer.
                let may = session.user.is_some() && session.guesses < MOST_GUESSES;
                session.change = may.then_some(channel);
                Ok(())
            }
            (Some(Report::Lease { upload, user_rates }), Some(pipe)) => {
                let user = session.user.as_ref().ok_or(Some(group))?;
                let direction = if upload {
                    Direction::Upload
                } else {
                    Direction::Download
                };
                let envelope = Envelope::of(pipe).ok_or(Some(group))?;
                envelope.send(&leases.grant(user, user_rates, direction));
                Ok(())
            }
            (Some(Report::Who), Some(pipe)) => {
                self.list(&Envelope::of(pipe).ok_or(Some(group))?);
                Ok(())
            }
            _ => Err(Some(group)),
        }
    }

    /// Gives a session to a user, unless that has as many as it may have.
    fn enter(&mut self, group: Pid, user: UserName, most: u32) -> Verdict {
        let owner = Some(user);
        let same = self.0.values().filter(|session| session.user == owner);
        if most != 0 && same.count() >= usize::try_from(most).unwrap_or(usize::MAX) {
            return Verdict::TooMany;
        }
        if let Some(session) = self.0.get_mut(&group) {
            session.user = owner;
        }
        Verdict::Admitted
    }

    /// A session that waits for its next trusted half.
    pub(super) fn waiting(&mut self) -> Option<(Pid, &mut Session)> {
        self.0
            .iter_mut()
            .find(|(_, session)| session.handover.is_some())
            .map(|(group, session)| (*group, session))
    }

    /// Takes the change of a password that is to begin, if there is a place for it; the session and its process group.
    pub(super) fn next_change(
        &mut self,
        door: &mut Door,
    ) -> Option<(Pid, &mut Session, OwnedFd, UserName)> {
        let (group, session) = self.0.iter_mut().find(|(group, session)| {
            session.change.is_some() && door.logins.take_place(**group, session.source())
        })?;
        let (channel, user) = (session.change.take()?, session.user.clone()?);
        Some((*group, session, channel, user))
    }

    /// Notes how a change of a password of the session with this process ended.
    pub(super) fn changed(&mut self, group: Pid, status: Status, door: &mut Door) {
        door.logins.free(group);
        if let Some(session) = self.0.get_mut(&group)
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
    fn list(&self, envelope: &Envelope) {
        let mut sessions: Vec<_> = self.0.iter().collect();
        sessions.sort_unstable_by_key(|(_, session)| session.since);
        let mut text = String::new();
        for (group, session) in sessions {
            let line = session.line(*group);
            if text.len() + line.len() > LONGEST_LIST {
                break;
            }
            text.push_str(&line);
        }
        envelope.send_octets(text.as_bytes());
    }
}

impl Session {
    pub(super) fn changed_by(&mut self, changer: Pid) {
        self.changer = Some(changer);
    }

    pub(super) fn replaced_by(&mut self, keeper: Pid) {
        self.keeper = Some(keeper);
        self.user = None;
    }

    fn source(&self) -> Source {
        Source::of(self.ends.client())
    }

    /// Whether it holds one of the places for those who are not logged in.
    fn is_visitor(&self) -> bool {
        self.user.is_none() && !self.exempt && !self.evicted
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

/// A descriptor that tells the end of a process, if that belongs to the group.
fn member(process: u32, group: Pid) -> Option<(Pid, OwnedFd)> {
    let process = Pid::from_raw(i32::try_from(process).ok()?);
    let ended = sys::watch_process(process).ok()?;
    // The descriptor is held already, so the number cannot be another's meanwhile.
    (getpgid(Some(process)) == Ok(group)).then_some((process, ended))
}

#[cfg(test)]
mod tests {
    use super::super::answers;
    use super::*;
    use crate::settings::Limits;
    use nix::unistd::{getpgrp, getpid, pipe, read};
    use std::net::SocketAddr;

    fn ends() -> Ends {
        Ends {
            local: SocketAddr::from(([127, 0, 0, 1], 21)),
            peer: SocketAddr::from(([127, 0, 0, 2], 5000)),
        }
    }

    fn leases() -> Leases {
        Leases::new(crate::rate::Rates::default())
    }

    fn door() -> Door {
        Door::new(Limits::default())
    }

    /// This process as the trusted half of a session.
    fn own() -> Sessions {
        let mut sessions = Sessions::default();
        sessions.add(getpgrp(), ends(), false);
        if let Some(session) = sessions.0.get_mut(&getpgrp()) {
            session.keeper = Some(getpid());
        }
        sessions
    }

    /// Reports a right password.
    fn log_in(sessions: &mut Sessions, name: &[u8]) -> Result<Verdict, Option<Pid>> {
        let mut door = door();
        let (_turn, envelope) = answers::pair::<Verdict>().unwrap();
        sessions.hear(
            (getpid(), Some(Report::Admit), Some(envelope.into())),
            &mut door,
            &mut leases(),
        )?;
        door.turn(Instant::now());
        let user = UserName::new(name).unwrap();
        let report = Report::LoggedIn { user, most: 2 };
        let (answer, envelope) = answers::pair().unwrap();
        sessions.hear(
            (getpid(), Some(report), Some(envelope.into())),
            &mut door,
            &mut leases(),
        )?;
        Ok(answer.take().unwrap().unwrap())
    }

    /// More sessions of other processes: a number, the last octet of the address, and the user.
    fn with(mut sessions: Sessions, others: &[(i32, u8, Option<&[u8]>)]) -> Sessions {
        for &(group, last, user) in others {
            let peer = SocketAddr::from(([192, 0, 2, last], 5000));
            sessions.add(Pid::from_raw(group), Ends { peer, ..ends() }, false);
            if let Some(session) = sessions.0.get_mut(&Pid::from_raw(group)) {
                session.user = user.and_then(UserName::new);
            }
        }
        sessions
    }

    #[test]
    fn the_list_tells_users_and_addresses() {
        let mut sessions = own();
        assert_eq!(log_in(&mut sessions, b"al\nice"), Ok(Verdict::Admitted));
        let (reader, writer) = pipe().unwrap();
        let heard = sessions.hear(
            (getpid(), Some(Report::Who), Some(writer)),
            &mut door(),
            &mut leases(),
        );
        assert_eq!(heard, Ok(()));
        let mut text = [0; 512];
        let count = read(&reader, &mut text).unwrap();
        let text = std::str::from_utf8(&text[..count]).unwrap();
        assert!(
            text.contains(r"al\nice") && text.contains("127.0.0.2"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn a_user_has_only_so_many_sessions() {
        let mut sessions = with(own(), &[(-2, 1, Some(b"a")), (-3, 2, Some(b"b"))]);
        assert_eq!(log_in(&mut sessions, b"a"), Ok(Verdict::Admitted));
        let mut sessions = with(own(), &[(-2, 1, Some(b"a")), (-3, 2, Some(b"a"))]);
        assert_eq!(log_in(&mut sessions, b"a"), Ok(Verdict::TooMany));
        // The refused one has not become the user, and may try another name.
        assert_eq!(log_in(&mut sessions, b"b"), Ok(Verdict::Admitted));
    }

    #[test]
    fn the_oldest_of_the_greediest_makes_room() {
        let others: &[(i32, u8, Option<&[u8]>)] = &[
            (-2, 1, None),
            (-3, 2, None),
            (-4, 2, None),
            (-5, 3, Some(b"a")),
            (-6, 3, Some(b"a")),
            (-7, 3, Some(b"a")),
        ];
        let mut sessions = with(Sessions::default(), others);
        let tally = Tally {
            all: 6,
            ordinary: 6,
            here: 2,
            visitors: 3,
            visitors_here: 2,
            most_visitors: 2,
        };
        assert_eq!(sessions.tally(Source::of([192, 0, 2, 2].into())), tally);
        assert_eq!(sessions.evict(), Some(Pid::from_raw(-3)));
        assert_eq!(
            sessions.tally(Source::of([192, 0, 2, 2].into())).visitors,
            2
        );
    }

    #[test]
    fn a_session_that_breaks_the_rules_is_found_out() {
        let group = getpgrp();
        let mut door = door();
        assert_eq!(
            own().hear((getpid(), None, None), &mut door, &mut leases()),
            Err(Some(group))
        );
        let mut sessions = own();
        log_in(&mut sessions, b"a").unwrap();
        assert_eq!(log_in(&mut sessions, b"b"), Err(Some(group)));
        // A login, or a failure, that was not admitted.
        let user = UserName::new(b"a").unwrap();
        let (_reader, writer) = pipe().unwrap();
        let report = Report::LoggedIn { user, most: 0 };
        let heard = own().hear(
            (getpid(), Some(report), Some(writer)),
            &mut door,
            &mut leases(),
        );
        assert_eq!(heard, Err(Some(group)));
        let heard = own().hear(
            (getpid(), Some(Report::Failed), None),
            &mut door,
            &mut leases(),
        );
        assert_eq!(heard, Err(Some(group)));
        // Not a channel, and not a member of the group.
        for session in [1, u32::MAX] {
            let (reader, _writer) = pipe().unwrap();
            let report = Report::Reinitialise { ticket: 0, session };
            let heard = own().hear(
                (getpid(), Some(report), Some(reader)),
                &mut door,
                &mut leases(),
            );
            assert_eq!(heard, Err(Some(group)));
        }
        let mut sessions = Sessions::default();
        assert_eq!(log_in(&mut sessions, b"a"), Err(None));
    }

    #[test]
    fn too_many_reports_end_a_session() {
        let mut sessions = own();
        let heard = (0..=MOST_REPORTS).map(|_| {
            let (_, writer) = pipe().unwrap();
            sessions.hear(
                (getpid(), Some(Report::Who), Some(writer)),
                &mut door(),
                &mut leases(),
            )
        });
        assert_eq!(heard.last(), Some(Err(Some(getpgrp()))));
    }
}
