//! The command line of `ftpproxy`, which has nothing to offer yet. Does nothing.

use std::ffi::OsString;

use clap::{Arg, Command, value_parser};

pub fn command() -> Command {
    Command::new("ftpproxy")
        .version(env!("CARGO_PKG_VERSION"))
        .about("The FTP gateway; this version does not relay connections yet")
        .arg(
            // Every use gets the same true answer, not a complaint about its options.
            Arg::new("anything")
                .num_args(0..)
                .trailing_var_arg(true)
                .allow_hyphen_values(true)
                .hide(true)
                .value_parser(value_parser!(OsString)),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }
}
