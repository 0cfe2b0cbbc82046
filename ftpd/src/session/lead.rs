//! How a client gets to another server: USER name@host and SITE PROXY. The control connection stays, and all else becomes a
//! gateway's session.

use common::channel::{Asker, Dialling, LoginAnswer, LoginRequest};
use common::listener::Status;
use common::proto::destination::{Destination, split_login};
use common::proto::reply::{Code, Reply};
use common::proxy::{self, HookTerms};
use common::pump::Pipe;
use common::settings::{GatewayConfig, Led};
use common::tls::Trusted;

use super::security::clear_login_refused;
use super::{End, Session, Stage, Stop};

/// A session that goes on at another server.
pub(crate) struct Leave {
    dialer: Asker<Dialling>,
    /// The command that says where.
    line: Vec<u8>,
    /// Who has logged in here before.
    behalf: Option<Vec<u8>>,
}

/// SITE PROXY (MetaFTPd's): before a login, or after it.
pub(super) fn site_proxy(session: &mut Session, to: &Destination) -> Result<Reply, Stop> {
    let Some(leading) = &session.leading else {
        return Err(End::bug("nobody to lead to").into());
    };
    let usual = leading.upstream.mode.usual_port();
    let to = &to.clone().with_usual_port(usual);
    let behalf = match &session.stage {
        Stage::User(user) => Some(user.name.clone()),
        Stage::Visitor(_) | Stage::Changing => None,
    };
    let of_user = |user: &Vec<u8>| leading.user_targets.may_permit(user, &to.host, to.port);
    if !leading.targets.may_permit(&to.host, to.port) || !behalf.as_ref().is_none_or(of_user) {
        let text = "This server cannot be reached from here.";
        return Ok(Reply::new(Code::UNAVAILABLE, text));
    }
    if leading.who == Led::Users {
        session.user()?;
    }
    let line = format!("SITE PROXY {} {}", to.host, to.port).into_bytes();
    let dialer = match &session.stage {
        // The name and the password come later, and shall not come in the clear.
        Stage::Visitor(_) if session.refuses_clear(b"") => return Ok(clear_login_refused()),
        Stage::Visitor(_) => session.leave_as_visitor()?,
        Stage::User(_) => match std::mem::replace(&mut session.stage, Stage::Changing) {
            Stage::User(user) => user.files.lead()?,
            Stage::Visitor(_) | Stage::Changing => {
                return Err(End::bug("a session between two stages").into());
            }
        },
        Stage::Changing => return Err(End::bug("a session between two stages").into()),
    };
    Err(session.leave_for(dialer, line, behalf))
}

impl Session {
    /// Leaves for another server if that is what the name of a visitor says.
    pub(super) fn follow_name(&mut self, name: &[u8]) -> Result<(), Stop> {
        let wanted = split_login(name).and_then(|(_, host)| Destination::parse(host).ok());
        let (Some(to), Some(leading)) = (wanted, &self.leading) else {
            return Ok(());
        };
        let to = to.with_usual_port(leading.upstream.mode.usual_port());
        // Names of users here may look the same; who can be led nowhere is one of them.
        if leading.who != Led::Anybody || !leading.targets.may_permit(&to.host, to.port) {
            return Ok(());
        }
        let dialer = self.leave_as_visitor()?;
        let line = [b"USER ", name].concat();
        Err(self.leave_for(dialer, line, None))
    }

    fn leave_for(
        &mut self,
        dialer: Asker<Dialling>,
        line: Vec<u8>,
        behalf: Option<Vec<u8>>,
    ) -> Stop {
        self.leave = Some(Leave {
            dialer,
            line,
            behalf,
        });
        End::Led.into()
    }

    fn leave_as_visitor(&mut self) -> Result<Asker<Dialling>, End> {
        let Stage::Visitor(mut visitor) = std::mem::replace(&mut self.stage, Stage::Changing)
        else {
            return Err(End::bug("another stage of the session"));
        };
        match visitor.channel.call(&LoginRequest::Lead)? {
            (LoginAnswer::Leads, None) => Ok(visitor.channel.lead()),
            _ => Err(End::bug("an answer of keeper that is none")),
        }
    }

    /// Goes on as a gateway's session, to its end.
    pub(super) fn go(
        self,
        leave: Leave,
        config: &GatewayConfig,
        pipe: Pipe,
        trusted: Option<Trusted>,
        hooks: HookTerms,
    ) -> Status {
        let Leave {
            dialer,
            line,
            behalf,
        } = leave;
        let agreement = self.link.security.map(|security| security.for_gateway());
        let setup = proxy::Setup {
            config,
            client: self.link.control,
            ends: self.link.ends,
            dialer,
            pipe,
            delivery: self.link.delivery,
            terms: self.terms.for_gateway(trusted),
            behalf,
            teller: self.link.teller,
            drain: self.drain,
            hooks,
            log: self.link.log,
        };
        proxy::take_over(setup, agreement, &line)
    }
}
