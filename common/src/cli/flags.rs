//! Flags from rows of a settings table, for the programs that have one. Decides nothing about their meaning.

use std::path::PathBuf;

use clap::{Arg, ArgAction, Command, ValueHint, value_parser};

use crate::settings::read::FILE_FLAG;
use crate::settings::table::{Kind, Scope, Setting};

/// A program that is told by flags and a file, and can check both.
pub(super) fn program(name: &'static str, default_file: &str) -> Command {
    Command::new(name)
        .override_usage(format!("{name} [options]"))
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
                .help(format!("Read this configuration [default: {default_file}]")),
        )
        .arg(
            Arg::new("check")
                .long("check")
                .action(ArgAction::SetTrue)
                .help("Check the configuration and start nothing"),
        )
}

/// The settings that a first configuration has, by their keys: `-h` tells no others.
const FIRST: &[&str] = &[
    "Port",
    "BindAddress",
    "Certificate",
    "CertificateKey",
    "TLSRequired",
    "NoDaemon",
    "ServLogFile",
    "AuthMethods",
    "AuthFile",
    "ChHome",
    "PermittedCommands",
    "Idle",
    "DataConnectionPortRange",
    "Server",
    "Servers",
    "Targets",
];

/// The command line as `-h` shows it: of the settings, those of a first configuration.
pub(super) fn short(command: Command) -> Command {
    let rest =
        |flag: &Arg| flag.get_help_heading().is_some() && !FIRST.contains(&flag.get_id().as_str());
    if !command.get_arguments().any(rest) {
        return command;
    }
    command
        .mut_args(|flag| {
            let hidden = rest(&flag) || flag.is_hide_set();
            flag.hide(hidden)
        })
        .after_help("--help tells all flags.")
}

/// The flag of a setting.
pub(super) fn flag(setting: &'static Setting) -> Arg {
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
        "proxy" => "Other servers",
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
        "hooks" => "Hooks",
        "servers" => "Servers",
        _ => "Other",
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::settings::FTPPROXY;
    use crate::settings::table::FTPD;

    #[test]
    fn the_short_help_is_short_and_of_what_there_is() {
        for command in [crate::cli::ftpd::command(), crate::cli::ftpproxy::command()] {
            let text = short(command).render_help().to_string();
            assert!(text.lines().count() <= 70, "{text}");
            assert!(
                text.contains("--targets") && text.contains("--cert "),
                "{text}"
            );
        }
        let rows = || FTPD.rows.iter().chain(FTPPROXY.rows);
        for key in FIRST {
            assert!(rows().any(|setting| setting.key == *key), "{key}");
        }
    }

    /// Holds a command line against the table that it is made from.
    pub(in crate::cli) fn every_flag_is_understood(command: &Command, rows: &'static [Setting]) {
        for setting in rows {
            for name in setting.flags {
                let mut argv = vec![command.get_name().into(), format!("-{name}").into()];
                match setting.kind {
                    Kind::Switch => {}
                    Kind::Choice(words) => argv.push(words[0].into()),
                    Kind::File | Kind::Files | Kind::Content | Kind::Directory | Kind::Text(_) => {
                        argv.push("1".into());
                    }
                }
                let argv = crate::cli::dash::normalise(command, argv).unwrap();
                let matches = command.clone().try_get_matches_from(argv).unwrap();
                assert_eq!(
                    matches.value_source(setting.key),
                    Some(clap::parser::ValueSource::CommandLine)
                );
            }
        }
    }

    #[test]
    fn every_topic_has_a_heading() {
        let rows = FTPD.rows.iter().chain(FTPPROXY.rows);
        assert!(rows.into_iter().all(|s| heading(s.topic()) != "Other"));
    }
}
