//! A server with a certificate, and how clients see it.

use std::fs;
use std::sync::Arc;

use rustls::client::{ClientSessionStore, Resumption, WantsClientCert};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, SupportedProtocolVersion};
use tests::scratch::mode;
use tests::{Server, Setup};

use crate::client::Secure;
use crate::pki::Identity;

/// The versions of TLS that there are.
pub(crate) const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// Something that clients trust.
pub(crate) struct Authority {
    certified: rcgen::CertifiedKey<rcgen::KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Authority {
        Authority::certifying(["localhost", "127.0.0.1", "::1"].map(str::to_owned))
    }

    /// For a host of its own.
    pub(crate) fn of(host: &str) -> Authority {
        Authority::certifying([host.to_owned()])
    }

    fn certifying(names: impl Into<Vec<String>>) -> Authority {
        let certified = rcgen::generate_simple_self_signed(names).unwrap();
        Authority { certified }
    }

    /// Gives a server its certificate.
    pub(crate) fn certify(&self, setup: Setup) -> Setup {
        let path = setup.scratch().join("tls.pem");
        fs::write(&path, self.pem()).unwrap();
        mode(&path, 0o600);
        let certificate = setup.scratch().join("certificate.pem");
        fs::write(&certificate, self.certified.cert.pem()).unwrap();
        setup.flag(&["-cert", path.to_str().unwrap()])
    }

    /// Certificate and key.
    pub(crate) fn pem(&self) -> String {
        self.certified.cert.pem() + &self.certified.signing_key.serialize_pem()
    }

    /// What a client is that trusts it. Tickets of TLS 1.3 it uses once, as JSSE does.
    pub(crate) fn client(&self, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
        self.client_of(version, &[b"ftp"])
    }

    /// The same with other protocols in ALPN.
    pub(crate) fn client_of(
        &self,
        version: &'static SupportedProtocolVersion,
        protocols: &[&[u8]],
    ) -> Arc<ClientConfig> {
        let mut config = self.begin(version).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        config.resumption = Resumption::in_memory_sessions(64);
        Arc::new(config)
    }

    /// What a client is that has a certificate of its own.
    pub(crate) fn client_with(
        &self,
        version: &'static SupportedProtocolVersion,
        identity: &Identity,
    ) -> Arc<ClientConfig> {
        let config = self.begin(version);
        let mut config = config
            .with_client_auth_cert(identity.chain.clone(), identity.key())
            .unwrap();
        config.resumption = Resumption::in_memory_sessions(64);
        Arc::new(config)
    }

    /// What a client is that trusts others too, and keeps tickets as it is told.
    pub(crate) fn client_of_all(
        &self,
        version: &'static SupportedProtocolVersion,
        others: &[&Authority],
        tickets: Arc<dyn ClientSessionStore>,
    ) -> Arc<ClientConfig> {
        let all = std::iter::once(&self).chain(others);
        let trusted = all.map(|authority| authority.certified.cert.der());
        let mut config = trusting(&[version], trusted).with_no_client_auth();
        config.resumption = Resumption::store(tickets);
        Arc::new(config)
    }

    fn begin(
        &self,
        version: &'static SupportedProtocolVersion,
    ) -> ConfigBuilder<ClientConfig, WantsClientCert> {
        trusting(&[version], [self.certified.cert.der()])
    }

    /// A client that is logged in under TLS, with data under TLS too.
    #[track_caller]
    pub(crate) fn logged_in(
        &self,
        server: &Server,
        version: &'static SupportedProtocolVersion,
    ) -> Secure {
        let mut client = Secure::connect(server.address(), &self.client(version));
        client.login(&server.login.name, &server.login.password);
        client.protect();
        client
    }
}

/// A client that trusts these, and has not said yet whether it has a certificate of its own.
pub(crate) fn trusting<'a>(
    versions: &[&'static SupportedProtocolVersion],
    trusted: impl IntoIterator<Item = &'a CertificateDer<'static>>,
) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        roots.add(certificate.clone()).unwrap();
    }
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
}

/// A server with these settings.
#[track_caller]
pub(crate) fn start(settings: &[&str]) -> (Authority, Server) {
    start_as(Setup::new(), settings)
}

/// The same, of a server that is set up already.
#[track_caller]
pub(crate) fn start_as(setup: Setup, settings: &[&str]) -> (Authority, Server) {
    let authority = Authority::new();
    let mut setup = authority.certify(setup);
    for line in settings {
        setup = setup.setting(line);
    }
    (authority, setup.start())
}

/// Where the port is at which TLS comes first.
pub(crate) fn implicit(server: &Server) -> std::net::SocketAddr {
    server.log.implicit()
}
