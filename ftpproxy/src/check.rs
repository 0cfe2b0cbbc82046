//! `ftpproxy --check`: what is wrong with the configuration and the file that it names. Starts nothing and changes nothing.

use std::process::ExitCode;

use common::cli::out::{self, complain};
use common::entrances;
use common::pool::Login;
use common::sandbox::is_root;
use common::settings::{GatewayConfig, Run};
use common::{clock, log, startup, tls};

/// The lowest port that anybody may listen on.
const FREE_PORT: u16 = 1024;

/// Looks at a configuration that is right in itself.
pub(crate) fn answer(config: &GatewayConfig) -> ExitCode {
    let mut errors = Vec::new();
    let mut told = String::new();
    let listens = config.run != Run::Inetd;
    match listens.then(|| entrances::look(&config.bind, config.port, &config.tls)) {
        Some(Ok(notes)) => told.extend(notes.iter().flat_map(|note| [note, "\n"])),
        Some(Err(why)) => errors.push(why),
        None => {}
    }
    errors.extend(entrances::may_admit(config.transparent.into()).err());
    let low = (1..FREE_PORT).contains(&config.port) && listens;
    if !is_root() && low && !entrances::passed::are_there() {
        errors.push(format!(
            "port {} needs root; a port from {FREE_PORT} up does not: -port 2121",
            config.port
        ));
    }
    let own = config.log_file.as_deref();
    errors.extend(own.and_then(|path| log::look_at_file("ServLogFile", path)));
    errors.extend(log::look_at_outputs(
        &config.outputs,
        config.logs_to_syslog(),
    ));
    match tls::look(&config.tls) {
        Ok(certificates) => {
            let now = clock::seconds();
            let chains = config.tls.certificates.iter().zip(&certificates.chains);
            for warning in chains.filter_map(|(file, chain)| tls::warning(file, chain, now)) {
                complain("ftpproxy", format_args!("warning: {warning}"));
            }
        }
        Err(why) => errors.push(why),
    }
    errors.extend(startup::trusted(&config.upstream).err());
    if let Some(path) = &config.pool.login {
        errors.extend(Login::read(path).err());
    }
    for error in &errors {
        complain("ftpproxy", error);
    }
    if !errors.is_empty() {
        return out::answer("ftpproxy", &told, ExitCode::FAILURE);
    }
    told.push_str("configuration is fine\n");
    out::answer("ftpproxy", &told, ExitCode::SUCCESS)
}
