//! Where the octets of a download or a listing come from.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;

use super::Step;

/// What is sent.
#[derive(Debug)]
pub enum Source {
    /// The octets of a file from an offset to an end.
    File {
        file: OwnedFd,
        offset: u64,
        end: u64,
    },
    /// All that comes out of a pipe, whose writer may be behind.
    Pipe(OwnedFd),
}

impl Source {
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
        };
        result.map_err(|errno| match errno {
            Errno::EAGAIN => Step::WaitsForSource,
            Errno::EINTR => Step::Moved(0),
            errno => Step::StoreFailed(errno),
        })
    }
}

impl AsFd for Source {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Source::File { file: fd, .. } | Source::Pipe(fd) => fd.as_fd(),
        }
    }
}
