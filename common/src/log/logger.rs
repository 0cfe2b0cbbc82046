//! The logger process: takes entries off the queue and writes them down. It can open nothing.

use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, setsockopt, socketpair, sockopt};
use nix::unistd::{Pid, getpid};

use super::entry::Entry;
use super::form::{self, Stamp};
use super::sink::Sinks;
use super::{LONGEST, Log};
use crate::sandbox::{EmptyRoot, Programs, Role, SandboxError, enter_empty};
use crate::settings::{LogFormat, LogLevel};
use crate::sys::{self, Fork, Wait};

/// What a descriptor that comes from the listener is to be written to for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reopen {
    Main,
    Transfers,
    Syslog,
}

impl Reopen {
    const ALL: [Reopen; 3] = [Reopen::Main, Reopen::Transfers, Reopen::Syslog];

    /// The message that the descriptor comes on.
    pub(super) fn message(self) -> &'static [u8] {
        match self {
            Reopen::Main => b"\0reopen main",
            Reopen::Transfers => b"\0reopen transfers",
            Reopen::Syslog => b"\0reopen syslog",
        }
    }
}

/// Octets that are written at once.
const BATCH: usize = 64 << 10;
/// How long entries are gathered after one was written, in milliseconds.
const GATHER: u8 = 10;

/// Starts the logger process.
///
/// # Errors
/// What socketpair(2) or fork(2) say.
pub fn start(
    sinks: Sinks,
    level: LogLevel,
    programs: &Programs,
    user: u32,
    root: Option<&EmptyRoot>,
) -> Result<Log, Errno> {
    let (queue, writers) = queue()?;
    let starter = getpid();
    match sys::fork()? {
        Fork::Parent(_) => Ok(Log::of(writers, level, sinks)),
        Fork::Child => {
            drop(writers);
            // The file with the rules of the zone is not to be had later.
            let zone = TimeZone::system();
            let ready = {
                let files = [&sinks.main, &sinks.transfers];
                // The port above all must close when the listener does.
                let mut kept = vec![queue.as_fd()];
                kept.extend(files.into_iter().flatten().map(AsFd::as_fd));
                kept.extend(sinks.syslog.as_ref().map(AsFd::as_fd));
                enter_empty(Role::Logger, programs, user, root, &kept)
            };
            let mut logger = Logger {
                sinks,
                zone,
                starter,
                unheard: 0,
            };
            let status = match ready {
                Ok(()) => logger.run(&queue),
                Err(error) => logger.give_up(&error),
            };
            sys::exit(status)
        }
    }
}

/// The end that entries are read from, and the one that they are sent to.
fn queue() -> Result<(OwnedFd, OwnedFd), Errno> {
    let (queue, writers) = socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC,
    )?;
    // SECURITY: a process that was taken over can still write lines, but not in another's name.
    setsockopt(&queue, sockopt::PassCred, &true)?;
    Ok((queue, writers))
}

/// What is taken from the queue at a time.
#[derive(Default)]
struct Collected {
    lines: Vec<u8>,
    transfers: Vec<u8>,
    syslog: Vec<Vec<u8>>,
    /// Where entries go from now on.
    reopened: Option<(Reopen, OwnedFd)>,
}

impl Collected {
    fn is_enough(&self) -> bool {
        self.lines.len() + self.transfers.len() >= BATCH
            || self.syslog.len() * LONGEST >= BATCH
            || self.reopened.is_some()
    }
}

struct Logger {
    sinks: Sinks,
    zone: TimeZone,
    starter: Pid,
    /// Entries that syslog did not take.
    unheard: u64,
}

impl Logger {
    fn give_up(&mut self, error: &SandboxError) -> i32 {
        if let Some(file) = &mut self.sinks.main {
            // There is nobody else to tell.
            let _ = writeln!(file, "logger: {error}");
        }
        1
    }

    /// Writes entries until the last process that could send one has ended.
    fn run(&mut self, queue: &OwnedFd) -> i32 {
        let mut buffer = Vec::new();
        loop {
            let mut ready = [PollFd::new(queue.as_fd(), PollFlags::POLLIN)];
            if poll(&mut ready, PollTimeout::NONE).is_err() {
                continue;
            }
            // SECURITY: an empty message looks like the end; only the hang-up is one.
            let hung_up = ready[0]
                .revents()
                .is_some_and(|events| events.contains(PollFlags::POLLHUP));
            let mut collected = Collected::default();
            let end = self.collect(queue, &mut buffer, hung_up, &mut collected);
            self.write(collected);
            if let Some(status) = end {
                return status;
            }
            // Where one entry came more may follow: they are collected meanwhile, so that a busy server does not wake this
            // process for each of them.
            let _ = poll(&mut [], GATHER);
        }
    }

    /// A full disk must not end the logger: the next entry may fit again.
    fn write(&mut self, collected: Collected) {
        let outlets = [
            (&mut self.sinks.main, &collected.lines),
            (&mut self.sinks.transfers, &collected.transfers),
        ];
        for (file, lines) in outlets {
            if let Some(file) = file.as_mut().filter(|_| !lines.is_empty()) {
                let _ = file.write_all(lines);
            }
        }
        if let Some(socket) = &self.sinks.syslog {
            for message in &collected.syslog {
                if nix::unistd::write(socket, message).is_err() {
                    self.unheard += 1;
                }
            }
        }
        if let Some((what, opened)) = collected.reopened {
            self.sinks.take(what, opened);
        }
    }

    /// Takes what waits in the queue; `Some` is the status to end with.
    fn collect(
        &mut self,
        queue: &OwnedFd,
        buffer: &mut Vec<u8>,
        hung_up: bool,
        collected: &mut Collected,
    ) -> Option<i32> {
        while !collected.is_enough() {
            match sys::receive_datagram(queue.as_fd(), buffer, LONGEST, Wait::No) {
                Ok(datagram) if datagram.length == 0 && hung_up => return Some(0),
                Ok(datagram) if datagram.length == 0 => return None,
                Ok(datagram) => {
                    // SECURITY: whose word it is, the kernel says; nobody else can lead the log elsewhere.
                    let told = Reopen::ALL
                        .into_iter()
                        .find(|what| buffer == what.message());
                    match told.filter(|_| datagram.sender == Some(self.starter)) {
                        Some(what) => {
                            collected.reopened = datagram.descriptor.map(|file| (what, file));
                        }
                        None => {
                            let process = datagram.sender.map_or(0, Pid::as_raw);
                            self.take(process, buffer, collected);
                        }
                    }
                }
                Err(Errno::EAGAIN | Errno::EINTR) => return None,
                // Cut, or with more than one descriptor on it: not from us.
                Err(Errno::EMSGSIZE) => {}
                Err(_) => return Some(1),
            }
        }
        None
    }

    /// Writes one entry in all forms that are wanted.
    fn take(&mut self, process: i32, message: &[u8], collected: &mut Collected) {
        let time = Timestamp::now();
        let (stamp, entry) = (Stamp { time, process }, Entry::decode(message));
        if self.sinks.transfers.is_some() {
            form::transfer(&mut collected.transfers, stamp, &self.zone, &entry);
        }
        if entry.text.is_empty() {
            return;
        }
        if self.sinks.main.is_some() {
            match self.sinks.format {
                LogFormat::Text => form::text(&mut collected.lines, stamp, &entry),
                LogFormat::Json => form::json(&mut collected.lines, stamp, &entry),
            }
        }
        if self.sinks.syslog.is_some() {
            if self.unheard > 0 {
                let text = format!("({} entries were not taken)", self.unheard);
                self.unheard = 0;
                let lost = Entry::decode(text.as_bytes());
                let message = form::syslog(stamp, self.sinks.program, &lost);
                collected.syslog.push(message);
            }
            let message = form::syslog(stamp, self.sinks.program, &entry);
            collected.syslog.push(message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;

    fn logger(starter: Pid) -> Logger {
        let sinks = Sinks {
            main: Some(tempfile::tempfile().unwrap()),
            ..Sinks::default()
        };
        Logger {
            sinks,
            zone: TimeZone::UTC,
            starter,
            unheard: 0,
        }
    }

    fn collect(logger: &mut Logger, queue: &OwnedFd, hung_up: bool) -> (Option<i32>, Collected) {
        let mut collected = Collected::default();
        let end = logger.collect(queue, &mut Vec::new(), hung_up, &mut collected);
        (end, collected)
    }

    #[test]
    fn one_message_is_one_line() {
        let (queue, writers) = queue().unwrap();
        let mut logger = logger(getpid());
        sys::send_datagram(writers.as_fd(), b"a\nforged\x1b[2J line", None).unwrap();
        sys::send_datagram(writers.as_fd(), b"second", None).unwrap();
        let (end, collected) = collect(&mut logger, &queue, false);
        assert_eq!(end, None);
        let lines = String::from_utf8(collected.lines).unwrap();
        let texts: Vec<String> = lines
            .lines()
            .map(|line| line.split_once(' ').unwrap().1.to_owned())
            .collect();
        let own = std::process::id();
        assert_eq!(
            texts,
            [
                format!("[{own}] a?forged?[2J line"),
                format!("[{own}] second")
            ]
        );
        // An empty message is not the end.
        sys::send_datagram(writers.as_fd(), b"", None).unwrap();
        assert_eq!(collect(&mut logger, &queue, false).0, None);
        drop(writers);
        assert_eq!(collect(&mut logger, &queue, true).0, Some(0));
    }

    #[test]
    fn another_file_is_taken_from_the_starter_only() {
        let (queue, writers) = queue().unwrap();
        let file = tempfile::tempfile().unwrap();
        for (starter, taken, lines) in [(getpid(), true, 0), (Pid::from_raw(1), false, 1)] {
            let mut logger = logger(starter);
            let message = Reopen::Transfers.message();
            sys::send_datagram(writers.as_fd(), message, Some(file.as_fd())).unwrap();
            let (end, collected) = collect(&mut logger, &queue, false);
            assert_eq!(end, None);
            let reopened = collected.reopened.map(|(what, _)| what);
            assert_eq!(reopened, taken.then_some(Reopen::Transfers));
            let count = collected
                .lines
                .iter()
                .filter(|&&octet| octet == b'\n')
                .count();
            assert_eq!(count, lines);
        }
    }

    #[test]
    fn syslog_that_is_gone_or_full_stops_nothing_and_the_loss_is_told() {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let mut logger = logger(getpid());
        logger.sinks.syslog = Some(ours.into());
        logger.sinks.program = "ftpd";
        let mut tell = |text: &[u8]| {
            let mut collected = Collected::default();
            logger.take(7, text, &mut collected);
            logger.write(collected);
            logger.unheard
        };
        let mut sent = 0;
        while tell(b"line") == 0 {
            sent += 1;
            assert!(sent < 100_000, "a queue without an end");
        }
        let mut buffer = [0; 500];
        let mut receive = || {
            let count = theirs.recv(&mut buffer).unwrap();
            String::from_utf8(buffer[..count].to_vec()).unwrap()
        };
        for _ in 0..sent {
            let message = receive();
            assert!(
                message.starts_with("<94>1 2") && message.ends_with(" - ftpd 7 - - line"),
                "{message}"
            );
        }
        assert_eq!(tell(b"again"), 0);
        assert!(receive().ends_with("(1 entries were not taken)"));
        assert!(receive().ends_with("again"));
        drop(theirs);
        assert_eq!(tell(b"nobody"), 1);
    }
}
