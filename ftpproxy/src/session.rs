//! One session: its process parts in two, the network half and the dialer.

use std::time::Instant;

use common::channel::{self, Asker, Dialling};
use common::dialer::{Dialer, Rules, Visit};
use common::listener::{Client, Status, halves};
use common::proxy::Terms;
use common::sys::{self, Fork};

use crate::daemon::Setup;
use crate::network;

/// Serves one client: forks the network half and stays as the trusted half. Tells how the session ended; the process
/// must exit with that and nothing else, since it has closed what it inherited.
pub(crate) fn serve(setup: &Setup, client: Client) -> Status {
    let Client {
        socket,
        ends,
        entrance,
        tls,
        lifeline,
        reports,
        // A gateway has none.
        hooks: _,
    } = client;
    let made = channel::ends::<Dialling>();
    let ((asker, answerer), fork) = match halves::part(made, ends.client(), &setup.log) {
        Ok(parted) => parted,
        Err(status) => return status,
    };
    match fork {
        Fork::Child => {
            drop((answerer, lifeline, reports));
            let terms = Terms {
                entrance,
                certificates: tls.map(|offer| offer.certificates),
            };
            sys::exit(network::run(setup, socket, Asker::over(asker), ends, terms).code())
        }
        Fork::Parent(session) => {
            let rules = Rules {
                config: &setup.config,
                programs: &setup.programs,
                log: &setup.log,
            };
            let visit = Visit {
                ends,
                lifeline,
                reports,
                tls,
                given: rules.given(&socket, ends),
                began: Instant::now(),
            };
            drop((socket, asker));
            match sys::watch_process(session) {
                Ok(ended) => {
                    let status = Dialer::new(rules, visit).stay(answerer, &ended);
                    halves::outlive(session, &ended, status)
                }
                Err(errno) => {
                    setup.log.line(&format!("pidfd_open failed: {errno}"));
                    Status::Broken
                }
            }
        }
    }
}
