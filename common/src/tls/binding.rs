//! How data connections are bound to their control connection: whoever has none of its session's tickets gets no further than
//! the server's signature, and so gets no ticket either.

use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{Error, ServerConfig, SignatureAlgorithm, SignatureScheme};

use crate::settings::DataBinding;

/// What [`Fault`](super::Fault) knows a handshake by that resumes nothing.
pub(super) const NOT_RESUMED: &str = "the session is not resumed";

/// The same configuration for data connections, where need be for those alone who resume one of its sessions.
///
/// SECURITY: to refuse a client after its handshake is too late: in TLS 1.2 it has got a ticket by then, and would resume that.
pub fn bound(config: &Arc<ServerConfig>, binding: DataBinding) -> Arc<ServerConfig> {
    match binding {
        DataBinding::Require => resuming_only(config),
        DataBinding::Prefer | DataBinding::Off => Arc::clone(config),
    }
}

fn resuming_only(config: &ServerConfig) -> Arc<ServerConfig> {
    let mut config = config.clone();
    config.cert_resolver = Arc::new(Mute(config.cert_resolver));
    Arc::new(config)
}

/// Certificates without the power to sign. A session that is resumed needs no signature.
#[derive(Debug)]
struct Mute(Arc<dyn ResolvesServerCert>);

impl ResolvesServerCert for Mute {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let resolved = self.0.resolve(hello)?;
        let key = Arc::new(MuteKey(Arc::clone(&resolved.key)));
        Some(Arc::new(CertifiedKey::new(resolved.cert.clone(), key)))
    }
}

#[derive(Debug)]
struct MuteKey(Arc<dyn SigningKey>);

impl SigningKey for MuteKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let scheme = self.0.choose_scheme(offered)?.scheme();
        Some(Box::new(MuteSigner(scheme)))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }
}

#[derive(Debug)]
struct MuteSigner(SignatureScheme);

impl Signer for MuteSigner {
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, Error> {
        Err(Error::General(NOT_RESUMED.to_owned()))
    }

    fn scheme(&self) -> SignatureScheme {
        self.0
    }
}
