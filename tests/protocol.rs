//! The protocol as a client sees it: transcripts, and what needs two connections at a time.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::symlink;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, getsockname, socket};
use tests::client::{connect_from, port_line};
use tests::{Client, Data, DataConnection, Server, Setup, require, transcript};

/// A server with the files and users that the transcripts speak of.
fn furnished(setup: Setup) -> Server {
    let server = setup
        .account("russian", "plain", "Charset=windows-1251")
        .account("japanese", "plain", "Charset=Shift_JIS")
        .start();
    server.put("hello.txt", b"hello world\n");
    server.put("lines.txt", b"one\ntwo\n");
    server.put("sub/inner.txt", b"inner\n");
    for (name, target) in [
        ("inside", "hello.txt"),
        ("passwd", "/etc/passwd"),
        ("out", "/etc"),
        ("up", "../../../../../.."),
        ("magic", "/proc/self/root"),
        ("loop", "loop"),
    ] {
        symlink(target, server.home.join(name)).unwrap();
    }
    server
}

/// One test for each file in `transcripts/`, as root (if the tests are) and as an ordinary user.
macro_rules! transcripts {
    ($($name:ident),* $(,)?) => {
        mod transcripts {
            $(#[test]
            fn $name() {
                let file = concat!(stringify!($name), ".txt");
                for setup in [super::Setup::new(), super::Setup::rootless()] {
                    let server = super::furnished(setup);
                    super::transcript::play(file, &server.login);
                }
            })*
        }
        const TRANSCRIPTS: &[&str] = &[$(concat!(stringify!($name), ".txt")),*];
    };
}

transcripts! {
    abort_at_once,
    active,
    archives,
    bad_lines,
    before_login,
    charset,
    charset_japanese,
    client_basic_ftp,
    client_busybox,
    client_cern,
    client_explorer,
    client_filezilla,
    client_keepalive,
    client_legacy,
    client_lftp,
    client_mainframe,
    client_rclone,
    compressed,
    copy,
    digests,
    directories,
    escapes,
    extended,
    facts,
    files,
    http,
    information,
    listings,
    login,
    long,
    modify,
    not_offered,
    passive,
    password,
    patterns,
    pipelined,
    rein,
    representation,
    restart,
    site,
    small_verbs,
    telnet,
    trees,
    unique,
    wrong_once,
    wrong_password,
}

#[test]
fn every_transcript_is_played() {
    let files: BTreeSet<String> = std::fs::read_dir(transcript::directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let played: BTreeSet<String> = TRANSCRIPTS.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(files, played);
}

#[test]
fn every_verb_that_help_lists_is_in_a_transcript() {
    let server = Server::start();
    let mut client = server.connect();
    let help = client.expect("HELP", 214);
    let site = client.expect("HELP SITE", 214);
    let lines: Vec<String> = TRANSCRIPTS
        .iter()
        .flat_map(|name| {
            let text = std::fs::read_to_string(transcript::directory().join(name)).unwrap();
            text.lines().map(str::to_uppercase).collect::<Vec<_>>()
        })
        .collect();
    let words = help.lines[1..help.lines.len() - 1].join(" ");
    let mut verbs: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    assert!(
        verbs.contains(&"RETR".to_owned()) && verbs.len() > 30,
        "{help}"
    );
    let first_two = |line: &String| {
        let words: Vec<&str> = line.split_whitespace().take(2).collect();
        words.join(" ")
    };
    verbs.extend(site.lines[1..site.lines.len() - 1].iter().map(first_two));
    assert!(verbs.contains(&"SITE HELP".to_owned()), "{site}");
    for verb in verbs {
        let verb = verb.trim_end_matches('*');
        let line = format!("C: {verb}");
        let played = lines
            .iter()
            .any(|l| *l == line || l.starts_with(&format!("{line} ")));
        assert!(played, "no transcript sends {verb}");
    }
}

#[test]
fn every_kind_of_data_connection_works_both_ways() {
    for setup in [Setup::new(), Setup::rootless()] {
        let server = setup.start();
        let mut client = server.logged_in();
        for how in Data::ALL {
            let name = format!("{how:?}");
            client.upload(how, &name, name.as_bytes());
            assert_eq!(client.download(how, &name), name.as_bytes());
        }
    }
    if !require::ipv6() {
        return;
    }
    let server = Setup::new().ipv6().start();
    let mut client = server.logged_in();
    for how in [Data::Epsv, Data::Eprt] {
        client.upload(how, "name", b"content");
        assert_eq!(client.download(how, "name"), b"content");
    }
    let pasv = client.command("PASV").code;
    assert!(
        matches!(pasv, 425 | 500..=522),
        "PASV has no words for IPv6: {pasv}"
    );
}

#[test]
fn passive_ports_are_of_the_range_and_not_in_order() {
    let server = Setup::new()
        .flag(&["-dclow", "61000", "-dchigh", "61999"])
        .start();
    let mut client = server.logged_in();
    let ports: Vec<u16> = (0..20)
        .map(|_| client.passive_address(Data::Epsv).port())
        .collect();
    assert!(
        ports.iter().all(|port| (61000..=61999).contains(port)),
        "{ports:?}"
    );
    let steps: BTreeSet<i32> = ports
        .windows(2)
        .map(|pair| i32::from(pair[1]) - i32::from(pair[0]))
        .collect();
    assert!(steps.len() > 5, "predictable: {ports:?}");
}

#[test]
fn a_passive_port_that_nobody_connects_to_is_425() {
    let server = furnished(Setup::new().setting("DataTimeout=1"));
    let mut client = server.logged_in();
    for how in [Data::Pasv, Data::Epsv] {
        client.passive_address(how);
        client.expect("RETR hello.txt", 425);
        client.passive_address(how);
        client.expect("STOR new.txt", 425);
        client.passive_address(how);
        client.expect("LIST", 425);
    }
    assert!(!server.names().contains(&"new.txt".to_owned()));
    assert_eq!(client.download(Data::Epsv, "hello.txt"), b"hello world\n");
}

/// A socket that has a port and does not listen on it.
fn deaf_socket() -> (OwnedFd, SocketAddr) {
    let socket = socket(
        AddressFamily::Inet,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .unwrap();
    bind(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
    let bound: SockaddrIn = getsockname(socket.as_raw_fd()).unwrap();
    let address = SocketAddrV4::new(bound.ip(), bound.port());
    (socket, address.into())
}

#[test]
fn an_active_port_where_nobody_listens_is_425() {
    let server = furnished(Setup::new().setting("DataTimeout=1"));
    let mut client = server.logged_in();
    // Bound but not listening: nobody else can get the port meanwhile.
    let (_held, address) = deaf_socket();
    client.expect(&port_line(address), 200);
    client.expect("RETR hello.txt", 425);
    client.expect("NOOP", 200);
}

#[test]
fn a_stranger_on_the_passive_port_is_dropped_and_the_client_is_served() {
    let server = furnished(Setup::new());
    let mut client = server.logged_in();
    let address = client.passive_address(Data::Epsv);
    let stranger = connect_from(Ipv4Addr::new(127, 0, 0, 2), address);
    let data = tests::DataConnection::Open(std::net::TcpStream::connect(address).unwrap());
    client.begin("RETR hello.txt");
    assert_eq!(data.read_all(), b"hello world\n");
    client.expect_reply(226);
    let mut got = Vec::new();
    // An end or a reset: both are fine, an octet is not.
    let _ = std::io::Read::read_to_end(&mut &stranger, &mut got);
    assert_eq!(got, b"");
}

#[test]
fn a_stranger_alone_on_the_passive_port_is_no_connection() {
    let server = furnished(Setup::new().setting("DataTimeout=1"));
    let mut client = server.logged_in();
    let address = client.passive_address(Data::Epsv);
    let _stranger = connect_from(Ipv4Addr::new(127, 0, 0, 2), address);
    client.expect("STOR stolen.txt", 425);
    assert!(!server.names().contains(&"stolen.txt".to_owned()));
}

/// A client amid an upload in the place of a file that is there.
fn amid_an_upload(server: &Server) -> (Client, DataConnection) {
    server.put("old.txt", b"precious");
    let mut client = server.logged_in();
    let data = client.data(Data::Epsv);
    client.begin("STOR old.txt");
    let data = data.open();
    data.write(&[b'x'; 100_000]);
    (client, data)
}

#[test]
fn a_broken_upload_leaves_the_old_file() {
    let server = Server::start();
    let (mut client, data) = amid_an_upload(&server);
    data.reset();
    let code = client.reply().code;
    assert!(matches!(code, 426 | 451), "{code}");
    assert_eq!(server.content("old.txt"), b"precious");
    assert_eq!(client.names(""), ["old.txt"]);
}

#[test]
fn a_client_that_vanishes_amid_an_upload_leaves_the_old_file() {
    let server = Server::start();
    let (client, data) = amid_an_upload(&server);
    client.reset();
    data.reset();
    tests::wait::until("the session ends", || server.keepers().is_empty());
    assert_eq!(server.content("old.txt"), b"precious");
    assert_eq!(server.logged_in().names(""), ["old.txt"]);
}

#[test]
fn an_upload_has_no_name_until_it_is_whole() {
    let server = Server::start();
    let mut client = server.logged_in();
    let data = client.data(Data::Epsv);
    client.begin("STOR new.txt");
    let data = data.open();
    data.write(b"half");
    let mut other = server.logged_in();
    assert_eq!(other.names(""), Vec::<String>::new());
    other.expect("SIZE new.txt", 550);
    data.write_all_and_close(b" and half");
    client.expect_reply(226);
    other.expect("SIZE new.txt", 213);
    assert_eq!(server.content("new.txt"), b"half and half");
}

/// A file that fits into no socket buffer, so that a transfer of it stands until it is read.
fn with_large_file() -> Server {
    let server = Server::start();
    let path = server.put("large", b"");
    std::fs::OpenOptions::new()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(LARGE as u64)
        .unwrap();
    server
}
const LARGE: usize = 64 << 20;

#[test]
fn abor_ends_a_transfer_with_426_and_226() {
    let server = with_large_file();
    let mut client = server.logged_in();
    for synch in [false, true] {
        let data = client.data(Data::Epsv);
        client.begin("RETR large");
        let data = data.open();
        data.read_some(1000);
        if synch {
            // As RFC 959 §4.1.3 wants it: IP, then Synch with the mark as urgent data.
            client.send_octets(b"\xff\xf4");
            client.send_urgent(b"\xff");
            client.send_octets(b"\xf2ABOR\r\n");
        } else {
            client.send("ABOR");
        }
        client.expect_reply(426);
        client.expect_reply(226);
        drop(data);
        client.expect("NOOP", 200);
    }
    let data = client.data(Data::Epsv);
    client.begin("STOR new.txt");
    let data = data.open();
    data.write(b"part");
    client.send("ABOR");
    client.expect_reply(426);
    client.expect_reply(226);
    // SIZE might tell what can be continued.
    client.expect("MDTM new.txt", 550);
}

#[test]
fn stat_and_noop_are_answered_amid_a_transfer() {
    let server = with_large_file();
    let mut client = server.logged_in();
    let data = client.data(Data::Epsv);
    client.begin("RETR large");
    let data = data.open();
    data.read_some(1000);
    let stat = client.command("STAT");
    assert!(matches!(stat.code, 211 | 213), "{stat}");
    client.expect("NOOP", 200);
    assert_eq!(data.read_all().len(), LARGE - 1000);
    client.expect_reply(226);
}

#[test]
fn other_commands_wait_for_the_end_of_a_transfer() {
    let server = with_large_file();
    let mut client = server.logged_in();
    let data = client.data(Data::Epsv);
    client.begin("RETR large");
    let data = data.open();
    data.read_some(1000);
    client.send("PWD");
    client.send("QUIT");
    assert_eq!(data.read_all().len(), LARGE - 1000);
    client.expect_reply(226);
    client.expect_reply(257);
    client.expect_reply(221);
    client.expect_end();
}

#[test]
fn a_silent_client_is_told_421() {
    let server = Setup::new().flag(&["-idle", "1"]).start();
    let mut client = server.logged_in();
    client.expect_reply(421);
    client.expect_end();
}

#[test]
fn size_and_time_of_a_file_are_those_on_the_disk() {
    let server = furnished(Setup::new());
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    let file = std::fs::File::options()
        .write(true)
        .open(server.home.join("hello.txt"))
        .unwrap();
    file.set_modified(time).unwrap();
    let mut client = server.logged_in();
    let reply = client.expect("MDTM hello.txt", 213);
    assert!(reply.text().starts_with("20010909014640"), "{reply}");
    let facts = client.expect("MLST hello.txt", 250).text().to_lowercase();
    assert!(
        facts.contains("modify=20010909014640") && facts.contains("size=12;"),
        "{facts}"
    );
}

#[test]
fn a_session_is_its_users_own() {
    let server = furnished(Setup::new());
    let mut first = server.logged_in();
    let mut second = server.logged_in();
    first.expect("CWD sub", 250);
    first.expect("TYPE A", 200);
    first.expect("RNFR inner.txt", 350);
    assert!(second.expect("PWD", 257).text().starts_with("\"/\""));
    second.expect("RNTO stolen.txt", 503);
    let mut third = Client::connect(server.address());
    third.expect("PWD", 530);
}

/// What FEAT offers, and what the commands of a mode answer.
fn modes(setting: &str) -> (String, [u16; 6]) {
    let server = Setup::new().flag(&[setting]).start();
    let mut client = server.logged_in();
    let features = client.expect("FEAT", 211).to_string();
    let commands = [
        "PASV",
        "EPSV",
        "LPSV",
        "PORT 127,0,0,1,200,200",
        "EPRT |1|127.0.0.1|51400|",
        "LPRT 4,4,127,0,0,1,2,200,200",
    ];
    (features, commands.map(|line| client.command(line).code))
}

#[test]
fn a_mode_that_is_off_takes_its_commands_along() {
    let (features, codes) = modes("-nopasv");
    assert_eq!(codes, [502, 502, 502, 200, 200, 200]);
    assert!(
        !features.contains("EPSV") && features.contains("EPRT"),
        "{features}"
    );
    let (features, codes) = modes("-activemode=no");
    assert_eq!(codes, [227, 229, 228, 502, 502, 502]);
    assert!(
        features.contains("EPSV") && !features.contains("EPRT"),
        "{features}"
    );
}

#[test]
fn what_could_move_a_terminal_is_not_repeated() {
    let server = Server::start();
    let mut client = server.logged_in();
    let name = "a\u{1b}[2Jb\u{7}";
    let data = client.data(Data::Epsv);
    let mark = client.expect(&format!("STOR {name}"), 150).to_string();
    data.open().write_all_and_close(b"content");
    client.expect_reply(226);
    assert!(mark.contains("a?[2Jb?"), "{mark:?}");
    assert_eq!(server.content(name), b"content");
    let missing = client
        .expect(&format!("DELE {name}{name}"), 550)
        .to_string();
    assert!(missing.contains("a?[2Jb?a?[2Jb?: "), "{missing:?}");
}
