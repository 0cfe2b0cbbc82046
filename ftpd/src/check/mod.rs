//! `ftpd --check`: what is wrong with the configuration and the files that it names, and what a login would get. Starts
//! nothing and changes nothing.

mod data;
mod files;
mod hooks;
mod login;
mod passive;

pub(crate) use login::{entry, own};

use std::net::IpAddr;
use std::process::ExitCode;

use common::cli::out::{self, complain};
use common::settings::{Config, Loaded, ServerConfig};

/// The login that was asked about would be refused, or the way does not lead back.
const REFUSED: u8 = 3;

/// Something that a check found.
enum Finding {
    /// The server cannot start, or nobody can log in.
    Error(String),
    /// Some cannot log in, or it was hardly meant so.
    Warning(String),
    /// Worth knowing.
    Note(String),
}

/// Tells what a login of this user from this address would get.
pub(crate) fn login(loaded: &Loaded, user: &[u8], from: IpAddr, json: bool) -> ExitCode {
    let answer = login::ask(loaded, user, from);
    let text = if json { answer.json() } else { answer.table() };
    let status = match answer.refused {
        None => ExitCode::SUCCESS,
        Some(_) => ExitCode::from(REFUSED),
    };
    out::answer("ftpd", &text, status)
}

/// Tells where passive mode leads whom, and tries it.
pub(crate) fn passive(config: &Config, json: bool) -> ExitCode {
    let answer = passive::Answer::ask(config);
    let text = if json { answer.json() } else { answer.table() };
    let status = match answer.is_fine() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(REFUSED),
    };
    out::answer("ftpd", &text, status)
}

/// What is wrong with what hooks name, for the log of a daemon that starts all the same.
pub(crate) fn wrong_with_hooks(server: &ServerConfig) -> Vec<String> {
    let mut found = Vec::new();
    hooks::look(server, &mut found);
    let errors = found.into_iter().filter_map(|finding| match finding {
        Finding::Error(text) => Some(text),
        Finding::Warning(_) | Finding::Note(_) => None,
    });
    errors.collect()
}

/// Looks at what a configuration that is right in itself names.
pub(crate) fn answer(config: &Config) -> ExitCode {
    let mut errors = 0usize;
    let mut told = String::new();
    for finding in files::look(config) {
        match finding {
            Finding::Error(text) => {
                errors += 1;
                complain("ftpd", text);
            }
            Finding::Warning(text) => complain("ftpd", format_args!("warning: {text}")),
            Finding::Note(text) => told.extend([&text, "\n"]),
        }
    }
    if errors > 0 {
        return out::answer("ftpd", &told, ExitCode::FAILURE);
    }
    told.push_str("configuration is fine\n");
    out::answer("ftpd", &told, ExitCode::SUCCESS)
}
