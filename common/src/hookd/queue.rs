//! What waits for the program of one hook: bounded in number, in how much goes on at a time, and in how much within a time. What is
//! too much is dropped and counted.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Instant;

use super::guest::Identity;
use super::quota::Quota;
use crate::hooks::{Event, Hook};

/// One run of a program for an event.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) event: Rc<Event>,
    pub(super) identity: Option<Rc<Identity>>,
    pub(super) file: Option<Rc<OwnedFd>>,
    /// The question that waits for it.
    pub(super) question: Option<u64>,
    pub(super) urgency: Urgency,
}

/// Whether an event may be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// Where there is no place for it.
    MayWait,
    /// It is in the spool, and waits there as long as it must.
    Kept,
}

#[derive(Debug)]
pub(super) struct Queue {
    pub(super) hook: Hook,
    pub(super) quota: Quota,
    waiting: VecDeque<Job>,
    running: u32,
}

impl Queue {
    pub(super) fn new(hook: Hook) -> Queue {
        Queue {
            quota: Quota::new(hook.rate),
            hook,
            waiting: VecDeque::new(),
            running: 0,
        }
    }

    /// Takes a job, or gives it back where there is no place for it.
    pub(super) fn push(&mut self, job: Job, now: Instant) -> Result<(), Job> {
        let free = self.running < self.hook.concurrency;
        let room = usize::try_from(self.hook.queue).unwrap_or(usize::MAX);
        let fits = self.quota.allows(now) && (free || self.waiting.len() < room);
        if !fits && job.urgency == Urgency::MayWait {
            self.quota.dropped();
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
}

#[cfg(test)]
mod tests {
    use super::super::message::Happened;
    use super::*;
    use crate::hooks::{Action, Exec, Kind, Trigger};
    use crate::proto::verbs::VerbSet;

    fn job() -> Job {
        Job {
            event: Rc::new(super::super::guest::of_daemon(&Happened::new(Kind::Start))),
            identity: None,
            file: None,
            question: None,
            urgency: Urgency::MayWait,
        }
    }

    #[test]
    fn what_finds_no_place_is_dropped_and_counted() {
        let trigger = Trigger {
            events: [Kind::Upload].into_iter().collect(),
            verbs: VerbSet::NONE,
        };
        let exec = Exec::new("/bin/true".into(), Vec::new());
        let mut hook = Hook::new(trigger, Action::Exec(Box::new(exec)));
        (hook.concurrency, hook.queue) = (1, 1);
        let mut queue = Queue::new(hook);
        let now = Instant::now();
        assert!(queue.push(job(), now).is_ok());
        assert!(queue.next().is_some());
        assert!(queue.push(job(), now).is_ok());
        assert!(queue.next().is_none(), "one at a time");
        assert!(queue.push(job(), now).is_err());
        assert_eq!(queue.quota.news(now), Some(1));
        let kept = Job {
            urgency: Urgency::Kept,
            ..job()
        };
        assert!(queue.push(kept, now).is_ok(), "what is kept is not dropped");
        queue.done();
        assert!(queue.next().is_some());
    }
}
