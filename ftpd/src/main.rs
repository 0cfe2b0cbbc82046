//! Only checks its configuration, until the server is there.

use std::ops::ControlFlow;
use std::process::ExitCode;

fn main() -> ExitCode {
    let matches = common::cli::matches(common::cli::ftpd::command());
    match common::cli::ftpd::configuration(&matches) {
        ControlFlow::Break(status) => status,
        ControlFlow::Continue(_) => ExitCode::FAILURE,
    }
}
