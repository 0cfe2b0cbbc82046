//! What may change about a listener while it runs. Decides nothing: whoever has read the settings anew does.

use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;

use super::{Listener, Office, Pool, Port, Renewal};
use crate::entrances::Change;
use crate::hookd::{Happened, Recipe};
use crate::hooks::Kind;
use crate::rate::Rates;
use crate::settings::Limits;
use crate::spool::Spool;

impl Listener {
    /// Goes by other limits from now on. Nobody who is there has to go, and penalties stay.
    pub fn set_limits(&mut self, limits: Limits, total: Rates) {
        self.door.set_limits(limits);
        self.leases.set_total(total);
    }

    /// How long sessions may finish what they do, when it is told to stop.
    pub fn set_drain_time(&mut self, time: Duration) {
        self.drain_time = time;
    }

    /// The ports that are open.
    pub fn ports(&self) -> &[Port] {
        &self.ports
    }

    /// Listens at other ports. Who waits at one that is closed, and is not accepted yet, has to connect again.
    pub fn change_ports(&mut self, change: Change) {
        self.ports.retain(|port| change.stay.contains(&port.gate));
        self.ports.extend(change.opened);
    }

    /// Offers other certificates, or none, to new sessions.
    pub fn set_renewal(&mut self, renewal: Option<Renewal>) {
        self.renewal = renewal;
    }

    /// The servers of the pool.
    pub fn pool(&self) -> Option<&Pool> {
        self.pool.as_ref()
    }

    /// Looks after other servers from now on.
    pub fn set_pool(&mut self, pool: Option<Pool>) {
        self.pool = pool;
    }

    /// Begins to read the certificates anew, if there are any.
    pub fn renew_certificates(&mut self) {
        match &mut self.renewal {
            Some(renewal) => renewal.begin(&self.log),
            None => self
                .log
                .line("SIGHUP: there are no certificates to read anew"),
        }
    }

    /// Starts the hookd of other hooks, which do nothing yet.
    ///
    /// # Errors
    /// What socketpair(2) and fork(2) say.
    pub fn prepare_hooks(&self, recipe: Recipe) -> Result<Office, Errno> {
        self.hooks.prepare(recipe)
    }

    /// The directory where hooks keep events of uploads, if they do.
    pub fn spool(&self) -> Option<&Arc<Spool>> {
        self.hooks.spool()
    }

    /// Has new sessions go by other hooks, or by none.
    pub fn change_hooks(&mut self, office: Option<Office>) {
        self.hooks.appoint(office);
    }

    /// Tells hooks that the settings were read anew, and what came of it.
    pub fn tell_reload(&mut self, outcome: &str) {
        self.hooks
            .tell(Happened::new(Kind::Reload).because(outcome));
    }
}
