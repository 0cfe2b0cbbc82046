//! `ftpd --who` and `--kick`: asks the daemon that runs, at its ControlSocket. Reads nothing else.

use std::io::{IsTerminal, Read, Seek, SeekFrom};
use std::path::Path;
use std::process::ExitCode;

use common::cli::out::{complain, print};
use common::listener::operator::{KICK, WHO, ask};
use common::settings::ServerConfig;
use serde_json::Value;

/// The longest list that is read, in octets: some 100,000 sessions.
const LONGEST: u64 = 64 << 20;
/// The widest that a name or an argument gets before it is cut, on a terminal.
const WIDEST: usize = 24;

const COLUMNS: [&str; 8] = [
    "ID", "USER", "ADDRESS", "TIME", "DOES", "FOR", "MOVED", "SPEED",
];

/// Prints the sessions: a table on a terminal, columns with tabs between elsewhere, or lines of JSON.
pub(crate) fn list(server: &ServerConfig, json: bool) -> ExitCode {
    match fetch(server) {
        Ok(text) if json => print(&text),
        Ok(text) => print(&table(&text, std::io::stdout().is_terminal())),
        Err(why) => {
            complain("ftpd", why);
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Ends a session.
pub(crate) fn kick(server: &ServerConfig, session: i32) -> ExitCode {
    let asked = socket(server).and_then(|path| question(path, &format!("{KICK}{session}")));
    match asked {
        Ok((answer, _)) if answer == "done" => ExitCode::SUCCESS,
        Ok((answer, _)) => {
            complain("ftpd", format_args!("session {session}: {answer}"));
            ExitCode::FAILURE
        }
        Err(why) => {
            complain("ftpd", why);
            ExitCode::FAILURE
        }
    }
}

fn socket(server: &ServerConfig) -> Result<&Path, String> {
    server.control_socket.as_deref().ok_or_else(|| {
        "there is no ControlSocket in this configuration: set one, such as /run/ftpd.socket, and start the daemon anew"
            .to_owned()
    })
}

fn question(path: &Path, text: &str) -> Result<(String, Option<std::fs::File>), String> {
    ask(path, text).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => {
            format!("{}: no daemon listens there", path.display())
        }
        _ => format!("{}: {error}", path.display()),
    })
}

fn fetch(server: &ServerConfig) -> Result<String, String> {
    let (answer, list) = question(socket(server)?, WHO)?;
    let mut list = list.ok_or(answer)?;
    let mut text = String::new();
    list.seek(SeekFrom::Start(0))
        .and_then(|_| list.take(LONGEST).read_to_string(&mut text))
        .map_err(|error| error.to_string())?;
    Ok(text)
}

fn table(list: &str, terminal: bool) -> String {
    let mut rows = vec![COLUMNS.map(str::to_owned)];
    let objects = list
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    rows.extend(objects.map(|object: Value| row(&object, terminal)));
    if !terminal {
        return rows.iter().map(|row| row.join("\t") + "\n").collect();
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<_> = (0..COLUMNS.len())
        .map(|column| width(column).unwrap_or(0))
        .collect();
    let line = |row: &[String; 8]| {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.map(|(column, (cell, width))| match column {
            // Numbers and times end below each other.
            0 | 3 | 5 | 6 | 7 => format!("{cell:>width$}"),
            _ => format!("{cell:<width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

fn row(object: &Value, terminal: bool) -> [String; 8] {
    let text = |key: &str| shown(object[key].as_str().unwrap_or_default());
    let number = |key: &str| object[key].as_u64();
    let cut = |text: String| match terminal && text.chars().count() > WIDEST {
        true => text.chars().take(WIDEST - 1).chain(['…']).collect(),
        false => text,
    };
    let size = |octets: u64| match terminal {
        true => rounded(octets),
        false => octets.to_string(),
    };
    let time = |seconds: u64| match terminal {
        true => clock(seconds),
        false => seconds.to_string(),
    };
    let does = format!("{} {}", text("command"), text("argument"));
    let does = match does.trim() {
        "" => "waits".to_owned(),
        does => does.to_owned(),
    };
    let user = match object["user"].as_str() {
        Some(_) => text("user"),
        None => "(login)".to_owned(),
    };
    [
        object["id"].to_string(),
        cut(user),
        text("address"),
        time(number("seconds").unwrap_or(0)),
        cut(does),
        time(number("for_seconds").unwrap_or(0)),
        size(number("total_octets").unwrap_or(0)),
        number("octets_per_second").map_or_else(
            || "-".to_owned(),
            |speed| size(speed) + if terminal { "/s" } else { "" },
        ),
    ]
}

/// What a client sent, without what steers a terminal or ends a column.
fn shown(text: &str) -> String {
    text.replace(char::is_control, "?")
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

fn clock(seconds: u64) -> String {
    format!(
        "{}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
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
