//! How fast a transfer may go. Tells the pump how much may move, until when to wait, or for what; waits for nothing itself.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use crate::listener::Answer;
use crate::rate::{Bucket, Grant, Rate};

/// The pace of a session's transfers in one direction; it goes on from one transfer to the next.
#[derive(Default)]
pub struct Pace {
    own: Option<Kept>,
    shared: Option<Shared>,
}

/// Who hands out pieces of a rate that is shared with other sessions.
pub trait Lessor {
    /// Asks for one: the pipe from which its [`Grant`] comes, or nothing where nobody is there to share with any more.
    fn lease(&mut self) -> Option<OwnedFd>;
}

/// A bucket with the clock that it is asked by.
#[derive(Debug)]
struct Kept {
    bucket: Bucket,
    began: Instant,
}

struct Shared {
    lessor: Box<dyn Lessor>,
    lease: Lease,
    /// What it is, for a session that is left alone with it.
    rate: Rate,
}

enum Lease {
    Spent,
    Asked(Answer<Grant>),
    Granted { left: u64, from: Instant },
}

/// What may move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allowance {
    /// At most so many octets.
    Octets(u64),
    /// None before this instant.
    NotBefore(Instant),
    /// None before [`Pace::awaited`] can be read.
    Awaited,
}

impl Pace {
    /// Of a session that has this rate for itself; without one it is unlimited.
    pub fn new(own: Option<Rate>) -> Pace {
        Pace {
            own: own.map(Kept::new),
            shared: None,
        }
    }

    /// Of a session that shares this rate with others besides.
    #[must_use]
    pub fn sharing(self, rate: Rate, lessor: impl Lessor + 'static) -> Pace {
        let shared = Shared {
            lessor: Box::new(lessor),
            lease: Lease::Spent,
            rate,
        };
        Pace {
            shared: Some(shared),
            ..self
        }
    }

    pub(super) fn allowance(&mut self) -> Allowance {
        let shared = match self.shared.as_mut().map(Shared::allowance) {
            Some(Ok(allowance)) => allowance,
            Some(Err(rate)) => {
                self.keep_alone(rate);
                Allowance::Octets(u64::MAX)
            }
            None => Allowance::Octets(u64::MAX),
        };
        let Allowance::Octets(most) = shared else {
            return shared;
        };
        match self.own.as_ref().map_or(Ok(most), Kept::allowance) {
            Ok(octets) => Allowance::Octets(octets.min(most)),
            Err(again) => Allowance::NotBefore(again),
        }
    }

    /// What [`Allowance::Awaited`] waits for.
    pub(super) fn awaited(&self) -> Option<BorrowedFd<'_>> {
        match &self.shared.as_ref()?.lease {
            Lease::Asked(answer) => Some(answer.as_fd()),
            Lease::Spent | Lease::Granted { .. } => None,
        }
    }

    /// Counts octets that have moved.
    pub(super) fn moved(&mut self, octets: u64) {
        if let Some(Kept { bucket, began }) = &mut self.own {
            bucket.take(octets, began.elapsed());
        }
        if let Some(shared) = &mut self.shared {
            shared.moved(octets);
        }
    }

    /// Nobody hands the shared rate out any more: the session keeps to it by itself.
    fn keep_alone(&mut self, rate: Rate) {
        self.shared = None;
        let own = self.own.as_ref().map(|own| own.bucket.rate());
        self.own = Some(Kept::new(own.map_or(rate, |own| own.min(rate))));
    }
}

impl Kept {
    fn new(rate: Rate) -> Kept {
        Kept {
            bucket: Bucket::new(rate),
            began: Instant::now(),
        }
    }

    fn allowance(&self) -> Result<u64, Instant> {
        let allowance = self.bucket.allowance(self.began.elapsed());
        allowance.map_err(|again| self.began + again)
    }
}

impl Shared {
    /// What the lease allows; `Err` is the rate for a session that nobody shares it with.
    fn allowance(&mut self) -> Result<Allowance, Rate> {
        loop {
            match &self.lease {
                Lease::Spent => {
                    let pipe = self.lessor.lease().ok_or(self.rate)?;
                    self.lease = Lease::Asked(Answer::from(pipe));
                }
                Lease::Asked(answer) => {
                    let Some(grant) = answer.take().map_err(|_| self.rate)? else {
                        return Ok(Allowance::Awaited);
                    };
                    let now = Instant::now();
                    self.lease = Lease::Granted {
                        left: grant.octets,
                        from: now.checked_add(grant.wait).ok_or(self.rate)?,
                    };
                }
                Lease::Granted { from, .. } if *from > Instant::now() => {
                    return Ok(Allowance::NotBefore(*from));
                }
                Lease::Granted { left, .. } => return Ok(Allowance::Octets(*left)),
            }
        }
    }

    fn moved(&mut self, octets: u64) {
        if let Lease::Granted { left, .. } = &mut self.lease {
            *left = left.saturating_sub(octets);
            if *left == 0 {
                self.lease = Lease::Spent;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    struct Nobody;

    impl Lessor for Nobody {
        fn lease(&mut self) -> Option<OwnedFd> {
            None
        }
    }

    fn rate(octets: u64) -> Rate {
        Rate::new(octets).unwrap()
    }

    #[test]
    fn without_rates_all_may_move() {
        assert_eq!(Pace::default().allowance(), Allowance::Octets(u64::MAX));
    }

    #[test]
    fn who_is_alone_keeps_to_the_shared_rate() {
        let mut pace = Pace::new(Some(rate(1 << 20))).sharing(rate(2000), Nobody);
        assert_eq!(pace.allowance(), Allowance::Octets(100));
        pace.moved(2000);
        assert!(matches!(pace.allowance(), Allowance::NotBefore(_)));
    }

    #[test]
    fn a_lease_is_waited_for_and_used_up() {
        struct Pipe(Option<OwnedFd>);
        impl Lessor for Pipe {
            fn lease(&mut self) -> Option<OwnedFd> {
                self.0.take()
            }
        }
        let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_NONBLOCK).unwrap();
        let mut pace = Pace::new(None).sharing(rate(1000), Pipe(Some(reader)));
        assert_eq!(pace.allowance(), Allowance::Awaited);
        assert!(pace.awaited().is_some());
        let grant = Grant {
            octets: 7,
            wait: Duration::ZERO,
        };
        let mut octets = Vec::new();
        crate::wire::Wire::put(&grant, &mut octets);
        nix::unistd::write(&writer, &octets).unwrap();
        assert_eq!(pace.allowance(), Allowance::Octets(7));
        pace.moved(6);
        assert_eq!(pace.allowance(), Allowance::Octets(1));
        pace.moved(1);
        // The pipe gives one lease only: from here on it is alone.
        assert_eq!(pace.allowance(), Allowance::Octets(50));
    }
}
