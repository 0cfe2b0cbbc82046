//! MODE Z: a transfer as one stream in the zlib format (RFC 1950, draft-preston-ftpext-deflate-04). Pure: no I/O.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::{Fault, Stage};
use crate::proto::representation::Level;

/// The least room that the compressor is given at once.
const ROOM: usize = 4 << 10;
/// What is inflated at once: deflate makes at most 1032 octets of one, so this makes some 8 MiB.
const APPETITE: usize = 8 << 10;
/// So many octets may become of any stream, before the ratio counts.
const FREE: u64 = 64 << 20;

/// File to wire.
pub struct Deflate(Compress);

impl Deflate {
    pub fn new(level: Level) -> Deflate {
        let level = Compression::new(u32::from(level.number()));
        Deflate(Compress::new(level, true))
    }

    /// Compresses until all of the input is taken and, at the end of the stream, all of the output is made.
    fn run(
        &mut self,
        mut input: &[u8],
        out: &mut Vec<u8>,
        flush: FlushCompress,
    ) -> Result<(), Fault> {
        loop {
            out.reserve(ROOM);
            let (taken, made) = (self.0.total_in(), out.len());
            let status = self.0.compress_vec(input, out, flush);
            let status = status.map_err(|_| Fault::Corrupt)?;
            let taken = usize::try_from(self.0.total_in() - taken).unwrap_or(usize::MAX);
            input = input.get(taken..).unwrap_or_default();
            let done = match flush {
                FlushCompress::Finish => status == Status::StreamEnd,
                _ => input.is_empty(),
            };
            if done {
                return Ok(());
            }
            if taken == 0 && out.len() == made {
                // There was input or an end to make, and there was room.
                return Err(Fault::Corrupt);
            }
        }
    }
}

impl Stage for Deflate {
    fn push(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        self.run(input, out, FlushCompress::None)
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        self.run(&[], out, FlushCompress::Finish)
    }
}

/// Wire to file. SECURITY: what comes out is bounded at each step, and in all by a ratio.
pub struct Inflate {
    state: Decompress,
    /// How many times more than it was a stream may become; zero is no limit.
    ratio: u64,
    at_end: bool,
}

impl Inflate {
    pub fn new(ratio: u64) -> Inflate {
        Inflate {
            state: Decompress::new(true),
            ratio,
            at_end: false,
        }
    }

    fn is_swollen(&self) -> bool {
        let most = self.state.total_in().saturating_mul(self.ratio);
        self.ratio > 0 && self.state.total_out() > most.max(FREE)
    }
}

impl Stage for Inflate {
    fn push(&mut self, mut input: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        loop {
            if self.at_end {
                let clean = input.is_empty();
                return clean.then_some(()).ok_or(Fault::Trailing);
            }
            out.reserve(ROOM.max(4 * input.len()));
            let (before, made) = (self.state.total_in(), out.len());
            let status = self.state.decompress_vec(input, out, FlushDecompress::None);
            self.at_end = status.map_err(|_| Fault::Corrupt)? == Status::StreamEnd;
            if self.is_swollen() {
                return Err(Fault::Swollen);
            }
            let taken = usize::try_from(self.state.total_in() - before).unwrap_or(usize::MAX);
            input = input.get(taken..).unwrap_or_default();
            // Where all the room was used there may be more, which must not wait for the next piece.
            if input.is_empty() && out.len() < out.capacity() && !self.at_end {
                return Ok(());
            }
            if taken == 0 && out.len() == made && !self.at_end {
                return Err(Fault::Corrupt);
            }
        }
    }

    fn finish(&mut self, _: &mut Vec<u8>) -> Result<(), Fault> {
        match self.at_end {
            true => Ok(()),
            false => Err(Fault::Truncated),
        }
    }

    fn appetite(&self) -> usize {
        APPETITE
    }
}

#[cfg(test)]
mod tests {
    use super::super::Chain;
    use super::*;
    use proptest::prelude::*;

    fn run(stage: &mut dyn Stage, input: &[u8], piece: usize) -> Result<Vec<u8>, Fault> {
        let mut out = Vec::new();
        for piece in input.chunks(piece.min(stage.appetite())) {
            stage.push(piece, &mut out)?;
        }
        stage.finish(&mut out).map(|()| out)
    }

    fn deflated(octets: &[u8], level: u8) -> Vec<u8> {
        let mut stage = Deflate::new(Level::new(level).unwrap());
        run(&mut stage, octets, 1000).unwrap()
    }

    fn inflated(octets: &[u8], piece: usize) -> Result<Vec<u8>, Fault> {
        run(&mut Inflate::new(0), octets, piece)
    }

    #[test]
    fn every_level_and_split_comes_back() {
        let text: Vec<u8> = (0..40_000u32)
            .flat_map(|n| (n * n % 977).to_string().into_bytes())
            .collect();
        for level in 0..=9 {
            let stream = deflated(&text, level);
            for piece in [1, 7, 4096, 8192] {
                assert_eq!(
                    inflated(&stream, piece).as_deref(),
                    Ok(&text[..]),
                    "level {level}, {piece}"
                );
            }
        }
        assert_eq!(inflated(&deflated(b"", 6), 1), Ok(Vec::new()));
        assert!(deflated(&text, 9).len() < deflated(&text, 1).len());
        assert!(deflated(&text, 0).len() > text.len());
    }

    /// Every prefix is too short, and one octet more is too long; what a fault leaves behind is no success.
    #[test]
    fn a_stream_has_one_length_only() {
        let mut stream = deflated(b"an upload that somebody cuts, or makes longer", 6);
        for end in 0..stream.len() {
            assert_eq!(inflated(&stream[..end], 5), Err(Fault::Truncated), "{end}");
        }
        stream.push(0);
        for piece in [1, 3, 1000] {
            assert_eq!(inflated(&stream, piece), Err(Fault::Trailing));
        }
        // A second stream behind the first, as gzip has it, is none of this mode.
        let twice = [deflated(b"a", 6), deflated(b"b", 6)].concat();
        assert_eq!(inflated(&twice, 1000), Err(Fault::Trailing));
    }

    /// Octets that change are found by the check value, if by nothing else (row 63 of the attacks).
    #[test]
    fn damage_is_found_wherever_it_is() {
        let text =
            b"a text that is repeated, a text that is repeated, a text that is not".repeat(9);
        let stream = deflated(&text, 6);
        for place in 0..stream.len() {
            for bit in 0..8 {
                let mut damaged = stream.clone();
                damaged[place] ^= 1 << bit;
                let result = inflated(&damaged, 100);
                assert!(
                    result.is_err() || result.as_deref() == Ok(&text),
                    "bit {bit} of {place}"
                );
            }
        }
        for other in [
            &b"no zlib stream"[..],
            b"\x1f\x8b\x08\0\0\0\0\0",
            b"\x78\xbb\0\0\0\0",
        ] {
            assert_eq!(inflated(other, 100), Err(Fault::Corrupt));
        }
    }

    /// A bomb of a megabyte: what comes out at once is bounded, and the ratio ends it.
    #[test]
    fn a_bomb_ends_early_and_swells_no_buffer() {
        let bomb = {
            let mut stage = Deflate::new(Level::new(9).unwrap());
            let mut out = Vec::new();
            let zeros = vec![0; 1 << 20];
            (0..256).for_each(|_| stage.push(&zeros, &mut out).unwrap());
            stage.finish(&mut out).unwrap();
            out
        };
        let (mut all, mut largest) = (0, 0);
        let mut stage = Inflate::new(100);
        let fault = bomb.chunks(stage.appetite()).find_map(|piece| {
            let mut out = Vec::new();
            let result = stage.push(piece, &mut out);
            largest = largest.max(out.len());
            all += out.len() as u64;
            result.err()
        });
        assert_eq!(fault, Some(Fault::Swollen));
        assert!(all < FREE + (16 << 20), "{all}");
        assert!(largest <= 9 << 20, "{largest}");
        // The same stream is let through where no ratio is set, or one that it keeps.
        for ratio in [0, 1100] {
            assert!(run(&mut Inflate::new(ratio), &bomb, 8192).is_ok());
        }
    }

    proptest! {
        #[test]
        fn whatever_octets_come_back(octets in proptest::collection::vec(any::<u8>(), 0..3000), level in 0u8..10, piece in 1usize..500) {
            let chain = Chain::default()
                .then(Deflate::new(Level::new(level).unwrap()))
                .then(Inflate::new(0));
            prop_assert_eq!(run(&mut { chain }, &octets, piece), Ok(octets));
        }

        #[test]
        fn no_octets_are_a_panic(octets in proptest::collection::vec(any::<u8>(), 0..500), piece in 1usize..50) {
            let mut stream = vec![0x78, 0x9c];
            stream.extend(octets);
            let whole = inflated(&stream, 8192);
            prop_assert_eq!(whole.is_ok(), inflated(&stream, piece).is_ok());
        }
    }
}
