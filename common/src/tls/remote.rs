//! A key that is elsewhere: what rustls asks a private key for is asked of the signer, over the session's own channel.

use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use rustls::sign::{Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};

use super::certificates::KeyKind;
use crate::channel::{Asker, SignAnswer, SignRequest, Signing};
use crate::control::until;
use crate::wire::Octets;

/// How long a signature is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// The session's end of its channel to the signer. A handshake waits for its signature.
#[derive(Debug)]
pub(super) struct Channel(Mutex<Asker<Signing>>);

impl Channel {
    pub(super) fn new(asker: Asker<Signing>) -> Channel {
        Channel(Mutex::new(asker))
    }

    fn sign(&self, request: &SignRequest) -> Result<Vec<u8>, Error> {
        let lost = |_| unavailable("the signer is gone");
        let mut asker = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ticket = asker.ask(request).map_err(lost)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match asker.receive(ticket).map_err(lost)? {
                Some((SignAnswer::Signature { signature }, _)) => {
                    return Ok(signature.as_slice().to_vec());
                }
                Some((SignAnswer::Refused, _)) => {
                    return Err(unavailable("the signer refuses to sign"));
                }
                None => {}
            }
            let mut ready = [PollFd::new(asker.as_fd(), PollFlags::POLLIN)];
            match poll(&mut ready, until(Some(deadline))) {
                Ok(0) => {
                    asker.forget(ticket);
                    return Err(unavailable("the signer does not answer in time"));
                }
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return Err(unavailable("poll failed")),
            }
        }
    }
}

fn unavailable(why: &str) -> Error {
    Error::General(why.to_owned())
}

/// A private key that the signer has.
#[derive(Clone, Debug)]
pub struct RemoteKey {
    channel: Arc<Channel>,
    /// Which of the server's certificates it belongs to.
    index: u8,
    kind: KeyKind,
}

impl RemoteKey {
    pub(super) fn new(channel: Arc<Channel>, index: u8, kind: KeyKind) -> RemoteKey {
        RemoteKey {
            channel,
            index,
            kind,
        }
    }
}

impl SigningKey for RemoteKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let mut schemes = self.kind.schemes().iter().copied();
        let scheme = schemes.find(|scheme| offered.contains(scheme))?;
        let key = self.clone();
        Some(Box::new(RemoteSigner { key, scheme }))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.kind.algorithm()
    }
}

#[derive(Debug)]
struct RemoteSigner {
    key: RemoteKey,
    scheme: SignatureScheme,
}

impl Signer for RemoteSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let message = Octets::new(message).ok_or_else(|| unavailable("too long to be signed"))?;
        self.key.channel.sign(&SignRequest::Sign {
            certificate: self.key.index,
            scheme: self.scheme.into(),
            message,
        })
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}
