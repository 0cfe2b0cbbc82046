//! A session is two processes: how they part, and how it ends. The trusted half outlives the network half, but not for long.

use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::{Answer, Lifeline, Status, Verdict};
use crate::control::until;
use crate::log::Log;
use crate::sys::{self, Fork};

/// How long the network half may take to end when its channel has: it says 421 to a client that reads.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// So much later than the network half the trusted half gives a login up: it is for the network half to tell the client.
pub const LOGIN_MARGIN: Duration = Duration::from_secs(2);

/// Forks a session in two, with the channel between them.
///
/// # Errors
/// What the session ends with; the log says why.
pub fn part<C>(channel: Result<C, Errno>, client: IpAddr, log: &Log) -> Result<(C, Fork), Status> {
    let parted = channel.and_then(|channel| sys::fork().map(|fork| (channel, fork)));
    parted.map_err(|errno| {
        log.line(&format!("cannot start a session for {client}: {errno}"));
        Status::Broken(None)
    })
}

/// Tells when the network half has ended, for the trusted half that stays.
///
/// # Errors
/// What the session ends with; the log says why.
pub fn watch(session: Pid, log: &Log) -> Result<OwnedFd, Status> {
    sys::watch_process(session).map_err(|errno| {
        log.line(&format!("pidfd_open failed: {errno}"));
        Status::Broken(None)
    })
}

/// Waits for the end of the network half, whose channel is closed; how the session ended. `ended` tells of that end, and
/// `status` is what the trusted half saw itself, and the log says why, where that was no ordinary end.
pub fn outlive(session: Pid, ended: &OwnedFd, status: Status, log: &Log) -> Status {
    let status = status.explained(log);
    let patience = match status {
        Status::Misbehaved => Duration::ZERO,
        _ => LAST_WORDS,
    };
    let other = reap(session, ended, patience, log);
    other.map_or(status, |session| worse(status, session).explained(log))
}

/// Waits for what the listener says about a login. A client that goes away, which the end of `channel` shows, ends the wait.
///
/// # Errors
/// What the session ends with.
pub fn verdict(
    answer: &Answer<Verdict>,
    channel: BorrowedFd<'_>,
    lifeline: &Lifeline,
    deadline: Instant,
) -> Result<Verdict, Status> {
    loop {
        if let Some(verdict) = answer.take().map_err(|_| Status::Ended)? {
            return Ok(verdict);
        }
        let mut ready = [
            PollFd::new(answer.as_fd(), PollFlags::POLLIN),
            PollFd::new(channel, PollFlags::empty()),
            PollFd::new(lifeline.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut ready, until(Some(deadline))) {
            Ok(0) => return Err(Status::TimedOut),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(Status::failed("poll", errno)),
        }
        let speaks = |index: usize| {
            let ready: &PollFd<'_> = &ready[index];
            ready.revents().is_some_and(|events| !events.is_empty())
        };
        if speaks(1) || speaks(2) {
            return Err(Status::Ended);
        }
    }
}

/// How the network half ended, if it did in time.
///
/// SECURITY: a half that was taken over may never end. It is not waited for, and no longer keeper's to kill, being of
/// another uid; the listener ends what is left of a session when its keeper has ended.
fn reap(session: Pid, ended: &OwnedFd, patience: Duration, log: &Log) -> Option<Status> {
    let mut ready = [PollFd::new(ended.as_fd(), PollFlags::POLLIN)];
    let over = poll(&mut ready, until(Some(Instant::now() + patience))) == Ok(1);
    // Whoever traces a process hears of its end first, and its parent a moment later.
    let look = (!over).then_some(WaitPidFlag::WNOHANG);
    match waitpid(session, look) {
        Ok(WaitStatus::Exited(_, code)) => Some(Status::from_code(code)),
        Ok(WaitStatus::Signaled(_, signal, _)) => {
            log.line(&format!("the network half was killed by {signal}"));
            Some(Status::Crashed)
        }
        // After REIN it is the listener's child, who will hear the rest.
        Ok(_) | Err(Errno::ECHILD) => None,
        Err(errno) => Some(Status::failed("waitpid", errno)),
    }
}

/// What keeper saw itself counts; an ordinary end is what the other half says it was.
fn worse(keeper: Status, session: Status) -> Status {
    if keeper == Status::Ended {
        session
    } else {
        keeper
    }
}
