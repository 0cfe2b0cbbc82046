//! `ftpproxy`: the gateway, which does not relay anything yet and says so.

use std::process::ExitCode;

use common::cli::{self, out};

fn main() -> ExitCode {
    cli::matches(cli::ftpproxy::command());
    out::complain("ftpproxy", "this version does not relay connections yet");
    ExitCode::FAILURE
}
