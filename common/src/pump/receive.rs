//! An upload: from the socket, through what stages there are, to the file.

use std::os::fd::{AsFd, BorrowedFd};

use super::store::Store;
use super::wire::Wire;
use super::{Flow, Step, bounded};
use crate::stage::{Chain, Confirmation, Stage};

/// The buffer of an upload: small until it was full once, so that small files cost no large one.
const FIRST_PIECE: usize = 8 << 10;
const PIECE: usize = 256 << 10;

/// A file on its way from the socket.
pub struct Receive {
    wire: Wire,
    store: Store,
    chain: Chain,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Receive {
    pub fn new(wire: Wire, store: Store, chain: Chain) -> Receive {
        Receive {
            wire,
            store,
            chain,
            input: vec![0; FIRST_PIECE],
            output: Vec::new(),
        }
    }

    fn receive(&mut self, most: u64) -> Result<usize, Step> {
        let piece = bounded(self.input.len(), most);
        let count = self.wire.receive(&mut self.input[..piece])?;
        self.store(count)?;
        if count == self.input.len() && count < PIECE {
            self.input = vec![0; PIECE];
        }
        Ok(count)
    }

    /// Writes what the stages make of what was received.
    fn store(&mut self, count: usize) -> Result<(), Step> {
        // Each piece is written before the next one: a few octets can become many.
        for piece in self.input[..count].chunks(self.chain.appetite()) {
            let through = self.chain.through(piece, &mut self.output);
            self.store.write(through.map_err(Step::Spoiled)?)?;
        }
        if count == 0 {
            self.output.clear();
            let finished = self.chain.finish(&mut self.output);
            finished.map_err(Step::Spoiled)?;
            self.store.write(&self.output)?;
        }
        Ok(())
    }
}

impl Flow for Receive {
    fn step(&mut self, most: u64) -> Step {
        match self.receive(most) {
            Ok(0) => Step::Complete,
            Ok(count) => Step::Moved(count as u64),
            Err(step) => step,
        }
    }

    fn data(&self) -> BorrowedFd<'_> {
        self.wire.as_fd()
    }

    fn confirmation(&mut self) -> Option<Confirmation> {
        self.chain.confirmation()
    }

    fn stored(&self) -> Option<u64> {
        Some(self.store.octets())
    }
}
