//! The one way in which tools write to people and pipes. What could not be written is an error, also where a reader went away: who
//! has half of a list shall not take it for the whole.

use std::fmt::Display;
use std::io::{self, BufWriter, Stdout, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;

/// The standard output, for whichever thread has something to write.
pub type Out = BufWriter<Stdout>;

/// Opens the standard output.
pub fn stdout() -> Out {
    BufWriter::new(io::stdout())
}

/// Writes all of a text to the standard output, and gives `status` back; 1, after a complaint, where that failed.
pub fn answer(program: &str, text: &str, status: ExitCode) -> ExitCode {
    match write(text) {
        Ok(()) => status,
        Err(error) => {
            complain(program, format_args!("standard output: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Writes all of a text to the standard output.
pub fn write(text: &str) -> io::Result<()> {
    let mut out = stdout();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Tells something on the standard error, unless that is a client's connection. Nobody can be told where it fails.
pub fn complain(program: &str, message: impl Display) {
    if complaints_are_welcome() {
        let _ = writeln!(io::stderr().lock(), "{program}: {message}");
    }
}

// SECURITY: inetd gives the client's connection as standard error too, and no client may read about our files.
pub(super) fn complaints_are_welcome() -> bool {
    use nix::sys::stat::fstat;
    match (fstat(io::stdin().as_fd()), fstat(io::stderr().as_fd())) {
        (Ok(input), Ok(errors)) => {
            let socket = errors.st_mode & libc::S_IFMT == libc::S_IFSOCK;
            !socket || (input.st_dev, input.st_ino) != (errors.st_dev, errors.st_ino)
        }
        _ => true,
    }
}
