//! TLS: connections by rustls, the certificates that are offered, and the signer, the only process that has the keys to
//! them.

mod budget;
mod buffer;
mod certificates;
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

use std::os::fd::OwnedFd;
use std::sync::Arc;

use nix::errno::Errno;

pub use self::certificates::{Certificates, Chain, KeyKind};
pub use self::config::{Policy, server_config};
pub use self::fault::Fault;
pub use self::remote::RemoteKey;
pub use self::signer::Door;
pub use self::stream::{Follows, Halt, Stream};

/// How a session speaks TLS.
pub use rustls::ServerConfig;

/// What the listener has of TLS and every session inherits: nothing in it is secret.
#[derive(Clone, Debug)]
pub struct Offer {
    pub certificates: Arc<Certificates>,
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

#[cfg(test)]
mod tests;
