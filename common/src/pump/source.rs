//! Where the octets of a download or a listing come from.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;

use super::Step;

/// Makes octets itself, and may have to wait for something else before it can.
pub trait Producer {
    /// Fills the beginning of `buffer`, tells how much of it, and zero at the end.
    ///
    /// # Errors
    /// The step that the flow is to take instead: [`Step::WaitsForSource`], or a failure.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Step>;

    /// What it waits for, to be readable.
    fn awaited(&self) -> BorrowedFd<'_>;
}

/// What is sent.
pub enum Source<'a> {
    /// The octets of a file from an offset to an end.
    File {
        file: OwnedFd,
        offset: u64,
        end: u64,
    },
    /// All that comes out of a pipe, whose writer may be behind.
    Pipe(OwnedFd),
    Made(&'a mut dyn Producer),
}

impl Source<'_> {
    /// Reads the next octets; zero is the end.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Step> {
        let result = match self {
            Source::File { offset, end, .. } if *offset >= *end => return Ok(0),
            Source::File { file, offset, end } => {
                let left = usize::try_from(*end - *offset).unwrap_or(usize::MAX);
                let piece = left.min(buffer.len());
                let place =
                    i64::try_from(*offset).map_err(|_| Step::StoreFailed(Errno::EOVERFLOW))?;
                match nix::sys::uio::pread(&*file, &mut buffer[..piece], place) {
                    // The file has become shorter meanwhile: the client must not take what there was for the whole.
                    Ok(0) => Err(Errno::EIO),
                    Ok(count) => {
                        *offset += count as u64;
                        Ok(count)
                    }
                    error => error,
                }
            }
            Source::Pipe(pipe) => nix::unistd::read(&*pipe, buffer),
            Source::Made(producer) => return producer.read(buffer),
        };
        result.map_err(|errno| match errno {
            Errno::EAGAIN => Step::WaitsForSource,
            Errno::EINTR => Step::Moved(0),
            errno => Step::StoreFailed(errno),
        })
    }
}

impl AsFd for Source<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Source::File { file: fd, .. } | Source::Pipe(fd) => fd.as_fd(),
            Source::Made(producer) => producer.awaited(),
        }
    }
}
