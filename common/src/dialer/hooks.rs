//! What a dialer tells hooks: logins, the data connections of both sides before they are made and when they have ended, and what a
//! session has moved.

use std::net::SocketAddr;

use super::{Answered, Dialer};
use crate::channel::DialAnswer;
use crate::hookd::{EndWords, Listed, Sum, Told, Verdict};
use crate::hooks::{Connection, DataConnection, Phase};
use crate::jail::Failure;
use crate::net;

impl Dialer<'_> {
    /// Tells what has happened.
    pub(super) fn tell(&mut self, told: Told) {
        let hooks = &mut self.visit.hooks;
        hooks.attend();
        // It has happened, whatever they say.
        hooks.say(Phase::After, told, None);
        self.tell_of_losses();
    }

    fn tell_of_losses(&mut self) {
        let lost = self.visit.hooks.take_lost();
        if lost > 0 {
            self.rules.log.line(&format!(
                "hooks: {lost} events were lost, hookd was not to be had"
            ));
        }
    }

    /// Asks hooks about a data connection before there is one; `Some` is the answer that refuses it.
    pub(super) fn data_up(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        connection: Connection,
    ) -> Option<Answered> {
        let verdict = self.visit.hooks.data_up(DataConnection {
            source: net::canonical(source),
            destination: net::canonical(destination),
            connection,
        });
        self.tell_of_losses();
        match verdict {
            Verdict::Pass | Verdict::Say { .. } | Verdict::Rename { .. } => None,
            Verdict::Refuse { text } => Some((DialAnswer::Vetoed { text }, None)),
            Verdict::NoRoom => {
                let why = Failure::NoSpace;
                Some((DialAnswer::Failed { why }, None))
            }
        }
    }

    /// Tells that all data connections have ended.
    pub(super) fn data_ended(&mut self) -> Answered {
        self.visit.hooks.data_down();
        self.tell_of_losses();
        (DialAnswer::Done, None)
    }

    /// Has hooks hear, once the session has ended, why and how much was moved.
    pub(super) fn leave(&mut self, end: Listed<EndWords>, up: u64, down: u64) -> Answered {
        self.visit.hooks.sum(Sum {
            received: up,
            sent: down,
            end: Some(end),
        });
        (DialAnswer::Done, None)
    }
}
