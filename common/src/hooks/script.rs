//! Hooks by single settings, as MetaFTPd has them: one program for a kind of event, `path[,user[,directory]]`. Pure: no I/O.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::hook::{Action, Exec, Hook, Input, Mode, Phase, RunAs, Trigger};
use super::kind::Kind;
use super::template::Template;
use crate::proto::verbs::VerbSet;

/// The programs of single settings, by their events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scripts(BTreeMap<Kind, Hook>);

impl Scripts {
    /// Sets the program for a kind of event; an empty text is none. `Err` says what is wrong.
    pub fn set(&mut self, kind: Kind, text: &str) -> Result<(), String> {
        if text.is_empty() {
            self.0.remove(&kind);
        } else {
            self.0.insert(kind, parse(kind, text)?);
        }
        Ok(())
    }

    /// The same at a gateway, which has no users: a program gets to know what the client said with USER.
    pub fn set_at_gateway(&mut self, kind: Kind, text: &str) -> Result<(), String> {
        self.set(kind, text)?;
        let hook = self.0.get_mut(&kind).filter(|_| names_user(kind));
        if let Some(Action::Exec(exec)) = hook.map(|hook| &mut hook.action) {
            exec.arguments = templates(&["login"])?;
        }
        Ok(())
    }

    pub fn iter(&self) -> impl Iterator<Item = &Hook> {
        self.0.values()
    }
}

/// Reads `path[,user[,directory]]`.
fn parse(kind: Kind, text: &str) -> Result<Hook, String> {
    let mut parts = text.splitn(3, ',');
    let absolute = |part: Option<&str>, what: &str| match part {
        Some(part) if part.starts_with('/') => Ok(PathBuf::from(part)),
        _ => Err(format!(
            "the {what} must be a whole path, from / on: PATH[,USER[,DIR]]"
        )),
    };
    let program = absolute(parts.next(), "program")?;
    let run_as = match parts.next() {
        None | Some("") => RunAs::Hook,
        Some("root") => RunAs::Root,
        Some(user) => RunAs::Named {
            user: user.to_owned(),
            group: None,
        },
    };
    let directory = parts.next().filter(|part| !part.is_empty());
    let directory = directory
        .map(|part| absolute(Some(part), "directory"))
        .transpose()?;
    let mut exec = Exec::new(program, arguments(kind)?);
    exec.run_as = run_as;
    exec.directory = directory;
    exec.input = Input::Nothing;
    let trigger = Trigger {
        events: [kind].into_iter().collect(),
        verbs: VerbSet::NONE,
    };
    let mut hook = Hook::new(trigger, Action::Exec(Box::new(exec)));
    // A way through a firewall must be there before the connection, and counts only if it is.
    match kind {
        Kind::DataUp => (hook.phase, hook.mode) = (Phase::Before, Mode::Veto),
        Kind::DataDown => hook.mode = Mode::Wait,
        _ => {}
    }
    Ok(hook)
}

/// What a program gets to know.
fn arguments(kind: Kind) -> Result<Vec<Template>, String> {
    let names: &[&str] = match kind {
        kind if names_user(kind) => &["user"],
        Kind::Rename => &["real_from", "real_path"],
        Kind::DataUp | Kind::DataDown => &[
            "source_address",
            "source_port",
            "destination_address",
            "destination_port",
            "connection",
        ],
        _ => &["real_path"],
    };
    templates(names)
}

fn names_user(kind: Kind) -> bool {
    matches!(kind, Kind::Login | Kind::Logout)
}

fn templates(names: &[&str]) -> Result<Vec<Template>, String> {
    let template = |name: &&str| {
        let parsed = Template::parse(&format!("%{{{name}}}"));
        parsed.map_err(|error| error.to_string())
    };
    names.iter().map(template).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_have_a_user_and_a_directory() {
        let mut scripts = Scripts::default();
        scripts
            .set(Kind::Upload, "/bin/scan,daemon,/srv/in,coming")
            .unwrap();
        let hook = scripts.iter().next().unwrap();
        let Action::Exec(exec) = &hook.action else {
            panic!("{hook:?}");
        };
        assert_eq!(exec.program, PathBuf::from("/bin/scan"));
        assert_eq!(exec.directory, Some(PathBuf::from("/srv/in,coming")));
        let user = "daemon".to_owned();
        assert_eq!(exec.run_as, RunAs::Named { user, group: None });
        assert_eq!(hook.check(), Ok(()));
        scripts.set(Kind::Upload, "").unwrap();
        assert_eq!(scripts.iter().count(), 0);
    }

    #[test]
    fn only_who_says_root_gets_root() {
        for (text, run_as) in [("/x", RunAs::Hook), ("/x,root", RunAs::Root)] {
            let hook = parse(Kind::Delete, text).unwrap();
            let Action::Exec(exec) = hook.action else {
                panic!("{text}");
            };
            assert_eq!(exec.run_as, run_as);
        }
        assert!(parse(Kind::Upload, "scan").is_err());
        assert!(parse(Kind::Upload, "/scan,,tmp").is_err());
    }

    #[test]
    fn every_kind_with_a_setting_makes_a_sound_hook() {
        for kind in [
            Kind::Login,
            Kind::Logout,
            Kind::Rename,
            Kind::DataUp,
            Kind::DataDown,
        ] {
            assert_eq!(parse(kind, "/x").unwrap().check(), Ok(()), "{kind:?}");
        }
    }
}
