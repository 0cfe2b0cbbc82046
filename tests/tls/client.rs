//! An FTP client under TLS, by rustls.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, StreamOwned};
use tests::reply::Text;
use tests::wait::PATIENCE;
use tests::{Client, Reply};

pub(crate) type Stream = StreamOwned<ClientConnection, TcpStream>;

/// How a client ends what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    CloseNotify,
    /// FIN alone, as somebody on the way can send it.
    Cut,
}

/// A control connection under TLS.
pub(crate) struct Secure {
    pub(crate) stream: Stream,
    pub(crate) config: Arc<ClientConfig>,
    pending: Vec<u8>,
}

/// Does a handshake.
pub(crate) fn handshake(config: &Arc<ClientConfig>, socket: TcpStream) -> io::Result<Stream> {
    handshake_as(config, "localhost", socket)
}

/// Does a handshake with a server that is called `host`.
pub(crate) fn handshake_as(
    config: &Arc<ClientConfig>,
    host: &str,
    socket: TcpStream,
) -> io::Result<Stream> {
    socket.set_read_timeout(Some(PATIENCE))?;
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let connection = ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, socket);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

impl Secure {
    /// Connects and goes over to TLS by AUTH.
    #[track_caller]
    pub(crate) fn connect(server: SocketAddr, config: &Arc<ClientConfig>) -> Secure {
        Secure::by(server, "AUTH TLS", config)
    }

    /// The same with another word for it.
    #[track_caller]
    pub(crate) fn by(server: SocketAddr, auth: &str, config: &Arc<ClientConfig>) -> Secure {
        let mut client = Client::connect(server);
        client.expect(auth, 234);
        Secure::over(client.into_stream(), config)
    }

    /// Goes over to TLS.
    #[track_caller]
    pub(crate) fn over(socket: TcpStream, config: &Arc<ClientConfig>) -> Secure {
        Secure::over_as(socket, config, "localhost")
    }

    /// The same with a server that is called `host`.
    #[track_caller]
    pub(crate) fn over_as(socket: TcpStream, config: &Arc<ClientConfig>, host: &str) -> Secure {
        Secure {
            stream: handshake_as(config, host, socket).unwrap(),
            config: Arc::clone(config),
            pending: Vec::new(),
        }
    }

    pub(crate) fn send(&mut self, line: &str) {
        self.stream
            .write_all(format!("{line}\r\n").as_bytes())
            .unwrap();
    }

    /// Reads the next reply, or `None` at the clean end.
    #[track_caller]
    pub(crate) fn try_reply(&mut self) -> Option<Reply> {
        loop {
            if let Some((reply, length)) = Reply::take_as(&self.pending, Text::Utf8).unwrap() {
                self.pending.drain(..length);
                return Some(reply);
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer).unwrap() {
                0 => return None,
                count => self.pending.extend(&buffer[..count]),
            }
        }
    }

    #[track_caller]
    pub(crate) fn expect_reply(&mut self, code: u16) -> Reply {
        let reply = self.try_reply().expect("a reply");
        assert_eq!(reply.code, code, "{reply}");
        reply
    }

    /// Sends a line and insists on the code of the reply.
    #[track_caller]
    pub(crate) fn expect(&mut self, line: &str, code: u16) -> Reply {
        self.send(line);
        let reply = self.try_reply().expect("a reply");
        assert_eq!(reply.code, code, "to {line}: {reply}");
        reply
    }

    #[track_caller]
    pub(crate) fn login(&mut self, name: &str, password: &str) {
        self.expect(&format!("USER {name}"), 331);
        self.expect(&format!("PASS {password}"), 230);
        self.expect("TYPE I", 200);
    }

    /// Has data under TLS too.
    #[track_caller]
    pub(crate) fn protect(&mut self) {
        self.expect("PBSZ 0", 200);
        self.expect("PROT P", 200);
    }

    /// Where the server waits for the next data connection.
    #[track_caller]
    pub(crate) fn passive(&mut self) -> SocketAddr {
        let reply = self.expect("EPSV", 229).text();
        let port = reply.split('|').nth(3).unwrap().parse().unwrap();
        SocketAddr::new(self.stream.sock.peer_addr().unwrap().ip(), port)
    }

    /// Begins a transfer whose data connection is under TLS.
    #[track_caller]
    pub(crate) fn begin(&mut self, line: &str) -> Stream {
        let config = Arc::clone(&self.config);
        self.begin_as(line, &config).unwrap()
    }

    /// The same as another client does it.
    #[track_caller]
    pub(crate) fn begin_as(
        &mut self,
        line: &str,
        config: &Arc<ClientConfig>,
    ) -> io::Result<Stream> {
        let socket = TcpStream::connect(self.passive())?;
        self.expect(line, 150);
        handshake(config, socket)
    }

    /// Takes what a command sends, and tells whether its connection resumed a session.
    #[track_caller]
    pub(crate) fn receive(&mut self, line: &str) -> (Vec<u8>, Option<HandshakeKind>) {
        let mut data = self.begin(line);
        let mut octets = Vec::new();
        // An end without close_notify is an error to rustls.
        data.read_to_end(&mut octets).unwrap();
        self.expect_reply(226);
        (octets, data.conn.handshake_kind())
    }

    /// Sends a file and gives the reply.
    #[track_caller]
    pub(crate) fn upload(&mut self, name: &str, octets: &[u8], ending: Ending) -> Reply {
        let mut data = self.begin(&format!("STOR {name}"));
        finish(&mut data, octets, ending);
        self.try_reply().expect("a reply")
    }
}

/// Sends octets and ends; what the server says to that is read, as its close_notify.
#[track_caller]
pub(crate) fn finish(data: &mut Stream, octets: &[u8], ending: Ending) {
    data.write_all(octets).unwrap();
    if ending == Ending::CloseNotify {
        data.conn.send_close_notify();
    }
    data.flush().unwrap();
    data.sock.shutdown(Shutdown::Write).unwrap();
    let end = data.read_to_end(&mut Vec::new());
    if ending == Ending::CloseNotify {
        assert_eq!(end.unwrap(), 0, "the server's close_notify");
    }
}
