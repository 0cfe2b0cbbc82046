//! What a gateway's log tells of both legs of a session, and where it goes.

use std::os::unix::net::UnixDatagram;

use tests::log::{events, lines, message};
use tests::{Data, GatewaySetup, Scratch, Server, wait};

#[test]
fn json_names_client_server_user_and_octets_of_both_directions_and_no_password() {
    let server = Server::start();
    for setup in [GatewaySetup::to_here(), GatewaySetup::to_here().by_ftpd()] {
        let gateway = setup
            .setting("LogFormat=json")
            .setting("LogLevel=commands")
            .start();
        let at = server.address();
        let name = format!("{}@{at}", server.login.name);
        let mut client = gateway.connect();
        client.expect(&format!("USER {name}"), 331);
        client.expect("PASS sesame-not", 530);
        client.login(&name, &server.login.password);
        client.expect("TYPE I", 200);
        client.upload(Data::Epsv, "up load", b"seven..");
        assert_eq!(client.download(Data::Epsv, "up load"), b"seven..");
        client.expect("QUIT", 221);
        gateway.log.line_with(&["\"event\":\"logout\""]);
        let text = gateway.log.text();
        let connected = events(&text, "connected");
        assert_eq!(connected.len(), 1, "{text}");
        assert_eq!(connected[0]["target"], at.to_string());
        assert_eq!(connected[0]["server"], at.to_string());
        let mut all = events(&text, "login_failed");
        assert_eq!(all.len(), 1, "{text}");
        all.extend(events(&text, "login"));
        let transfers = events(&text, "transfer");
        assert_eq!(transfers.len(), 2, "{text}");
        for (transfer, direction) in transfers.iter().zip(["i", "o"]) {
            assert_eq!(transfer["direction"], direction);
            assert_eq!(transfer["path"], "up load");
            assert_eq!(transfer["octets"], 7);
            assert_eq!(transfer["type"], "b");
            assert_eq!(transfer["completion"], "c");
        }
        all.extend(transfers);
        let ends = events(&text, "logout");
        assert_eq!(ends.len(), 1, "{text}");
        assert_eq!((&ends[0]["up"], &ends[0]["down"]), (&7.into(), &7.into()));
        assert_eq!(ends[0]["end"], "quit");
        all.extend(ends);
        assert_eq!(all.len(), 5);
        for event in &all {
            assert_eq!(event["client"], "127.0.0.1");
            assert_eq!(event["user"], server.login.name.as_str());
            assert_eq!(event["server"], format!("{at} ({at})"));
            assert_eq!(event["session"], connected[0]["session"]);
        }
        assert!(!text.contains("sesame-not"), "{text}");
        assert!(!text.contains(&server.login.password), "{text}");
    }
}

#[test]
fn a_transfer_and_a_session_that_break_off_are_told_with_what_was_moved_and_why() {
    let server = Server::start();
    let gateway = GatewaySetup::to_here().start();
    let mut client = gateway.connect();
    client.login(&gateway.login(&server.login).name, &server.login.password);
    let data = client.data(Data::Epsv);
    client.begin("STOR file");
    let data = data.open();
    data.write(b"half");
    wait::until("it has passed", || {
        let told = client.expect("STAT", 213).to_string();
        told.contains(" 4 octets")
    });
    client.send("ABOR");
    client.expect_reply(426);
    client.expect_reply(226);
    drop(client);
    let line = gateway.log.line_with(&["upload, STOR 'file' of 'tester'"]);
    assert!(line.ends_with("cut off"), "{line}");
    let line = gateway.log.line_with(&["end of a session of 'tester'"]);
    assert!(
        line.contains("the client is gone; 4 octets up, 0 down"),
        "{line}"
    );
}

#[test]
fn syslog_the_journal_and_the_log_of_transfers_hear_of_a_gateway_too() {
    let (scratch, server) = (Scratch::new(), Server::start());
    let listen = |name: &str| {
        let socket = UnixDatagram::bind(scratch.join(name)).unwrap();
        socket.set_read_timeout(Some(wait::PATIENCE)).unwrap();
        socket
    };
    let (syslog, journal) = (listen("syslog"), listen("journal"));
    let naming = |key: &str, name: &str| format!("{key}={}", scratch.join(name).display());
    let gateway = GatewaySetup::to_here()
        .setting("Syslog=yes")
        .setting(&naming("SyslogSocket", "syslog"))
        .setting("Journal=yes")
        .setting(&naming("JournalSocket", "journal"))
        .setting(&naming("TransferLog", "xferlog"))
        .start();
    let mut client = gateway.connect();
    client.login(&gateway.login(&server.login).name, &server.login.password);
    client.upload(Data::Epsv, "file", b"seven..");
    let text = message(&syslog, "login of ");
    assert!(text.starts_with("<94>1 20"), "{text}");
    assert!(text.contains(" - ftpproxy "), "{text}");
    let text = message(&journal, "FTP_EVENT=login\n");
    assert!(text.contains("\nSYSLOG_IDENTIFIER=ftpproxy\n"), "{text}");
    assert!(text.contains("\nFTP_USER=tester\n"), "{text}");
    let found = lines(&scratch.join("xferlog"), 1);
    assert!(found[0].contains(" 127.0.0.1 7 file "), "{found:?}");
    assert!(found[0].contains(" i r tester ftp 0 * c"), "{found:?}");
}
