//! The other end of TLS for unit tests: a rustls client on a thread.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::JoinHandle;

use nix::poll::{PollFd, PollTimeout, poll};
use rustls::client::{Resumption, WantsClientCert};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{
    ClientConfig, ClientConnection, ConfigBuilder, RootCertStore, ServerConfig,
    SupportedProtocolVersion,
};

use super::Halt;

pub(crate) struct Pki {
    certified: rcgen::CertifiedKey<rcgen::KeyPair>,
}

impl Pki {
    pub(crate) fn new() -> Pki {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        Pki { certified }
    }

    /// A server as a session has it: with tickets that nobody else takes.
    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        self.server_with(WebPkiClientVerifier::no_client_auth())
    }

    /// The same, which asks clients for certificates.
    pub(crate) fn server_with(&self, verifier: Arc<dyn ClientCertVerifier>) -> Arc<ServerConfig> {
        let key = self
            .certified
            .signing_key
            .serialize_der()
            .try_into()
            .unwrap();
        let chain = vec![self.certified.cert.der().clone()];
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .unwrap();
        config.alpn_protocols = vec![b"ftp".to_vec()];
        config.ticketer = aws_lc_rs::Ticketer::new().unwrap();
        Arc::new(config)
    }

    pub(crate) fn client(
        &self,
        version: &'static SupportedProtocolVersion,
        protocols: &[&[u8]],
    ) -> Arc<ClientConfig> {
        let mut config = self.begin_client(version).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        config.resumption = Resumption::in_memory_sessions(16);
        Arc::new(config)
    }

    /// A client that has not said yet whether it has a certificate of its own.
    pub(crate) fn begin_client(
        &self,
        version: &'static SupportedProtocolVersion,
    ) -> ConfigBuilder<ClientConfig, WantsClientCert> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certified.cert.der().clone()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
    }
}

pub(crate) type ClientStream = rustls::StreamOwned<ClientConnection, UnixStream>;

/// Both ends of a connection; the server's does not block.
pub(crate) fn sockets() -> (UnixStream, OwnedFd) {
    let (client, server) = UnixStream::pair().unwrap();
    server.set_nonblocking(true).unwrap();
    (client, server.into())
}

/// Runs a client on the other end.
pub(crate) fn client<T: Send + 'static>(
    config: &Arc<ClientConfig>,
    socket: UnixStream,
    talk: impl FnOnce(&mut ClientStream) -> T + Send + 'static,
) -> JoinHandle<T> {
    let config = Arc::clone(config);
    #[expect(clippy::disallowed_methods, reason = "a test that forks nothing")]
    std::thread::spawn(move || {
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(config, name).unwrap();
        talk(&mut rustls::StreamOwned::new(connection, socket))
    })
}

/// Tries until it is done or fails, waiting as it says.
pub(crate) fn until_done<T>(
    socket: &OwnedFd,
    mut attempt: impl FnMut() -> Result<T, Halt>,
) -> Result<T, Halt> {
    use std::os::fd::AsFd;
    loop {
        match attempt() {
            Err(Halt::Waits(events)) => {
                let mut ready = [PollFd::new(socket.as_fd(), events)];
                poll(&mut ready, PollTimeout::NONE).unwrap();
            }
            result => return result,
        }
    }
}

/// Sends, and takes what comes until the other end says that it was all.
pub(crate) fn exchange(stream: &mut ClientStream, octets: &[u8]) -> Vec<u8> {
    stream.write_all(octets).unwrap();
    stream.flush().unwrap();
    let mut back = Vec::new();
    stream.read_to_end(&mut back).unwrap();
    back
}
