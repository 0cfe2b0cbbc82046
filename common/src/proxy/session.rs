//! One session of a gateway: what the client says, in its order, and where it goes.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use zeroize::Zeroize;

use super::course::{Course, course};
use super::data::DataChannel;
use super::features;
use super::hooked::HookTerms;
use super::login::Who;
use super::report::Tally;
use super::security::{Agreement, Terms, Turn};
use super::server::{Server, ServerFault};
use crate::activity::Teller;
use crate::channel::{Asker, Broken, DialAnswer, DialRequest, Dialling};
use crate::control::{Control, Lost, until};
use crate::fault::Fault;
use crate::listener::{Drain, Status};
use crate::log::{Few, Log};
use crate::net::Ends;
use crate::proto::answer::{Answer, Outcome};
use crate::proto::destination::{Destination, Host};
use crate::proto::line::Input;
use crate::proto::reply::{Code, Reply};
use crate::proto::request::Request;
use crate::proto::verbs::{self, CommandError, Verb};
use crate::pump::{Delivery, Pipe};
use crate::settings::GatewayConfig;

/// The longest name that sessions are counted by, in octets.
pub(super) const LONGEST_ACCOUNT: usize = 255;
/// Lines that are no commands before login, after which the client is taken for something else.
const STRANGE_LINES: u32 = 10;
/// So much longer than the dialer's own time its answer is waited for.
const DIAL_MARGIN: Duration = Duration::from_secs(2);
/// How long a server gets to say goodbye.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What a session is given.
pub struct Setup<'a> {
    pub config: &'a GatewayConfig,
    pub client: Control,
    pub ends: Ends,
    pub dialer: Asker<Dialling>,
    pub pipe: Pipe,
    /// Tells when clients have their downloads, where that is waited for.
    pub delivery: Option<Delivery>,
    pub terms: Terms,
    /// Who has logged in here before, and counts instead of the name for the server.
    pub behalf: Option<Vec<u8>>,
    /// Where it tells what it does.
    pub teller: Teller,
    /// What hooks want to hear.
    pub hooks: HookTerms,
    /// Where it hears that it should go.
    pub drain: Option<Drain>,
    pub log: Log,
}

/// Why a session is over.
#[derive(Debug)]
pub(super) enum End {
    /// With what the server said to it.
    Quit(Reply),
    ClientLost,
    TimedOut,
    NotFtp,
    DialerGone,
    /// The dialer broke the rules of the channel, or the system a promise.
    Broken(Fault),
    /// No server was reached, and there is no other try.
    NotDialled(Reply),
    /// The server ends it with this.
    Dismissed(Answer),
    ServerTimedOut,
    Server(ServerFault),
    TooManySessions,
    /// The gateway is about to stop, and nothing is going on here.
    Draining,
    /// It has tried one name after the other.
    TooManyNames,
}

impl End {
    /// What cannot be unless the program has a mistake.
    #[track_caller]
    pub(super) fn bug(what: &'static str) -> End {
        End::Broken(Fault::new(what))
    }
}

impl From<Lost> for End {
    fn from(_: Lost) -> End {
        End::ClientLost
    }
}

impl From<ServerFault> for End {
    fn from(fault: ServerFault) -> End {
        End::Server(fault)
    }
}

impl From<Broken> for End {
    #[track_caller]
    fn from(broken: Broken) -> End {
        match broken {
            Broken::Closed => End::DialerGone,
            Broken::Malformed => End::bug("a message that is none"),
            Broken::Failed(errno) => End::Broken(Fault::of("the channel", errno)),
        }
    }
}

pub(super) struct Session<'a> {
    pub(super) config: &'a GatewayConfig,
    pub(super) client: Control,
    pub(super) ends: Ends,
    pub(super) dialer: Asker<Dialling>,
    pub(super) pipe: Pipe,
    pub(super) delivery: Option<Delivery>,
    pub(super) given: bool,
    pub(super) teller: Teller,
    drain: Option<Drain>,
    pub(super) hooks: HookTerms,
    /// Hooks may have heard of a data connection, and not of its end.
    pub(super) had_data: bool,
    pub(super) log: Log,
    /// Data connections that are not as they should be.
    pub(super) strangers: Few,
    pub(super) server: Option<Server>,
    /// Which one of the pool that is.
    pub(super) number: Option<usize>,
    /// Whether there is no other server to try in its place.
    pub(super) settled: bool,
    /// How many names the client has tried.
    pub(super) names: u32,
    /// Where that is, in the client's words.
    pub(super) destination: Option<Destination>,
    pub(super) who: Who,
    pub(super) data: DataChannel,
    /// After EPSV ALL only EPSV is allowed (RFC 2428 §4).
    pub(super) epsv_only: bool,
    pub(super) terms: Terms,
    pub(super) behalf: Option<Vec<u8>>,
    pub(super) agreement: Option<Agreement>,
    /// What becomes of the control connection once the reply is sent.
    pub(super) turn: Option<Turn>,
    pub(super) tally: Tally,
    strange_lines: u32,
    pub(super) login_deadline: Instant,
}

/// What a wait has brought; nothing everywhere if its time was over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Woken {
    client: PollFlags,
    server: PollFlags,
    dialer: PollFlags,
    drain: PollFlags,
    pub(super) timed_out: bool,
}

/// Serves a client until its session is over.
pub fn serve(setup: Setup<'_>) -> Status {
    Session::new(setup, None).serve(Session::greet_client)
}

/// Serves a client on that something else has served so far, beginning with the command that leads it here. `agreement` is what
/// was agreed upon if the control connection is under TLS.
pub fn take_over(setup: Setup<'_>, agreement: Option<Agreement>, line: &[u8]) -> Status {
    Session::new(setup, agreement).serve(|session| {
        let reply = session.obey(line)?;
        Ok(session.client.reply(&reply)?)
    })
}

impl<'a> Session<'a> {
    fn new(setup: Setup<'a>, agreement: Option<Agreement>) -> Session<'a> {
        let config = setup.config;
        Session {
            config,
            client: setup.client,
            ends: setup.ends,
            dialer: setup.dialer,
            pipe: setup.pipe,
            delivery: setup.delivery,
            given: config.leads(),
            teller: setup.teller,
            drain: setup.drain,
            hooks: setup.hooks,
            had_data: false,
            log: setup.log,
            strangers: Few::default(),
            server: None,
            number: None,
            settled: true,
            names: 0,
            destination: None,
            who: Who::default(),
            data: DataChannel::None,
            epsv_only: false,
            terms: setup.terms,
            behalf: setup.behalf,
            agreement,
            turn: None,
            tally: Tally::default(),
            strange_lines: 0,
            login_deadline: Instant::now() + config.login_timeout,
        }
    }

    fn serve(mut self, begin: impl FnOnce(&mut Self) -> Result<(), End>) -> Status {
        let end = match begin(&mut self).and_then(|()| self.converse()) {
            Ok(never) => match never {},
            Err(end) => end,
        };
        self.farewell(end)
    }

    fn greet_client(&mut self) -> Result<(), End> {
        self.begin_secure()?;
        let greeting = self.greeting()?;
        Ok(self.client.reply(&greeting)?)
    }

    fn converse(&mut self) -> Result<std::convert::Infallible, End> {
        loop {
            let reply = match self.next_input()? {
                Input::Line(line) if line.is_empty() => continue,
                Input::Line(mut line) => {
                    let reply = self.obey(&line);
                    // It may have been a password.
                    line.zeroize();
                    reply?
                }
                Input::TooLong => Reply::new(Code::NOT_UNDERSTOOD, "The line is too long."),
                Input::Malformed => {
                    Reply::new(Code::NOT_UNDERSTOOD, "The line holds a NUL or a bare CR.")
                }
            };
            self.client.reply(&reply)?;
            if let Some(turn) = self.turn.take() {
                self.secure(turn)?;
            }
        }
    }

    /// Greets by the server's own words, if it is known already.
    fn greeting(&mut self) -> Result<Reply, End> {
        if self.given {
            let reached = self.dial(&DialRequest::DialGiven, None)?;
            return reached.map_err(End::NotDialled);
        }
        let text = self.config.banner.as_deref();
        let text = text.unwrap_or(match self.config.pools() {
            true => "FTP gateway: log in.",
            false => "FTP gateway: log in as name@host.",
        });
        Ok(Reply::new(Code::SERVICE_READY, text))
    }

    fn obey(&mut self, line: &[u8]) -> Result<Reply, End> {
        let obeyed = self.carry_out(line);
        self.teller.end();
        obeyed
    }

    fn carry_out(&mut self, line: &[u8]) -> Result<Reply, End> {
        let (_, argument) = verbs::split(line);
        let verb = match verbs::verb(line) {
            Ok(verb) if verb.spec().verb == "SITE PROXY" => {
                return self.site_proxy(verbs::argument(verb, line));
            }
            // No list of permitted commands takes TLS away.
            Ok(verb) if self.config.permitted.with_tls().contains(verb) => verb,
            Ok(_) | Err(CommandError::NotOffered) => {
                return Ok(Reply::new(
                    Code::NOT_OFFERED,
                    "This command is not offered.",
                ));
            }
            Err(CommandError::SiteAlone) => {
                return Ok(Reply::new(Code::BAD_ARGUMENT, "SITE needs a command."));
            }
            Err(CommandError::UnknownSite) => {
                let text = "This SITE command is not offered.";
                return Ok(Reply::new(Code::PARAMETER_NOT_OFFERED, text));
            }
            Err(CommandError::Unknown | CommandError::Argument(..)) => return self.strange(),
        };
        self.log_command(verb, argument);
        let shown = verbs::shown_argument(verb, line);
        self.teller.begin(verb.spec().verb, shown);
        match course(verb) {
            Some(Course::Here) => self.here(verb, argument),
            Some(Course::Security) => self.security(verb, line),
            Some(Course::Data) if self.who.logged_in => self.set_up(verb, line),
            Some(Course::Transfer(direction)) if self.who.logged_in => {
                self.transfer(verb, argument, direction)
            }
            Some(Course::Pass | Course::Data | Course::Transfer(_)) if self.server.is_none() => {
                Ok(Reply::new(
                    Code::NOT_LOGGED_IN,
                    match self.config.pools() {
                        true => "Log in first.",
                        false => "Log in as name@host first.",
                    },
                ))
            }
            Some(Course::Data | Course::Transfer(_)) => {
                Ok(Reply::new(Code::NOT_LOGGED_IN, "Please log in first."))
            }
            // SECURITY: where rules say who may go there, nobody whom they have not let on has the server do anything.
            Some(Course::Pass)
                if self.who.name.is_empty() && !self.config.user_targets.is_empty() =>
            {
                Ok(Reply::new(Code::NOT_LOGGED_IN, "Please log in first."))
            }
            Some(Course::Pass) => self.pass(verb, argument),
            Some(Course::Refuse(why)) => Ok(Reply::new(Code::NOT_OFFERED, why)),
            None => Ok(Reply::new(
                Code::NOT_OFFERED,
                "This command is not offered.",
            )),
        }
    }

    fn here(&mut self, verb: Verb, argument: &[u8]) -> Result<Reply, End> {
        match verb.spec().verb {
            "USER" => self.user(argument),
            "PASS" => self.pass_word(argument),
            "ACCT" => self.account(argument),
            "QUIT" => Err(End::Quit(self.quit())),
            "FEAT" => self.features(),
            "ABOR" => {
                self.data = DataChannel::None;
                self.end_data()?;
                Ok(Reply::new(
                    Code::DATA_DONE,
                    "There is no transfer to abort.",
                ))
            }
            // Both sides shall see that the session lives.
            _ if self.server.is_some() => self.pass(verb, argument),
            _ => Ok(Reply::new(Code::OK, "All is well.")),
        }
    }

    /// Something that is no command at all.
    fn strange(&mut self) -> Result<Reply, End> {
        self.strange_lines += 1;
        if self.strange_lines >= STRANGE_LINES && !self.who.logged_in {
            return Err(End::NotFtp);
        }
        Ok(Reply::new(
            Code::NOT_UNDERSTOOD,
            "The command is not understood.",
        ))
    }

    /// Has the server carry a command out.
    fn pass(&mut self, verb: Verb, argument: &[u8]) -> Result<Reply, End> {
        let request = match request(verb, argument) {
            Ok(request) => request,
            Err(reply) => return Ok(reply),
        };
        let answer = self.ask(&request)?;
        if verb.spec().verb == "TYPE" && answer.outcome() == Outcome::Complete {
            self.tally.typed(argument);
        }
        Ok(answer.relay())
    }

    fn features(&mut self) -> Result<Reply, End> {
        let lines = match self.server {
            Some(_) => {
                let answer = self.ask(&Request::plain("FEAT"))?;
                match answer.outcome() {
                    Outcome::Complete => answer.between().to_vec(),
                    _ => Vec::new(),
                }
            }
            None => Vec::new(),
        };
        let offers_tls = self.terms.certificates.is_some();
        Ok(features::reply(&lines, self.config.permitted, offers_tls))
    }

    /// Ends the server's session, and gives what it said to that.
    fn quit(&mut self) -> Reply {
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
    fn next_input(&mut self) -> Result<Input, End> {
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

    fn log_command(&self, verb: Verb, argument: &[u8]) {
        let client = self.ends.client();
        self.log.command(|| match verb.spec() {
            spec if spec.secret || argument.is_empty() => format!("{client}: {}", spec.verb),
            spec => format!("{client}: {} {}", spec.verb, argument.escape_ascii()),
        });
    }

    fn farewell(&mut self, end: End) -> Status {
        self.tell_of_end(&end);
        self.tell_hooks_of_end(&end);
        let closing = |text: &str| Reply::new(Code::CLOSING, text);
        let (reply, status) = match end {
            End::Quit(reply) => (Some(reply), Status::Ended),
            End::ClientLost => (None, Status::Ended),
            End::DialerGone => {
                let text = "The service is closing this session.";
                (Some(closing(text)), Status::Ended)
            }
            End::Broken(fault) => {
                let client = self.ends.client();
                self.log.line(&format!("session for {client}: {fault}"));
                let text = "The gateway has a problem; please try again.";
                (Some(closing(text)), Status::Broken(None))
            }
            End::TimedOut => {
                let text = "Timeout: closing the connection.";
                (Some(closing(text)), Status::TimedOut)
            }
            End::NotFtp => (Some(closing("This is an FTP gateway.")), Status::NotFtp),
            End::NotDialled(reply) => (Some(reply), Status::Ended),
            End::Dismissed(answer) => (Some(answer.relay_as(Code::CLOSING)), Status::Ended),
            End::ServerTimedOut => {
                self.tell_of_server("it did not answer in time");
                (Some(closing("The server does not answer.")), Status::Ended)
            }
            End::Server(fault) => {
                self.tell_of_server(&fault.to_string());
                (Some(closing(&fault.for_client())), Status::Ended)
            }
            End::TooManyNames => {
                let text = "Too many names: please begin anew on another connection.";
                (Some(closing(text)), Status::LoginFailed)
            }
            End::Draining => {
                let text = "The gateway stops; please come back later.";
                (Some(closing(text)), Status::Ended)
            }
            End::TooManySessions => {
                let text = "This user has too many sessions; please try later.";
                (Some(closing(text)), Status::Ended)
            }
        };
        if let Some(reply) = reply {
            // The client may be gone: then nobody needs to hear it.
            let _ = self.client.reply(&reply);
        }
        self.client.close();
        status
    }

    pub(super) fn tell_of_server(&self, what: &str) {
        let server = match (&self.server, self.member()) {
            (Some(_), Some(_)) => self.place(),
            (Some(server), None) => server.address.to_string(),
            (None, _) => "not reached yet".to_owned(),
        };
        let client = self.ends.client();
        self.log
            .line(&format!("client {client}, server {server}: {what}"));
    }
}

/// The command for the server. SITE has its own word in the argument.
pub(super) fn request(verb: Verb, argument: &[u8]) -> Result<Request, Reply> {
    let word = match verb.is_site() {
        true => "SITE",
        false => verb.spec().verb,
    };
    match argument.is_empty() {
        true => Ok(Request::plain(word)),
        false => Request::new(word, argument)
            .map_err(|_| Reply::new(Code::BAD_ARGUMENT, "The argument holds a line end.")),
    }
}
