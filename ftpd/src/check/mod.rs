//! `ftpd --check`: what is wrong with the configuration and the files that it names, and what a login would get. Starts
//! nothing and changes nothing.

mod data;
mod files;
mod login;
mod passive;

pub(crate) use login::{entry, own};

use std::net::IpAddr;
use std::process::ExitCode;

use common::cli::finding::{self, Finding};
use common::cli::{out, table};
use common::hookd;
use common::settings::{Config, Loaded, ServerConfig};
use common::spool::Spool;

/// The login that was asked about would be refused, or the way does not lead back.
const REFUSED: u8 = 3;

/// Tells what a login of this user from this address would get.
pub(crate) fn login(loaded: &Loaded, user: &[u8], from: IpAddr, json: bool) -> ExitCode {
    let answer = login::ask(loaded, user, from);
    let text = if json {
        answer.json()
    } else {
        answer.table(table::width())
    };
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
    finding::errors(hooks(server))
}

/// Looks at what hooks name.
fn hooks(server: &ServerConfig) -> Vec<Finding> {
    let mut found = Vec::new();
    let [.., hook_user, _] = server.own_uids();
    let results = server.hooks.log.as_deref();
    hookd::look::look(server.placed_hooks(), hook_user, results, &mut found);
    if let Some(path) = &server.spool
        && let Err(why) = Spool::check(path)
    {
        found.push(Finding::Error(format!("EventSpool: {why}")));
    }
    found
}

/// Looks at what a configuration that is right in itself names.
pub(crate) fn answer(config: &Config) -> ExitCode {
    finding::tell("ftpd", files::look(config))
}
