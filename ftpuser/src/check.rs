//! `ftpuser check`: what keeps users from logging in, and passwords that are kept badly.

use clap::ArgMatches;
use common::auth::native::{About, Entry, Problem, Scheme, UserFile, review};
use common::settings::Config;
use serde_json::{Value, json};

use crate::{Failure, file, tell, weakness};

pub(crate) fn run(arguments: &ArgMatches) -> Result<(), Failure> {
    let file = file(arguments);
    // What a daemon would refuse as a whole comes first, with its remedy.
    let users = UserFile::open_trusted(file)?;
    let entries = users.entries()?;
    let mut found = review(&Config::default(), &entries);
    found.extend(entries.iter().filter_map(badly_kept));
    found.sort_by_key(|problem| problem.line);
    users.point_at(&mut found)?;
    if arguments.get_flag("json") {
        let objects = found.iter().map(|problem| {
            let column = problem.pointed.as_ref().map(|pointed| pointed.column);
            json!({ "line": problem.line, "column": column, "name": problem.name, "problem": problem.text })
        });
        tell(&format!("{:#}\n", Value::from_iter(objects)))?;
    } else {
        let lines = found.iter().map(|problem| problem.told(file) + "\n");
        tell(&lines.collect::<String>())?;
        tell(&format!(
            "users: {}, problems: {}\n",
            entries.len(),
            found.len()
        ))?;
    }
    match found.len() {
        0 => Ok(()),
        1 => Err(Failure::failed("there is a problem")),
        found => Err(Failure::Failed(format!("there are {found} problems"))),
    }
}

fn badly_kept(entry: &Entry) -> Option<Problem> {
    let record = entry.record.as_ref().ok()?;
    let text = match record.stored().scheme() {
        Scheme::Null if !is_for_strangers(record.name().as_bytes()) => {
            "any password is right for this user; `ftpuser passwd` gives one".to_owned()
        }
        _ => weakness(record.stored())?,
    };
    Some(Problem::of(entry, About::Type, text))
}

/// The names that strangers log in by (RFC 1635).
fn is_for_strangers(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"anonymous") || name.eq_ignore_ascii_case(b"ftp")
}
