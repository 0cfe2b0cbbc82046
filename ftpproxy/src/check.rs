//! `ftpproxy --check`: what is wrong with the configuration and the file that it names. Starts nothing and changes nothing.

use std::process::ExitCode;

use common::cli::finding::{
    self,
    Finding::{self, Error, Note, Warning},
};
use common::entrances;
use common::hookd;
use common::pool::Login;
use common::sandbox::is_root;
use common::settings::{GatewayConfig, Run};
use common::{clock, log, startup, tls};

/// The lowest port that anybody may listen on.
const FREE_PORT: u16 = 1024;

/// Looks at a configuration that is right in itself.
pub(crate) fn answer(config: &GatewayConfig) -> ExitCode {
    finding::tell("ftpproxy", look(config))
}

fn look(config: &GatewayConfig) -> Vec<Finding> {
    let mut found = Vec::new();
    if config.run != Run::Inetd {
        ports(config, &mut found);
    }
    let mut errors = Vec::new();
    errors.extend(entrances::may_admit(config.transparent.into()).err());
    let own = config.log_file.as_deref();
    errors.extend(own.and_then(|path| log::look_at_file("ServLogFile", path)));
    errors.extend(log::look_at_outputs(
        &config.outputs,
        config.logs_to_syslog(),
    ));
    found.extend(errors.into_iter().map(Error));
    match tls::look(&config.tls) {
        Ok(certificates) => {
            let now = clock::seconds();
            let chains = config.tls.certificates.iter().zip(&certificates.chains);
            let warnings = chains.filter_map(|(file, chain)| tls::warning(file, chain, now));
            found.extend(warnings.map(Warning));
        }
        Err(why) => found.push(Error(why)),
    }
    found.extend(startup::trusted(&config.upstream).err().map(Error));
    if let Some(path) = &config.pool.login {
        found.extend(Login::read(path).err().map(Error));
    }
    found.extend(hooks(config));
    found
}

fn ports(config: &GatewayConfig, found: &mut Vec<Finding>) {
    match entrances::look(&config.bind, config.port, &config.tls) {
        Ok(notes) => found.extend(notes.into_iter().map(Note)),
        Err(why) => found.push(Error(why)),
    }
    let low = (1..FREE_PORT).contains(&config.port);
    if !is_root() && low && !entrances::passed::are_there() {
        found.push(Error(format!(
            "port {} needs root; a port from {FREE_PORT} up does not: -port 2121",
            config.port
        )));
    }
}

/// Looks at what hooks name.
pub(crate) fn hooks(config: &GatewayConfig) -> Vec<Finding> {
    let mut found = Vec::new();
    let [.., user] = config.own_uids();
    let results = config.hooks.log.as_deref();
    hookd::look::look(config.placed_hooks(), user, results, &mut found);
    found
}
