//! What `--check` has found, and how it is told.

use std::process::ExitCode;

use super::out::{self, complain};

/// Something that a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The daemon cannot start, or serves nobody.
    Error(String),
    /// Some are not served, or it was hardly meant so.
    Warning(String),
    /// Worth knowing.
    Note(String),
}

/// Tells all of it, and whether the configuration is fine; gives the status to end with.
pub fn tell(program: &str, findings: impl IntoIterator<Item = Finding>) -> ExitCode {
    let mut status = ExitCode::SUCCESS;
    let mut told = String::new();
    for finding in findings {
        match finding {
            Finding::Error(text) => {
                status = ExitCode::FAILURE;
                complain(program, text);
            }
            Finding::Warning(text) => complain(program, format_args!("warning: {text}")),
            Finding::Note(text) => told.extend([&text, "\n"]),
        }
    }
    if status == ExitCode::SUCCESS {
        told.push_str("configuration is fine\n");
    }
    out::answer(program, &told, status)
}

/// The errors alone, for the log of a daemon that starts all the same.
pub fn errors(findings: Vec<Finding>) -> Vec<String> {
    let errors = findings.into_iter().filter_map(|finding| match finding {
        Finding::Error(text) => Some(text),
        Finding::Warning(_) | Finding::Note(_) => None,
    });
    errors.collect()
}
