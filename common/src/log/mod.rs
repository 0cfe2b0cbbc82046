//! Log entries and where they go. Entries travel on a descriptor of their own to the logger process, so that logging can
//! neither block a session nor mix with its requests; a full queue drops entries and the loss is counted. The logger can open
//! nothing: when a file was renamed, the listener sends it another one.

mod entry;
mod few;
mod form;
mod logger;
mod look;
mod order;
mod sessions;
mod sink;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, send};
use nix::unistd::getpgrp;

pub use entry::{Fact, Facts};
pub use few::Few;
pub use logger::start;
pub use look::{look_at_directory, look_at_file, look_at_outputs};
pub use sessions::SessionLogs;
pub use sink::{Places, Sinks, is_standard, is_syslog, look};

use self::order::Order;
use crate::settings::LogLevel;
use crate::sys;

/// The longest message, in octets; a sentence that takes more than half of it is cut.
const LONGEST: usize = 4096;

/// A process's access to the log. What a client sent must be escaped in a sentence; facts take it as it is.
#[derive(Clone, Debug)]
pub struct Log {
    queue: Option<Arc<OwnedFd>>,
    level: LogLevel,
    dropped: Arc<AtomicU64>,
    /// The session that entries are about, by its process group.
    session: Option<u64>,
    places: Arc<Places>,
    /// Somebody reads facts.
    wants_facts: bool,
}

impl Log {
    fn of(queue: OwnedFd, level: LogLevel, sinks: Sinks) -> Log {
        Log {
            queue: Some(Arc::new(queue)),
            level,
            dropped: Arc::default(),
            session: None,
            wants_facts: sinks.want_facts(),
            places: Arc::new(sinks.places),
        }
    }

    /// The descriptor that entries leave by.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.queue.as_ref().map(|queue| queue.as_fd())
    }

    /// A log that goes nowhere.
    pub fn nowhere() -> Log {
        Log {
            queue: None,
            level: LogLevel::Logins,
            dropped: Arc::default(),
            session: None,
            places: Arc::default(),
            wants_facts: false,
        }
    }

    /// Tells more or less from now on; copies that were made before go on as they were.
    pub fn set_level(&mut self, level: LogLevel) {
        self.level = level;
    }

    /// Has entries name the session that this process belongs to.
    pub fn begin_session(&mut self) {
        self.session = u64::try_from(getpgrp().as_raw()).ok();
    }

    /// The number of the session that entries are about, as `--who` has it.
    pub fn session(&self) -> Option<u64> {
        self.session
    }

    /// A line about a transfer, made only where it is wanted.
    pub fn transfer(&self, text: impl FnOnce() -> String) {
        if self.level >= LogLevel::Transfers {
            self.line(&text());
        }
    }

    /// Whether anybody is told of transfers.
    pub fn tells_of_transfers(&self) -> bool {
        self.level >= LogLevel::Transfers || self.places.transfers.is_some()
    }

    /// The end of a transfer, which the log of transfers wants too.
    pub fn transferred(&self, text: impl FnOnce() -> String, facts: &Facts<'_>) {
        if self.level >= LogLevel::Transfers {
            self.entry(&text(), facts);
        } else if self.places.transfers.is_some() {
            // Without a sentence it is for that file only.
            self.entry("", facts);
        }
    }

    /// A line about a command, made only where it is wanted.
    pub fn command(&self, text: impl FnOnce() -> String) {
        if self.level >= LogLevel::Commands {
            self.line(&text());
        }
    }

    /// Opens the files anew, after somebody has renamed them, and goes to syslog anew. Only the process that started the logger
    /// can.
    ///
    /// # Errors
    /// What could not be opened, and why; entries go where they went before then.
    pub fn reopen(&self) -> Result<(), String> {
        let Some(queue) = &self.queue else {
            return Ok(());
        };
        let mut wrong = Vec::new();
        for (order, opened) in self.places.reopen() {
            let sent = opened.and_then(|descriptor| {
                sys::send_datagram(queue.as_fd(), &order.encode(), Some(descriptor.as_fd()))
                    .map_err(|errno| errno.to_string())
            });
            wrong.extend(sent.err());
        }
        match wrong.is_empty() {
            true => Ok(()),
            false => Err(wrong.join("; ")),
        }
    }

    /// Whether entries go to this file anyway.
    pub fn writes_to(&self, path: &Path) -> bool {
        self.places.main.as_deref() == Some(path)
    }

    /// Whether syslog has the entries, too.
    pub fn tells_syslog(&self) -> bool {
        self.places.syslog.is_some()
    }

    /// Tells the logger what the process that started it may tell, without waiting; `None` if there is no logger.
    fn order(&self, order: Order, descriptor: Option<BorrowedFd<'_>>) -> Option<Result<(), Errno>> {
        let queue = self.queue.as_ref()?;
        Some(sys::try_send_datagram(
            queue.as_fd(),
            &order.encode(),
            descriptor,
        ))
    }

    /// Hands one line to the logger without waiting; the logger adds the time and the process.
    pub fn line(&self, text: &str) {
        self.entry(text, &[]);
    }

    /// The same with facts.
    pub fn entry(&self, text: &str, facts: &Facts<'_>) {
        let Some(queue) = &self.queue else { return };
        let lost = self.dropped.swap(0, Ordering::Relaxed);
        let mut line = String::new();
        if lost > 0 && !text.is_empty() {
            line.push_str(&format!("({lost} lines lost) "));
        }
        line.push_str(text);
        let mut told: Vec<(&'static str, Fact<'_>)> = Vec::new();
        if self.wants_facts {
            let session = self.session.map(Fact::Number);
            told.extend(session.map(|session| ("session", session)));
            told.extend_from_slice(facts);
        }
        let octets = entry::encode(&line, &told, LONGEST);
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        if send(queue.as_raw_fd(), &octets, flags).is_err() {
            self.dropped.fetch_add(lost + 1, Ordering::Relaxed);
        }
    }
}
