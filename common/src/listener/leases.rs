//! What sessions may move of the rates that they share: each lease is a piece of time on the rate's own line, handed out in
//! turn, so that nothing is kept for a session but the end of the line. Waits for nothing.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::channel::UserName;
use crate::rate::{Bucket, Direction, Grant, Rate, Rates, WINDOW};

/// After so many users, those whose line is empty are forgotten.
const MOST_USERS: usize = 1024;

#[derive(Debug)]
pub(super) struct Leases {
    began: Instant,
    total: Lines,
    /// Of users who have moved something lately.
    users: HashMap<UserName, (Rates, Lines)>,
}

/// A line for each direction that has a rate.
#[derive(Clone, Copy, Debug)]
struct Lines {
    download: Option<Bucket>,
    upload: Option<Bucket>,
}

impl Lines {
    fn new(rates: Rates) -> Lines {
        Lines {
            download: rates.download.map(Bucket::new),
            upload: rates.upload.map(Bucket::new),
        }
    }

    fn of(&mut self, direction: Direction) -> Option<&mut Bucket> {
        match direction {
            Direction::Download => self.download.as_mut(),
            Direction::Upload => self.upload.as_mut(),
        }
    }

    fn are_empty(&self, now: Duration) -> bool {
        let due = |line: Option<Bucket>| line.is_some_and(|line| line.due() > now);
        !due(self.download) && !due(self.upload)
    }
}

impl Leases {
    pub(super) fn new(total: Rates) -> Leases {
        Leases {
            began: Instant::now(),
            total: Lines::new(total),
            users: HashMap::new(),
        }
    }

    /// Gives another rate to all sessions together. The lines of users stay: their rates come with each question.
    pub(super) fn set_total(&mut self, total: Rates) {
        self.total = Lines::new(total);
    }

    /// The next piece of time for a session of this user.
    pub(super) fn grant(&mut self, user: &UserName, rates: Rates, direction: Direction) -> Grant {
        self.grant_at(self.began.elapsed(), user, rates, direction)
    }

    fn grant_at(
        &mut self,
        now: Duration,
        user: &UserName,
        rates: Rates,
        direction: Direction,
    ) -> Grant {
        if self.users.len() >= MOST_USERS {
            self.users.retain(|_, (_, lines)| !lines.are_empty(now));
        }
        let (known, lines) = self
            .users
            .entry(user.clone())
            .or_insert_with(|| (rates, Lines::new(rates)));
        if *known != rates {
            // The user's settings have changed.
            (*known, *lines) = (rates, Lines::new(rates));
        }
        let mut lines = [lines.of(direction), self.total.of(direction)];
        let shared = || lines.iter().flatten();
        let slowest = shared().map(|line| line.rate()).min();
        let Some(octets) = slowest.map(|rate: Rate| rate.octets_in(WINDOW)) else {
            let wait = Duration::ZERO;
            return Grant {
                octets: u64::MAX,
                wait,
            };
        };
        let start = shared().map(|line| line.due()).max().unwrap_or(now);
        for line in lines.iter_mut().flatten() {
            line.take(octets, now);
        }
        Grant {
            octets,
            wait: start.saturating_sub(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(download: u64) -> Rates {
        Rates {
            download: Rate::new(download),
            upload: None,
        }
    }

    fn user(name: &str) -> UserName {
        UserName::new(name.as_bytes()).unwrap()
    }

    /// Lets sessions ask in turn, each after it has moved what it got, for so long; what each has moved.
    fn shares(total: u64, sessions: &[(&str, u64)], time: Duration) -> Vec<u64> {
        let mut leases = Leases::new(rates(total));
        let mut moved = vec![0; sessions.len()];
        let mut asks = vec![Duration::ZERO; sessions.len()];
        loop {
            let (index, &now) = asks.iter().enumerate().min_by_key(|(_, at)| **at).unwrap();
            if now >= time {
                return moved;
            }
            let (name, own) = sessions[index];
            let grant = leases.grant_at(now, &user(name), rates(own), Direction::Download);
            moved[index] += grant.octets;
            // What is granted without a wait is moved in no time here, and asked for again at once.
            asks[index] = now + grant.wait.max(Duration::from_micros(1));
        }
    }

    fn within(percent: u64, moved: u64, expected: u64) -> bool {
        moved.abs_diff(expected) * 100 <= expected * percent
    }

    #[test]
    fn sessions_of_a_user_share_alike_and_keep_to_the_rate() {
        let moved = shares(0, &[("a", 1 << 20); 4], Duration::from_secs(5));
        assert!(within(5, moved.iter().sum(), 5 << 20), "{moved:?}");
        assert!(
            moved.iter().all(|&one| within(10, one, 5 << 18)),
            "{moved:?}"
        );
    }

    #[test]
    fn the_total_holds_for_all_and_users_do_not_slow_each_other_below_it() {
        let time = Duration::from_secs(5);
        let moved = shares(1 << 20, &[("a", 0), ("b", 0)], time);
        assert!(within(5, moved.iter().sum(), 5 << 20), "{moved:?}");
        let moved = shares(0, &[("a", 1 << 20), ("b", 2 << 20)], time);
        assert!(
            within(5, moved[0], 5 << 20) && within(5, moved[1], 10 << 20),
            "{moved:?}"
        );
    }

    #[test]
    fn the_other_direction_is_free_and_idle_users_are_forgotten() {
        let mut leases = Leases::new(Rates::default());
        let grant = leases.grant_at(Duration::ZERO, &user("a"), rates(1), Direction::Upload);
        assert_eq!((grant.octets, grant.wait), (u64::MAX, Duration::ZERO));
        for count in 0..3 * MOST_USERS {
            let now = Duration::from_secs(count as u64);
            leases.grant_at(
                now,
                &user(&count.to_string()),
                rates(1000),
                Direction::Download,
            );
        }
        assert!(leases.users.len() <= MOST_USERS);
    }
}
