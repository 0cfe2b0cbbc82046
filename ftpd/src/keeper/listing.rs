//! Writes a listing into a pipe, a piece whenever the pipe has room: keeper never waits for a client, and looks at its
//! other work after every piece.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use common::jail::{Failure, Jail, ListRequest, Listing, Step};
use common::path::VirtualPath;
use common::proto::listing::Remark;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{pipe2, write};

/// As much as a pipe takes by default.
const PIECE: usize = 64 << 10;
/// The first piece is small, so that a slow directory begins to show at once.
const FIRST_PIECE: usize = 4 << 10;

/// A listing on its way, and how it ended. What it needs on its way is given up at the end, whether or not somebody asks.
pub(super) enum ListingPump {
    Running(Box<Running>),
    Ended(Result<Remark, Failure>),
}

pub(super) struct Running {
    listing: Listing,
    /// Closed at the end, which tells the reader.
    pipe: OwnedFd,
    buffer: Vec<u8>,
    written: usize,
    piece: usize,
    /// There is nothing to come but what is in the buffer.
    ended: Option<Result<Remark, Failure>>,
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
        let running = Running {
            listing,
            pipe: writer,
            buffer: Vec::new(),
            written: 0,
            piece: FIRST_PIECE,
            ended: None,
        };
        Ok((ListingPump::Running(Box::new(running)), reader))
    }

    pub(super) fn pipe(&self) -> Option<BorrowedFd<'_>> {
        match self {
            ListingPump::Running(running) => Some(running.pipe.as_fd()),
            ListingPump::Ended(_) => None,
        }
    }

    /// Makes the next piece, or writes what is left of the last one.
    pub(super) fn step(&mut self) {
        if let ListingPump::Running(running) = self
            && let Some(ended) = running.step()
        {
            *self = ListingPump::Ended(ended);
        }
    }

    /// How it ended. One that is still running was given up by its reader, who knows.
    pub(super) fn end(self) -> Result<Remark, Failure> {
        match self {
            ListingPump::Running(_) => Ok(Remark::Whole),
            ListingPump::Ended(ended) => ended,
        }
    }
}

impl Running {
    /// Moves on by one piece; says how the listing ended when all of it is in the pipe.
    fn step(&mut self) -> Option<Result<Remark, Failure>> {
        if self.written == self.buffer.len() && self.ended.is_none() {
            self.written = 0;
            self.buffer.clear();
            match self.listing.step(&mut self.buffer, self.piece) {
                Ok(Step::More) => {}
                Ok(Step::Done) => self.ended = Some(Ok(self.listing.remark())),
                Err(why) => self.ended = Some(Err(why)),
            }
            if !self.buffer.is_empty() {
                self.piece = PIECE;
            }
        }
        while self.written < self.buffer.len() {
            match write(&self.pipe, &self.buffer[self.written..]) {
                Ok(count) => self.written += count,
                Err(Errno::EAGAIN) => return None,
                Err(Errno::EINTR) => {}
                // The other half has closed its end: the transfer was given up.
                Err(_) => return Some(Ok(Remark::Whole)),
            }
        }
        self.ended
    }
}
