//! What every session is started with: made once by the listener, before the first fork.

use std::sync::Arc;
use std::time::Duration;

use common::activity::Page;
use common::dialer::Rules;
use common::gateway::Gateway;
use common::hookd::Interest;
use common::jail::Names;
use common::listener::{Drain, Entrance};
use common::log::Log;
use common::lookup::Found;
use common::sandbox::{EmptyRoot, Programs};
use common::settings::{Config, GatewayConfig};
use common::tls::clients::Clients;
use common::tls::{Certificates, Trusted};
use common::turns::Turns;

/// Read-only from the first client on; it holds no secret.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) config: Config,
    pub(crate) programs: Programs,
    /// Only root needs and can use it.
    pub(crate) empty_root: Option<EmptyRoot>,
    pub(crate) names: Names,
    /// How many sessions take digests at a time; a single session needs none.
    pub(crate) turns: Option<Turns>,
    /// The addresses that names in PassiveAddress lead to.
    pub(crate) found: Found,
    /// What hooks are for, and the longest that a session waits for them.
    pub(crate) interest: Interest,
    pub(crate) longest_hook: Duration,
    /// What sessions are led to other servers by, if they are.
    pub(crate) gateway: Option<GatewayConfig>,
    /// Who certifies those servers, where they are spoken to under TLS.
    pub(crate) trusted: Option<Trusted>,
    pub(crate) log: Log,
}

impl Setup {
    /// How sessions are led to other servers, if they are.
    pub(crate) fn gateway(&self) -> Option<Gateway<'_>> {
        let [.., user] = self.config.server.own_uids();
        let rules = Rules {
            config: self.gateway.as_ref()?,
            programs: &self.programs,
            log: &self.log,
            user,
            standing: None,
        };
        Some(Gateway {
            rules,
            empty_root: self.empty_root.as_ref(),
            trusted: self.trusted.as_ref(),
            interest: self.interest,
            longest_hook: self.longest_hook,
        })
    }
}

/// What is between a network half and the listener alone.
#[derive(Debug)]
pub(crate) struct Aside {
    /// Where it tells what it does.
    pub(crate) page: Option<Page>,
    /// Where it hears that it should go.
    pub(crate) drain: Option<Drain>,
}

/// How the connection of a client is, or may be, made secure.
#[derive(Debug)]
pub(crate) struct Security {
    pub(crate) entrance: Entrance,
    /// None where TLS is not offered.
    pub(crate) certificates: Option<Arc<Certificates>>,
    /// Who tells whose the certificates of clients are, where they are asked for any.
    pub(crate) clients: Option<Clients>,
}
