//! One look at a server: connect, hear the greeting, go over to TLS where that is wanted, and log in if there is a login to try.
//! It waits for nothing; what a server sends is bounded as in a session, and by time.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::PollFlags;

use super::login::Login;
use crate::net::{self, Addresses, Ends};
use crate::proto::answer::{Answer, Outcome};
use crate::proto::destination::Host;
use crate::proto::proxied::Header;
use crate::proto::reply::Code;
use crate::proto::request::Request;
use crate::proxied;
use crate::proxy::server::{Server, ServerFault};
use crate::settings::{GatewayConfig, ServerHeader, ServerTls};
use crate::tls::{Trusted, Upstream};

/// How long a server may leave a command unread. It is short, and there is room for it.
const UNREAD: Duration = Duration::from_millis(200);

/// What all checks of a pool go by.
pub(super) struct Terms {
    pub(super) config: GatewayConfig,
    pub(super) trusted: Option<Trusted>,
    pub(super) login: Option<Login>,
}

/// A look that has begun.
pub(super) struct Check {
    server: Server,
    host: Host,
    step: Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Connecting,
    /// A handshake, and what follows it.
    Shaking(Next),
    Greeting,
    Auth,
    User,
    Pass,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Greeting,
    Login,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The server is to be polled for this.
    Waits(PollFlags),
    Well,
}

impl Check {
    /// Begins to connect; `host` is whose certificate is wanted.
    pub(super) fn begin(address: SocketAddr, host: Host) -> Result<Check, String> {
        let socket = net::connect_server(None, address, Addresses::Own).map_err(because)?;
        Ok(Check {
            server: Server::new(socket.into(), net::canonical(address), UNREAD),
            host,
            step: Step::Connecting,
        })
    }

    /// Goes on with what has come.
    ///
    /// # Errors
    /// What is wrong with the server, in words of our own.
    pub(super) fn go_on(&mut self, terms: &Terms) -> Result<Progress, String> {
        loop {
            match self.step {
                Step::Connecting => {
                    if !self.is_connected()? {
                        return Ok(Progress::Waits(PollFlags::POLLOUT));
                    }
                    if terms.config.header == ServerHeader::V2 {
                        // It is the gateway's own connection.
                        proxied::introduce(self.server.as_fd(), Header::Local).map_err(because)?;
                    }
                    match terms.config.upstream.mode {
                        ServerTls::Implicit => self.secure(terms, Next::Greeting)?,
                        ServerTls::Off | ServerTls::Prefer | ServerTls::Require => {
                            self.step = Step::Greeting;
                        }
                    }
                }
                Step::Shaking(next) => {
                    if let Some(events) = self.server.handshake().map_err(spoken)? {
                        return Ok(Progress::Waits(events));
                    }
                    match next {
                        Next::Greeting => self.step = Step::Greeting,
                        Next::Login if self.log_in(terms)? => return Ok(self.well()),
                        Next::Login => {}
                    }
                }
                Step::Greeting | Step::Auth | Step::User | Step::Pass => {
                    let Some(answer) = self.answer()? else {
                        return Ok(Progress::Waits(PollFlags::POLLIN));
                    };
                    if answer.outcome() != Outcome::Preliminary && self.hear(&answer, terms)? {
                        return Ok(self.well());
                    }
                }
            }
        }
    }

    fn is_connected(&self) -> Result<bool, String> {
        match net::failure(&self.server) {
            Some(errno) => Err(because(errno)),
            None => Ok(Ends::of(&self.server).is_ok()),
        }
    }

    /// The next reply, if it is here.
    fn answer(&mut self) -> Result<Option<Answer>, String> {
        match self.server.take().map_err(spoken)? {
            Some(answer) => Ok(Some(answer)),
            None => {
                // As much as there is room for; the rest comes when that is read.
                self.server.fill().map_err(spoken)?;
                self.server.take().map_err(spoken)
            }
        }
    }

    /// Does what a reply leads to; whether that was all.
    fn hear(&mut self, answer: &Answer, terms: &Terms) -> Result<bool, String> {
        let (code, outcome) = (answer.code(), answer.outcome());
        let number = code.number();
        match self.step {
            Step::Greeting if outcome != Outcome::Complete => {
                Err(format!("it greets with {number}"))
            }
            Step::Greeting => match terms.config.upstream.mode {
                ServerTls::Prefer | ServerTls::Require => {
                    let request = Request::new("AUTH", b"TLS");
                    self.say(&request.map_err(|_| String::new())?, Step::Auth)
                }
                ServerTls::Off | ServerTls::Implicit => self.log_in(terms),
            },
            Step::Auth if code == Code::SECURITY_ACCEPTED => {
                if self.server.has_unasked().map_err(spoken)? {
                    return Err(ServerFault::Unasked.to_string());
                }
                self.secure(terms, Next::Login).map(|()| false)
            }
            Step::Auth if terms.config.upstream.mode == ServerTls::Require => {
                Err(ServerFault::NoTls.to_string())
            }
            Step::Auth => self.log_in(terms),
            Step::User if outcome == Outcome::Intermediate => {
                let login = terms.login.as_ref().ok_or("there is no login")?;
                let request = Request::new("PASS", login.password.expose());
                self.say(&request.map_err(|_| String::new())?, Step::Pass)
            }
            Step::User | Step::Pass if outcome == Outcome::Complete => Ok(true),
            Step::User | Step::Pass => Err(format!("it refuses the login with {number}")),
            Step::Connecting | Step::Shaking(_) => Ok(false),
        }
    }

    /// Begins the login; whether there is none to try.
    fn log_in(&mut self, terms: &Terms) -> Result<bool, String> {
        match &terms.login {
            None => Ok(true),
            Some(login) => self.say(&login.user, Step::User),
        }
    }

    fn say(&mut self, request: &Request, step: Step) -> Result<bool, String> {
        self.server.send(request).map_err(spoken)?;
        self.step = step;
        Ok(false)
    }

    fn secure(&mut self, terms: &Terms, next: Next) -> Result<(), String> {
        let GatewayConfig { tls, upstream, .. } = &terms.config;
        let host = match &upstream.name {
            Some(name) => Host::Name(name.clone()),
            None => self.host.clone(),
        };
        let trusted = terms.trusted.as_ref().ok_or("nobody certifies servers")?;
        let upstream = Upstream::new(trusted, tls, upstream, &host);
        let secured = upstream
            .map_err(ServerFault::Insecure)
            .and_then(|upstream| self.server.secure(upstream));
        secured.map_err(spoken)?;
        self.step = Step::Shaking(next);
        Ok(())
    }

    /// Takes leave; the answer to that is not waited for.
    fn well(&mut self) -> Progress {
        // It has shown that it is well.
        let _ = self.server.send(&Request::plain("QUIT"));
        Progress::Well
    }
}

impl AsFd for Check {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.server.as_fd()
    }
}

fn because(errno: Errno) -> String {
    errno.desc().to_owned()
}

fn spoken(fault: ServerFault) -> String {
    fault.to_string()
}
