//! The way to a server and the login there: USER, PASS, ACCT and SITE PROXY of a gateway.

use super::end::End;
use super::session::Session;
use crate::channel::{DialAnswer, DialFault, DialRequest, HostName, UserName};
use crate::proto::answer::{Answer, Outcome};
use crate::proto::destination::{Destination, Host, NoDestination, split_login};
use crate::proto::reply::{Code, Reply};
use crate::proto::request::Request;

/// Who logs in, and how far that is.
#[derive(Debug, Default)]
pub(super) struct Who {
    /// The name that the server was given.
    pub(super) name: Vec<u8>,
    pub(super) logged_in: bool,
    /// The listener holds a place for the check of a password.
    checking: bool,
    /// How many names the rules of users have refused.
    refused: u8,
}

/// So many names that the rules of users refuse end a session.
const REFUSED_NAMES: u8 = 3;

impl Session<'_> {
    /// USER: the name for the server, and where that is if it is not known.
    pub(super) fn user(&mut self, argument: &[u8]) -> Result<Reply, End> {
        if self.config.required.for_login() && !self.client.is_secure() {
            let text = "Log in under TLS here: AUTH TLS first.";
            return Ok(Reply::new(Code::NOT_LOGGED_IN, text));
        }
        if self.who.logged_in {
            let text = "Already logged in: please begin anew on another connection.";
            return Ok(Reply::new(Code::BAD_SEQUENCE, text));
        }
        let name = match (split_login(argument), &self.destination) {
            _ if self.given || self.config.pools() => argument,
            (Some((name, host)), known) => match (self.destination_of(host), known) {
                (Ok(destination), None) => {
                    if !self.may_be_led(name, &destination) {
                        return self.refuse_user(name, &destination.to_string());
                    }
                    if let Err(reply) = self.go(destination)? {
                        return Ok(reply);
                    }
                    name
                }
                (Ok(destination), Some(known)) if destination == *known => name,
                (_, Some(_)) if self.who.name.is_empty() => argument,
                (_, Some(_)) => {
                    let text = "One connection leads to one server: please begin anew.";
                    return Ok(Reply::new(Code::BAD_SEQUENCE, text));
                }
                (Err(_), None) => {
                    let text = "What follows the last @ is no host or host:port.";
                    return Ok(Reply::new(Code::NOT_LOGGED_IN, text));
                }
            },
            (None, Some(_)) => argument,
            (None, None) => {
                return Ok(Reply::new(Code::NOT_LOGGED_IN, "Log in as name@host."));
            }
        };
        if name.is_empty() {
            return Ok(Reply::new(Code::BAD_ARGUMENT, "USER needs a name."));
        }
        let name = name.to_vec();
        let Ok(request) = Request::new("USER", &name) else {
            return Ok(Reply::new(Code::BAD_ARGUMENT, "The name holds a line end."));
        };
        if !self.may_log_in(&name) {
            let place = self.place();
            return self.refuse_user(&name, &place);
        }
        let answer = match self.config.pools() && (self.server.is_none() || self.who.name != name) {
            true => self.ask_pool(&name, &request)?,
            false => self.ask(&request)?,
        };
        self.who.name = name;
        if answer.outcome() == Outcome::Complete {
            self.begin_check()?;
        }
        self.conclude_login(answer)
    }

    /// PASS: the server checks it.
    pub(super) fn pass_word(&mut self, secret: &[u8]) -> Result<Reply, End> {
        self.prove("PASS", secret)
    }

    /// ACCT, likewise.
    pub(super) fn account(&mut self, secret: &[u8]) -> Result<Reply, End> {
        self.prove("ACCT", secret)
    }

    fn prove(&mut self, verb: &'static str, secret: &[u8]) -> Result<Reply, End> {
        if self.who.name.is_empty() || (self.who.logged_in && verb == "PASS") {
            return Ok(Reply::new(Code::BAD_SEQUENCE, "Give a name by USER first."));
        }
        let Ok(request) = Request::new(verb, secret) else {
            return Ok(Reply::new(Code::BAD_ARGUMENT, "It holds a line end."));
        };
        if self.who.logged_in {
            return Ok(self.ask(&request)?.relay());
        }
        self.begin_check()?;
        let answer = self.ask(&request)?;
        self.conclude_login(answer)
    }

    /// Asks for a place for a login, which other failures of the client's may delay.
    fn begin_check(&mut self) -> Result<(), End> {
        if !self.who.checking {
            self.tell_dialer(&DialRequest::BeginLogin)?;
            self.who.checking = true;
        }
        Ok(())
    }

    fn conclude_login(&mut self, answer: Answer) -> Result<Reply, End> {
        match answer.outcome() {
            Outcome::Complete => {
                self.protect_server()?;
                let user = self.account_name();
                self.who.checking = false;
                match self.ask_dialer(&DialRequest::LoggedIn { user })? {
                    (DialAnswer::Done, None) => {}
                    (DialAnswer::TooMany, None) => return Err(End::TooManySessions),
                    _ => return Err(End::bug("an answer of the dialer that is none")),
                }
                self.who.logged_in = true;
                self.tell_of_login();
            }
            Outcome::Intermediate | Outcome::Preliminary => {}
            Outcome::Transient | Outcome::Permanent if self.who.checking => {
                self.who.checking = false;
                let user = self.account_name();
                self.tell_dialer(&DialRequest::LoginFailed { user })?;
                self.tell_of_failure(&answer);
            }
            Outcome::Transient | Outcome::Permanent => {}
        }
        Ok(answer.relay())
    }

    /// The server as the log names it.
    pub(super) fn place(&self) -> String {
        let address = self.server.as_ref().map(|server| server.address);
        if let (Some(member), Some(address)) = (self.member(), address) {
            return format!("{member} ({address})");
        }
        match (&self.destination, address) {
            (Some(destination), Some(address)) => format!("{destination} ({address})"),
            (None, Some(address)) => address.to_string(),
            (_, None) => "no server".to_owned(),
        }
    }

    /// Whose session it is, where users of several servers are counted.
    fn account_name(&self) -> UserName {
        let mut name = self.who.name.clone();
        match (&self.destination, &self.server) {
            // A pool is one place.
            _ if self.config.pools() => {}
            (Some(destination), _) => name.extend(format!("@{destination}").bytes()),
            (None, Some(server)) => name.extend(format!("@{}", server.address).bytes()),
            (None, None) => {}
        }
        name.truncate(super::session::LONGEST_ACCOUNT);
        UserName::new(&name).unwrap_or_default()
    }

    pub(super) fn tell_dialer(&mut self, request: &DialRequest) -> Result<(), End> {
        match self.ask_dialer(request)? {
            (DialAnswer::Done, None) => Ok(()),
            _ => Err(End::bug("an answer of the dialer that is none")),
        }
    }

    fn destination_of(&self, host: &[u8]) -> Result<Destination, NoDestination> {
        let usual = self.config.upstream.mode.usual_port();
        Destination::parse(host).map(|destination| destination.with_usual_port(usual))
    }

    /// SITE PROXY: goes to a server before any login, and gives its greeting.
    pub(super) fn site_proxy(&mut self, argument: &[u8]) -> Result<Reply, End> {
        if self.given || self.config.pools() || self.server.is_some() {
            let text = "One connection leads to one server: please begin anew.";
            return Ok(Reply::new(Code::BAD_SEQUENCE, text));
        }
        let usual = self.config.upstream.mode.usual_port();
        let destination = Destination::parse_words(argument);
        let Ok(destination) = destination.map(|it| it.with_usual_port(usual)) else {
            return Ok(Reply::new(
                Code::BAD_ARGUMENT,
                "SITE PROXY needs a host, and may have a port.",
            ));
        };
        if self.behalf.is_some() && !self.may_be_led(b"", &destination) {
            return self.refuse_user(b"", &destination.to_string());
        }
        Ok(match self.go(destination)? {
            Ok(greeting) => greeting,
            Err(_) => Reply::new(
                Code::UNAVAILABLE,
                "This server cannot be reached from here.",
            ),
        })
    }

    /// Whether the rules of users let this one on to the server that was reached: who has logged in here, or else the name for
    /// the server.
    fn may_log_in(&self, name: &[u8]) -> bool {
        let Some(address) = self.server.as_ref().map(|server| server.address) else {
            return true;
        };
        let named = self.destination.as_ref().or(self.config.server.as_ref());
        let host = named.map_or(Host::Address(address.ip().to_canonical()), |named| {
            named.host.clone()
        });
        let user = self.behalf.as_deref().unwrap_or(name);
        let rules = &self.config.user_targets;
        rules.permit(user, &host, address.ip(), address.port())
    }

    /// Whether the rules of users may let this one go there: no server that they keep from it need be reached.
    fn may_be_led(&self, name: &[u8], destination: &Destination) -> bool {
        let Destination { host, port, .. } = destination;
        let user = self.behalf.as_deref().unwrap_or(name);
        self.config.user_targets.may_permit(user, host, *port)
    }

    /// Says that the rules of users forbid it; the third time ends the session, as it does with servers that are forbidden.
    fn refuse_user(&mut self, name: &[u8], place: &str) -> Result<Reply, End> {
        let client = self.ends.client();
        let user = self.behalf.as_deref().unwrap_or(name).escape_ascii();
        let line = format!("client {client}: '{user}' may not go to {place}");
        self.log.line(&line);
        let text = "This gateway does not let this user go there.";
        let reply = Reply::new(Code::NOT_LOGGED_IN, text);
        let user = self.behalf.as_deref().unwrap_or(name);
        let cut = user.get(..UserName::LONGEST).unwrap_or(user);
        let user = UserName::new(cut).unwrap_or_default();
        self.tell_dialer(&DialRequest::UserRefused { user })?;
        // With that no check is under way.
        self.who.checking = false;
        self.who.refused += 1;
        match self.who.refused < REFUSED_NAMES {
            true => Ok(reply),
            false => Err(End::NotDialled(reply)),
        }
    }

    /// Goes where the client wants to; `Err` is why not.
    fn go(&mut self, destination: Destination) -> Result<Result<Reply, Reply>, End> {
        let host = destination.host.to_string();
        let Some(host) = HostName::new(host.as_bytes()) else {
            return Ok(Err(not_dialled(DialFault::UnknownHost)));
        };
        let port = destination.port;
        let reached = self.dial(&DialRequest::Dial { host, port }, Some(&destination.host))?;
        if reached.is_ok() {
            self.destination = Some(destination);
        }
        Ok(reached)
    }
}

/// What a client hears of a server that was not reached.
pub(super) fn not_dialled(why: DialFault) -> Reply {
    let text = match why {
        DialFault::Forbidden => "This gateway does not go there.",
        DialFault::UnknownHost => "The server's name has no address.",
        DialFault::Unreachable => "The server cannot be reached.",
        DialFault::TimedOut => "The server does not answer.",
        DialFault::Loop => {
            return Reply::new(Code::CLOSING, "This gateway would only reach itself.");
        }
        DialFault::OutOfPlace => "This gateway does not take a server's name.",
        DialFault::Exhausted => {
            let text = "No server is there for this user now; please try later.";
            return Reply::new(Code::CLOSING, text);
        }
    };
    Reply::new(Code::NOT_LOGGED_IN, text)
}
