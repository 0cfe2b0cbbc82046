//! Certificates that are swapped while clients come and go.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::Instant;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ClientConfig, HandshakeKind};
use tests::scratch::mode;
use tests::{Server, Setup, wait};

use crate::client::Secure;
use crate::server::{VERSIONS, trusting};

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
        let own = self.params.self_signed(&self.key).unwrap();
        let config = trusting(&VERSIONS, [own.der()]).with_no_client_auth();
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

/// Connects, goes over to TLS and leaves, until it is told to stop, and counts.
fn come_and_go(
    server: SocketAddr,
    config: &Arc<ClientConfig>,
    count: &AtomicUsize,
    stop: &AtomicBool,
) {
    while !stop.load(Ordering::Relaxed) {
        Secure::connect(server, config).expect("QUIT", 221);
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Tells clients to stop, also where the test fails before it can.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How often the certificate is swapped, beside what.
struct Load {
    swaps: usize,
    clients: usize,
    /// So many handshakes at least before each swap.
    between: usize,
}

/// Swaps the certificate while clients come and go; what came of it, as a line.
fn swap_under_load(load: &Load) -> String {
    let ca = Ca::new();
    let setup = ["MaxClients=0", "MaxPerAddress=0", "MaxUnauthenticated=0"];
    let setup = setup.into_iter().fold(Setup::new(), Setup::setting);
    let file = setup.scratch().join("tls.pem");
    fs::write(&file, ca.pair()).unwrap();
    mode(&file, 0o600);
    let server = setup.flag(&["-cert", file.to_str().unwrap()]).start();
    server.put("file", b"content");
    let config = ca.client();
    let address = server.address();
    // With tickets of its own: the others share theirs, which are of no use to anybody else's session.
    let mut before = Secure::connect(address, &ca.client());
    before.login(&server.login.name, &server.login.password);
    before.protect();
    let (count, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let begin = Instant::now();
    std::thread::scope(|scope| {
        let stop_at_end = Stop(&stop);
        let client = |_| scope.spawn(|| come_and_go(address, &config, &count, &stop));
        let clients: Vec<_> = (0..load.clients).map(client).collect();
        // One that ended early has failed, and says why.
        let failed = || clients.iter().any(ScopedJoinHandle::is_finished);
        for swap in 1..=load.swaps {
            let wanted = count.load(Ordering::Relaxed) + load.between;
            wait::until("so many handshakes", || {
                count.load(Ordering::Relaxed) >= wanted || failed()
            });
            ca.swap(&server);
            wait::until("the certificate is renewed", || {
                let log = server.log.text();
                log.matches("certificates: renewed").count() == swap || failed()
            });
            // Who was there before still is, and so is its session.
            let (content, kind) = before.receive("RETR file");
            assert_eq!(content, b"content");
            assert_eq!(kind, Some(HandshakeKind::Resumed));
        }
        drop(stop_at_end);
        for client in clients {
            client.join().unwrap();
        }
    });
    let (seconds, count) = (begin.elapsed().as_secs_f64(), count.into_inner());
    let rate = count as f64 / seconds;
    let Load { swaps, clients, .. } = load;
    format!(
        "{count} handshakes of {clients} clients beside {swaps} swaps in {seconds:.1} s, {rate:.0} a second: none failed"
    )
}

#[test]
fn row_54_no_handshake_fails_while_certificates_are_swapped() {
    let load = Load {
        swaps: 3,
        clients: 2,
        between: 10,
    };
    println!("{}", swap_under_load(&load));
}

#[test]
#[ignore = "takes a minute: `make soak` runs it"]
fn row_54_nor_does_one_beside_twenty_swaps() {
    let load = Load {
        swaps: 20,
        clients: 8,
        between: 300,
    };
    println!("{}", swap_under_load(&load));
}
