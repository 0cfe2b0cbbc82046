//! One session of a gateway: what the client says, in its order, and where it goes.

use std::time::Instant;

use zeroize::Zeroize;

use super::course::{Course, course};
use super::data::DataChannel;
use super::end::End;
use super::features;
use super::hooked::HookTerms;
use super::login::Who;
use super::report::Tally;
use super::security::{Agreement, Terms, Turn};
use super::server::Server;
use crate::activity::Teller;
use crate::channel::{Asker, DialRequest, Dialling};
use crate::control::Control;
use crate::listener::{Drain, Status};
use crate::log::{Few, Log};
use crate::net::Ends;
use crate::proto::answer::Outcome;
use crate::proto::destination::Destination;
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

pub(super) struct Session<'a> {
    pub(super) config: &'a GatewayConfig,
    pub(super) client: Control,
    pub(super) ends: Ends,
    pub(super) dialer: Asker<Dialling>,
    pub(super) pipe: Pipe,
    pub(super) delivery: Option<Delivery>,
    pub(super) given: bool,
    pub(super) teller: Teller,
    pub(super) drain: Option<Drain>,
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

    fn log_command(&self, verb: Verb, argument: &[u8]) {
        let client = self.ends.client();
        self.log.command(|| match verb.spec() {
            spec if spec.secret || argument.is_empty() => format!("{client}: {}", spec.verb),
            spec => format!("{client}: {} {}", spec.verb, argument.escape_ascii()),
        });
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
