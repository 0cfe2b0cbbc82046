//! What whoever runs the server may ask of the listener, at a socket of its own: who is there, and that a session ends. It
//! never waits: a list is a file in memory, whose descriptor is sent in one message.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::socket::{getsockopt, sockopt};
use nix::sys::stat::{Mode, umask};
use nix::unistd::Pid;
use serde_json::json;
use socket2::{Domain, SockAddr, Socket, Type};

use super::Listener;
use super::sessions::Session;
use crate::sys::{self, Wait};

/// So many ask at a time; one more takes the place of the one that has waited longest.
const MOST_GUESTS: usize = 8;
/// How long somebody may take to ask.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest question and the longest answer, in octets.
const LONGEST: usize = 256;

/// The question for the list.
pub const WHO: &str = "who";
/// The same question by who wants to know whether clients are served: a daemon that stops has no list.
pub const HEALTH: &str = "health";
/// The question that ends a session, before its number.
pub const KICK: &str = "kick ";
/// The question for the servers of a pool.
pub const STATUS: &str = "status";
/// The question that has a server get no new sessions, before its name.
pub const DRAIN: &str = "drain ";
/// The question that has it get them again.
pub const UNDRAIN: &str = "undrain ";

/// The socket, and those who have come to it and not asked yet.
#[derive(Debug)]
pub struct Operator {
    door: Socket,
    path: PathBuf,
    guests: Vec<(OwnedFd, Instant)>,
}

impl Operator {
    /// Makes the socket, for nobody but this process's user. One that a daemon has left behind is replaced.
    ///
    /// # Errors
    /// A sentence about what is in the way.
    pub fn new(path: &Path) -> Result<Operator, String> {
        Operator::bind(path).map_err(|why| format!("ControlSocket: {}: {why}", path.display()))
    }

    fn bind(path: &Path) -> std::io::Result<Operator> {
        let address = SockAddr::unix(path)?;
        #[expect(
            clippy::disallowed_methods,
            reason = "the daemon's own socket, before there is a client"
        )]
        let there = std::fs::symlink_metadata(path);
        if let Ok(there) = there {
            if !there.file_type().is_socket() {
                return Err(std::io::Error::other("something else has this name"));
            }
            let probe = unconnected()?.connect(&address);
            if !probe.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused) {
                return Err(std::io::Error::other("another daemon listens there"));
            }
            nix::unistd::unlink(path)?;
        }
        let door = unconnected()?;
        door.set_nonblocking(true)?;
        // SECURITY: not even for a moment may others connect.
        let usual = umask(Mode::from_bits_truncate(0o177));
        let bound = door.bind(&address);
        umask(usual);
        bound?;
        door.listen(16)?;
        Ok(Operator {
            door,
            path: path.to_owned(),
            guests: Vec::new(),
        })
    }

    /// The descriptors that tell of something to look at.
    pub(super) fn awaited(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let guests = self.guests.iter().map(|(guest, _)| guest.as_fd());
        std::iter::once(self.door.as_fd()).chain(guests)
    }

    /// When somebody has taken too long.
    pub(super) fn next_turn(&self) -> Option<Instant> {
        self.guests.iter().map(|(_, until)| *until).min()
    }

    /// Takes the questions that have come, each with who asks.
    fn questions(&mut self) -> Vec<(OwnedFd, Vec<u8>)> {
        use nix::libc::{SOCK_CLOEXEC, SOCK_NONBLOCK};
        let now = Instant::now();
        for _ in 0..MOST_GUESTS {
            let Ok((guest, _)) = self.door.accept4(SOCK_CLOEXEC | SOCK_NONBLOCK) else {
                break;
            };
            let guest = OwnedFd::from(guest);
            if self.guests.len() == MOST_GUESTS {
                self.guests.remove(0);
            }
            if may_ask(&guest) {
                self.guests.push((guest, now + PATIENCE));
            }
        }
        let mut questions = Vec::new();
        for (guest, until) in std::mem::take(&mut self.guests) {
            let mut question = Vec::new();
            match sys::receive_datagram(guest.as_fd(), &mut question, LONGEST, Wait::No) {
                Ok(datagram) if datagram.length > 0 => questions.push((guest, question)),
                Err(Errno::EAGAIN | Errno::EINTR) if now < until => {
                    self.guests.push((guest, until));
                }
                Ok(_) | Err(_) => {}
            }
        }
        questions
    }

    /// Removes the socket: the daemon stops.
    pub(super) fn leave(self) {
        let _ = nix::unistd::unlink(&self.path);
    }
}

/// Connects to the socket of a daemon and asks; the answer, and the list where there is one.
///
/// # Errors
/// What the system says, with `EPROTO` for what is no answer.
pub fn ask(path: &Path, question: &str) -> std::io::Result<(String, Option<File>)> {
    let socket = unconnected()?;
    socket.connect(&SockAddr::unix(path)?)?;
    sys::send_datagram(socket.as_fd(), question.as_bytes(), None)?;
    let mut answer = Vec::new();
    let datagram = sys::receive_datagram(socket.as_fd(), &mut answer, LONGEST, Wait::Yes)?;
    let text = String::from_utf8(answer).map_err(std::io::Error::other)?;
    match text.is_empty() {
        true => Err(Errno::EPROTO.into()),
        false => Ok((text, datagram.descriptor.map(File::from))),
    }
}

/// So many sessions, in words.
pub fn counted(sessions: usize) -> String {
    let many = if sessions == 1 { "" } else { "s" };
    format!("{sessions} session{many}")
}

fn unconnected() -> std::io::Result<Socket> {
    Socket::new(Domain::UNIX, Type::SEQPACKET, None)
}

/// SECURITY: whatever has become of the socket's mode, only root and the daemon's own user may ask.
fn may_ask(guest: &OwnedFd) -> bool {
    let own = nix::unistd::geteuid().as_raw();
    getsockopt(guest, sockopt::PeerCredentials)
        .is_ok_and(|peer| peer.uid() == 0 || peer.uid() == own)
}

impl Listener {
    /// Answers whoever runs the server.
    pub(super) fn answer_operator(&mut self) {
        let questions = self.operator.as_mut().map(Operator::questions);
        for (guest, question) in questions.into_iter().flatten() {
            let (answer, list) = self.answer_to(&question);
            let list = list.as_ref().map(AsFd::as_fd);
            // Whoever asked may be gone by now.
            let _ = sys::send_datagram(guest.as_fd(), answer.as_bytes(), list);
        }
    }

    fn answer_to(&mut self, question: &[u8]) -> (String, Option<File>) {
        let lines = match question {
            _ if question == WHO.as_bytes() => Some(self.list()),
            _ if question == HEALTH.as_bytes() => match self.draining {
                None => Some(self.list()),
                Some(_) => {
                    let rest = counted(self.sessions.len());
                    return (format!("it stops, and lets nobody in: {rest} left"), None);
                }
            },
            _ if question == STATUS.as_bytes() => match &self.pool {
                Some(pool) => Some(pool.described(&self.sessions)),
                None => return ("there is no pool: Servers names none".to_owned(), None),
            },
            _ => None,
        };
        if let Some(lines) = lines {
            return match in_memory(&lines) {
                Ok(list) => ("list".to_owned(), Some(list)),
                Err(error) => (format!("no list: {error}"), None),
            };
        }
        let named = |word: &str| {
            let name = question.strip_prefix(word.as_bytes())?;
            std::str::from_utf8(name).ok()
        };
        if let Some(name) = named(DRAIN) {
            return (self.mark(name, true), None);
        }
        if let Some(name) = named(UNDRAIN) {
            return (self.mark(name, false), None);
        }
        let number = question
            .strip_prefix(KICK.as_bytes())
            .and_then(|number| std::str::from_utf8(number).ok()?.parse().ok());
        match number.map(|number| self.kick(Pid::from_raw(number))) {
            Some(answer) => (answer.to_owned(), None),
            None => ("not understood".to_owned(), None),
        }
    }

    /// All sessions as JSON.
    fn list(&self) -> Vec<serde_json::Value> {
        let sessions = self.sessions.in_order();
        let described = |(group, session)| described(group, session);
        sessions.into_iter().map(described).collect()
    }

    /// Takes a server of the pool out of service, or back.
    fn mark(&mut self, server: &str, draining: bool) -> String {
        let Some(pool) = &mut self.pool else {
            return "there is no pool: Servers names none".to_owned();
        };
        match pool.mark(server, draining) {
            Ok(()) => {
                let text = if draining {
                    "drains: it gets no new sessions"
                } else {
                    "gets new sessions again"
                };
                self.log.line(&format!("pool: {server} {text}"));
                "done".to_owned()
            }
            Err(why) => why,
        }
    }

    /// Ends a session; one that does not end by that is killed when it is asked for again.
    fn kick(&mut self, group: Pid) -> &'static str {
        let Some(session) = self.sessions.of(group) else {
            return "no such session; --who lists them";
        };
        // Its keeper is our child and not yet collected, so the numbers are still theirs.
        let sent = match (session.kicked, session.keeper) {
            (false, Some(keeper)) => kill(keeper, Signal::SIGTERM),
            (true, _) | (_, None) => killpg(group, Signal::SIGKILL),
        };
        session.kicked = true;
        match sent {
            Ok(()) => {
                self.log
                    .line(&format!("session {group}: ended by the operator"));
                "done"
            }
            Err(_) => "it has ended already",
        }
    }
}

/// A file of these lines.
fn in_memory(lines: &[serde_json::Value]) -> std::io::Result<File> {
    let mut file = File::from(memfd_create(c"list", MFdFlags::MFD_CLOEXEC)?);
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    file.write_all(lines.as_bytes())?;
    Ok(file)
}

fn described(group: Pid, session: &Session) -> serde_json::Value {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let activity = session.page.as_ref().map(|page| page.read());
    let activity = activity.unwrap_or_default();
    let mut described = json!({
        "id": group.as_raw(),
        "user": session.user().map(|user| text(user.as_slice())),
        "address": session.ends.client().to_string(),
        "seconds": session.since.elapsed().as_secs(),
        "command": text(activity.verb.as_slice()),
        "argument": text(activity.argument.as_slice()),
        "for_seconds": activity.lasts().as_secs(),
        "octets": activity.moved,
        "octets_per_second": activity.speed(),
        "total_octets": activity.total.saturating_add(activity.moved),
    });
    if let Some(server) = &session.server {
        described["server"] = text(server.as_slice()).into();
    }
    described
}
