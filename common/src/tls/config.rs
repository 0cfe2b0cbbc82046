//! How a session offers TLS: a configuration of its own, whose tickets and sessions no other session has.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{
    ClientHello, ResolvesServerCert, ServerSessionMemoryCache, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{Error, ServerConfig, SignatureScheme, SupportedProtocolVersion};

use super::certificates::{Certificates, Chain};
use super::clients::Witness;
use super::remote::{Channel, RemoteKey};
use crate::channel::Asker;
use crate::settings::{CipherSuites, TlsVersion, UnknownHost};

/// The protocol in ALPN. A client that offers others only is refused: it is no client of ours (RFC 7301 §3.2).
pub(super) const PROTOCOL: &[u8] = b"ftp";

/// So many sessions of TLS 1.2 are kept for the data connections of one control connection.
const KEPT_SESSIONS: usize = 32;

/// What of TLS is permitted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    pub least: TlsVersion,
    pub suites: CipherSuites,
    pub unknown_host: UnknownHost,
}

/// Makes the configuration of one session, for its control connection and its data connections. With a witness clients are
/// asked for a certificate.
///
/// SECURITY: the keys of the tickets and the cache are new ones, so that what is resumed is this session and no other.
///
/// # Errors
/// What rustls says about the policy, or that no random octets are to be had.
pub fn server_config(
    certificates: &Arc<Certificates>,
    channel: OwnedFd,
    policy: &Policy,
    witness: Option<Witness>,
) -> Result<ServerConfig, Error> {
    let resolver = Arc::new(Resolver::new(certificates, channel, policy.unknown_host));
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider(&policy.suites)))
        .with_protocol_versions(versions(policy.least))?
        .with_client_cert_verifier(match witness {
            Some(witness) => Arc::new(witness),
            None => WebPkiClientVerifier::no_client_auth(),
        })
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    config.session_storage = ServerSessionMemoryCache::new(KEPT_SESSIONS);
    Ok(config)
}

/// The same configuration with other tickets: what was begun under the former one cannot be resumed.
///
/// # Errors
/// No random octets are to be had.
pub fn anew(config: &ServerConfig) -> Result<ServerConfig, Error> {
    let mut config = config.clone();
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    config.session_storage = ServerSessionMemoryCache::new(KEPT_SESSIONS);
    Ok(config)
}

/// All versions, the newest first.
pub(super) const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];

/// The versions from one on.
pub(super) fn versions(least: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    match least {
        TlsVersion::V1_2 => BOTH,
        TlsVersion::V1_3 => &BOTH[..1],
    }
}

/// The cryptography with these suites alone.
pub(super) fn provider(suites: &CipherSuites) -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    let known = std::mem::take(&mut provider.cipher_suites);
    provider.cipher_suites = suites
        .all()
        .filter_map(|wanted| {
            let same =
                |suite: &&rustls::SupportedCipherSuite| u16::from(suite.suite()) == wanted.number;
            known.iter().find(same).copied()
        })
        .collect();
    provider
}

/// Chooses the certificate for a client.
#[derive(Debug)]
struct Resolver {
    certificates: Arc<Certificates>,
    channel: Arc<Channel>,
    unknown_host: UnknownHost,
}

impl Resolver {
    fn new(
        certificates: &Arc<Certificates>,
        channel: OwnedFd,
        unknown_host: UnknownHost,
    ) -> Resolver {
        Resolver {
            certificates: Arc::clone(certificates),
            channel: Arc::new(Channel::new(Asker::over(channel))),
            unknown_host,
        }
    }

    /// The first certificate for the host with whose key the client can do; without a host the first of all. So it is without
    /// one for the host, unless those are refused: clients which know the server by another name tell their users what they found.
    fn choose(&self, host: Option<&str>, offered: &[SignatureScheme]) -> Option<(u8, &Chain)> {
        let host = host.map(str::to_ascii_lowercase);
        let can_use = |(_, chain): &(u8, &Chain)| {
            chain
                .key
                .schemes()
                .iter()
                .any(|scheme| offered.contains(scheme))
        };
        let is_for =
            |(_, chain): &(u8, &Chain)| host.as_ref().is_some_and(|host| chain.is_for(host));
        let usable = || (0..).zip(&self.certificates.chains).filter(can_use);
        usable().find(is_for).or_else(|| {
            // SECURITY: who is led here under another name shall not take this for the server that it wants (ALPACA).
            let serves = host.is_none() || self.unknown_host == UnknownHost::Serve;
            usable().next().filter(|_| serves)
        })
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let (index, chain) = self.choose(hello.server_name(), hello.signature_schemes())?;
        let key = RemoteKey::new(Arc::clone(&self.channel), index, chain.key);
        let certified = CertifiedKey::new(chain.certificates.clone(), Arc::new(key));
        Some(Arc::new(certified))
    }
}
