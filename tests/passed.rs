//! Sockets that systemd passes to the daemons (socket activation): served, kept by a reload, and refused where they are not
//! what the settings mean.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::process::Command;

use nix::sys::signal::Signal;
use tests::gateway::GatewaySetup;
use tests::passed::Passed;
use tests::{Client, Data, Scratch, Server, Setup, binaries, namespaces, require, wait};

fn listener(address: &str) -> (OwnedFd, SocketAddr) {
    let listener = TcpListener::bind(address).unwrap();
    let address = listener.local_addr().unwrap();
    (listener.into(), address)
}

/// Whether somebody who comes to an address can log in and fetch a file.
#[track_caller]
fn serves(server: &Server, address: SocketAddr) {
    let mut client = Client::connect(address);
    client.login(&server.login.name, &server.login.password);
    assert_eq!(client.download(Data::Epsv, "file"), b"content");
}

#[test]
fn both_families_are_served_and_kept_by_a_reload() {
    if !require::ipv6() {
        return;
    }
    let ((v4, one), (v6, other)) = (listener("127.0.0.1:0"), listener("[::1]:0"));
    let passed = Passed::named(vec![v4, v6], "ftp:ftp");
    let server = Setup::new().passing(passed).start();
    server.put("file", b"content");
    assert_eq!(server.address(), one);
    server.log.line_with(&["listening on", "passed"]);
    for address in [one, other] {
        serves(&server, address);
    }
    // What says the same as the sockets is no contradiction, and what says something else changes nothing.
    let settings = [
        (
            format!(
                "BindAddress=127.0.0.1:{},[::1]:{}",
                one.port(),
                other.port()
            ),
            "read anew, for",
        ),
        (
            "BindAddress=127.0.0.2".to_owned(),
            "not read anew: BindAddress",
        ),
        ("Port=2121".to_owned(), "not read anew: Port=2121"),
    ];
    for (line, words) in settings {
        let text = format!("{line}\nPenalty=0\n");
        fs::write(server.scratch.join("ftpd.conf"), text).unwrap();
        server.process().signal(Signal::SIGHUP);
        server.log.line_with(&[words]);
        for address in [one, other] {
            serves(&server, address);
        }
    }
}

#[test]
fn a_socket_without_a_name_is_plain_and_its_number_does_not_matter_to_an_ordinary_user() {
    let (socket, address) = listener("127.0.0.1:0");
    let server = Setup::rootless()
        .passing(Passed::nameless(vec![socket]))
        .start();
    server.put("file", b"content");
    serves(&server, address);
}

#[test]
fn a_socket_for_implicit_tls_is_one_by_its_name_or_by_tlsport() {
    if !require::programs(&["curl"]) {
        return;
    }
    let made = Scratch::new();
    let status = Command::new(binaries::path("ftpd"))
        .args(["--make-cert", "localhost"])
        .current_dir(made.path())
        .status();
    assert!(status.unwrap().success());
    let certificate = format!("Certificate={}", made.join("localhost.pem").display());
    let key = format!("CertificateKey={}", made.join("localhost.key").display());
    let with_tls = || Setup::new().setting(&certificate).setting(&key);
    let (named, one) = listener("127.0.0.1:0");
    let (nameless, other) = listener("127.0.0.1:0");
    let servers = [
        (with_tls().passing(Passed::named(vec![named], "ftps")), one),
        (
            with_tls()
                .setting(&format!("TLSPort={}", other.port()))
                .passing(Passed::nameless(vec![nameless])),
            other,
        ),
    ];
    for (setup, address) in servers {
        let server = setup.start();
        server.put("file", b"content");
        server.log.line_with(&["implicit TLS", "passed"]);
        let user = format!("{}:{}", server.login.name, server.login.password);
        let output = Command::new("curl")
            .args(["-sSk", "--user", &user, &format!("ftps://{address}/file")])
            .output()
            .unwrap();
        assert_eq!(output.stdout, b"content", "{output:?}");
    }
}

#[test]
fn what_is_no_port_for_clients_is_refused_with_what_to_do() {
    let refused = |socket: OwnedFd, name: &str, sentence: &str| {
        let passed = Passed::named(vec![socket], name);
        Setup::new().passing(passed).refused(sentence);
    };
    let (socket, address) = listener("127.0.0.1:0");
    let connection = TcpStream::connect(address).unwrap();
    refused(socket, "smtp", "FileDescriptorName=ftp");
    refused(connection.into(), "connection", "Accept=no");
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    refused(datagrams.into(), "ftp", "is not one of TCP");
    let scratch = Scratch::new();
    let local = std::os::unix::net::UnixListener::bind(scratch.join("socket")).unwrap();
    refused(local.into(), "ftp", "is not one of TCP");
    let file = fs::File::open("/dev/null").unwrap();
    refused(file.into(), "ftp", "is no socket");
    let (socket, _) = listener("127.0.0.1:0");
    refused(socket, "ftps", "there is no Certificate");
    let (socket, _) = listener("127.0.0.1:0");
    refused(socket, "ftp:ftp", "LISTEN_FDS");
}

#[test]
fn settings_that_say_something_else_are_refused() {
    for (setting, sentence) in [
        ("Port=2121", "Port=2121: none of the sockets"),
        ("BindAddress=127.0.0.2", "BindAddress: no socket was passed"),
    ] {
        let (socket, _) = listener("127.0.0.1:0");
        let passed = Passed::named(vec![socket], "ftp");
        Setup::new()
            .setting(setting)
            .passing(passed)
            .refused(sentence);
    }
    if require::ipv6() {
        let (socket, _) = listener("[::1]:0");
        let passed = Passed::named(vec![socket], "ftp");
        Setup::new()
            .flag(&["-4"])
            .passing(passed)
            .refused("-4 (IPv4Only): a socket was passed");
    }
}

#[test]
fn check_tells_what_was_passed() {
    let scratch = Scratch::new();
    let users = scratch.join("users");
    fs::write(&users, "").unwrap();
    tests::scratch::mode(&users, 0o600);
    let check = |name: &str, program: &str, flags: &[&str]| {
        let (socket, address) = listener("127.0.0.1:0");
        let passed = Passed::named(vec![socket], name);
        let words = passed.words();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg(binaries::path(program));
        command.args(["--check", "-f", "/dev/null"]).args(flags);
        passed.give(&mut command);
        (command.output().unwrap(), address)
    };
    let with_users = ["-a", users.to_str().unwrap()];
    let targets = ["-targets", "192.0.2.1"];
    for (program, flags) in [("ftpd", &with_users), ("ftpproxy", &targets)] {
        let (output, address) = check("ftp", program, flags);
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{told}");
        let line = format!("clients come to {address}, a socket that was passed");
        assert!(told.contains(&line), "{told}");
        let (output, _) = check("smtp", program, flags);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && told.contains("FileDescriptorName"),
            "{told}"
        );
    }
}

#[test]
fn a_gateway_takes_them_too() {
    let server = Server::start();
    server.put("file", b"content");
    let (socket, address) = listener("127.0.0.1:0");
    let passed = Passed::named(vec![socket], "ftp");
    let gateway = GatewaySetup::to_here().passing(passed).start();
    assert_eq!(gateway.address, address);
    let login = gateway.login(&server.login);
    for _ in 0..2 {
        let mut client = Client::connect(address);
        client.login(&login.name, &login.password);
        assert_eq!(client.download(Data::Pasv, "file"), b"content");
        // It reads its settings anew, and its ports stay.
        gateway.process().signal(Signal::SIGHUP);
        gateway.log.line_with(&["settings: read anew"]);
    }
}

/// systemd's own program starts the daemon with the first client, on two ports.
#[test]
fn systemd_socket_activate_starts_the_daemon_with_the_first_client() {
    if !require::programs(&["systemd-socket-activate", "setpriv", "curl"])
        || !namespaces::network(&["fd00::1/64".to_owned()])
    {
        return;
    }
    let scratch = Scratch::new();
    let home = scratch.directory("home");
    fs::write(home.join("file"), "content").unwrap();
    tests::scratch::mode(&home, 0o755);
    let users = scratch.join("users");
    let entry = format!("fred:plain::secret:nobody:{}:\n", home.display());
    fs::write(&users, entry).unwrap();
    tests::scratch::mode(&users, 0o600);
    let child = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "systemd-socket-activate"])
        .args([
            "-l",
            "127.0.0.1:21",
            "-l",
            "[fd00::1]:21",
            "--fdname=ftp:ftp",
        ])
        .arg(binaries::path("ftpd"))
        .args(["-nodemon", "-f", "/dev/null", "-chhome", "-a"])
        .arg(&users)
        .spawn();
    let mut child = child.unwrap();
    let fetch = |url: &str| Command::new("curl").args(["-sSg", url]).output().unwrap();
    let (v4, v6) = (
        "ftp://fred:secret@127.0.0.1/file",
        "ftp://fred:secret@[fd00::1]/file",
    );
    wait::until("somebody listens", || fetch(v4).status.success());
    let fetched = [fetch(v4), fetch(v6)];
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(child.id() as i32),
        Signal::SIGTERM,
    )
    .unwrap();
    let ended = child.wait().unwrap();
    for output in fetched {
        assert_eq!(output.stdout, b"content", "{output:?}");
    }
    assert!(ended.success(), "{ended}");
}

#[test]
fn the_check_of_passive_mode_goes_by_what_is_passed() {
    let scratch = Scratch::new();
    let file = scratch.join("ftpd.conf");
    fs::write(&file, "").unwrap();
    let (socket, _) = listener("127.0.0.5:0");
    let passed = Passed::nameless(vec![socket]);
    let words = passed.words();
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).arg(binaries::path("ftpd"));
    command
        .args(["--check", "--passive", "-json", "-f"])
        .arg(&file);
    passed.give(&mut command);
    let output = command.output().unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert_eq!(answer["cases"][0]["address"], "127.0.0.5", "{answer}");
    assert_eq!(answer["fine"], true, "{answer}");
}
