//! The FTP daemon. `main` only finds out which role this process has: daemon, inetd session, or a check of the
//! configuration.

mod check;
mod daemon;
mod keeper;
mod make_cert;
mod session;
mod setup;

use std::ops::ControlFlow;
use std::process::ExitCode;

use common::cli;
use common::settings::{Config, Run};

fn main() -> ExitCode {
    common::sys::map_large_buffers();
    let config = match daemon::apart(configuration) {
        ControlFlow::Break(status) => return status,
        ControlFlow::Continue(config) => config,
    };
    common::sys::promise_single_thread();
    match config.server.run {
        Run::Inetd => daemon::serve_inetd(config),
        Run::Foreground | Run::Background => daemon::listen(config),
    }
}

/// What the command line and the files say; `Break` where that was all there was to do.
fn configuration() -> ControlFlow<ExitCode, Config> {
    let matches = cli::matches(cli::ftpd::command());
    if let Some(host) = cli::ftpd::make_cert(&matches) {
        return ControlFlow::Break(make_cert::make(host));
    }
    match cli::ftpd::configuration(&matches) {
        ControlFlow::Break(status) => ControlFlow::Break(status),
        ControlFlow::Continue(loaded) => match cli::ftpd::question(&matches) {
            Some(question) => ControlFlow::Break(check::answer(&loaded, &question)),
            None => ControlFlow::Continue(loaded.config),
        },
    }
}
