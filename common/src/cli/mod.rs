//! The command lines of the four tools: what they share is here and in `dash` and `generate`, one file each has the
//! rest. Decides nothing about what a tool does.

pub mod asking;
pub mod dash;
mod examples;
mod files;
pub mod finding;
mod flags;
pub mod ftpd;
pub mod ftphash;
pub mod ftpproxy;
pub mod ftpuser;
mod gateway;
mod generate;
pub mod metaftpd;
mod named;
pub mod out;
pub mod pool;
mod processes;
mod signals;
pub mod table;
mod transfers;
pub mod who;

pub use files::meaning;

use std::ffi::OsString;
use std::io::{self, Write};

use clap::{ArgMatches, Command};

/// Parses the command line of this process, with one dash or two before long names. `-h`, `--help`, `--version` and the
/// hidden `--generate` print and end the process with 0, or with 1 if nobody could be told; a command line that is wrong ends it with 2.
pub fn matches(command: Command) -> ArgMatches {
    let argv: Vec<OsString> = std::env::args_os().collect();
    let program = command.get_name().to_owned();
    if let [_, flag, what] = argv.as_slice()
        && flag == "--generate"
        && let Some(text) = what.to_str().and_then(|w| generate::text(&command, w))
    {
        end(&program, out::write(&text));
    }
    let command = match argv.as_slice() {
        [_, flag] if flag == "-h" => flags::short(command),
        _ => command,
    };
    let error = match dash::normalise(&command, argv) {
        Ok(argv) => match command.try_get_matches_from(argv) {
            Ok(matches) => return matches,
            Err(error) => error,
        },
        Err(error) => error,
    };
    if !error.use_stderr() {
        end(&program, error.print().and_then(|()| io::stdout().flush()));
    }
    if out::complaints_are_welcome() {
        // Whoever cannot be told hears the exit status.
        let _ = error.print();
    }
    std::process::exit(2);
}

/// Ends the process that was asked for a text.
fn end(program: &str, written: io::Result<()>) -> ! {
    let status = match written {
        Ok(()) => 0,
        Err(error) => {
            out::complain(program, format_args!("standard output: {error}"));
            1
        }
    };
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
