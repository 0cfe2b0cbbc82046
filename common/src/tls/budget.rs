//! How many signatures one channel gets: so many at once, so many a second, and so many in all. Pure: no clock.

use std::time::{Duration, Instant};

/// A session that is not resumed makes one signature for each data connection. So many of them come at once...
const AT_ONCE: u32 = 200;
/// ... then one in each such time.
const INTERVAL: Duration = Duration::from_millis(10);
/// SECURITY: a session that was taken over has signatures made no longer than this.
const IN_ALL: u32 = 1_000_000;

/// What one channel may still have signed.
#[derive(Debug)]
pub(super) struct Budget {
    left: u32,
    /// When all that was made at once is paid for.
    paid: Instant,
}

/// Whether a signature may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allowance {
    Now,
    /// Not before this time.
    At(Instant),
    Never,
}

impl Budget {
    pub(super) fn new(now: Instant) -> Budget {
        Budget {
            left: IN_ALL,
            paid: now,
        }
    }

    /// Takes one signature from the budget, if there is one now.
    pub(super) fn take(&mut self, now: Instant) -> Allowance {
        let paid = self.paid.max(now);
        let credit = INTERVAL * AT_ONCE;
        if self.left == 0 {
            return Allowance::Never;
        }
        if paid + INTERVAL > now + credit {
            return Allowance::At(paid + INTERVAL - credit);
        }
        self.left -= 1;
        self.paid = paid + INTERVAL;
        Allowance::Now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_followed_by_a_rate() {
        let begin = Instant::now();
        let mut budget = Budget::new(begin);
        for _ in 0..AT_ONCE {
            assert_eq!(budget.take(begin), Allowance::Now);
        }
        let next = begin + INTERVAL;
        assert_eq!(budget.take(begin), Allowance::At(next));
        assert_eq!(budget.take(next), Allowance::Now);
        assert_eq!(budget.take(next), Allowance::At(next + INTERVAL));
        // What was not used is there again, and no more than that.
        let later = next + Duration::from_secs(3600);
        for _ in 0..AT_ONCE {
            assert_eq!(budget.take(later), Allowance::Now);
        }
        assert_ne!(budget.take(later), Allowance::Now);
    }

    #[test]
    fn there_is_an_end() {
        let mut now = Instant::now();
        let mut budget = Budget::new(now);
        budget.left = 2;
        for expected in [Allowance::Now, Allowance::Now, Allowance::Never] {
            now += Duration::from_secs(60);
            assert_eq!(budget.take(now), expected);
        }
    }
}
