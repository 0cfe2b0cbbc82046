//! An upload: from the socket, through what stages there are, to the file. A large one without stages goes through a pipe, which
//! spares a copy: a quarter to a third of the work.

use std::os::fd::{AsFd, BorrowedFd};

use super::pipe::Pipe;
use super::store::Store;
use super::wire::{Layer, Wire};
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
    /// The shorter way.
    pipe: Option<Pipe>,
}

impl Receive {
    pub fn new(wire: Wire, store: Store, chain: Chain) -> Receive {
        Receive {
            wire,
            store,
            chain,
            input: vec![0; FIRST_PIECE],
            output: Vec::new(),
            pipe: None,
        }
    }

    fn receive(&mut self, most: u64) -> Result<usize, Step> {
        let piece = bounded(self.input.len(), most);
        let count = self.wire.receive(&mut self.input[..piece])?;
        self.store(count)?;
        if count == self.input.len() && count < PIECE {
            self.expect_much();
        }
        Ok(count)
    }

    fn expect_much(&mut self) {
        if self.chain.is_empty() && self.wire.layer() == Layer::Clear {
            self.pipe = Pipe::large();
        }
        if self.pipe.is_none() {
            self.input = vec![0; PIECE];
        }
    }

    /// Moves a piece without having it in memory, if that is the way.
    fn draw(&mut self, most: u64) -> Option<Result<usize, Step>> {
        let pipe = self.pipe.as_ref()?;
        let drawn = self.wire.pour(pipe, most).and_then(|count| {
            let drawn = self.store.draw(pipe, count)?;
            Ok((count, drawn))
        });
        if matches!(drawn, Ok((_, false))) {
            // A file system that takes nothing out of pipes.
            self.pipe = None;
            self.input = vec![0; PIECE];
        }
        Some(drawn.map(|(count, _)| count))
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
        let received = match self.draw(most) {
            Some(drawn) => drawn,
            None => self.receive(most),
        };
        match received {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read, Seek, Write};
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::os::fd::OwnedFd;
    use std::thread;

    use nix::errno::Errno;
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    use nix::poll::{PollFd, PollTimeout, poll};

    const OCTETS: u32 = 3 << 20;

    /// Octets that arrive, and their end.
    #[expect(clippy::disallowed_methods, reason = "the client of a test")]
    fn arriving() -> (Vec<u8>, OwnedFd, thread::JoinHandle<()>) {
        let octets: Vec<u8> = (0..OCTETS).map(|n| (n % 251) as u8).collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        far.set_nonblocking(true).unwrap();
        let sent = octets.clone();
        let sender = thread::spawn(move || {
            // Who has no room hangs up.
            let _ = near.write_all(&sent);
            let _ = near.shutdown(Shutdown::Write);
        });
        (octets, far.into(), sender)
    }

    /// Receives into a file; how it ended, whether through a pipe to the last, and what is in the file.
    fn received(file: &File, room: Option<u64>) -> (Step, bool, Vec<u8>, Vec<u8>) {
        let (octets, socket, sender) = arriving();
        let store = Store::new(file.try_clone().unwrap().into(), room);
        let mut flow = Receive::new(Wire::from(socket), store, Chain::default());
        let mut moved = 0;
        let end = loop {
            match flow.step(u64::MAX) {
                Step::Moved(count) => moved += count,
                Step::WaitsForData(events) => {
                    let mut ready = [PollFd::new(flow.data(), events)];
                    poll(&mut ready, PollTimeout::NONE).unwrap();
                }
                end => break end,
            }
        };
        let (stored, by_pipe) = (flow.stored(), flow.pipe.is_some());
        drop(flow);
        sender.join().unwrap();
        let mut content = Vec::new();
        let mut file = file;
        file.rewind().unwrap();
        file.read_to_end(&mut content).unwrap();
        assert_eq!(stored, Some(content.len() as u64));
        assert!(end != Step::Complete || moved == u64::from(OCTETS));
        (end, by_pipe, content, octets)
    }

    #[test]
    fn a_large_file_goes_through_a_pipe_and_is_whole() {
        let file = tempfile::tempfile().unwrap();
        let (end, by_pipe, content, octets) = received(&file, None);
        assert_eq!((end, by_pipe), (Step::Complete, true));
        assert!(content == octets);
    }

    #[test]
    fn what_no_pipe_can_be_drawn_into_is_written() {
        let file = tempfile::tempfile().unwrap();
        // splice(2) refuses files that are open for appending.
        fcntl(&file, FcntlArg::F_SETFL(OFlag::O_APPEND)).unwrap();
        let (end, by_pipe, content, octets) = received(&file, None);
        assert_eq!((end, by_pipe), (Step::Complete, false));
        assert!(content == octets);
    }

    #[test]
    fn no_more_is_written_than_there_is_room_for() {
        let file = tempfile::tempfile().unwrap();
        let room = 1_000_000;
        let (end, by_pipe, content, octets) = received(&file, Some(room));
        assert_eq!((end, by_pipe), (Step::StoreFailed(Errno::EFBIG), true));
        assert!(content.len() as u64 <= room && content == octets[..content.len()]);
    }
}
