//! What can go wrong with TLS, in words for the log and for the client. Pure: no I/O.

use std::fmt;

use rustls::{AlertDescription, CertificateError, Error};

use super::binding::NOT_RESUMED;

/// Why a TLS connection is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection ended without close_notify: somebody may have cut it (RFC 8446 §6.1).
    Truncated,
    /// What came is no TLS, or not in its place.
    NotTls,
    /// The other end refused to go on.
    Alert(AlertDescription),
    /// The client knows no version, cipher suite or group that is offered here.
    Incompatible,
    /// The client wants to speak something else than FTP (ALPN, RFC 7301 §3.2).
    OtherProtocol,
    /// There is no certificate for the name that the client wants (SNI).
    NoCertificate,
    /// A handshake message is larger than any sensible one.
    TooLong,
    /// It had to continue a session, and began another one.
    NotResumed,
    /// It had to show the certificate of the control connection's client, and did not.
    OtherClient,
    /// Octets were changed on their way.
    Forged,
    /// The client's certificate is not accepted.
    ClientCertificate,
    /// Nor is that of a server.
    ServerCertificate(Doubt),
    /// The handshake cannot be signed now, or another trouble of this side.
    Ours,
}

/// What is wrong with a server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    Expired,
    NotValidYet,
    /// It is for others.
    OtherName,
    /// No authority that is trusted has signed it.
    UnknownIssuer,
    Other,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Fault::Truncated => "the connection ended without close_notify",
            Fault::NotTls => "what came is not TLS as it should be",
            Fault::Alert(alert) => return write!(f, "the other side sent the alert {alert:?}"),
            Fault::Incompatible => "no TLS version or cipher suite in common",
            Fault::OtherProtocol => "the client wants another protocol than FTP (ALPN)",
            Fault::NoCertificate => "there is no certificate for the name that the client asks for",
            Fault::TooLong => "the handshake is too long",
            Fault::NotResumed => "it does not resume the TLS session of the control connection",
            Fault::OtherClient => {
                "it does not show the client certificate of the control connection"
            }
            Fault::Forged => "the data was changed on its way",
            Fault::ClientCertificate => "the client's certificate is not accepted",
            Fault::ServerCertificate(doubt) => match doubt {
                Doubt::Expired => "the server's certificate has expired",
                Doubt::NotValidYet => "the server's certificate is not valid yet",
                Doubt::OtherName => "the server's certificate is for another name",
                Doubt::UnknownIssuer => {
                    "nobody who is trusted here has signed the server's certificate"
                }
                Doubt::Other => "the server's certificate is not accepted",
            },
            Fault::Ours => "TLS is not possible now",
        };
        f.write_str(text)
    }
}

impl Fault {
    /// What a client sees of a server.
    pub(super) fn of_server(error: Error) -> Fault {
        use CertificateError as Wrong;
        Fault::ServerCertificate(match error {
            Error::InvalidCertificate(wrong) => match wrong {
                Wrong::Expired | Wrong::ExpiredContext { .. } => Doubt::Expired,
                Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => Doubt::NotValidYet,
                Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => Doubt::OtherName,
                // An authority of the same name may be another one.
                Wrong::UnknownIssuer | Wrong::BadSignature => Doubt::UnknownIssuer,
                _ => Doubt::Other,
            },
            Error::NoCertificatesPresented => Doubt::Other,
            error => return error.into(),
        })
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        match error {
            Error::AlertReceived(alert) => Fault::Alert(alert),
            Error::PeerIncompatible(_) => Fault::Incompatible,
            Error::NoApplicationProtocol => Fault::OtherProtocol,
            Error::DecryptError => Fault::Forged,
            Error::InvalidCertificate(_)
            | Error::InvalidCertRevocationList(_)
            | Error::NoCertificatesPresented => Fault::ClientCertificate,
            Error::InappropriateMessage { .. }
            | Error::InappropriateHandshakeMessage { .. }
            | Error::InvalidMessage(_)
            | Error::PeerMisbehaved(_)
            | Error::PeerSentOversizedRecord => Fault::NotTls,
            Error::General(text) if text == NOT_RESUMED => Fault::NotResumed,
            // rustls's word for a resolver that finds no certificate.
            Error::General(text) if text == "no server certificate chain resolved" => {
                Fault::NoCertificate
            }
            _ => Fault::Ours,
        }
    }
}
