//! Rates of transfer, and what they allow at a time. Pure: the clock is the caller's, who counts from a beginning of its own.

use std::num::NonZeroU64;
use std::time::Duration;

/// Octets per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(NonZeroU64);

/// A rate for each direction; without one it is unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// From here to the client.
    pub download: Option<Rate>,
    /// From the client to here.
    pub upload: Option<Rate>,
}

impl Rates {
    pub fn is_unlimited(&self) -> bool {
        *self == Rates::default()
    }

    /// For each direction the slower of both.
    #[must_use]
    pub fn slower(self, other: Rates) -> Rates {
        let slower = |direction| {
            let both = [self.of(direction), other.of(direction)];
            both.into_iter().flatten().min()
        };
        Rates {
            download: slower(Direction::Download),
            upload: slower(Direction::Upload),
        }
    }

    pub fn of(&self, direction: Direction) -> Option<Rate> {
        match direction {
            Direction::Download => self.download,
            Direction::Upload => self.upload,
        }
    }
}

/// Which way data moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From here to the client.
    Download,
    /// From the client to here.
    Upload,
}

/// What a session may move of a rate that it shares with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    pub octets: u64,
    /// How long to wait before.
    pub wait: Duration,
}

/// So much time's worth of octets may move at once: long enough that waking up for them costs little, short enough that no
/// person sees it.
pub const WINDOW: Duration = Duration::from_millis(50);

impl Rate {
    /// `None` for zero, which would be no rate but a stop.
    pub fn new(octets_per_second: u64) -> Option<Rate> {
        NonZeroU64::new(octets_per_second).map(Rate)
    }

    pub fn octets_per_second(self) -> u64 {
        self.0.get()
    }

    /// How long so many octets take.
    pub fn time_of(self, octets: u64) -> Duration {
        let nanos = u128::from(octets) * 1_000_000_000 / u128::from(self.0.get());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// How many octets move in so long; at least one.
    pub fn octets_in(self, time: Duration) -> u64 {
        let octets = u128::from(self.0.get()) * time.as_nanos() / 1_000_000_000;
        u64::try_from(octets).unwrap_or(u64::MAX).max(1)
    }
}

/// Holds what moves to a rate: in any span of time no more than that time's worth and two windows'.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    rate: Rate,
    /// When all that has moved would have moved at the rate; before that, it is ahead of its time.
    due: Duration,
}

impl Bucket {
    pub fn new(rate: Rate) -> Bucket {
        let due = Duration::ZERO;
        Bucket { rate, due }
    }

    /// How many octets may move now, or when to ask again.
    ///
    /// # Errors
    /// Nothing before this time.
    pub fn allowance(&self, now: Duration) -> Result<u64, Duration> {
        let ahead = self.due.saturating_sub(now);
        match WINDOW.checked_sub(ahead) {
            // Few octets at a time would be many times.
            Some(open) if open >= WINDOW / 2 => Ok(self.rate.octets_in(open)),
            _ => Err(self.due),
        }
    }

    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// When the next octets would be in time.
    pub fn due(&self) -> Duration {
        self.due
    }

    /// Counts octets that have moved. A window that was missed is made up for, more is not.
    pub fn take(&mut self, octets: u64, now: Duration) {
        let from = self.due.max(now.saturating_sub(WINDOW));
        self.due = from.saturating_add(self.rate.time_of(octets));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(octets: u64) -> Rate {
        Rate::new(octets).unwrap()
    }

    /// Moves all that is allowed for so long, waking up `late`; tells how much that was.
    fn moved_in(rate: Rate, time: Duration, late: impl Fn(u64) -> Duration) -> u64 {
        let (mut now, mut bucket, mut moved) = (Duration::ZERO, Bucket::new(rate), 0);
        for count in 0.. {
            if now >= time {
                break;
            }
            match bucket.allowance(now) {
                Ok(octets) => {
                    bucket.take(octets, now);
                    moved += octets;
                }
                Err(again) => {
                    assert!(again > now, "a wait that is none would be a busy loop");
                    now = again + late(count);
                }
            }
        }
        moved
    }

    #[test]
    fn five_seconds_are_within_five_percent_at_any_rate() {
        for octets in [100 << 10, 50 << 20, 10 << 30] {
            let time = Duration::from_secs(5);
            let moved = moved_in(rate(octets), time, |n| Duration::from_micros(n % 7 * 300));
            #[expect(clippy::cast_precision_loss, reason = "a ratio")]
            let ratio = moved as f64 / (octets * 5) as f64;
            assert!((0.95..1.05).contains(&ratio), "{octets}: {ratio}");
        }
    }

    #[test]
    fn a_crawl_moves_octet_by_octet() {
        assert_eq!(
            moved_in(rate(1), Duration::from_secs(10), |_| Duration::ZERO),
            10
        );
    }

    proptest! {
        #[test]
        fn no_span_has_more_than_its_time_and_two_windows(
            octets in 1u64..1 << 40,
            pauses in proptest::collection::vec(0u64..400_000, 1..60),
        ) {
            let rate = rate(octets);
            let (mut now, mut bucket) = (Duration::ZERO, Bucket::new(rate));
            let mut moved = 0;
            for pause in pauses {
                while let Ok(most) = bucket.allowance(now) {
                    bucket.take(most, now);
                    moved += most;
                }
                let most = rate.octets_in(now + 2 * WINDOW) + 1;
                prop_assert!(moved <= most, "{moved} of {most}");
                now += Duration::from_micros(pause);
            }
        }

        #[test]
        fn no_number_of_octets_is_too_much(octets in 1u64.., moved: u64) {
            let mut bucket = Bucket::new(rate(octets));
            bucket.take(moved, Duration::ZERO);
            let _ = bucket.allowance(Duration::MAX);
        }
    }
}
