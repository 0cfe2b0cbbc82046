//! The network half of a session: gives up everything but the descriptors that it has, and speaks FTP on both sides.

use std::os::fd::{AsFd, OwnedFd};

use common::channel::{Asker, Dialling};
use common::listener::Status;
use common::net::{self, Ends};
use common::proxy;
use common::pump::Pipe;
use common::sandbox::{self, Role};

use crate::daemon::Setup;

/// Serves the client on `socket` until the session is over.
pub(crate) fn run(
    setup: &Setup,
    socket: OwnedFd,
    dialer: Asker<Dialling>,
    ends: Ends,
    terms: proxy::Terms,
) -> Status {
    let broken = |what: &str, why: &dyn std::fmt::Display| {
        let client = ends.client();
        setup
            .log
            .line(&format!("session for {client}: {what}: {why}"));
    };
    // Before the sandbox, in which there are neither options of a socket nor pipes.
    net::prepare_control(&socket, net::KEEPALIVE_AFTER);
    let pipe = match Pipe::new() {
        Ok(pipe) => pipe,
        Err(error) => {
            broken("pipe", &error);
            return Status::Broken;
        }
    };
    let mut kept = vec![socket.as_fd(), dialer.as_fd()];
    kept.extend(pipe.descriptors());
    kept.extend(setup.log.descriptor());
    let entered = sandbox::enter_empty(
        Role::Gateway,
        &setup.programs,
        setup.config.user,
        setup.empty_root.as_ref(),
        &kept,
    );
    if let Err(error) = entered {
        broken("sandbox", &error);
        return Status::SandboxFailed;
    }
    proxy::serve(proxy::Setup {
        config: &setup.config,
        client: socket,
        ends,
        dialer,
        pipe,
        terms,
        log: setup.log.clone(),
    })
}
