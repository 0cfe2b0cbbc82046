//! A stage that changes nothing and takes a digest of what comes through. Pure: no I/O.

use std::fmt;

use super::{Fault, Stage};
use crate::digest::{Algorithm, Digest, Hasher};

/// What came through, for the client to compare: `SHA-256=` and the digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    pub algorithm: Algorithm,
    pub digest: Digest,
}

impl fmt::Display for Confirmation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.algorithm.label(), self.digest)
    }
}

/// The digest of a transfer under way.
pub(super) struct Tap {
    algorithm: Algorithm,
    hasher: Option<Hasher>,
}

impl Tap {
    pub(super) fn new(algorithm: Algorithm) -> Tap {
        Tap {
            algorithm,
            hasher: Some(Hasher::new(algorithm)),
        }
    }
}

impl Stage for Tap {
    fn push(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        if let Some(hasher) = &mut self.hasher {
            hasher.update(input);
        }
        out.extend_from_slice(input);
        Ok(())
    }

    fn finish(&mut self, _: &mut Vec<u8>) -> Result<(), Fault> {
        Ok(())
    }

    fn confirmation(&mut self) -> Option<Confirmation> {
        self.hasher.take().map(|hasher| Confirmation {
            algorithm: self.algorithm,
            digest: hasher.finish(),
        })
    }
}
