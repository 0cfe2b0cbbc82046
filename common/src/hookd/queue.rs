//! What waits for one hook: bounded in number, in how much goes on at a time, and in how much within a time. What is too much is
//! dropped and counted, and the log tells of it.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::guest::Identity;
use crate::hooks::{Event, Hook};

/// So often at most the log tells of what was dropped.
const QUIET: Duration = Duration::from_secs(10);

/// One delivery of an event to a hook.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) event: Rc<Event>,
    pub(super) identity: Option<Rc<Identity>>,
    pub(super) file: Option<Rc<OwnedFd>>,
    /// The question that waits for it.
    pub(super) question: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Queue {
    pub(super) hook: Hook,
    waiting: VecDeque<Job>,
    running: u32,
    /// Since when events are counted, and how many there were.
    window: Option<(Instant, u32)>,
    dropped: u64,
    told: Option<Instant>,
}

impl Queue {
    pub(super) fn new(hook: Hook) -> Queue {
        Queue {
            hook,
            waiting: VecDeque::new(),
            running: 0,
            window: None,
            dropped: 0,
            told: None,
        }
    }

    /// Takes a job, or gives it back where there is no place for it.
    pub(super) fn push(&mut self, job: Job, now: Instant) -> Result<(), Job> {
        let free = self.running < self.hook.concurrency;
        let room = usize::try_from(self.hook.queue).unwrap_or(usize::MAX);
        if self.exceeds_rate(now) || (!free && self.waiting.len() >= room) {
            self.dropped += 1;
            return Err(job);
        }
        self.waiting.push_back(job);
        Ok(())
    }

    /// The next job, if one may begin. It runs until [`done`](Self::done).
    pub(super) fn next(&mut self) -> Option<Job> {
        if self.running >= self.hook.concurrency.max(1) {
            return None;
        }
        let job = self.waiting.pop_front()?;
        self.running += 1;
        Some(job)
    }

    pub(super) fn done(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    pub(super) fn is_idle(&self) -> bool {
        self.running == 0 && self.waiting.is_empty()
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

    fn exceeds_rate(&mut self, now: Instant) -> bool {
        let Some(rate) = self.hook.rate else {
            return false;
        };
        let (since, count) = match self.window {
            Some((since, count)) if now < since + rate.per => (since, count),
            _ => (now, 0),
        };
        self.window = Some((since, count.saturating_add(1)));
        count >= rate.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hooks::{Action, Exec, Kind, RateLimit, Trigger};
    use crate::proto::verbs::VerbSet;

    fn queue() -> Queue {
        let trigger = Trigger {
            events: [Kind::Upload].into_iter().collect(),
            verbs: VerbSet::NONE,
        };
        let exec = Exec::new("/bin/true".into(), Vec::new());
        Queue::new(Hook::new(trigger, Action::Exec(Box::new(exec))))
    }

    fn job() -> Job {
        Job {
            event: Rc::new(super::super::guest::of_daemon(Kind::Start, b"")),
            identity: None,
            file: None,
            question: None,
        }
    }

    #[test]
    fn what_finds_no_place_is_dropped_and_counted() {
        let mut queue = queue();
        (queue.hook.concurrency, queue.hook.queue) = (1, 1);
        let now = Instant::now();
        assert!(queue.push(job(), now).is_ok());
        assert!(queue.next().is_some());
        assert!(queue.push(job(), now).is_ok());
        assert!(queue.next().is_none(), "one at a time");
        assert!(queue.push(job(), now).is_err());
        assert_eq!(queue.news(now), Some(1));
        assert!(queue.push(job(), now).is_err());
        assert_eq!(queue.news(now), None, "not so soon again");
        assert_eq!(queue.news(queue.due().unwrap()), Some(1));
        queue.done();
        assert!(queue.next().is_some());
    }

    #[test]
    fn no_more_begin_within_a_time_than_the_rate_says() {
        let mut queue = queue();
        let per = Duration::from_secs(1);
        queue.hook.rate = Some(RateLimit { count: 2, per });
        let now = Instant::now();
        let taken: Vec<bool> = (0..4).map(|_| queue.push(job(), now).is_ok()).collect();
        assert_eq!(taken, [true, true, false, false]);
        assert!(queue.push(job(), now + per).is_ok());
    }
}
