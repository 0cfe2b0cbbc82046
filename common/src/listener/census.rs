//! How many sessions there are, in all, by source and by user: counted as they come, log in and go, so that nobody has to
//! look at all of them. Pure: no I/O.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use nix::unistd::Pid;

use super::door::Tally;
use super::penalties::Source;
use crate::channel::UserName;

/// A session, as it counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted<'a> {
    pub(super) group: Pid,
    /// Which one it is since the start.
    pub(super) number: u64,
    pub(super) source: Source,
    /// Limits are not for this one.
    pub(super) exempt: bool,
    /// It holds one of the places for those who are not logged in.
    pub(super) visitor: bool,
    pub(super) user: Option<&'a UserName>,
}

#[derive(Debug, Default)]
pub(super) struct Census {
    all: usize,
    visitors: usize,
    /// Of sessions that are not exempt.
    sources: HashMap<Source, Here>,
    ordinary: usize,
    /// The sources that have visitors: the last has most of them, and of such the oldest one.
    ranking: BTreeSet<Rank>,
    users: HashMap<UserName, usize>,
}

/// The sessions of one source.
#[derive(Debug, Default)]
struct Here {
    all: usize,
    /// By their numbers, so the oldest is the first.
    visitors: BTreeMap<u64, Pid>,
}

type Rank = (usize, Reverse<u64>, Source);

impl Here {
    fn rank(&self, source: Source) -> Option<Rank> {
        let oldest = *self.visitors.keys().next()?;
        Some((self.visitors.len(), Reverse(oldest), source))
    }
}

impl Census {
    /// Counts a session.
    pub(super) fn add(&mut self, session: Counted<'_>) {
        self.all += 1;
        if let Some(user) = session.user {
            *self.users.entry(user.clone()).or_default() += 1;
        }
        if session.exempt {
            return;
        }
        self.ordinary += 1;
        let here = self.sources.entry(session.source).or_default();
        here.all += 1;
        if session.visitor {
            self.visitors += 1;
            if let Some(rank) = here.rank(session.source) {
                self.ranking.remove(&rank);
            }
            here.visitors.insert(session.number, session.group);
            self.ranking.extend(here.rank(session.source));
        }
    }

    /// Counts a session no more, which is as it was when it was added.
    pub(super) fn remove(&mut self, session: Counted<'_>) {
        self.all = self.all.saturating_sub(1);
        if let Some(user) = session.user
            && let Some(count) = self.users.get_mut(user)
        {
            *count -= 1;
            if *count == 0 {
                self.users.remove(user);
            }
        }
        if session.exempt {
            return;
        }
        self.ordinary = self.ordinary.saturating_sub(1);
        let Some(here) = self.sources.get_mut(&session.source) else {
            return;
        };
        here.all -= 1;
        if session.visitor {
            self.visitors = self.visitors.saturating_sub(1);
            if let Some(rank) = here.rank(session.source) {
                self.ranking.remove(&rank);
            }
            here.visitors.remove(&session.number);
            self.ranking.extend(here.rank(session.source));
        }
        if here.all == 0 {
            self.sources.remove(&session.source);
        }
    }

    /// What a client from this source finds.
    pub(super) fn tally(&self, source: Source) -> Tally {
        let here = self.sources.get(&source);
        Tally {
            all: self.all,
            ordinary: self.ordinary,
            here: here.map_or(0, |here| here.all),
            visitors: self.visitors,
            visitors_here: here.map_or(0, |here| here.visitors.len()),
            most_visitors: self.ranking.last().map_or(0, |(count, ..)| *count),
        }
    }

    /// The visitor that makes room: of the source with most of them, the oldest.
    pub(super) fn first_to_go(&self) -> Option<Pid> {
        let (.., source) = self.ranking.last()?;
        let (_, group) = self.sources.get(source)?.visitors.first_key_value()?;
        Some(*group)
    }

    /// How many sessions a user has.
    pub(super) fn of_user(&self, user: &UserName) -> usize {
        self.users.get(user).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A session of a random history.
    #[derive(Clone, Debug)]
    struct Model {
        number: u64,
        last: u8,
        exempt: bool,
        evicted: bool,
        user: Option<UserName>,
    }

    impl Model {
        fn counted(&self) -> Counted<'_> {
            Counted {
                group: Pid::from_raw(i32::try_from(self.number).unwrap()),
                number: self.number,
                source: source(self.last),
                exempt: self.exempt,
                visitor: self.user.is_none() && !self.exempt && !self.evicted,
                user: self.user.as_ref(),
            }
        }
    }

    fn source(last: u8) -> Source {
        Source::of([192, 0, 2, last].into())
    }

    fn name(number: u8) -> UserName {
        UserName::new(&[b'a' + number]).unwrap()
    }

    /// What looking at all of them gives.
    fn looked(sessions: &[Model], last: u8) -> (Tally, Option<Pid>) {
        let ordinary = || sessions.iter().filter(|session| !session.exempt);
        let visitors = || ordinary().filter(|session| session.counted().visitor);
        let of = |last: u8| visitors().filter(|session| session.last == last).count();
        let most = visitors().map(|session| of(session.last)).max();
        let first = visitors()
            .filter(|session| Some(of(session.last)) == most)
            .min_by_key(|session| session.number);
        let tally = Tally {
            all: sessions.len(),
            ordinary: ordinary().count(),
            here: ordinary().filter(|session| session.last == last).count(),
            visitors: visitors().count(),
            visitors_here: of(last),
            most_visitors: most.unwrap_or(0),
        };
        (tally, first.map(|session| session.counted().group))
    }

    proptest! {
        #[test]
        fn counting_gives_what_looking_at_all_gives(
            steps in proptest::collection::vec((0u8..5, 0u8..4, any::<prop::sample::Index>()), 0..80),
        ) {
            let (mut census, mut sessions) = (Census::default(), Vec::<Model>::new());
            for (number, (kind, small, which)) in (1u64..).zip(steps) {
                if kind < 2 || sessions.is_empty() {
                    let exempt = kind == 1 && small == 0;
                    sessions.push(Model { number, last: small, exempt, evicted: false, user: None });
                    census.add(sessions[sessions.len() - 1].counted());
                } else {
                    let mut session = sessions.remove(which.index(sessions.len()));
                    census.remove(session.counted());
                    match kind {
                        2 => session.user = Some(name(small)),
                        3 if small == 0 => session.evicted = true,
                        3 => session.user = None,
                        _ => continue,
                    }
                    census.add(session.counted());
                    sessions.push(session);
                }
                for last in 0..4 {
                    let found = (census.tally(source(last)), census.first_to_go());
                    prop_assert_eq!(found, looked(&sessions, last));
                    let user = name(last);
                    let same = sessions.iter().filter(|s| s.user.as_ref() == Some(&user)).count();
                    prop_assert_eq!(census.of_user(&user), same);
                }
            }
            for session in sessions.drain(..) {
                census.remove(session.counted());
            }
            prop_assert!(census.sources.is_empty() && census.ranking.is_empty() && census.users.is_empty());
        }
    }
}
