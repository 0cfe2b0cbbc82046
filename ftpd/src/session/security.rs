//! TLS in a session: how the control connection goes over to it and leaves it, and what becomes of data connections.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::channel::{LoginAnswer, LoginRequest, PROOF_PART};
use common::hookd::Listed;
use common::listener::Entrance;
use common::proto::args::DataLevel;
use common::proto::reply::{Code, Reply};
use common::proxy;
use common::pump::{OpenError, Secured, Watch, Wire, secure, unbound};
use common::settings::{DataBinding, Protection, RequiredByName};
use common::tls::clients::{Clients, Kept, Proof, Witness};
use common::tls::{Certificates, Fault, Policy, ServerConfig, Trusted, anew, bound, server_config};
use common::wire::Octets;
use nix::poll::PollFlags;

use super::data::after_abort;
use super::{End, Link, Session, Stage, Stop, User, Visitor, outcome};
use crate::setup::{self, Setup};

/// How handshakes of the session are done: the same for the control connection and its data connections, so that what one of
/// them begins, the others can resume.
#[derive(Clone)]
pub(crate) struct Handshakes {
    config: Arc<ServerConfig>,
    /// Where a client's proof of who it is remains.
    proof: Kept,
}

impl Handshakes {
    /// For a client that begins anew: by the same channel to the signer, and with nothing to be resumed.
    fn anew(&self) -> Option<Handshakes> {
        Some(Handshakes {
            config: Arc::new(anew(&self.config).ok()?),
            proof: self.proof.clone(),
        })
    }
}

/// What a client under TLS has chosen, and shown.
pub(crate) struct Agreement {
    handshakes: Handshakes,
    /// Who it is, if it has shown a certificate.
    proof: Option<Proof>,
    /// PBSZ was said: PROT has to come behind it (RFC 4217 §9).
    pub(crate) size_agreed: bool,
    pub(crate) data: DataLevel,
}

impl Agreement {
    /// The same for a gateway's session, which knows nothing of certificates of clients.
    pub(super) fn for_gateway(self) -> proxy::Agreement {
        proxy::Agreement {
            config: self.handshakes.config,
            size_agreed: self.size_agreed,
            data: self.data,
        }
    }
}

/// What becomes of the control connection once the reply is sent.
pub(crate) enum Turn {
    /// AUTH: TLS, with this level of data.
    Secure(Handshakes, DataLevel),
    /// REIN leaves TLS (RFC 4217 §11).
    Clear,
    /// CCC leaves it too, and what was agreed upon for data stays (RFC 4217 §12.3).
    ClearCommands,
}

/// How long the client may take to end TLS by itself after CCC.
const CLIENT_BEGINS: Duration = Duration::from_millis(500);

/// What a session may do of TLS, and what it must.
pub(crate) struct Terms {
    /// None where TLS is not offered.
    certificates: Option<Arc<Certificates>>,
    /// None where clients are asked for no certificate.
    clients: Option<Clients>,
    policy: Policy,
    entrance: Entrance,
    required: RequiredByName,
}

impl Terms {
    pub(super) fn new(setup: &Setup, security: setup::Security) -> Terms {
        let (session, tls) = (&setup.config.session, &setup.config.server.tls);
        Terms {
            certificates: security.certificates,
            clients: security.clients,
            policy: Policy {
                least: tls.least,
                suites: tls.suites.clone(),
                unknown_host: tls.unknown_host,
            },
            entrance: security.entrance,
            required: session.required_by_name(),
        }
    }

    /// The same for a gateway's session that goes on with this connection.
    pub(super) fn for_gateway(self, trusted: Option<Trusted>) -> proxy::Terms {
        proxy::Terms {
            certificates: self.certificates,
            trusted,
            entrance: self.entrance,
        }
    }

    pub(super) fn entrance(&self) -> Entrance {
        self.entrance
    }

    pub(super) fn offers_tls(&self) -> bool {
        self.certificates.is_some()
    }

    /// Makes the handshakes of this session possible, which the signer signs; none if that is not possible now.
    pub(super) fn handshakes(&self, visitor: &mut Visitor) -> Result<Option<Handshakes>, End> {
        let Some(certificates) = &self.certificates else {
            return Ok(None);
        };
        if let Some(former) = &visitor.handshakes {
            return Ok(former.anew());
        }
        let request = LoginRequest::Signer {
            generation: certificates.generation,
        };
        let channel = match visitor.channel.call(&request)? {
            (LoginAnswer::Signer, Some(channel)) => channel,
            (LoginAnswer::NoSigner, None) => return Ok(None),
            (_, _) => return Err(End::bug("an answer of keeper that is none")),
        };
        let proof = Kept::default();
        let witness = self.clients.as_ref();
        let witness = witness.map(|clients| Witness::new(clients, proof.clone()));
        let config = server_config(certificates, channel, &self.policy, witness);
        visitor.handshakes = config.ok().map(|config| Handshakes {
            config: Arc::new(config),
            proof,
        });
        Ok(visitor.handshakes.clone())
    }
}

/// What a login in the clear hears where that must not be.
pub(crate) fn clear_login_refused() -> Reply {
    let text = "Logins must be under TLS here: AUTH TLS first.";
    Reply::new(Code::NOT_LOGGED_IN, text)
}

impl Session {
    /// Where TLS comes first, it comes before the greeting.
    pub(super) fn begin_secure(&mut self) -> Result<(), End> {
        let Stage::Visitor(visitor) = &mut self.stage else {
            return Err(End::bug("another stage of the session"));
        };
        match self.terms.entrance {
            Entrance::Plain => Ok(()),
            Entrance::Tls => match self.terms.handshakes(visitor)? {
                Some(handshakes) => self.secure(handshakes, DataLevel::Private),
                // SECURITY: nothing is ever said in the clear where TLS comes first.
                None => Err(End::ControlLost),
            },
        }
    }

    /// Whether a login by this name must not go on as the connection is.
    pub(crate) fn refuses_clear(&self, name: &[u8]) -> bool {
        !self.link.control.is_secure() && self.terms.required.of(name).for_login()
    }

    /// Whether TLS comes first where the client has connected, so that nothing is ever in the clear.
    pub(crate) fn is_implicit(&self) -> bool {
        self.terms.entrance == Entrance::Tls
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
            Turn::Secure(handshakes, data) => self.secure(handshakes, data),
            Turn::Clear => {
                self.link.security = None;
                Ok(self.link.control.leave_tls()?)
            }
            Turn::ClearCommands => {
                // Some clients take the server's end of TLS for that of the connection, unless they have begun with it; others
                // wait for it.
                self.wait(PollFlags::POLLIN, Some(Instant::now() + CLIENT_BEGINS))?;
                Ok(self.link.control.leave_tls()?)
            }
        }
    }

    /// Does the handshake of the control connection, within the time for a login.
    pub(super) fn secure(&mut self, handshakes: Handshakes, data: DataLevel) -> Result<(), End> {
        let config = Arc::clone(&handshakes.config);
        if let Err(fault) = self.link.control.secure(config) {
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
                    let client = self.link.ends.client();
                    let line = format!("TLS handshake failed for {client}: {why}");
                    self.link.log.line(&line);
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
            proof: handshakes.proof.take(),
            handshakes,
            size_agreed: data == DataLevel::Private,
            data,
        });
        Ok(())
    }
}

impl Session {
    /// Tells keeper that TLS protects the login, once.
    pub(crate) fn tell_of_tls(&mut self) -> Result<(), End> {
        let stream = self.link.control.tls();
        let version = stream.and_then(|stream| stream.version());
        let version = version.and_then(Listed::find);
        let Stage::Visitor(visitor) = &mut self.stage else {
            return Err(End::bug("another stage of the session"));
        };
        let Some(version) = version.filter(|_| !visitor.told_of_tls) else {
            return Ok(());
        };
        visitor.told_of_tls = true;
        match visitor.channel.call(&LoginRequest::Secured { version })? {
            (LoginAnswer::Taken, None) => Ok(()),
            _ => Err(End::bug("an answer of keeper that is none")),
        }
    }

    /// Shows keeper the proof of who the client is, which the handshake has made; once, before the first login. Whether there
    /// is a certificate that keeper accepts.
    pub(crate) fn present_certificate(&mut self) -> Result<bool, End> {
        let proof = self.link.security.as_ref();
        let Some(proof) = proof.and_then(|security| security.proof.as_ref()) else {
            return Ok(false);
        };
        let Stage::Visitor(visitor) = &mut self.stage else {
            return Err(End::bug("another stage of the session"));
        };
        if let Some(certified) = visitor.certified {
            return Ok(certified);
        }
        let octets = proof.encode();
        let mut certified = false;
        let mut parts = octets.chunks(PROOF_PART).peekable();
        while let Some(part) = parts.next() {
            let more = parts.peek().is_some();
            let part = Octets::new(part).ok_or(End::bug("a part that is too long"))?;
            let request = LoginRequest::Present { part, more };
            certified = match (visitor.channel.call(&request)?, more) {
                ((LoginAnswer::Taken, None), true) => false,
                ((LoginAnswer::Certified, None), false) => true,
                ((LoginAnswer::NotCertified, None), false) => false,
                _ => return Err(End::bug("an answer of keeper that is none")),
            };
        }
        visitor.certified = Some(certified);
        Ok(certified)
    }
}

impl Link {
    /// What is used for data connections, if they are protected.
    fn private_data(&self) -> Option<&Agreement> {
        let security = self.security.as_ref()?;
        match security.data {
            DataLevel::Clear => None,
            DataLevel::Private => Some(security),
        }
    }

    /// Whether who has made a data connection is the client, as far as certificates tell. SECURITY: where the client has shown
    /// one, somebody else from the same address has another one or none.
    fn same_client(&self, secured: Box<Secured>) -> Result<Box<Secured>, OpenError> {
        let Some(security) = &self.security else {
            return Ok(secured);
        };
        // What this handshake has proved is of no more use.
        drop(security.handshakes.proof.take());
        match &security.proof {
            Some(proof) if secured.client_certificate() != Some(proof.certificate()) => {
                Err(OpenError::Insecure(Fault::OtherClient))
            }
            _ => Ok(secured),
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
    let Some(security) = link.private_data() else {
        return Ok(socket.into());
    };
    let protection = user.account.protection;
    let config = bound(&security.handshakes.config, protection.binding);
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
    let secured = secured.and_then(|secured| link.same_client(secured));
    if let Some(text) = unbound(&secured, protection.binding, link.ends.client()) {
        link.tell_of_stranger(&text);
    }
    let secured = match secured {
        Ok(secured) => secured,
        Err(error) if aborted => return Err(after_abort(link, outcome::data_open(error))),
        Err(error) => return Err(outcome::data_open(error)),
    };
    Ok(Wire::Tls(secured))
}
