//! Flags, help and output of all the tools.

pub mod ftphash;
pub mod ftpproxy;
pub mod ftpuser;
pub mod out;

/// Reads the program's arguments; on a mistake says so and exits with 2.
pub fn matches(command: clap::Command) -> clap::ArgMatches {
    command.get_matches()
}
