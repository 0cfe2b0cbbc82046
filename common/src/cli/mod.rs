//! The command lines of the four tools: what they share is here and in `dash` and `generate`, one file each has the
//! rest. Decides nothing about what a tool does.

pub mod dash;
pub mod ftpd;
mod generate;

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::AsFd;

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
        print(&text);
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
    if status == 0 || complaints_are_welcome() {
        // A pipe that somebody closed is no reason to fail.
        let _ = error.print();
    }
    std::process::exit(status);
}

/// Writes to the standard output; whoever closed it did not want to know.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Writes a line to the standard error, if that is not a client's connection.
fn complain(line: &str) {
    if complaints_are_welcome() {
        let _ = writeln!(io::stderr(), "{line}");
    }
}

// SECURITY: inetd gives the client's connection as standard error too, and no client may read about our files.
fn complaints_are_welcome() -> bool {
    use nix::sys::stat::fstat;
    match (fstat(io::stdin().as_fd()), fstat(io::stderr().as_fd())) {
        (Ok(input), Ok(errors)) => {
            let socket = errors.st_mode & libc::S_IFMT == libc::S_IFSOCK;
            !socket || (input.st_dev, input.st_ino) != (errors.st_dev, errors.st_ino)
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_is_consistent() {
        super::ftpd::command().debug_assert();
    }
}
