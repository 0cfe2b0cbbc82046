//! Where events go without a program: a FIFO, a file, a Unix socket, the journal, a web server. Hookd runs them in its poll loop, so
//! nothing here ever waits: what cannot be written now stays in a queue with a bound, and what finds no place is counted.

mod fifo;
mod file;
mod socket;
pub mod webhook;

use std::collections::VecDeque;
use std::fmt;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::PollFlags;

use self::fifo::Fifo;
use self::file::File;
use self::socket::{Datagrams, Stream};
use self::webhook::{Starter, Webhook};
use crate::hooks::{self, Action, Id, Kind};
use crate::journal;

/// The first pause after trouble; each one is twice the one before.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How many events are written before the others in the poll loop have their turn.
const TURN: usize = 64;

/// An event on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub id: Id,
    pub kind: Kind,
    /// The event as one line, without the line's end.
    pub json: String,
}

/// A sink with the events that wait for it.
pub struct Sink {
    target: Target,
    waiting: VecDeque<Notice>,
    most: usize,
    /// Octets of the first event that are written.
    written: usize,
    /// Whether the target is full, so that poll(2) tells when to go on.
    full: bool,
    pause: Duration,
    again: Option<Instant>,
}

enum Target {
    Datagrams(Datagrams),
    Fifo(Fifo),
    File(File),
    Stream(Stream),
    Webhook(Webhook),
}

/// What became of events.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// They are where they should be.
    pub delivered: Vec<Id>,
    /// They can never get there.
    pub refused: Vec<Id>,
    /// What to log: the trouble when it begins, and its end.
    pub said: Vec<String>,
}

/// Why an event, or a part of it, was not written.
#[derive(Debug, PartialEq, Eq)]
enum Trouble {
    /// There is no room: poll(2) tells when there is.
    Full,
    /// The target is not there or is gone; the event is written again from its beginning.
    Gone(String),
    /// The target takes no more for now, and keeps what it has of the event.
    Stuck(String),
    /// This event will never be taken.
    Refused(String),
}

impl Sink {
    /// The sink of an action, for `most` waiting events; `None` for a program, and for a webhook, which needs a process.
    pub fn new(action: &Action, most: u32) -> Option<Sink> {
        let target = match action {
            Action::Fifo(path) => Target::Fifo(Fifo::new(path)),
            Action::File(path) => Target::File(File::new(path)),
            Action::UnixDatagram(path) => Target::Datagrams(Datagrams::new(path, false)),
            Action::UnixStream(path) => Target::Stream(Stream::new(path)),
            Action::Journald => Target::Datagrams(Datagrams::new(journal::SOCKET.as_ref(), true)),
            Action::Exec(_) | Action::Webhook(_) => return None,
        };
        Some(Sink::of(target, most))
    }

    /// The sink of a webhook, whose process `start` starts, now and whenever it has ended.
    pub fn webhook(hook: &hooks::Webhook, most: u32, start: Starter) -> Sink {
        Sink::of(Target::Webhook(Webhook::new(hook, start)), most)
    }

    fn of(target: Target, most: u32) -> Sink {
        Sink {
            target,
            waiting: VecDeque::new(),
            most: usize::try_from(most).unwrap_or(usize::MAX),
            written: 0,
            full: false,
            pause: PAUSE,
            again: None,
        }
    }

    /// Takes an event; `false` if there is no place for it.
    pub fn push(&mut self, notice: Notice) -> bool {
        if self.waiting.len() >= self.most {
            return false;
        }
        self.waiting.push_back(notice);
        true
    }

    /// Takes an event that waits somewhere in any case, as many as there may be.
    pub fn push_kept(&mut self, notice: Notice) {
        self.waiting.push_back(notice);
    }

    /// How many events wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// What poll(2) shall watch, where the target is full.
    pub fn descriptor(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        if !self.full || self.waiting.is_empty() {
            return None;
        }
        let descriptor = match &self.target {
            Target::Datagrams(target) => target.descriptor(),
            Target::Fifo(target) => target.descriptor(),
            Target::File(_) => None,
            Target::Stream(target) => target.descriptor(),
            Target::Webhook(target) => return target.descriptor(),
        };
        descriptor.map(|descriptor| (descriptor, PollFlags::POLLOUT))
    }

    /// When to call [`Sink::work`] again whatever poll(2) says.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        if self.waiting.is_empty() {
            return None;
        }
        self.again.or_else(|| (!self.full).then_some(now))
    }

    /// Writes what can be written now.
    pub fn work(&mut self, now: Instant) -> Report {
        let mut report = Report::default();
        if self.again.is_some_and(|again| now < again) {
            return report;
        }
        self.full = false;
        for _ in 0..TURN {
            let Some(notice) = self.waiting.front() else {
                break;
            };
            match self.target.write(notice, self.written) {
                Ok(Some(written)) => self.written += written,
                Ok(None) => {
                    report.delivered.push(notice.id);
                    self.next();
                    if self.again.take().is_some() {
                        self.pause = PAUSE;
                        report.said.push(format!("{self}: works again"));
                    }
                }
                Err(Trouble::Full) => {
                    self.full = true;
                    break;
                }
                Err(Trouble::Refused(why)) => {
                    report.refused.push(notice.id);
                    report
                        .said
                        .push(format!("{self}: event {} is lost: {why}", notice.id));
                    self.next();
                }
                Err(Trouble::Gone(why)) => {
                    self.written = 0;
                    self.rest(now, why, &mut report);
                    break;
                }
                Err(Trouble::Stuck(why)) => {
                    self.rest(now, why, &mut report);
                    break;
                }
            }
        }
        report
    }

    fn next(&mut self) {
        self.waiting.pop_front();
        self.written = 0;
    }

    fn rest(&mut self, now: Instant, why: String, report: &mut Report) {
        if self.again.is_none() {
            report.said.push(format!("{self}: {why}; events wait"));
        }
        self.again = Some(now + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

impl fmt::Display for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, path) = match &self.target {
            Target::Datagrams(target) => ("socket", target.path()),
            Target::Fifo(target) => ("FIFO", target.path()),
            Target::File(target) => ("file", target.path()),
            Target::Stream(target) => ("socket", target.path()),
            Target::Webhook(target) => return write!(f, "hook to {}", target.host()),
        };
        write!(f, "hook to the {what} {}", path.display())
    }
}

impl Target {
    /// Writes the event from octet `written` on. `Some` is a part of it, `None` all that was left.
    fn write(&mut self, notice: &Notice, written: usize) -> Result<Option<usize>, Trouble> {
        match self {
            Target::Datagrams(target) => target.write(notice).map(|()| None),
            Target::Fifo(target) => target.write(notice, written),
            Target::File(target) => target.write(notice, written),
            Target::Stream(target) => target.write(notice, written),
            Target::Webhook(target) => target.write(notice).map(|()| None),
        }
    }
}

/// The rest of an event's line from octet `written` on.
fn line(notice: &Notice, written: usize) -> Vec<u8> {
    let mut line = notice.json.clone().into_bytes();
    line.push(b'\n');
    line.split_off(written.min(line.len()))
}

/// What a count of octets means, of those that were to be written.
fn progress(count: usize, of: usize) -> Option<usize> {
    (count < of).then_some(count)
}

/// What an error of a call means where anything but a full target is its end.
fn gone(call: &str, errno: Errno) -> Trouble {
    match errno {
        Errno::EAGAIN | Errno::EINTR => Trouble::Full,
        errno => Trouble::Gone(format!("{call}: {}", errno.desc())),
    }
}

#[cfg(test)]
mod tests;
