//! A digest beside other work: once there is enough to hash, a thread of its own does it, so that whoever moves or reads the
//! octets goes on meanwhile. Where no thread can be had the caller's does the work. It opens nothing and reads nothing.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use crate::digest::{Algorithm, Digest, Hasher, Take};
use crate::sys;

/// From so many octets on a thread is worth its start.
const WORTH_A_THREAD: u64 = 1 << 20;
/// What the thread gets at once: large enough that handing it over costs nothing, and small enough for the processor's cache.
const PIECE: usize = 128 << 10;
/// How many pieces the thread may be behind; then it is waited for.
const BEHIND: usize = 3;
/// The thread's stack: some ten times what the hungriest algorithm uses.
const STACK: usize = 128 << 10;

/// A digest under way.
pub struct Hashing {
    algorithm: Algorithm,
    way: Way,
    /// The next piece, as far as it has been filled.
    piece: Vec<u8>,
    filled: usize,
    /// Octets that the caller's own thread has hashed.
    hashed: u64,
}

enum Way {
    Here(Hasher),
    Beside(Worker),
}

struct Worker {
    pieces: SyncSender<(Vec<u8>, usize)>,
    empty: Receiver<Vec<u8>>,
    thread: JoinHandle<Hasher>,
}

impl Hashing {
    pub fn new(algorithm: Algorithm) -> Hashing {
        Hashing {
            algorithm,
            way: Way::Here(Hasher::new(algorithm)),
            piece: Vec::new(),
            filled: 0,
            hashed: 0,
        }
    }

    /// As a [`Take`], for a stage.
    pub fn boxed(algorithm: Algorithm) -> Box<dyn Take> {
        Box::new(Hashing::new(algorithm))
    }

    /// Room for the next octets, never none. Some of it is filled, and then [`filled`](Self::filled) is told how much: what is read into
    /// it is not copied again.
    pub fn room(&mut self) -> &mut [u8] {
        self.piece.resize(PIECE, 0);
        &mut self.piece[self.filled..]
    }

    /// Takes in the first `count` octets of the room.
    pub fn filled(&mut self, count: usize) {
        self.filled = (self.filled + count).min(self.piece.len());
        if self.filled == self.piece.len() {
            self.hand_over();
        }
    }

    /// Takes in the next octets.
    pub fn update(&mut self, mut octets: &[u8]) {
        if let (Way::Here(hasher), 0) = (&mut self.way, self.filled) {
            hasher.update(octets);
            self.count(octets.len());
            return;
        }
        while !octets.is_empty() {
            let room = self.room();
            let count = room.len().min(octets.len());
            let (now, later) = octets.split_at(count);
            room[..count].copy_from_slice(now);
            self.filled(count);
            octets = later;
        }
    }

    /// The digest of everything; what is not hashed yet is waited for.
    pub fn finish(mut self) -> Digest {
        self.hand_over();
        match self.way {
            Way::Here(hasher) => hasher.finish(),
            Way::Beside(worker) => worker.finish().finish(),
        }
    }

    fn hand_over(&mut self) {
        let count = std::mem::take(&mut self.filled);
        match &mut self.way {
            Way::Here(hasher) => {
                hasher.update(&self.piece[..count]);
                self.count(count);
            }
            Way::Beside(worker) => {
                self.piece = worker.exchange(std::mem::take(&mut self.piece), count)
            }
        }
    }

    /// Starts the thread when it is time.
    fn count(&mut self, octets: usize) {
        let before = self.hashed;
        self.hashed += octets as u64;
        let is_time = before < WORTH_A_THREAD && self.hashed >= WORTH_A_THREAD;
        // CRC-32 is as fast as the copy for a thread would be.
        if !is_time || self.algorithm == Algorithm::Crc32 {
            return;
        }
        let Some((worker, give)) = Worker::start(self.algorithm) else {
            return;
        };
        if let Way::Here(hasher) = std::mem::replace(&mut self.way, Way::Beside(worker)) {
            // It is there to take it.
            let _ = give.send(hasher);
        }
    }
}

impl Take for Hashing {
    fn update(&mut self, octets: &[u8]) {
        Hashing::update(self, octets);
    }

    fn finish(self: Box<Self>) -> Digest {
        Hashing::finish(*self)
    }
}

impl Worker {
    /// Starts a thread, which waits for what was hashed so far. Nothing if the system gives none.
    fn start(algorithm: Algorithm) -> Option<(Worker, SyncSender<Hasher>)> {
        let (give, given) = sync_channel::<Hasher>(1);
        let (pieces, work) = sync_channel::<(Vec<u8>, usize)>(BEHIND);
        let (done, empty) = sync_channel(BEHIND);
        for _ in 0..BEHIND {
            // No memory is taken before there is something to put in.
            done.send(Vec::new()).ok()?;
        }
        sys::expect_threads();
        let thread = Builder::new().stack_size(STACK).spawn(move || {
            let given = given.recv();
            // Whoever gives none wants no digest either.
            let mut hasher = given.unwrap_or_else(|_| Hasher::new(algorithm));
            for (piece, count) in work {
                hasher.update(&piece[..count]);
                // Whoever has given up wants no pieces back.
                let _ = done.send(piece);
            }
            hasher
        });
        let thread = thread.ok()?;
        Some((
            Worker {
                pieces,
                empty,
                thread,
            },
            give,
        ))
    }

    /// Gives a piece away for one that can be filled.
    fn exchange(&mut self, piece: Vec<u8>, count: usize) -> Vec<u8> {
        // If the thread is gone its panic is the answer of `finish`.
        let _ = self.pieces.send((piece, count));
        self.empty.recv().unwrap_or_default()
    }

    fn finish(self) -> Hasher {
        drop(self.pieces);
        match self.thread.join() {
            Ok(hasher) => hasher,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(length: usize) -> Vec<u8> {
        (0..=252u8).cycle().step_by(31).take(length).collect()
    }

    #[test]
    fn it_is_the_digest_whatever_the_pieces_and_whoever_hashes() {
        let most = usize::try_from(WORTH_A_THREAD).unwrap() + 5 * PIECE + 7;
        for length in [0, 1, PIECE, PIECE + 1, most] {
            let octets = octets(length);
            for algorithm in Algorithm::ALL {
                let expected = algorithm.digest(&octets);
                for piece in [1_000, PIECE, 3 * PIECE + 1] {
                    let mut given = Hashing::new(algorithm);
                    octets.chunks(piece).for_each(|piece| given.update(piece));
                    let mut read = Hashing::new(algorithm);
                    let mut rest = octets.as_slice();
                    while !rest.is_empty() {
                        let room = read.room();
                        let count = room.len().min(piece).min(rest.len());
                        room[..count].copy_from_slice(&rest[..count]);
                        read.filled(count);
                        rest = &rest[count..];
                    }
                    let beside = length == most && algorithm != Algorithm::Crc32;
                    for hashing in [given, read] {
                        assert_eq!(matches!(hashing.way, Way::Beside(_)), beside, "{length}");
                        assert_eq!(hashing.finish(), expected, "{algorithm} {length} {piece}");
                    }
                }
            }
        }
    }

    #[test]
    fn both_ways_of_giving_can_be_mixed() {
        let octets = octets(3 << 20);
        let mut hashing = Hashing::new(Algorithm::Blake3);
        let mut rest = octets.as_slice();
        for size in (1..).map(|number| number * 1_777 % 90_001) {
            let (now, later) = rest.split_at(size.min(rest.len()));
            let room = hashing.room();
            let count = now.len().min(room.len());
            room[..count].copy_from_slice(&now[..count]);
            hashing.filled(count);
            hashing.update(&now[count..]);
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        assert_eq!(hashing.finish(), Algorithm::Blake3.digest(&octets));
    }

    #[test]
    fn a_digest_that_is_given_up_leaves_no_thread_waiting() {
        let mut hashing = Hashing::new(Algorithm::Sha256);
        hashing.update(&octets(4 << 20));
        hashing.update(&octets(1 << 20));
        let Way::Beside(worker) = hashing.way else {
            panic!("no thread for 4 MiB");
        };
        let Worker {
            pieces,
            empty,
            thread,
        } = worker;
        drop((pieces, empty));
        assert!(thread.join().is_ok());
    }
}
