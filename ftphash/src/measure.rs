//! Takes the digests of one source, in one read of it. On a large one reading and each of the digests have threads of their
//! own, and BLAKE3 alone all cores.

use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};

use common::digest::parts::{Joined, PART, PartHasher, PartValue};
use common::digest::{Algorithm, Digest, Hasher};
use common::hashing::Hashing;

use crate::progress::Meter;
use crate::source::Source;
use crate::{ordered, source};

/// Octets read at a time: large beside a system call, small beside a processor's cache.
const CHUNK: usize = 256 << 10;

/// From this size on in octets, threads are worth their beginning.
const LARGE: u64 = 4 << 20;

/// What was found.
#[derive(Debug)]
pub(crate) struct Measured {
    /// In octets.
    pub(crate) size: u64,
    /// One for each algorithm that was asked for, in their order.
    pub(crate) digests: Vec<Digest>,
}

/// Takes digests, for any number of threads.
pub(crate) struct Measure<'a> {
    meter: &'a Meter,
    /// Held by whoever uses all cores for one file.
    all_cores: Mutex<()>,
}

/// What a thread that takes digests keeps from file to file.
pub(crate) struct Buffer(Vec<u8>);

impl Default for Buffer {
    fn default() -> Buffer {
        Buffer(vec![0; CHUNK])
    }
}

impl<'a> Measure<'a> {
    pub(crate) fn new(meter: &'a Meter) -> Measure<'a> {
        Measure {
            meter,
            all_cores: Mutex::new(()),
        }
    }

    /// Reads all of a source.
    ///
    /// # Errors
    /// It cannot be read, or changes meanwhile.
    pub(crate) fn digests(
        &self,
        mut source: Source,
        algorithms: &[Algorithm],
        buffer: &mut Buffer,
    ) -> io::Result<Measured> {
        let measured = match (source.file(), source.size()) {
            (Some(file), Some(size)) if size >= LARGE => match algorithms {
                [Algorithm::Blake3] => self.in_parts(file, size)?,
                _ => self.overlapped(&mut source, algorithms)?,
            },
            (Some(_), Some(_)) => self.in_line(&mut source, algorithms, buffer)?,
            // Nobody knows how much comes.
            _ => self.overlapped(&mut source, algorithms)?,
        };
        source.check_unchanged(measured.size)?;
        Ok(measured)
    }

    /// Reads from any reader, one octet after the other, on this thread.
    ///
    /// # Errors
    /// The reader's.
    pub(crate) fn in_line(
        &self,
        source: &mut impl Read,
        algorithms: &[Algorithm],
        buffer: &mut Buffer,
    ) -> io::Result<Measured> {
        let mut hashers: Vec<_> = algorithms.iter().copied().map(Hasher::new).collect();
        let mut size = 0;
        loop {
            let count = source.read(&mut buffer.0)?;
            if count == 0 {
                break;
            }
            for hasher in &mut hashers {
                hasher.update(&buffer.0[..count]);
            }
            size += count as u64;
            self.meter.add(count)?;
        }
        Ok(Measured {
            size,
            digests: hashers.into_iter().map(Hasher::finish).collect(),
        })
    }

    /// Reads while threads hash, one for each digest.
    fn overlapped(&self, source: &mut Source, algorithms: &[Algorithm]) -> io::Result<Measured> {
        let mut size = 0;
        let mut count = |octets: usize| {
            size += octets as u64;
            self.meter.add(octets)
        };
        let digests = if let &[algorithm] = algorithms {
            let mut hashing = Hashing::new(algorithm);
            loop {
                // What is read into its room is not copied again.
                let octets = source.read(hashing.room())?;
                if octets == 0 {
                    break vec![hashing.finish()];
                }
                hashing.filled(octets);
                count(octets)?;
            }
        } else {
            let mut hashing: Vec<_> = algorithms.iter().copied().map(Hashing::new).collect();
            let mut piece = vec![0; CHUNK];
            loop {
                let octets = source.read(&mut piece)?;
                if octets == 0 {
                    break hashing.into_iter().map(Hashing::finish).collect();
                }
                for hashing in &mut hashing {
                    hashing.update(&piece[..octets]);
                }
                count(octets)?;
            }
        };
        Ok(Measured { size, digests })
    }

    /// BLAKE3 on all cores: the parts of a file are read and hashed wherever there is time.
    fn in_parts(&self, file: &File, size: u64) -> io::Result<Measured> {
        let _all_cores = self
            .all_cores
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut joined = Joined::default();
        let ended = ordered::in_order(
            0..size.div_ceil(PART),
            Buffer::default,
            |buffer, number| self.part(file, size, number, buffer),
            |part| match part {
                Ok(part) => {
                    joined.push(&part);
                    ControlFlow::Continue(())
                }
                Err(error) => ControlFlow::Break(error),
            },
        );
        if let ControlFlow::Break(error) = ended {
            return Err(error);
        }
        let digest = joined.finish();
        Ok(Measured {
            size,
            // There are two parts at least: LARGE is more than one.
            digests: vec![digest.ok_or_else(|| io::Error::other("too short for parts"))?],
        })
    }

    fn part(
        &self,
        file: &File,
        size: u64,
        number: u64,
        buffer: &mut Buffer,
    ) -> io::Result<PartValue> {
        let mut hasher = PartHasher::new(number);
        let mut offset = number * PART;
        let end = size.min(offset + PART);
        while offset < end {
            let wanted = usize::try_from(end - offset).map_or(CHUNK, |left| left.min(CHUNK));
            let piece = &mut buffer.0[..wanted];
            file.read_exact_at(piece, offset)
                .map_err(|error| match error.kind() {
                    io::ErrorKind::UnexpectedEof => source::changed(),
                    _ => error,
                })?;
            hasher.update(piece);
            offset += wanted as u64;
            self.meter.add(wanted)?;
        }
        Ok(hasher.finish())
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "files to be read")]
mod tests {
    use super::*;

    /// Opens a file of so many octets, changes it, and takes its digest.
    fn after(size: u64, change: impl Fn(&File), algorithm: Algorithm) -> io::Result<Measured> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("file");
        let file = File::create(&path)?;
        file.set_len(size)?;
        let source = Source::open(&path)?;
        change(&file);
        let meter = Meter::new(false);
        Measure::new(&meter).digests(source, &[algorithm], &mut Buffer::default())
    }

    #[test]
    fn what_changes_while_it_is_read_has_no_digest() {
        for size in [10, LARGE, LARGE + PART + 1] {
            for algorithm in [Algorithm::Sha256, Algorithm::Blake3] {
                assert_eq!(after(size, |_| (), algorithm).unwrap().size, size);
                for other in [size - 1, size + 1, size + CHUNK as u64, 1] {
                    let error = after(size, |file| file.set_len(other).unwrap(), algorithm);
                    let error = error.unwrap_err().to_string();
                    assert_eq!(error, "changed while it was read", "{size} to {other}");
                }
            }
        }
    }

    /// Every way of reading has the same result.
    #[test]
    fn sizes_around_the_limits_have_the_digests_of_their_octets() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let meter = Meter::new(false);
        for size in [
            0,
            1,
            CHUNK as u64,
            LARGE - 1,
            LARGE,
            LARGE + 1,
            LARGE + PART,
        ] {
            let length = usize::try_from(size).unwrap();
            let octets: Vec<u8> = (0..253).cycle().take(length).collect();
            std::fs::write(&path, &octets).unwrap();
            for algorithms in [&[Algorithm::Blake3][..], &Algorithm::ALL] {
                let source = Source::open(&path).unwrap();
                let measured = Measure::new(&meter)
                    .digests(source, algorithms, &mut Buffer::default())
                    .unwrap();
                let expected: Vec<_> = algorithms.iter().map(|a| a.digest(&octets)).collect();
                assert_eq!((measured.size, measured.digests), (size, expected));
            }
        }
    }
}
