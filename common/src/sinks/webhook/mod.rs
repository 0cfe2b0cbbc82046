//! A web server that gets each event by HTTPS POST. A child of hookd speaks with it, so that neither a slow server nor a
//! name that takes long to resolve makes hookd wait; the two share a socket and nothing else.
//!
//! Hookd sends the length of the rest, the number of the kind, the id and the JSON; the child answers by an octet when the
//! server has taken the event, or never will. In between it tries again, each time later.

mod client;

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::Pid;

use self::client::{Answer, Client};
use super::{Notice, Trouble};
use crate::hooks::{self, Id, Kind};
use crate::log::Log;
use crate::part::Part;
use crate::sandbox::{Kept, Programs, enter_lookup};
use crate::sys::{self, Fork};

const DELIVERED: u8 = 0;
const REFUSED: u8 = 1;

/// No event is longer.
const LONGEST_FRAME: usize = 1 << 20;

/// The first pause after a failure, and the longest.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Starts the child of one webhook.
pub type Starter = Box<dyn Fn() -> Result<OwnedFd, String>>;

/// Hookd's side.
pub(super) struct Webhook {
    host: String,
    start: Starter,
    child: Option<OwnedFd>,
    /// What is on its way to the child or the server: the octets not yet sent.
    sending: Option<(Id, Vec<u8>)>,
}

impl Webhook {
    pub(super) fn new(hook: &hooks::Webhook, start: Starter) -> Webhook {
        Webhook {
            host: client::shown(&hook.url),
            start,
            child: None,
            sending: None,
        }
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn descriptor(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        let unsent = self
            .sending
            .as_ref()
            .is_some_and(|(_, rest)| !rest.is_empty());
        let flags = if unsent {
            PollFlags::POLLOUT
        } else {
            PollFlags::POLLIN
        };
        self.child.as_ref().map(|child| (child.as_fd(), flags))
    }

    /// Hands the event over, and later takes the answer; until then it is [`Trouble::Full`].
    pub(super) fn write(&mut self, notice: &Notice) -> Result<(), Trouble> {
        let child = match self.child.take() {
            Some(child) => child,
            None => {
                self.sending = None;
                (self.start)().map_err(Trouble::Gone)?
            }
        };
        let (_, rest) = match &mut self.sending {
            Some(sending) if sending.0 == notice.id => sending,
            other => other.insert((notice.id, frame(notice))),
        };
        let exchanged = exchange(&child, rest);
        match exchanged {
            Ok(Some(answer)) => {
                self.sending = None;
                self.child = Some(child);
                match answer {
                    DELIVERED => Ok(()),
                    _ => Err(Trouble::Refused("the server refuses it".to_owned())),
                }
            }
            Ok(None) => {
                self.child = Some(child);
                Err(Trouble::Full)
            }
            Err(why) => Err(Trouble::Gone(why)),
        }
    }
}

/// Sends what is left of a frame and reads the answer, as far as that goes without waiting.
fn exchange(child: &OwnedFd, rest: &mut Vec<u8>) -> Result<Option<u8>, String> {
    let again = |errno| matches!(errno, Errno::EAGAIN | Errno::EINTR);
    while !rest.is_empty() {
        let flags = nix::sys::socket::MsgFlags::MSG_NOSIGNAL;
        match nix::sys::socket::send(std::os::fd::AsRawFd::as_raw_fd(child), rest, flags) {
            Ok(count) => drop(rest.drain(..count)),
            Err(errno) if again(errno) => return Ok(None),
            Err(errno) => return Err(format!("its process: {}", errno.desc())),
        }
    }
    let mut answer = [0];
    match nix::unistd::read(child, &mut answer) {
        Ok(1) => Ok(Some(answer[0])),
        Err(errno) if again(errno) => Ok(None),
        Ok(_) => Err("its process has ended".to_owned()),
        Err(errno) => Err(format!("its process: {}", errno.desc())),
    }
}

fn frame(notice: &Notice) -> Vec<u8> {
    let length = 1 + 16 + notice.json.len();
    let mut frame = u32::try_from(length)
        .unwrap_or(u32::MAX)
        .to_be_bytes()
        .to_vec();
    let kind = Kind::ALL.iter().position(|kind| *kind == notice.kind);
    frame.push(
        kind.and_then(|kind| u8::try_from(kind).ok())
            .unwrap_or(u8::MAX),
    );
    frame.extend_from_slice(notice.id.as_bytes());
    frame.extend_from_slice(notice.json.as_bytes());
    frame
}

/// Starts the process of a webhook as the uid `user`: it reads files and asks name servers, and can write nothing. The key
/// is read before that, and is in no other process.
///
/// # Errors
/// What the system says about a pair of sockets or fork(2).
pub fn start(
    hook: &hooks::Webhook,
    programs: &Programs,
    user: u32,
    log: &Log,
) -> Result<(Pid, OwnedFd), String> {
    let pair = socketpair(
        AddressFamily::Unix,
        SockType::Stream,
        None,
        SockFlag::SOCK_CLOEXEC,
    );
    let (ours, theirs) = pair.map_err(|errno| format!("socketpair: {}", errno.desc()))?;
    match sys::fork().map_err(|errno| format!("fork: {}", errno.desc()))? {
        Fork::Parent(process) => {
            let stream = UnixStream::from(ours);
            stream
                .set_nonblocking(true)
                .map_err(|error| error.to_string())?;
            Ok((process, stream.into()))
        }
        Fork::Child => {
            Part::Webhook.begin();
            drop(ours);
            let mut kept = vec![theirs.as_fd()];
            kept.extend(log.descriptor());
            let client = Client::new(hook);
            let entered = enter_lookup(programs, user, Kept::Nothing, &kept)
                .map_err(|error| error.to_string());
            match entered.and(client) {
                Ok(client) => serve(UnixStream::from(theirs), &client, PAUSE, log),
                Err(why) => log.line(&format!("webhook {}: {why}", client::shown(&hook.url))),
            }
            sys::exit(0)
        }
    }
}

/// Posts what arrives until the other end is closed.
fn serve(mut channel: UnixStream, client: &Client, pause: Duration, log: &Log) {
    while let Ok(notice) = next(&mut channel) {
        let Some(answer) = deliver(&channel, client, &notice, pause, log) else {
            return;
        };
        if channel.write_all(&[answer]).is_err() {
            return;
        }
    }
}

fn next(channel: &mut UnixStream) -> io::Result<Notice> {
    let mut length = [0; 4];
    channel.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if !(17..=LONGEST_FRAME).contains(&length) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut frame = vec![0; length];
    channel.read_exact(&mut frame)?;
    let wrong = || io::Error::from(io::ErrorKind::InvalidData);
    let id: [u8; 16] = frame[1..17].try_into().map_err(|_| wrong())?;
    Ok(Notice {
        id: Id::from_bytes(id),
        kind: *Kind::ALL.get(usize::from(frame[0])).ok_or_else(wrong)?,
        json: String::from_utf8(frame.split_off(17)).map_err(|_| wrong())?,
    })
}

/// Tries until the server says something definite; `None` if hookd has ended meanwhile. Trouble is logged once.
fn deliver(
    channel: &UnixStream,
    client: &Client,
    notice: &Notice,
    mut pause: Duration,
    log: &Log,
) -> Option<u8> {
    let mut told = false;
    loop {
        match client.post(notice) {
            Answer::Taken => return Some(DELIVERED),
            Answer::Refused(why) => {
                log.line(&format!("webhook {}: {why}", client.host()));
                return Some(REFUSED);
            }
            Answer::Later(why) if !told => {
                log.line(&format!("webhook {}: {why}; trying again", client.host()));
                told = true;
            }
            Answer::Later(_) => {}
        }
        // POLLHUP is told without being asked for.
        let mut ended = [PollFd::new(channel.as_fd(), PollFlags::empty())];
        let wait = PollTimeout::try_from(pause).unwrap_or(PollTimeout::MAX);
        if poll(&mut ended, wait).is_ok_and(|count| count > 0) {
            return None;
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests;
