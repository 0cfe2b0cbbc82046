//! TLS between a gateway and servers. Pure: no I/O.

use std::path::PathBuf;

use super::TlsVersion;
use super::tls::Tls;
use super::value::Wrong;
use crate::proto::destination::{FTP_PORT, IMPLICIT_PORT};

/// How a gateway speaks with servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamTls {
    pub mode: ServerTls,
    /// Files with authorities that certify servers; those of the system if none is named.
    pub authorities: Vec<PathBuf>,
    /// The name that the one server's certificate is for, if it is not where it is reached.
    pub name: Option<String>,
    /// The newest version that is offered to them. A session of TLS 1.2 is resumed as often as there are data connections. A
    /// ticket of TLS 1.3 is used once, and a server that demands one for each of them may give no new ones.
    pub newest: TlsVersion,
}

/// Whether servers are spoken to under TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServerTls {
    #[default]
    Off,
    /// Where a server offers it (AUTH TLS).
    Prefer,
    /// AUTH TLS, or nothing.
    Require,
    /// TLS begins with the connection.
    Implicit,
}

impl ServerTls {
    /// The port of servers that name none.
    pub fn usual_port(self) -> u16 {
        match self {
            ServerTls::Off | ServerTls::Prefer | ServerTls::Require => FTP_PORT,
            ServerTls::Implicit => IMPLICIT_PORT,
        }
    }

    pub(super) fn parse(text: &str) -> Result<ServerTls, Wrong> {
        match text.to_ascii_lowercase().as_str() {
            "off" => Ok(ServerTls::Off),
            "prefer" => Ok(ServerTls::Prefer),
            "require" => Ok(ServerTls::Require),
            "implicit" => Ok(ServerTls::Implicit),
            _ => Err(Wrong::Not("off, prefer, require or implicit".to_owned())),
        }
    }
}

impl UpstreamTls {
    /// Whether this fits together, and with one server or pool for all or many. `Err` names the key to correct, and says why.
    pub(super) fn settle(
        &self,
        tls: &Tls,
        one_place: bool,
    ) -> Result<(), (&'static str, &'static str)> {
        let off = self.mode == ServerTls::Off;
        if !off && self.newest < tls.least {
            return Err((
                "TLSMinVersion",
                "TLSMinVersion is for servers too: with 1.3 it needs ServerTLSMaxVersion=1.3",
            ));
        }
        if !off && self.newest == TlsVersion::V1_2 && !tls.suites.has(TlsVersion::V1_2) {
            return Err((
                "TLSCipherSuites",
                "TLSCipherSuites has no suite of TLS 1.2 for servers: name one, or say ServerTLSMaxVersion=1.3",
            ));
        }
        if off && !self.authorities.is_empty() {
            return Err((
                "ServerCA",
                "ServerCA is for ServerTLS=prefer, require or implicit",
            ));
        }
        if off && self.name.is_some() {
            return Err((
                "ServerTLSName",
                "ServerTLSName is for ServerTLS=prefer, require or implicit",
            ));
        }
        // SECURITY: one name for all would let each server pass for any other; those of a pool may.
        if self.name.is_some() && !one_place {
            return Err((
                "ServerTLSName",
                "ServerTLSName is the name of one server or pool: it needs Server or Servers",
            ));
        }
        Ok(())
    }
}
