//! Tests of webhooks against a server of TLS that plays what it is told.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

use super::*;
use crate::digest::hex;

const KEY: &str = "canary-of-the-key";

/// A server, and the files that a hook to it names.
struct Server {
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    files: TempDir,
}

/// A request as it came.
struct Request {
    head: String,
    body: String,
}

impl Server {
    fn new() -> Server {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let files = tempfile::tempdir().unwrap();
        let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certified.cert.der().clone()],
                PrivateKeyDer::Pkcs8(key),
            )
            .unwrap();
        let server = Server {
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
            tls: Arc::new(tls),
            files,
        };
        server.write("ca", &certified.cert.pem(), 0o644);
        server.write("key", &format!("{KEY}\n"), 0o600);
        server
    }

    fn path(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        use nix::fcntl::{OFlag, open};
        use nix::sys::stat::{Mode, fchmod};
        let flags = OFlag::O_CREAT | OFlag::O_WRONLY;
        let file = open(&self.path(name), flags, Mode::S_IRUSR).unwrap();
        fchmod(&file, Mode::from_bits_truncate(mode)).unwrap();
        std::fs::File::from(file)
            .write_all(text.as_bytes())
            .unwrap();
    }

    fn hook(&self) -> hooks::Webhook {
        let port = self.listener.local_addr().unwrap().port();
        hooks::Webhook {
            url: format!("https://localhost:{port}/canary-of-the-path"),
            secret_file: Some(self.path("key")),
            ca_file: Some(self.path("ca")),
        }
    }

    /// Takes one request and gives one answer. `None` if the client does not get that far.
    fn answer(&self, answer: &str) -> Option<Request> {
        let (socket, _) = self.listener.accept().unwrap();
        let connection = ServerConnection::new(self.tls.clone()).unwrap();
        let mut stream = StreamOwned::new(connection, socket);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut octet = [0];
            stream.read_exact(&mut octet).ok()?;
            head.push(octet[0]);
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let (_, length) = head.split_once("content-length: ").unwrap();
        let length = length.lines().next().unwrap().parse().unwrap();
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        let text = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        stream.write_all(text.as_bytes()).unwrap();
        stream.conn.send_close_notify();
        stream.flush().unwrap();
        let body = String::from_utf8(body).unwrap();
        Some(Request { head, body })
    }
}

fn notice(number: u8) -> Notice {
    Notice {
        id: Id::from_bytes([number; 16]),
        kind: Kind::Upload,
        json: format!("{{\"n\":{number}}}"),
    }
}

#[test]
fn an_event_is_posted_signed_until_the_server_takes_it() {
    let server = Server::new();
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let client = Client::new(&server.hook()).unwrap();
    #[expect(clippy::disallowed_methods, reason = "it plays the other process")]
    let child = std::thread::spawn(move || {
        serve(theirs, &client, Duration::from_millis(1), &Log::nowhere());
    });
    let channel = std::cell::Cell::new(Some(OwnedFd::from(ours)));
    let start = Box::new(move || channel.take().ok_or_else(|| "only once".to_owned()));
    let mut webhook = Webhook::new(&server.hook(), start);
    assert_eq!(webhook.write(&notice(1)), Err(Trouble::Full));
    let first = server.answer("500 Later").unwrap();
    let second = server.answer("204 Thanks").unwrap();
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, KEY.as_bytes());
    for request in [first, second] {
        assert!(
            request
                .head
                .starts_with("post /canary-of-the-path http/1.1\r\n")
        );
        assert!(request.head.contains("x-ftpd-event: upload\r\n"));
        assert!(
            request
                .head
                .contains(&format!("x-ftpd-event-id: {}\r\n", notice(1).id))
        );
        assert_eq!(request.body, notice(1).json);
        let signature = hex(aws_lc_rs::hmac::sign(&key, request.body.as_bytes()).as_ref());
        assert!(
            request
                .head
                .contains(&format!("x-ftpd-signature-256: sha256={signature}\r\n"))
        );
    }
    assert_eq!(finish(&mut webhook, &notice(1)), Ok(()));
    assert_eq!(webhook.write(&notice(2)), Err(Trouble::Full));
    server.answer("400 Never").unwrap();
    let refused = finish(&mut webhook, &notice(2));
    assert!(matches!(refused, Err(Trouble::Refused(_))), "{refused:?}");
    drop(webhook);
    child.join().unwrap();
}

/// Waits for the answer of the child.
fn finish(webhook: &mut Webhook, notice: &Notice) -> Result<(), Trouble> {
    loop {
        let (descriptor, flags) = webhook.descriptor().unwrap();
        poll(&mut [PollFd::new(descriptor, flags)], PollTimeout::NONE).unwrap();
        match webhook.write(notice) {
            Err(Trouble::Full) => {}
            answer => return answer,
        }
    }
}

/// Row 78 of the attacks that we test for.
#[test]
fn no_redirect_is_followed_and_no_message_has_a_secret() {
    let server = Server::new();
    let client = Client::new(&server.hook()).unwrap();
    let elsewhere = Server::new();
    let to = elsewhere.hook().url;
    let said = std::thread::scope(|scope| {
        let posted = scope.spawn(|| client.post(&notice(1)));
        server
            .answer(&format!("302 Found\r\nLocation: {to}"))
            .unwrap();
        posted.join().unwrap()
    });
    let Answer::Refused(said) = said else {
        panic!("{said:?}");
    };
    assert!(said.contains("redirects are not followed"), "{said}");
    elsewhere.listener.set_nonblocking(true).unwrap();
    assert!(
        elsewhere.listener.accept().is_err(),
        "somebody has connected"
    );
    let stranger = Client::new(&hooks::Webhook {
        ca_file: Some(elsewhere.path("ca")),
        ..server.hook()
    });
    let stranger = stranger.unwrap();
    let refused = std::thread::scope(|scope| {
        let posted = scope.spawn(|| stranger.post(&notice(1)));
        assert!(server.answer("200 OK").is_none());
        posted.join().unwrap()
    });
    let Answer::Later(why) = &refused else {
        panic!("{refused:?}");
    };
    assert!(why.contains("nobody who is trusted"), "{why}");
    for text in [said, format!("{refused:?}"), client.host()] {
        assert!(!text.contains("canary"), "{text}");
    }
}

#[test]
fn a_key_is_its_owners_alone_and_long_enough() {
    let server = Server::new();
    let told = |name: &str| {
        let secret_file = Some(server.path(name));
        let client = Client::new(&hooks::Webhook {
            secret_file,
            ..server.hook()
        });
        client.err().unwrap()
    };
    server.write("open", KEY, 0o640);
    server.write("short", "canary", 0o600);
    assert!(told("open").contains("chmod 600"));
    assert!(told("short").contains("16 to 4096 octets") && !told("short").contains("canary:"));
    assert!(told("none").contains("No such file"));
    let ca_file = Some(server.path("key"));
    let client = Client::new(&hooks::Webhook {
        ca_file,
        ..server.hook()
    });
    let told = client.err().unwrap();
    assert!(
        told.contains("has no certificates") && !told.contains(KEY),
        "{told}"
    );
}
