//! Reads the settings anew while the gateway runs (SIGHUP): all of them hold for new sessions, or none does. Sessions that run
//! keep what they began with, their server above all.

use common::entrances;
use common::listener::{Listener, Office, Pool};
use common::pool::Standing;
use common::rate::Rates;
use common::settings::{GatewayConfig, Source, load_gateway};
use common::startup::{self, apart};
use common::sys;
use common::tls::Trusted;

use crate::daemon::{Setup, hook_recipe, interest_in, look, pool, wrong_with_hooks};

/// What was made for the new settings.
struct Made {
    config: GatewayConfig,
    trusted: Option<Trusted>,
    pool: Option<Pool>,
    standing: Option<Standing>,
    /// Others than there were, if they are.
    hooks: Option<Option<Office>>,
}

/// Reads everything anew and goes on with it; with what was, if anything is wrong. The log tells.
pub(crate) fn reload(source: &Source, setup: &mut Setup, listener: &mut Listener) {
    match anew(source, setup, listener) {
        Ok(made) => {
            listener.set_pool(made.pool);
            listener.set_limits(made.config.limits.clone(), Rates::default());
            listener.set_drain_time(made.config.drain_timeout);
            if !made.config.tls.certificates.is_empty() {
                // The same files may have another content.
                listener.renew_certificates();
            }
            if let Some(office) = made.hooks {
                listener.change_hooks(office);
                (setup.interest, setup.longest_hook) = interest_in(&made.config);
                for text in wrong_with_hooks(&made.config) {
                    setup.log.line(&format!("hooks: {text}"));
                }
                setup.log.line("hooks: others, for new sessions");
            }
            setup.log.set_level(made.config.log_level);
            setup.standing = made.standing;
            setup.trusted = made.trusted;
            setup.config = made.config;
            setup.log.line("settings: read anew, for new sessions");
        }
        Err(problems) => {
            for problem in problems {
                // What points at the place is for a terminal.
                let line = problem.lines().next().unwrap_or_default();
                setup.log.line(&format!("settings: not read anew: {line}"));
            }
        }
    }
}

/// The settings, and what they need. Nothing that runs is changed.
fn anew(source: &Source, setup: &Setup, listener: &Listener) -> Result<Made, Vec<String>> {
    // Its garbage is not to become every session's.
    sys::expect_threads();
    let read = read(source, setup);
    sys::promise_single_thread();
    let (config, trusted) = read?;
    entrances::admit(listener.ports(), config.transparent.into())
        .map_err(|problem| vec![problem])?;
    let (pool, standing) =
        pool(setup, &config, &trusted, listener.pool()).map_err(|problem| vec![problem])?;
    // Last, as it forks.
    let old = &setup.config;
    let same = config.hooks().eq(old.hooks()) && config.hooks.log == old.hooks.log;
    let hooks = (!same).then(|| {
        let recipe = hook_recipe(setup, &config);
        let office = recipe.map(|recipe| listener.prepare_hooks(recipe));
        office.transpose()
    });
    let hooks = hooks
        .transpose()
        .map_err(|errno| vec![format!("hooks: {errno}")])?;
    Ok(Made {
        hooks,
        config,
        trusted,
        pool,
        standing,
    })
}

fn read(source: &Source, setup: &Setup) -> Result<(GatewayConfig, Option<Trusted>), Vec<String>> {
    let source = source.clone();
    let loaded = apart(move || load_gateway(&source));
    let mut config = loaded.map_err(|errors| {
        let sentences = errors.iter().map(ToString::to_string);
        sentences.collect::<Vec<_>>()
    })?;
    for key in config.stand_by(&setup.config) {
        setup
            .log
            .line(&format!("settings: {key}: to change this needs a restart"));
    }
    let trusted = look(&config).and_then(|()| startup::trusted(&config.upstream));
    let trusted = trusted.map_err(|problem| vec![problem])?;
    Ok((config, trusted))
}
