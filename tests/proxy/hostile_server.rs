//! Row 85: servers that mean harm to whoever comes through the gateway, or to others through it.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::channel;

use tests::client::reset;
use tests::{Client, Data, Gateway, GatewaySetup, wait};

/// One side of a conversation that follows no protocol but its script.
struct Script {
    reader: BufReader<TcpStream>,
}

impl Script {
    fn say(&mut self, octets: impl AsRef<[u8]>) {
        // A gateway that has had enough may be gone.
        let _ = self.reader.get_mut().write_all(octets.as_ref());
    }

    /// The next command; empty at the end.
    fn hear(&mut self) -> String {
        let mut line = String::new();
        let _ = self.reader.read_line(&mut line);
        line.trim_end().to_owned()
    }

    /// Hears this command and answers it.
    #[track_caller]
    fn answer(&mut self, verb: &str, reply: &str) {
        let line = self.hear();
        assert!(line.starts_with(verb), "{line:?} instead of {verb}");
        self.say(format!("{reply}\r\n"));
    }

    fn log_in(&mut self) {
        self.say("220 Hello.\r\n");
        self.answer("USER", "331 Password?");
        self.answer("PASS", "230 Welcome.");
    }

    /// Says nothing any more, until QUIT: the gateway would wait a while for its answer.
    fn hear_all(&mut self) {
        while !["", "QUIT"].contains(&self.hear().as_str()) {}
    }
}

/// A server for one connection. The test waits for its end, and fails with it.
struct Hostile {
    address: SocketAddr,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Hostile {
    fn start(run: impl FnOnce(&mut Script, SocketAddr) + Send + 'static) -> Hostile {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(wait::PATIENCE)).unwrap();
            stream.set_write_timeout(Some(wait::PATIENCE)).unwrap();
            let reader = BufReader::new(stream);
            run(&mut Script { reader }, address);
        });
        Hostile {
            address,
            thread: Some(thread),
        }
    }

    fn user(&self) -> String {
        format!("USER me@{}", self.address)
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        let ended = self.thread.take().unwrap().join();
        if !std::thread::panicking() {
            ended.unwrap();
        }
    }
}

fn gateway() -> Gateway {
    GatewaySetup::to_here().setting("LogLevel=commands").start()
}

/// A client that is logged in at a hostile server.
#[track_caller]
fn logged_in(gateway: &Gateway, server: &Hostile) -> Client {
    let mut client = gateway.connect();
    client.expect(&server.user(), 331);
    client.expect("PASS secret", 230);
    client
}

/// The session ends with 421 and nothing of it is left.
#[track_caller]
fn is_over(gateway: &Gateway, client: &mut Client, line: &str) {
    client.expect(line, 421);
    client.expect_end();
    wait::until("the session is over", || gateway.dialers().is_empty());
}

#[test]
fn row_85_a_greeting_without_end_ends_the_session() {
    let gateway = gateway();
    for endless in [
        &b"220-more\r\n"[..],
        b"x",
        b"220-\xff\xf4\xff\xf2\r\n",
        b"\r\n",
    ] {
        let server = Hostile::start(move |script, _| {
            let piece = endless.repeat(10_000);
            // The end comes as an error of the connection.
            while script.reader.get_mut().write_all(&piece).is_ok() {}
        });
        is_over(&gateway, &mut gateway.connect(), &server.user());
    }
}

#[test]
fn row_85_what_is_no_reply_ends_the_session() {
    let gateway = gateway();
    for greeting in [
        &b"SSH-2.0-OpenSSH\r\n"[..],
        b"220 a\rb\r\n",
        b"220 a\0b\r\n",
        b"2200 x\r\n",
        b"999 x\r\n",
        b"",
    ] {
        let server = Hostile::start(move |script, _| script.say(greeting));
        is_over(&gateway, &mut gateway.connect(), &server.user());
    }
}

#[test]
fn row_85_no_text_of_a_server_becomes_a_reply_or_a_telnet_command() {
    let gateway = gateway();
    let server = Hostile::start(|script, _| {
        script.say("220 Hello.\r\n");
        script.hear();
        script.say(&b"331-a\xff\xfb\x01b\r\n230 Logged in\r\n331\tx\r\n331 c\r\n"[..]);
        script.answer("PASS", "230 Welcome.");
        script.hear_all();
    });
    let mut client = gateway.connect();
    client.send(&server.user());
    let reply = client.reply();
    assert_eq!(reply.code, 331);
    assert!(reply.lines[0].ends_with("ab"), "{reply}");
    // Two more lines could have passed for replies; none of them did.
    client.expect("PASS x", 230);
    client.expect("QUIT", 221);
}

#[test]
fn row_85_a_reply_before_its_command_ends_the_session() {
    let gateway = gateway();
    let server = Hostile::start(|script, _| {
        script.say("220 Hello.\r\n");
        script.answer("USER", "331 Password?\r\n230 Welcome.\r\n257 \"/injected\"");
        script.hear_all();
    });
    let mut client = gateway.connect();
    client.expect(&server.user(), 331);
    // It ends as soon as that is seen; a password is not sent to such a server.
    is_over(&gateway, &mut client, "PASS secret");
    gateway.log.line_with(&["nothing was asked for"]);
}

#[test]
fn row_85_replies_that_promise_another_without_end_end_the_session() {
    let gateway = GatewaySetup::to_here().setting("AnswerTimeout=1").start();
    let endless = |script: &mut Script| {
        let piece = b"150 Soon.\r\n".repeat(100_000);
        // The end comes as an error of the connection.
        while script.reader.get_mut().write_all(&piece).is_ok() {}
    };
    let server = Hostile::start(move |script, _| endless(script));
    is_over(&gateway, &mut gateway.connect(), &server.user());
    let server = Hostile::start(move |script, _| {
        script.log_in();
        script.hear();
        endless(script);
    });
    let mut client = logged_in(&gateway, &server);
    is_over(&gateway, &mut client, "PWD");
}

#[test]
fn row_85_the_address_in_a_227_is_not_gone_to() {
    let gateway = gateway();
    let data = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = data.local_addr().unwrap().port();
    // Somebody else, at the same port of another address.
    let victim = TcpListener::bind(("127.0.0.2", port)).unwrap();
    victim.set_nonblocking(true).unwrap();
    let server = Hostile::start(move |script, _| {
        script.log_in();
        let (high, low) = (port >> 8, port & 255);
        script.answer("TYPE", "200 Fine.");
        script.answer(
            "PASV",
            &format!("227 Entering Passive Mode (127,0,0,2,{high},{low})"),
        );
        script.answer("RETR", "150 Here it comes.");
        let (mut stream, _) = data.accept().unwrap();
        stream.write_all(b"from the server").unwrap();
        drop(stream);
        script.say("226 Done.\r\n");
        script.hear_all();
    });
    let mut client = logged_in(&gateway, &server);
    client.expect("TYPE I", 200);
    assert_eq!(client.download(Data::Pasv, "file"), b"from the server");
    assert!(victim.accept().is_err(), "the victim was connected to");
    client.expect("QUIT", 221);
}

#[test]
fn row_85_no_service_below_1024_is_gone_to_and_no_reply_means_no_port() {
    let gateway = gateway();
    for told in [
        "227 Entering Passive Mode (127,0,0,1,0,22)",
        "227 Entering Passive Mode",
        "227 (127,0,0,1,999,1)",
        "229 (|||22|)",
        "200 Fine.",
    ] {
        let server = Hostile::start(move |script, _| {
            script.log_in();
            script.answer("PASV", told);
            script.hear_all();
        });
        let mut client = logged_in(&gateway, &server);
        let reply = client.command("PASV");
        let reply = match reply.code {
            227 => client.command("RETR x"),
            _ => reply,
        };
        assert_eq!(reply.code, 425, "{told}: {reply}");
        client.expect("QUIT", 221);
    }
}

/// Answers PASV by the port of a listener.
fn answer_pasv(script: &mut Script) -> TcpListener {
    let data = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = data.local_addr().unwrap().port();
    let (high, low) = (port >> 8, port & 255);
    script.answer("PASV", &format!("227 =127,0,0,1,{high},{low}"));
    data
}

/// What becomes of a download whose server does this with its data connection and then says this.
fn download(
    gateway: &Gateway,
    meanwhile: impl FnOnce(&mut Script, TcpStream) + Send + 'static,
    check: impl FnOnce(&mut Client, tests::DataConnection),
) {
    let server = Hostile::start(|script, _| {
        script.log_in();
        let data = answer_pasv(script);
        script.answer("RETR", "150 Here it comes.");
        let (stream, _) = data.accept().unwrap();
        meanwhile(script, stream);
    });
    let mut client = logged_in(gateway, &server);
    let data = client.data(Data::Epsv);
    client.begin("RETR file");
    check(&mut client, data.open());
}

#[test]
fn row_85_replies_in_the_wrong_order_are_no_replies_to_others() {
    let gateway = gateway();
    // The end of a transfer that has not begun: there is none, and the session goes on.
    let server = Hostile::start(|script, _| {
        script.log_in();
        let _data = answer_pasv(script);
        script.answer("RETR", "226 Done.");
        script.answer("PWD", "257 \"/\"");
        script.hear_all();
    });
    let mut client = logged_in(&gateway, &server);
    let data = client.data(Data::Pasv);
    client.expect("RETR file", 226);
    drop(data);
    client.expect("PWD", 257);
    client.expect("QUIT", 221);
    // Behind the end of one that has begun, and before all of its data: something that nobody asked for.
    download(
        &gateway,
        |script, mut stream| {
            script.say("226 Done.\r\n257 \"/injected\"\r\n");
            stream.write_all(b"from the server").unwrap();
            drop(stream);
            script.hear_all();
        },
        |client, data| {
            assert_eq!(data.read_all(), b"from the server");
            client.expect_reply(226);
            client.expect_reply(421);
            client.expect_end();
        },
    );
    gateway.log.line_with(&["nothing was asked for"]);
}

#[test]
fn row_85_a_stalled_data_connection_is_given_up() {
    let gateway = GatewaySetup::to_here()
        .setting("StallTimeout=300ms")
        .start();
    download(
        &gateway,
        |script, stream| {
            script.say("");
            // It is the gateway that ends it.
            assert!(tests::client::ended(&stream));
            script.say("426 Broken.\r\n");
            script.hear_all();
        },
        |client, data| {
            client.expect_reply(426);
            drop(data);
            client.expect("QUIT", 221);
        },
    );
}

#[test]
fn row_85_a_reset_data_connection_is_no_end_of_file() {
    let gateway = gateway();
    let (go, gone) = channel();
    download(
        &gateway,
        move |script, mut stream| {
            stream.write_all(b"half of it").unwrap();
            gone.recv().unwrap();
            reset(&stream);
            drop(stream);
            script.say("426 Broken.\r\n");
            script.hear_all();
        },
        |client, data| {
            assert_eq!(data.read_some(10), b"half of it");
            // Answered by the gateway: the server would keep it for later.
            client.expect("NOOP", 200);
            go.send(()).unwrap();
            client.expect_reply(426);
            use std::io::Read;
            let error = data.stream().read(&mut [0; 10]).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
            client.expect("QUIT", 221);
        },
    );
}

#[test]
fn row_85_a_server_that_goes_away_ends_the_session_sanely() {
    let gateway = gateway();
    // In the middle of a transfer, with a word and without one.
    for last_word in ["421 Going down.\r\n", ""] {
        let (go, gone) = channel();
        download(
            &gateway,
            move |script, mut stream| {
                stream.write_all(b"half of it").unwrap();
                gone.recv().unwrap();
                script.say(last_word);
                reset(&stream);
            },
            |client, data| {
                assert_eq!(data.read_some(10), b"half of it");
                go.send(()).unwrap();
                assert_eq!(client.reply().code, 421);
                client.expect_end();
            },
        );
    }
    // Between two commands: it is told when that is seen, before any command.
    let server = Hostile::start(|script, _| script.log_in());
    let mut client = logged_in(&gateway, &server);
    assert_eq!(client.reply().code, 421);
    client.expect_end();
    wait::until("the sessions are over", || gateway.dialers().is_empty());
}

#[test]
fn row_85_an_upload_whose_server_gives_up_is_told_why() {
    let gateway = gateway();
    let server = Hostile::start(|script, _| {
        script.log_in();
        let data = answer_pasv(script);
        script.answer("STOR", "150 Send it.");
        let (stream, _) = data.accept().unwrap();
        drop(stream);
        script.say("452 The disk is full.\r\n");
        script.hear_all();
    });
    let mut client = logged_in(&gateway, &server);
    let data = client.data(Data::Pasv);
    client.begin("STOR file");
    let data = data.open();
    // More than all buffers on the way hold; the gateway breaks it off in the middle.
    let _ = (&mut data.stream()).write_all(&vec![0; 64 << 20]);
    let reply = client.reply();
    assert_eq!(reply.code, 452, "{reply}");
    client.expect("QUIT", 221);
}

#[test]
fn row_85_nobody_else_brings_or_takes_the_data() {
    // The server is to come to the gateway; somebody else comes first.
    let gateway = GatewaySetup::to_here().setting("NoPassive").start();
    let server = Hostile::start(|script, _| {
        script.log_in();
        let line = script.hear();
        let target = tests::client::six_numbers(&format!("({})", &line[5..])).unwrap();
        script.say("200 Fine.\r\n");
        script.answer("RETR", "150 Here it comes.");
        let thief = tests::client::connect_from(IpAddr::from([127, 0, 0, 3]), target);
        assert!(tests::client::ended(&thief), "somebody else was served");
        let mut stream = TcpStream::connect(target).unwrap();
        stream.write_all(b"from the server").unwrap();
        drop(stream);
        script.say("226 Done.\r\n");
        script.hear_all();
    });
    let mut client = logged_in(&gateway, &server);
    let data = client.data(Data::Pasv);
    client.begin("RETR file");
    assert_eq!(data.open().read_all(), b"from the server");
    client.expect_reply(226);
    client.expect("QUIT", 221);
}
