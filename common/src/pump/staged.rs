//! A download or a listing through a chain of stages.

use std::os::fd::{AsFd, BorrowedFd};

use super::source::Source;
use super::wire::Wire;
use super::{Flow, Step, bounded};
use crate::stage::{Chain, Confirmation, Stage};

/// The buffer before the stages.
const PIECE: usize = 64 << 10;

/// A download or a listing through stages.
pub struct SendStaged<'a> {
    source: Source<'a>,
    wire: Wire,
    chain: Chain,
    input: Vec<u8>,
    /// How much of the input is used where there are no stages.
    read: usize,
    output: Vec<u8>,
    sent: usize,
    at_end: bool,
}

impl<'a> SendStaged<'a> {
    pub fn new(source: Source<'a>, wire: Wire, chain: Chain) -> SendStaged<'a> {
        SendStaged {
            source,
            wire,
            input: vec![0; PIECE.min(chain.appetite())],
            chain,
            read: 0,
            output: Vec::new(),
            sent: 0,
            at_end: false,
        }
    }

    /// Makes the next octets ready to be sent.
    fn prepare(&mut self) -> Result<(), Step> {
        (self.sent, self.read) = (0, 0);
        self.output.clear();
        if self.at_end {
            self.wire.finish()?;
            return Err(Step::Complete);
        }
        let made = match self.source.read(&mut self.input)? {
            0 => {
                self.at_end = true;
                self.chain.finish(&mut self.output)
            }
            count if self.chain.is_empty() => {
                self.read = count;
                Ok(())
            }
            count => self.chain.push(&self.input[..count], &mut self.output),
        };
        made.map_err(Step::Spoiled)
    }

    fn send(&mut self, most: u64) -> Result<usize, Step> {
        if self.sent == self.read.max(self.output.len()) {
            self.prepare()?;
        }
        // Without stages, what was read is sent from where it was read.
        let ready = match self.chain.is_empty() {
            true => &self.input[self.sent..self.read],
            false => &self.output[self.sent..],
        };
        if ready.is_empty() {
            return Ok(0);
        }
        let count = self.wire.send(&ready[..bounded(ready.len(), most)])?;
        self.sent += count;
        Ok(count)
    }
}

impl Flow for SendStaged<'_> {
    fn step(&mut self, most: u64) -> Step {
        match self.send(most) {
            Ok(count) => Step::Moved(count as u64),
            Err(step) => step,
        }
    }

    fn data(&self) -> BorrowedFd<'_> {
        self.wire.as_fd()
    }

    fn source(&self) -> Option<BorrowedFd<'_>> {
        Some(self.source.as_fd())
    }

    fn confirmation(&mut self) -> Option<Confirmation> {
        self.chain.confirmation()
    }
}
