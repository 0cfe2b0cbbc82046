//! A flow that goes nowhere: the digest of a file.

use std::os::fd::{AsFd, BorrowedFd};

use super::source::Source;
use super::{Flow, Step};
use crate::digest::{Algorithm, Digest, Hasher};

/// What is read at once: large enough that the calls cost nothing, and small enough for the processor's cache.
const PIECE: usize = 128 << 10;

/// A file on its way into a digest.
pub struct Measure<'a> {
    source: Source<'a>,
    hasher: Hasher,
    buffer: Vec<u8>,
}

impl<'a> Measure<'a> {
    pub fn new(source: Source<'a>, algorithm: Algorithm) -> Self {
        Measure {
            source,
            hasher: Hasher::new(algorithm),
            buffer: vec![0; PIECE],
        }
    }

    /// The digest of what was read.
    pub fn digest(self) -> Digest {
        self.hasher.finish()
    }
}

impl Flow for Measure<'_> {
    fn step(&mut self, _: u64) -> Step {
        match self.source.read(&mut self.buffer) {
            Ok(0) => Step::Complete,
            Ok(count) => {
                self.hasher.update(&self.buffer[..count]);
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
