//! `ftpuser list`: shows the users and never a hash.

use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;

use clap::ArgMatches;
use common::auth::native::{Record, UserFile, shown};
use common::cli::out;
use common::cli::table::{self, Column};
use serde_json::{Value, json};

use crate::{Failure, file, unwritten};

pub(crate) const COLUMNS: [&str; 5] = ["name", "type", "real user", "home", "settings"];

pub(crate) fn run(arguments: &ArgMatches) -> Result<(), Failure> {
    let file = file(arguments);
    let mut records = Vec::new();
    let mut bad = 0usize;
    for entry in UserFile::open(file)?.entries()? {
        match entry.record {
            Ok(record) => records.push(record),
            Err(why) => {
                let (file, line, name) = (file.display(), entry.line, entry.name);
                out::complain(
                    "ftpuser",
                    format!("{file}:{line}: user {name:?} cannot log in: {why}"),
                );
                bad += 1;
            }
        }
    }
    let mut out = out::stdout();
    let printed = if arguments.get_flag("json") {
        writeln!(out, "{:#}", Value::from_iter(records.iter().map(object)))
    } else if io::stdout().is_terminal() {
        let columns = COLUMNS.map(|name| (name, Column::Left));
        let rows = records.iter().map(|record| row(record).to_vec());
        let table = table::table(&columns, rows, table::width());
        out.write_all(table.as_bytes())
    } else {
        records
            .iter()
            .try_for_each(|record| writeln!(out, "{}", row(record).join("\t")))
    };
    printed.and_then(|()| out.flush()).map_err(unwritten)?;
    match bad {
        0 => Ok(()),
        bad => Err(Failure::Failed(format!(
            "lines that are no valid record: {bad}; `ftpuser check` points at what is wrong"
        ))),
    }
}

pub(crate) fn row(record: &Record) -> [String; 5] {
    [
        record.name().to_string(),
        record.stored().scheme().name().to_owned(),
        shown(record.real_user().as_bytes()),
        shown(record.home().as_os_str().as_bytes()),
        shown(settings(record).join(" ").as_bytes()),
    ]
}

pub(crate) fn object(record: &Record) -> Value {
    let [name, kind, real_user, home, _] = row(record);
    json!({
        "name": name,
        "type": kind,
        "real_user": real_user,
        "home": home,
        "settings": settings(record),
    })
}

fn settings(record: &Record) -> Vec<String> {
    let settings = record.settings().iter();
    settings
        .map(|(key, value)| format!("{key}={value}"))
        .collect()
}
