//! Scenarios 4.4 and 4.5: a server behind address translation, and what it tells whom.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;

use tests::{Data, Setup, require, wait};

use super::attempt::{Attempt, attempt, log_in, pasv};
use tests::lab::{CONTENT, Lab, OUTSIDE, Place, SERVER};

/// Where a gateway hands on the control port only.
fn behind_a_gateway() -> Option<Lab> {
    let lab = Lab::new()?;
    lab.forget_routes();
    lab.masquerade(Place::ClientsGateway);
    lab.masquerade(Place::ServersGateway);
    lab.forward("21", ":21");
    Some(lab)
}

const RANGE: &str = "DataConnectionPortRange=50000-50010";

#[test]
fn scenario_4_4_without_a_setting_passive_mode_does_not_get_in() {
    let Some(lab) = behind_a_gateway() else {
        return;
    };
    let server = lab.serve(Setup::new().setting(RANGE).setting("PassiveTimeout=100ms"));
    let mut client = log_in(&server.login, OUTSIDE);
    let own = Attempt::Unreachable(SERVER.into());
    assert_eq!(attempt(&mut client, Data::Pasv), own);
    // And the log says what to do about it.
    let told =
        "advertised 10.2.0.2 is private but the client 203.0.113.1 is public: set PassiveAddress";
    server.log.line_with(&[told]);
    let gateway = Attempt::Unreachable(OUTSIDE.into());
    assert_eq!(attempt(&mut client, Data::Epsv), gateway);
    // With the ports handed on, EPSV needs no setting at all.
    lab.forward("50000:50010", "");
    assert_eq!(attempt(&mut client, Data::Pasv), own);
    assert_eq!(attempt(&mut client, Data::Epsv), Attempt::Fine);
}

#[test]
fn scenario_4_4_each_network_is_told_the_address_that_it_reaches() {
    let Some(lab) = behind_a_gateway() else {
        return;
    };
    lab.forward("50000:50010", "");
    let rules = format!("PassiveAddress=self=198.51.100.7, 10.2.0.0/24=local, {OUTSIDE}");
    let server = lab.serve(Setup::new().setting(RANGE).setting(&rules));
    let mut client = log_in(&server.login, OUTSIDE);
    assert_eq!(attempt(&mut client, Data::Pasv), Attempt::Fine);
    assert_eq!(attempt(&mut client, Data::Epsv), Attempt::Fine);
    assert_eq!(pasv(&mut client).ip(), IpAddr::from(OUTSIDE));
    let long = client.expect("LPSV", 228).to_string();
    assert!(long.contains("(4,4,203,0,113,2,2,"), "{long}");
    // Inside the network of the server.
    lab.enter(Place::ServersGateway);
    let mut client = log_in(&server.login, SERVER);
    assert_eq!(attempt(&mut client, Data::Pasv), Attempt::Fine);
    assert_eq!(pasv(&mut client).ip(), IpAddr::from(SERVER));
    // From the server's own machine, where the end of a tunnel is.
    lab.enter(Place::Server);
    let mut client = log_in(&server.login, SERVER);
    assert_eq!(pasv(&mut client).ip(), IpAddr::from([198, 51, 100, 7]));
}

#[test]
fn scenario_4_4_ports_differ_by_network_and_outside() {
    let Some(lab) = behind_a_gateway() else {
        return;
    };
    lab.forward("50000:50010", ":40000-40010/50000");
    let server = lab.serve(
        Setup::new()
            .setting(&format!("pasv_address={OUTSIDE}"))
            .setting("PassivePorts=10.2.0.0/24=30000-30003, 50000-50010:40000-40010"),
    );
    let mut client = log_in(&server.login, OUTSIDE);
    for how in [Data::Pasv, Data::Epsv] {
        assert_eq!(attempt(&mut client, how), Attempt::Fine, "{how:?}");
    }
    assert!((50000..=50010).contains(&pasv(&mut client).port()));
    lab.enter(Place::ServersGateway);
    let mut client = log_in(&server.login, SERVER);
    assert!((30000..=30003).contains(&pasv(&mut client).port()));
}

#[test]
fn scenario_4_4_a_name_is_looked_up_again_without_a_restart() {
    let Some(lab) = Lab::new() else { return };
    let hosts = |address: &str| format!("127.0.0.1 localhost\n{address} ftp.example.test\n");
    let setup = Setup::new().system_file("/etc/hosts", &hosts("203.0.113.2"));
    let copy = setup.scratch().join("system0");
    let server = lab.serve(
        setup
            .setting("PassiveResolve=100ms")
            .setting("PassiveAddress=10.9.0.0/16=interface:v3,ftp.example.test,192.0.2.9"),
    );
    let told = || pasv(&mut log_in(&server.login, SERVER)).ip();
    assert_eq!(told(), IpAddr::from(OUTSIDE));
    std::fs::write(&copy, hosts("198.51.100.3")).unwrap();
    wait::until("the new address is told", || {
        told() == IpAddr::from([198, 51, 100, 3])
    });
    server
        .log
        .line_with(&["ftp.example.test is 198.51.100.3 now"]);
    // Nobody knows the name any more: the last address stays.
    std::fs::write(&copy, "127.0.0.1 localhost\n").unwrap();
    assert_eq!(told(), IpAddr::from([198, 51, 100, 3]));
}

#[test]
fn scenario_4_4_an_interface_and_a_name_that_nobody_knows() {
    let Some(lab) = Lab::new() else { return };
    let server = lab.serve(
        Setup::new()
            .setting("PassiveResolve=no")
            .setting("PassiveAddress=self=interface:v3, nowhere.invalid"),
    );
    server.log.line_with(&["nowhere.invalid is not found"]);
    let told = |place, address: Ipv4Addr| {
        lab.enter(place);
        let SocketAddr::V4(told) = pasv(&mut log_in(&server.login, address)) else {
            panic!("not IPv4")
        };
        *told.ip()
    };
    assert_eq!(told(Place::Server, SERVER), SERVER);
    assert_eq!(told(Place::Client, SERVER), SERVER);
}

#[test]
fn scenario_4_4_a_gateway_that_reads_along_needs_the_servers_own_address() {
    let Some(lab) = behind_a_gateway() else {
        return;
    };
    lab.help(Place::ServersGateway);
    let server = lab.serve(Setup::new().setting(RANGE));
    let mut client = log_in(&server.login, OUTSIDE);
    // The gateway puts its own address into the reply.
    assert_eq!(attempt(&mut client, Data::Pasv), Attempt::Fine);
    assert_eq!(attempt(&mut client, Data::Epsv), Attempt::Fine);
    drop((client, server));
    let set = format!("PassiveAddress={OUTSIDE}");
    let server = lab.serve(Setup::new().setting(RANGE).setting(&set));
    let mut client = log_in(&server.login, OUTSIDE);
    let gateway = Attempt::Unreachable(OUTSIDE.into());
    assert_eq!(attempt(&mut client, Data::Pasv), gateway);
    assert_eq!(attempt(&mut client, Data::Epsv), Attempt::Fine);
}

/// Fetches the file with curl under TLS, by PASV; whether that works.
fn fetched_under_tls(server: &tests::Server) -> bool {
    let login = &server.login;
    let out = server.scratch.join("fetched");
    let status = Command::new("curl")
        .args([
            "--disable",
            "-s",
            "--ssl-reqd",
            "--insecure",
            "--disable-epsv",
        ])
        .args(["--no-ftp-skip-pasv-ip", "--connect-timeout", "5", "-u"])
        .arg(format!("{}:{}", login.name, login.password))
        .arg("-o")
        .arg(&out)
        .arg(format!("ftp://{OUTSIDE}/file"))
        .status();
    status.unwrap().success() && std::fs::read(out).unwrap() == CONTENT
}

#[test]
fn scenario_4_5_no_gateway_reads_along_under_tls() {
    if !require::programs(&["curl"]) {
        return;
    }
    let Some(lab) = behind_a_gateway() else {
        return;
    };
    lab.help(Place::ServersGateway);
    let with_certificate = || {
        let setup = Setup::new().setting(RANGE);
        let made = Command::new(tests::binaries::path("ftpd"))
            .args(["--make-cert", "ftp.test"])
            .current_dir(setup.scratch())
            .output();
        assert!(made.unwrap().status.success());
        let path = |name: &str| setup.scratch().join(name).display().to_string();
        let (certificate, key) = (path("ftp.test.pem"), path("ftp.test.key"));
        setup.flag(&["-cert", &certificate, "-key", &key])
    };
    let server = lab.serve(with_certificate());
    let mut clear = log_in(&server.login, OUTSIDE);
    assert_eq!(attempt(&mut clear, Data::Pasv), Attempt::Fine);
    assert!(
        !fetched_under_tls(&server),
        "nobody can have changed the 227"
    );
    drop((clear, server));
    lab.forward("50000:50010", "");
    let server = lab.serve(with_certificate().setting(&format!("PassiveAddress={OUTSIDE}")));
    assert!(fetched_under_tls(&server));
}

/// What `--check --passive` says on the server's machine.
fn tried(lab: &Lab, settings: &str) -> (Option<i32>, String) {
    let scratch = tests::Scratch::new();
    let file = scratch.join("ftpd.conf");
    std::fs::write(&file, settings).unwrap();
    tests::scratch::mode(&file, 0o600);
    let output = lab.at(Place::Server, || {
        let mut ftpd = Command::new(tests::binaries::path("ftpd"));
        ftpd.args(["--check", "--passive", "-f"])
            .arg(&file)
            .output()
    });
    let output = output.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), text)
}

#[test]
fn scenario_4_4_the_check_goes_where_clients_are_sent() {
    let Some(lab) = behind_a_gateway() else {
        return;
    };
    let settings = format!("{RANGE}\nPassiveAddress=10.2.0.0/24=local, {OUTSIDE}\n");
    lab.forward("50000:50010", "");
    // The gateway hands the ports on, but not for its own network.
    let (status, text) = tried(&lab, &settings);
    assert_eq!(status, Some(3), "{text}");
    let row = |text: &str, first: &str| {
        let row = text.lines().find(|line| line.starts_with(first)).unwrap();
        row.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        row(&text, "10.2.0.0/24"),
        "10.2.0.0/24 10.2.0.2 50000-50010 yes reached"
    );
    assert_eq!(
        row(&text, "all"),
        "all 203.0.113.2 50000-50010 yes not reached"
    );
    assert!(text.contains("hairpin NAT"), "{text}");
    let hairpin =
        format!("iptables -t nat -A POSTROUTING -s 10.2.0.0/24 -d {SERVER} -j MASQUERADE");
    lab.run(Place::ServersGateway, &hairpin);
    let (status, text) = tried(&lab, &settings);
    assert_eq!(status, Some(0), "{text}");
    assert_eq!(row(&text, "all"), "all 203.0.113.2 50000-50010 yes reached");
}
