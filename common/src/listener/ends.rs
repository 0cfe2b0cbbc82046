//! The ends of sessions: whose process has ended, whom the client is to blame, and the end of all of them.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{Pid, getpgid};

use super::operator::counted;
use super::penalties::Offence;
use super::sessions::{Dead, Session};
use super::{Listener, Status, door};
use crate::control::until;
use crate::sys;

/// How long sessions get to end after the listener was told to stop.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// How long the network half of a session that the operator has ended may take to say so.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// What signals ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Asked {
    Nothing,
    Reload,
    /// Once those that do something have done it.
    Drain,
    /// Whatever else is asked for.
    Stop,
}

impl Listener {
    /// Reads the signals that came, and does what is to be done at once.
    pub(super) fn handle_signals(&mut self) -> Asked {
        let mut asked = Asked::Nothing;
        while let Ok(Some(info)) = self.signals.read_signal() {
            match i32::try_from(info.ssi_signo)
                .ok()
                .and_then(|number| Signal::try_from(number).ok())
            {
                Some(Signal::SIGINT) => asked = Asked::Stop,
                Some(Signal::SIGTERM) => asked = asked.max(self.told_to_end()),
                Some(Signal::SIGCHLD) => self.reap(),
                // Whoever is about to stop opens nothing more.
                Some(Signal::SIGHUP) if self.draining.is_none() => {
                    asked = asked.max(Asked::Reload);
                }
                Some(Signal::SIGUSR1) => self.reopen_log(),
                _ => {}
            }
        }
        asked
    }

    /// Goes on in a new log file, if the old one was renamed.
    fn reopen_log(&mut self) {
        for reopened in [self.log.reopen(), self.sessions.logs.reopen()] {
            if let Err(error) = reopened {
                self.log
                    .line(&format!("the log cannot be opened anew: {error}"));
            }
        }
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
                match session.kicked {
                    false => drop(killpg(group, Signal::SIGKILL)),
                    // It has a word for its client.
                    true => self.leaving.push((group, Instant::now() + LAST_WORDS)),
                }
                self.door.logins.done(group);
                over = Some(session);
            }
            let group = getpgid(Some(child));
            let ended = waitpid(child, Some(WaitPidFlag::WNOHANG));
            if let (Dead::Changer, Ok(group)) = (dead, group) {
                let status = match ended {
                    Ok(WaitStatus::Exited(_, code)) => Status::from_code(code),
                    _ => Status::Broken(None),
                };
                self.sessions.changed(group, status, &mut self.door);
            }
            if dead == Dead::Other {
                self.hooks.buried(child);
            }
            if dead == Dead::Other
                && let Some(renewal) = &mut self.renewal
            {
                renewal.buried(child, &self.log);
            }
            if dead == Dead::Other
                && let Some(pool) = &mut self.pool
            {
                pool.buried(child, &self.log);
            }
            match dead {
                Dead::Other | Dead::Former | Dead::Changer => self.remark_death(ended),
                Dead::Session | Dead::NetworkHalf => self.judge_end(ended, over),
            }
        }
    }

    /// Logs that a process which is no session of a client was killed by a signal that nobody sends.
    fn remark_death(&self, ended: Result<WaitStatus, Errno>) {
        if let Ok(WaitStatus::Signaled(pid, signal, _)) = ended
            && is_by_itself(signal)
        {
            self.log.line(&format!("process {pid}: killed by {signal}"));
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
                    .is_some_and(|session| session.user().is_some());
                door::offence(status, logged_in)
            }
            Ok(WaitStatus::Signaled(_, Signal::SIGKILL, _))
                if session.as_ref().is_some_and(Session::was_evicted) =>
            {
                None
            }
            Ok(WaitStatus::Signaled(_, Signal::SIGTERM, _))
                if session.as_ref().is_some_and(|session| session.kicked) =>
            {
                None
            }
            Ok(WaitStatus::Signaled(pid, signal, _)) => {
                self.log.line(&format!("session {pid}: killed by {signal}"));
                is_by_itself(signal).then_some(Offence::Attack)
            }
            _ => None,
        };
        // SECURITY: a front end is not banned for what nobody knows whose fault it was: all its clients would be.
        if let (Some(session), Some(offence)) = (session, offence)
            && !self.door.awaits_header(&session.ends)
        {
            self.door
                .offended(session.ends.client(), offence, Instant::now());
        }
    }

    /// Ends what is left of sessions that the operator has ended, when their time is over.
    pub(super) fn end_leaving(&mut self) {
        let now = Instant::now();
        let over = |(_, until): &(Pid, Instant)| *until <= now;
        for (group, _) in self.leaving.extract_if(.., |one| over(one)) {
            // SECURITY: without a child of ours in the group the number may be another's by now. Network halves are ours to
            // collect when their keepers are gone.
            let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
            if waitid(Id::PGid(group), look).is_ok() {
                let _ = killpg(group, Signal::SIGKILL);
            }
        }
    }

    /// When that is.
    pub(super) fn next_leaving(&self) -> Option<Instant> {
        self.leaving.iter().map(|(_, until)| *until).min()
    }

    /// What SIGTERM asks for: the second one does not wait.
    fn told_to_end(&self) -> Asked {
        match self.drain_time.is_zero() || self.draining.is_some() {
            true => Asked::Stop,
            false => Asked::Drain,
        }
    }

    /// Lets nobody in any more, and sessions go as soon as they wait for a command.
    pub(super) fn begin_to_drain(&mut self) {
        let (count, seconds) = (self.sessions.len(), self.drain_time.as_secs());
        if count > 0 {
            let sessions = counted(count);
            self.log.line(&format!(
                "stopping: {sessions} may finish, within {seconds} s"
            ));
        }
        self.ports.clear();
        self.draining = Some(Instant::now() + self.drain_time);
    }

    /// Whether it has waited long enough; sees to it that sessions are told until then.
    pub(super) fn is_drained(&self) -> bool {
        self.draining.is_some_and(|deadline| {
            self.drainer.tell();
            self.sessions.is_empty() || Instant::now() >= deadline
        })
    }

    /// What has room when they have to be told again.
    pub(super) fn drained(&self) -> Option<BorrowedFd<'_>> {
        self.draining.map(|_| self.drainer.as_fd())
    }

    /// Ends the sessions and waits for them; what does not end in time is killed.
    pub(super) fn stop(&mut self) {
        self.log
            .line(&format!("stopping, {}", counted(self.sessions.len())));
        self.ports.clear();
        self.watched.tell_to_stop();
        let deadline = Instant::now() + STOP_GRACE;
        self.reap();
        self.end_handovers();
        while !self.sessions.is_empty() && Instant::now() < deadline {
            let mut ready = [PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
            if poll(&mut ready, until(Some(deadline))).is_ok() {
                self.handle_signals();
                self.reap();
                self.end_handovers();
                self.turn();
            }
        }
        self.leaving
            .iter_mut()
            .for_each(|(_, until)| *until = Instant::now());
        self.end_leaving();
        for session in self.sessions.groups() {
            // Its keeper is our child and not yet reaped, so the number is still that of the group.
            if killpg(session, Signal::SIGKILL).is_ok() {
                self.log.line(&format!(
                    "session {session}: killed, it did not end in time"
                ));
            }
        }
        if let Some(operator) = self.operator.take() {
            operator.leave();
        }
        self.hooks.leave(STOP_GRACE);
    }

    /// Ends the sessions that wait for another trusted half: there will be none.
    ///
    /// SECURITY: no child of ours need be left in their groups, whose numbers may be others' by now.
    fn end_handovers(&mut self) {
        while let Some((group, _, handover)) = self.sessions.next_handover() {
            let _ = sys::kill_process(&handover.ended);
            self.forget(group);
        }
    }
}

/// Whether a process got the signal for what it did: nothing that a client does sends the others.
fn is_by_itself(signal: Signal) -> bool {
    !matches!(signal, Signal::SIGKILL | Signal::SIGTERM)
}
