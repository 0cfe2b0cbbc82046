//! Leases of rates that are shared: the network half asks here, and hears from the listener through a pipe.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use common::channel::{self, Answerer, Broken, LeaseAnswer, LeaseRequest, Leasing};
use common::listener::Reports;
use common::rate::{Direction, Rates};
use nix::errno::Errno;

/// Keeper's end of the channel for leases.
pub(super) struct Leases {
    channel: Answerer<Leasing>,
    user_rates: Rates,
}

impl Leases {
    /// Makes the channel; its other end is the network half's.
    pub(super) fn new(user_rates: Rates) -> Result<(Leases, OwnedFd), Errno> {
        let (asker, channel) = channel::ends()?;
        let leases = Leases {
            channel,
            user_rates,
        };
        Ok((leases, asker))
    }

    /// Passes the request that has come, if one has, on to the listener.
    pub(super) fn answer(&mut self, reports: &Reports) -> Result<(), Broken> {
        let Some((ticket, request)) = self.channel.receive()? else {
            return Ok(());
        };
        let direction = match request {
            LeaseRequest::Download => Direction::Download,
            LeaseRequest::Upload => Direction::Upload,
        };
        match reports.lease(direction, self.user_rates) {
            Ok(pipe) => {
                let pipe = Some(pipe.as_fd());
                self.channel.answer(ticket, &LeaseAnswer::Leased, pipe)
            }
            Err(_) => self.channel.answer(ticket, &LeaseAnswer::Alone, None),
        }
    }
}

impl AsFd for Leases {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }
}
