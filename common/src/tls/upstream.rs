//! The client's end of TLS: a gateway's towards servers. Whose certificates are believed is read once, at the start; sessions
//! inherit it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};

use super::Fault;
use super::config::{BOTH, PROTOCOL, provider, versions};
use super::load::{authorities, named};
use crate::proto::destination::Host;
use crate::settings::{Tls, TlsVersion, UpstreamTls};

/// Where Debian and its relatives keep the certificates that everybody trusts.
pub const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// How many sessions of one server are remembered, for its data connections.
const KEPT_SESSIONS: usize = 8;

/// Tells which certificates are those of servers.
#[derive(Clone, Debug)]
pub struct Trusted(Arc<WebPkiServerVerifier>);

impl Trusted {
    /// Reads files with authorities, or what the system has if none is named.
    ///
    /// # Errors
    /// What is wrong with them, as a sentence.
    pub fn read(files: &[PathBuf]) -> Result<Trusted, String> {
        let mut roots = RootCertStore::empty();
        for file in files {
            for authority in authorities(file).map_err(named("ServerCA"))? {
                roots.add(authority).map_err(|error| {
                    format!("{}: an authority cannot be used: {error}", file.display())
                })?;
            }
        }
        if files.is_empty() {
            let found = authorities(Path::new(SYSTEM_AUTHORITIES))
                .map_err(|why| format!("{why}; ServerCA names another file"))?;
            // Among so many there may be one that nobody can use.
            roots.add_parsable_certificates(found);
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        verifier.build().map(Trusted).map_err(|why| why.to_string())
    }
}

/// A server, and how it is spoken to: one for a control connection and its data connections, which so resume its session.
#[derive(Clone, Debug)]
pub struct Upstream {
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
}

impl Upstream {
    /// A server that has to show a certificate for `host`.
    ///
    /// # Errors
    /// The name is none that a certificate can be for, or the suites fit no version.
    pub fn new(
        trusted: &Trusted,
        tls: &Tls,
        upstream: &UpstreamTls,
        host: &Host,
    ) -> Result<Upstream, Fault> {
        let name = match host {
            Host::Address(address) => ServerName::from(*address),
            Host::Name(name) => ServerName::try_from(name.clone())
                .map_err(|_| Fault::ServerCertificate(super::Doubt::OtherName))?,
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(provider(&tls.suites)));
        let versions = match upstream.newest {
            TlsVersion::V1_2 => &BOTH[1..],
            TlsVersion::V1_3 => versions(tls.least),
        };
        let mut config = builder
            .with_protocol_versions(versions)?
            .with_webpki_verifier(Arc::clone(&trusted.0))
            .with_no_client_auth();
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        config.resumption = Resumption::in_memory_sessions(KEPT_SESSIONS);
        Ok(Upstream {
            config: Arc::new(config),
            name,
        })
    }
}
