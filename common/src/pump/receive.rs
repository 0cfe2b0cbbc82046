//! An upload without stages: from the socket to the file.

use std::os::fd::{AsFd, BorrowedFd};

use super::store::Store;
use super::wire::Wire;
use super::{Flow, Step, bounded};

/// The buffer of an upload: small until it was full once, so that small files cost no large one.
const FIRST_PIECE: usize = 8 << 10;
const PIECE: usize = 256 << 10;

/// A file on its way from the socket.
pub struct ReceiveFile {
    wire: Wire,
    store: Store,
    buffer: Vec<u8>,
}

impl ReceiveFile {
    pub fn new(wire: Wire, store: Store) -> ReceiveFile {
        ReceiveFile {
            wire,
            store,
            buffer: vec![0; FIRST_PIECE],
        }
    }

    fn receive(&mut self, most: u64) -> Result<usize, Step> {
        let piece = bounded(self.buffer.len(), most);
        let count = self.wire.receive(&mut self.buffer[..piece])?;
        self.store.write(&self.buffer[..count])?;
        if count == self.buffer.len() && count < PIECE {
            self.buffer = vec![0; PIECE];
        }
        Ok(count)
    }
}

impl Flow for ReceiveFile {
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
}
