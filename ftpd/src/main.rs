//! The FTP daemon. `main` only finds out which role this process has: daemon, inetd session, or a check of the
//! configuration.

mod check;
mod daemon;
mod dump;
mod explain;
mod keeper;
mod make_cert;
mod reload;
mod session;
mod setup;

use std::ffi::OsString;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use common::cli;
use common::cli::asking::Daemon;
use common::cli::ftpd::Question;
use common::cli::who;
use common::settings::{Config, Run, Source};

fn main() -> ExitCode {
    if let Some(words) = cli::metaftpd::user_command(&std::env::args_os().collect::<Vec<_>>()) {
        return change_users(&words);
    }
    common::sys::map_large_buffers();
    let (config, source) = match common::startup::apart(configuration) {
        ControlFlow::Break(status) => return status,
        ControlFlow::Continue(both) => both,
    };
    common::sys::promise_single_thread();
    match config.server.run {
        Run::Inetd => daemon::serve_inetd(config),
        Run::Foreground | Run::Background => daemon::listen(config, &source),
    }
}

/// Becomes the `ftpuser` that was installed with this program, as MetaFTPd's flag `-user` wants it.
fn change_users(words: &[OsString]) -> ExitCode {
    let own = std::env::current_exe();
    let directory = own.as_deref().ok().and_then(Path::parent);
    let mut error = io::Error::from(io::ErrorKind::NotFound);
    for place in ["ftpuser", "../bin/ftpuser"] {
        let Some(program) = directory.map(|directory| directory.join(place)) else {
            break;
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "with the caller's own rights, and nothing has been started yet"
        )]
        let mut command = Command::new(program);
        error = command.args(words).exec();
        if error.kind() != io::ErrorKind::NotFound {
            break;
        }
    }
    let text = format_args!("-user is done by ftpuser, which does not start: {error}");
    cli::out::complain("ftpd", text);
    ExitCode::FAILURE
}

/// What the command line and the files say; `Break` where that was all there was to do.
fn configuration() -> ControlFlow<ExitCode, (Config, Source)> {
    let matches = cli::matches(cli::ftpd::command());
    if let Some(host) = cli::ftpd::make_cert(&matches) {
        return ControlFlow::Break(make_cert::make(host));
    }
    if let Some(name) = cli::ftpd::explain(&matches) {
        return ControlFlow::Break(explain::explain(name));
    }
    let source = Source::new(matches);
    let loaded = cli::ftpd::configuration(&source)?;
    let daemon = Daemon {
        program: "ftpd",
        socket: loaded.config.server.control_socket.as_deref(),
    };
    let answer = match cli::ftpd::question(source.matches()) {
        None => return ControlFlow::Continue((loaded.config, source)),
        Some(Question::Check) => check::answer(&loaded.config),
        Some(Question::Passive { json }) => check::passive(&loaded.config, json),
        Some(Question::Login { user, from, json }) => check::login(&loaded, user, from, json),
        Some(Question::Who { json }) => who::list(&daemon, json),
        Some(Question::Health) => who::health(&daemon),
        Some(Question::Kick { session }) => who::kick(&daemon, session),
        Some(Question::Dump { user }) => dump::dump(&loaded, user),
    };
    ControlFlow::Break(answer)
}
