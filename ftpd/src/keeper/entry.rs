//! The way in: from the first request of the network half to the user that the process has become, or to another server.

use std::fmt::Display;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::time::Instant;

use common::channel::{Answerer, LoginAnswer, LoginRequest, PreLogin, Ticket, UserName};
use common::control::until;
use common::hookd::{Introduced, Introduction, Listed, Reason, Told};
use common::hooks::{Kind, Outcome, Phase};
use common::listener::{Answer, OwnLog, Sign, Status, Verdict, halves};
use common::log::{self, Fact, SessionLogs};
use common::proto::proxied::Header;
use common::settings::{Led, Run, Whose};
use common::wire::Octets;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::unistd::{getpgrp, getpid};

use super::{Keeper, grant, login};

/// The longest reason of a failure that hooks are told, in octets.
const LONGEST_REASON: usize = 512;

/// What became of a visitor.
pub(super) enum Entered {
    User(Box<login::Login>, Ticket),
    /// It wants to another server.
    Led,
}

impl Keeper<'_> {
    /// Answers logins until one succeeds; by then this process is the user. Or until the client wants to another server.
    pub(super) fn log_in(&mut self, channel: &mut Answerer<PreLogin>) -> Result<Entered, Status> {
        let server = &self.setup.config.server;
        let deadline = Instant::now() + server.login_timeout + halves::LOGIN_MARGIN;
        let mut fails = 0;
        self.meet_client(channel, deadline)?;
        loop {
            self.wait_for_request(channel, deadline)?;
            let Some((ticket, request)) = channel.receive().map_err(Status::from)? else {
                continue;
            };
            let (user, secret) = match request {
                LoginRequest::Authenticate { user, secret } => (user, secret),
                LoginRequest::Enter { user } => {
                    match self.enter_by_certificate(channel, ticket, &user, deadline)? {
                        Some(login) => return Ok(Entered::User(Box::new(login), ticket)),
                        None => continue,
                    }
                }
                LoginRequest::Lead => {
                    // SECURITY: else it is a network half that was taken over.
                    if self.setup.gateway.is_none() || server.leading.who != Led::Anybody {
                        return Err(Status::Misbehaved);
                    }
                    let answered = channel.answer(ticket, &LoginAnswer::Leads, None);
                    return answered.map(|()| Entered::Led).map_err(Status::from);
                }
                other => {
                    self.hear_visitor(channel, ticket, other)?;
                    continue;
                }
            };
            self.verdict(channel, self.reports.admit(), deadline)?;
            let asked = Instant::now();
            let claimed = login::Claimed {
                name: user.as_slice(),
                certificate: self.visitor.names(),
            };
            match login::authenticate(self.setup, &self.ends, claimed, &secret) {
                Ok(granted) => {
                    return self
                        .enter(channel, ticket, &user, granted, deadline)
                        .map(|login| Entered::User(Box::new(login), ticket));
                }
                Err(refused) => {
                    fails += 1;
                    self.tell_of_failure(&user, &refused);
                    self.tell_hooks_of_failure(&user, &refused);
                    self.reports.failed().map_err(|_| Status::Ended)?;
                    self.hold_back(channel, asked + server.login_fail_delay)?;
                    let last = fails >= server.max_login_fails;
                    channel
                        .answer(ticket, &LoginAnswer::Refused { last }, None)
                        .map_err(Status::from)?;
                    if last {
                        return Err(Status::LoginFailed);
                    }
                }
            }
        }
    }

    /// Takes what comes before a login, of the connection and of the client's certificate.
    fn hear_visitor(
        &mut self,
        channel: &mut Answerer<PreLogin>,
        ticket: Ticket,
        request: LoginRequest,
    ) -> Result<(), Status> {
        let answer = match request {
            LoginRequest::Signer { generation } => {
                return self.lead_to_signer(channel, ticket, generation);
            }
            LoginRequest::Present { part, more } => {
                self.visitor.take(self.setup, &self.ends, &part, more)?
            }
            LoginRequest::Forget => {
                self.visitor.forget();
                LoginAnswer::Taken
            }
            LoginRequest::Secured { version } => {
                self.reach.secured(version);
                LoginAnswer::Taken
            }
            // The address came first, and the others end the wait for a login.
            LoginRequest::Peer { .. }
            | LoginRequest::Lead
            | LoginRequest::Enter { .. }
            | LoginRequest::Authenticate { .. } => return Err(Status::Misbehaved),
        };
        channel.answer(ticket, &answer, None).map_err(Status::from)
    }

    /// Has the client admitted whom a front end has named, and is this client's from then on.
    ///
    /// SECURITY: whose connection it is comes first, and once, and from none but a front end.
    fn meet_client(
        &mut self,
        channel: &mut Answerer<PreLogin>,
        deadline: Instant,
    ) -> Result<(), Status> {
        let front_ends = self.setup.config.server.limits.front_ends.as_ref();
        if !self.ends.await_header(front_ends) {
            return Ok(());
        }
        let (ticket, header) = loop {
            self.wait_for_request(channel, deadline)?;
            match channel.receive().map_err(Status::from)? {
                None => {}
                Some((ticket, LoginRequest::Peer { client, server })) => {
                    break (ticket, Header::Passed { client, server });
                }
                Some(_) => return Err(Status::Misbehaved),
            }
        };
        let ends = self.ends.passed(header).ok_or(Status::Misbehaved)?;
        let passed = ends
            .passed
            .ok_or(Status::bug("ends that nobody has passed"))?;
        let verdict = self.verdict(channel, self.reports.peer(passed), deadline)?;
        self.ends = ends;
        let (answer, met) = match verdict {
            Verdict::Admitted => (LoginAnswer::Admitted, Ok(())),
            Verdict::Refused { why } => (LoginAnswer::NotAdmitted { why }, Err(Status::Ended)),
            Verdict::TooMany => return Err(Status::bug("a verdict about a user")),
        };
        channel
            .answer(ticket, &answer, None)
            .map_err(Status::from)?;
        met
    }

    /// Gives the network half a channel to the signer. SECURITY: one, as each of them has a budget.
    fn lead_to_signer(
        &mut self,
        channel: &mut Answerer<PreLogin>,
        ticket: Ticket,
        generation: u32,
    ) -> Result<(), Status> {
        let offer = self.tls.take();
        let offer = offer.filter(|offer| offer.certificates.generation == generation);
        let made = match offer.map(|offer| offer.channel()).transpose() {
            Ok(made) => made,
            Err(errno) => {
                self.setup
                    .log
                    .line(&format!("the signer cannot be reached: {errno}"));
                None
            }
        };
        let answer = match made {
            Some(_) => LoginAnswer::Signer,
            None => LoginAnswer::NoSigner,
        };
        channel
            .answer(ticket, &answer, made.as_ref().map(AsFd::as_fd))
            .map_err(Status::from)
    }

    /// Lets the client in by its certificate, if it is one of that account's and enough there; else says that a password is
    /// wanted, as for any other name.
    fn enter_by_certificate(
        &mut self,
        channel: &mut Answerer<PreLogin>,
        ticket: Ticket,
        user: &UserName,
        deadline: Instant,
    ) -> Result<Option<login::Login>, Status> {
        let most = self.setup.config.server.max_login_fails;
        let name = user.as_slice();
        let member = self
            .visitor
            .try_to_enter(most)
            .and_then(|certificate| login::entitled(self.setup, &self.ends, name, certificate));
        if let Some(member) = member {
            self.verdict(channel, self.reports.admit(), deadline)?;
            match login::vouch(self.setup, &self.ends, name, &member) {
                Ok(granted) => {
                    let login = self.enter(channel, ticket, user, granted, deadline);
                    return login.map(Some);
                }
                Err(refused) => {
                    self.tell_of_failure(user, &refused);
                    self.tell_hooks_of_failure(user, &refused);
                    self.reports.failed().map_err(|_| Status::Ended)?;
                }
            }
        }
        channel
            .answer(ticket, &LoginAnswer::NeedPassword, None)
            .map_err(Status::from)?;
        Ok(None)
    }

    /// Becomes the user whose password was right, if there is a place for one more session of it.
    fn enter(
        &mut self,
        channel: &mut Answerer<PreLogin>,
        ticket: Ticket,
        typed: &UserName,
        granted: grant::Grant,
        deadline: Instant,
    ) -> Result<login::Login, Status> {
        let most = granted.settings.max_per_user;
        self.introduce(typed, &granted)?;
        let log = self.own_log(&granted);
        let asked = self.reports.logged_in(granted.name.clone(), most, log);
        if self.verdict(channel, asked, deadline)? == Verdict::TooMany {
            self.tell_of_failure(typed, &format_args!("MaxPerUser of {most} is reached"));
            let told = Told {
                login: Some(typed.clone()),
                limit: Listed::find("MaxPerUser"),
                ..Told::new(Kind::LimitHit)
            };
            self.reach.say(Phase::After, told, None);
            #[expect(
                clippy::let_underscore_must_use,
                reason = "the session ends, heard or not"
            )]
            let _ = channel.answer(ticket, &LoginAnswer::TooMany, None);
            return Err(Status::Ended);
        }
        match login::become_user(self.setup, self.ends, granted) {
            Ok(login) => {
                self.reach.logged_in();
                let (name, client) = (typed.as_slice().escape_ascii(), self.ends.client());
                let shown = self.visitor.shown();
                let text = format!("login of '{name}' from {client}{shown}");
                self.tell_of_login(&text, "login", typed);
                Ok(login)
            }
            Err(refused) => {
                self.tell_of_failure(typed, &refused.text);
                #[expect(
                    clippy::let_underscore_must_use,
                    reason = "the session ends, heard or not"
                )]
                let _ = channel.answer(ticket, &LoginAnswer::Refused { last: true }, None);
                Err(refused.status)
            }
        }
    }

    /// Where the session's entries go from now on, if they do not stay where they were. SECURITY: nothing of it is a client's word but
    /// an address, and the name of an account that exists.
    fn own_log(&self, granted: &grant::Grant) -> Option<OwnLog> {
        let setup = self.setup;
        let path = granted.settings.log_file.as_ref()?.of(Whose {
            user: granted.name.as_slice(),
            real_user: &granted.identity.name,
            client: self.ends.client(),
        });
        // Without syslog the server's own log is better than none.
        let nowhere = log::is_syslog(&path) && !setup.log.tells_syslog();
        if nowhere || setup.log.writes_to(&path) {
            return None;
        }
        // There is no listener, and the logger is this process's.
        if setup.config.server.run == Run::Inetd {
            SessionLogs::new(setup.log.clone()).begin(getpgrp(), getpid(), self.session, &path);
            return None;
        }
        let own = Octets::new(path.as_os_str().as_bytes())
            .zip(u32::try_from(self.session.as_raw()).ok())
            .map(|(path, network)| OwnLog { path, network });
        if own.is_none() {
            let path = path.display();
            setup.log.line(&format!("log {path}: this is too long"));
        }
        own
    }

    /// Tells hookd whose session this becomes. SECURITY: as root, and for the last time.
    fn introduce(&mut self, typed: &UserName, granted: &grant::Grant) -> Result<(), Status> {
        let door = self.door.take();
        if self.reach.descriptor().is_none() {
            return Ok(());
        }
        let user = Introduced {
            login: typed.clone(),
            name: granted.name.clone(),
            uid: granted.identity.uid,
            gid: granted.identity.gid,
            groups: granted.identity.groups.clone(),
            client: self
                .ends
                .passed
                .map_or(self.ends.peer, |passed| passed.client),
            server: self
                .ends
                .passed
                .map_or(self.ends.local, |passed| passed.server),
        };
        let root = granted.root.as_fd();
        let introduced = match door {
            Some(door) => door.introduce(&Introduction::User { number: 0, user }, Some(root)),
            None => self.reports.introduce(user, root),
        };
        introduced.map_err(|_| Status::Ended)
    }

    fn tell_hooks_of_failure(&mut self, user: &UserName, why: &dyn Display) {
        let why = why.to_string();
        let reason = why.as_bytes();
        let told = Told {
            login: Some(user.clone()),
            reason: Reason::new(reason.get(..LONGEST_REASON).unwrap_or(reason)),
            outcome: Some(Outcome::Refused),
            ..Told::new(Kind::LoginFailed)
        };
        self.reach.say(Phase::After, told, None);
    }

    fn tell_of_failure(&self, user: &UserName, why: &dyn Display) {
        let text = format!(
            "login of '{}' from {} failed: {why}",
            user.as_slice().escape_ascii(),
            self.ends.client()
        );
        self.tell_of_login(&text, "login_failed", user);
    }

    fn tell_of_login(&self, text: &str, event: &str, user: &UserName) {
        let client = self.ends.client().to_string();
        let facts = [
            ("event", Fact::Text(event.as_bytes())),
            ("user", Fact::Text(user.as_slice())),
            ("client", Fact::Text(client.as_bytes())),
        ];
        self.setup.log.entry(text, &facts);
    }

    /// Waits for what the listener says about a login. A client that goes away ends the wait.
    fn verdict(
        &self,
        channel: &Answerer<PreLogin>,
        asked: Result<Answer<Verdict>, Errno>,
        deadline: Instant,
    ) -> Result<Verdict, Status> {
        let answer = asked.map_err(|_| Status::Ended)?;
        halves::verdict(&answer, channel.as_fd(), &self.lifeline, deadline)
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
            Err(errno) => return Err(Status::failed("poll", errno)),
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
}
