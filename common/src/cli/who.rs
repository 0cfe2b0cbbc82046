//! `--who` and `--kick` of the daemons: the sessions of the one that runs.

use std::process::ExitCode;

use clap::Arg;
use serde_json::Value;

use super::asking::{Daemon, layout, shown, time};
use super::table::Column;
use crate::listener::operator::{HEALTH, KICK, WHO, counted};

const COLUMNS: [(&str, Column); 8] = [
    ("ID", Column::Right),
    ("USER", Column::Left),
    ("ADDRESS", Column::Left),
    ("TIME", Column::Right),
    ("DOES", Column::Left),
    ("FOR", Column::Right),
    ("MOVED", Column::Right),
    ("SPEED", Column::Right),
];

/// Prints the sessions: a table on a terminal, columns with tabs between elsewhere, or lines of JSON.
pub fn list(daemon: &Daemon<'_>, json: bool) -> ExitCode {
    daemon.print_list(WHO, json, table)
}

/// Tells whether the daemon answers, and does not stop: then it serves whoever comes.
pub fn health(daemon: &Daemon<'_>) -> ExitCode {
    daemon.print_list(HEALTH, false, |list, _| {
        format!("it serves, {}\n", counted(list.lines().count()))
    })
}

/// The option that ends a session, of either daemon.
pub(super) fn kick_option() -> Arg {
    Arg::new("kick")
        .long("kick")
        .value_name("ID")
        .value_parser(session)
        .help("End the session of this number; asked twice, at once")
}

/// The number of a session.
fn session(text: &str) -> Result<i32, &'static str> {
    let number = text.parse().ok().filter(|&number| number > 0);
    number.ok_or("this is not the ID of a session: --who lists them")
}

/// Ends a session.
pub fn kick(daemon: &Daemon<'_>, session: i32) -> ExitCode {
    daemon.order(&format!("{KICK}{session}"), &format!("session {session}"))
}

fn table(list: &str, terminal: bool) -> String {
    layout(&COLUMNS, list, row, terminal)
}

fn row(object: &Value, terminal: bool) -> Vec<String> {
    let text = |key: &str| shown(object[key].as_str().unwrap_or_default());
    let number = |key: &str| object[key].as_u64();
    let size = |octets: u64| match terminal {
        true => rounded(octets),
        false => octets.to_string(),
    };
    let time = |key: &str| time(number(key).unwrap_or(0), terminal);
    let does = format!("{} {}", text("command"), text("argument"));
    let does = match does.trim() {
        "" => "waits".to_owned(),
        does => does.to_owned(),
    };
    let user = match object["user"].as_str() {
        Some(_) => text("user"),
        None => "(login)".to_owned(),
    };
    vec![
        object["id"].to_string(),
        user,
        text("address"),
        time("seconds"),
        does,
        time("for_seconds"),
        size(number("total_octets").unwrap_or(0)),
        number("octets_per_second").map_or_else(
            || "-".to_owned(),
            |speed| size(speed) + if terminal { "/s" } else { "" },
        ),
    ]
}

fn rounded(octets: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut whole = octets;
    let mut tenths = 0;
    while whole >= 1024 && unit + 1 < UNITS.len() {
        tenths = whole % 1024 * 10 / 1024;
        whole /= 1024;
        unit += 1;
    }
    match unit {
        0 => format!("{whole} B"),
        _ => format!("{whole}.{tenths} {}", UNITS[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "{\"id\":7,\"user\":\"fred\\u001b[2J\",\"address\":\"192.0.2.7\",\"seconds\":3661,\"command\":\"RETR\",\
                        \"argument\":\"a\\tb\",\"for_seconds\":5,\"octets\":2048,\"octets_per_second\":1536,\"total_octets\":1048576}\n\
                        {\"id\":12,\"user\":null,\"address\":\"::1\",\"seconds\":1,\"command\":\"\",\"argument\":\"\",\
                        \"for_seconds\":1,\"octets\":0,\"octets_per_second\":null,\"total_octets\":0}\n";

    #[test]
    fn a_table_is_for_eyes_and_columns_for_programs() {
        assert_eq!(
            table(LIST, true),
            "ID  USER      ADDRESS       TIME  DOES          FOR    MOVED      SPEED\n \
             7  fred?[2J  192.0.2.7  1:01:01  RETR a?b  0:00:05  1.0 MiB  1.5 KiB/s\n\
             12  (login)   ::1        0:00:01  waits     0:00:01      0 B          -\n"
        );
        assert_eq!(
            table(LIST, false).lines().nth(1),
            Some("7\tfred?[2J\t192.0.2.7\t3661\tRETR a?b\t5\t1048576\t1536")
        );
    }
}
