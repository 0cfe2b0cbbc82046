//! The network half of one session: speaks FTP with the client for the whole life of the connection, and owns no file,
//! no socket() and no exec. What it needs it asks of keeper.

mod archive;
mod commands;
mod data;
mod dispatch;
mod end;
mod files;
mod front;
mod gather;
mod hooked;
mod lead;
mod names;
mod outcome;
mod paces;
mod report;
mod security;
mod transfer;

use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use common::activity::Teller;
use common::channel::{Account, Asker, LoginAnswer, LoginRequest, PreLogin};
use common::control::{Control, until};
use common::digest::Algorithm;
use common::fault::Fault;
use common::hookd::Interest;
use common::listener::{Drain, Status};
use common::log::{Few, Log};
use common::net::{self, Ends};
use common::path::VirtualPath;
use common::proto::args::Utf8;
use common::proto::digests;
use common::proto::facts::FactSet;
use common::proto::line::Input;
use common::proto::reply::{Code, Line, Reply};
use common::proto::representation::Representation;
use common::proto::verbs::VerbSet;
use common::proxy::HookTerms;
use common::pump::{Delivery, Pipe};
use common::sandbox::{self, Role};
use common::settings::Leading;
use common::settings::networks::Networks;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use zeroize::Zeroize;

use self::data::DataChannel;
pub(crate) use self::end::End;
use self::files::Files;
use self::lead::Leave;
use self::names::Names;
use self::paces::Paces;
use self::security::{Agreement, Handshakes, Terms, Turn};
use crate::setup::{Aside, Security, Setup};

/// Lines that are no commands before login, after which the client is taken for something else.
const STRANGE_LINES: u32 = 10;

/// What ends a handler early: an answer, or the session.
#[derive(Debug)]
pub(crate) enum Stop {
    Reply(Reply),
    End(End),
}

impl<T: Into<End>> From<T> for Stop {
    #[track_caller]
    fn from(end: T) -> Self {
        Stop::End(end.into())
    }
}

impl From<Reply> for Stop {
    fn from(reply: Reply) -> Self {
        Stop::Reply(reply)
    }
}

/// The client's side: its connection and what is known of it.
pub(crate) struct Link {
    pub(crate) control: Control,
    pub(crate) ends: Ends,
    pub(crate) log: Log,
    pub(crate) security: Option<Agreement>,
    /// Nothing but the control connection comes from the client's own address: that is a tunnel's end.
    pub(crate) tunnelled: bool,
    /// Whose data connections begin with a header.
    pub(crate) data_front_ends: Option<Networks>,
    /// Data connections that came from or would have led to somebody else.
    strangers: Few,
    /// Tells when the client has a download, where that is waited for.
    pub(crate) delivery: Option<Delivery>,
    /// Shows what the session does.
    pub(crate) teller: Teller,
}

impl Link {
    /// What a client can do whose control connection alone comes through a tunnel. PASV tells an address, and is for IPv4.
    pub(crate) fn way_past_tunnel(&self) -> &'static str {
        match self.ends.server() {
            IpAddr::V4(_) => "use PASV",
            IpAddr::V6(_) => "have the data ports forwarded too, or come over IPv4 and use PASV",
        }
    }

    /// Logs that a data connection was refused; a client cannot fill the log with that.
    pub(crate) fn tell_of_stranger(&mut self, text: &str) {
        self.strangers.line(&self.log, text);
    }
}

/// What a session is before login.
pub(crate) struct Visitor {
    channel: Asker<PreLogin>,
    /// The name that USER gave.
    user: Option<Vec<u8>>,
    utf8: Utf8,
    strange_lines: u32,
    /// Whether keeper accepts the client's certificate, once it was asked.
    certified: Option<bool>,
    /// Whether keeper has heard of TLS.
    told_of_tls: bool,
    /// Those that it has done, with the only channel to the signer that keeper gives.
    handshakes: Option<Handshakes>,
}

/// What a session is after login.
pub(crate) struct User {
    pub(crate) files: Files,
    pub(crate) account: Account,
    pub(crate) name: Vec<u8>,
    pub(crate) directory: VirtualPath,
    pub(crate) names: Names,
    pub(crate) paces: Paces,
    pub(crate) representation: Representation,
    /// The digest that HASH gives.
    pub(crate) hash: Algorithm,
    /// The facts that MLST and MLSD show.
    pub(crate) facts: FactSet,
    pub(crate) data: DataChannel,
    /// After EPSV ALL only EPSV is allowed (RFC 2428 §4).
    pub(crate) epsv_only: bool,
    pub(crate) pending: Pending,
}

/// What the next command is to know; it is taken by the dispatcher, so nothing is left over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pending {
    /// REST's offset, or where RANG begins.
    pub(crate) restart: u64,
    /// Where RANG ends: behind its last octet.
    pub(crate) end: Option<u64>,
    /// ALLO's size.
    pub(crate) declared: Option<u64>,
    /// RNFR's path.
    pub(crate) rename_from: Option<VirtualPath>,
    /// SITE CPFR's path.
    pub(crate) copy_from: Option<VirtualPath>,
}

pub(crate) enum Stage {
    Visitor(Visitor),
    User(Box<User>),
    /// In between, while the channel changes its phase.
    Changing,
}

pub(crate) struct Session {
    pub(crate) link: Link,
    pub(crate) stage: Stage,
    pub(crate) permitted: VerbSet,
    /// What is permitted as long as nobody has logged in.
    permitted_to_visitors: VerbSet,
    login_timeout: Duration,
    pub(crate) terms: Terms,
    /// What becomes of the control connection once the reply is sent.
    pub(crate) turn: Option<Turn>,
    /// What HOST may name; empty for anything.
    pub(crate) host_names: Vec<String>,
    /// The end of the time for a login.
    login_deadline: Instant,
    /// What hooks are for.
    interest: Interest,
    /// Where clients may be led, if they may.
    pub(crate) leading: Option<Leading>,
    /// What is left for another server.
    pub(crate) leave: Option<Leave>,
    drain: Option<Drain>,
}

/// Serves the client on `socket` until the session is over.
pub(crate) fn run(
    setup: &Setup,
    socket: OwnedFd,
    channel: Asker<PreLogin>,
    ends: Ends,
    security: Security,
    aside: Aside,
) -> Status {
    let Aside { page, drain } = aside;
    let server = &setup.config.server;
    // Before the sandbox, in which no option of a socket can be set any more.
    net::prepare_control(&socket, server.keepalive);
    let broken = |why: &dyn std::fmt::Display| {
        let client = ends.client();
        setup.log.line(&format!("session for {client}: {why}"));
    };
    let delivery = server.await_acknowledgement.then(Delivery::new).transpose();
    let made = leading(setup).and_then(|leading| Ok((leading.unzip(), delivery?)));
    let ((leading, pipe), delivery) = match made {
        Ok(made) => made,
        Err(error) => {
            broken(&error);
            return Status::Broken(None);
        }
    };
    let mut kept = vec![socket.as_fd(), channel.as_fd()];
    kept.extend(pipe.iter().flat_map(Pipe::descriptors));
    kept.extend(delivery.as_ref().map(AsFd::as_fd));
    kept.extend(page.as_ref().map(AsFd::as_fd));
    kept.extend(drain.as_ref().map(AsFd::as_fd));
    let entered = sandbox::enter_network_half(
        Role::Session,
        &setup.programs,
        server.session_user,
        setup.empty_root.as_ref(),
        &kept,
        setup.log.descriptor(),
    );
    if let Err(error) = entered {
        broken(&error);
        return Status::SandboxFailed;
    }
    let mut session = Session {
        link: Link {
            control: Control::new(socket, server.reply_timeout),
            security: None,
            tunnelled: false,
            data_front_ends: server.data_front_ends().cloned(),
            strangers: Few::default(),
            delivery,
            teller: Teller::new(page),
            ends,
            log: setup.log.clone(),
        },
        stage: Stage::Visitor(Visitor::new(channel)),
        permitted: setup.config.session.commands(),
        permitted_to_visitors: setup.config.session.commands(),
        login_timeout: server.login_timeout,
        terms: Terms::new(setup, security),
        turn: None,
        host_names: server.host_names.clone(),
        login_deadline: Instant::now() + server.login_timeout,
        interest: setup.interest,
        leading,
        leave: None,
        drain,
    };
    let front_ends = server.limits.front_ends.as_ref();
    let served = match session.link.ends.await_header(front_ends) {
        true => session.meet_client(),
        false => Ok(()),
    };
    session.link.tunnelled = server.tunnels.include(session.link.ends.between());
    session.permit(session.permitted);
    let end = match served.and_then(|()| session.serve(&server.banner)) {
        Ok(never) => match never {},
        Err(end) => end,
    };
    match (session.leave.take(), &setup.gateway, pipe) {
        (Some(leave), Some(gateway), Some(pipe)) => {
            let hooks = HookTerms::of(&setup.interest, setup.longest_hook);
            session.go(leave, gateway, pipe, setup.trusted.clone(), hooks)
        }
        _ => session.farewell(end),
    }
}

/// Where clients may be led, if they may, and what octets pass through on their way there.
fn leading(setup: &Setup) -> std::io::Result<Option<(Leading, Pipe)>> {
    if setup.gateway.is_none() {
        return Ok(None);
    }
    let leading = setup.config.server.leading.clone();
    Ok(Some((leading, Pipe::new()?)))
}

/// Whose octets or connection ended a wait.
enum Came {
    Client,
    /// Somebody, to the passive port.
    Data,
    Nobody,
}

impl Session {
    fn serve(&mut self, banner: &[String]) -> Result<std::convert::Infallible, End> {
        self.begin_secure()?;
        self.link.control.reply(&greeting(banner))?;
        loop {
            let reply = match self.next_input()? {
                Input::Line(line) if line.is_empty() => continue,
                Input::Line(mut line) => {
                    let reply = self.obey(&line);
                    // It may have been a password.
                    line.zeroize();
                    reply?
                }
                Input::TooLong => Some(self.no_line("The line is too long.")),
                Input::Malformed => Some(self.no_line("The line holds a NUL or a bare CR.")),
            };
            if let Some(reply) = reply {
                self.link.control.reply(&reply)?;
            }
            if let Some(turn) = self.turn.take() {
                self.turn(turn)?;
            }
        }
    }

    /// What is no line at all stands between two commands all the same.
    fn no_line(&mut self, text: &str) -> Reply {
        self.take_pending();
        Reply::new(Code::NOT_UNDERSTOOD, text)
    }

    /// Waits for the next line, within the time that the state allows.
    fn next_input(&mut self) -> Result<Input, End> {
        let deadline = match &self.stage {
            Stage::User(user) if user.account.idle.is_zero() => None,
            Stage::User(user) => Some(Instant::now() + user.account.idle),
            Stage::Visitor(_) | Stage::Changing => Some(self.login_deadline),
        };
        loop {
            let next = self.link.control.peek();
            if matches!(self.stage, Stage::Visitor(_))
                && next.is_some_and(dispatch::is_of_another_protocol)
            {
                return Err(End::NotFtp);
            }
            if let Some(input) = self.link.control.take() {
                return Ok(input);
            }
            if self.link.control.ended() {
                return Err(End::ControlLost);
            }
            if matches!(self.stage, Stage::Visitor(_))
                && dispatch::is_of_another_protocol(self.link.control.unfinished())
            {
                return Err(End::NotFtp);
            }
            let expiry = self.data_expiry();
            match self.wait(PollFlags::POLLIN, deadline.into_iter().chain(expiry).min())? {
                Came::Client => {
                    self.link.control.fill()?;
                    continue;
                }
                Came::Data => {
                    if let Stage::User(user) = &mut self.stage {
                        data::receive_early(&mut self.link, user);
                    }
                }
                Came::Nobody => {}
            }
            // However much comes to a data port.
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(End::TimedOut);
            }
            if let Stage::User(user) = &mut self.stage {
                data::expire(&mut self.link, user)?;
            }
        }
    }

    fn data_expiry(&self) -> Option<Instant> {
        match &self.stage {
            Stage::User(user) => user.data.expiry(),
            Stage::Visitor(_) | Stage::Changing => None,
        }
    }

    /// Waits for the client, with an eye on keeper, until the deadline.
    fn wait(&mut self, events: PollFlags, deadline: Option<Instant>) -> Result<Came, End> {
        let (channel, port) = match &self.stage {
            Stage::User(user) => (user.files.as_fd(), user.data.awaited()),
            Stage::Visitor(visitor) => (visitor.channel.as_fd(), None),
            Stage::Changing => return Err(End::bug("a session between two stages")),
        };
        let unused = || PollFd::new(channel, PollFlags::empty());
        let mut ready = [
            PollFd::new(self.link.control.as_fd(), events),
            PollFd::new(channel, PollFlags::empty()),
            port.map_or_else(unused, |port| PollFd::new(port, PollFlags::POLLIN)),
            (self.drain.as_ref()).map_or_else(unused, |drain| {
                PollFd::new(drain.as_fd(), PollFlags::POLLIN)
            }),
        ];
        match poll(&mut ready, until(deadline)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(End::Broken(Fault::of("poll", errno))),
        }
        let speaks = |fd: &PollFd<'_>| fd.revents().is_some_and(|events| !events.is_empty());
        let [client, keeper, data, _] = ready.each_ref().map(speaks);
        let drain = ready[3].revents().unwrap_or(PollFlags::empty());
        match (keeper, client, data) {
            (true, ..) => Err(End::KeeperGone),
            _ if Drain::told(&mut self.drain, drain) => Err(End::Draining),
            (_, true, _) => Ok(Came::Client),
            (_, _, true) => Ok(Came::Data),
            (_, false, false) => Ok(Came::Nobody),
        }
    }

    /// Has hooks told why the session of a user is over, where they ask.
    fn tell_end(&mut self, end: End) {
        if let (Stage::User(user), Some(word)) = (&mut self.stage, end.word())
            && user.account.tells_end
        {
            #[expect(
                clippy::let_underscore_must_use,
                reason = "the session ends, heard or not"
            )]
            let _ = user.files.leave(word);
        }
    }

    /// Says why the session is over, where the client can still hear it.
    fn farewell(&mut self, end: End) -> Status {
        self.tell_end(end);
        if let End::Broken(fault) = end {
            let client = self.link.ends.client();
            self.link
                .log
                .line(&format!("session for {client}: {fault}"));
        }
        if let Some(text) = end.text()
            && self.may_speak()
        {
            // The client may be gone: then nobody needs to hear it.
            let _ = self.link.control.reply(&Reply::new(Code::CLOSING, text));
        }
        self.link.control.close();
        end.status()
    }

    /// Begins anew with whoever is on the connection.
    pub(crate) fn receive_visitor(&mut self, visitor: Visitor) {
        self.stage = Stage::Visitor(visitor);
        self.permit(self.permitted_to_visitors);
        self.login_deadline = Instant::now() + self.login_timeout;
    }

    /// Permits these verbs, those of TLS where there is TLS, and EPSV where its port alone leads anywhere.
    pub(crate) fn permit(&mut self, permitted: VerbSet) {
        self.permitted = match self.terms.offers_tls() {
            true => permitted.with_tls(),
            false => permitted.without_tls(),
        };
        if self.leading.is_none() {
            self.permitted = self.permitted.without("SITE PROXY");
        }
        // A client that is told that EPSV is not there tries PASV, which tells an address.
        if self.link.tunnelled {
            self.permitted = self.permitted.without("EPSV");
        }
    }

    /// The facts that a client has chosen; before login, those that it will get.
    pub(crate) fn facts(&self) -> FactSet {
        match &self.stage {
            Stage::User(user) => user.facts,
            Stage::Visitor(_) | Stage::Changing => FactSet::ALL,
        }
    }

    /// The digest that HASH gives; before login, the one that it will.
    pub(crate) fn hash(&self) -> Algorithm {
        match &self.stage {
            Stage::User(user) => user.hash,
            Stage::Visitor(_) | Stage::Changing => digests::DEFAULT,
        }
    }

    /// The parts that a handler of a logged-in user works on.
    pub(crate) fn user(&mut self) -> Result<(&mut Link, &mut User), Stop> {
        match &mut self.stage {
            Stage::User(user) => Ok((&mut self.link, user)),
            Stage::Visitor(_) | Stage::Changing => {
                Err(Reply::new(Code::NOT_LOGGED_IN, "Please log in first.").into())
            }
        }
    }
}

fn greeting(banner: &[String]) -> Reply {
    match banner.split_first() {
        None => Reply::new(Code::SERVICE_READY, "FTP service ready."),
        Some((only, [])) => Reply::new(Code::SERVICE_READY, only.as_str()),
        Some((first, rest)) => {
            let between = rest.iter().map(|line| Line::from(line.as_str())).collect();
            Reply::block(
                Code::SERVICE_READY,
                first.as_str(),
                between,
                "FTP service ready.",
            )
        }
    }
}

impl Visitor {
    fn new(channel: Asker<PreLogin>) -> Visitor {
        Visitor {
            channel,
            user: None,
            utf8: Utf8::default(),
            strange_lines: 0,
            certified: None,
            told_of_tls: false,
            handshakes: None,
        }
    }

    /// The same before keeper, and nothing said yet.
    fn begin_anew(mut self) -> Result<Visitor, End> {
        if self.certified.is_some() {
            match self.channel.call(&LoginRequest::Forget)? {
                (LoginAnswer::Taken, None) => {}
                _ => return Err(End::bug("an answer of keeper that is none")),
            }
        }
        Ok(Visitor {
            handshakes: self.handshakes,
            ..Visitor::new(self.channel)
        })
    }

    /// Counts a line that is no command; true when there were too many of them.
    pub(crate) fn strange_line(&mut self) -> bool {
        self.strange_lines += 1;
        self.strange_lines > STRANGE_LINES
    }
}

impl User {
    pub(crate) fn deadline_for_data(&self) -> Instant {
        let timeout = self.account.data_timeout;
        Instant::now()
            + if timeout.is_zero() {
                Duration::from_secs(u64::from(u32::MAX))
            } else {
                timeout
            }
    }
}
