//! Settings that are read anew while the daemon runs: for new sessions only, all of them or none.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;
use tests::log::{Log, address_in};
use tests::processes::Process;
use tests::{Client, Scratch, Server, Setup, binaries, wait};

/// Writes the configuration of a server anew, tells it, and waits for the line of the log with these words.
#[track_caller]
fn reload(server: &Server, lines: &[&str], words: &[&str]) -> String {
    let text = lines.join("\n") + "\nPenalty=0\n";
    fs::write(server.scratch.join("ftpd.conf"), text).unwrap();
    server.process().signal(Signal::SIGHUP);
    server.log.line_with(words)
}

#[test]
fn new_sessions_have_new_settings_and_running_ones_keep_theirs() {
    let server = Setup::new().setting("Banner=Before").start();
    let mut early = server.logged_in();
    reload(
        &server,
        &["Banner=After", "PermittedCommands=ALL,-WRITE"],
        &["settings: read anew"],
    );
    early.expect("MKD early", 257);
    let mut late = Client::connect_quietly(server.address());
    assert!(late.expect_reply(220).text().contains("After"));
    late.login(&server.login.name, &server.login.password);
    late.expect("MKD late", 550);
    early.expect("RMD early", 250);
}

#[test]
fn a_configuration_that_is_wrong_changes_nothing_and_the_log_says_where() {
    let server = Setup::new().setting("Banner=Before").start();
    let mut session = server.logged_in();
    let line = reload(
        &server,
        &["Banner=After", "MaxClients=1", "Idle=soon"],
        &["settings: not read anew"],
    );
    assert!(line.contains("ftpd.conf:3:6: Idle"), "{line}");
    // One client is there already.
    let mut late = Client::connect_quietly(server.address());
    assert!(late.expect_reply(220).text().contains("Before"));
    session.expect("NOOP", 200);
    // And what is missing is no reason to end.
    fs::remove_file(server.scratch.join("ftpd.conf")).unwrap();
    server.process().signal(Signal::SIGHUP);
    server.log.line_with(&["not read anew", "cannot be read"]);
    server.logged_in();
}

#[test]
fn limits_change_and_nobody_has_to_go() {
    let server = Setup::new().start();
    let mut sessions = [server.logged_in(), server.logged_in()];
    reload(&server, &["MaxClients=1"], &["settings: read anew"]);
    Client::connect_quietly(server.address()).expect_reply(421);
    for session in &mut sessions {
        session.expect("NOOP", 200);
    }
}

#[test]
fn what_needs_a_restart_is_named_and_the_rest_changes() {
    let server = Setup::new().setting("Banner=Before").start();
    reload(
        &server,
        &["Banner=After", "SessionUser=70000"],
        &["SessionUser", "needs a restart"],
    );
    server.log.line_with(&["settings: read anew"]);
    let mut late = Client::connect_quietly(server.address());
    assert!(late.expect_reply(220).text().contains("After"));
}

/// A server whose address and port are in its file.
struct Moving {
    scratch: Scratch,
    child: Child,
    log: Log,
}

impl Drop for Moving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Moving {
    fn start(address: &str) -> Moving {
        let scratch = Scratch::new();
        fs::write(scratch.join("users"), "").unwrap();
        tests::scratch::mode(&scratch.join("users"), 0o600);
        write(&scratch, address, "");
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(binaries::path("ftpd"))
            // Both from the working directory, which is another one when they are read anew.
            .args(["-nodemon", "-f", "conf", "-a", "users"])
            .current_dir(scratch.path())
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Log::follow(child.stderr.take().unwrap());
        Moving {
            scratch,
            child,
            log,
        }
    }

    /// Where it listens at an address.
    fn port_at(&self, address: &str) -> SocketAddr {
        let line = self.log.line_with(&["listening on", address]);
        address_in(&line)
    }

    fn reload(&self) {
        let process = Process::of(self.child.id().try_into().unwrap());
        process.unwrap().signal(Signal::SIGHUP);
    }
}

fn write(scratch: &Scratch, address: &str, more: &str) {
    let text = format!("Port=0\nBindAddress={address}\n{more}\n");
    fs::write(scratch.join("conf"), text).unwrap();
    tests::scratch::mode(&scratch.join("conf"), 0o600);
}

#[test]
fn another_address_is_bound_before_the_old_one_is_closed() {
    let server = Moving::start("127.0.0.1");
    let old = server.port_at("127.0.0.1");
    let mut session = Client::connect(old);
    // TEST-NET-1 is nobody's.
    write(&server.scratch, "192.0.2.1", "");
    server.reload();
    server.log.line_with(&["not read anew", "cannot listen"]);
    Client::connect(old);
    write(&server.scratch, "127.0.0.2", "");
    server.reload();
    let new = server.port_at("127.0.0.2");
    Client::connect(new);
    wait::until("the old port is closed", || {
        TcpStream::connect(old).is_err()
    });
    session.expect("NOOP", 200);
}

#[test]
fn of_several_addresses_those_stay_that_are_named_again() {
    let server = Moving::start("127.0.0.1, 127.0.0.2");
    let (first, second) = (server.port_at("127.0.0.1"), server.port_at("127.0.0.2"));
    write(&server.scratch, "127.0.0.2, 127.0.0.3", "");
    server.reload();
    Client::connect(server.port_at("127.0.0.3"));
    // The same port as before: another free one would have another number.
    Client::connect(second);
    wait::until("the old port is closed", || {
        TcpStream::connect(first).is_err()
    });
    // All addresses of that port are not to be had while one of them is open.
    let port = second.port();
    let all = format!("0.0.0.0:{port}");
    write(&server.scratch, &format!("{all}, 127.0.0.2"), "");
    server.reload();
    server
        .log
        .line_with(&["not read anew", "such a change needs a restart"]);
    Client::connect(second);
}

#[test]
fn a_certificate_and_its_port_come_and_go() {
    let server = Moving::start("127.0.0.1");
    let port = server.port_at("127.0.0.1");
    Client::connect(port).expect("AUTH TLS", 502);
    let made = Command::new(binaries::path("ftpd"))
        .args(["--make-cert", "localhost"])
        .current_dir(server.scratch.path())
        .status();
    assert!(made.unwrap().success());
    let place = server.scratch.path().display().to_string();
    let with = format!(
        "Certificate={place}/localhost.pem\nCertificateKey={place}/localhost.key\nTLSPort=0"
    );
    write(&server.scratch, "127.0.0.1", &with);
    server.reload();
    server.log.line_with(&["settings: read anew"]);
    let line = server.log.line_with(&["listening on", "with implicit TLS"]);
    let implicit = address_in(&line);
    assert_ne!(implicit, port);
    Client::connect(port).expect("AUTH TLS", 234);
    TcpStream::connect(implicit).unwrap();
    write(&server.scratch, "127.0.0.1", "");
    server.reload();
    wait::until("the port for TLS is closed", || {
        TcpStream::connect(implicit).is_err()
    });
    Client::connect(port).expect("AUTH TLS", 502);
}
