//! `ftpproxy --status`, `--drain` and `--undrain`: the servers of the pool of the gateway that runs.

use std::process::ExitCode;

use serde_json::Value;

use super::asking::{Daemon, layout, shown, time};
use super::table::Column;
use crate::listener::operator::{DRAIN, STATUS, UNDRAIN};

const COLUMNS: [(&str, Column); 6] = [
    ("SERVER", Column::Left),
    ("ADDRESS", Column::Left),
    ("STATE", Column::Left),
    ("FOR", Column::Right),
    ("SESSIONS", Column::Right),
    ("REASON", Column::Left),
];

/// Prints the servers: a table on a terminal, columns with tabs between elsewhere, or lines of JSON.
pub fn status(daemon: &Daemon<'_>, json: bool) -> ExitCode {
    daemon.print_list(STATUS, json, table)
}

/// Has a server get no new sessions.
pub fn drain(daemon: &Daemon<'_>, server: &str) -> ExitCode {
    daemon.order(&format!("{DRAIN}{server}"), server)
}

/// Has it get them again.
pub fn undrain(daemon: &Daemon<'_>, server: &str) -> ExitCode {
    daemon.order(&format!("{UNDRAIN}{server}"), server)
}

fn table(list: &str, terminal: bool) -> String {
    layout(&COLUMNS, list, row, terminal)
}

fn row(object: &Value, terminal: bool) -> Vec<String> {
    let text = |key: &str| shown(object[key].as_str().unwrap_or_default());
    let state = match object["draining"].as_bool() {
        Some(true) => format!("{}, draining", text("state")),
        _ => text("state"),
    };
    let seconds = object["seconds"].as_u64();
    let since = seconds.map_or_else(|| "-".to_owned(), |seconds| time(seconds, terminal));
    vec![
        text("server"),
        text("address"),
        state,
        since,
        object["sessions"].as_u64().unwrap_or(0).to_string(),
        text("reason"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "{\"server\":\"one\",\"address\":\"192.0.2.1:21\",\"state\":\"up\",\"draining\":true,\"seconds\":3661,\
                        \"sessions\":12,\"reason\":\"it is well\"}\n\
                        {\"server\":\"two\",\"address\":\"192.0.2.22:2121\",\"state\":\"unknown\",\"draining\":false,\"seconds\":null,\
                        \"sessions\":0,\"reason\":\"\"}\n";

    #[test]
    fn a_table_is_for_eyes_and_columns_for_programs() {
        assert_eq!(
            table(LIST, true),
            "SERVER  ADDRESS          STATE             FOR  SESSIONS  REASON\n\
             one     192.0.2.1:21     up, draining  1:01:01        12  it is well\n\
             two     192.0.2.22:2121  unknown             -         0\n"
        );
        assert_eq!(
            table(LIST, false).lines().nth(1),
            Some("one\t192.0.2.1:21\tup, draining\t3661\t12\tit is well")
        );
    }
}
