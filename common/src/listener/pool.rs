//! The servers of a gateway's pool, as the listener looks after them: that somebody watches them, and which of them get no new
//! sessions.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::unistd::Pid;
use serde_json::{Value, json};

use super::sessions::Sessions;
use crate::clock;
use crate::log::Log;
use crate::pool::{Health, Recipe, Standing, Tables};
use crate::settings::PoolServer;

/// A watcher that ends is not followed by another one sooner than this after its start.
const SHORTEST_LIFE: Duration = Duration::from_secs(10);

/// The pool, with whoever watches it.
#[derive(Debug)]
pub struct Pool {
    recipe: Recipe,
    tables: Tables,
    /// Those that the operator has taken out of service, by name: also some that a later configuration may name.
    marked: BTreeSet<String>,
    watcher: Option<Watcher>,
    /// When the next watcher is started, where one has ended.
    again: Option<Instant>,
}

#[derive(Debug)]
struct Watcher {
    process: Pid,
    since: Instant,
    /// It ends with this.
    _alive: OwnedFd,
}

impl Pool {
    /// Starts a watcher, unless the settings say that nobody looks.
    ///
    /// # Errors
    /// What the system says about files in memory, pipe(2) and fork(2).
    pub fn start(recipe: Recipe) -> io::Result<Pool> {
        Pool::start_after(None, recipe)
    }

    /// The same for settings that were read anew: what is known of servers that were there before stays.
    ///
    /// # Errors
    /// As above.
    pub fn start_after(former: Option<&Pool>, recipe: Recipe) -> io::Result<Pool> {
        let mut pool = Pool {
            tables: Tables::new()?,
            marked: former.map_or_else(BTreeSet::new, |former| former.marked.clone()),
            recipe,
            watcher: None,
            again: None,
        };
        for (number, server) in pool.recipe.config.pool.servers.iter().enumerate() {
            pool.tables.mark(number, pool.drains(&server.name))?;
            let health = former.and_then(|former| former.health_of(server));
            if let Some(health) = health.filter(|_| pool.is_watched()) {
                pool.tables.write(number, &health)?;
            }
        }
        if pool.is_watched() {
            pool.watch()?;
        }
        Ok(pool)
    }

    fn is_watched(&self) -> bool {
        !self.recipe.config.pool.interval.is_zero()
    }

    fn health_of(&self, server: &PoolServer) -> Option<Health> {
        let servers = &self.recipe.config.pool.servers;
        let same = |other: &PoolServer| {
            other.name == server.name && other.destination == server.destination
        };
        self.tables.health(servers.iter().position(same)?)
    }

    fn drains(&self, name: &str) -> bool {
        let drained = &self.recipe.config.pool.draining;
        self.marked.contains(name) || drained.iter().any(|one| one == name)
    }

    /// Has a server get no new sessions, or get them again.
    ///
    /// # Errors
    /// Why not, as a sentence.
    pub(super) fn mark(&mut self, name: &str, draining: bool) -> Result<(), String> {
        let pool = &self.recipe.config.pool;
        let number = pool
            .find(name)
            .ok_or("Servers has no server of this name")?;
        if !draining && pool.draining.iter().any(|one| one == name) {
            let text = "Draining names it: take it out there, and send SIGHUP";
            return Err(text.to_owned());
        }
        let marked = self.tables.mark(number, draining);
        marked.map_err(|error| error.to_string())?;
        match draining {
            true => self.marked.insert(name.to_owned()),
            false => self.marked.remove(name),
        };
        Ok(())
    }

    /// All servers as JSON, with how many sessions each has.
    pub(super) fn described(&self, sessions: &Sessions) -> Vec<Value> {
        let now = u64::try_from(clock::seconds()).unwrap_or(0);
        let servers = self.recipe.config.pool.servers.iter().enumerate();
        let described = servers.map(|(number, server)| {
            let health = self.tables.health(number);
            let state = match &health {
                Some(Health { up: true, .. }) => "up",
                Some(Health { up: false, .. }) => "down",
                None => "unknown",
            };
            let reason = health.as_ref().map_or(&b""[..], |it| it.reason.as_slice());
            json!({
                "server": server.name,
                "address": server.destination.to_string(),
                "weight": server.weight,
                "state": state,
                "draining": self.drains(&server.name),
                "seconds": health.as_ref().map(|health| now.saturating_sub(health.since)),
                "sessions": sessions.with_server(&server.name),
                "reason": String::from_utf8_lossy(reason),
            })
        });
        described.collect()
    }

    /// What sessions go by.
    ///
    /// # Errors
    /// The tables cannot be opened anew.
    pub fn standing(&self) -> io::Result<Standing> {
        self.tables.standing()
    }

    fn watch(&mut self) -> io::Result<()> {
        let (process, alive) = self.recipe.start(&self.tables)?;
        self.watcher = Some(Watcher {
            process,
            since: Instant::now(),
            _alive: alive,
        });
        Ok(())
    }

    /// Hears that a child has ended.
    pub(super) fn buried(&mut self, child: Pid, log: &Log) {
        let ended = self.watcher.take_if(|watcher| watcher.process == child);
        if let Some(Watcher { since, .. }) = ended {
            log.line("pool: the watcher ended; another one follows");
            self.again = Some(Instant::now().max(since + SHORTEST_LIFE));
        }
    }

    /// Starts another watcher when it is time.
    pub(super) fn look(&mut self, log: &Log) {
        if self.again.take_if(|at| *at <= Instant::now()).is_none() {
            return;
        }
        if let Err(error) = self.watch() {
            log.line(&format!("pool: no watcher: {error}"));
            self.again = Some(Instant::now() + SHORTEST_LIFE);
        }
    }

    /// When [`look`](Self::look) has something to do.
    pub(super) fn next_turn(&self) -> Option<Instant> {
        self.again
    }
}
