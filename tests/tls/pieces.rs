//! Clients that write in pieces, as GnuTLS does: the second one leaves when the first one is acknowledged (RFC 896), which must not
//! take the 40 ms of an acknowledgement that waits for something to go with.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use tests::wait::PATIENCE;

use crate::server::{VERSIONS, start};

/// The shortest time that Linux delays an acknowledgement.
const DELAY: Duration = Duration::from_millis(40);
/// So many times each is tried: other programs take their time too, but not each time.
const TRIES: u32 = 8;

/// A connection on which all that is written begins with so many octets alone.
struct InPieces(TcpStream, usize);

impl InPieces {
    fn new(socket: TcpStream) -> InPieces {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(false).unwrap();
        InPieces(socket, 6)
    }
}

impl Read for InPieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for InPieces {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let (head, tail) = octets.split_at(octets.len().min(self.1));
        self.0.write_all(head)?;
        self.0.write_all(tail)?;
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How long it takes to a server's first octets behind a handshake in pieces, to which the client says `first`.
fn handshake(config: &Arc<ClientConfig>, socket: TcpStream, first: &[u8]) -> Duration {
    let began = Instant::now();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, InPieces::new(socket));
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).unwrap();
    }
    stream.sock.1 = 0;
    stream.write_all(first).unwrap();
    assert_ne!(stream.read(&mut [0; 256]).unwrap(), 0);
    began.elapsed()
}

#[test]
fn a_handshake_in_pieces_waits_for_no_acknowledgement() {
    let (authority, server) = start(&["TLSDataBinding=require"]);
    server.put("file", b"content");
    for version in VERSIONS {
        let control = (0..TRIES).map(|_| {
            let mut client = server.connect();
            client.expect("AUTH TLS", 234);
            handshake(
                &authority.client(version),
                client.into_stream(),
                b"NOOP\r\n",
            )
        });
        let control = control.min().unwrap();
        assert!(control < DELAY, "{version:?}, control: {control:?}");
        let mut client = authority.logged_in(&server, version);
        let data = (0..TRIES).map(|_| {
            let socket = TcpStream::connect(client.passive()).unwrap();
            client.expect("RETR file", 150);
            let config = Arc::clone(&client.config);
            let took = handshake(&config, socket, b"");
            client.expect_reply(226);
            took
        });
        let data = data.min().unwrap();
        assert!(data < DELAY, "{version:?}, data: {data:?}");
    }
}
