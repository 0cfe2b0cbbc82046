//! Logs of sessions, each in a file that their settings name: the listener opens these, and the logger writes.

use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::Pid;

use super::order::Order;
use super::{Log, sink};
use crate::sandbox::LOG_FILES;

/// The files that sessions write to, and which session writes to which.
#[derive(Debug)]
pub struct SessionLogs {
    log: Log,
    files: HashMap<PathBuf, File>,
    /// By their process groups.
    sessions: HashMap<Pid, PathBuf>,
    /// The number of the next file.
    next: u32,
    /// What the queue had no room for.
    waiting: VecDeque<(Order, Option<OwnedFd>)>,
}

#[derive(Debug)]
struct File {
    number: u32,
    sessions: usize,
}

impl SessionLogs {
    /// For sessions of the process that has started the logger.
    pub fn new(log: Log) -> SessionLogs {
        SessionLogs {
            log,
            files: HashMap::new(),
            sessions: HashMap::new(),
            next: 0,
            waiting: VecDeque::new(),
        }
    }

    /// Has both halves of a session write to a file from now on, or with the name SYSLOG to none. Where that cannot be, the log says
    /// so, and has their entries.
    pub fn begin(&mut self, session: Pid, keeper: Pid, network: Pid, path: &Path) {
        self.end(session);
        let opened = match sink::is_syslog(path) {
            true => Ok(None),
            false => self.open(path).map(|()| self.files.get_mut(path)),
        };
        let file = match opened {
            Ok(file) => file,
            Err(why) => {
                let path = path.display();
                return self.log.line(&format!("log {path}: {why}"));
            }
        };
        let order = Order::Begin {
            session: number(session),
            keeper: number(keeper),
            network: number(network),
            number: file.map(|file| {
                file.sessions += 1;
                file.number
            }),
        };
        self.sessions.insert(session, path.to_owned());
        self.tell(order, None);
    }

    /// Ends that; nothing for other sessions.
    pub fn end(&mut self, session: Pid) {
        let Some(path) = self.sessions.remove(&session) else {
            return;
        };
        let order = Order::End {
            session: number(session),
        };
        self.tell(order, None);
        if let Some(file) = self.files.get_mut(&path) {
            file.sessions -= 1;
            if file.sessions == 0 {
                let number = file.number;
                self.files.remove(&path);
                self.tell(Order::Close { number }, None);
            }
        }
    }

    /// Opens all files anew, after somebody has renamed them.
    ///
    /// # Errors
    /// What could not be opened; sessions write on to what it was.
    pub fn reopen(&mut self) -> Result<(), String> {
        let mut wrong = Vec::new();
        let files: Vec<_> = (self.files.iter())
            .map(|(path, file)| (path.clone(), file.number))
            .collect();
        for (path, number) in files {
            match sink::file(&path) {
                Ok(opened) => self.tell(Order::File { number }, Some(opened)),
                Err(why) => wrong.push(format!("log {}: {why}", path.display())),
            }
        }
        match wrong.is_empty() {
            true => Ok(()),
            false => Err(wrong.join("; ")),
        }
    }

    /// Tells the logger what it has had no room for.
    pub fn flush(&mut self) {
        while let Some((order, descriptor)) = self.waiting.front() {
            let Some(sent) = self.log.order(*order, descriptor.as_ref().map(AsFd::as_fd)) else {
                return self.waiting.clear();
            };
            if sent == Err(Errno::EAGAIN) {
                return;
            }
            self.waiting.pop_front();
        }
    }

    /// Whether there is something to tell.
    pub fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn open(&mut self, path: &Path) -> Result<(), String> {
        if self.files.contains_key(path) {
            return Ok(());
        }
        if self.files.len() >= usize::from(LOG_FILES) {
            return Err(format!(
                "{LOG_FILES} logs of sessions are open, which is the most; this session's entries are here"
            ));
        }
        if sink::is_standard(path) {
            return Err("only the server's own log goes there".to_owned());
        }
        let opened = sink::file(path)?;
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.tell(Order::File { number }, Some(opened));
        self.files.insert(
            path.to_owned(),
            File {
                number,
                sessions: 0,
            },
        );
        Ok(())
    }

    /// In their order, and without waiting: the listener waits for nobody.
    fn tell(&mut self, order: Order, descriptor: Option<OwnedFd>) {
        self.waiting.push_back((order, descriptor));
        self.flush();
    }
}

fn number(process: Pid) -> u32 {
    // Those of processes are never negative.
    process.as_raw().unsigned_abs()
}
