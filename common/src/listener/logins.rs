//! Who may have a password checked, and when: so many at a time, whoever owes least first. Pure but for the answers.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use super::answers::Envelope;
use super::penalties::{Penalties, Source};
use super::reports::Verdict;

/// Waits for its turn.
#[derive(Debug)]
struct Waiting {
    group: Pid,
    source: Source,
    envelope: Envelope,
    since: Instant,
}

/// Is under way.
#[derive(Clone, Copy, Debug)]
struct Running {
    source: Source,
    /// How long it waited for its turn.
    waited: Duration,
}

/// The checks that run and those that wait, by the process group of their session. Each has one at most, so there are
/// never more of them than sessions.
#[derive(Debug)]
pub(super) struct Logins {
    most: usize,
    running: HashMap<Pid, Running>,
    waiting: Vec<Waiting>,
    known: Known,
}

/// So many sources are remembered at least for logins that succeeded, if there were so many, and at most twice as many.
const KNOWN: usize = 1 << 13;

/// Where logins have succeeded lately.
#[derive(Debug, Default)]
struct Known {
    newer: HashSet<Source>,
    older: HashSet<Source>,
}

impl Known {
    fn add(&mut self, source: Source) {
        if self.newer.len() >= KNOWN {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(source);
    }

    fn has(&self, source: Source) -> bool {
        self.newer.contains(&source) || self.older.contains(&source)
    }
}

impl Logins {
    pub(super) fn new(most: usize) -> Logins {
        Logins {
            most,
            running: HashMap::new(),
            waiting: Vec::new(),
            known: Known::default(),
        }
    }

    /// Lets another number run at a time; those that run already go on.
    pub(super) fn set_most(&mut self, most: usize) {
        self.most = most;
    }

    /// Takes a question; `Err` if one of the session waits already. What runs may be a change of its password, whose end is
    /// unheard of yet.
    pub(super) fn ask(&mut self, group: Pid, source: Source, envelope: Envelope) -> Result<(), ()> {
        if self.waiting.iter().any(|other| other.group == group) {
            return Err(());
        }
        self.waiting.push(Waiting {
            group,
            source,
            envelope,
            since: Instant::now(),
        });
        Ok(())
    }

    /// Whether a check of the session runs.
    pub(super) fn runs(&self, group: Pid) -> bool {
        self.running.contains_key(&group)
    }

    /// How long the check that runs for a session waited for its turn.
    pub(super) fn waited(&self, group: Pid) -> Duration {
        self.running
            .get(&group)
            .map_or(Duration::ZERO, |running| running.waited)
    }

    /// Takes a free place for the check that a change of password makes.
    pub(super) fn take_place(&mut self, group: Pid, source: Source) -> bool {
        let free = self.running.len() < self.most && !self.runs(group);
        if free {
            let waited = Duration::ZERO;
            self.running.insert(group, Running { source, waited });
        }
        free
    }

    /// The check that runs is over; one that waits, which may be the next keeper's already, goes on waiting.
    pub(super) fn free(&mut self, group: Pid) {
        self.running.remove(&group);
    }

    /// The check is over, or was never to be, and so is any other of the session.
    pub(super) fn done(&mut self, group: Pid) {
        self.running.remove(&group);
        self.waiting.retain(|waiting| waiting.group != group);
    }

    /// The check is over, and the password was right.
    pub(super) fn succeeded(&mut self, group: Pid) {
        if let Some(running) = self.running.get(&group) {
            self.known.add(running.source);
        }
        self.done(group);
    }

    /// Lets as many begin as may. The order is fair between networks: who owes nothing goes before a guesser, and before the
    /// neighbours of one; then who has logged in before, then whoever's network, and then address, has fewer checks running, then
    /// who came first. All guessers together leave a
    /// place free, if there are two or more: who comes from elsewhere never waits for theirs.
    pub(super) fn begin(&mut self, penalties: &Penalties, now: Instant) {
        while self.running.len() < self.most {
            let owed = |source: Source| {
                let near = penalties.owed_in(source.network(), now);
                (penalties.owed(source, now), near)
            };
            let rank = |waiting: &Waiting| {
                let source = waiting.source;
                let running = || self.running.values().map(|running| running.source);
                let near = running().filter(|other| other.network() == source.network());
                let same = running().filter(|&other| other == source);
                let stranger = !self.known.has(source);
                (owed(source), stranger, near.count(), same.count())
            };
            let may_begin = |&index: &usize| !self.runs(self.waiting[index].group);
            let Some(index) = (0..self.waiting.len())
                .filter(may_begin)
                .min_by_key(|&index| rank(&self.waiting[index]))
            else {
                return;
            };
            let suspect = |source: Source| owed(source) != (Duration::ZERO, Duration::ZERO);
            let suspects = self.running.values().filter(|other| suspect(other.source));
            // Whoever is behind this one owes something too.
            if suspect(self.waiting[index].source) && suspects.count() + 1 > (self.most - 1).max(1)
            {
                return;
            }
            let next = self.waiting.remove(index);
            next.envelope.send(&Verdict::Admitted);
            let running = Running {
                source: next.source,
                waited: now.saturating_duration_since(next.since),
            };
            self.running.insert(next.group, running);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::answers::{self, Answer};
    use super::super::penalties::Offence;
    use super::*;
    use crate::settings::Limits;

    fn ask(logins: &mut Logins, group: i32, last: u8) -> Answer<Verdict> {
        ask_from(logins, group, [192, 0, 2, last])
    }

    fn ask_from(logins: &mut Logins, group: i32, address: [u8; 4]) -> Answer<Verdict> {
        let (answer, envelope) = answers::pair().unwrap();
        let source = Source::of(address.into());
        logins.ask(Pid::from_raw(group), source, envelope).unwrap();
        answer
    }

    fn may_begin(answer: &Answer<Verdict>) -> bool {
        answer.take() == Ok(Some(Verdict::Admitted))
    }

    #[test]
    fn no_more_than_so_many_run_at_a_time() {
        let mut logins = Logins::new(2);
        let penalties = Penalties::new(&Limits::default());
        let answers: Vec<_> = (1..=4).map(|i| ask(&mut logins, i, 1)).collect();
        logins.begin(&penalties, Instant::now());
        assert_eq!(answers.iter().filter(|a| may_begin(a)).count(), 2);
        assert!(logins.runs(Pid::from_raw(1)) && logins.runs(Pid::from_raw(2)));
        // The death of one that waits frees nothing, the end of one that runs does.
        logins.done(Pid::from_raw(3));
        logins.begin(&penalties, Instant::now());
        assert!(!may_begin(&answers[3]));
        logins.done(Pid::from_raw(1));
        logins.begin(&penalties, Instant::now());
        assert!(may_begin(&answers[3]));
        assert_eq!(answers[2].take(), Err(nix::errno::Errno::EPIPE));
    }

    #[test]
    fn the_end_of_a_change_of_password_is_not_that_of_the_login_behind_it() {
        let mut logins = Logins::new(2);
        let (penalties, group) = (Penalties::new(&Limits::default()), Pid::from_raw(1));
        assert!(logins.take_place(group, Source::of([192, 0, 2, 1].into())));
        let login = ask(&mut logins, 1, 1);
        logins.begin(&penalties, Instant::now());
        assert_eq!(login.take(), Ok(None));
        logins.free(group);
        logins.begin(&penalties, Instant::now());
        assert!(may_begin(&login));
    }

    #[test]
    fn who_owes_nothing_goes_before_guessers() {
        let (mut logins, now) = (Logins::new(1), Instant::now());
        let mut penalties = Penalties::new(&Limits::default());
        penalties.add_after(
            Duration::ZERO,
            Source::of([192, 0, 2, 1].into()),
            Offence::WrongPassword,
            now,
        );
        let guesser = ask(&mut logins, 1, 1);
        let honest = ask(&mut logins, 2, 2);
        logins.begin(&penalties, now);
        assert!(may_begin(&honest) && !may_begin(&guesser));
    }

    #[test]
    fn networks_take_turns_and_neighbours_of_guessers_wait() {
        let (mut logins, now) = (Logins::new(2), Instant::now());
        let mut penalties = Penalties::new(&Limits::default());
        let crowd: Vec<_> = (1..=4).map(|i| ask(&mut logins, i, 1)).collect();
        let other = ask_from(&mut logins, 5, [198, 51, 100, 1]);
        logins.begin(&penalties, now);
        assert!(may_begin(&crowd[0]) && may_begin(&other));
        logins.done(Pid::from_raw(5));
        // Another address of the network that has one running, and one of a network that has none.
        let (near, far) = (
            ask(&mut logins, 6, 9),
            ask_from(&mut logins, 7, [203, 0, 113, 1]),
        );
        logins.begin(&penalties, now);
        assert!(may_begin(&far));
        logins.done(Pid::from_raw(7));
        logins.begin(&penalties, now);
        assert!(may_begin(&near));
        // Somebody there was wrong: whoever else is waits behind those of elsewhere.
        logins.done(Pid::from_raw(6));
        penalties.add_after(
            Duration::ZERO,
            Source::of([192, 0, 2, 1].into()),
            Offence::WrongPassword,
            now,
        );
        let (neighbour, honest) = (
            ask(&mut logins, 8, 7),
            ask_from(&mut logins, 9, [203, 0, 113, 1]),
        );
        logins.begin(&penalties, now);
        assert!(may_begin(&honest) && !may_begin(&neighbour));
    }

    #[test]
    fn who_has_logged_in_before_goes_before_strangers() {
        let (mut logins, now) = (Logins::new(1), Instant::now());
        let mut penalties = Penalties::new(&Limits::default());
        let first = ask(&mut logins, 1, 1);
        logins.begin(&penalties, now);
        assert!(may_begin(&first));
        logins.succeeded(Pid::from_raw(1));
        let stranger = ask_from(&mut logins, 2, [203, 0, 113, 1]);
        let known = ask(&mut logins, 3, 1);
        logins.begin(&penalties, now);
        assert!(may_begin(&known) && !may_begin(&stranger));
        logins.done(Pid::from_raw(3));
        // Not if it guesses now.
        penalties.add_after(
            Duration::ZERO,
            Source::of([192, 0, 2, 1].into()),
            Offence::WrongPassword,
            now,
        );
        let known = ask(&mut logins, 4, 1);
        logins.begin(&penalties, now);
        assert!(may_begin(&stranger) && !may_begin(&known));
    }

    #[test]
    fn only_so_many_are_remembered() {
        let (mut known, source) = (Known::default(), |number: u32| {
            Source::of(std::net::Ipv4Addr::from(number).into())
        });
        for number in 0..100_000 {
            known.add(source(number));
            assert!(known.newer.len() + known.older.len() <= 2 * KNOWN);
        }
        assert!(known.has(source(99_999)) && !known.has(source(0)));
    }

    #[test]
    fn guessers_leave_a_place_free() {
        let (mut logins, now) = (Logins::new(3), Instant::now());
        let mut penalties = Penalties::new(&Limits::default());
        for last in 1..=4 {
            penalties.add_after(
                Duration::ZERO,
                Source::of([192, 0, last, 1].into()),
                Offence::WrongPassword,
                now,
            );
        }
        let guessers: Vec<_> = (1..=4u8)
            .map(|i| ask_from(&mut logins, i.into(), [192, 0, i, 1]))
            .collect();
        logins.begin(&penalties, now);
        assert_eq!(
            guessers.iter().filter(|answer| may_begin(answer)).count(),
            2
        );
        let honest = ask_from(&mut logins, 5, [203, 0, 113, 1]);
        logins.begin(&penalties, now);
        assert!(may_begin(&honest));
        // With one place there is none to leave free.
        let mut logins = Logins::new(1);
        let only = ask(&mut logins, 1, 1);
        logins.begin(&penalties, now);
        assert!(may_begin(&only));
    }

    #[test]
    fn a_session_has_one_check_at_a_time() {
        let mut logins = Logins::new(1);
        let _first = ask(&mut logins, 1, 1);
        let (_answer, envelope) = answers::pair::<Verdict>().unwrap();
        let source = Source::of([192, 0, 2, 1].into());
        assert_eq!(logins.ask(Pid::from_raw(1), source, envelope), Err(()));
    }
}
