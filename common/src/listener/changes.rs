//! What may change about a listener while it runs. Decides nothing: whoever has read the settings anew does.

use super::{Entrance, Listener, Port, Renewal};
use crate::hooks::Kind;
use crate::rate::Rates;
use crate::settings::Limits;

impl Listener {
    /// Goes by other limits from now on. Nobody who is there has to go, and penalties stay.
    pub fn set_limits(&mut self, limits: Limits, total: Rates) {
        self.door.set_limits(limits);
        self.leases.set_total(total);
    }

    /// Listens at other ports: `new` ones are added, and of the old ones stay those with these entrances. Who waits at
    /// the others and is not accepted yet has to connect again.
    pub fn replace_ports(&mut self, stay: &[Entrance], new: Vec<Port>) {
        self.ports.retain(|port| stay.contains(&port.entrance));
        self.ports.extend(new);
    }

    /// Offers other certificates, or none, to new sessions.
    pub fn set_renewal(&mut self, renewal: Option<Renewal>) {
        self.renewal = renewal;
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

    /// Tells hooks that the settings were read anew, and what came of it.
    pub fn tell_reload(&self, outcome: &str) {
        if let Some(hooks) = &self.hooks {
            hooks.tell(Kind::Reload, outcome);
        }
    }
}
