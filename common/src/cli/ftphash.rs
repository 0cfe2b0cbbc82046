//! The command line of `ftphash`: what can be asked for. Does nothing.

use std::path::PathBuf;

use clap::{Arg, ArgAction, Command, value_parser};

use crate::digest::Algorithm;

pub fn command() -> Command {
    Command::new("ftphash")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Print and check digests of files, in the form of sha256sum and its kin")
        .after_help("Exit status: 0 all is well, 1 a file differs or failed, 2 wrong usage.")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("sum")
                .about("Print the digest of each file")
                .arg(algorithm("Which digest").default_value(Algorithm::Sha256.name()))
                .arg(
                    files("FILE")
                        .default_value("-")
                        .help("The files; - is the standard input"),
                ),
        )
        .subcommand(
            Command::new("verify")
                .about("Check files against the digests in a manifest")
                .arg(algorithm(
                    "Which digest, where its length does not tell (default: by length)",
                ))
                .arg(files("MANIFEST").required(true).help(
                    "What `ftphash sum` or a coreutils program printed; - is the standard input",
                ))
                .arg(
                    Arg::new("quiet")
                        .long("quiet")
                        .action(ArgAction::SetTrue)
                        .help("Do not print OK for each good file"),
                )
                .arg(
                    Arg::new("status")
                        .long("status")
                        .action(ArgAction::SetTrue)
                        .help("Print nothing; the exit status tells"),
                ),
        )
}

fn algorithm(help: &'static str) -> Arg {
    let names = Algorithm::ALL.map(Algorithm::name).join(", ");
    Arg::new("algorithm")
        .long("algorithm")
        .short('a')
        .value_name("ALGO")
        .value_parser(move |name: &str| {
            Algorithm::find(name).ok_or_else(|| format!("one of {names}"))
        })
        .help(help)
}

fn files(what: &'static str) -> Arg {
    Arg::new("files")
        .value_name(what)
        .num_args(1..)
        .value_parser(value_parser!(PathBuf))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }
}
