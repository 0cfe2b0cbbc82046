//! The hooks that a configuration asks for, each with its place. Pure: no I/O.

use std::path::PathBuf;

use super::assign::{Origin, SettingError};
use super::value::Wrong;
use crate::hooks::Hook;
use crate::hooks::directive::{Directive, Directives};

/// All hooks, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hooks {
    pub all: Vec<Placed>,
    /// Where the results of programs are written beside the log.
    pub log: Option<PathBuf>,
}

/// What becomes of an upload whose event cannot be kept in the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpoolFull {
    /// The client is told that there is no room (452), and the file does not get its name.
    Refuse,
    /// It is as any other, and only its event can be lost.
    Accept,
}

impl SpoolFull {
    pub(super) fn parse(text: &str) -> Result<SpoolFull, Wrong> {
        match text.to_ascii_lowercase().as_str() {
            "refuse" => Ok(SpoolFull::Refuse),
            "accept" => Ok(SpoolFull::Accept),
            _ => Err(Wrong::Not("refuse or accept".to_owned())),
        }
    }
}

/// A hook, and what asks for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    pub hook: Hook,
    pub origin: Origin,
}

/// The lines of a `Key=Value` file that are mod_exec's directives.
#[derive(Default)]
pub(super) struct Lines {
    directives: Directives,
    /// The first of them.
    first: Option<Origin>,
}

impl Lines {
    /// Takes a line; what is wrong with its value is an error with its place.
    pub(super) fn push(
        &mut self,
        directive: Directive,
        text: &str,
        origin: &Origin,
    ) -> Result<(), SettingError> {
        self.first.get_or_insert_with(|| origin.clone());
        let pushed = self.directives.push(directive, text, origin);
        pushed.map_err(|why| SettingError {
            origin: origin.clone(),
            message: format!("{}: {why}", directive.name()),
        })
    }

    /// The hooks of all lines. What is wrong with them together is an error of the first.
    pub(super) fn finish(self) -> Result<Hooks, SettingError> {
        let origin = self.first.unwrap_or(Origin::Default);
        self.directives
            .finish()
            .map_err(|message| SettingError { origin, message })
    }
}
