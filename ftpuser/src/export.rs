//! `ftpuser export`: the users in the form of another program's file.

use std::os::unix::ffi::OsStrExt;

use clap::ArgMatches;
use common::auth::Identity;
use common::auth::native::{Record, Scheme, UserFile, shown};
use common::cli::ftpuser::{Form, form_of};
use common::cli::out::{self, complain};
use std::io::Write;

use crate::{Failure, file, unwritten};

pub(crate) fn run(arguments: &ArgMatches) -> Result<(), Failure> {
    let form = form_of(arguments);
    let file = file(arguments);
    let mut out = out::stdout();
    let mut left_out = 0usize;
    for entry in UserFile::open(file)?.entries()? {
        let line = match &entry.record {
            Ok(record) => line(form, record),
            Err(why) => Err(why.to_string()),
        };
        let written = match line {
            Ok(line) => out.write_all(&line).and_then(|()| out.write_all(b"\n")),
            Err(why) => {
                let (file, line, name) = (file.display(), entry.line, entry.name);
                complain("ftpuser", format!("{file}:{line}: user {name:?}: {why}"));
                left_out += 1;
                Ok(())
            }
        };
        written.map_err(unwritten)?;
    }
    out.flush().map_err(unwritten)?;
    match left_out {
        0 => Ok(()),
        left_out => Err(Failure::Failed(format!("users left out: {left_out}"))),
    }
}

/// The line of a user, or why there is none.
fn line(form: Form, record: &Record) -> Result<Vec<u8>, String> {
    let scheme = record.stored().scheme();
    if form == Form::Metaftpd {
        return match scheme {
            Scheme::Argon2id | Scheme::Crypt => Err(format!(
                "MetaFTPd does not know passwords of type {}",
                scheme.name()
            )),
            _ => Ok(record.encode()),
        };
    }
    let hash = record.stored().crypted().ok_or_else(|| {
        format!(
            "other programs do not know passwords of type {}",
            scheme.name()
        )
    })?;
    let name = record.name().as_bytes();
    if form == Form::Htpasswd {
        return Ok([name, hash.as_bytes()].join(&b':'));
    }
    if !hash.is_of_crypt() {
        return Err("only Apache knows this hash; --to htpasswd tells it".to_owned());
    }
    let identity = Identity::of_real_user(record.real_user()).map_err(|error| error.to_string())?;
    let numbers = format!("{}:{}", identity.uid, identity.gid);
    let home = record.home().as_os_str().as_bytes();
    if !record.settings().is_empty() {
        let name = shown(name);
        complain(
            "ftpuser",
            format!("warning: {name}: the settings are not told"),
        );
    }
    // ProFTPD asks for a shell, and nobody shall get one by this.
    Ok([
        name,
        hash.as_bytes(),
        numbers.as_bytes(),
        b"",
        home,
        b"/usr/sbin/nologin",
    ]
    .join(&b':'))
}
