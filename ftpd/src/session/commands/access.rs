//! HOST, USER, PASS, REIN, QUIT.

use std::os::fd::OwnedFd;

use common::auth::Secret;
use common::channel::{Account, LoginAnswer, LoginRequest, UserName};
use common::proto::digests;
use common::proto::facts::FactSet;
use common::proto::reply::{Code, Reply};
use common::proto::representation::Representation;
use common::wire::LONGEST_SECRET;

use crate::session::data::DataChannel;
use crate::session::files::Files;
use crate::session::names::Names;
use crate::session::paces::Paces;
use crate::session::security::clear_login_refused;
use crate::session::{End, Pending, Session, Stage, Stop, User, Visitor};

pub(in crate::session) fn user(session: &mut Session, name: Vec<u8>) -> Result<Reply, Stop> {
    let refused = session.refuses_clear(&name);
    if matches!(session.stage, Stage::Visitor(_)) && !refused {
        session.follow_name(&name)?;
    }
    match &mut session.stage {
        // Before a password is on its way.
        Stage::Visitor(visitor) if refused => {
            visitor.user = None;
            return Ok(clear_login_refused());
        }
        Stage::Visitor(visitor) => visitor.user = Some(name),
        Stage::User(_) => {
            return Ok(Reply::new(Code::BAD_SEQUENCE, "You are logged in already."));
        }
        Stage::Changing => return Err(End::bug("a session between two stages").into()),
    }
    session.tell_of_tls()?;
    if session.present_certificate()? && enter_by_certificate(session)? {
        let text = "Login successful; your certificate is enough.";
        return Ok(session.welcomed(Code::LOGGED_IN_BY_CERTIFICATE, text));
    }
    // SECURITY: the same for every name, so that none is betrayed.
    Ok(Reply::new(Code::NEED_PASSWORD, "Password, please."))
}

/// Whether the certificate that keeper knows lets in by the name that was said, without a password.
fn enter_by_certificate(session: &mut Session) -> Result<bool, Stop> {
    let Stage::Visitor(mut visitor) = std::mem::replace(&mut session.stage, Stage::Changing) else {
        return Err(End::bug("another stage of the session").into());
    };
    let name = visitor.user.clone().unwrap_or_default();
    let Some(user) = UserName::new(&name) else {
        session.stage = Stage::Visitor(visitor);
        return Ok(false);
    };
    let (answer, leases) = ask_in(&mut visitor, &LoginRequest::Enter { user })?;
    match answer {
        LoginAnswer::NeedPassword => {
            session.stage = Stage::Visitor(visitor);
            Ok(false)
        }
        answer => session
            .come_in(visitor, name, answer, leases)
            .map(|()| true),
    }
}

pub(in crate::session) fn pass(session: &mut Session, secret: &Secret) -> Result<Reply, Stop> {
    let name = match &mut session.stage {
        Stage::Visitor(visitor) => match visitor.user.take() {
            Some(name) => name,
            None => return Ok(Reply::new(Code::BAD_SEQUENCE, "Say USER first.")),
        },
        Stage::User(_) => return Ok(Reply::new(Code::BAD_SEQUENCE, "You are logged in already.")),
        Stage::Changing => return Err(End::bug("a session between two stages").into()),
    };
    // What cannot be a name or a password is passed on as one that nobody has, so that it costs and counts the same.
    let user = UserName::new(&name)
        .or_else(|| UserName::new(b":"))
        .ok_or(End::bug("no name at all"))?;
    let secret = if secret.expose().len() > LONGEST_SECRET {
        Secret::new(b"")
    } else {
        secret.clone()
    };
    let Stage::Visitor(mut visitor) = std::mem::replace(&mut session.stage, Stage::Changing) else {
        return Err(End::bug("another stage of the session").into());
    };
    let request = LoginRequest::Authenticate { user, secret };
    let (answer, leases) = ask_in(&mut visitor, &request)?;
    if let LoginAnswer::Refused { last } = answer {
        session.stage = Stage::Visitor(visitor);
        let reply = Reply::new(Code::NOT_LOGGED_IN, "Login incorrect.");
        if last {
            session.link.control.reply(&reply)?;
            return Err(End::LoginFailed.into());
        }
        return Ok(reply);
    }
    session.come_in(visitor, name, answer, leases)?;
    Ok(session.welcomed(Code::LOGGED_IN, "Login successful."))
}

/// Asks keeper, which may take its time over a hash or hold a refusal back.
fn ask_in(
    visitor: &mut Visitor,
    request: &LoginRequest,
) -> Result<(LoginAnswer, Option<OwnedFd>), End> {
    match visitor.channel.call(request)? {
        answered @ ((_, None) | (LoginAnswer::Welcome { .. }, Some(_))) => Ok(answered),
        (_, Some(_)) => Err(End::bug("an answer of keeper that is none")),
    }
}

impl Session {
    /// Takes keeper's answer to a login that was not refused.
    fn come_in(
        &mut self,
        visitor: Visitor,
        name: Vec<u8>,
        answer: LoginAnswer,
        leases: Option<OwnedFd>,
    ) -> Result<(), Stop> {
        let account = match answer {
            LoginAnswer::Welcome { account } => account,
            LoginAnswer::TooMany => {
                self.stage = Stage::Visitor(visitor);
                return Err(End::TooManySessions.into());
            }
            // The user that it was to become could not be served.
            LoginAnswer::Refused { last: true } => {
                self.stage = Stage::Visitor(visitor);
                return Err(End::LoginFailed.into());
            }
            // Answers to another question.
            LoginAnswer::Refused { last: false }
            | LoginAnswer::Signer
            | LoginAnswer::NoSigner
            | LoginAnswer::Taken
            | LoginAnswer::Certified
            | LoginAnswer::NotCertified
            | LoginAnswer::NeedPassword
            | LoginAnswer::Admitted
            | LoginAnswer::NotAdmitted { .. }
            | LoginAnswer::Leads => return Err(End::bug("an answer of keeper that is none").into()),
        };
        // Only now is it known that the account has a rule of its own.
        if account.protection.required.for_login() && !self.link.control.is_secure() {
            self.stage = Stage::Visitor(visitor);
            self.link
                .log
                .line("an account that must log in under TLS was tried in the clear: its password should be changed");
            return Err(End::NotSecure.into());
        }
        self.permit(account.permitted);
        self.stage = Stage::User(Box::new(welcome(visitor, *account, name, leases)));
        Ok(())
    }
}

impl Session {
    /// The reply to a login: these words, or the account's own.
    fn welcomed(&self, code: Code, text: &str) -> Reply {
        let prompt = match &self.stage {
            Stage::User(user) => user.account.prompt.as_slice(),
            Stage::Visitor(_) | Stage::Changing => b"",
        };
        match prompt {
            b"" => Reply::new(code, text),
            prompt => Reply::lines(code, prompt.split(|&octet| octet == b'\n')),
        }
    }
}

fn welcome(visitor: Visitor, account: Account, name: Vec<u8>, leases: Option<OwnedFd>) -> User {
    User {
        files: Files::new(visitor.channel.log_in()),
        directory: account.start.clone(),
        names: Names::new(account.charset, visitor.utf8),
        paces: Paces::new(&account, leases),
        account,
        name,
        representation: Representation::default(),
        hash: digests::DEFAULT,
        facts: FactSet::ALL,
        data: DataChannel::None,
        epsv_only: false,
        pending: Pending::default(),
    }
}

/// Everything is as on a new connection (RFC 959 §4.1.1), but for the connection itself.
pub(in crate::session) fn rein(session: &mut Session) -> Result<Reply, Stop> {
    let visitor = match std::mem::replace(&mut session.stage, Stage::Changing) {
        Stage::Visitor(visitor) => visitor.begin_anew()?,
        Stage::User(user) => Visitor::new(user.files.reinitialise()?),
        Stage::Changing => return Err(End::bug("a session between two stages").into()),
    };
    session.receive_visitor(visitor);
    session.forget_security();
    Ok(Reply::new(Code::SERVICE_READY, "Ready for a new user."))
}

/// HOST (RFC 7151): there is one server yet, which may have several names.
pub(in crate::session) fn host(session: &mut Session, name: &str) -> Result<Reply, Stop> {
    let Stage::Visitor(visitor) = &mut session.stage else {
        return Ok(Reply::new(
            Code::BAD_SEQUENCE,
            "HOST comes before the login.",
        ));
    };
    // What was said to another host does not count for this one.
    visitor.user = None;
    let names = &session.host_names;
    if names.is_empty() || names.iter().any(|own| own == name) {
        Ok(Reply::new(Code::SERVICE_READY, "Host accepted."))
    } else {
        Ok(Reply::new(
            Code::PARAMETER_NOT_OFFERED,
            "This is another host.",
        ))
    }
}

pub(in crate::session) fn quit(session: &mut Session) -> Result<Reply, Stop> {
    session
        .link
        .control
        .reply(&Reply::new(Code::GOODBYE, "Goodbye."))?;
    Err(End::Quit.into())
}
