//! `ftpproxy`: the gateway. `main` only finds out which role this process has: daemon, or a check of the configuration.

mod check;
mod daemon;

use std::ops::ControlFlow;
use std::process::ExitCode;

use common::cli;
use common::settings::{GatewayConfig, Source};

fn main() -> ExitCode {
    common::sys::map_large_buffers();
    let config = match common::startup::apart(configuration) {
        ControlFlow::Break(status) => return status,
        ControlFlow::Continue(config) => config,
    };
    common::sys::promise_single_thread();
    daemon::listen(config)
}

/// What the command line and the files say; `Break` where that was all there was to do.
fn configuration() -> ControlFlow<ExitCode, GatewayConfig> {
    let matches = cli::matches(cli::ftpproxy::command());
    let source = Source::new(matches);
    let config = cli::ftpproxy::configuration(&source)?;
    match cli::ftpproxy::only_checks(source.matches()) {
        true => ControlFlow::Break(check::answer(&config)),
        false => ControlFlow::Continue(config),
    }
}
