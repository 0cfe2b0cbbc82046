//! How fast data may move, from one transfer to the next. Asks keeper for what is shared with other sessions.

use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use common::channel::{Account, Asker, LeaseAnswer, LeaseRequest, Leasing};
use common::pump::{Lessor, Pace};
use common::rate::Direction;

/// One for each direction.
pub(crate) struct Paces {
    pub(crate) download: Pace,
    pub(crate) upload: Pace,
}

/// The channel for leases, which only the direction that moves data uses.
struct Tenant {
    channel: Rc<RefCell<Asker<Leasing>>>,
    direction: Direction,
}

impl Paces {
    /// As the account says; `leases` is the channel for rates that are shared.
    pub(crate) fn new(account: &Account, leases: Option<OwnedFd>) -> Paces {
        let channel = leases.map(|socket| Rc::new(RefCell::new(Asker::over(socket))));
        let pace = |direction| {
            let pace = Pace::new(account.rates.of(direction));
            match (&channel, account.shared.of(direction)) {
                (Some(channel), Some(rate)) => {
                    let channel = Rc::clone(channel);
                    pace.sharing(rate, Tenant { channel, direction })
                }
                _ => pace,
            }
        };
        Paces {
            download: pace(Direction::Download),
            upload: pace(Direction::Upload),
        }
    }
}

impl Lessor for Tenant {
    fn lease(&mut self) -> Option<OwnedFd> {
        let request = match self.direction {
            Direction::Download => LeaseRequest::Download,
            Direction::Upload => LeaseRequest::Upload,
        };
        match self.channel.borrow_mut().call(&request) {
            Ok((LeaseAnswer::Leased, pipe)) => pipe,
            Ok((LeaseAnswer::Alone, _)) | Err(_) => None,
        }
    }
}
