//! The listener: accepts, forks a session for each client, and looks after the dead. Single-threaded; it never reads a
//! client's octet and holds no secret.

mod answers;
mod door;
mod leases;
mod lifeline;
mod logins;
mod penalties;
mod reports;
mod sessions;
mod status;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, killpg, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{Pid, getpgid, setpgid};
use socket2::Socket;

pub use answers::Answer;
pub use lifeline::{Lifeline, Sign, Watched};
pub use reports::{Reports, Verdict};
pub use status::Status;

use self::door::{Door, Judgement, Refusal};
use self::leases::Leases;
use self::penalties::{Offence, Source};
use self::reports::Inbox;
use self::sessions::{Dead, Session, Sessions};

use crate::channel::UserName;
use crate::control::until;
use crate::log::Log;
use crate::net::{self, Ends};
use crate::proto::reply::{Code, Reply};
use crate::rate::Rates;
use crate::settings::Limits;
use crate::sys::{self, Fork};

/// How long sessions get to end after the listener was told to stop.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// How long accepting pauses when the system has no more processes or descriptors.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(200);

/// So many clients are refused at a time, before the listener looks at anything else.
const MOST_REFUSED: u32 = 32;

/// What the listener hands to the child that serves a client.
#[derive(Debug)]
pub struct Client {
    pub socket: OwnedFd,
    pub ends: Ends,
    pub lifeline: Lifeline,
    pub reports: Reports,
}

/// What the listener hands to the child that is to be the next keeper of a session.
#[derive(Debug)]
pub struct Reinitialised {
    pub ends: Ends,
    pub lifeline: Lifeline,
    pub reports: Reports,
    /// The channel to the network half, with a request that waits for its answer.
    pub channel: OwnedFd,
    pub ticket: u32,
    /// The network half.
    pub session: Pid,
    /// Tells when the network half has ended.
    pub ended: OwnedFd,
}

/// What the listener hands to the child that changes a password.
#[derive(Debug)]
pub struct PasswordChange {
    pub ends: Ends,
    /// Whose session it is.
    pub user: UserName,
    /// On which the passwords come.
    pub channel: OwnedFd,
}

/// A control port that is open.
#[derive(Debug)]
pub struct Listener {
    port: Option<Socket>,
    signals: SignalFd,
    watched: Watched,
    lifeline: Lifeline,
    inbox: Inbox,
    reports: Reports,
    sessions: Sessions,
    door: Door,
    leases: Leases,
    log: Log,
}

/// How a run of the listener came to its end, in which process.
pub enum Ran {
    /// In the listener: it was told to stop, and all sessions have ended.
    Stopped,
    /// In a new child: serve this client.
    Serve(Client),
    /// In a new child: serve on, before login again.
    Reinitialise(Reinitialised),
    /// In a new child: change a password, and end.
    ChangePassword(PasswordChange),
}

impl Listener {
    /// Takes an open port. Signals are blocked from here on and read in turn.
    ///
    /// # Errors
    /// What the system says about signalfd(2) and pipe(2).
    pub fn new(port: Socket, limits: Limits, total: Rates, log: Log) -> io::Result<Listener> {
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
        let (inbox, reports) = reports::queue()?;
        // A network half whose keeper was replaced is the listener's to collect.
        prctl::set_child_subreaper(true)?;
        Ok(Listener {
            port: Some(port),
            signals,
            watched,
            lifeline,
            inbox,
            reports,
            sessions: Sessions::default(),
            door: Door::new(limits),
            leases: Leases::new(total),
            log,
        })
    }

    /// Accepts until it is told to stop. Returns in the child for each client, too.
    pub fn run(mut self) -> Ran {
        let mut paused: Option<Instant> = None;
        loop {
            self.turn();
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
                PollFd::new(self.inbox.as_fd(), PollFlags::POLLIN),
            ];
            if let Err(errno) = poll(&mut ready, until(earlier(paused, self.door.next_turn())))
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
            self.hear();
            if let Some(reinitialised) = self.reinitialise() {
                return Ran::Reinitialise(reinitialised);
            }
            if let Some(change) = self.change_passwords() {
                return Ran::ChangePassword(change);
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

    /// Accepts at most one client and forks for it, and refuses some; `Some` in the child.
    fn accept(&mut self) -> Result<Option<Client>, Errno> {
        use nix::libc::{SOCK_CLOEXEC, SOCK_NONBLOCK};
        for _ in 0..MOST_REFUSED {
            let Some(port) = &self.port else {
                return Ok(None);
            };
            let socket = match port.accept4(SOCK_CLOEXEC | SOCK_NONBLOCK) {
                Ok((socket, _)) => socket,
                Err(error) => {
                    return match error.raw_os_error().map_or(Errno::EIO, Errno::from_raw) {
                        Errno::EAGAIN | Errno::EINTR | Errno::ECONNABORTED | Errno::EPROTO => {
                            Ok(None)
                        }
                        errno => Err(errno),
                    };
                }
            };
            // Who has hung up already needs no session.
            let Ok(ends) = Ends::of(&socket) else {
                continue;
            };
            if self.lets_in(&socket, ends) {
                return self.fork_for(socket, ends);
            }
        }
        Ok(None)
    }

    /// Whether there is a place for a client. If not, it was told so.
    fn lets_in(&mut self, socket: &Socket, ends: Ends) -> bool {
        let (client, now) = (ends.client(), Instant::now());
        let tally = self.sessions.tally(Source::of(client));
        match self.door.judge(client, tally, now) {
            Judgement::Enter => true,
            Judgement::EnterInPlace => {
                if let Some(group) = self.sessions.evict() {
                    self.door.logins.done(group);
                    let _ = killpg(group, Signal::SIGKILL);
                }
                true
            }
            Judgement::Refuse(refusal) => {
                self.refuse(socket, ends, refusal);
                false
            }
        }
    }

    /// Tells a client why it is not served. Nothing was sent to it yet, so there is room for a line.
    fn refuse(&mut self, socket: &Socket, ends: Ends, refusal: Refusal) {
        net::send_reply(socket, &Reply::new(Code::CLOSING, refusal.text()));
        self.door.refused(ends.client(), refusal, Instant::now());
    }

    fn fork_for(&mut self, socket: Socket, ends: Ends) -> Result<Option<Client>, Errno> {
        match sys::fork() {
            Ok(Fork::Parent(child)) => {
                let exempt = self.door.exempts(ends.client());
                self.sessions.add(child, ends, exempt);
                // Both halves of a session are a group, which neither can leave: so they can be ended together. The child
                // does the same; whoever comes first.
                let _ = setpgid(child, child);
                Ok(None)
            }
            Ok(Fork::Child) => match self.begin(socket.into(), ends) {
                Ok(client) => Ok(Some(client)),
                // Never back into the listener's loop.
                Err(_) => sys::exit(Status::Broken.code()),
            },
            Err(errno) => {
                self.refuse(&socket, ends, Refusal::Exhausted);
                Err(errno)
            }
        }
    }

    /// In a new child: leaves the listener's things behind.
    fn begin(&mut self, socket: OwnedFd, ends: Ends) -> Result<Client, Errno> {
        self.port = None;
        setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
        unblock_termination()?;
        Ok(Client {
            socket,
            ends,
            lifeline: self.lifeline.try_clone()?,
            reports: self.reports.try_clone()?,
        })
    }

    /// Takes the reports that came. A session that breaks their rules is ended.
    fn hear(&mut self) {
        while let Some(received) = self.inbox.take() {
            if let Err(Some(group)) = self
                .sessions
                .hear(received, &mut self.door, &mut self.leases)
            {
                self.log.line(&format!(
                    "session {group}: ended: it broke the rules of its reports"
                ));
                let _ = killpg(group, Signal::SIGKILL);
            }
        }
    }

    /// Lets begin what may begin now, and tells the log what there is to tell.
    fn turn(&mut self) {
        self.door.turn(Instant::now());
        for line in self.door.news() {
            self.log.line(&line);
        }
    }

    /// Gives the sessions that wait for it another keeper, in a new child of its own each; `Some` in the child.
    fn reinitialise(&mut self) -> Option<Reinitialised> {
        while let Some((group, session)) = self.sessions.waiting() {
            let handover = session.handover.take()?;
            // SECURITY: the former keeper must not hear the next user's password on the channel that it has left.
            if let Some(former) = session.keeper.take() {
                let _ = kill(former, Signal::SIGKILL);
            }
            match sys::fork() {
                // In the listener, so that no signal to the group can come between; it fails if the session has ended.
                Ok(Fork::Parent(child)) if setpgid(child, group).is_ok() => {
                    session.replaced_by(child);
                }
                Ok(Fork::Parent(child)) => {
                    let _ = kill(child, Signal::SIGKILL);
                    self.forget(group);
                }
                Ok(Fork::Child) => {
                    let ends = session.ends;
                    let lifeline = self.lifeline.try_clone();
                    let reports = self.reports.try_clone();
                    self.port = None;
                    let (Ok(()), Ok(lifeline), Ok(reports)) =
                        (unblock_termination(), lifeline, reports)
                    else {
                        sys::exit(Status::Broken.code());
                    };
                    return Some(Reinitialised {
                        ends,
                        lifeline,
                        reports,
                        channel: handover.channel,
                        ticket: handover.ticket,
                        session: handover.session,
                        ended: handover.ended,
                    });
                }
                Err(errno) => {
                    self.log
                        .line(&format!("session {group}: cannot begin anew: {errno}"));
                    let _ = killpg(group, Signal::SIGKILL);
                    self.forget(group);
                }
            }
        }
        None
    }

    /// Begins the changes of passwords that may begin now, in a new child of its own each; `Some` in the child.
    fn change_passwords(&mut self) -> Option<PasswordChange> {
        while let Some((group, session, channel, user)) = self.sessions.next_change(&mut self.door)
        {
            match sys::fork() {
                // A member of the session: it ends with that.
                Ok(Fork::Parent(child)) if setpgid(child, group).is_ok() => {
                    session.changed_by(child);
                }
                Ok(Fork::Parent(child)) => {
                    let _ = kill(child, Signal::SIGKILL);
                    self.door.logins.free(group);
                }
                Ok(Fork::Child) => {
                    let ends = session.ends;
                    self.port = None;
                    if unblock_termination().is_err() {
                        sys::exit(Status::Broken.code());
                    }
                    return Some(PasswordChange {
                        ends,
                        user,
                        channel,
                    });
                }
                Err(errno) => {
                    self.door.logins.free(group);
                    self.log.line(&format!(
                        "session {group}: cannot change a password: {errno}"
                    ));
                }
            }
        }
        None
    }

    /// Forgets a session that cannot go on.
    fn forget(&mut self, group: Pid) {
        self.door.logins.done(group);
        self.sessions.forget(group);
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
            // What it had to say before its end counts.
            self.hear();
            let dead = self.sessions.buried(child);
            let mut over = None;
            if dead == Dead::Session
                && let Some((group, session)) = self.sessions.remove(child)
            {
                // SECURITY: a network half that was taken over need not end with its keeper. The number is still that of
                // the group, since its last keeper is not collected yet.
                let _ = killpg(group, Signal::SIGKILL);
                self.door.logins.done(group);
                over = Some(session);
            }
            let group = getpgid(Some(child));
            let ended = waitpid(child, Some(WaitPidFlag::WNOHANG));
            if let (Dead::Changer, Ok(group)) = (dead, group) {
                let status = match ended {
                    Ok(WaitStatus::Exited(_, code)) => Status::from_code(code),
                    _ => Status::Broken,
                };
                self.sessions.changed(group, status, &mut self.door);
            }
            if !matches!(dead, Dead::Other | Dead::Former | Dead::Changer) {
                self.judge_end(ended, over);
            }
        }
    }

    /// Logs what was no ordinary end, and holds it against the client where that is to blame.
    fn judge_end(&mut self, ended: Result<WaitStatus, Errno>, session: Option<Session>) {
        let offence = match ended {
            Ok(WaitStatus::Exited(pid, code)) => {
                let status = Status::from_code(code);
                if let Some(text) = status.remark() {
                    self.log.line(&format!("session {pid}: {text}"));
                }
                let logged_in = session
                    .as_ref()
                    .is_some_and(|session| session.user.is_some());
                door::offence(status, logged_in)
            }
            Ok(WaitStatus::Signaled(_, Signal::SIGKILL, _))
                if session.as_ref().is_some_and(|session| session.evicted) =>
            {
                None
            }
            Ok(WaitStatus::Signaled(pid, signal, _)) => {
                self.log.line(&format!("session {pid}: killed by {signal}"));
                // Nothing that a client does sends the others.
                let by_itself = !matches!(signal, Signal::SIGKILL | Signal::SIGTERM);
                by_itself.then_some(Offence::Attack)
            }
            _ => None,
        };
        if let (Some(session), Some(offence)) = (session, offence) {
            self.door
                .offended(session.ends.client(), offence, Instant::now());
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
                self.turn();
            }
        }
        for session in self.sessions.groups() {
            // Its keeper is our child and not yet reaped, so the number is still that of the group.
            if killpg(session, Signal::SIGKILL).is_ok() {
                self.log.line(&format!(
                    "session {session}: killed, it did not end in time"
                ));
            }
        }
    }
}

/// The earlier of two times, where there are any.
fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

/// INT and HUP stay blocked in a session: the listener ends its sessions.
fn unblock_termination() -> Result<(), Errno> {
    let mut own = SigSet::empty();
    own.add(Signal::SIGTERM);
    sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&own), None)
}
