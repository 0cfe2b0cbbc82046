//! `ftpuser show`: one user, and never a hash.

use clap::ArgMatches;
use common::auth::native::UserFile;

use crate::list::{COLUMNS, object, row};
use crate::{Failure, file, name, tell};

pub(crate) fn run(arguments: &ArgMatches) -> Result<(), Failure> {
    let record = UserFile::open(file(arguments))?.find(name(arguments))?;
    if arguments.get_flag("json") {
        return tell(&format!("{:#}\n", object(&record)));
    }
    let rows = COLUMNS.iter().zip(row(&record));
    let rows = rows.map(|(column, value)| format!("{column:<9}  {value}\n"));
    tell(&rows.collect::<String>())
}
