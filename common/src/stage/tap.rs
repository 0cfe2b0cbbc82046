//! A place between stages where a digest is taken of what comes by. Pure: no I/O.

use std::fmt;

use crate::digest::{Algorithm, Digest, Take};

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

/// What a transfer is to be confirmed by.
#[derive(Clone, Copy, Debug)]
pub struct Confirm {
    pub algorithm: Algorithm,
    /// Begins a digest.
    pub begin: fn(Algorithm) -> Box<dyn Take>,
}

/// The digest of a transfer under way.
pub(super) struct Tap {
    algorithm: Algorithm,
    taken: Option<Box<dyn Take>>,
}

impl Tap {
    pub(super) fn new(Confirm { algorithm, begin }: Confirm) -> Tap {
        Tap {
            algorithm,
            taken: Some(begin(algorithm)),
        }
    }

    pub(super) fn look(&mut self, octets: &[u8]) {
        if let Some(taken) = &mut self.taken {
            taken.update(octets);
        }
    }

    /// What came through; told once.
    pub(super) fn confirmation(&mut self) -> Option<Confirmation> {
        self.taken.take().map(|taken| Confirmation {
            algorithm: self.algorithm,
            digest: taken.finish(),
        })
    }
}
