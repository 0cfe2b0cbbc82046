//! What a session asks of its server and its dialer, and how it waits for them and for the client. Knows no command but QUIT.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};

use super::end::End;
use super::server::{Server, ServerFault};
use super::session::Session;
use crate::channel::{DialAnswer, DialRequest};
use crate::control::until;
use crate::fault::Fault;
use crate::listener::Drain;
use crate::proto::answer::{Answer, Outcome};
use crate::proto::destination::Host;
use crate::proto::line::Input;
use crate::proto::reply::{Code, Reply};
use crate::proto::request::Request;

/// So much longer than the dialer's own time its answer is waited for.
const DIAL_MARGIN: Duration = Duration::from_secs(2);
/// How long a server gets to say goodbye.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What a wait has brought; nothing everywhere if its time was over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Woken {
    client: PollFlags,
    server: PollFlags,
    dialer: PollFlags,
    drain: PollFlags,
    pub(super) timed_out: bool,
}

impl Session<'_> {
    /// Ends the server's session, and gives what it said to that.
    pub(super) fn quit(&mut self) -> Reply {
        let own = Reply::new(Code::GOODBYE, "Goodbye.");
        let Some(server) = &mut self.server else {
            return own;
        };
        if server.send(&Request::plain("QUIT")).is_err() {
            return own;
        }
        match self.answer(Instant::now() + LAST_WORDS) {
            Ok(answer) if answer.outcome() == Outcome::Complete => answer.relay_as(Code::GOODBYE),
            _ => own,
        }
    }

    /// Sends a command and waits for its last reply. Preliminary ones mean nothing outside of transfers.
    pub(super) fn ask(&mut self, request: &Request) -> Result<Answer, End> {
        let answer = self.begin(request)?;
        match answer.outcome() {
            Outcome::Preliminary => self.last_answer(),
            _ => Ok(answer),
        }
    }

    /// Sends a command and waits for its first reply.
    pub(super) fn begin(&mut self, request: &Request) -> Result<Answer, End> {
        self.check_unasked()?;
        let server = self.server.as_mut().ok_or(End::bug("no server"))?;
        server.send(request)?;
        self.answer(Instant::now() + self.patience(self.config.answer_timeout))
    }

    /// Waits for the reply that ends a command which has begun.
    pub(super) fn last_answer(&mut self) -> Result<Answer, End> {
        let deadline = Instant::now() + self.patience(self.config.answer_timeout);
        loop {
            let answer = self.answer(deadline)?;
            if answer.outcome() != Outcome::Preliminary {
                return Ok(answer);
            }
            // SECURITY: where they come without end, nothing is ever waited for.
            if Instant::now() >= deadline {
                return Err(End::ServerTimedOut);
            }
        }
    }

    /// How long a server may take for what it usually has this time for: not long where another one may be tried.
    pub(super) fn patience(&self, usual: Duration) -> Duration {
        match self.settled {
            true => usual,
            false => self.config.pool.patience,
        }
    }

    /// Waits for the next reply of the server.
    fn answer(&mut self, deadline: Instant) -> Result<Answer, End> {
        loop {
            let server = self.server.as_mut().ok_or(End::bug("no server"))?;
            if let Some(answer) = server.take()? {
                return match answer.code() {
                    Code::CLOSING => Err(End::Dismissed(answer)),
                    _ => Ok(answer),
                };
            }
            let woken = self.wait(PollFlags::POLLIN, PollFlags::empty(), Some(deadline))?;
            if woken.timed_out {
                return Err(End::ServerTimedOut);
            }
            self.look_after_client(woken)?;
            if let Some(server) = self.server.as_mut().filter(|_| !woken.server.is_empty()) {
                server.fill()?;
            }
        }
    }

    /// SECURITY: a reply that came before its command would be taken for the reply to the next one, and all that follow
    /// for others' (CVE-2021-22947 is of this kind).
    pub(super) fn check_unasked(&mut self) -> Result<(), End> {
        let server = self.server.as_mut().ok_or(End::bug("no server"))?;
        if !server.has_unasked()? {
            return match server.is_open() {
                true => Ok(()),
                false => Err(ServerFault::Lost.into()),
            };
        }
        match server.take()? {
            Some(answer) if answer.code() == Code::CLOSING => Err(End::Dismissed(answer)),
            _ => Err(ServerFault::Unasked.into()),
        }
    }

    /// Asks the dialer and waits for its answer, as long as the client is there.
    pub(super) fn ask_dialer(
        &mut self,
        request: &DialRequest,
    ) -> Result<(DialAnswer, Option<OwnedFd>), End> {
        // Two of its hooks may be waited for: of the end of one data connection, and about another.
        let hooks = self.hooks.patience.saturating_mul(2);
        let deadline = Instant::now() + self.dial_time() + DIAL_MARGIN + hooks;
        let ticket = self.dialer.ask(request)?;
        loop {
            if let Some(answer) = self.dialer.receive(ticket)? {
                return Ok(answer);
            }
            let woken = self.wait(PollFlags::empty(), PollFlags::POLLIN, Some(deadline))?;
            if woken.timed_out {
                return Err(End::ServerTimedOut);
            }
            self.look_after_client(woken)?;
            if !woken.server.is_empty() {
                return Err(ServerFault::Lost.into());
            }
        }
    }

    /// How long the dialer may take: of a pool, it may try one server after the other.
    fn dial_time(&self) -> Duration {
        match self.config.pools() {
            true => self
                .login_deadline
                .saturating_duration_since(Instant::now()),
            false => self.config.connect_timeout,
        }
    }

    /// Goes to a server, which the client may have named, and hears its greeting; `Err` is why there is none.
    pub(super) fn dial(
        &mut self,
        request: &DialRequest,
        host: Option<&Host>,
    ) -> Result<Result<Reply, Reply>, End> {
        match self.ask_dialer(request)? {
            (DialAnswer::Dialled { server }, Some(socket)) => {
                self.server = Some(Server::new(socket, server, self.config.answer_timeout));
                let greeting = self.meet(host)?;
                Ok(Ok(greeting.relay_as(Code::SERVICE_READY)))
            }
            (DialAnswer::NotDialled { why, last }, None) => {
                let reply = super::login::not_dialled(why);
                match last || self.given {
                    // The third name that is wrong is answered as the first two.
                    true if !self.given => Err(End::NotDialled(reply)),
                    true => Err(End::NotDialled(reply.under(Code::CLOSING))),
                    false => Ok(Err(reply)),
                }
            }
            _ => Err(End::bug("an answer of the dialer that is none")),
        }
    }

    /// Takes what the client says while something else is waited for, so that its end is seen.
    pub(super) fn look_after_client(&mut self, woken: Woken) -> Result<(), End> {
        if woken
            .client
            .intersects(PollFlags::POLLERR | PollFlags::POLLHUP)
        {
            return Err(End::ClientLost);
        }
        if !woken.client.is_empty() {
            self.client.fill()?;
        }
        Ok(())
    }

    /// Waits for the next line, within the time that the state allows.
    pub(super) fn next_input(&mut self) -> Result<Input, End> {
        let deadline = match (self.who.logged_in, self.config.idle) {
            (true, Duration::ZERO) => None,
            (true, idle) => Some(Instant::now() + idle),
            (false, _) => Some(self.login_deadline),
        };
        loop {
            if let Some(input) = self.client.take() {
                return Ok(input);
            }
            if self.client.ended() {
                return Err(End::ClientLost);
            }
            // No wait would be woken by what has been read already.
            if self.server.as_ref().is_some_and(Server::has_more) {
                self.check_unasked()?;
            }
            let drain = self.drain.as_ref().map(AsFd::as_fd);
            let woken = self.wait_with(PollFlags::POLLIN, PollFlags::empty(), drain, deadline)?;
            if Drain::told(&mut self.drain, woken.drain) {
                return Err(End::Draining);
            }
            if woken.timed_out {
                return Err(End::TimedOut);
            }
            if !woken.server.is_empty() {
                self.check_unasked()?;
            }
            if !woken.client.is_empty() {
                self.client.fill()?;
            }
        }
    }

    /// Waits for something to happen. The end of the dialer is the end of the session.
    pub(super) fn wait(
        &self,
        server: PollFlags,
        dialer: PollFlags,
        deadline: Option<Instant>,
    ) -> Result<Woken, End> {
        self.wait_with(server, dialer, None, deadline)
    }

    /// The same with an eye on what tells that the gateway is about to stop.
    fn wait_with(
        &self,
        server: PollFlags,
        dialer: PollFlags,
        drain: Option<BorrowedFd<'_>>,
        deadline: Option<Instant>,
    ) -> Result<Woken, End> {
        let unused = PollFd::new(self.dialer.as_fd(), PollFlags::empty());
        let mut ready = vec![
            PollFd::new(self.client.as_fd(), self.client.interest()),
            PollFd::new(self.dialer.as_fd(), dialer),
            drain.map_or(unused, |drain| PollFd::new(drain, PollFlags::POLLIN)),
        ];
        ready.extend((self.server.iter()).map(|at| PollFd::new(at.as_fd(), server)));
        let timed_out = match poll(&mut ready, until(deadline)) {
            Ok(count) => count == 0,
            Err(Errno::EINTR) => false,
            Err(errno) => return Err(End::Broken(Fault::of("poll", errno))),
        };
        let of = |index: usize| {
            let events = ready.get(index).and_then(PollFd::revents);
            events.unwrap_or(PollFlags::empty())
        };
        let woken = Woken {
            client: of(0),
            dialer: of(1),
            drain: match drain {
                Some(_) => of(2),
                None => PollFlags::empty(),
            },
            server: of(3),
            timed_out,
        };
        match dialer.is_empty() && !woken.dialer.is_empty() {
            true => Err(End::DialerGone),
            false => Ok(woken),
        }
    }
}
