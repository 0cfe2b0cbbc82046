//! Reads the settings anew while the daemon runs (SIGHUP): all of them hold for new sessions, or none does. Sessions that
//! run keep what they began with.

use common::listener::{Entrance, Listener, Port, Renewal};
use common::lookup::Found;
use common::settings::{Config, ServerConfig, Source};
use common::startup::{self, apart};
use common::sys;

use crate::daemon::{look, lookup_for, signer_for};
use crate::setup::Setup;

/// Ports for new settings.
struct Ports {
    /// The entrances whose old port will do.
    stay: Vec<Entrance>,
    opened: Vec<Port>,
}

/// What was made for the new settings; `None` where the old one will do.
struct Made {
    ports: Option<Ports>,
    renewal: Option<Option<Renewal>>,
    found: Option<Found>,
}

/// Reads everything anew and goes on with it; with what was, if anything is wrong. The log tells.
pub(crate) fn reload(source: &Source, setup: &mut Setup, listener: &mut Listener) {
    match anew(source, setup) {
        Ok((config, made)) => {
            put_to_use(config, made, setup, listener);
            setup.log.line("settings: read anew, for new sessions");
            listener.tell_reload("done");
        }
        Err(problems) => {
            for problem in problems {
                // What points at the place is for a terminal.
                let line = problem.lines().next().unwrap_or_default();
                setup.log.line(&format!("settings: not read anew: {line}"));
            }
            listener.tell_reload("refused");
        }
    }
}

/// The settings, and what they need. Nothing that runs is changed.
fn anew(source: &Source, setup: &Setup) -> Result<(Config, Made), Vec<String>> {
    let source = source.clone();
    // Its garbage is not to become every session's.
    sys::expect_threads();
    let loaded = apart(move || source.load());
    sys::promise_single_thread();
    let loaded = loaded.map_err(|errors| {
        let sentences = errors.iter().map(ToString::to_string);
        sentences.collect::<Vec<_>>()
    })?;
    for warning in &loaded.warnings {
        let line = warning.lines().next().unwrap_or_default();
        setup.log.line(&format!("settings: warning: {line}"));
    }
    let mut config = loaded.config;
    for key in config.stand_by(&setup.config) {
        setup
            .log
            .line(&format!("settings: {key}: to change this needs a restart"));
    }
    let made = make(setup, &config.server).map_err(|problem| vec![problem])?;
    Ok((config, made))
}

fn make(setup: &Setup, new: &ServerConfig) -> Result<Made, String> {
    let old = &setup.config.server;
    look(new)?;
    let ports = ports(old, new)?;
    let found = match (&old.passive_addresses, old.passive_resolve)
        == (&new.passive_addresses, new.passive_resolve)
    {
        true => None,
        false => Some(lookup_for(setup, new)?),
    };
    // TLS has its port among the ports.
    let renewal = match old.tls == new.tls {
        true => None,
        false => {
            let signer = signer_for(setup, new)?;
            Some(signer.map(|(recipe, ready)| Renewal::new(recipe, ready)))
        }
    };
    Ok(Made {
        ports,
        renewal,
        found,
    })
}

/// Opens the ports that are others now, before any is closed.
fn ports(old: &ServerConfig, new: &ServerConfig) -> Result<Option<Ports>, String> {
    let wanted = |server: &ServerConfig| {
        [
            (Entrance::Plain, Some(server.port)),
            (Entrance::Tls, server.tls.port),
        ]
    };
    if (&old.bind, wanted(old)) == (&new.bind, wanted(new)) {
        return Ok(None);
    }
    let (mut stay, mut opened) = (Vec::new(), Vec::new());
    for (before, (entrance, port)) in wanted(old).into_iter().zip(wanted(new)) {
        let Some(port) = port else { continue };
        if old.bind == new.bind && before.1 == Some(port) {
            stay.push(entrance);
        } else {
            let socket = startup::open_port(&new.bind, port)?;
            opened.push(Port { socket, entrance });
        }
    }
    Ok(Some(Ports { stay, opened }))
}

fn put_to_use(config: Config, made: Made, setup: &mut Setup, listener: &mut Listener) {
    if let Some(Ports { stay, opened }) = made.ports {
        startup::announce(&opened, &setup.log);
        listener.replace_ports(&stay, opened);
    }
    match made.renewal {
        Some(renewal) => listener.set_renewal(renewal),
        None if config.server.tls.certificates.is_empty() => {}
        // The same files may have another content.
        None => listener.renew_certificates(),
    }
    if let Some(found) = made.found {
        setup.found = found;
    }
    let server = &config.server;
    listener.set_limits(server.limits.clone(), server.total_rates);
    setup.log.set_level(server.log_level);
    setup.gateway = server.leading.gateway(server, &config.session);
    setup.gateway = server.leading.gateway(server, &config.session);
    setup.config = config;
}
