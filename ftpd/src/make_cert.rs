//! `ftpd --make-cert HOST`: a self-signed certificate and its key, as files in the current directory.

use std::fs::{OpenOptions, remove_file};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use common::cli::out::{answer, complain};
use common::tls::make::{VALID_DAYS, is_host, self_signed};

/// Makes the files and says what comes next.
pub(crate) fn make(host: &str) -> ExitCode {
    match write_pair(host) {
        Ok((certificate, key)) => {
            let (certificate, key) = (certificate.display(), key.display());
            let text = format!(
                "{certificate} and {key} are for {host} and for {VALID_DAYS} days.\n\
                 Clients do not know who signed the certificate, so they ask, or want it as a CA file. Next:\n\
                 \n    ftpd -cert {certificate} -key {key} ...\n\
                 \nor in the configuration, with the whole paths: Certificate=... and CertificateKey=...\n"
            );
            answer("ftpd", &text, ExitCode::SUCCESS)
        }
        Err(problem) => {
            complain("ftpd", problem);
            ExitCode::FAILURE
        }
    }
}

fn write_pair(host: &str) -> Result<(PathBuf, PathBuf), String> {
    if !is_host(host) {
        return Err(format!(
            "--make-cert: \"{}\" is no name of a host",
            host.escape_debug()
        ));
    }
    let made = self_signed(host)?;
    let file = |ending: &str| PathBuf::from(format!("{host}.{ending}"));
    let (certificate, key) = (file("pem"), file("key"));
    write_new(&key, &made.key, 0o600)?;
    write_new(&certificate, &made.certificate, 0o644).inspect_err(|_| remove(&key))?;
    Ok((certificate, key))
}

/// Writes a file that is not there yet.
fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), String> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => format!(
            "{} is there already, and is not replaced: move it away, or go to another directory",
            path.display()
        ),
        _ => format!("{}: {error}", path.display()),
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    #[expect(
        clippy::disallowed_methods,
        reason = "a file that the command line asks for, in the directory of whoever typed it"
    )]
    let opened = options.open(path);
    let mut file = opened.map_err(failed)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all());
    written.inspect_err(|_| remove(path)).map_err(failed)
}

/// Takes back a file that was just made.
fn remove(path: &Path) {
    #[expect(
        clippy::disallowed_methods,
        reason = "a file that was just made, and is not whole or without its other half"
    )]
    let _ = remove_file(path);
}
