//! `ftpproxy`: the gateway. `main` only finds out which role this process has: daemon, the one session of inetd, a check of the configuration, or a question to the
//! daemon that runs.

mod check;
mod daemon;
mod reload;

use std::ops::ControlFlow;
use std::process::ExitCode;

use common::cli;
use common::cli::asking::Daemon;
use common::cli::ftpproxy::Question;
use common::cli::{pool, who};
use common::settings::{GatewayConfig, Run, Source};

fn main() -> ExitCode {
    common::sys::map_large_buffers();
    let (config, source) = match common::startup::apart(configuration) {
        ControlFlow::Break(status) => return status,
        ControlFlow::Continue(both) => both,
    };
    common::sys::promise_single_thread();
    match config.run {
        Run::Inetd => daemon::serve_inetd(config),
        Run::Foreground | Run::Background => daemon::listen(config, &source),
    }
}

/// What the command line and the files say; `Break` where that was all there was to do.
fn configuration() -> ControlFlow<ExitCode, (GatewayConfig, Source)> {
    let matches = cli::matches(cli::ftpproxy::command());
    let source = Source::new(matches);
    let config = cli::ftpproxy::configuration(&source)?;
    let daemon = Daemon {
        program: "ftpproxy",
        socket: config.control_socket.as_deref(),
    };
    let answer = match cli::ftpproxy::question(source.matches()) {
        None => return ControlFlow::Continue((config, source)),
        Some(Question::Check) => check::answer(&config),
        Some(Question::Status { json }) => pool::status(&daemon, json),
        Some(Question::Drain { server }) => pool::drain(&daemon, server),
        Some(Question::Undrain { server }) => pool::undrain(&daemon, server),
        Some(Question::Who { json }) => who::list(&daemon, json),
        Some(Question::Kick { session }) => who::kick(&daemon, session),
    };
    ControlFlow::Break(answer)
}
