//! The handshake of a connection, and what came of it.

use std::os::fd::BorrowedFd;

use rustls::{HandshakeKind, ProtocolVersion};

use super::records::Advance;
use super::{Follows, Halt, Stream};
use crate::tls::Fault;

impl Stream {
    /// Goes on with the handshake. A server's tickets of TLS 1.3, which are left to be sent at its end, go with what is sent next:
    /// a client that only sends, and may have closed by the time they arrive, would answer them by a reset that takes what is
    /// still under way with it.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub fn handshake(&mut self, socket: BorrowedFd<'_>) -> Result<(), Halt> {
        loop {
            let (advance, _) = self.advance(socket, &mut [])?;
            let state = self.connection.state();
            if !state.is_handshaking() {
                let newest = state.protocol_version() == Some(ProtocolVersion::TLSv1_3);
                self.withholds = newest && self.connection.is_server();
                return match self.withholds {
                    true => Ok(()),
                    false => self.flush(socket, Follows::Nothing),
                };
            }
            self.flush(socket, Follows::Nothing)?;
            if advance == Advance::Ended {
                return Err(Fault::Truncated.into());
            }
            self.fill(socket)?;
        }
    }

    /// Whether the handshake is still going on.
    pub fn is_handshaking(&self) -> bool {
        self.connection.state().is_handshaking()
    }

    /// Whether the client continued a session of this configuration's, instead of making a new one.
    pub fn resumed(&self) -> bool {
        matches!(
            self.connection.state().handshake_kind(),
            Some(HandshakeKind::Resumed)
        )
    }

    /// The client's own certificate, if it has shown one, now or in the session that it continued.
    pub fn client_certificate(&self) -> Option<&[u8]> {
        let chain = self.connection.state().peer_certificates()?;
        chain.first().map(AsRef::as_ref)
    }

    /// The version, as events name it.
    pub fn version(&self) -> Option<&'static str> {
        match self.connection.state().protocol_version()? {
            ProtocolVersion::TLSv1_2 => Some("TLSv1.2"),
            ProtocolVersion::TLSv1_3 => Some("TLSv1.3"),
            _ => None,
        }
    }

    /// Version and cipher suite, for the log.
    pub fn describe(&self) -> String {
        let state = self.connection.state();
        let (version, suite) = (state.protocol_version(), state.negotiated_cipher_suite());
        match (version, suite) {
            (Some(version), Some(suite)) => format!("{version:?} {:?}", suite.suite()),
            _ => "no TLS yet".to_owned(),
        }
    }
}
