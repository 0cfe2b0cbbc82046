//! The certificates that are offered now, and the signers that come one after the other: a new one for new sessions, while
//! those that run keep theirs.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use crate::log::Log;
use crate::tls::Offer;
use crate::tls::signer::{Ready, Recipe, Starting};

/// A signer that ends sooner is not followed by another one at once.
const SHORTEST_LIFE: Duration = Duration::from_secs(10);

/// What the listener needs to offer TLS.
#[derive(Debug)]
pub struct Renewal {
    recipe: Recipe,
    /// The signer of the certificates that are offered.
    process: Pid,
    offer: Offer,
    since: Instant,
    generation: u32,
    /// The next signer, until it has said whether it is ready.
    starting: Option<Starting>,
    /// Whether yet another one is wanted, since the files may have changed under the last one's hands.
    again: bool,
}

impl Renewal {
    pub fn new(recipe: Recipe, first: Ready) -> Renewal {
        Renewal {
            recipe,
            process: first.process,
            offer: first.offer,
            since: Instant::now(),
            generation: 0,
            starting: None,
            again: false,
        }
    }

    /// What a new session gets.
    pub(super) fn offer(&self) -> Offer {
        self.offer.clone()
    }

    /// Begins to read the files anew.
    pub(super) fn begin(&mut self, log: &Log) {
        if self.starting.is_some() {
            self.again = true;
            return;
        }
        self.generation = self.generation.wrapping_add(1);
        match self.recipe.start(self.generation) {
            Ok(starting) => self.starting = Some(starting),
            Err(errno) => log.line(&format!("certificates: not renewed: {errno}")),
        }
    }

    /// Takes the word of the next signer, if it has come.
    pub(super) fn look(&mut self, log: &Log) {
        let Some(told) = self.starting.as_mut().and_then(Starting::look) else {
            return;
        };
        self.starting = None;
        match told {
            Ok(ready) => {
                self.process = ready.process;
                self.offer = ready.offer;
                self.since = Instant::now();
                log.line(&format!(
                    "certificates: renewed, {} in use",
                    self.offer.certificates.chains.len()
                ));
            }
            Err(why) => log.line(&format!("certificates: the old ones stay in use: {why}")),
        }
        if std::mem::take(&mut self.again) {
            self.begin(log);
        }
    }

    /// Hears that a child has ended. Whether it was a signer.
    pub(super) fn buried(&mut self, child: Pid, log: &Log) {
        if child != self.process || self.starting.is_some() {
            return;
        }
        if self.since.elapsed() < SHORTEST_LIFE {
            log.line("certificates: the signer ended at once; SIGHUP starts another one");
        } else {
            log.line("certificates: the signer ended; starting another one");
            self.begin(log);
        }
    }

    /// The descriptor on which the next signer speaks, and how long it is waited for.
    pub(super) fn expected(&self) -> Option<(BorrowedFd<'_>, Instant)> {
        let starting = self.starting.as_ref()?;
        Some((starting.as_fd(), starting.deadline()))
    }
}
