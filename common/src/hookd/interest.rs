//! What of all that happens a hook wants to know, so that nobody is told in vain, and what is waited for.

use super::message::Told;
use crate::hooks::{Hook, Kind, KindSet, Mode, OnFailure, Phase};
use crate::proto::verbs::{Verb, VerbSet};
use crate::settings::SpoolFull;

/// What the hooks of a configuration are for, whomever they are for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Interest([OfPhase; 4]);

#[derive(Clone, Copy, Debug, Default)]
struct OfPhase {
    any: Set,
    waited: Set,
    /// What is refused if it says so.
    vetoed: Set,
    /// Refused where no answer can be had.
    closed: Set,
}

/// Events, and commands.
#[derive(Clone, Copy, Debug)]
struct Set {
    kinds: KindSet,
    verbs: VerbSet,
}

impl Default for Set {
    fn default() -> Self {
        Set {
            kinds: KindSet::NONE,
            verbs: VerbSet::NONE,
        }
    }
}

impl Set {
    fn add(&mut self, hook: &Hook) {
        let kinds = hook.trigger.events.iter();
        kinds.for_each(|kind| self.kinds.insert(kind));
        self.verbs = self.verbs.with(hook.trigger.verbs);
    }

    fn has(&self, told: &Told) -> bool {
        let verb = told.command.as_ref().map(|command| command.verb);
        match told.kind {
            Kind::Command => verb.is_some_and(|verb| self.verbs.contains(verb)),
            kind => self.kinds.contains(kind),
        }
    }
}

impl Interest {
    /// What hooks are for. `spool`: what becomes of uploads that cannot be spooled, where they are.
    pub fn of(hooks: &[Hook], spool: Option<SpoolFull>) -> Interest {
        let mut interest = Interest::default();
        for hook in hooks {
            let of_phase = &mut interest.0[hook.phase as usize];
            of_phase.any.add(hook);
            // Whoever is owed an end must know of the beginning.
            for kind in hook.trigger.events.iter() {
                match kind {
                    Kind::DataDown => of_phase.any.kinds.insert(Kind::DataUp),
                    Kind::Logout => of_phase.any.kinds.insert(Kind::Login),
                    _ => {}
                }
            }
            if hook.mode != Mode::Async {
                of_phase.waited.add(hook);
            }
            if hook.mode == Mode::Veto {
                of_phase.vetoed.add(hook);
            }
            if hook.mode == Mode::Veto && hook.on_failure == OnFailure::Deny {
                of_phase.closed.add(hook);
            }
        }
        if let Some(full) = spool
            && interest.has(Kind::Upload, Phase::After)
        {
            // Nobody need accept them, but hookd must have them before they are acknowledged.
            let of_phase = &mut interest.0[Phase::Accept as usize];
            of_phase.any.kinds.insert(Kind::Upload);
            of_phase.waited.kinds.insert(Kind::Upload);
            if full == SpoolFull::Refuse {
                of_phase.closed.kinds.insert(Kind::Upload);
            }
        }
        interest
    }

    /// Whether any hook is for it.
    pub fn has(&self, kind: Kind, phase: Phase) -> bool {
        self.0[phase as usize].any.kinds.contains(kind)
    }

    /// Whether any hook is for the command, before or after it.
    pub fn of_command(&self, verb: Verb) -> bool {
        self.0.iter().any(|phase| phase.any.verbs.contains(verb))
    }

    /// Whether a hook on the command is waited for, before or after it.
    pub fn waits_for(&self, verb: Verb) -> bool {
        self.0.iter().any(|phase| phase.waited.verbs.contains(verb))
    }

    /// Whether a hook may refuse the command.
    pub fn vetoes(&self, verb: Verb) -> bool {
        self.0[Phase::Before as usize].vetoed.verbs.contains(verb)
    }

    /// Whether a hook wants to see whole files before they are.
    pub fn accepts(&self) -> bool {
        self.has(Kind::Upload, Phase::Accept)
    }

    /// Whether any hook wants to hear how downloads end.
    pub fn of_downloads(&self) -> bool {
        let command = Verb::find("RETR").is_some_and(|verb| self.of_command(verb));
        let told = [Kind::Download, Kind::DownloadAborted, Kind::Logout]
            .into_iter()
            .any(|kind| self.has(kind, Phase::After));
        told || command
    }

    /// Whether any hook would hear of a file's digest.
    pub fn of_digests(&self) -> bool {
        let kinds = [Kind::Upload, Kind::UploadRefused, Kind::Download];
        let told = |phase: &OfPhase| {
            let verbs = phase.any.verbs != VerbSet::NONE;
            verbs || kinds.iter().any(|&kind| phase.any.kinds.contains(kind))
        };
        self.0.iter().any(told)
    }

    /// Whether a session waits for a hook before it may transfer a file.
    pub fn holds_transfers(&self) -> bool {
        let kinds = [Kind::Upload, Kind::Download];
        let waited = &self.0[Phase::Before as usize].waited;
        kinds.iter().any(|&kind| waited.kinds.contains(kind))
    }

    /// Whether any hook is for what is told.
    pub(super) fn concerns(&self, told: &Told, phase: Phase) -> bool {
        self.0[phase as usize].any.has(told)
    }

    /// Whether any hook for it is waited for.
    pub(super) fn waits(&self, told: &Told, phase: Phase) -> bool {
        self.0[phase as usize].waited.has(told)
    }

    /// Whether it must not happen if no hook can be asked.
    pub(super) fn fails_closed(&self, told: &Told, phase: Phase) -> bool {
        self.0[phase as usize].closed.has(told)
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::Commanded;
    use super::*;
    use crate::hooks::{Action, Exec, Trigger};
    use crate::wire::Octets;

    fn hook(kinds: &[Kind], verbs: &[&str]) -> Hook {
        let mut set = VerbSet::NONE;
        verbs
            .iter()
            .for_each(|verb| set.insert(Verb::find(verb).unwrap()));
        let trigger = Trigger {
            events: kinds.iter().copied().collect(),
            verbs: set,
        };
        let exec = Exec::new("/bin/true".into(), Vec::new());
        Hook::new(trigger, Action::Exec(Box::new(exec)))
    }

    #[test]
    fn only_what_a_hook_is_for_is_told_and_only_what_one_waits_for_is_asked() {
        let told = hook(&[Kind::Upload], &[]);
        let mut asked = hook(&[Kind::Delete], &[]);
        (asked.phase, asked.mode) = (Phase::Before, Mode::Veto);
        let kept = Interest::of(std::slice::from_ref(&told), Some(SpoolFull::Refuse));
        let interest = Interest::of(&[told, asked], None);
        let upload = Told::new(Kind::Upload);
        let delete = Told::new(Kind::Delete);
        assert!(kept.waits(&upload, Phase::Accept));
        assert!(kept.fails_closed(&upload, Phase::Accept));
        assert!(!interest.has(Kind::Upload, Phase::Accept));
        assert!(interest.has(Kind::Upload, Phase::After));
        assert!(!interest.waits(&upload, Phase::After));
        assert!(!interest.concerns(&upload, Phase::Before));
        assert!(interest.waits(&delete, Phase::Before));
        assert!(interest.fails_closed(&delete, Phase::Before));
        assert!(!interest.concerns(&delete, Phase::After));
    }

    #[test]
    fn a_command_is_told_by_its_verb() {
        let mut asked = hook(&[], &["DELE", "SITE CHMOD"]);
        (asked.phase, asked.mode) = (Phase::Before, Mode::Veto);
        let interest = Interest::of(&[asked], None);
        let told = |verb: &str| Told {
            command: Some(Commanded {
                verb: Verb::find(verb).unwrap(),
                arguments: Octets::default(),
                reply: None,
            }),
            ..Told::new(Kind::Command)
        };
        assert!(interest.waits(&told("DELE"), Phase::Before));
        assert!(!interest.concerns(&told("DELE"), Phase::After));
        assert!(!interest.concerns(&told("RMD"), Phase::Before));
        assert!(interest.vetoes(Verb::find("SITE CHMOD").unwrap()));
        assert!(!interest.has(Kind::Delete, Phase::Before));
    }
}
