//! The FTP daemon. `main` only finds out which role this process has: daemon, inetd session, or a check of the
//! configuration.

mod daemon;
mod keeper;
mod session;
mod setup;

use std::ops::ControlFlow;
use std::process::ExitCode;

use common::cli;
use common::settings::Run;

fn main() -> ExitCode {
    common::sys::promise_single_thread();
    let matches = cli::matches(cli::ftpd::command());
    let loaded = match cli::ftpd::configuration(&matches) {
        ControlFlow::Break(status) => return status,
        ControlFlow::Continue(loaded) => loaded,
    };
    match loaded.config.server.run {
        Run::Inetd => daemon::serve_inetd(loaded.config),
        Run::Foreground | Run::Background => daemon::listen(loaded.config),
    }
}
