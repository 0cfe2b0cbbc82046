//! The command line of `ftpproxy`, made from its settings table, and what it says about a configuration.

use std::ops::ControlFlow;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command};

use super::flags;
use super::out::complain;
use super::who;
use crate::settings::{DEFAULT_GATEWAY_FILE, FTPPROXY, GatewayConfig, Source, load_gateway};

/// Describes the command line: one flag for each setting, and the few that are none.
pub fn command() -> Command {
    flags::program("ftpproxy", DEFAULT_GATEWAY_FILE)
        .version(env!("CARGO_PKG_VERSION"))
        .about("FTP gateway that goes only where it is told to")
        .arg(
            Arg::new("status")
                .long("status")
                .action(ArgAction::SetTrue)
                .help(
                    "List the servers of the pool of the gateway that runs with this ControlSocket",
                ),
        )
        .arg(
            Arg::new("drain")
                .long("drain")
                .value_name("SERVER")
                .help("Have a server of the pool get no new sessions; those that run go on"),
        )
        .arg(
            Arg::new("undrain")
                .long("undrain")
                .value_name("SERVER")
                .help("Have it get new sessions again"),
        )
        .arg(
            Arg::new("who")
                .long("who")
                .action(ArgAction::SetTrue)
                .help("List the sessions of the gateway that runs"),
        )
        .arg(who::kick_option())
        .group(
            ArgGroup::new("question").args(["check", "status", "drain", "undrain", "who", "kick"]),
        )
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .requires("listed")
                .help("With --status and --who: print one JSON object for each"),
        )
        .group(ArgGroup::new("listed").args(["status", "who"]))
        .args(FTPPROXY.rows.iter().map(flags::flag))
}

/// What the command line asks, instead of having clients served.
pub enum Question<'a> {
    /// Whether the configuration is right, and its files.
    Check,
    /// How the servers of the pool are.
    Status {
        json: bool,
    },
    Drain {
        server: &'a str,
    },
    Undrain {
        server: &'a str,
    },
    /// Which sessions there are.
    Who {
        json: bool,
    },
    /// Whether this session can be ended.
    Kick {
        session: i32,
    },
}

/// What the command line asks, if anything.
pub fn question(matches: &ArgMatches) -> Option<Question<'_>> {
    let named = |flag| matches.get_one::<String>(flag).map(String::as_str);
    let json = matches.get_flag("json");
    if let Some(server) = named("drain") {
        return Some(Question::Drain { server });
    }
    if let Some(server) = named("undrain") {
        return Some(Question::Undrain { server });
    }
    if let Some(&session) = matches.get_one("kick") {
        return Some(Question::Kick { session });
    }
    let questions = [
        ("check", Question::Check),
        ("status", Question::Status { json }),
        ("who", Question::Who { json }),
    ];
    let asked = questions
        .into_iter()
        .find(|(flag, _)| matches.get_flag(flag));
    asked.map(|(_, question)| question)
}

/// Loads what the command line says and tells what is wrong with it. `Break` is the status to end with.
pub fn configuration(source: &Source) -> ControlFlow<ExitCode, GatewayConfig> {
    match load_gateway(source) {
        Err(errors) => {
            for error in errors {
                complain("ftpproxy", error);
            }
            ControlFlow::Break(ExitCode::from(1))
        }
        Ok(config) => ControlFlow::Continue(config),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_of_the_table_is_understood_with_one_dash() {
        flags::tests::every_flag_is_understood(&command(), FTPPROXY.rows);
    }
}
