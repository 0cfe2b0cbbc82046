//! Who gets in: limits of connections and penalties, decided before anything is spent on a client.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use super::logins::Logins;
use super::penalties::{Offence, Penalties, Source};
use super::status::Status;
use crate::channel::Refusal;
use crate::hookd::{Happened, Listed};
use crate::hooks::Kind;
use crate::net::Ends;
use crate::settings::Limits;

/// So many clients of exempt networks get in above MaxClients.
const RESERVED: usize = 10;
/// So often at most the log tells of refusals.
const QUIET: Duration = Duration::from_secs(10);

/// The connections there are, as a new one sees them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) all: usize,
    /// Those of clients who are not exempt.
    pub(super) ordinary: usize,
    /// From the same source.
    pub(super) here: usize,
    /// Not logged in, and not exempt.
    pub(super) visitors: usize,
    /// From the same source and not logged in.
    pub(super) visitors_here: usize,
    /// The most from any source that are not logged in.
    pub(super) most_visitors: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    Enter,
    /// Another one that is not logged in has to go.
    EnterInPlace,
    Refuse(Refusal),
}

impl Refusal {
    /// What the client hears, behind 421.
    pub fn text(self) -> &'static str {
        match self {
            Refusal::Full | Refusal::Exhausted => {
                "Too many clients are connected; please try later."
            }
            Refusal::PerAddress => "Too many connections come from your address.",
            Refusal::Banned => "Too many failures came from your address; please try later.",
        }
    }

    /// The setting whose limit it is, or what there is too little of.
    fn limit(self) -> &'static str {
        match self {
            Refusal::Full => "MaxClients",
            Refusal::PerAddress | Refusal::Banned => "MaxPerAddress",
            Refusal::Exhausted => "processes",
        }
    }

    fn remark(self) -> &'static str {
        match self {
            Refusal::Full => "MaxClients is reached",
            Refusal::PerAddress => "MaxPerAddress or MaxUnauthenticated is reached",
            Refusal::Banned => "its address is banned",
            Refusal::Exhausted => "the system has no more processes or descriptors",
        }
    }
}

#[derive(Debug)]
pub(super) struct Door {
    limits: Limits,
    penalties: Penalties,
    pub(super) logins: Logins,
    /// When the log told of a refusal, and of how many since it did not.
    told: Option<Instant>,
    untold: u64,
    /// Lines for the log.
    news: Vec<String>,
    /// What hooks are to hear.
    happened: Vec<Happened>,
}

impl Door {
    pub(super) fn new(limits: Limits) -> Door {
        Door {
            penalties: Penalties::new(&limits),
            logins: Logins::new(checks(&limits)),
            limits,
            told: None,
            untold: 0,
            news: Vec::new(),
            happened: Vec::new(),
        }
    }

    /// Goes by other limits; what is owed stays owed.
    pub(super) fn set_limits(&mut self, limits: Limits) {
        self.penalties.set_limits(&limits);
        self.logins.set_most(checks(&limits));
        self.limits = limits;
    }

    /// Whether limits and penalties are not for this address.
    pub(super) fn exempts(&self, client: IpAddr) -> bool {
        let exempt = self.limits.exempt.as_ref();
        exempt.is_some_and(|networks| networks.contain(client.to_canonical()))
    }

    /// Whether a connection comes from a front end that has not said yet whose it is.
    pub(super) fn awaits_header(&self, ends: &Ends) -> bool {
        ends.await_header(self.limits.front_ends.as_ref())
    }

    /// Decides about a new connection from a front end. Its client is judged once that is known; until then the connection
    /// counts in all and as one before login.
    pub(super) fn judge_front_end(&self, tally: Tally) -> Judgement {
        if reaches(tally.ordinary, self.limits.clients, 0) {
            Judgement::Refuse(Refusal::Full)
        } else if !reaches(tally.visitors, self.limits.unauthenticated, 0) {
            Judgement::Enter
        } else if tally.visitors_here >= tally.most_visitors {
            Judgement::Refuse(Refusal::Full)
        } else {
            Judgement::EnterInPlace
        }
    }

    /// Decides about a new connection, or one whose client has become known.
    pub(super) fn judge(&mut self, client: IpAddr, tally: Tally, now: Instant) -> Judgement {
        let limits = &self.limits;
        if self.exempts(client) {
            return if reaches(tally.all, limits.clients, RESERVED) {
                Judgement::Refuse(Refusal::Full)
            } else {
                Judgement::Enter
            };
        }
        if self.penalties.refuse(Source::of(client), now) {
            Judgement::Refuse(Refusal::Banned)
        } else if reaches(tally.ordinary, limits.clients, 0) {
            Judgement::Refuse(Refusal::Full)
        } else if reaches(tally.here, limits.per_address, 0) {
            Judgement::Refuse(Refusal::PerAddress)
        } else if !reaches(tally.visitors, limits.unauthenticated, 0) {
            Judgement::Enter
        } else if tally.visitors_here >= tally.most_visitors {
            // SECURITY: whoever holds most of the places gets no more of them, and who comes from elsewhere always gets one.
            Judgement::Refuse(Refusal::PerAddress)
        } else {
            Judgement::EnterInPlace
        }
    }

    /// Notes that a client was refused.
    pub(super) fn refused(&mut self, client: IpAddr, refusal: Refusal, now: Instant) {
        // Bans have lines of their own.
        if refusal == Refusal::Banned {
            return;
        }
        if self.told.is_some_and(|told| now < told + QUIET) {
            self.untold += 1;
            return;
        }
        let mut line = format!("client {client} refused: {}", refusal.remark());
        if self.untold > 0 {
            line.push_str(&format!("; {} more since the last such line", self.untold));
        }
        // As seldom as the log: hooks shall not be what a flood of connections brings down.
        self.happened.push(Happened {
            client: Some(client),
            limit: Listed::find(refusal.limit()),
            ..Happened::new(Kind::LimitHit).because(refusal.remark())
        });
        self.news.push(line);
        (self.told, self.untold) = (Some(now), 0);
    }

    /// Notes what a session did, unless it is exempt.
    pub(super) fn offended(&mut self, client: IpAddr, offence: Offence, now: Instant) {
        self.offended_after(Duration::ZERO, client, offence, now);
    }

    /// Notes that the password was wrong whose check runs for a session.
    pub(super) fn failed(&mut self, group: Pid, client: IpAddr, now: Instant) {
        let waited = self.logins.waited(group);
        self.logins.done(group);
        self.offended_after(waited, client, Offence::WrongPassword, now);
    }

    fn offended_after(&mut self, waited: Duration, client: IpAddr, offence: Offence, now: Instant) {
        if self.exempts(client) {
            return;
        }
        let source = Source::of(client);
        if let Some(length) = self.penalties.add_after(waited, source, offence, now) {
            let seconds = length.as_secs_f64().ceil();
            self.happened.push(Happened {
                client: Some(client),
                duration: Some(length),
                ..Happened::new(Kind::Ban).because("too many failures")
            });
            self.news.push(format!(
                "{source}: banned for {seconds} s after too many failures"
            ));
        }
    }

    /// Lets waiting checks of passwords begin, and notes which bans have ended.
    pub(super) fn turn(&mut self, now: Instant) {
        self.logins.begin(&self.penalties, now);
        for served in self.penalties.ended(now) {
            let (source, refused) = (served.source, served.refused);
            self.news.push(format!(
                "{source}: ban ended, {refused} connections were refused"
            ));
        }
    }

    /// When [`turn`](Self::turn) has something to do by itself.
    pub(super) fn next_turn(&self) -> Option<Instant> {
        self.penalties.next_end()
    }

    pub(super) fn happened(&mut self) -> Vec<Happened> {
        std::mem::take(&mut self.happened)
    }

    pub(super) fn news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.news)
    }
}

/// How many passwords are checked at a time.
fn checks(limits: &Limits) -> usize {
    match limits.password_checks {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        most => usize::try_from(most).unwrap_or(usize::MAX),
    }
}

/// Whether there are as many as a limit allows, and so many more; a limit of zero is none.
fn reaches(count: usize, limit: u32, more: usize) -> bool {
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    limit != 0 && count >= most.saturating_add(more)
}

/// What a client is to blame for, by how its session ended.
pub(super) fn offence(status: Status, logged_in: bool) -> Option<Offence> {
    match status {
        Status::TimedOut if !logged_in => Some(Offence::NoLogin),
        Status::NotFtp => Some(Offence::NotFtp),
        Status::Misbehaved | Status::Crashed => Some(Offence::Attack),
        // Each wrong password was counted when it came.
        Status::LoginFailed
        | Status::TimedOut
        | Status::Ended
        | Status::Broken(_)
        | Status::SandboxFailed => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::networks::Networks;

    fn door() -> Door {
        Door::new(Limits {
            clients: 10,
            per_address: 4,
            unauthenticated: 6,
            exempt: Some(Networks::parse("192.0.2.0/24").unwrap()),
            ..Limits::default()
        })
    }

    fn judge(tally: Tally) -> Judgement {
        door().judge([203, 0, 113, 1].into(), tally, Instant::now())
    }

    #[test]
    fn each_limit_refuses_for_its_own_reason() {
        let free = Tally::default();
        assert_eq!(judge(free), Judgement::Enter);
        let full = Tally {
            ordinary: 10,
            ..free
        };
        assert_eq!(judge(full), Judgement::Refuse(Refusal::Full));
        let here = Tally { here: 4, ..free };
        assert_eq!(judge(here), Judgement::Refuse(Refusal::PerAddress));
    }

    #[test]
    fn whoever_holds_most_places_before_login_makes_room_for_others() {
        let crowded = Tally {
            visitors: 6,
            visitors_here: 1,
            most_visitors: 3,
            ..Tally::default()
        };
        assert_eq!(judge(crowded), Judgement::EnterInPlace);
        let greedy = Tally {
            visitors_here: 3,
            ..crowded
        };
        assert_eq!(judge(greedy), Judgement::Refuse(Refusal::PerAddress));
    }

    #[test]
    fn exempt_networks_have_places_of_their_own_and_no_penalties() {
        let mut door = door();
        let (client, now) = (IpAddr::from([192, 0, 2, 9]), Instant::now());
        let full = Tally {
            all: 10,
            ordinary: 10,
            here: 9,
            visitors: 10,
            visitors_here: 9,
            most_visitors: 9,
        };
        for _ in 0..100 {
            door.offended(client, Offence::Attack, now);
        }
        assert_eq!(door.judge(client, full, now), Judgement::Enter);
        let all = 10 + RESERVED;
        let over = Tally { all, ..full };
        let refused = door.judge(client, over, now);
        assert_eq!(refused, Judgement::Refuse(Refusal::Full));
        assert!(door.news().is_empty());
    }

    #[test]
    fn bans_and_floods_are_told_in_few_lines() {
        let mut door = door();
        let (client, now) = (IpAddr::from([203, 0, 113, 1]), Instant::now());
        door.offended(client, Offence::Attack, now);
        let refused = door.judge(client, Tally::default(), now);
        assert_eq!(refused, Judgement::Refuse(Refusal::Banned));
        let end = door.next_turn().unwrap();
        door.turn(end);
        let news = door.news();
        assert!(news[0].starts_with("203.0.113.1: banned for "), "{news:?}");
        let over = "203.0.113.1: ban ended, 1 connections were refused";
        assert_eq!(news[1..], [over]);
        for _ in 0..1000 {
            door.refused(client, Refusal::Full, now);
        }
        assert_eq!(door.news().len(), 1);
        door.refused(client, Refusal::Full, now + QUIET);
        assert!(door.news()[0].ends_with("; 999 more since the last such line"));
    }
}
