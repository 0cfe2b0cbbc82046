//! A web server of a test's own: it takes one request at a time under TLS, and answers what the test wants.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tests::scratch::mode;
use tests::wait::PATIENCE;

use crate::events::event;

/// What a request may be long, head and body each.
const LONGEST: usize = 1 << 20;

pub(crate) struct Web {
    listener: TcpListener,
    tls: Arc<ServerConfig>,
}

/// A request that waits for its answer.
pub(crate) struct Request {
    stream: StreamOwned<ServerConnection, TcpStream>,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Web {
    /// A server whose certificate is in a file of this directory, named `ca`.
    pub(crate) fn new(directory: &Path) -> Web {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let file = directory.join("ca");
        std::fs::write(&file, certified.cert.pem()).unwrap();
        mode(&file, 0o644);
        let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
        let chain = vec![certified.cert.der().clone()];
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::Pkcs8(key))
            .unwrap();
        Web {
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
            tls: Arc::new(tls),
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        let port = self.listener.local_addr().unwrap().port();
        format!("https://localhost:{port}{path}")
    }

    /// Waits for the next request.
    #[track_caller]
    pub(crate) fn request(&self) -> Request {
        let (socket, _) = self.accept();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let connection = ServerConnection::new(self.tls.clone()).unwrap();
        let mut stream = StreamOwned::new(connection, socket);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut octet = [0];
            stream.read_exact(&mut octet).unwrap();
            head.push(octet[0]);
            assert!(head.len() < LONGEST);
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let length: usize = field(&head, "content-length").parse().unwrap();
        assert!(length < LONGEST);
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        Request { stream, head, body }
    }

    #[track_caller]
    fn accept(&self) -> (TcpStream, std::net::SocketAddr) {
        assert!(
            tests::wait::readable(&self.listener, PATIENCE),
            "nobody has sent a request"
        );
        self.listener.accept().unwrap()
    }

    /// Whether somebody has connected to whom nobody has listened yet.
    pub(crate) fn has_somebody(&self) -> bool {
        tests::wait::readable(&self.listener, std::time::Duration::ZERO)
    }
}

impl Request {
    /// The event in it.
    #[track_caller]
    pub(crate) fn event(&self) -> serde_json::Value {
        event(std::str::from_utf8(&self.body).unwrap())
    }

    /// What a header field says.
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> &str {
        field(&self.head, name)
    }

    /// Answers by a status line, header fields and nothing else.
    pub(crate) fn answer(self, head: &str) {
        let text = format!("HTTP/1.1 {head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let mut request = self;
        request.write(text.as_bytes()).unwrap();
        request.stream.conn.send_close_notify();
        request.stream.flush().unwrap();
    }

    /// Sends a part of an answer; fails where the client has heard enough.
    pub(crate) fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.stream.write_all(octets)?;
        self.stream.flush()
    }
}

#[track_caller]
fn field<'a>(head: &'a str, name: &str) -> &'a str {
    let mut lines = head.lines();
    let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    found.unwrap_or_else(|| panic!("{name} is missing in {head}"))
}
