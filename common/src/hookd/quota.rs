//! How much may come to a hook within a time, and how much was dropped of it, which the log is to hear of. Pure but for the time
//! that it is given.

use std::time::{Duration, Instant};

use crate::hooks::RateLimit;

/// So often at most the log tells of what was dropped.
const QUIET: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Quota {
    rate: Option<RateLimit>,
    /// Since when events are counted, and how many there were.
    window: Option<(Instant, u32)>,
    dropped: u64,
    told: Option<Instant>,
}

impl Quota {
    pub(super) fn new(rate: Option<RateLimit>) -> Quota {
        Quota {
            rate,
            window: None,
            dropped: 0,
            told: None,
        }
    }

    /// Whether one more may come now.
    pub(super) fn allows(&mut self, now: Instant) -> bool {
        let Some(rate) = self.rate else {
            return true;
        };
        let (since, count) = match self.window {
            Some((since, count)) if now < since + rate.per => (since, count),
            _ => (now, 0),
        };
        self.window = Some((since, count.saturating_add(1)));
        count < rate.count
    }

    pub(super) fn dropped(&mut self) {
        self.dropped = self.dropped.saturating_add(1);
    }

    /// How many events were dropped, if it is time to tell.
    pub(super) fn news(&mut self, now: Instant) -> Option<u64> {
        if self.dropped == 0 || self.told.is_some_and(|told| now < told + QUIET) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.dropped))
    }

    /// When there will be something to tell.
    pub(super) fn due(&self) -> Option<Instant> {
        (self.dropped > 0)
            .then(|| self.told.map(|told| told + QUIET))
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_come_within_a_time_than_the_rate_says() {
        let per = Duration::from_secs(1);
        let mut quota = Quota::new(Some(RateLimit { count: 2, per }));
        let now = Instant::now();
        let allowed: Vec<bool> = (0..4).map(|_| quota.allows(now)).collect();
        assert_eq!(allowed, [true, true, false, false]);
        assert!(quota.allows(now + per));
    }

    #[test]
    fn what_is_dropped_is_told_but_not_too_often() {
        let mut quota = Quota::new(None);
        let now = Instant::now();
        assert_eq!((quota.news(now), quota.due()), (None, None));
        quota.dropped();
        assert_eq!(quota.news(now), Some(1));
        quota.dropped();
        assert_eq!(quota.news(now), None, "not so soon again");
        assert_eq!(quota.news(quota.due().unwrap()), Some(1));
    }
}
