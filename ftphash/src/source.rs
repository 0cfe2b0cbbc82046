//! Opens what is read, and tells whether it stayed as it was. Reads nothing itself.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Something to read from its beginning to its end.
pub(crate) struct Source {
    reader: Reader,
    /// What a regular file was like when it was opened. The kernel's own files, without a size, are no such.
    before: Option<Stamp>,
}

enum Reader {
    File(File),
    Input(io::Stdin),
}

/// What is different after a file was written to.
#[derive(PartialEq)]
struct Stamp {
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

impl Source {
    /// Opens a file of any kind, or the standard input for `-`.
    ///
    /// # Errors
    /// As open(2); a directory has no contents.
    pub(crate) fn open(path: &Path) -> io::Result<Source> {
        if path == Path::new("-") {
            return Ok(Source {
                reader: Reader::Input(io::stdin()),
                before: None,
            });
        }
        let mut options = File::options();
        Source::with(options.read(true), path)
    }

    /// Opens a regular file that a tree was found to have, and nothing that took its place since: no link is followed,
    /// and nothing is waited for.
    ///
    /// # Errors
    /// As open(2), and where it is no regular file.
    pub(crate) fn open_found(path: &Path) -> io::Result<Source> {
        let mut options = File::options();
        options
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        let source = Source::with(&options, path)?;
        if let Reader::File(file) = &source.reader
            && !file.metadata()?.is_file()
        {
            return Err(io::Error::other("is no regular file any more"));
        }
        Ok(source)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a file that the caller named, opened with the caller's rights"
    )]
    fn with(options: &std::fs::OpenOptions, path: &Path) -> io::Result<Source> {
        let file = options.open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        let lasting = metadata.is_file() && metadata.len() > 0;
        Ok(Source {
            reader: Reader::File(file),
            before: lasting.then(|| Stamp::of(&metadata)),
        })
    }

    /// How long it is, where that is known before it has been read.
    pub(crate) fn size(&self) -> Option<u64> {
        self.before.as_ref().map(|before| before.size)
    }

    /// The file, for reading at more than one place, where its size is known.
    pub(crate) fn file(&self) -> Option<&File> {
        match &self.reader {
            Reader::File(file) => self.before.as_ref().map(|_| file),
            Reader::Input(_) => None,
        }
    }

    /// Goes on from this octet of a file.
    ///
    /// # Errors
    /// What has no places cannot be skipped.
    pub(crate) fn skip_to(&mut self, offset: u64) -> io::Result<()> {
        match &mut self.reader {
            Reader::File(file) => file.seek(io::SeekFrom::Start(offset)).map(|_| ()),
            Reader::Input(_) if offset == 0 => Ok(()),
            Reader::Input(_) => Err(io::ErrorKind::NotSeekable.into()),
        }
    }

    /// Whether it is still what it was when it was opened: of what changes meanwhile a digest says nothing.
    ///
    /// # Errors
    /// It changed, or is not to be had any more.
    pub(crate) fn check_unchanged(&self, read: u64) -> io::Result<()> {
        let (Reader::File(file), Some(before)) = (&self.reader, &self.before) else {
            return Ok(());
        };
        if Stamp::of(&file.metadata()?) != *before || read != before.size {
            return Err(changed());
        }
        Ok(())
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = match &mut self.reader {
                Reader::File(file) => file.read(buffer),
                Reader::Input(input) => input.read(buffer),
            };
            match count {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }
}

/// The error of a file of which a digest would say nothing.
pub(crate) fn changed() -> io::Error {
    io::Error::other("changed while it was read")
}

/// What names the file that the standard output goes to, if it is one: it grows while it is written.
pub(crate) fn output() -> Option<(u64, u64)> {
    use std::os::fd::AsFd;
    let output = io::stdout().as_fd().try_clone_to_owned().ok()?;
    let metadata = File::from(output).metadata().ok()?;
    metadata.is_file().then(|| (metadata.dev(), metadata.ino()))
}

/// The system's words for an error, without its number.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}
