//! The hooks that a configuration asks for, each with its place. Pure: no I/O.

use std::path::PathBuf;

use super::assign::{Origin, SettingError};
use super::table::Setting;
use super::value::Wrong;
use crate::hooks::directive::{Directive, Directives};
use crate::hooks::{Action, Hook, Kind, RunAs, Scripts, Trigger};
use crate::proto::verbs::VerbSet;

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

/// All that is to be done when something happens: by single settings, then by tables and directives.
pub(super) fn all<'a>(scripts: &'a Scripts, hooks: &'a Hooks) -> impl Iterator<Item = &'a Hook> {
    let placed = hooks.all.iter().map(|placed| &placed.hook);
    scripts.iter().chain(placed)
}

/// The same with their places in the configuration, whose single settings are among `rows`.
pub(super) fn placed<'a>(
    rows: &[Setting],
    scripts: &'a Scripts,
    hooks: &'a Hooks,
) -> Vec<(String, &'a Hook)> {
    let key = |hook: &Hook| {
        let kind = hook.trigger.events.iter().next();
        let name = kind.map(|kind| format!("hooks.{}", kind.name().replace('_', "-")));
        let mut settings = rows.iter();
        let setting = settings.find(|setting| Some(setting.toml) == name.as_deref());
        setting.map_or("hooks", |setting| setting.key).to_owned()
    };
    let scripts = scripts.iter().map(|hook| (key(hook), hook));
    let placed = hooks.all.iter();
    scripts
        .chain(placed.map(|placed| (placed.origin.to_string(), &placed.hook)))
        .collect()
}

impl Placed {
    /// What of it makes no sense at a gateway, which has no files, and no users of its own.
    pub(super) fn misplaced_at_a_gateway(&self) -> Option<SettingError> {
        let Trigger { events, verbs } = &self.hook.trigger;
        let everything = Kind::ALL
            .into_iter()
            .filter(|&kind| kind != Kind::Command)
            .all(|kind| events.contains(kind));
        let strange = events.iter().find(|kind| !kind.is_of_gateway());
        let message = match (&self.hook.action, strange) {
            _ if *verbs != VerbSet::NONE => {
                "commands are the server's to tell of: hooks of a gateway are for events".to_owned()
            }
            (_, Some(kind)) if !everything => {
                let kinds = Kind::ALL.into_iter().filter(|kind| kind.is_of_gateway());
                let names: Vec<_> = kinds.map(Kind::name).collect();
                format!(
                    "a gateway has no event {:?}, only its servers have: there are {}, and all",
                    kind.name(),
                    names.join(", ")
                )
            }
            (Action::Exec(exec), _) if exec.run_as == RunAs::User => {
                "run-as: users are the servers', not the gateway's: name one of this system, \"hook\" or \"root\""
                    .to_owned()
            }
            _ => return None,
        };
        let origin = self.origin.clone();
        Some(SettingError { origin, message })
    }
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
