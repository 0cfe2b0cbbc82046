//! The client of a webhook. SECURITY: it goes where the configuration says and nowhere else, follows no redirect, asks no
//! proxy, and none of its messages has the key, the path of the URL, or what a server has answered.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, fstat};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::digest::hex;
use crate::hooks::Webhook;
use crate::sinks::Notice;
use crate::tls::SYSTEM_AUTHORITIES;

const LONGEST_FILE: u64 = 4 << 20;
const LONGEST_KEY: usize = 4096;

/// How long each step of a request may take.
const STEP: Duration = Duration::from_secs(20);

pub(super) struct Client {
    agent: ureq::Agent,
    url: String,
    key: Option<hmac::Key>,
}

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Taken,
    /// The server will not take it another time either.
    Refused(String),
    /// It may another time.
    Later(String),
}

impl Client {
    /// Reads the files that the hook names. `Err` is a sentence without their content.
    pub(super) fn new(hook: &Webhook) -> Result<Client, String> {
        let roots = hook
            .ca_file
            .as_deref()
            .unwrap_or(Path::new(SYSTEM_AUTHORITIES));
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::from(certificates(roots)?))
            .unversioned_rustls_crypto_provider(Arc::new(default_provider()))
            .build();
        // A time limit for the search of a name would start a thread; the system's own resolver has one.
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .https_only(true)
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .user_agent(concat!("ftpd/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(STEP))
            .timeout_send_request(Some(STEP))
            .timeout_send_body(Some(STEP))
            .timeout_recv_response(Some(STEP))
            .build();
        Ok(Client {
            agent: config.into(),
            url: hook.url.clone(),
            key: hook.secret_file.as_deref().map(key).transpose()?,
        })
    }

    pub(super) fn host(&self) -> String {
        shown(&self.url)
    }

    pub(super) fn post(&self, notice: &Notice) -> Answer {
        let mut request = self
            .agent
            .post(&self.url)
            .header("Content-Type", "application/json")
            .header("X-Ftpd-Event", notice.kind.name())
            .header("X-Ftpd-Event-Id", notice.id.to_string());
        if let Some(key) = &self.key {
            let signature = hmac::sign(key, notice.json.as_bytes());
            let signature = format!("sha256={}", hex(signature.as_ref()));
            request = request.header("X-Ftpd-Signature-256", signature);
        }
        match request.send(notice.json.as_str()) {
            Ok(response) => judge(response.status().as_u16()),
            Err(error) => Answer::Later(why(&error).to_owned()),
        }
    }
}

/// What a status means. A redirect is an answer that we do not take.
fn judge(status: u16) -> Answer {
    match status {
        200..=299 => Answer::Taken,
        408 | 425 | 429 | 500..=599 => Answer::Later(format!("the server answers {status}")),
        300..=399 => Answer::Refused(format!(
            "the server answers {status}: redirects are not followed, write the final URL"
        )),
        _ => Answer::Refused(format!("the server answers {status}")),
    }
}

/// The kind of an error. Its own text may have parts of the URL.
fn why(error: &ureq::Error) -> &'static str {
    match error {
        ureq::Error::HostNotFound => "its name is not found",
        ureq::Error::ConnectionFailed => "no connection",
        ureq::Error::Timeout(_) => "it is too slow",
        ureq::Error::Tls(_) => "TLS fails",
        ureq::Error::Rustls(error) => why_insecure(error),
        ureq::Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(error) => why_insecure(error),
            None => "the connection broke",
        },
        _ => "the exchange failed",
    }
}

fn why_insecure(error: &rustls::Error) -> &'static str {
    use rustls::CertificateError::{
        BadSignature, Expired, ExpiredContext, NotValidForName, NotValidForNameContext,
        UnknownIssuer,
    };
    let rustls::Error::InvalidCertificate(error) = error else {
        return "TLS fails";
    };
    match error {
        UnknownIssuer | BadSignature => {
            "nobody who is trusted has issued its certificate: see ca-file"
        }
        Expired | ExpiredContext { .. } => "its certificate has expired",
        NotValidForName | NotValidForNameContext { .. } => "its certificate is for another name",
        _ => {
            "its certificate is not accepted; one that is an authority's (CA:TRUE) is none for a server"
        }
    }
}

/// The host of a URL: a path may have a token in it.
pub(super) fn shown(url: &str) -> String {
    let rest = url.strip_prefix("https://").unwrap_or(url);
    rest.split(['/', '?', '#'])
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let (octets, _) = read(path)?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&octets)
        .filter_map(Result::ok)
        .map(|der| Certificate::from_der(&der).to_owned())
        .collect();
    match found.is_empty() {
        true => Err(format!("{} has no certificates", path.display())),
        false => Ok(found),
    }
}

/// The key is the file's content without the line's end.
fn key(path: &Path) -> Result<hmac::Key, String> {
    let (octets, mode) = read(path)?;
    if mode & 0o077 != 0 {
        let path = path.display();
        return Err(format!(
            "{path}: others than its owner may use it: chmod 600 {path}"
        ));
    }
    let key = octets.strip_suffix(b"\n").unwrap_or(&octets);
    match key.len() {
        16..=LONGEST_KEY => Ok(hmac::Key::new(hmac::HMAC_SHA256, key)),
        _ => Err(format!(
            "{}: a key has 16 to {LONGEST_KEY} octets",
            path.display()
        )),
    }
}

/// A small file and its mode.
fn read(path: &Path) -> Result<(Vec<u8>, u32), String> {
    let say = |why: &str| format!("{}: {why}", path.display());
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = open(path, flags, Mode::empty()).map_err(|errno| say(errno.desc()))?;
    let mode = fstat(&file).map_err(|errno| say(errno.desc()))?.st_mode;
    let mut octets = Vec::new();
    let taken = File::from(file).take(LONGEST_FILE).read_to_end(&mut octets);
    taken.map_err(|error| say(&error.to_string()))?;
    Ok((octets, mode))
}
