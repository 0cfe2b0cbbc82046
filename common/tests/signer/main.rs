//! Signers as processes of their own, one after the other, while handshakes go on: none fails, and each ends when nobody can
//! ask it any more. It forks, so it is no test of a harness with threads.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "this is test code: whatever fails shall end the test"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use common::log::Log;
use common::sandbox::{EmptyRoot, Programs, is_root};
use common::settings::Tls;
use common::tls::make::self_signed;
use common::tls::signer::{Ready, Recipe};
use common::tls::{Certificates, Offer, Policy, server_config};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

const HOST: &str = "ftp.example";
const SWAPS: u32 = 20;
/// A test that hangs ends here.
const WATCHDOG_SECONDS: u32 = 120;

fn main() -> ExitCode {
    common::sys::promise_single_thread();
    nix::unistd::alarm::set(WATCHDOG_SECONDS);
    let scratch = tempfile::tempdir().unwrap();
    put_pair(scratch.path());
    let recipe = Recipe {
        settings: Tls {
            certificates: vec![scratch.path().join("cert.pem")],
            keys: vec![scratch.path().join("key.pem")],
            ..Tls::default()
        },
        programs: Programs::new().unwrap(),
        user: 60623,
        root: is_root().then(|| EmptyRoot::new().unwrap()),
        log: Log::nowhere(),
    };
    no_handshake_fails_while_certificates_are_swapped(&recipe, scratch.path());
    a_pair_that_does_not_fit_says_so_and_ends(&recipe, scratch.path());
    println!("\nall passed\n");
    ExitCode::SUCCESS
}

fn no_handshake_fails_while_certificates_are_swapped(recipe: &Recipe, directory: &Path) {
    let Ready { process, mut offer } = recipe.start_and_wait().unwrap();
    let mut signers = vec![process];
    let mut handshakes = 0;
    let begin = Instant::now();
    for generation in 1..=SWAPS {
        put_pair(directory);
        let mut starting = recipe.start(generation).unwrap();
        let next = loop {
            for _ in 0..10 {
                let (session, certificates) = session(&offer);
                shake_hands(&session, &certificates);
                handshakes += 1;
            }
            if let Some(told) = starting.look() {
                break told.unwrap();
            }
        };
        let (earlier, certificates) = session(&offer);
        assert_eq!(next.offer.certificates.generation, generation);
        assert_ne!(next.offer.certificates.chains, certificates.chains);
        offer = next.offer;
        signers.push(next.process);
        // The session that began before keeps its signer and its certificate.
        shake_hands(&earlier, &certificates);
        handshakes += 1;
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!("{handshakes} handshakes beside {SWAPS} swaps in {seconds:.1} s: none failed");
    drop(offer);
    signers.into_iter().for_each(ends_well);
}

fn a_pair_that_does_not_fit_says_so_and_ends(recipe: &Recipe, directory: &Path) {
    write(
        &directory.join("key.pem"),
        &self_signed(HOST).unwrap().key,
        0o600,
    );
    let refused = recipe.start_and_wait().unwrap_err();
    assert!(
        refused.contains("does not fit the certificate"),
        "{refused}"
    );
}

fn ends_well(process: Pid) {
    assert_eq!(waitpid(process, None), Ok(WaitStatus::Exited(process, 0)));
}

/// A new certificate and its key in the places of the old ones, each by a rename.
fn put_pair(directory: &Path) {
    let pair = self_signed(HOST).unwrap();
    let put = |name: &str, text: &str, mode| {
        let new = directory.join("new");
        write(&new, text, mode);
        fs::rename(new, directory.join(name)).unwrap();
    };
    put("key.pem", &pair.key, 0o600);
    put("cert.pem", &pair.certificate, 0o644);
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// What a session makes of an offer.
fn session(offer: &Offer) -> (Arc<ServerConfig>, Arc<Certificates>) {
    let channel = offer.channel().unwrap();
    let config = server_config(&offer.certificates, channel, &Policy::default(), None).unwrap();
    (Arc::new(config), Arc::clone(&offer.certificates))
}

/// A handshake of a client that trusts this certificate alone.
fn shake_hands(session: &Arc<ServerConfig>, certificates: &Certificates) {
    let mut roots = RootCertStore::empty();
    let own = &certificates.chains[0].certificates[0];
    roots.add(own.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(HOST).unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut server = ServerConnection::new(Arc::clone(session)).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut octets = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut octets).unwrap();
        }
        let mut input = &octets[..];
        while !input.is_empty() {
            server.read_tls(&mut input).unwrap();
            server.process_new_packets().unwrap();
        }
        octets.clear();
        while server.wants_write() {
            server.write_tls(&mut octets).unwrap();
        }
        let mut input = &octets[..];
        while !input.is_empty() {
            client.read_tls(&mut input).unwrap();
            client.process_new_packets().unwrap();
        }
    }
    assert_eq!(client.peer_certificates().unwrap()[0], *own);
}
