//! TLS: connections by rustls, the certificates that are offered, and the signer, the only process that has the keys to
//! them.

mod binding;
mod budget;
mod buffer;
mod certificates;
pub mod clients;
mod config;
mod fault;
mod load;
pub mod make;
mod message;
mod remote;
pub mod signer;
mod stream;
#[cfg(test)]
pub(crate) mod testing;
mod upstream;

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use nix::errno::Errno;

pub use self::binding::bound;
pub use self::certificates::{Certificates, Chain, KeyKind};
use self::clients::Clients;
pub use self::config::{Policy, anew, server_config};
pub use self::fault::{Doubt, Fault};
pub use self::message::Shape;
pub use self::remote::RemoteKey;
pub use self::signer::Door;
pub use self::stream::{Follows, Halt, Side, Stream};
pub use self::upstream::{SYSTEM_AUTHORITIES, Trusted, Upstream};

use crate::settings::Tls;

/// How a session speaks TLS.
pub use rustls::ServerConfig;

/// Has the source of random octets look about once: what it looks at is out of reach behind a sandbox. Each process has its own
/// octets all the same, for the source notices a fork.
pub fn warm_up() {
    // Whoever needs them asks again, and hears if there are none.
    let _ = aws_lc_rs::rand::fill(&mut [0; 1]);
}

/// What the listener has of TLS and every session inherits: nothing in it is secret.
#[derive(Clone, Debug)]
pub struct Offer {
    pub certificates: Arc<Certificates>,
    /// Who tells whose the certificates of clients are, where they are asked for any.
    pub clients: Option<Clients>,
    /// The way to the signer; for keeper, never for the network half.
    pub door: Arc<Door>,
}

impl Offer {
    /// Makes a channel to the signer; its end is for the network half of a session.
    ///
    /// # Errors
    /// The signer is gone or does not take it in time, or what socketpair(2) says.
    pub fn channel(&self) -> Result<OwnedFd, Errno> {
        self.door.channel()
    }
}

/// So many days before the end of a certificate its owner is warned: by then the program that renews it has failed for a while.
pub const SHORT_DAYS: i64 = 14;

/// Reads what the settings name, as the signer does, and gives what of it is public.
///
/// # Errors
/// What is wrong with the files, as a sentence.
pub fn look(settings: &Tls) -> Result<Certificates, String> {
    load::load(settings, 0).map(|loaded| loaded.certificates)
}

/// What is to be said about the ends of certificates and of lists of revocations, if they are near or past.
pub fn warnings(settings: &Tls, certificates: &Certificates, now: i64) -> Vec<String> {
    let pairs = settings.certificates.iter().zip(&certificates.chains);
    let own = pairs.filter_map(|(file, chain)| warning(file, chain, now));
    let trust = certificates.trust.iter();
    let lists = trust.flat_map(|trust| &trust.revocations);
    let expired = lists.filter(|list| list.next.is_none_or(|next| next < now));
    own.chain(expired.map(|_| {
        "ClientCRL: a revocation list has expired: no certificate of its authority is accepted until there is a newer one"
            .to_owned()
    }))
    .collect()
}

/// What is to be said about the end of a certificate, if that is near or past.
pub fn warning(file: &Path, chain: &Chain, now: i64) -> Option<String> {
    let file = file.display();
    match chain.days_left(now) {
        days @ ..0 => Some(format!(
            "{file}: the certificate expired {} days ago",
            -days
        )),
        days @ ..SHORT_DAYS => Some(format!("{file}: the certificate expires in {days} days")),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
