//! The trusted half of one session: root until login, then the user. It runs no parser of what a client sends; all it
//! reads is the typed requests of the other half.
// SECURITY: on the way from root to the user nothing that fails is passed over without a reason.
#![deny(clippy::let_underscore_must_use)]

mod data;
mod files;
pub(crate) mod grant;
mod hooks;
mod leases;
mod listing;
mod login;
mod packing;
pub(crate) mod password;
mod permits;
mod unpacking;
mod visitor;
mod work;

use std::fmt::Display;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use common::channel::{
    self, Answerer, Broken, FileAnswer, FileRequest, LoggedIn, LoginAnswer, LoginRequest, PreLogin,
    Ticket, UserName,
};
use common::control::until;
use common::dialer::{Dialer, Visit};
use common::hookd::{Door, Interest, Introduced, Introduction, Listed, Reach, Reason, Told};
use common::hooks::{Kind, Outcome, Phase};
use common::jail::Failure;
use common::listener::{
    Answer, Client, Lifeline, Reinitialised, Reports, Sign, Status, ToHooks, Verdict, halves,
};
use common::log::Fact;
use common::net::Ends;
use common::proto::proxied::Header;
use common::settings::Led;
use common::sys::{self, Fork};
use common::tls::Offer;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, poll};
use nix::unistd::{Pid, pipe2};

use self::files::Files;
use self::hooks::Hooked;
use self::leases::Leases;
use self::visitor::Visitor;
use crate::session;
use crate::setup::{Security, Setup};

/// The longest reason of a failure that hooks are told, in octets.
const LONGEST_REASON: usize = 512;

/// Serves one client: forks the network half and stays as the trusted half. Tells how the session ended; the process
/// must exit with that and nothing else, since it has closed what it inherited.
pub(crate) fn serve(setup: &Setup, client: Client) -> Status {
    let Client {
        socket,
        ends,
        entrance,
        tls,
        lifeline,
        reports,
        hooks,
        page,
    } = client;
    let made = channel::pair();
    let ((asker, answerer), fork) = match halves::part(made, ends.client(), &setup.log) {
        Ok(parted) => parted,
        Err(status) => return status,
    };
    match fork {
        Fork::Child => {
            drop((answerer, lifeline, reports, hooks));
            let (certificates, clients) =
                tls.map(|offer| (offer.certificates, offer.clients)).unzip();
            let security = Security {
                entrance,
                certificates,
                clients: clients.flatten(),
            };
            sys::exit(session::run(setup, socket, asker, ends, security, page).code())
        }
        Fork::Parent(session) => {
            drop((socket, asker));
            let (reach, door) = reach(setup, hooks);
            let keeper = Keeper {
                setup,
                ends,
                lifeline,
                reports,
                reach,
                door,
                session,
                visitor: Visitor::new(setup, tls.as_ref()),
                tls,
            };
            match halves::watch(session, &setup.log) {
                Ok(ended) => keeper.stay(&ended, answerer, false),
                Err(status) => status,
            }
        }
    }
}

/// Serves on as the next trusted half of a session whose client begins anew, or wants to another server.
pub(crate) fn serve_anew(setup: &Setup, session: Reinitialised) -> Status {
    let (mut channel, ticket) = Answerer::take_over(session.channel, session.ticket);
    if let Err(broken) = channel.answer(ticket, &FileAnswer::Done, None) {
        return broken.into();
    }
    let (reach, door) = reach(setup, session.hooks);
    let keeper = Keeper {
        setup,
        ends: session.ends,
        lifeline: session.lifeline,
        reports: session.reports,
        reach,
        door,
        session: session.session,
        visitor: Visitor::new(setup, session.tls.as_ref()),
        tls: session.tls,
    };
    keeper.stay(&session.ended, channel.log_out(), session.led)
}

/// The session's way to hooks.
fn reach(setup: &Setup, hooks: Option<ToHooks>) -> (Reach, Option<Door>) {
    let (channel, door) = hooks.map(|hooks| (hooks.channel, hooks.door)).unzip();
    let reach = Reach::new(channel, setup.interest, setup.longest_hook);
    (reach, door.flatten())
}

struct Keeper<'a> {
    setup: &'a Setup,
    ends: Ends,
    lifeline: Lifeline,
    reports: Reports,
    /// To the hooks of the session.
    reach: Reach,
    /// Where no listener introduces users to hookd.
    door: Option<Door>,
    /// The network half.
    session: Pid,
    /// What a visitor may ask for, once.
    tls: Option<Offer>,
    /// What it has shown of itself.
    visitor: Visitor,
}

/// What became of a visitor.
enum Entered {
    User(Box<login::Login>, Ticket),
    /// It wants to another server.
    Led,
}

/// How keeper's part in a session ended.
enum Over {
    Ended(Status),
    /// Another keeper goes on.
    HandedOver,
}

impl Keeper<'_> {
    /// Serves as the trusted half, then waits for the end of the other one. `led`: from the start to another server.
    fn stay(self, ended: &OwnedFd, channel: Answerer<PreLogin>, led: bool) -> Status {
        let mut kept = vec![channel.as_fd(), ended.as_fd()];
        kept.extend(self.lifeline.descriptors());
        kept.extend(self.reports.descriptor());
        kept.extend(self.setup.log.descriptor());
        kept.extend(self.setup.found.descriptor());
        kept.extend(self.setup.turns.as_ref().map(AsFd::as_fd));
        kept.extend(self.tls.as_ref().map(|offer| offer.door.as_fd()));
        kept.extend(self.visitor.descriptor());
        kept.extend(self.reach.descriptor());
        kept.extend(self.door.as_ref().map(AsFd::as_fd));
        if let Err(errno) = sys::keep_only(&kept) {
            self.setup.log.line(&format!("close_range failed: {errno}"));
            return Status::SandboxFailed;
        }
        let session = self.session;
        let over = match led {
            true => Over::Ended(self.lead(channel, ended)),
            false => self.run(channel, ended),
        };
        let Over::Ended(status) = over else {
            return Status::Ended;
        };
        // The channel is closed now, and with it the session ends.
        halves::outlive(session, ended, status)
    }

    fn run(mut self, mut channel: Answerer<PreLogin>, ended: &OwnedFd) -> Over {
        match self.log_in(&mut channel) {
            Ok(Entered::Led) => Over::Ended(self.lead(channel, ended)),
            Ok(Entered::User(login, ticket)) => {
                // It would keep a signer that nobody asks any more, and a directory outside of the user's root.
                self.tls = None;
                self.visitor = Visitor::default();
                self.serve_user(channel, *login, ticket)
            }
            Err(status) => Over::Ended(status),
        }
    }

    /// Leads the client to another server, as nobody.
    fn lead(self, channel: Answerer<PreLogin>, ended: &OwnedFd) -> Status {
        // The settings may be others by now.
        let Some(gateway) = self.setup.gateway() else {
            return Status::Ended;
        };
        let visit = Visit {
            ends: self.ends,
            lifeline: self.lifeline,
            reports: self.reports,
            tls: self.tls,
            given: None,
            began: Instant::now(),
        };
        Dialer::new(gateway.rules, visit).stay(channel.lead(), ended)
    }

    /// Answers logins until one succeeds; by then this process is the user. Or until the client wants to another server.
    fn log_in(&mut self, channel: &mut Answerer<PreLogin>) -> Result<Entered, Status> {
        let server = &self.setup.config.server;
        let deadline = Instant::now() + server.login_timeout + halves::LOGIN_MARGIN;
        let mut fails = 0;
        self.meet_client(channel, deadline)?;
        loop {
            self.wait_for_request(channel, deadline)?;
            let (ticket, user, secret) = match channel.receive().map_err(Status::from)? {
                None => continue,
                Some((_, LoginRequest::Peer { .. })) => return Err(Status::Misbehaved),
                Some((ticket, LoginRequest::Signer { generation })) => {
                    self.lead_to_signer(channel, ticket, generation)?;
                    continue;
                }
                Some((ticket, LoginRequest::Present { part, more })) => {
                    let answer = self.visitor.take(self.setup, &self.ends, &part, more)?;
                    channel
                        .answer(ticket, &answer, None)
                        .map_err(Status::from)?;
                    continue;
                }
                Some((ticket, LoginRequest::Forget)) => {
                    self.visitor.forget();
                    channel
                        .answer(ticket, &LoginAnswer::Taken, None)
                        .map_err(Status::from)?;
                    continue;
                }
                Some((ticket, LoginRequest::Lead)) => {
                    // SECURITY: else it is a network half that was taken over.
                    if self.setup.gateway.is_none() || server.leading.who != Led::Anybody {
                        return Err(Status::Misbehaved);
                    }
                    let answered = channel.answer(ticket, &LoginAnswer::Leads, None);
                    return answered.map(|()| Entered::Led).map_err(Status::from);
                }
                Some((ticket, LoginRequest::Secured { version })) => {
                    self.reach.secured(version);
                    channel
                        .answer(ticket, &LoginAnswer::Taken, None)
                        .map_err(Status::from)?;
                    continue;
                }
                Some((ticket, LoginRequest::Enter { user })) => {
                    match self.enter_by_certificate(channel, ticket, &user, deadline)? {
                        Some(login) => return Ok(Entered::User(Box::new(login), ticket)),
                        None => continue,
                    }
                }
                Some((ticket, LoginRequest::Authenticate { user, secret })) => {
                    (ticket, user, secret)
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
        let passed = ends.passed.ok_or(Status::Broken)?;
        let verdict = self.verdict(channel, self.reports.peer(passed), deadline)?;
        self.ends = ends;
        let (answer, met) = match verdict {
            Verdict::Admitted => (LoginAnswer::Admitted, Ok(())),
            Verdict::Refused { why } => (LoginAnswer::NotAdmitted { why }, Err(Status::Ended)),
            Verdict::TooMany => return Err(Status::Broken),
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
        let asked = self.reports.logged_in(granted.name.clone(), most);
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
        mut self,
        channel: Answerer<PreLogin>,
        mut login: login::Login,
        ticket: channel::Ticket,
    ) -> Over {
        let mut channel = channel;
        let welcome = LoginAnswer::Welcome {
            account: Box::new(login.account.clone()),
        };
        let (mut leases, asker) = login.leases.take().unzip();
        if let Err(broken) = channel.answer(ticket, &welcome, asker.as_ref().map(AsFd::as_fd)) {
            return Over::Ended(broken.into());
        }
        drop(asker);
        let mut channel = channel.log_in();
        // Closed with this process, if not before.
        let _open = login.pam.take();
        let nothing = Reach::new(None, Interest::default(), std::time::Duration::ZERO);
        let reach = std::mem::replace(&mut self.reach, nothing);
        let hooked = Hooked::new(reach, login.account.start.clone());
        let mut files = Files::new(login, hooked);
        // Watched until it hangs up: then the listener is gone, and a session that is logged in goes on without.
        let mut lifeline = Some(&self.lifeline);
        loop {
            match wait_for_work(&channel, lifeline, &files, leases.as_ref()) {
                Ok(Sign::Alive) => {}
                Ok(Sign::Stop) => return Over::Ended(Status::Ended),
                Ok(Sign::Orphaned) => lifeline = None,
                Err(_) => return Over::Ended(Status::Broken),
            }
            match leases.as_mut().map(|leases| leases.answer(&self.reports)) {
                // The network half is about to say so on the other channel too.
                None | Some(Ok(()) | Err(Broken::Closed)) => {}
                Some(Err(broken)) => return Over::Ended(broken.into()),
            }
            files.step_listing();
            files.hooked.attend(&self.setup.log);
            if let Some((ticket, answer, file)) = files.step_work()
                && let Err(broken) = channel.answer(ticket, &answer, file.as_ref().map(AsFd::as_fd))
            {
                return Over::Ended(broken.into());
            }
            let (ticket, request) = match channel.receive() {
                Ok(Some(received)) => received,
                Ok(None) => continue,
                Err(broken) => return Over::Ended(broken.into()),
            };
            let (answer, descriptor) = match request {
                FileRequest::Reinitialise => match self.hand_over(&channel, ticket, false) {
                    Ok(()) => return Over::HandedOver,
                    Err(why) => (FileAnswer::Failed { why }, None),
                },
                FileRequest::Lead if self.setup.gateway.is_some() && files.permits(&request) => {
                    match self.hand_over(&channel, ticket, true) {
                        Ok(()) => return Over::HandedOver,
                        Err(why) => (FileAnswer::Failed { why }, None),
                    }
                }
                FileRequest::Who if files.permits(&request) => self.who(),
                FileRequest::ChangePassword if files.permits(&request) => self.change_password(),
                FileRequest::Cancel => {
                    if let Some((ticket, answer, _)) = files.cancel_work()
                        && let Err(broken) = channel.answer(ticket, &answer, None)
                    {
                        return Over::Ended(broken.into());
                    }
                    (FileAnswer::Done, None)
                }
                request if work::takes_its_time(&request) => {
                    match files.begin_work(ticket, &request) {
                        Some(answer) => (answer, None),
                        None => continue,
                    }
                }
                request => files.answer(request),
            };
            let descriptor = descriptor.as_ref().map(AsFd::as_fd);
            if let Err(broken) = channel.answer(ticket, &answer, descriptor) {
                return Over::Ended(broken.into());
            }
        }
    }

    /// Leaves the channel to another keeper, which the listener makes: this one cannot become root again. `led`: to one that
    /// leads to another server.
    fn hand_over(
        &self,
        channel: &Answerer<LoggedIn>,
        ticket: Ticket,
        led: bool,
    ) -> Result<(), Failure> {
        let handed = self
            .reports
            .reinitialise(channel.as_fd(), ticket.number(), self.session, led);
        handed.map_err(|_| Failure::Exhausted)
    }

    /// A channel to the process that the listener makes for it.
    fn change_password(&self) -> (FileAnswer, Option<OwnedFd>) {
        match self.reports.change_password() {
            Ok(channel) => (FileAnswer::PasswordChannel, Some(channel)),
            Err(errno) => (unheard(errno), None),
        }
    }

    /// A pipe into which the listener writes who is there.
    fn who(&self) -> (FileAnswer, Option<OwnedFd>) {
        let asked = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)
            .and_then(|(reader, writer)| self.reports.who(writer.as_fd()).map(|()| reader));
        match asked {
            Ok(reader) => (FileAnswer::Sessions, Some(reader)),
            Err(errno) => (unheard(errno), None),
        }
    }
}

/// Waits for a request, for room in a listing's pipe, or for a sign of the listener; only looks where there is work.
fn wait_for_work(
    channel: &Answerer<LoggedIn>,
    lifeline: Option<&Lifeline>,
    files: &Files,
    leases: Option<&Leases>,
) -> Result<Sign, Errno> {
    let unused = || PollFd::new(channel.as_fd(), PollFlags::empty());
    let mut ready = [
        PollFd::new(channel.as_fd(), PollFlags::POLLIN),
        lifeline.map_or_else(unused, |lifeline| {
            PollFd::new(lifeline.as_fd(), PollFlags::POLLIN)
        }),
        files
            .listing_pipe()
            .map_or_else(unused, |pipe| PollFd::new(pipe, PollFlags::POLLOUT)),
        leases.map_or_else(unused, |leases| {
            PollFd::new(leases.as_fd(), PollFlags::POLLIN)
        }),
        files
            .hooked
            .reach
            .descriptor()
            .map_or_else(unused, |reach| PollFd::new(reach, PollFlags::POLLIN)),
    ];
    let limit = files.has_work().then(Instant::now);
    match poll(&mut ready, until(limit)) {
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

/// Why the listener was asked in vain.
fn unheard(errno: Errno) -> FileAnswer {
    let why = match errno {
        Errno::ENOTCONN => Failure::Alone,
        _ => Failure::Exhausted,
    };
    FileAnswer::Failed { why }
}
