//! The logger process: takes entries off the queue and writes them down. It can open nothing.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
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
use super::order::Order;
use super::sink::Sinks;
use super::{LONGEST, Log};
use crate::part::Part;
use crate::sandbox::{EmptyRoot, Programs, Role, SandboxError, enter_empty};
use crate::settings::{LogFormat, LogLevel};
use crate::sys::{self, Fork, Wait};

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
            Part::Logger.begin();
            drop(writers);
            // The file with the rules of the zone is not to be had later.
            let zone = TimeZone::system();
            let ready = {
                let files = [&sinks.main, &sinks.transfers];
                // The port above all must close when the listener does.
                let mut kept = vec![queue.as_fd()];
                kept.extend(files.into_iter().flatten().map(AsFd::as_fd));
                let sockets = [&sinks.syslog, &sinks.journal];
                kept.extend(sockets.into_iter().flatten().map(AsFd::as_fd));
                enter_empty(Role::Logger, programs, user, root, &kept)
            };
            let mut logger = Logger::new(sinks, zone, starter);
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
    journal: Vec<Vec<u8>>,
    /// Lines of sessions that have a file, by its number.
    sessions: BTreeMap<u32, Vec<u8>>,
    /// What is done once all of that is written.
    order: Option<(Order, Option<OwnedFd>)>,
}

impl Collected {
    fn is_enough(&self) -> bool {
        let sessions: usize = self.sessions.values().map(Vec::len).sum();
        self.lines.len() + self.transfers.len() + sessions >= BATCH
            || (self.syslog.len() + self.journal.len()) * LONGEST >= BATCH
            || self.order.is_some()
    }
}

struct Logger {
    sinks: Sinks,
    zone: TimeZone,
    starter: Pid,
    /// Entries that syslog did not take, and the journal.
    unheard: [u64; 2],
    files: HashMap<u32, File>,
    /// Processes whose entries go elsewhere: of which session they are, and the file's number, if it is one.
    members: HashMap<u32, (u32, Option<u32>)>,
}

impl Logger {
    fn new(sinks: Sinks, zone: TimeZone, starter: Pid) -> Logger {
        Logger {
            sinks,
            zone,
            starter,
            unheard: [0; 2],
            files: HashMap::new(),
            members: HashMap::new(),
        }
    }

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
        for (number, lines) in &collected.sessions {
            if let Some(file) = self.files.get_mut(number) {
                let _ = file.write_all(lines);
            }
        }
        let sockets = [
            (&self.sinks.syslog, &collected.syslog),
            (&self.sinks.journal, &collected.journal),
        ];
        for ((socket, messages), unheard) in sockets.into_iter().zip(&mut self.unheard) {
            let Some(socket) = socket else { continue };
            for message in messages {
                if nix::unistd::write(socket, message).is_err() {
                    *unheard += 1;
                }
            }
        }
        if let Some((order, descriptor)) = collected.order {
            self.follow(order, descriptor);
        }
    }

    fn follow(&mut self, order: Order, descriptor: Option<OwnedFd>) {
        match (order, descriptor) {
            (Order::File { number }, Some(file)) => {
                self.files.insert(number, File::from(file));
            }
            (Order::Close { number }, _) => {
                self.files.remove(&number);
            }
            (
                Order::Begin {
                    session,
                    keeper,
                    network,
                    number,
                },
                _,
            ) => {
                let members = [keeper, network].map(|process| (process, (session, number)));
                self.members.extend(members);
            }
            (Order::End { session }, _) => self.members.retain(|_, (of, _)| *of != session),
            (order, Some(opened)) => self.sinks.take(order, opened),
            (_, None) => {}
        }
    }

    /// The lines that an entry of this process is added to: those of its session's file or the main one, if there is one.
    ///
    /// SECURITY: by what the listener has said, and not by what the entry says.
    fn lines_of<'a>(&self, process: i32, collected: &'a mut Collected) -> Option<&'a mut Vec<u8>> {
        let member = u32::try_from(process)
            .ok()
            .and_then(|process| self.members.get(&process));
        match member {
            Some((_, None)) => None,
            Some((_, Some(number))) if self.files.contains_key(number) => {
                Some(collected.sessions.entry(*number).or_default())
            }
            _ => self.sinks.main.as_ref().map(|_| &mut collected.lines),
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
                    let from_starter = datagram.sender == Some(self.starter);
                    match Order::decode(buffer).filter(|_| from_starter) {
                        Some(order) => collected.order = Some((order, datagram.descriptor)),
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
        match (self.lines_of(process, collected), self.sinks.format) {
            (Some(lines), LogFormat::Text) => form::text(lines, stamp, &entry),
            (Some(lines), LogFormat::Json) => form::json(lines, stamp, &entry),
            (None, _) => {}
        }
        type Form = fn(Stamp, &str, &Entry<'_>) -> Vec<u8>;
        let sockets: [(_, Form, _); 2] = [
            (&self.sinks.syslog, form::syslog, &mut collected.syslog),
            (&self.sinks.journal, form::journal, &mut collected.journal),
        ];
        for ((socket, form, messages), unheard) in sockets.into_iter().zip(&mut self.unheard) {
            if socket.is_none() {
                continue;
            }
            let lost = std::mem::take(unheard);
            if lost > 0 {
                let text = format!("({lost} entries were not taken)");
                let lost = Entry::decode(text.as_bytes());
                messages.push(form(stamp, self.sinks.program, &lost));
            }
            messages.push(form(stamp, self.sinks.program, &entry));
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
        Logger::new(sinks, TimeZone::UTC, starter)
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
            let message = Order::Transfers.encode();
            sys::send_datagram(writers.as_fd(), &message, Some(file.as_fd())).unwrap();
            let (end, collected) = collect(&mut logger, &queue, false);
            assert_eq!(end, None);
            let order = collected.order.map(|(order, _)| order);
            assert_eq!(order, taken.then_some(Order::Transfers));
            let count = collected
                .lines
                .iter()
                .filter(|&&octet| octet == b'\n')
                .count();
            assert_eq!(count, lines);
        }
    }

    #[test]
    fn a_session_has_a_file_of_its_own_and_nobody_else_writes_there() {
        use std::io::{Read, Seek};
        let mut own = tempfile::tempfile().unwrap();
        let mut logger = logger(getpid());
        let tell = |logger: &mut Logger, process: i32, text: &[u8]| {
            let mut collected = Collected::default();
            logger.take(process, text, &mut collected);
            let lines = collected.lines.len();
            logger.write(collected);
            lines
        };
        let file = own.try_clone().unwrap().into();
        logger.follow(Order::File { number: 3 }, Some(file));
        let begin = Order::Begin {
            session: 700,
            keeper: 700,
            network: 701,
            number: Some(3),
        };
        logger.follow(begin, None);
        assert_eq!(tell(&mut logger, 700, b"own"), 0);
        assert_eq!(tell(&mut logger, 701, b"as well"), 0);
        // Whatever it says of itself.
        assert!(tell(&mut logger, 702, b"other\x1fsession#700") > 0);
        logger.follow(Order::End { session: 700 }, None);
        assert!(tell(&mut logger, 700, b"after") > 0);
        assert!(logger.members.is_empty());
        let mut text = String::new();
        own.rewind().unwrap();
        own.read_to_string(&mut text).unwrap();
        let sentences: Vec<_> = (text.lines())
            .map(|line| line.split_once("] ").unwrap().1)
            .collect();
        assert_eq!(sentences, ["own", "as well"]);
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
            logger.unheard[0]
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
