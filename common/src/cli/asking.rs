//! What whoever runs a daemon asks it at its ControlSocket, and how the answers are printed. Reads nothing else.

use std::fs::File;
use std::io::{ErrorKind, IsTerminal, Read, Seek, SeekFrom};
use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;

use super::out::{answer, complain};
use super::table::{Column, table, width};
use crate::listener::operator::ask;

/// The longest list that is read, in octets: some 100,000 sessions.
const LONGEST: u64 = 64 << 20;

/// A daemon that runs, as its configuration tells.
#[derive(Clone, Copy, Debug)]
pub struct Daemon<'a> {
    pub program: &'static str,
    pub socket: Option<&'a Path>,
}

impl Daemon<'_> {
    /// Prints a list that the daemon gives: by `table`, which hears whether that is for a terminal, or as it is.
    pub(super) fn print_list(
        &self,
        question: &str,
        json: bool,
        table: fn(&str, bool) -> String,
    ) -> ExitCode {
        let text = match self.fetch(question) {
            Ok(text) if json => text,
            Ok(text) => table(&text, std::io::stdout().is_terminal()),
            Err(why) => return self.fail(&why),
        };
        answer(self.program, &text, ExitCode::SUCCESS)
    }

    /// Has the daemon do something about `whom`.
    pub(super) fn order(&self, question: &str, whom: &str) -> ExitCode {
        match self.question(question) {
            Ok((answer, _)) if answer == "done" => ExitCode::SUCCESS,
            Ok((answer, _)) => self.fail(&format!("{whom}: {answer}")),
            Err(why) => self.fail(&why),
        }
    }

    fn fail(&self, why: &str) -> ExitCode {
        complain(self.program, why);
        ExitCode::FAILURE
    }

    fn question(&self, text: &str) -> Result<(String, Option<File>), String> {
        let path = self.socket.ok_or_else(|| {
            let program = self.program;
            format!(
                "there is no ControlSocket in this configuration: set one, such as /run/{program}.socket, and start the daemon anew"
            )
        })?;
        ask(path, text).map_err(|error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
                format!("{}: no daemon listens there", path.display())
            }
            _ => format!("{}: {error}", path.display()),
        })
    }

    fn fetch(&self, question: &str) -> Result<String, String> {
        let (answer, list) = self.question(question)?;
        let mut list = list.ok_or(answer)?;
        let mut text = String::new();
        list.seek(SeekFrom::Start(0))
            .and_then(|_| list.take(LONGEST).read_to_string(&mut text))
            .map_err(|error| error.to_string())?;
        Ok(text)
    }
}

/// What a list has of one thing, in columns; the flag says whether it is for a terminal.
pub(super) type Row = fn(&Value, bool) -> Vec<String>;

/// The things of a list, each a line of JSON, below the names of their columns: a table on a terminal, else with tabs between.
pub(super) fn layout(columns: &[(&str, Column)], list: &str, row: Row, terminal: bool) -> String {
    let objects = list
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let rows = objects.map(|object| row(&object, terminal));
    if terminal {
        return table(columns, rows, width());
    }
    let names = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    let rows = std::iter::once(names).chain(rows);
    rows.map(|row: Vec<String>| row.join("\t") + "\n").collect()
}

/// Seconds as eyes read them on a terminal, else as a number.
pub(super) fn time(seconds: u64, terminal: bool) -> String {
    match terminal {
        true => format!(
            "{}:{:02}:{:02}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        ),
        false => seconds.to_string(),
    }
}

/// What others have written, without what steers a terminal or ends a column.
pub(super) fn shown(text: &str) -> String {
    text.replace(char::is_control, "?")
}
