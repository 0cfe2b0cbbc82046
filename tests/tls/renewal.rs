//! Certificates that are swapped while clients come and go.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use tests::scratch::mode;
use tests::{Server, Setup, wait};

use crate::client::Secure;

/// A CA in whose name a server gets one certificate after the other.
struct Ca {
    params: CertificateParams,
    key: KeyPair,
}

impl Ca {
    fn new() -> Ca {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Ca { params, key }
    }

    /// A new certificate with its key, as PEM in one file.
    fn pair(&self) -> String {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let issuer = Issuer::from_params(&self.params, &self.key);
        params.signed_by(&key, &issuer).unwrap().pem() + &key.serialize_pem()
    }

    /// A client that trusts it.
    fn client(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        let own = self.params.self_signed(&self.key).unwrap();
        roots.add(own.der().clone()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }

    /// Puts a new pair where the server's is, by a rename.
    fn swap(&self, server: &Server) {
        let new = server.scratch.join("new.pem");
        fs::write(&new, self.pair()).unwrap();
        mode(&new, 0o600);
        fs::rename(new, server.scratch.join("tls.pem")).unwrap();
    }
}

/// Connects, goes over to TLS and leaves, until it is told to stop; how often it did.
fn come_and_go(server: SocketAddr, config: &Arc<ClientConfig>, stop: &AtomicBool) -> u32 {
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        Secure::connect(server, config).expect("QUIT", 221);
        count += 1;
    }
    count
}

/// Swaps the certificate so often, while clients come and go; what came of it, as a line.
fn swap_under_load(swaps: usize) -> String {
    let ca = Ca::new();
    let setup = Setup::new().setting("MaxClients=0");
    let setup = setup
        .setting("MaxPerAddress=0")
        .setting("MaxUnauthenticated=0");
    let file = setup.scratch().join("tls.pem");
    fs::write(&file, ca.pair()).unwrap();
    mode(&file, 0o600);
    let server = setup.flag(&["-cert", file.to_str().unwrap()]).start();
    let config = ca.client();
    let address = server.address();
    let mut before = Secure::connect(address, &config);
    before.login(&server.login.name, &server.login.password);
    let stop = AtomicBool::new(false);
    let begin = Instant::now();
    let handshakes: u32 = std::thread::scope(|scope| {
        let client = || scope.spawn(|| come_and_go(address, &config, &stop));
        let clients = [client(), client()];
        for swap in 1..=swaps {
            ca.swap(&server);
            wait::until("the certificate is renewed", || {
                let log = server.log.text();
                let renewed = log.matches("certificates: renewed").count();
                // One that ended early has failed, and says why.
                renewed == swap || clients.iter().any(|client| client.is_finished())
            });
        }
        stop.store(true, Ordering::Relaxed);
        clients.map(|client| client.join().unwrap()).iter().sum()
    });
    let seconds = begin.elapsed().as_secs_f64();
    assert!(usize::try_from(handshakes).unwrap() >= swaps);
    // Who was there before still is.
    before.expect("NOOP", 200);
    format!("{handshakes} handshakes beside {swaps} swaps in {seconds:.1} s: none failed")
}

#[test]
fn row_54_no_handshake_fails_while_certificates_are_swapped() {
    println!("{}", swap_under_load(3));
}

#[test]
#[ignore = "takes a minute: `make soak` runs it"]
fn row_54_nor_does_one_beside_twenty_swaps() {
    println!("{}", swap_under_load(20));
}
