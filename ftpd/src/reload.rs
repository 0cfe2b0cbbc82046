//! Reads the settings anew while the daemon runs (SIGHUP): all of them hold for new sessions, or none does. Sessions that
//! run keep what they began with.

use common::entrances::{self, Change};
use common::listener::{Listener, Office, Renewal};
use common::lookup::Found;
use common::settings::{Config, ServerConfig, Source};
use common::startup::{self, apart, because};
use common::sys;
use common::tls::Trusted;

use crate::check;
use crate::daemon::{hook_recipe, interest_in, look, lookup_for, signer_for, spool_for};
use crate::setup::Setup;

/// What was made for the new settings; `None` where the old one will do. What is new is open before anything is closed.
struct Made {
    ports: Change,
    renewal: Option<Option<Renewal>>,
    found: Option<Found>,
    /// Read again each time: the same files may have another content.
    trusted: Option<Trusted>,
    /// Other hooks, or no hooks any more.
    hooks: Option<Option<Office>>,
}

/// Reads everything anew and goes on with it; with what was, if anything is wrong. The log tells.
pub(crate) fn reload(source: &Source, setup: &mut Setup, listener: &mut Listener) {
    match anew(source, setup, listener) {
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
fn anew(
    source: &Source,
    setup: &Setup,
    listener: &Listener,
) -> Result<(Config, Made), Vec<String>> {
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
    let made = make(setup, listener, &config.server).map_err(|problem| vec![problem])?;
    Ok((config, made))
}

fn make(setup: &Setup, listener: &Listener, new: &ServerConfig) -> Result<Made, String> {
    let old = &setup.config.server;
    look(new)?;
    let ports = entrances::change(&new.bind, new.port, &new.tls, listener.ports())?;
    // Where it is not wanted any more, no rule of a firewall leads here.
    for open in [&ports.opened[..], listener.ports()] {
        entrances::admit(open, new.leading.transparent.into())?;
    }
    let trusted = startup::trusted_anew(&new.leading.upstream)?;
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
    // Last, as it forks.
    let same = new.hooks().eq(old.hooks()) && new.hooks.log == old.hooks.log;
    let hooks = (!same)
        .then(|| hooks_for(setup, listener, new))
        .transpose()?;
    Ok(Made {
        ports,
        renewal,
        found,
        hooks,
        trusted,
    })
}

fn hooks_for(
    setup: &Setup,
    listener: &Listener,
    new: &ServerConfig,
) -> Result<Option<Office>, String> {
    let spool = spool_for(new, listener.spool())?;
    let recipe = hook_recipe(setup, new, spool);
    let office = recipe.map(|recipe| listener.prepare_hooks(recipe));
    office.transpose().map_err(because("hooks"))
}

fn put_to_use(config: Config, made: Made, setup: &mut Setup, listener: &mut Listener) {
    entrances::announce(&made.ports.opened, &setup.log);
    listener.change_ports(made.ports);
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
    if let Some(office) = made.hooks {
        listener.change_hooks(office);
        (setup.interest, setup.longest_hook) = interest_in(server);
        for text in check::wrong_with_hooks(server) {
            setup.log.line(&format!("hooks: {text}"));
        }
        setup.log.line("hooks: others, for new sessions");
    }
    listener.set_limits(server.limits.clone(), server.total_rates);
    listener.set_drain_time(server.drain_timeout);
    setup.log.set_level(server.log_level);
    setup.trusted = made.trusted;
    setup.gateway = server.leading.gateway(server, &config.session);
    setup.config = config;
}
