//! Writes a listing into a pipe, a piece whenever the pipe has room: keeper never waits for a client.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use common::jail::{Failure, Jail, ListRequest, Listing, Step};
use common::path::VirtualPath;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{pipe2, write};

/// As much as a pipe takes by default.
const PIECE: usize = 64 << 10;

/// A listing on its way.
pub(super) struct ListingPump {
    listing: Listing,
    /// Closed at the end, which tells the reader.
    pipe: Option<OwnedFd>,
    buffer: Vec<u8>,
    written: usize,
    read_all: bool,
    failed: Option<Failure>,
}

impl ListingPump {
    /// Opens what is to be listed; gives the reading end of the pipe.
    pub(super) fn start(
        jail: &Jail,
        path: &VirtualPath,
        request: &ListRequest,
    ) -> Result<(ListingPump, OwnedFd), Failure> {
        let listing = jail.list(path, request)?;
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        let pump = ListingPump {
            listing,
            pipe: Some(writer),
            buffer: Vec::with_capacity(PIECE),
            written: 0,
            read_all: false,
            failed: None,
        };
        Ok((pump, reader))
    }

    pub(super) fn pipe(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Fills the pipe; at the end of the listing, or when nobody reads it any more, closes it.
    pub(super) fn step(&mut self) {
        while let Some(pipe) = &self.pipe {
            if self.written == self.buffer.len() {
                self.written = 0;
                self.buffer.clear();
                if self.read_all {
                    self.pipe = None;
                    return;
                }
                match self.listing.step(&mut self.buffer, PIECE) {
                    Ok(Step::More) => {}
                    Ok(Step::Done) => self.read_all = true,
                    Err(why) => {
                        self.failed = Some(why);
                        self.read_all = true;
                    }
                }
                continue;
            }
            match write(pipe, &self.buffer[self.written..]) {
                Ok(count) => self.written += count,
                Err(Errno::EAGAIN) => return,
                Err(Errno::EINTR) => {}
                // The other half has closed its end: the transfer was given up.
                Err(_) => self.pipe = None,
            }
        }
    }

    /// How it ended.
    pub(super) fn end(self) -> Result<(), Failure> {
        self.failed.map_or(Ok(()), Err)
    }
}
