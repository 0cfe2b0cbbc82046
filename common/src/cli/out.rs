//! The one way in which tools write to people and pipes. A reader that goes away is no error; a full disk is one.

use std::fmt::Display;
use std::io::{self, BufWriter, Stdout, Write};
use std::os::fd::AsFd;

/// The standard output, for whichever thread has something to write.
pub type Out = Writer<BufWriter<Stdout>>;

/// Writes until the other end of the pipe closes, and throws away what comes after.
pub struct Writer<W: Write> {
    /// `None` once the reader has gone.
    inner: Option<W>,
}

/// Opens the standard output.
pub fn stdout() -> Out {
    Writer::new(BufWriter::new(io::stdout()))
}

/// Writes all of a text to the standard output; whoever closed it did not want to know.
pub fn print(text: &str) {
    let mut out = stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Tells something on the standard error, unless that is a client's connection. Nobody can be told where it fails.
pub fn complain(program: &str, message: impl Display) {
    if complaints_are_welcome() {
        let _ = writeln!(io::stderr().lock(), "{program}: {message}");
    }
}

// SECURITY: inetd gives the client's connection as standard error too, and no client may read about our files.
pub(super) fn complaints_are_welcome() -> bool {
    use nix::sys::stat::fstat;
    match (fstat(io::stdin().as_fd()), fstat(io::stderr().as_fd())) {
        (Ok(input), Ok(errors)) => {
            let socket = errors.st_mode & libc::S_IFMT == libc::S_IFSOCK;
            !socket || (input.st_dev, input.st_ino) != (errors.st_dev, errors.st_ino)
        }
        _ => true,
    }
}

impl<W: Write> Writer<W> {
    pub fn new(inner: W) -> Writer<W> {
        Writer { inner: Some(inner) }
    }

    /// Whether anybody still reads.
    pub fn is_open(&self) -> bool {
        self.inner.is_some()
    }

    fn attempt<T>(
        &mut self,
        nothing: T,
        write: impl FnOnce(&mut W) -> io::Result<T>,
    ) -> io::Result<T> {
        let Some(inner) = &mut self.inner else {
            return Ok(nothing);
        };
        match write(inner) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.inner = None;
                Ok(nothing)
            }
            other => other,
        }
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.attempt(octets.len(), |inner| inner.write(octets))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.attempt((), W::flush)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails every write in one way.
    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_closed_pipe_is_success_and_the_end() {
        let mut out = Writer::new(Broken(io::ErrorKind::BrokenPipe));
        assert!(out.is_open());
        assert!(out.write_all(b"line\n").is_ok());
        assert!(!out.is_open());
        assert!(out.flush().is_ok());
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let mut out = Writer::new(Broken(io::ErrorKind::StorageFull));
        assert!(out.write_all(b"line\n").is_err());
        assert!(out.flush().is_err());
    }
}
