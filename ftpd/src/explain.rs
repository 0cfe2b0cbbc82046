//! `ftpd --explain KEY`: everything that the table says about one setting.

use std::process::ExitCode;

use common::cli;
use common::cli::out::{answer, complain};
use common::settings::nearest::nearest;
use common::settings::table::{FTPD, Kind, Scope, Setting, TABLE};

/// The width of a sentence beside the names of rows, on a terminal of 80 columns.
const WIDTH: usize = 66;

/// No such setting: the command line is wrong.
const UNKNOWN: u8 = 2;

/// Explains the setting of this key, flag or TOML name.
pub(crate) fn explain(name: &str) -> ExitCode {
    match find(name) {
        Some(setting) => answer("ftpd", &text(setting), ExitCode::SUCCESS),
        None => {
            let names = TABLE.iter().flat_map(|s| s.keys().chain([s.toml]));
            let hint = nearest(name, names).map_or_else(
                || "; metaftpd.conf(5) has them all".to_owned(),
                |name| format!(", did you mean {name:?}?"),
            );
            complain("ftpd", format_args!("no setting {name:?}{hint}"));
            ExitCode::from(UNKNOWN)
        }
    }
}

fn find(name: &str) -> Option<&'static Setting> {
    let flag = name.trim_start_matches('-');
    Setting::find(name).or_else(|| {
        TABLE
            .iter()
            .find(|s| s.toml.eq_ignore_ascii_case(name) || s.flags.contains(&flag))
    })
}

fn text(setting: &Setting) -> String {
    let value = match setting.kind {
        Kind::Choice(words) => words.join("|"),
        _ => setting.value_name().to_owned(),
    };
    let flags: Vec<_> = setting
        .flags
        .iter()
        .map(|flag| match setting.kind {
            Kind::Switch => format!("-{flag}"),
            _ => format!("-{flag} {}", setting.value_name()),
        })
        .collect();
    let only_flag = setting.scope() == Scope::CommandLine;
    let mut rows = vec![("flag", flags.join(", "))];
    if !only_flag {
        let keys: Vec<_> = setting.keys().collect();
        rows.push(("Key=Value", keys.join(", ")));
        rows.push(("TOML", setting.toml.to_owned()));
        let variable = setting.variable();
        rows.push(("variable", format!("{}{variable}", FTPD.environment)));
    }
    rows.push(("value", value));
    let meaning = cli::meaning(setting.value_name()).unwrap_or_default();
    rows.extend(lines(meaning).into_iter().map(|line| ("", line)));
    let default = match setting.default {
        "" => "none",
        default => default,
    };
    rows.push(("default", default.to_owned()));
    let place = match setting.scope() {
        Scope::CommandLine => "on the command line only",
        Scope::Server => "for the server",
        Scope::Session => "for the server, and for single users",
    };
    rows.push(("may be set", place.to_owned()));
    let mut text = format!("{}: {}\n", setting.key, setting.doc);
    for (name, what) in rows {
        text.push_str(&format!("  {name:<10}  {what}\n"));
    }
    text
}

/// Words in lines that fit beside the names of rows.
fn lines(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
