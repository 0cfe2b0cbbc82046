//! The command line of `ftpproxy`, made from its settings table, and what it says about a configuration.

use std::ops::ControlFlow;
use std::process::ExitCode;

use clap::{ArgMatches, Command};

use super::flags;
use super::out::complain;
use crate::settings::{DEFAULT_GATEWAY_FILE, FTPPROXY, GatewayConfig, Source, load_gateway};

/// Describes the command line: one flag for each setting, and the few that are none.
pub fn command() -> Command {
    flags::program("ftpproxy", DEFAULT_GATEWAY_FILE)
        .version(env!("CARGO_PKG_VERSION"))
        .about("FTP gateway that goes only where it is told to")
        .args(FTPPROXY.rows.iter().map(flags::flag))
}

/// Whether the configuration is only to be checked.
pub fn only_checks(matches: &ArgMatches) -> bool {
    matches.get_flag("check")
}

/// Loads what the command line says and tells what is wrong with it. `Break` is the status to end with.
pub fn configuration(source: &Source) -> ControlFlow<ExitCode, GatewayConfig> {
    match load_gateway(source) {
        Err(errors) => {
            for error in errors {
                complain("ftpproxy", error);
            }
            ControlFlow::Break(ExitCode::from(1))
        }
        Ok(config) => ControlFlow::Continue(config),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_of_the_table_is_understood_with_one_dash() {
        flags::tests::every_flag_is_understood(&command(), FTPPROXY.rows);
    }
}
