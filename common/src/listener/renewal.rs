//! The certificates that are offered now, and the signers that come one after the other: a new one for new sessions, while
//! those that run keep theirs.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use super::watch::Watch;
use crate::clock;
use crate::log::Log;
use crate::tls::signer::{Ready, Recipe, Starting};
use crate::tls::{self, Certificates, Offer};

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
    /// None where the system does not watch files.
    watch: Option<Watch>,
}

impl Renewal {
    pub fn new(recipe: Recipe, first: Ready) -> Renewal {
        let settings = &recipe.settings;
        let watch = match Watch::new(settings.files().cloned().collect()) {
            Ok(watch) => Some(watch),
            Err(errno) => {
                recipe.log.line(&format!(
                    "certificates: changes are not seen, only SIGHUP renews them: inotify: {errno}"
                ));
                None
            }
        };
        let now = clock::seconds();
        for warning in tls::warnings(settings, &first.offer.certificates, now) {
            recipe.log.line(&format!("certificates: {warning}"));
        }
        Renewal {
            watch,
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

    /// Looks at the files, and takes the word of the next signer, if it has come.
    pub(super) fn look(&mut self, log: &Log) {
        let watch = self.watch.as_mut();
        if watch.is_some_and(|watch| watch.look(Instant::now())) {
            self.begin(log);
        }
        let Some(told) = self.starting.as_mut().and_then(Starting::look) else {
            return;
        };
        self.starting = None;
        match told.and_then(|ready| self.refuse_expired(ready)) {
            Ok(ready) => {
                self.process = ready.process;
                self.offer = ready.offer;
                self.since = Instant::now();
                let certificates = &self.offer.certificates;
                let count = certificates.chains.len();
                log.line(&format!("certificates: renewed, {count} in use"));
                let settings = &self.recipe.settings;
                for warning in tls::warnings(settings, certificates, clock::seconds()) {
                    log.line(&format!("certificates: {warning}"));
                }
            }
            Err(why) => log.line(&format!("certificates: the old ones stay in use: {why}")),
        }
        if std::mem::take(&mut self.again) {
            self.begin(log);
        }
    }

    /// Certificates that have expired do not take the place of others that have not.
    fn refuse_expired(&self, ready: Ready) -> Result<Ready, String> {
        let now = clock::seconds();
        let expired = |one: &Certificates| one.chains.iter().any(|chain| chain.days_left(now) < 0);
        if expired(&ready.offer.certificates) && !expired(&self.offer.certificates) {
            let settings = &self.recipe.settings;
            return Err(tls::warnings(settings, &ready.offer.certificates, now).join("; "));
        }
        Ok(ready)
    }

    /// Hears that a child has ended.
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

    /// The descriptors that tell of something to look at.
    pub(super) fn awaited(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let word = self.starting.as_ref().map(AsFd::as_fd);
        word.into_iter().chain(self.watch.as_ref().map(AsFd::as_fd))
    }

    /// When [`look`](Self::look) has something to do by itself.
    pub(super) fn next_turn(&self) -> Option<Instant> {
        let late = self.starting.as_ref().map(Starting::deadline);
        let due = self.watch.as_ref().and_then(Watch::due);
        late.into_iter().chain(due).min()
    }
}
