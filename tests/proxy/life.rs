//! How a gateway's life begins and ends: its process file, and transfers that outlive SIGTERM.

use std::net::TcpStream;

use nix::sys::signal::Signal;
use tests::processes::Process;
use tests::{Data, Gateway, GatewaySetup, Scratch, Server};

/// The gateways that there are: `ftpproxy`, and `ftpd` where it leads clients on.
fn gateways() -> [GatewaySetup; 2] {
    [GatewaySetup::to_here(), GatewaySetup::to_here().by_ftpd()]
}

#[test]
fn a_process_file_keeps_a_second_gateway_out_and_a_killed_one_is_in_nobodys_way() {
    let (scratch, server) = (Scratch::new(), Server::start());
    let path = scratch.join("pid");
    let setup = || GatewaySetup::to_here().setting(&format!("PidFile={}", path.display()));
    let mut first = setup().start();
    assert_eq!(Process::of_file(&path), first.process());
    let number = first.process().pid;
    setup().refused(&format!("another daemon runs with it: process {number}"));
    // A session that outlives it does not keep the file.
    let mut client = first.connect();
    client.login(&first.login(&server.login).name, &server.login.password);
    first.process().signal(Signal::SIGKILL);
    first.wait();
    client.expect("NOOP", 200);
    let mut second = setup().start();
    assert_eq!(Process::of_file(&path), second.process());
    second.process().signal(Signal::SIGTERM);
    assert!(second.wait().success());
    assert!(!path.exists());
}

#[test]
fn inetd_hands_over_one_session_that_goes_where_its_name_says_or_to_the_one_server() {
    let server = Server::start();
    let at = server.address();
    let led = format!("{}@{at}", server.login.name);
    for (setting, name) in [
        (format!("Server={at}"), &server.login.name),
        ("Idle=600".to_owned(), &led),
    ] {
        let setups = [GatewaySetup::to_here(), GatewaySetup::to_here().rootless()];
        for setup in setups {
            let setup = setup.without("Penalty=0").setting(&setting);
            let (mut gateway, mut client) = setup.inetd_for_client();
            client.expect_reply(220);
            client.login(name, &server.login.password);
            client.upload(Data::Epsv, "file", b"content");
            assert_eq!(client.download(Data::Eprt, "file"), b"content");
            client.expect("QUIT", 221);
            client.expect_end();
            assert!(gateway.wait().success());
        }
    }
}

#[test]
fn what_needs_the_daemon_is_refused_under_inetd_and_no_client_hears_why() {
    for line in [
        "PidFile=/run/pid",
        "TProxy",
        "MaxPerUser=3",
        "ControlSocket=/run/x",
    ] {
        let setup = GatewaySetup::to_here().without("Penalty=0").setting(line);
        let (mut gateway, mut client) = setup.inetd_for_client();
        client.expect_end();
        assert!(!gateway.wait().success());
        let told = gateway.ask(&["--check"]);
        let text = String::from_utf8(told.stderr).unwrap();
        let key = line.split('=').next().unwrap();
        assert!(text.contains(&format!("{key} needs the daemon")), "{text}");
        assert_eq!(told.status.code(), Some(1));
    }
}

#[test]
fn sigterm_lets_transfers_finish_in_both_directions_and_tells_the_others_to_come_back() {
    let octets: Vec<u8> = (0..8_000_000u32).map(|n| (n % 251) as u8).collect();
    for setup in gateways() {
        let server = Server::start();
        server.put("large", &octets);
        let mut gateway = setup.start();
        let log_in = |gateway: &Gateway| {
            let mut client = gateway.connect();
            client.login(&gateway.login(&server.login).name, &server.login.password);
            client
        };
        let mut visitor = gateway.connect();
        let mut idle = log_in(&gateway);
        let mut loading = log_in(&gateway);
        let down = loading.data(Data::Epsv);
        loading.begin("RETR large");
        let down = down.open();
        let mut got = down.read_some(1000);
        let mut storing = log_in(&gateway);
        let up = storing.data(Data::Epsv);
        storing.begin("STOR copy");
        let up = up.open();
        up.write(&octets[..1000]);

        gateway.process().signal(Signal::SIGTERM);
        for client in [&mut visitor, &mut idle] {
            let reply = client.expect_reply(421);
            assert!(reply.to_string().contains("come back later"), "{reply}");
            client.expect_end();
        }
        gateway.log.line_with(&["stopping: 4 sessions may finish"]);
        assert!(TcpStream::connect(gateway.address).is_err());
        got.extend(down.read_all());
        assert!(got == octets, "{} octets", got.len());
        up.write(&octets[1000..]);
        up.write_all_and_close(b"");
        for client in [&mut loading, &mut storing] {
            client.expect_reply(226);
            client.expect_reply(421);
            client.expect_end();
        }
        assert!(gateway.wait().success());
        assert!(server.content("copy") == octets);
    }
}

#[test]
fn no_part_of_an_upload_passes_for_a_whole_when_its_session_is_killed() {
    let server = Server::start();
    let gateway = GatewaySetup::to_here().start();
    let mut client = gateway.connect();
    client.login(&gateway.login(&server.login).name, &server.login.password);
    let data = client.data(Data::Epsv);
    client.begin("STOR file");
    let data = data.open();
    data.write(b"half");
    let [dialer] = &gateway.dialers()[..] else {
        panic!("one session");
    };
    dialer.only_child().signal(Signal::SIGKILL);
    server.log.line_with(&["upload of file"]);
    assert!(!server.names().contains(&"file".to_owned()));
}

#[test]
fn the_deadline_and_a_second_sigterm_end_transfers_through_a_gateway_too() {
    for (time, again) in [("1", false), ("1h", true)] {
        let server = Server::start();
        let setup = GatewaySetup::to_here().setting(&format!("DrainTimeout={time}"));
        let mut gateway = setup.start();
        let mut client = gateway.connect();
        client.login(&gateway.login(&server.login).name, &server.login.password);
        let data = client.data(Data::Epsv);
        client.begin("STOR file");
        let data = data.open();
        data.write(b"half");
        gateway.process().signal(Signal::SIGTERM);
        gateway.log.line_with(&["1 session may finish"]);
        if again {
            gateway.process().signal(Signal::SIGTERM);
        }
        gateway.log.line_with(&["stopping, 1 session"]);
        let last = std::iter::from_fn(|| client.try_reply()).last().unwrap();
        assert_eq!(last.code, 421, "{last}");
        assert!(gateway.wait().success());
        // No part passes for a whole.
        assert!(!server.names().contains(&"file".to_owned()));
    }
}
