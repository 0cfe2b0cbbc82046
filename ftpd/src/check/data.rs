//! Looks at the ports for clients, and at the rules for data connections: those that are never reached, and names that lead
//! nowhere.

use std::collections::BTreeSet;

use common::entrances;
use common::lookup::address_of;
use common::net;
use common::sandbox::is_root;
use common::settings::peers::Peers;
use common::settings::rules::{Advertised, Rules};
use common::settings::{Config, DataBinding};

use super::Finding::{self, Warning};

/// Looks at everything.
pub(super) fn look(config: &Config, found: &mut Vec<Finding>) {
    let server = &config.server;
    match entrances::look(&server.bind, server.port, &server.tls) {
        Ok(notes) => found.extend(notes.into_iter().map(Finding::Note)),
        Err(why) => found.push(Finding::Error(why)),
    }
    let admitted = entrances::may_admit(server.leading.transparent.into());
    found.extend(admitted.err().map(Finding::Error));
    idle("PassiveAddress", &server.passive_addresses, found);
    idle("PassivePorts", &server.passive_ports, found);
    idle("PassivePeers", &server.passive_peers, found);
    idle("ActiveTargets", &server.active_targets, found);
    strangers(config, found);
    if !is_root()
        && let Err(sentence) = net::may_use(&server.active_sources)
    {
        found.push(Finding::Error(sentence));
    }
    names(&server.passive_addresses, found);
}

fn idle<T>(key: &str, rules: &Rules<T>, found: &mut Vec<Finding>) {
    for (rule, first) in rules.idle() {
        found.push(Warning(format!(
            "{key}: {rule} is never used: {first} stands before it, and the first rule that fits counts"
        )));
    }
}

/// What lets in more than one may think, or less.
fn strangers(config: &Config, found: &mut Vec<Finding>) {
    let (server, binding) = (&config.server, config.session.protection.binding);
    let bound = |peers: &Peers| peers.bound;
    if server.passive_peers.values().any(bound) && binding != DataBinding::Require {
        found.push(Warning(
            "PassivePeers: tls lets nobody in without TLSDataBinding=require".to_owned(),
        ));
    }
    if server.passive_peers.values().any(Peers::is_anybody) {
        found.push(Warning(
            "PassivePeers: any: whoever guesses a passive port gets the file, or sends another one, in the client's place"
                .to_owned(),
        ));
    }
    if server.active_targets.values().any(Peers::is_anybody) {
        found.push(Warning(
            "ActiveTargets: any: clients can have this server connect to whom they want (RFC 2577)"
                .to_owned(),
        ));
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
