//! What hooks are told of a gateway's session by its network half: that data connections have ended, and how the session did.

use std::time::Duration;

use super::end::End;
use super::session::Session;
use crate::channel::DialRequest;
use crate::hookd::{EndWords, Interest, Listed};
use crate::hooks::{Kind, Phase};

/// What hooks want to hear.
#[derive(Clone, Copy, Debug, Default)]
pub struct HookTerms {
    /// Of data connections.
    tells_data: bool,
    /// How sessions end.
    tells_end: bool,
    /// The longest that is waited for them.
    pub(super) patience: Duration,
}

impl HookTerms {
    /// Those of a configuration's hooks, which take this long at the most.
    pub fn of(interest: &Interest, longest: Duration) -> HookTerms {
        let of_data = [Phase::Before, Phase::After].map(|phase| interest.has(Kind::DataUp, phase));
        HookTerms {
            tells_data: of_data.contains(&true),
            tells_end: interest.has(Kind::Logout, Phase::After),
            patience: longest,
        }
    }
}

impl Session<'_> {
    /// Tells hooks that data connections have ended, if there were any that they have heard of.
    pub(super) fn end_data(&mut self) -> Result<(), End> {
        if !self.hooks.tells_data || !std::mem::take(&mut self.had_data) {
            return Ok(());
        }
        self.tell_dialer(&DialRequest::DataEnded)
    }

    /// Tells hooks how the session of a user ends. It ends, heard or not.
    pub(super) fn tell_hooks_of_end(&mut self, end: &End) {
        let word = match end {
            End::Quit(_) => "quit",
            End::ClientLost => "connection lost",
            End::TimedOut => "timeout",
            End::Draining => "server stops",
            End::Dismissed(_) | End::Server(_) | End::ServerTimedOut => "server gone",
            // Nobody is there to tell, or nobody logged in.
            _ => return,
        };
        let Some(end) = Listed::<EndWords>::find(word) else {
            return;
        };
        if self.hooks.tells_end && self.who.logged_in {
            let (up, down) = self.tally.moved();
            // The dialer may be gone as well.
            let _ = self.dialer.call(&DialRequest::Leave { end, up, down });
        }
    }
}
