//! The command line of `ftpd`, made from the settings table, and what it says about a configuration.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use clap::builder::StringValueParser;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, value_parser};

use super::flags;
use super::named::named;
use super::out::complain;
use super::who;
use crate::settings::table::{FTPD, TABLE};
use crate::settings::{DEFAULT_FILE, Loaded, Source};

/// Describes the command line: one flag for each setting, and the few that are none.
pub fn command() -> Command {
    flags::program("ftpd", DEFAULT_FILE)
        .version(env!("CARGO_PKG_VERSION"))
        .about("FTP server that keeps the network away from the files")
        .arg(
            Arg::new("dump-config")
                .long("dump-config")
                .action(ArgAction::SetTrue)
                .help("Print every setting as a TOML file, with where each value comes from"),
        )
        .group(ArgGroup::new("about").args(["check", "dump-config"]))
        .arg(
            Arg::new("explain")
                .long("explain")
                .value_name("KEY")
                .allow_hyphen_values(true)
                .value_parser(named(
                    TABLE.iter().map(|setting| setting.key),
                    StringValueParser::new(),
                ))
                .hide_possible_values(true)
                .help("Explain a setting, by its key, flag or TOML name"),
        )
        .arg(
            Arg::new("user")
                .long("user")
                .value_name("NAME")
                .value_parser(value_parser!(OsString))
                .requires("about")
                .help("With --check: tell what a login of this user would get; with --dump-config: its settings"),
        )
        .arg(
            Arg::new("from")
                .long("from")
                .value_name("ADDRESS")
                .value_parser(value_parser!(IpAddr))
                .default_value("127.0.0.1")
                .help("With --user: the address that the login would come from"),
        )
        .arg(
            Arg::new("passive")
                .long("passive")
                .action(ArgAction::SetTrue)
                .requires("check")
                .conflicts_with("user")
                .help("With --check: tell where PASV and EPSV send whom, and try whether that leads back to here"),
        )
        .arg(
            Arg::new("who")
                .long("who")
                .action(ArgAction::SetTrue)
                .conflicts_with("about")
                .help("List the sessions of the daemon that runs with this ControlSocket"),
        )
        .arg(
            Arg::new("health")
                .long("health")
                .action(ArgAction::SetTrue)
                .conflicts_with_all(["about", "who"])
                .help("Tell by the exit status whether the daemon with this ControlSocket serves clients"),
        )
        .arg(who::kick_option().conflicts_with_all(["about", "who"]))
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .requires("asked")
                .conflicts_with("dump-config")
                .help("With --user or --passive: print one JSON object; with --who: one for each session"),
        )
        .group(ArgGroup::new("asked").args(["user", "passive", "who"]))
        .arg(
            Arg::new("make-cert")
                .long("make-cert")
                .value_name("HOST")
                .exclusive(true)
                .help("Make HOST.pem and HOST.key, a self-signed certificate and its key, here"),
        )
        .args(FTPD.rows.iter().map(flags::flag))
}

/// The host for which a certificate is to be made.
pub fn make_cert(matches: &ArgMatches) -> Option<&str> {
    matches.get_one::<String>("make-cert").map(String::as_str)
}

/// The setting that is to be explained.
pub fn explain(matches: &ArgMatches) -> Option<&str> {
    matches.get_one::<String>("explain").map(String::as_str)
}

/// What the command line asks about a configuration, instead of having it served.
pub enum Question<'a> {
    /// Whether it is right, and its files.
    Check,
    /// What this user would get who comes from this address.
    Login {
        user: &'a [u8],
        from: IpAddr,
        json: bool,
    },
    /// Where passive mode leads whom.
    Passive { json: bool },
    /// Which sessions the daemon has.
    Who { json: bool },
    /// Whether the daemon answers.
    Health,
    /// Whether this session can be ended.
    Kick { session: i32 },
    /// All of it, or what it is for this user.
    Dump { user: Option<&'a [u8]> },
}

/// What the command line asks, if anything.
pub fn question(matches: &ArgMatches) -> Option<Question<'_>> {
    let user = matches.get_one::<OsString>("user");
    let user = user.map(|name| name.as_bytes());
    if matches.get_flag("dump-config") {
        return Some(Question::Dump { user });
    }
    if matches.get_flag("who") {
        let json = matches.get_flag("json");
        return Some(Question::Who { json });
    }
    if matches.get_flag("health") {
        return Some(Question::Health);
    }
    if let Some(&session) = matches.get_one("kick") {
        return Some(Question::Kick { session });
    }
    matches.get_flag("check").then(|| match user {
        None if matches.get_flag("passive") => Question::Passive {
            json: matches.get_flag("json"),
        },
        None => Question::Check,
        Some(user) => Question::Login {
            user,
            from: matches
                .get_one("from")
                .copied()
                .unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            json: matches.get_flag("json"),
        },
    })
}

/// Loads what the command line says and tells what is wrong with it. `Break` is the status to end with.
pub fn configuration(source: &Source) -> ControlFlow<ExitCode, Loaded> {
    let loaded = source.load();
    let warnings = loaded.iter().flat_map(|loaded| &loaded.warnings);
    warnings.for_each(|warning| complain("ftpd", format_args!("warning: {warning}")));
    match loaded {
        Err(errors) => {
            for error in errors {
                complain("ftpd", error);
            }
            ControlFlow::Break(ExitCode::from(1))
        }
        Ok(loaded) => ControlFlow::Continue(loaded),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_of_the_table_is_understood_with_one_dash() {
        flags::tests::every_flag_is_understood(&command(), FTPD.rows);
    }

    #[test]
    fn the_last_of_two_equal_flags_counts() {
        let matches = command().try_get_matches_from(["ftpd", "-p", "1", "-p", "2"]);
        assert_eq!(matches.unwrap().get_one::<String>("Port").unwrap(), "2");
    }
}
