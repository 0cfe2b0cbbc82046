//! `ftpd --check`: what is wrong with the configuration and the files that it names, and what a login would get. Starts
//! nothing and changes nothing.

mod data;
mod files;
mod login;

use std::process::ExitCode;

use common::cli::ftpd::Question;
use common::cli::out::{complain, print};
use common::settings::Loaded;

/// The login that was asked about would be refused.
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

/// Answers what the command line asks about a configuration that is right in itself.
pub(crate) fn answer(loaded: &Loaded, question: &Question<'_>) -> ExitCode {
    if let Some(user) = question.user {
        let answer = login::ask(loaded, user, question.from);
        print(&if question.json {
            answer.json()
        } else {
            answer.table()
        });
        return match answer.refused {
            None => ExitCode::SUCCESS,
            Some(_) => ExitCode::from(REFUSED),
        };
    }
    let mut errors = 0usize;
    for finding in files::look(&loaded.config) {
        match finding {
            Finding::Error(text) => {
                errors += 1;
                complain("ftpd", text);
            }
            Finding::Warning(text) => complain("ftpd", format_args!("warning: {text}")),
            Finding::Note(text) => print(&format!("{text}\n")),
        }
    }
    if errors > 0 {
        return ExitCode::FAILURE;
    }
    print("configuration is fine\n");
    ExitCode::SUCCESS
}
