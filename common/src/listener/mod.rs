//! The listener: accepts, forks a session for each client, and looks after the dead. Single-threaded; it never reads a
//! client's octet and holds no secret.

mod lifeline;
mod status;

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, killpg, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{Pid, setpgid};
use socket2::Socket;

pub use lifeline::{Lifeline, Sign, Watched};
pub use status::Status;

use crate::control::until;
use crate::log::Log;
use crate::sys::{self, Fork};

/// How long sessions get to end after the listener was told to stop.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// How long accepting pauses when the system has no more processes or descriptors.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(200);

/// What the listener hands to the child that serves a client.
#[derive(Debug)]
pub struct Client {
    pub socket: OwnedFd,
    pub lifeline: Lifeline,
}

/// A control port that is open.
#[derive(Debug)]
pub struct Listener {
    port: Option<Socket>,
    signals: SignalFd,
    watched: Watched,
    lifeline: Lifeline,
    sessions: HashSet<Pid>,
    log: Log,
}

/// How a run of the listener came to its end, in which process.
pub enum Ran {
    /// In the listener: it was told to stop, and all sessions have ended.
    Stopped,
    /// In a new child: serve this client.
    Serve(Client),
}

impl Listener {
    /// Takes an open port. Signals are blocked from here on and read in turn.
    ///
    /// # Errors
    /// What the system says about signalfd(2) and pipe(2).
    pub fn new(port: Socket, log: Log) -> io::Result<Listener> {
        let mut handled = SigSet::empty();
        for signal in [
            Signal::SIGTERM,
            Signal::SIGINT,
            Signal::SIGCHLD,
            Signal::SIGHUP,
        ] {
            handled.add(signal);
        }
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&handled), None)?;
        let signals =
            SignalFd::with_flags(&handled, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let (watched, lifeline) = lifeline::pair()?;
        Ok(Listener {
            port: Some(port),
            signals,
            watched,
            lifeline,
            sessions: HashSet::new(),
            log,
        })
    }

    /// Accepts until it is told to stop. Returns in the child for each client, too.
    pub fn run(mut self) -> Ran {
        let mut paused: Option<Instant> = None;
        loop {
            let accepting = paused.is_none();
            let Some(port) = &self.port else {
                return Ran::Stopped;
            };
            let events = if accepting {
                PollFlags::POLLIN
            } else {
                PollFlags::empty()
            };
            let mut ready = [
                PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
                PollFd::new(port.as_fd(), events),
            ];
            if let Err(errno) = poll(&mut ready, until(paused))
                && errno != Errno::EINTR
            {
                self.log.line(&format!("listener: poll: {errno}"));
            }
            if paused.is_some_and(|end| Instant::now() >= end) {
                paused = None;
            }
            let wants_stop = self.handle_signals();
            if wants_stop {
                self.stop();
                return Ran::Stopped;
            }
            match self.accept() {
                Ok(None) => {}
                Ok(Some(client)) => return Ran::Serve(client),
                Err(errno) => {
                    self.log
                        .line(&format!("listener: cannot take a client now: {errno}"));
                    paused = Some(Instant::now() + EXHAUSTED_PAUSE);
                }
            }
        }
    }

    /// Accepts at most one client and forks for it; `Some` in the child.
    fn accept(&mut self) -> Result<Option<Client>, Errno> {
        use nix::libc::{SOCK_CLOEXEC, SOCK_NONBLOCK};
        let Some(port) = &self.port else {
            return Ok(None);
        };
        let socket = match port.accept4(SOCK_CLOEXEC | SOCK_NONBLOCK) {
            Ok((socket, _)) => socket,
            Err(error) => {
                return match error.raw_os_error().map_or(Errno::EIO, Errno::from_raw) {
                    Errno::EAGAIN | Errno::EINTR | Errno::ECONNABORTED | Errno::EPROTO => Ok(None),
                    errno => Err(errno),
                };
            }
        };
        match sys::fork()? {
            Fork::Parent(child) => {
                self.sessions.insert(child);
                Ok(None)
            }
            Fork::Child => {
                self.port = None;
                // Both halves of a session are a group, which neither can leave: so they can be ended together.
                setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
                // INT and HUP stay blocked: the listener ends its sessions.
                let mut own = SigSet::empty();
                own.add(Signal::SIGTERM);
                sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&own), None)?;
                let lifeline = self.lifeline.try_clone()?;
                Ok(Some(Client {
                    socket: socket.into(),
                    lifeline,
                }))
            }
        }
    }

    /// Reads the signals that came; true if one of them says stop.
    fn handle_signals(&mut self) -> bool {
        let mut stop = false;
        while let Ok(Some(info)) = self.signals.read_signal() {
            match i32::try_from(info.ssi_signo)
                .ok()
                .and_then(|number| Signal::try_from(number).ok())
            {
                Some(Signal::SIGTERM | Signal::SIGINT) => stop = true,
                Some(Signal::SIGCHLD) => self.reap(),
                _ => {}
            }
        }
        stop
    }

    /// Collects children that have ended, and logs what was not an ordinary end.
    fn reap(&mut self) {
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        while let Ok(status) = waitid(Id::All, look) {
            let Some(child) = status.pid() else { return };
            let was_session = self.sessions.remove(&child);
            if was_session {
                // SECURITY: a network half that was taken over need not end with its keeper. The number is still that of
                // the group, since its first process is not collected yet.
                let _ = killpg(child, Signal::SIGKILL);
            }
            let ended = waitpid(child, Some(WaitPidFlag::WNOHANG));
            if !was_session {
                continue;
            }
            match ended {
                Ok(WaitStatus::Exited(pid, code)) => {
                    if let Some(text) = Status::from_code(code).remark() {
                        self.log.line(&format!("session {pid}: {text}"));
                    }
                }
                Ok(WaitStatus::Signaled(pid, signal, _)) => {
                    self.log.line(&format!("session {pid}: killed by {signal}"));
                }
                _ => {}
            }
        }
    }

    /// Ends the sessions and waits for them; what does not end in time is killed.
    fn stop(&mut self) {
        self.log
            .line(&format!("stopping, {} sessions", self.sessions.len()));
        self.port = None;
        self.watched.tell_to_stop();
        let deadline = Instant::now() + STOP_GRACE;
        self.reap();
        while !self.sessions.is_empty() && Instant::now() < deadline {
            let mut ready = [PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
            if poll(&mut ready, until(Some(deadline))).is_ok() {
                self.handle_signals();
                self.reap();
            }
        }
        for session in &self.sessions {
            // It is our child and not yet reaped, so the number is still its own.
            if killpg(*session, Signal::SIGKILL).is_ok() {
                self.log.line(&format!(
                    "session {session}: killed, it did not end in time"
                ));
            }
        }
    }
}
