//! A download or a listing through a chain of stages.

use std::ops::Range;
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
    output: Vec<u8>,
    /// What is to be sent: of the output, or of the input where no stage changes it.
    ready: Range<usize>,
    at_end: bool,
}

impl<'a> SendStaged<'a> {
    pub fn new(source: Source<'a>, wire: Wire, chain: Chain) -> SendStaged<'a> {
        SendStaged {
            source,
            wire,
            input: vec![0; PIECE.min(chain.appetite())],
            chain,
            output: Vec::new(),
            ready: 0..0,
            at_end: false,
        }
    }

    /// Makes the next octets ready to be sent.
    fn prepare(&mut self) -> Result<(), Step> {
        if self.at_end {
            self.wire.finish()?;
            return Err(Step::Complete);
        }
        let count = self.source.read(&mut self.input)?;
        let made = if count == 0 {
            self.at_end = true;
            self.output.clear();
            let finished = self.chain.finish(&mut self.output);
            finished.map(|()| self.output.len())
        } else {
            let through = self.chain.through(&self.input[..count], &mut self.output);
            through.map(<[u8]>::len)
        };
        self.ready = 0..made.map_err(Step::Spoiled)?;
        Ok(())
    }

    fn send(&mut self, most: u64) -> Result<usize, Step> {
        if self.ready.is_empty() {
            self.prepare()?;
            if self.ready.is_empty() {
                return Ok(0);
            }
        }
        let buffer = if self.chain.changes() {
            &self.output
        } else {
            &self.input
        };
        let ready = &buffer[self.ready.clone()];
        let count = self.wire.send(&ready[..bounded(ready.len(), most)])?;
        self.ready.start += count;
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
