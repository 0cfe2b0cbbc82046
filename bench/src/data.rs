//! The files that are transferred, in a scratch directory, in memory unless another place is named, and the comparison with what came back.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process;

use nix::unistd::{Gid, Uid, geteuid};

use crate::undo::{self, Undo};

pub(crate) const BIG: u64 = 1 << 30;
pub(crate) const SMALL: usize = 4096;
pub(crate) const SMALL_FILES: usize = 1000;
pub(crate) const LISTED: usize = 100_000;

/// Lines of text of so many octets, with the line feed.
pub(crate) const LINE: usize = 35;
pub(crate) const LINES: u64 = 4 << 20;
/// What compresses as files do: the machine's shared libraries, up to so much.
pub(crate) const MIXED: &str = "mixed";
const MIXED_MOST: u64 = 64 << 20;

pub(crate) const MEMORY: &str = "/dev/shm";
const PREFIX: &str = "ftpbench.";
const BLOCK: usize = 1 << 20;

#[derive(Debug)]
pub(crate) struct Scratch {
    pub(crate) directory: PathBuf,
    _undo: Undo,
}

impl Scratch {
    pub(crate) fn create(place: &Path) -> io::Result<Self> {
        remove_left_over(place)?;
        let directory = place.join(format!("{PREFIX}{}", process::id()));
        let removed = directory.clone();
        DirBuilder::new().mode(0o755).create(&directory)?;
        let undo = undo::at_end(move || {
            let _ = fs::remove_dir_all(removed);
        });
        Ok(Self {
            directory,
            _undo: undo,
        })
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.directory.join("home")
    }
}

/// A run that was killed could not remove its gigabyte.
fn remove_left_over(place: &Path) -> io::Result<()> {
    for entry in fs::read_dir(place)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let Some(number) = number.and_then(|number| number.parse::<u32>().ok()) else {
            continue;
        };
        let running = Path::new("/proc").join(number.to_string()).exists();
        if !running && entry.metadata()?.uid() == geteuid().as_raw() {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// The home directory of the account: `big`, `lines`, `mixed`, `small/`, `list/`, and an empty `up/` for uploads.
#[derive(Debug)]
pub(crate) struct Data {
    pub(crate) home: PathBuf,
    small: Vec<Vec<u8>>,
    owner: Option<(Uid, Gid)>,
}

impl Data {
    /// Nothing but an empty `up/`.
    pub(crate) fn for_uploads(home: PathBuf, owner: Option<(Uid, Gid)>) -> io::Result<Self> {
        let data = Self {
            home,
            small: (1..=SMALL_FILES as u64)
                .map(|seed| Noise(seed).bytes(SMALL))
                .collect(),
            owner,
        };
        data.make_directory(&data.home)?;
        data.empty_uploads()?;
        Ok(data)
    }

    pub(crate) fn prepare(home: PathBuf, owner: Option<(Uid, Gid)>) -> io::Result<Self> {
        let data = Self::for_uploads(home, owner)?;
        for directory in ["small", "list"] {
            data.make_directory(&data.home.join(directory))?;
        }
        for (index, content) in data.small.iter().enumerate() {
            data.write(&data.home.join("small").join(small_name(index)), |file| {
                file.write_all(content)
            })?;
        }
        for index in 0..LISTED {
            data.write(&data.home.join("list").join(listed_name(index)), |_| Ok(()))?;
        }
        data.write(&data.big(), |file| {
            let mut noise = Noise(u64::from(process::id()));
            for _ in 0..BIG / BLOCK as u64 {
                file.write_all(&noise.bytes(BLOCK))?;
            }
            Ok(())
        })?;
        for (path, end) in [(data.lines(), "\n"), (data.lines_of_network(), "\r\n")] {
            let line = format!("{}{end}", "x".repeat(LINE - 1)).repeat(1 << 10);
            data.write(&path, |file| {
                (0..LINES >> 10).try_for_each(|_| file.write_all(line.as_bytes()))
            })?;
        }
        data.write(&data.mixed(), |file| libraries(file, MIXED_MOST))?;
        Ok(data)
    }

    pub(crate) fn lines(&self) -> PathBuf {
        self.home.join("lines")
    }

    /// The same with the line ends of the network; no client asks for it.
    pub(crate) fn lines_of_network(&self) -> PathBuf {
        self.home.join("lines.network")
    }

    pub(crate) fn mixed(&self) -> PathBuf {
        self.home.join(MIXED)
    }

    pub(crate) fn big(&self) -> PathBuf {
        self.home.join("big")
    }

    /// What `small/` holds under `small_name(index)`, and what an upload of that name must hold.
    pub(crate) fn small(&self, index: usize) -> &[u8] {
        &self.small[index % SMALL_FILES]
    }

    pub(crate) fn uploaded(&self, name: &str) -> PathBuf {
        self.home.join("up").join(name)
    }

    pub(crate) fn empty_uploads(&self) -> io::Result<()> {
        let uploads = self.home.join("up");
        if uploads.exists() {
            fs::remove_dir_all(&uploads)?;
        }
        self.make_directory(&uploads)
    }

    /// The uploads are exactly the first `count` small files.
    pub(crate) fn check_small_uploads(&self, count: usize) -> io::Result<()> {
        let present = fs::read_dir(self.home.join("up"))?.count();
        if present != count {
            return Err(io::Error::other(format!(
                "{present} files instead of {count}"
            )));
        }
        for index in 0..count {
            let name = small_name(index);
            if fs::read(self.uploaded(&name))? != self.small(index) {
                return Err(io::Error::other(format!("{name}: wrong content")));
            }
        }
        Ok(())
    }

    fn make_directory(&self, path: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o755).create(path)?;
        self.give_away(path)
    }

    fn write(
        &self,
        path: &Path,
        content: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<()> {
        content(&mut File::create_new(path)?)?;
        self.give_away(path)
    }

    fn give_away(&self, path: &Path) -> io::Result<()> {
        match self.owner {
            Some((uid, gid)) => chown(path, Some(uid.as_raw()), Some(gid.as_raw())),
            None => Ok(()),
        }
    }
}

/// Writes the shared libraries of this machine one behind the other, in the order of their names.
fn libraries(file: &mut File, most: u64) -> io::Result<()> {
    let mut paths = Vec::new();
    let top = Path::new("/usr/lib");
    for directory in [top.to_owned()].into_iter().chain(directories(top)?) {
        for entry in fs::read_dir(directory)?.flatten() {
            let is_library = entry.file_name().to_string_lossy().contains(".so");
            if is_library && entry.file_type()?.is_file() {
                paths.push(entry.path());
            }
        }
    }
    paths.sort();
    let mut left = most;
    for path in paths {
        left -= io::copy(&mut File::open(path)?.take(left), file)?;
    }
    Ok(())
}

fn directories(of: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(of)?.flatten() {
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

pub(crate) fn small_name(index: usize) -> String {
    format!("s{index:06}")
}

pub(crate) fn listed_name(index: usize) -> String {
    format!("f{index:05}")
}

/// Fails unless `received` has exactly the bytes of `expected`.
pub(crate) fn compare(received: impl Read, expected: impl Read) -> io::Result<()> {
    let (mut received, mut expected) = (Blocks::of(received), Blocks::of(expected));
    let mut position = 0;
    loop {
        let (left, right) = (received.next()?, expected.next()?);
        if left != right {
            let at = left
                .iter()
                .zip(right)
                .take_while(|(left, right)| left == right);
            let at = position + at.count();
            return Err(io::Error::other(format!("wrong content from byte {at} on")));
        }
        if left.is_empty() {
            return Ok(());
        }
        position += left.len();
    }
}

/// Cuts a stream into full blocks, however its reads fall.
struct Blocks<R> {
    stream: R,
    buffer: Vec<u8>,
}

impl<R: Read> Blocks<R> {
    fn of(stream: R) -> Self {
        Self {
            stream,
            buffer: vec![0; BLOCK],
        }
    }

    fn next(&mut self) -> io::Result<&[u8]> {
        let mut filled = 0;
        while filled < self.buffer.len() {
            match self.stream.read(&mut self.buffer[filled..]) {
                Ok(0) => break,
                Ok(length) => filled += length,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(cause),
            }
        }
        Ok(&self.buffer[..filled])
    }
}

/// Bytes that no compressor and no page merging makes smaller (SplitMix64).
struct Noise(u64);

impl Noise {
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        for chunk in bytes.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = self.0;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^= word >> 31;
            chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_a_missing_and_an_extra_byte_are_each_found() {
        let good = Noise(1).bytes(BLOCK + 10);
        assert!(compare(&good[..], &good[..]).is_ok());
        let mut bad = good.clone();
        bad[BLOCK + 3] ^= 1;
        let error = compare(&bad[..], &good[..]).unwrap_err().to_string();
        assert!(error.contains(&(BLOCK + 3).to_string()), "{error}");
        assert!(compare(&good[..BLOCK], &good[..]).is_err());
        assert!(compare(&good[..], &good[..BLOCK]).is_err());
    }

    #[test]
    fn small_files_differ_from_each_other() {
        assert_ne!(Noise(1).bytes(SMALL), Noise(2).bytes(SMALL));
    }
}
