//! What keeper forks here instead of the real network half: it hands its end of the channel to the test and obeys nobody.

use std::cell::RefCell;
use std::os::fd::{AsFd, OwnedFd};

use common::channel::{Asker, PreLogin};
use common::listener::Status;
use common::net::Ends;
use common::sandbox::{self, Role};
use common::sys;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::setup::{Aside, Security, Setup};

/// What the hostile half does once the test has its end of the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Ends, as a network half does.
    Leave,
    /// Lives on, whatever becomes of the channel, until the test lets it go.
    Stay,
}

thread_local! {
    /// Where the end of the channel goes, set before keeper is forked.
    static HANDOVER: RefCell<Option<(OwnedFd, Then)>> = const { RefCell::new(None) };
}

/// Prepares this process for [`run`].
pub(crate) fn hand_over_to(socket: OwnedFd, then: Then) {
    HANDOVER.set(Some((socket, then)));
}

pub(crate) fn run(
    setup: &Setup,
    client: OwnedFd,
    channel: Asker<PreLogin>,
    _ends: Ends,
    security: Security,
    aside: Aside,
) -> Status {
    drop((aside.page, aside.drain));
    let Some((test, then)) = HANDOVER.take() else {
        return Status::Broken(None);
    };
    let Security {
        entrance,
        certificates,
        clients,
    } = security;
    // What keeper gives is asked for by the test, whatever these are.
    drop((entrance, certificates, clients));
    // It has given up what the real one gives up: who takes it over is inside already.
    let entered = sandbox::enter_network_half(
        Role::Session,
        &setup.programs,
        setup.config.server.session_user,
        setup.empty_root.as_ref(),
        &[client.as_fd(), channel.as_fd(), test.as_fd()],
        setup.log.descriptor(),
    );
    if entered.is_err() {
        return Status::SandboxFailed;
    }
    let handed = sys::send_datagram(test.as_fd(), b"channel", Some(channel.as_fd()));
    drop(channel);
    if handed.is_err() {
        return Status::Broken(None);
    }
    if then == Then::Stay {
        let mut gone = [PollFd::new(test.as_fd(), PollFlags::POLLIN)];
        while poll(&mut gone, PollTimeout::NONE).is_err() {}
    }
    drop(client);
    Status::Ended
}
