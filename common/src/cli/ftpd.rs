//! The command line of `ftpd`, made from the settings table, and what it says about a configuration.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, ValueHint, value_parser};

use super::out::complain;
use crate::settings::read::FILE_FLAG;
use crate::settings::table::{Kind, Scope, Setting, TABLE};
use crate::settings::{DEFAULT_FILE, Loaded, load};

/// Describes the command line: one flag for each setting, and the few that are none.
pub fn command() -> Command {
    Command::new("ftpd")
        .version(env!("CARGO_PKG_VERSION"))
        .about("FTP server that keeps the network away from the files")
        .override_usage("ftpd [options]")
        .after_help("Long options may begin with one dash or two: -port 2121 is --port 2121.")
        // The last one counts: scripts append to a command line that they are given.
        .args_override_self(true)
        .arg(
            Arg::new(FILE_FLAG)
                .short('f')
                .long("config")
                .value_name("FILE")
                .value_hint(ValueHint::FilePath)
                .value_parser(value_parser!(PathBuf))
                .help(format!("Read this configuration [default: {DEFAULT_FILE}]")),
        )
        .arg(
            Arg::new("check")
                .long("check")
                .action(ArgAction::SetTrue)
                .help("Check the configuration and start nothing"),
        )
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
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .requires("user")
                .conflicts_with("dump-config")
                .help("With --user: print one JSON object"),
        )
        .arg(
            Arg::new("make-cert")
                .long("make-cert")
                .value_name("HOST")
                .exclusive(true)
                .help("Make HOST.pem and HOST.key, a self-signed certificate and its key, here"),
        )
        .args(TABLE.iter().map(flag))
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
    matches.get_flag("check").then(|| match user {
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
pub fn configuration(matches: &ArgMatches) -> ControlFlow<ExitCode, Loaded> {
    let loaded = load(matches);
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

fn flag(setting: &'static Setting) -> Arg {
    let mut flag = Arg::new(setting.key)
        .help_heading(heading(setting.topic()))
        .help(match (setting.kind, setting.default) {
            (Kind::Switch, _) | (_, "") => setting.doc.to_owned(),
            (_, default) => format!("{} [default: {default}]", setting.doc),
        });
    for name in setting.flags {
        let mut letters = name.chars();
        flag = match (letters.next(), letters.next(), flag.get_long()) {
            (Some(letter), None, _) => flag.short(letter),
            (_, _, None) => flag.long(name),
            (_, _, Some(_)) => flag.alias(name),
        };
    }
    if setting.scope() == Scope::CommandLine {
        return flag.action(ArgAction::SetTrue);
    }
    flag = flag.value_name(setting.value_name());
    match setting.kind {
        Kind::Switch => flag
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("yes"),
        Kind::File | Kind::Files | Kind::Content => flag.value_hint(ValueHint::FilePath),
        Kind::Directory => flag.value_hint(ValueHint::DirPath),
        Kind::Choice(words) => flag.value_parser(words.to_vec()).ignore_case(true),
        Kind::Text(_) => flag,
    }
}

/// The heading of a topic in help and manual.
fn heading(topic: &str) -> &'static str {
    match topic {
        "listen" => "Listening",
        "tls" => "TLS",
        "run" => "Running",
        "log" => "Logging",
        "login" => "Logging in",
        "limits" => "Limits",
        "account" => "Accounts",
        "files" => "Files",
        "list" => "Listings",
        "archive" => "Archives",
        "session" => "Sessions",
        "data" => "Data connections",
        _ => "Other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_of_the_table_is_understood_with_one_dash() {
        for setting in TABLE {
            for name in setting.flags {
                let mut argv = vec!["ftpd".into(), format!("-{name}").into()];
                match setting.kind {
                    Kind::Switch => {}
                    Kind::Choice(words) => argv.push(words[0].into()),
                    Kind::File | Kind::Files | Kind::Content | Kind::Directory | Kind::Text(_) => {
                        argv.push("1".into());
                    }
                }
                let argv = super::super::dash::normalise(&command(), argv).unwrap();
                let matches = command().try_get_matches_from(argv).unwrap();
                assert_eq!(
                    matches.value_source(setting.key),
                    Some(clap::parser::ValueSource::CommandLine)
                );
            }
        }
    }

    #[test]
    fn every_topic_has_a_heading() {
        assert!(TABLE.iter().all(|s| heading(s.topic()) != "Other"));
    }

    #[test]
    fn the_last_of_two_equal_flags_counts() {
        let matches = command().try_get_matches_from(["ftpd", "-p", "1", "-p", "2"]);
        assert_eq!(matches.unwrap().get_one::<String>("Port").unwrap(), "2");
    }
}
