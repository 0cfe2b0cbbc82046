//! Log lines and where they go. Lines travel on a descriptor of their own to the logger process, so that logging can
//! neither block a session nor mix with its requests; a full queue drops lines and the loss is counted. The logger can open
//! nothing: when the file was renamed, the listener sends it another one.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, send, setsockopt, socketpair, sockopt,
};
use nix::unistd::{Pid, getpid};

use crate::sandbox::{EmptyRoot, Programs, Role, SandboxError, enter_empty};
use crate::settings::LogLevel;
use crate::sys::{self, Fork, Wait};

/// The longest line, in octets; longer ones are cut.
const LONGEST: usize = 2048;

/// The message that a file for the lines after it comes on.
const REOPEN: &[u8] = b"\0reopen";

/// Lines that are written at once, in octets.
const BATCH: usize = 64 << 10;
/// How long lines are gathered after one was written, in milliseconds.
const GATHER: u8 = 10;

/// A process's access to the log. What a client sent must be escaped before it gets here.
#[derive(Clone, Debug)]
pub struct Log {
    queue: Option<Arc<OwnedFd>>,
    level: LogLevel,
    dropped: Arc<AtomicU64>,
    /// The file that lines go to.
    path: Option<Arc<Path>>,
}

impl Log {
    /// The descriptor that lines leave by.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.queue.as_ref().map(|queue| queue.as_fd())
    }

    /// A log that goes nowhere.
    pub fn nowhere() -> Log {
        Log {
            queue: None,
            level: LogLevel::Logins,
            dropped: Arc::default(),
            path: None,
        }
    }

    /// Tells more or less from now on; copies that were made before go on as they were.
    pub fn set_level(&mut self, level: LogLevel) {
        self.level = level;
    }

    /// A line about a transfer, made only where it is wanted.
    pub fn transfer(&self, text: impl FnOnce() -> String) {
        if self.level >= LogLevel::Transfers {
            self.line(&text());
        }
    }

    /// A line about a command, made only where it is wanted.
    pub fn command(&self, text: impl FnOnce() -> String) {
        if self.level >= LogLevel::Commands {
            self.line(&text());
        }
    }

    /// Opens the log file anew, after somebody has renamed it. Only the process that started the logger can.
    ///
    /// # Errors
    /// What open(2) and sendmsg(2) say; lines go to the old file on then.
    pub fn reopen(&self) -> std::io::Result<()> {
        if let (Some(queue), Some(path)) = (&self.queue, &self.path) {
            let sink = Sink::file(path)?;
            sys::send_datagram(queue.as_fd(), REOPEN, Some(sink.file.as_fd()))?;
        }
        Ok(())
    }

    /// Hands one line to the logger without waiting; the logger adds the time and the process.
    pub fn line(&self, text: &str) {
        let Some(queue) = &self.queue else { return };
        let lost = self.dropped.swap(0, Ordering::Relaxed);
        let mut line = String::new();
        if lost > 0 {
            line.push_str(&format!("({lost} lines lost) "));
        }
        line.push_str(text);
        let mut octets = line.into_bytes();
        octets.truncate(LONGEST);
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        if send(queue.as_raw_fd(), &octets, flags).is_err() {
            self.dropped.fetch_add(lost + 1, Ordering::Relaxed);
        }
    }
}

/// Where lines end up.
#[derive(Debug)]
pub struct Sink {
    file: File,
    path: Option<PathBuf>,
}

impl Sink {
    /// Appends to a file, which is created for its owner alone.
    ///
    /// # Errors
    /// What open(2) says; a symbolic link is not followed.
    pub fn file(path: &Path) -> std::io::Result<Sink> {
        use std::os::unix::fs::OpenOptionsExt;
        let mut options = std::fs::OpenOptions::new();
        options
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(nix::libc::O_NOFOLLOW);
        #[expect(
            clippy::disallowed_methods,
            reason = "the log file is configuration, not a user's file"
        )]
        let file = options.open(path)?;
        Ok(Sink {
            file,
            path: Some(path.to_owned()),
        })
    }

    /// The standard error of the program.
    ///
    /// # Errors
    /// What dup(2) says.
    pub fn standard_error() -> std::io::Result<Sink> {
        std::io::stderr()
            .as_fd()
            .try_clone_to_owned()
            .map(|copy| Sink {
                file: File::from(copy),
                path: None,
            })
    }
}

/// Starts the logger process.
///
/// # Errors
/// What socketpair(2) or fork(2) say.
pub fn start(
    sink: Sink,
    level: LogLevel,
    programs: &Programs,
    user: u32,
    root: Option<&EmptyRoot>,
) -> Result<Log, Errno> {
    let (queue, writers) = queue()?;
    let starter = getpid();
    match sys::fork()? {
        Fork::Parent(_) => Ok(Log {
            queue: Some(Arc::new(writers)),
            level,
            dropped: Arc::default(),
            path: sink.path.map(Arc::from),
        }),
        Fork::Child => {
            drop(writers);
            let sink = sink.file;
            // The port above all must close when the listener does.
            let kept = [queue.as_fd(), sink.as_fd()];
            let ready = enter_empty(Role::Logger, programs, user, root, &kept);
            let status = match ready {
                Ok(()) => run(&queue, sink, starter),
                Err(error) => give_up(sink, &error),
            };
            sys::exit(status)
        }
    }
}

/// The end that lines are read from, and the one that they are sent to.
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

fn give_up(mut sink: File, error: &SandboxError) -> i32 {
    // There is nobody else to tell.
    let _ = writeln!(sink, "logger: {error}");
    1
}

/// What is taken from the queue at a time.
#[derive(Default)]
struct Collected {
    buffer: Vec<u8>,
    lines: Vec<u8>,
    /// Where lines go from now on.
    file: Option<OwnedFd>,
}

/// Writes lines until the last process that could send one has ended.
fn run(queue: &OwnedFd, mut sink: File, starter: Pid) -> i32 {
    let mut collected = Collected::default();
    loop {
        let mut ready = [PollFd::new(queue.as_fd(), PollFlags::POLLIN)];
        if poll(&mut ready, PollTimeout::NONE).is_err() {
            continue;
        }
        // SECURITY: an empty message looks like the end; only the hang-up is one.
        let hung_up = ready[0]
            .revents()
            .is_some_and(|events| events.contains(PollFlags::POLLHUP));
        let end = collected.collect(queue, starter, hung_up);
        // A full disk must not end the logger: the next line may fit again.
        let _ = sink.write_all(&collected.lines);
        collected.lines.clear();
        if let Some(file) = collected.file.take() {
            sink = File::from(file);
        }
        if let Some(status) = end {
            return status;
        }
        // Where one line came more may follow: they are collected meanwhile, so that a busy server does not wake this
        // process for each of them.
        let _ = poll(&mut [], GATHER);
    }
}

impl Collected {
    /// Takes what waits in the queue; `Some` is the status to end with.
    fn collect(&mut self, queue: &OwnedFd, starter: Pid, hung_up: bool) -> Option<i32> {
        let Collected {
            buffer,
            lines,
            file,
        } = self;
        while lines.len() < BATCH && file.is_none() {
            match sys::receive_datagram(queue.as_fd(), buffer, LONGEST, Wait::No) {
                Ok(datagram) if datagram.length == 0 && hung_up => return Some(0),
                Ok(datagram) if datagram.length == 0 => return None,
                // SECURITY: whose word it is, the kernel says; nobody else can lead the log elsewhere.
                Ok(datagram) if datagram.sender == Some(starter) && buffer == REOPEN => {
                    *file = datagram.descriptor;
                }
                Ok(datagram) => {
                    let sender = datagram.sender.map_or(0, Pid::as_raw);
                    // Writing to memory does not fail.
                    let _ = write!(lines, "{:.3} [{sender}] ", jiff::Timestamp::now());
                    // SECURITY: one message is one line, whatever a process that was taken over may send.
                    lines.extend(buffer.iter().map(|&octet| match octet {
                        b' '..=b'~' => octet,
                        _ => b'?',
                    }));
                    lines.push(b'\n');
                }
                Err(Errno::EAGAIN | Errno::EINTR) => return None,
                // Cut, or with more than one descriptor on it: not from us.
                Err(Errno::EMSGSIZE) => {}
                Err(_) => return Some(1),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_is_one_line() {
        let (queue, writers) = queue().unwrap();
        sys::send_datagram(writers.as_fd(), b"a\nforged\x1b[2J line", None).unwrap();
        sys::send_datagram(writers.as_fd(), b"second", None).unwrap();
        let mut collected = Collected::default();
        assert_eq!(collected.collect(&queue, getpid(), false), None);
        let lines = String::from_utf8(std::mem::take(&mut collected.lines)).unwrap();
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
        assert_eq!(collected.collect(&queue, getpid(), false), None);
        drop(writers);
        assert_eq!(collected.collect(&queue, getpid(), true), Some(0));
    }

    #[test]
    fn another_file_is_taken_from_the_starter_only() {
        let (queue, writers) = queue().unwrap();
        let file = tempfile::tempfile().unwrap();
        let mut collected = Collected::default();
        for (starter, taken, lines) in [(getpid(), true, 0), (Pid::from_raw(1), false, 1)] {
            sys::send_datagram(writers.as_fd(), REOPEN, Some(file.as_fd())).unwrap();
            assert_eq!(collected.collect(&queue, starter, false), None);
            assert_eq!(collected.file.take().is_some(), taken);
            let text = std::mem::take(&mut collected.lines);
            assert_eq!(text.iter().filter(|&&octet| octet == b'\n').count(), lines);
        }
    }
}
