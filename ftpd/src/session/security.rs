//! TLS in a session: how the control connection goes over to it and leaves it, and what becomes of data connections.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use common::channel::{LoginAnswer, LoginRequest};
use common::listener::Entrance;
use common::proto::args::DataLevel;
use common::proto::reply::{Code, Reply};
use common::pump::{OpenError, Watch, Wire, secure};
use common::settings::{DataBinding, Protection, TlsRequired};
use common::tls::{Certificates, Fault, Policy, ServerConfig, resuming_only, server_config};

use super::data::after_abort;
use super::{End, Link, Session, Stage, Stop, User, Visitor, outcome};
use crate::setup::{self, Setup};

/// What a client under TLS has chosen.
pub(crate) struct Agreement {
    /// The same for the control connection and its data connections: what one of them begins, the others can resume.
    config: Arc<ServerConfig>,
    /// PBSZ was said: PROT has to come behind it (RFC 4217 §9).
    pub(crate) size_agreed: bool,
    pub(crate) data: DataLevel,
}

/// What becomes of the control connection once the reply is sent.
pub(crate) enum Turn {
    /// AUTH: TLS, with this level of data.
    Secure(Arc<ServerConfig>, DataLevel),
    /// REIN leaves TLS (RFC 4217 §11).
    Clear,
}

/// Names by which people without an account log in (RFC 1635).
const ANONYMOUS: [&[u8]; 2] = [b"anonymous", b"ftp"];

/// What a session may do of TLS, and what it must.
pub(crate) struct Terms {
    /// None where TLS is not offered.
    certificates: Option<Arc<Certificates>>,
    policy: Policy,
    entrance: Entrance,
    required: TlsRequired,
    required_anonymous: TlsRequired,
}

impl Terms {
    pub(super) fn new(setup: &Setup, security: setup::Security) -> Terms {
        let (session, tls) = (&setup.config.session, &setup.config.server.tls);
        Terms {
            certificates: security.certificates,
            policy: Policy {
                least: tls.least,
                suites: tls.suites.clone(),
            },
            entrance: security.entrance,
            required: session.protection.required,
            required_anonymous: session.tls_required_anonymous,
        }
    }

    pub(super) fn offers_tls(&self) -> bool {
        self.certificates.is_some()
    }

    /// Makes the configuration of this session, whose handshakes the signer signs; none if that is not possible now.
    pub(super) fn config(&self, visitor: &mut Visitor) -> Result<Option<Arc<ServerConfig>>, End> {
        let Some(certificates) = &self.certificates else {
            return Ok(None);
        };
        let request = LoginRequest::Signer {
            generation: certificates.generation,
        };
        let channel = match visitor.channel.call(&request)? {
            (LoginAnswer::Signer, Some(channel)) => channel,
            (LoginAnswer::NoSigner, None) => return Ok(None),
            (
                LoginAnswer::Signer
                | LoginAnswer::NoSigner
                | LoginAnswer::Welcome { .. }
                | LoginAnswer::Refused { .. }
                | LoginAnswer::TooMany,
                _,
            ) => return Err(End::Broken),
        };
        let config = server_config(certificates, channel, &self.policy);
        Ok(config.ok().map(Arc::new))
    }

    /// Whether a login by this name must not be in the clear. Which accounts take any password only keeper knows.
    fn refuse_clear(&self, name: &[u8]) -> bool {
        let anonymous = ANONYMOUS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name));
        match anonymous {
            true => self.required_anonymous.for_login(),
            false => self.required.for_login(),
        }
    }
}

impl Session {
    /// Where TLS comes first, it comes before the greeting.
    pub(super) fn begin_secure(&mut self) -> Result<(), End> {
        let Stage::Visitor(visitor) = &mut self.stage else {
            return Err(End::Broken);
        };
        match self.terms.entrance {
            Entrance::Plain => Ok(()),
            Entrance::Tls => match self.terms.config(visitor)? {
                Some(config) => self.secure(config, DataLevel::Private),
                // SECURITY: nothing is ever said in the clear where TLS comes first.
                None => Err(End::ControlLost),
            },
        }
    }

    /// Whether a login by this name must not go on as the connection is.
    pub(crate) fn refuses_clear(&self, name: &[u8]) -> bool {
        !self.link.control.is_secure() && self.terms.refuse_clear(name)
    }

    /// REIN leaves TLS once it is answered (RFC 4217 §11); where nothing is ever in the clear, only what was chosen is forgotten.
    pub(crate) fn forget_security(&mut self) {
        match (self.terms.entrance, &mut self.link.security) {
            (_, None) => {}
            (Entrance::Plain, Some(_)) => self.turn = Some(Turn::Clear),
            (Entrance::Tls, Some(security)) => security.data = DataLevel::Private,
        }
    }

    /// Goes over to TLS or leaves it.
    pub(super) fn turn(&mut self, turn: Turn) -> Result<(), End> {
        match turn {
            Turn::Secure(config, data) => self.secure(config, data),
            Turn::Clear => {
                self.link.security = None;
                Ok(self.link.control.leave_tls()?)
            }
        }
    }

    /// Does the handshake of the control connection, within the time for a login.
    pub(super) fn secure(&mut self, config: Arc<ServerConfig>, data: DataLevel) -> Result<(), End> {
        if let Err(fault) = self.link.control.secure(Arc::clone(&config)) {
            self.link.log.line(&format!("TLS: {fault}"));
            return Err(End::ControlLost);
        }
        let deadline = Some(self.login_deadline);
        loop {
            match self.link.control.handshake() {
                Ok(None) => break,
                Ok(Some(_)) if Instant::now() >= self.login_deadline => return Err(End::TimedOut),
                Ok(Some(events)) => {
                    self.wait(events, deadline)?;
                }
                Err(lost) => {
                    let why = self.link.control.fault();
                    let why = why.map_or("the connection broke".to_owned(), |why| why.to_string());
                    self.link.log.line(&format!("TLS handshake failed: {why}"));
                    return Err(lost.into());
                }
            }
        }
        if let Some(stream) = self.link.control.tls() {
            let tls = stream.describe();
            self.link
                .log
                .command(|| format!("control connection under {tls}"));
        }
        self.link.security = Some(Agreement {
            config,
            size_agreed: data == DataLevel::Private,
            data,
        });
        Ok(())
    }
}

impl Link {
    /// What is used for data connections, if they are protected.
    fn private_data(&self) -> Option<Arc<ServerConfig>> {
        let security = self.security.as_ref()?;
        match security.data {
            DataLevel::Clear => None,
            DataLevel::Private => Some(Arc::clone(&security.config)),
        }
    }

    /// Whether nobody but who continues this TLS session gets anything by a data connection.
    pub(crate) fn binds_data(&self, protection: Protection) -> bool {
        protection.binding == DataBinding::Require && self.private_data().is_some()
    }

    /// Whether the account permits a data connection as the client has chosen it.
    pub(crate) fn check_data_level(&self, user: &User) -> Result<(), Stop> {
        if user.account.protection.required.for_data() && self.private_data().is_none() {
            return Err(Reply::new(
                Code::DATA_LEVEL_REFUSED,
                "Data must be under TLS here: AUTH TLS, PBSZ 0 and PROT P first.",
            )
            .into());
        }
        Ok(())
    }
}

/// Does the handshake of a data connection, if data is protected, and looks whose it is.
pub(crate) fn protect(link: &mut Link, user: &mut User, socket: OwnedFd) -> Result<Wire, Stop> {
    let Some(config) = link.private_data() else {
        return Ok(socket.into());
    };
    let protection = user.account.protection;
    let config = match protection.binding {
        DataBinding::Require => resuming_only(&config),
        DataBinding::Prefer | DataBinding::Off => config,
    };
    let deadline = user.deadline_for_data();
    let mut watch = Watch::new(
        &mut link.control,
        user.files.as_fd(),
        user.account.permitted,
    );
    let secured = secure(
        socket,
        config,
        protection.close_notify,
        deadline,
        &mut watch,
    );
    let aborted = watch.aborted;
    // SECURITY: whoever comes from the same address may be somebody else behind the same router. Only the client itself can
    // resume its session.
    let unbound = match &secured {
        Ok(secured) => !secured.resumed() && protection.binding == DataBinding::Prefer,
        Err(error) => *error == OpenError::Insecure(Fault::NotResumed),
    };
    if unbound {
        let client = link.ends.client();
        let refused = if secured.is_err() { ": refused" } else { "" };
        link.tell_of_stranger(&format!(
            "data connection from {client} did not resume the TLS session of its control connection{refused}"
        ));
    }
    let secured = match secured {
        Ok(secured) => secured,
        Err(error) if aborted => return Err(after_abort(link, outcome::data_open(error))),
        Err(error) => return Err(outcome::data_open(error)),
    };
    Ok(Wire::Tls(secured))
}
