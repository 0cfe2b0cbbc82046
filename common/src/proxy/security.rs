//! TLS between client and gateway: AUTH, PBSZ, PROT and CCC (RFC 2228, RFC 4217). It ends here: what is under TLS towards the
//! server, if anything, has nothing to do with it.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use nix::poll::{PollFd, poll};

use super::end::End;
use super::session::Session;
use crate::channel::{DialAnswer, DialRequest};
use crate::control::until;
use crate::listener::Entrance;
use crate::proto::args::DataLevel;
use crate::proto::reply::{Code, Reply};
use crate::proto::verbs::{self, Command, Verb};
use crate::pump::{OpenError, Secured, Watch, Wire, secure, unbound};
use crate::settings::CloseNotify;
use crate::tls::{Certificates, Policy, ServerConfig, Side, Trusted, bound, server_config};

/// What the gateway offers of TLS.
pub struct Terms {
    /// None where TLS is not offered.
    pub certificates: Option<Arc<Certificates>>,
    /// Who certifies servers; none where they are not spoken to under TLS.
    pub trusted: Option<Trusted>,
    pub entrance: Entrance,
}

/// What a client under TLS has chosen.
pub struct Agreement {
    pub config: Arc<ServerConfig>,
    /// PBSZ was said: PROT has to come behind it (RFC 4217 §9).
    pub size_agreed: bool,
    pub data: DataLevel,
}

/// A handshake that comes once its reply is sent.
pub(super) struct Turn(Arc<ServerConfig>, DataLevel);

impl Session<'_> {
    /// Where TLS comes first, it comes before the greeting.
    pub(super) fn begin_secure(&mut self) -> Result<(), End> {
        match self.terms.entrance {
            Entrance::Plain => Ok(()),
            Entrance::Tls => match self.handshakes()? {
                Some(config) => self.secure(Turn(config, DataLevel::Private)),
                // SECURITY: nothing is ever said in the clear where TLS comes first.
                None => Err(End::ClientLost),
            },
        }
    }

    /// Obeys AUTH, PBSZ, PROT and CCC.
    pub(super) fn security(&mut self, verb: Verb, line: &[u8]) -> Result<Reply, End> {
        if self.terms.certificates.is_none() {
            let text = "There is no TLS here, and a server's cannot pass: who cannot read commands cannot hold to rules.";
            return Ok(Reply::new(Code::NOT_OFFERED, text));
        }
        match verbs::parse(verb, line) {
            Ok(Command::Auth(data)) => self.auth(data),
            Ok(Command::Pbsz(_)) => Ok(match &mut self.agreement {
                Some(agreement) => {
                    agreement.size_agreed = true;
                    Reply::new(Code::OK, "PBSZ=0")
                }
                None => Reply::new(Code::BAD_SEQUENCE, "Say AUTH TLS first."),
            }),
            Ok(Command::Prot(level)) => Ok(self.protect(level)),
            Ok(_) => {
                let text = "The control connection stays as it is.";
                Ok(Reply::new(Code::CLEAR_COMMANDS_REFUSED, text))
            }
            Err(_) => {
                let text = format!("{} does not have this argument.", verb.spec().verb);
                Ok(Reply::new(Code::PARAMETER_NOT_OFFERED, text))
            }
        }
    }

    fn auth(&mut self, data: DataLevel) -> Result<Reply, End> {
        if self.client.is_secure() || !self.who.name.is_empty() {
            let text = "AUTH comes once, and before USER.";
            return Ok(Reply::new(Code::BAD_SEQUENCE, text));
        }
        if self.client.has_unread() {
            // SECURITY: somebody on the way may have put it there, to be taken for the client's under TLS (CVE-2011-1575).
            self.log
                .line("commands in the clear behind AUTH: not carried out");
            return Err(End::NotFtp);
        }
        Ok(match self.handshakes()? {
            Some(config) => {
                self.turn = Some(Turn(config, data));
                Reply::new(Code::SECURITY_ACCEPTED, "Begin TLS.")
            }
            None => Reply::new(
                Code::NO_SECURITY_RESOURCE,
                "There is no TLS now; try later.",
            ),
        })
    }

    fn protect(&mut self, level: Option<DataLevel>) -> Reply {
        match (&mut self.agreement, level) {
            (None, _) => Reply::new(Code::BAD_SEQUENCE, "Say AUTH TLS first."),
            (Some(agreement), _) if !agreement.size_agreed => {
                Reply::new(Code::BAD_SEQUENCE, "Say PBSZ 0 first.")
            }
            (Some(_), None) => {
                let text = "TLS has the levels C and P only.";
                Reply::new(Code::LEVEL_NOT_SUPPORTED, text)
            }
            (Some(_), Some(DataLevel::Clear)) if self.config.required.for_data() => {
                Reply::new(Code::POLICY_REFUSED, "Data must be under TLS here.")
            }
            (Some(agreement), Some(level)) => {
                agreement.data = level;
                Reply::new(Code::OK, "Data will be so from here to you.")
            }
        }
    }

    /// Makes the handshakes of this session possible, which the signer signs; none if that is not possible now.
    fn handshakes(&mut self) -> Result<Option<Arc<ServerConfig>>, End> {
        let Some(certificates) = self.terms.certificates.clone() else {
            return Ok(None);
        };
        let generation = certificates.generation;
        // Nothing is read meanwhile: what comes from the client may be the beginning of its handshake.
        let channel = match self.dialer.call(&DialRequest::Signer { generation })? {
            (DialAnswer::Signer, Some(channel)) => channel,
            (DialAnswer::NoSigner, None) => return Ok(None),
            _ => return Err(End::bug("an answer of the dialer that is none")),
        };
        let policy = Policy {
            least: self.config.tls.least,
            suites: self.config.tls.suites.clone(),
            unknown_host: self.config.tls.unknown_host,
        };
        let config = server_config(&certificates, channel, &policy, None);
        Ok(config.ok().map(Arc::new))
    }

    /// Does the handshake of the control connection, within the time for a login.
    pub(super) fn secure(&mut self, Turn(config, data): Turn) -> Result<(), End> {
        let secured = self.client.secure(Arc::clone(&config));
        secured.map_err(|_| End::bug("TLS cannot begin"))?;
        loop {
            let events = match self.client.handshake() {
                Ok(None) => break,
                Ok(Some(events)) => events,
                Err(lost) => {
                    let why = self.client.fault();
                    let why = why.map_or("the connection broke".to_owned(), |why| why.to_string());
                    self.log.line(&format!("TLS handshake failed: {why}"));
                    return Err(lost.into());
                }
            };
            let mut ready = [PollFd::new(self.client.as_fd(), events)];
            if matches!(poll(&mut ready, until(Some(self.login_deadline))), Ok(0))
                && Instant::now() >= self.login_deadline
            {
                return Err(End::TimedOut);
            }
        }
        self.agreement = Some(Agreement {
            config,
            size_agreed: data == DataLevel::Private,
            data,
        });
        Ok(())
    }

    /// Whether the client wants its data under TLS.
    pub(super) fn has_private_data(&self) -> bool {
        let agreement = self.agreement.as_ref();
        agreement.is_some_and(|agreement| agreement.data == DataLevel::Private)
    }

    /// Whether data may go as the client has chosen it.
    pub(super) fn permits_data(&self) -> bool {
        self.has_private_data() || !self.config.required.for_data()
    }

    /// Does the handshake of the client's data connection, if it wants its data under TLS. The flag says that ABOR has come.
    pub(super) fn secure_data(
        &mut self,
        socket: OwnedFd,
    ) -> Result<Result<Wire, (OpenError, bool)>, End> {
        let Some(agreement) = self.agreement.as_ref().filter(|_| self.has_private_data()) else {
            return Ok(Ok(socket.into()));
        };
        let binding = self.config.binding;
        let config = bound(&agreement.config, binding);
        let (secured, aborted) = self.shake_hands(socket, config)?;
        if let Some(text) = unbound(&secured, binding, self.ends.client()) {
            self.strangers.line(&self.log, &text);
        }
        Ok(secured.map(Wire::Tls).map_err(|error| (error, aborted)))
    }

    /// Does the handshake of a data connection, on either side. The flag says that ABOR has come.
    pub(super) fn shake_hands(
        &mut self,
        socket: OwnedFd,
        side: impl Into<Side>,
    ) -> Result<(Result<Box<Secured>, OpenError>, bool), End> {
        let deadline = Instant::now() + self.config.data_timeout;
        let server = self.server.as_ref().ok_or(End::bug("no server"))?;
        let mut watch = Watch::new(&mut self.client, self.dialer.as_fd(), self.config.permitted)
            .beside(server.as_fd());
        let secured = secure(socket, side, CloseNotify::Strict, deadline, &mut watch);
        Ok((secured, watch.aborted))
    }
}
