//! What TLS is demanded of a session. Pure: no I/O.

use super::value::Wrong;
use super::{CertificateLogin, ClientCertificate, Config, SessionConfig, Tls};

/// What an account demands of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    pub required: TlsRequired,
    pub binding: DataBinding,
    pub close_notify: CloseNotify,
    pub clear_commands: ClearCommands,
}

impl Default for Protection {
    fn default() -> Self {
        Protection {
            required: TlsRequired::Off,
            binding: DataBinding::Prefer,
            close_notify: CloseNotify::Strict,
            clear_commands: ClearCommands::Refuse,
        }
    }
}

impl Config {
    /// The key of a setting that demands TLS where there is none.
    pub(super) fn unmet_tls(&self) -> Option<&'static str> {
        let session = &self.session;
        [
            ("TLSRequired", session.protection.required),
            ("TLSRequiredAnonymous", session.tls_required_anonymous),
        ]
        .into_iter()
        .find(|(_, required)| {
            self.server.tls.certificates.is_empty() && *required != TlsRequired::Off
        })
        .map(|(key, _)| key)
    }

    /// What is wrong between what clients have to show and where: the key to correct, and why.
    pub(super) fn unmet_certificates(&self) -> Option<(&'static str, String)> {
        let asked = self.server.tls.clients.asked;
        if let Err(why) = self.session.certificates_fit(asked) {
            return Some(("CertificateLogin", why));
        }
        let in_the_clear = !self.session.protection.required.for_login();
        (asked == ClientCertificate::Required && in_the_clear).then(|| {
            let why = "ClientCertificate=required needs TLSRequired=login or all: in the clear nobody shows a certificate";
            ("ClientCertificate", why.to_owned())
        })
    }
}

/// Names by which people without an account log in (RFC 1635).
const ANONYMOUS: [&[u8]; 2] = [b"anonymous", b"ftp"];

/// What may not travel in the clear of those who have only said a name yet. Which accounts take any password only keeper knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequiredByName {
    named: TlsRequired,
    anonymous: TlsRequired,
}

impl RequiredByName {
    pub fn of(self, name: &[u8]) -> TlsRequired {
        let is = |known: &&[u8]| known.eq_ignore_ascii_case(name);
        match ANONYMOUS.iter().any(is) {
            true => self.anonymous,
            false => self.named,
        }
    }
}

impl SessionConfig {
    /// What the server's settings demand before an account is known.
    pub fn required_by_name(&self) -> RequiredByName {
        RequiredByName {
            named: self.protection.required,
            anonymous: self.tls_required_anonymous,
        }
    }

    /// Whether what an account demands of TLS is to be had from the server.
    pub(super) fn tls_fits(&self, tls: &Tls) -> Result<(), String> {
        if tls.certificates.is_empty() && self.protection.required != TlsRequired::Off {
            return Err("TLSRequired needs a Certificate of the server".to_owned());
        }
        self.certificates_fit(tls.clients.asked)
    }

    fn certificates_fit(&self, asked: ClientCertificate) -> Result<(), String> {
        match (self.certificate.login, asked) {
            (CertificateLogin::Off, _)
            | (_, ClientCertificate::Optional | ClientCertificate::Required) => Ok(()),
            (_, ClientCertificate::Off) => Err(
                "CertificateLogin needs ClientCertificate=optional or required: clients are asked for none".to_owned(),
            ),
        }
    }
}

/// What may not travel in the clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsRequired {
    Off,
    /// Name and password.
    Login,
    /// Files and listings.
    Data,
    All,
}

impl TlsRequired {
    pub(super) fn parse(text: &str) -> Result<TlsRequired, Wrong> {
        match text.to_ascii_lowercase().as_str() {
            "off" => Ok(TlsRequired::Off),
            "login" => Ok(TlsRequired::Login),
            "data" => Ok(TlsRequired::Data),
            "all" => Ok(TlsRequired::All),
            _ => Err(Wrong::Not("off, login, data or all".to_owned())),
        }
    }

    pub fn for_login(self) -> bool {
        matches!(self, TlsRequired::Login | TlsRequired::All)
    }
    pub fn for_data(self) -> bool {
        matches!(self, TlsRequired::Data | TlsRequired::All)
    }
}

/// Whether a data connection has to continue the TLS session of its control connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataBinding {
    Require,
    /// One that does not is logged.
    Prefer,
    Off,
}

impl DataBinding {
    pub(super) fn parse(text: &str) -> Result<DataBinding, Wrong> {
        match text.to_ascii_lowercase().as_str() {
            "require" => Ok(DataBinding::Require),
            "prefer" => Ok(DataBinding::Prefer),
            "off" => Ok(DataBinding::Off),
            _ => Err(Wrong::Not("require, prefer or off".to_owned())),
        }
    }
}

/// Whether clients may have TLS end on the control connection once they have logged in (CCC, RFC 4217 §12.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClearCommands {
    Refuse,
    Permit,
}

/// What an end of data without close_notify is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseNotify {
    /// A broken transfer: somebody may have cut it.
    Strict,
    /// An end.
    Lax,
}

impl CloseNotify {
    pub(super) fn parse(text: &str) -> Result<CloseNotify, Wrong> {
        match text.to_ascii_lowercase().as_str() {
            "strict" => Ok(CloseNotify::Strict),
            "lax" => Ok(CloseNotify::Lax),
            _ => Err(Wrong::Not("strict or lax".to_owned())),
        }
    }
}
