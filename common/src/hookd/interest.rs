//! What of all that happens a hook wants to know, so that nobody is told in vain, and what is waited for.

use crate::hooks::{Hook, Kind, KindSet, Mode, OnFailure, Phase};

/// What the hooks of a configuration are for, whomever they are for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Interest([OfPhase; 4]);

#[derive(Clone, Copy, Debug, Default)]
struct OfPhase {
    any: KindSet,
    waited: KindSet,
    /// Refused where no answer can be had.
    closed: KindSet,
}

impl Interest {
    pub fn of(hooks: &[Hook]) -> Interest {
        let mut interest = Interest::default();
        for hook in hooks {
            let of_phase = &mut interest.0[hook.phase as usize];
            for kind in hook.trigger.events.iter() {
                of_phase.any.insert(kind);
                // Whoever is owed an end must know of the beginning.
                match kind {
                    Kind::DataDown => of_phase.any.insert(Kind::DataUp),
                    Kind::Logout => of_phase.any.insert(Kind::Login),
                    _ => {}
                }
                if hook.mode != Mode::Async {
                    of_phase.waited.insert(kind);
                }
                if hook.mode == Mode::Veto && hook.on_failure == OnFailure::Deny {
                    of_phase.closed.insert(kind);
                }
            }
        }
        interest
    }

    /// Whether any hook is for it.
    pub fn has(&self, kind: Kind, phase: Phase) -> bool {
        self.0[phase as usize].any.contains(kind)
    }

    /// Whether any hook wants to hear how downloads end.
    pub fn of_downloads(&self) -> bool {
        [Kind::Download, Kind::DownloadAborted]
            .into_iter()
            .any(|kind| self.has(kind, Phase::After))
    }

    /// Whether any hook for it is waited for.
    pub fn waits(&self, kind: Kind, phase: Phase) -> bool {
        self.0[phase as usize].waited.contains(kind)
    }

    /// Whether it must not happen if no hook can be asked.
    pub fn fails_closed(&self, kind: Kind, phase: Phase) -> bool {
        self.0[phase as usize].closed.contains(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hooks::{Action, Exec, Trigger};
    use crate::proto::verbs::VerbSet;

    #[test]
    fn only_what_a_hook_is_for_is_told_and_only_what_one_waits_for_is_asked() {
        let trigger = |kind| Trigger {
            events: [kind].into_iter().collect(),
            verbs: VerbSet::NONE,
        };
        let exec = || Action::Exec(Box::new(Exec::new("/bin/true".into(), Vec::new())));
        let told = Hook::new(trigger(Kind::Upload), exec());
        let mut asked = Hook::new(trigger(Kind::Delete), exec());
        (asked.phase, asked.mode) = (Phase::Before, Mode::Veto);
        let interest = Interest::of(&[told, asked]);
        assert!(interest.has(Kind::Upload, Phase::After));
        assert!(!interest.waits(Kind::Upload, Phase::After));
        assert!(!interest.has(Kind::Upload, Phase::Before));
        assert!(interest.waits(Kind::Delete, Phase::Before));
        assert!(interest.fails_closed(Kind::Delete, Phase::Before));
        assert!(!interest.has(Kind::Delete, Phase::After));
    }
}
