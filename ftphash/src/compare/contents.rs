//! Whether two files have the same contents. Reads them side by side, and no further than to the first difference.

use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};

use crate::ordered;
use crate::progress::Meter;
use crate::source::Source;

/// Octets of each file that are read at a time.
const PIECE: usize = 128 << 10;

/// Octets of large files that one thread compares before it takes others.
const STRETCH: u64 = 8 << 20;

/// From this size on in octets, all cores compare one pair of files.
const LARGE: u64 = 32 << 20;

/// Compares, for any number of threads.
pub(super) struct Contents<'a> {
    meter: &'a Meter,
    /// Held by whoever uses all cores for one pair.
    all_cores: Mutex<()>,
}

/// What a thread keeps from pair to pair.
pub(super) struct Buffers([Vec<u8>; 2]);

impl Default for Buffers {
    fn default() -> Buffers {
        Buffers([vec![0; PIECE], vec![0; PIECE]])
    }
}

impl<'a> Contents<'a> {
    pub(super) fn new(meter: &'a Meter) -> Contents<'a> {
        Contents {
            meter,
            all_cores: Mutex::new(()),
        }
    }

    /// Reads both, if they can be the same.
    ///
    /// # Errors
    /// One of the two cannot be read, or changes meanwhile; the number says which.
    pub(super) fn are_same(
        &self,
        mut sources: [Source; 2],
        buffers: &mut Buffers,
    ) -> Result<bool, (usize, io::Error)> {
        let sizes = [sources[0].size(), sources[1].size()];
        let same = match (sizes, sources[0].file(), sources[1].file()) {
            ([Some(a), Some(b)], ..) if a != b => return Ok(false),
            ([Some(size), _], Some(a), Some(b)) => self.files([a, b], size, buffers)?,
            // Empty, or of a size that nobody knows.
            _ => self.streams(&mut sources, buffers)?,
        };
        if same {
            for (side, (source, size)) in sources.iter().zip(sizes).enumerate() {
                let unchanged = source.check_unchanged(size.unwrap_or(0));
                unchanged.map_err(|error| (side, error))?;
            }
        }
        Ok(same)
    }

    fn files(
        &self,
        files: [&File; 2],
        size: u64,
        buffers: &mut Buffers,
    ) -> Result<bool, (usize, io::Error)> {
        if size < LARGE {
            return self.stretch(files, 0, size, buffers);
        }
        let _all_cores = self
            .all_cores
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let ended = ordered::in_order(
            0..size.div_ceil(STRETCH),
            Buffers::default,
            |buffers, number| {
                let start = number * STRETCH;
                self.stretch(files, start, size.min(start + STRETCH), buffers)
            },
            |same| match same {
                Ok(true) => ControlFlow::Continue(()),
                other => ControlFlow::Break(other),
            },
        );
        ended.break_value().unwrap_or(Ok(true))
    }

    fn stretch(
        &self,
        files: [&File; 2],
        mut at: u64,
        end: u64,
        Buffers(buffers): &mut Buffers,
    ) -> Result<bool, (usize, io::Error)> {
        while at < end {
            let wanted = usize::try_from(end - at).map_or(PIECE, |left| left.min(PIECE));
            for (side, file) in files.into_iter().enumerate() {
                file.read_exact_at(&mut buffers[side][..wanted], at)
                    .map_err(|error| match error.kind() {
                        io::ErrorKind::UnexpectedEof => (side, crate::source::changed()),
                        _ => (side, error),
                    })?;
            }
            self.meter.add(2 * wanted).map_err(|error| (0, error))?;
            if buffers[0][..wanted] != buffers[1][..wanted] {
                return Ok(false);
            }
            at += wanted as u64;
        }
        Ok(true)
    }

    fn streams(
        &self,
        sources: &mut [Source; 2],
        Buffers(buffers): &mut Buffers,
    ) -> Result<bool, (usize, io::Error)> {
        loop {
            let mut counts = [0; 2];
            for (side, source) in sources.iter_mut().enumerate() {
                counts[side] = fill(source, &mut buffers[side]).map_err(|error| (side, error))?;
            }
            let [a, b] = counts;
            self.meter.add(a + b).map_err(|error| (0, error))?;
            if buffers[0][..a] != buffers[1][..b] {
                return Ok(false);
            }
            if a < PIECE {
                return Ok(true);
            }
        }
    }
}

/// Reads until the buffer is full or the source at its end.
fn fill(source: &mut Source, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}
