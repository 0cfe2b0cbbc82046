//! An upload through stages to somebody who takes the octets apart.

use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};

use super::wire::Wire;
use super::{Flow, Step, bounded};
use crate::stage::{Chain, Confirmation, Stage};

/// The buffer before the stages.
const PIECE: usize = 64 << 10;

/// Takes octets, and may have to wait for something else before it can go on.
pub trait Consumer {
    /// Takes at least one octet from the front, and tells how many.
    ///
    /// # Errors
    /// The step that the flow is to take instead: [`Step::WaitsForSource`], or a failure.
    fn write(&mut self, octets: &[u8]) -> Result<usize, Step>;

    /// Hears that there are no more; is asked again if it has to wait.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    fn finish(&mut self) -> Result<(), Step>;

    /// What it waits for, to be readable.
    fn awaited(&self) -> BorrowedFd<'_>;
}

/// An upload on its way to a [`Consumer`].
pub struct Consume<'a> {
    wire: Wire,
    chain: Chain,
    consumer: &'a mut dyn Consumer,
    input: Vec<u8>,
    /// Received, and not yet through the stages.
    waiting: Range<usize>,
    output: Vec<u8>,
    /// How much of the output the consumer has.
    taken: usize,
    progress: Progress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Receiving,
    /// All is received.
    Received,
    /// And all is through the stages.
    Through,
}

impl<'a> Consume<'a> {
    pub fn new(wire: Wire, chain: Chain, consumer: &'a mut dyn Consumer) -> Consume<'a> {
        Consume {
            wire,
            chain,
            consumer,
            input: vec![0; PIECE],
            waiting: 0..0,
            output: Vec::new(),
            taken: 0,
            progress: Progress::Receiving,
        }
    }

    fn advance(&mut self, most: u64) -> Result<Step, Step> {
        if self.taken < self.output.len() {
            self.taken += self.consumer.write(&self.output[self.taken..])?;
            return Ok(Step::Moved(0));
        }
        self.taken = 0;
        self.output.clear();
        if !self.waiting.is_empty() {
            let end = self.waiting.end;
            let piece =
                self.waiting.start..end.min(self.waiting.start + self.chain.appetite().min(PIECE));
            self.waiting.start = piece.end;
            let pushed = self.chain.push(&self.input[piece], &mut self.output);
            return pushed.map(|()| Step::Moved(0)).map_err(Step::Spoiled);
        }
        match self.progress {
            Progress::Receiving => {
                let piece = bounded(self.input.len(), most);
                let count = self.wire.receive(&mut self.input[..piece])?;
                self.waiting = 0..count;
                if count == 0 {
                    self.progress = Progress::Received;
                }
                Ok(Step::Moved(count as u64))
            }
            Progress::Received => {
                self.progress = Progress::Through;
                let finished = self.chain.finish(&mut self.output);
                finished.map(|()| Step::Moved(0)).map_err(Step::Spoiled)
            }
            Progress::Through => self.consumer.finish().map(|()| Step::Complete),
        }
    }
}

impl Flow for Consume<'_> {
    fn step(&mut self, most: u64) -> Step {
        self.advance(most).unwrap_or_else(|step| step)
    }

    fn data(&self) -> BorrowedFd<'_> {
        self.wire.as_fd()
    }

    fn source(&self) -> Option<BorrowedFd<'_>> {
        Some(self.consumer.awaited())
    }

    fn confirmation(&mut self) -> Option<Confirmation> {
        self.chain.confirmation()
    }
}
