//! The command lines of the four tools: what they share is here and in `dash` and `generate`, one file each has the
//! rest. Decides nothing about what a tool does.

pub mod asking;
pub mod dash;
mod examples;
mod files;
mod flags;
pub mod ftpd;
pub mod ftphash;
pub mod ftpproxy;
pub mod ftpuser;
mod gateway;
mod generate;
pub mod metaftpd;
pub mod out;
pub mod pool;
pub mod table;
mod transfers;
pub mod who;

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{ArgMatches, Command};

/// Parses the command line of this process, with one dash or two before long names. `--help`, `--version` and the
/// hidden `--generate` print and end the process with 0; a command line that is wrong ends it with 2.
pub fn matches(command: Command) -> ArgMatches {
    let argv: Vec<OsString> = std::env::args_os().collect();
    if let [_, flag, what] = argv.as_slice()
        && flag == "--generate"
        && let Some(text) = what.to_str().and_then(|w| generate::text(&command, w))
    {
        out::print(&text);
        std::process::exit(0);
    }
    let error = match dash::normalise(&command, argv) {
        Ok(argv) => match command.try_get_matches_from(argv) {
            Ok(matches) => return matches,
            Err(error) => error,
        },
        Err(error) => error,
    };
    let status = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => 0,
        _ => 2,
    };
    if status == 0 || out::complaints_are_welcome() {
        // A pipe that somebody closed is no reason to fail.
        let _ = error.print();
    }
    std::process::exit(status);
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_commands_are_consistent() {
        super::ftpd::command().debug_assert();
        super::ftphash::command().debug_assert();
        super::ftpproxy::command().debug_assert();
        super::ftpuser::command().debug_assert();
    }
}
