//! The client's side of TLS: the certificate that the servers get for a run, what a session knows of it, and
//! connections that are in the clear or under TLS.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::crypto::aws_lc_rs::cipher_suite::{
    TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256,
};
use rustls::pki_types::ServerName;
use rustls::version::TLS13;
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned, SupportedCipherSuite,
};

/// Whom the certificate names.
const NAME: &str = "localhost";

/// A cipher suite of TLS 1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suite {
    Aes128,
    Aes256,
    ChaCha20,
}

impl Suite {
    /// What `openssl speed -evp` calls its cipher.
    pub(crate) fn cipher(self) -> &'static str {
        match self {
            Suite::Aes128 => "aes-128-gcm",
            Suite::Aes256 => "aes-256-gcm",
            Suite::ChaCha20 => "chacha20-poly1305",
        }
    }

    fn supported(self) -> SupportedCipherSuite {
        match self {
            Suite::Aes128 => TLS13_AES_128_GCM_SHA256,
            Suite::Aes256 => TLS13_AES_256_GCM_SHA384,
            Suite::ChaCha20 => TLS13_CHACHA20_POLY1305_SHA256,
        }
    }
}

/// A certificate for ECDSA with P-256, its key, and trust in it.
#[derive(Debug)]
pub(crate) struct Certificate {
    /// With its key.
    pem: String,
    roots: Arc<RootCertStore>,
}

impl Certificate {
    pub(crate) fn make() -> io::Result<Certificate> {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]);
        let made = made.map_err(io::Error::other)?;
        let mut roots = RootCertStore::empty();
        let der = made.cert.der().clone();
        roots.add(der).map_err(io::Error::other)?;
        Ok(Certificate {
            pem: made.cert.pem() + &made.signing_key.serialize_pem(),
            roots: Arc::new(roots),
        })
    }

    /// Writes certificate and key into a file, and gives its path.
    pub(crate) fn write(&self, path: &Path) -> io::Result<PathBuf> {
        let mut options = fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(self.pem.as_bytes())?;
        Ok(path.to_owned())
    }

    /// What one session speaks TLS 1.3 with: its tickets are nobody else's, and each is used once.
    pub(crate) fn client(&self, suite: Suite) -> io::Result<Arc<ClientConfig>> {
        let mut provider = aws_lc_rs::default_provider();
        provider.cipher_suites = vec![suite.supported()];
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&TLS13])
            .map_err(io::Error::other)?
            .with_root_certificates(Arc::clone(&self.roots))
            .with_no_client_auth();
        config.resumption = Resumption::in_memory_sessions(8);
        Ok(Arc::new(config))
    }
}

/// A connection to a server.
#[derive(Debug)]
pub(crate) enum Connection {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Connection {
    /// Goes over to TLS by a handshake.
    pub(crate) fn secured(socket: TcpStream, config: Arc<ClientConfig>) -> io::Result<Connection> {
        let name = ServerName::try_from(NAME).map_err(io::Error::other)?;
        let connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Connection::Tls(Box::new(stream)))
    }

    /// Waits until something has arrived, or the end has.
    pub(crate) fn wait(&self) -> io::Result<()> {
        let socket = match self {
            Connection::Clear(socket) => socket,
            Connection::Tls(tls) => &tls.sock,
        };
        socket.peek(&mut [0]).map(drop)
    }

    /// Whether the handshake resumed a session.
    pub(crate) fn resumed(&self) -> bool {
        match self {
            Connection::Clear(_) => false,
            Connection::Tls(tls) => tls.conn.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }

    /// Ends what is sent; under TLS by close_notify, and what still comes is read to its end: to close before tickets
    /// have arrived would be a reset, which takes what is still under way with it.
    pub(crate) fn finish(self) -> io::Result<()> {
        match self {
            Connection::Clear(_) => Ok(()),
            Connection::Tls(mut tls) => {
                tls.conn.send_close_notify();
                while tls.conn.wants_write() {
                    tls.conn.write_tls(&mut tls.sock)?;
                }
                let _ = tls.sock.shutdown(Shutdown::Write);
                // Tickets are for the next connection. A broken end is no matter any more.
                while tls
                    .conn
                    .read_tls(&mut tls.sock)
                    .is_ok_and(|count| count > 0)
                    && tls.conn.process_new_packets().is_ok()
                {}
                Ok(())
            }
        }
    }
}

impl Read for Connection {
    /// An end without close_notify is one: the length is compared anyway.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Connection::Clear(socket) => socket.read(buffer),
            Connection::Tls(tls) => match tls.read(buffer) {
                Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                other => other,
            },
        }
    }
}

impl Write for Connection {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Connection::Clear(socket) => socket.write(octets),
            Connection::Tls(tls) => tls.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Connection::Clear(socket) => socket.flush(),
            Connection::Tls(tls) => tls.flush(),
        }
    }
}

/// The end of a record's plaintext: its type (RFC 8446 §5.2), and the tag of all three cipher suites.
const AROUND: usize = 1 + 16;
const APPLICATION_DATA: u8 = 23;
/// An alert of two octets.
const CLOSE_NOTIFY: usize = 2 + AROUND;

/// Counts the octets in records of TLS 1.3 by their lengths, without opening them. Tickets count too.
#[derive(Debug, Default)]
pub(crate) struct Records {
    header: Vec<u8>,
    /// Of the record that has begun.
    left: usize,
    pub(crate) octets: u64,
    /// The last record is as long as close_notify is.
    closing: bool,
}

impl Records {
    pub(crate) fn at_end(&self) -> bool {
        self.closing && self.left == 0
    }

    pub(crate) fn push(&mut self, mut octets: &[u8]) -> io::Result<()> {
        while !octets.is_empty() {
            if self.left > 0 {
                let (_, rest) = octets.split_at(self.left.min(octets.len()));
                self.left -= octets.len() - rest.len();
                octets = rest;
                continue;
            }
            let missing = 5 - self.header.len();
            let (more, rest) = octets.split_at(missing.min(octets.len()));
            self.header.extend_from_slice(more);
            octets = rest;
            if let [kind, _, _, high, low] = self.header[..] {
                let length = usize::from(u16::from_be_bytes([high, low]));
                if kind != APPLICATION_DATA || length < AROUND {
                    return Err(io::Error::other("not a record of data"));
                }
                self.closing = length == CLOSE_NOTIFY;
                if !self.closing {
                    self.octets += (length - AROUND) as u64;
                }
                self.left = length;
                self.header.clear();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(plaintext: usize) -> Vec<u8> {
        let length = plaintext + AROUND;
        let [high, low] = u16::try_from(length).unwrap().to_be_bytes();
        [&[23, 3, 3, high, low][..], &vec![0; length]].concat()
    }

    #[test]
    fn records_are_counted_however_they_arrive() {
        let stream = [record(16_384), record(1), record(100), record(2)].concat();
        for piece in [1, 7, 16_384, stream.len()] {
            let mut records = Records::default();
            for part in stream.chunks(piece) {
                records.push(part).unwrap();
            }
            assert_eq!((records.octets, records.at_end()), (16_485, true));
        }
    }

    #[test]
    fn what_is_no_record_is_an_error() {
        assert!(Records::default().push(b"226 Done\r\n").is_err());
        assert!(Records::default().push(&[23, 3, 3, 0, 5]).is_err());
    }
}
