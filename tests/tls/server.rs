//! A server with a certificate, and how clients see it.

use std::fs;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::WantsClientCert;
use rustls::crypto::aws_lc_rs;
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
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let certified = rcgen::generate_simple_self_signed(names).unwrap();
        Authority { certified }
    }

    /// Gives a server its certificate.
    pub(crate) fn certify(&self, setup: Setup) -> Setup {
        let path = setup.scratch().join("tls.pem");
        let pem = self.certified.cert.pem() + &self.certified.signing_key.serialize_pem();
        fs::write(&path, pem).unwrap();
        mode(&path, 0o600);
        let certificate = setup.scratch().join("certificate.pem");
        fs::write(&certificate, self.certified.cert.pem()).unwrap();
        setup.flag(&["-cert", path.to_str().unwrap()])
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

    fn begin(
        &self,
        version: &'static SupportedProtocolVersion,
    ) -> ConfigBuilder<ClientConfig, WantsClientCert> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certified.cert.der().clone()).unwrap();
        ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
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
    let line = server.log.line_with(&["listening on", "implicit TLS"]);
    let (_, address) = line.split_once("listening on ").unwrap();
    address.split(',').next().unwrap().parse().unwrap()
}
