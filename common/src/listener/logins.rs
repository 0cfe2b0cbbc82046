//! Who may have a password checked, and when: so many at a time, whoever owes least first. Pure but for the answers.

use std::collections::HashMap;
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
}

/// The checks that run and those that wait, by the process group of their session. Each has one at most, so there are
/// never more of them than sessions.
#[derive(Debug)]
pub(super) struct Logins {
    most: usize,
    running: HashMap<Pid, Source>,
    waiting: Vec<Waiting>,
}

impl Logins {
    pub(super) fn new(most: usize) -> Logins {
        Logins {
            most,
            running: HashMap::new(),
            waiting: Vec::new(),
        }
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
        });
        Ok(())
    }

    /// Whether a check of the session runs.
    pub(super) fn runs(&self, group: Pid) -> bool {
        self.running.contains_key(&group)
    }

    /// Takes a free place for the check that a change of password makes.
    pub(super) fn take_place(&mut self, group: Pid, source: Source) -> bool {
        let free = self.running.len() < self.most && !self.runs(group);
        if free {
            self.running.insert(group, source);
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

    /// Lets as many begin as may. The order is fair between addresses: whoever owes nothing goes before a guesser, then
    /// whoever has fewer checks running, then whoever came first.
    pub(super) fn begin(&mut self, penalties: &Penalties, now: Instant) {
        while self.running.len() < self.most {
            let rank = |waiting: &Waiting| -> (Duration, usize) {
                let source = waiting.source;
                let same = self.running.values().filter(|&&other| other == source);
                (penalties.owed(source, now), same.count())
            };
            let may_begin = |&index: &usize| !self.runs(self.waiting[index].group);
            let Some(index) = (0..self.waiting.len())
                .filter(may_begin)
                .min_by_key(|&index| rank(&self.waiting[index]))
            else {
                return;
            };
            let next = self.waiting.remove(index);
            next.envelope.send(&Verdict::Admitted);
            self.running.insert(next.group, next.source);
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
        let (answer, envelope) = answers::pair().unwrap();
        let source = Source::of([192, 0, 2, last].into());
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
        penalties.add(
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
    fn a_session_has_one_check_at_a_time() {
        let mut logins = Logins::new(1);
        let _first = ask(&mut logins, 1, 1);
        let (_answer, envelope) = answers::pair::<Verdict>().unwrap();
        let source = Source::of([192, 0, 2, 1].into());
        assert_eq!(logins.ask(Pid::from_raw(1), source, envelope), Err(()));
    }
}
