//! The trusted half of one session: root until login, then the user. It runs no parser of what a client sends; all it
//! reads is the typed requests of the other half.

mod data;
mod files;
mod listing;
mod login;

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use common::channel::{self, Answerer, Broken, LoggedIn, LoginAnswer, LoginRequest, PreLogin};
use common::control::until;
use common::listener::{Client, Lifeline, Sign, Status};
use common::net;
use common::sys::{self, Fork};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::session;
use crate::setup::Setup;

/// How long the network half may take to end when its channel has: it says 421 to a client that reads.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Both ends of the control connection, as accept saw them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) local: SocketAddr,
    pub(crate) peer: SocketAddr,
}

impl Ends {
    /// The client's address; IPv4 is shown as IPv4.
    pub(crate) fn client(&self) -> IpAddr {
        self.peer.ip().to_canonical()
    }

    /// The server's address on this connection.
    pub(crate) fn server(&self) -> IpAddr {
        self.local.ip().to_canonical()
    }
}

/// Serves one client: forks the network half and stays as the trusted half. Tells how the session ended; the process
/// must exit with that and nothing else, since it has closed what it inherited.
pub(crate) fn serve(setup: &Setup, client: Client) -> Status {
    let Client { socket, lifeline } = client;
    let Ok((local, peer)) = net::ends(&socket) else {
        return Status::Ended;
    };
    let ends = Ends { local, peer };
    let made = channel::pair()
        .and_then(|(asker, answerer)| sys::fork().map(|fork| (asker, answerer, fork)));
    let (asker, answerer, fork) = match made {
        Ok(made) => made,
        Err(errno) => {
            setup.log.line(&format!(
                "cannot start a session for {}: {errno}",
                ends.client()
            ));
            return Status::Broken;
        }
    };
    match fork {
        Fork::Child => {
            drop((answerer, lifeline));
            sys::exit(session::run(setup, socket, asker, ends).code())
        }
        Fork::Parent(session) => {
            drop((socket, asker));
            stay(setup, session, ends, lifeline, answerer)
        }
    }
}

/// Serves as the trusted half, then collects the other one.
fn stay(
    setup: &Setup,
    session: Pid,
    ends: Ends,
    lifeline: Lifeline,
    answerer: Answerer<PreLogin>,
) -> Status {
    let ended = match sys::watch_child(session) {
        Ok(ended) => ended,
        Err(errno) => {
            setup.log.line(&format!("pidfd_open failed: {errno}"));
            return Status::Broken;
        }
    };
    let mut kept = vec![answerer.as_fd(), ended.as_fd()];
    kept.extend(lifeline.descriptors());
    kept.extend(setup.log.descriptor());
    if let Err(errno) = sys::keep_only(&kept) {
        setup.log.line(&format!("close_range failed: {errno}"));
        return Status::SandboxFailed;
    }
    let keeper = Keeper {
        setup,
        ends,
        lifeline,
    };
    let status = keeper.run(answerer);
    // The channel is closed now, and with it the session ends.
    let patience = match status {
        Status::Misbehaved => Duration::ZERO,
        _ => LAST_WORDS,
    };
    reap(session, &ended, patience).map_or(status, |session| worse(status, session))
}

/// How the network half ended, if it did in time.
///
/// SECURITY: a half that was taken over may never end. It is not waited for, and no longer keeper's to kill, being of
/// another uid; the listener ends what is left of a session when its keeper has ended.
fn reap(session: Pid, ended: &OwnedFd, patience: Duration) -> Option<Status> {
    let mut ready = [PollFd::new(ended.as_fd(), PollFlags::POLLIN)];
    // Whatever it says, the look that follows decides.
    let _ = poll(&mut ready, until(Some(Instant::now() + patience)));
    match waitpid(session, Some(WaitPidFlag::WNOHANG)) {
        Ok(WaitStatus::Exited(_, code)) => Some(Status::from_code(code)),
        Ok(WaitStatus::Signaled(..)) => Some(Status::Crashed),
        Ok(_) => None,
        Err(_) => Some(Status::Broken),
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

struct Keeper<'a> {
    setup: &'a Setup,
    ends: Ends,
    lifeline: Lifeline,
}

impl Keeper<'_> {
    fn run(self, mut channel: Answerer<PreLogin>) -> Status {
        match self.log_in(&mut channel) {
            Ok((login, ticket)) => self.serve_user(channel, login, ticket),
            Err(status) => status,
        }
    }

    /// Answers logins until one succeeds; by then this process is the user.
    fn log_in(
        &self,
        channel: &mut Answerer<PreLogin>,
    ) -> Result<(login::Login, channel::Ticket), Status> {
        let server = &self.setup.config.server;
        let deadline = Instant::now() + server.login_timeout;
        let mut fails = 0;
        loop {
            self.wait_for_request(channel, deadline)?;
            let Some((ticket, LoginRequest::Authenticate { user, secret })) =
                channel.receive().map_err(status_of)?
            else {
                continue;
            };
            let asked = Instant::now();
            match login::authenticate(self.setup, &self.ends, user.as_slice(), &secret) {
                Ok(admitted) => {
                    return match login::become_user(self.setup, admitted) {
                        Ok(login) => {
                            let (name, client) =
                                (user.as_slice().escape_ascii(), self.ends.client());
                            self.setup
                                .log
                                .line(&format!("login of '{name}' from {client}"));
                            Ok((login, ticket))
                        }
                        Err(refused) => {
                            self.setup.log.line(&format!(
                                "login of '{}' from {} failed: {}",
                                user.as_slice().escape_ascii(),
                                self.ends.client(),
                                refused.text
                            ));
                            let _ =
                                channel.answer(ticket, &LoginAnswer::Refused { last: true }, None);
                            Err(refused.status)
                        }
                    };
                }
                Err(refused) => {
                    fails += 1;
                    self.setup.log.line(&format!(
                        "login of '{}' from {} failed: {refused}",
                        user.as_slice().escape_ascii(),
                        self.ends.client()
                    ));
                    self.hold_back(channel, asked + server.login_fail_delay)?;
                    let last = fails >= server.max_login_fails;
                    channel
                        .answer(ticket, &LoginAnswer::Refused { last }, None)
                        .map_err(status_of)?;
                    if last {
                        return Err(Status::LoginFailed);
                    }
                }
            }
        }
    }

    /// Waits until the other half asks for something. Nobody logs in when the listener is gone.
    fn wait_for_request(
        &self,
        channel: &Answerer<PreLogin>,
        deadline: Instant,
    ) -> Result<(), Status> {
        let mut ready = [
            PollFd::new(channel.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.lifeline.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut ready, until(Some(deadline))) {
            Ok(0) => return Err(Status::TimedOut),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return Err(Status::Broken),
        }
        if self.lifeline.sign() == Sign::Alive {
            Ok(())
        } else {
            Err(Status::Ended)
        }
    }

    /// Holds an answer back until `deadline`, so that guessing is slow and the time tells nothing; a client that goes
    /// away ends the wait.
    fn hold_back(&self, channel: &Answerer<PreLogin>, deadline: Instant) -> Result<(), Status> {
        while Instant::now() < deadline {
            let mut ready = [
                PollFd::new(channel.as_fd(), PollFlags::empty()),
                PollFd::new(self.lifeline.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut ready, until(Some(deadline))) {
                Ok(0) | Err(Errno::EINTR) => {}
                _ => return Err(Status::Ended),
            }
        }
        Ok(())
    }

    /// Serves the user's requests until the session ends.
    fn serve_user(
        self,
        channel: Answerer<PreLogin>,
        login: login::Login,
        ticket: channel::Ticket,
    ) -> Status {
        let mut channel = channel;
        let welcome = LoginAnswer::Welcome {
            account: login.account.clone(),
        };
        if let Err(broken) = channel.answer(ticket, &welcome, None) {
            return status_of(broken);
        }
        let mut channel = channel.log_in();
        let mut files = files::Files::new(login, self.ends);
        // Watched until it hangs up: then the listener is gone, and a session that is logged in goes on without.
        let mut lifeline = Some(&self.lifeline);
        loop {
            match wait_for_work(&channel, lifeline, files.listing_pipe()) {
                Ok(Sign::Alive) => {}
                Ok(Sign::Stop) => return Status::Ended,
                Ok(Sign::Orphaned) => lifeline = None,
                Err(_) => return Status::Broken,
            }
            files.step_listing();
            match channel.receive() {
                Ok(Some((ticket, request))) => {
                    let (answer, descriptor) = files.answer(request);
                    let descriptor = descriptor.as_ref().map(AsFd::as_fd);
                    if let Err(broken) = channel.answer(ticket, &answer, descriptor) {
                        return status_of(broken);
                    }
                }
                Ok(None) => {}
                Err(broken) => return status_of(broken),
            }
        }
    }
}

/// Waits for a request, for room in a listing's pipe, or for a sign of the listener.
fn wait_for_work(
    channel: &Answerer<LoggedIn>,
    lifeline: Option<&Lifeline>,
    listing: Option<BorrowedFd<'_>>,
) -> Result<Sign, Errno> {
    let unused = || PollFd::new(channel.as_fd(), PollFlags::empty());
    let mut ready = [
        PollFd::new(channel.as_fd(), PollFlags::POLLIN),
        lifeline.map_or_else(unused, |lifeline| {
            PollFd::new(lifeline.as_fd(), PollFlags::POLLIN)
        }),
        listing.map_or_else(unused, |pipe| PollFd::new(pipe, PollFlags::POLLOUT)),
    ];
    match poll(&mut ready, until(None)) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(errno) => return Err(errno),
    }
    match lifeline {
        Some(lifeline) if ready[1].revents().is_some_and(|events| !events.is_empty()) => {
            Ok(lifeline.sign())
        }
        _ => Ok(Sign::Alive),
    }
}

fn status_of(broken: Broken) -> Status {
    match broken {
        Broken::Closed => Status::Ended,
        Broken::Malformed => Status::Misbehaved,
        Broken::Failed(_) => Status::Broken,
    }
}
