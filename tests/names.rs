//! What `ps` calls the processes of the daemons: each by its part, and none by anything of a client's.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::fs;

use tests::processes::Process;
use tests::{Client, GatewaySetup, Server, Setup, scratch, wait};

/// What the system calls a process.
fn name(process: &Process) -> String {
    let path = format!("/proc/{}/comm", process.pid);
    fs::read_to_string(path)
        .unwrap_or_default()
        .trim_end()
        .to_owned()
}

/// Waits until these are the names, in the order of the alphabet: a process that has just been forked still has the old one.
#[track_caller]
fn are_called(what: &str, processes: impl Fn() -> Vec<Process>, expected: &[&str]) {
    let mut names = Vec::new();
    let _ = wait::at_most(wait::PATIENCE, || {
        names = processes().iter().map(name).collect();
        names.sort();
        names == expected
    });
    assert_eq!(names, expected, "{what}");
}

/// A session's trusted half, and all that it has started.
fn session(trusted: &Process) -> Vec<Process> {
    let mut all = vec![trusted.clone()];
    all.extend(trusted.children());
    all
}

/// Whether somebody who looks at the arguments of the processes finds nothing that one alone has.
fn have_the_same_arguments(processes: &[Process]) {
    let arguments = |process: &Process| fs::read(format!("/proc/{}/cmdline", process.pid)).unwrap();
    for process in processes {
        assert_eq!(arguments(process), arguments(&processes[0]));
    }
}

fn with_certificate(setup: Setup) -> Setup {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let path = setup.scratch().join("pem");
    fs::write(&path, made.cert.pem() + &made.signing_key.serialize_pem()).unwrap();
    scratch::mode(&path, 0o600);
    setup.setting(&format!("Certificate={}", path.display()))
}

fn log_in(client: &mut Client, server: &Server) {
    client.expect("USER tester", 331);
    client.expect(&format!("PASS {}", server.login.password), 230);
}

/// Logs in, and looks at the names of the session before and after it.
#[track_caller]
fn log_in_and_look(client: &mut Client, server: &Server, keeper: &Process) {
    let halves = || session(keeper);
    are_called("before the login", halves, &["ftpd-login", "ftpd-net"]);
    log_in(client, server);
    are_called("after it", halves, &["ftpd-keeper", "ftpd-net"]);
}

#[test]
fn every_process_of_a_server_has_the_name_of_its_part() {
    let setup = with_certificate(Setup::new())
        .setting("UploadHook=/bin/true")
        .setting("PassiveAddress=localhost");
    let server = setup.start();
    let listener = server.process();
    assert_eq!(name(&listener), "ftpd");
    are_called(
        "what the listener has",
        || listener.children(),
        &["ftpd-hookd", "ftpd-logger", "ftpd-lookup", "ftpd-signer"],
    );
    let mut client = server.connect();
    let keeper = server.only_keeper();
    log_in_and_look(&mut client, &server, &keeper);
    have_the_same_arguments(
        &[
            vec![listener.clone()],
            listener.children(),
            session(&keeper),
        ]
        .concat(),
    );
    // The next keeper has nobody who is logged in.
    client.expect("REIN", 220);
    let halves = || server.keepers();
    are_called("after REIN", halves, &["ftpd-login", "ftpd-net"]);
    log_in(&mut client, &server);
    are_called("after the next login", halves, &["ftpd-keeper", "ftpd-net"]);
}

#[test]
fn a_session_of_inetd_has_the_same_names() {
    let (server, mut client) = Setup::new().inetd_for_client();
    let keeper = server.process();
    log_in_and_look(&mut client, &server, &keeper);
}

#[test]
fn a_gateway_tells_its_parts_too() {
    let server = Server::start();
    let gateway = GatewaySetup::to_here().start();
    assert_eq!(name(&gateway.process()), "ftpproxy");
    let mut client = gateway.connect();
    let login = gateway.login(&server.login);
    client.login(&login.name, &login.password);
    let dialer = gateway.dialers().remove(0);
    are_called(
        "a session",
        || session(&dialer),
        &["ftpproxy-dialer", "ftpproxy-net"],
    );
    have_the_same_arguments(&session(&dialer));
}

#[test]
fn a_session_of_inetd_at_a_gateway_has_the_same_names() {
    let server = Server::start();
    let setup = GatewaySetup::to_here().without("Penalty=0");
    let (gateway, mut client) = setup.inetd_for_client();
    let name = format!("{}@{}", server.login.name, server.address());
    client.expect_reply(220);
    client.login(&name, &server.login.password);
    are_called(
        "a session",
        || session(&gateway.process()),
        &["ftpproxy-dialer", "ftpproxy-net"],
    );
}

#[test]
fn a_session_that_is_led_away_is_told_from_others() {
    let server = Server::start();
    let gateway = GatewaySetup::to_here().by_ftpd().start();
    let mut client = gateway.connect();
    let login = gateway.login(&server.login);
    client.login(&login.name, &login.password);
    let dialer = gateway.dialers().remove(0);
    are_called(
        "a session",
        || session(&dialer),
        &["ftpd-dialer", "ftpd-net"],
    );
}
