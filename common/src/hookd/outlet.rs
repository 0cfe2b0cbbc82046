//! Hooks that run no program: their sinks, and how much may go to each. It waits for nobody.

use std::cell::Cell;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use nix::poll::PollFlags;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use super::queue::Urgency;
use super::quota::Quota;
use crate::hooks::{Action, Event, Hook, Id, Phase, Webhook};
use crate::log::Log;
use crate::sandbox;
use crate::sinks::{Notice, Sink, webhook};

/// How long sinks that take nothing are waited for when nothing else is left to do.
const PATIENCE: Duration = Duration::from_secs(5);

struct Outlet {
    hook: Hook,
    sink: Sink,
    quota: Quota,
}

pub(super) struct Outlets {
    all: Vec<Outlet>,
    log: Log,
    /// Until when they are waited for, once nothing else is left to do.
    closing: Option<Instant>,
}

/// What the processes of webhooks are made with.
#[derive(Clone, Debug)]
pub(super) struct Posting {
    pub(super) programs: sandbox::Programs,
    pub(super) user: u32,
    pub(super) log: Log,
}

impl Outlets {
    /// Takes the hooks that have sinks; the others are not for here.
    pub(super) fn new(hooks: Vec<Hook>, posting: &Posting) -> Outlets {
        let outlet = |hook: Hook| {
            let sink = match &hook.action {
                Action::Webhook(webhook) => Some(Sink::webhook(
                    webhook,
                    hook.queue,
                    starter(webhook, posting),
                )),
                action => Sink::new(action, hook.queue),
            };
            let quota = Quota::new(hook.rate);
            sink.map(|sink| Outlet { hook, sink, quota })
        };
        Outlets {
            all: hooks.into_iter().filter_map(outlet).collect(),
            log: posting.log.clone(),
            closing: None,
        }
    }

    /// Takes an event for every sink that is for it; gives how many have it.
    pub(super) fn take(&mut self, event: &Event, phase: Phase, urgency: Urgency) -> usize {
        let now = Instant::now();
        let mut json = None;
        let mut count = 0;
        for outlet in &mut self.all {
            if !outlet.hook.is_for(event, phase) {
                continue;
            }
            let notice = Notice {
                id: event.id,
                kind: event.kind,
                json: json.get_or_insert_with(|| event.to_json()).clone(),
            };
            let allowed = outlet.quota.allows(now);
            if urgency == Urgency::Kept {
                outlet.sink.push_kept(notice);
                count += 1;
            } else if allowed && outlet.sink.push(notice) {
                count += 1;
            } else {
                outlet.quota.dropped();
            }
        }
        count
    }

    /// What to wait for.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        self.all
            .iter()
            .filter_map(|outlet| outlet.sink.descriptor())
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let now = Instant::now();
        let work = self
            .all
            .iter()
            .filter_map(|outlet| outlet.sink.deadline(now));
        let due = self.all.iter().filter_map(|outlet| outlet.quota.due());
        work.chain(due).chain(self.closing).min()
    }

    /// Writes what can be written now; gives the events that a sink is done with.
    pub(super) fn work(&mut self, now: Instant) -> Vec<Id> {
        let mut done = Vec::new();
        for outlet in &mut self.all {
            let report = outlet.sink.work(now);
            for line in report.said {
                self.log.line(&line);
            }
            done.extend(report.delivered);
            done.extend(report.refused);
            if let Some(count) = outlet.quota.news(now) {
                self.log.line(&format!(
                    "{}: {count} events were dropped: its queue of {} is full, or its rate is exceeded",
                    outlet.sink, outlet.hook.queue
                ));
            }
        }
        done
    }

    /// Whether nothing waits, or nobody will wait for it any more: for when nothing else is left to do.
    pub(super) fn have_ended(&mut self, now: Instant) -> bool {
        if self.all.iter().all(|outlet| outlet.sink.waiting() == 0) {
            return true;
        }
        let end = *self.closing.get_or_insert(now + PATIENCE);
        if now < end {
            return false;
        }
        for outlet in &self.all {
            let count = outlet.sink.waiting();
            if count > 0 {
                self.log.line(&format!(
                    "{}: {count} events still wait at the end",
                    outlet.sink
                ));
            }
        }
        true
    }
}

/// Starts the process of a webhook, after the end of the one before.
fn starter(hook: &Webhook, posting: &Posting) -> webhook::Starter {
    let (hook, posting) = (hook.clone(), posting.clone());
    let former: Cell<Option<Pid>> = Cell::new(None);
    Box::new(move || {
        if let Some(process) = former.take() {
            // It is our child and not collected yet, so the number is its own.
            let _ = kill(process, Signal::SIGKILL);
            let _ = waitpid(process, None);
        }
        let Posting {
            programs,
            user,
            log,
        } = &posting;
        let (process, channel) = webhook::start(&hook, programs, *user, log)?;
        former.set(Some(process));
        Ok(channel)
    })
}
