//! Looks at the rules for data connections: those that are never reached, and names that lead nowhere.

use std::collections::BTreeSet;

use common::lookup::address_of;
use common::settings::ServerConfig;
use common::settings::rules::{Advertised, Rules};

use super::Finding::{self, Warning};

/// Looks at everything.
pub(super) fn look(server: &ServerConfig, found: &mut Vec<Finding>) {
    idle("PassiveAddress", &server.passive_addresses, found);
    idle("PassivePorts", &server.passive_ports, found);
    names(&server.passive_addresses, found);
}

fn idle<T>(key: &str, rules: &Rules<T>, found: &mut Vec<Finding>) {
    for (rule, first) in rules.idle() {
        found.push(Warning(format!(
            "{key}: {rule} is never used: {first} stands before it, and the first rule that fits counts"
        )));
    }
}

fn names(rules: &Rules<Advertised>, found: &mut Vec<Finding>) {
    let mut asked = BTreeSet::new();
    for source in rules
        .values()
        .filter(|source| **source != Advertised::Local)
    {
        if asked.insert(source.to_string())
            && let Err(error) = address_of(source)
        {
            found.push(Warning(format!(
                "PassiveAddress: {source}: {error}: until it is found, clients are told the server's own address"
            )));
        }
    }
}
