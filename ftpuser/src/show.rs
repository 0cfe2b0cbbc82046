//! `ftpuser show`: one user, and never a hash.

use std::io::{self, IsTerminal};

use clap::ArgMatches;
use common::auth::native::UserFile;

use crate::list::{COLUMNS, object, row};
use crate::{Failure, file, name, tell};

pub(crate) fn run(arguments: &ArgMatches) -> Result<(), Failure> {
    let record = UserFile::open(file(arguments))?.find(name(arguments))?;
    if arguments.get_flag("json") {
        return tell(&format!("{:#}\n", object(&record)));
    }
    let mut row = row(&record);
    if io::stdout().is_terminal() {
        // Each setting has a line of its own: a terminal would break one in the middle.
        row[4] = row[4].replace(' ', &format!("\n{:11}", ""));
    }
    let rows = COLUMNS.iter().zip(row);
    let rows = rows.map(|(column, value)| format!("{column:<9}  {value}\n"));
    tell(&rows.collect::<String>())
}
