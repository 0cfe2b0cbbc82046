//! A flow that goes nowhere: the digest of a file. Reading goes on while a thread hashes.

use std::os::fd::{AsFd, BorrowedFd};

use super::source::Source;
use super::{Flow, Step};
use crate::digest::{Algorithm, Digest};
use crate::hashing::Hashing;

/// A file on its way into a digest.
pub struct Measure<'a> {
    source: Source<'a>,
    hashing: Hashing,
}

impl<'a> Measure<'a> {
    pub fn new(source: Source<'a>, algorithm: Algorithm) -> Self {
        Measure {
            source,
            hashing: Hashing::new(algorithm),
        }
    }

    /// The digest of what was read.
    pub fn digest(self) -> Digest {
        self.hashing.finish()
    }
}

impl Flow for Measure<'_> {
    fn step(&mut self, _: u64) -> Step {
        match self.source.read(self.hashing.room()) {
            Ok(0) => Step::Complete,
            Ok(count) => {
                self.hashing.filled(count);
                Step::Moved(count as u64)
            }
            Err(step) => step,
        }
    }

    /// There is no data connection; a file is always ready.
    fn data(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }

    fn source(&self) -> Option<BorrowedFd<'_>> {
        Some(self.source.as_fd())
    }
}
