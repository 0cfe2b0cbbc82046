//! How fast a transfer may go. Waits for nothing itself: it tells the pump until when to wait.

use std::time::Instant;

use crate::rate::{Bucket, Rate};

/// The pace of a session's transfers in one direction; it goes on from one transfer to the next.
#[derive(Debug, Default)]
pub struct Pace {
    own: Option<Kept>,
}

/// A bucket with the clock that it is asked by.
#[derive(Debug)]
struct Kept {
    bucket: Bucket,
    began: Instant,
}

/// What may move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allowance {
    /// At most so many octets.
    Octets(u64),
    /// None before this instant.
    NotBefore(Instant),
}

impl Pace {
    /// Of a session that has this rate for itself; without one it is unlimited.
    pub fn new(own: Option<Rate>) -> Pace {
        Pace {
            own: own.map(|rate| Kept {
                bucket: Bucket::new(rate),
                began: Instant::now(),
            }),
        }
    }

    pub(super) fn allowance(&self) -> Allowance {
        match &self.own {
            None => Allowance::Octets(u64::MAX),
            Some(Kept { bucket, began }) => match bucket.allowance(began.elapsed()) {
                Ok(octets) => Allowance::Octets(octets),
                Err(again) => Allowance::NotBefore(*began + again),
            },
        }
    }

    /// Counts octets that have moved.
    pub(super) fn moved(&mut self, octets: u64) {
        if let Some(Kept { bucket, began }) = &mut self.own {
            bucket.take(octets, began.elapsed());
        }
    }
}
