//! The watcher: one process for all sessions of a gateway that looks at each server of the pool again and again, and writes down
//! how it is. It has no privilege, and no file once the names of servers need not be looked up.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, poll};
use nix::unistd::{Pid, pipe2};

use super::check::{Check, Progress, Terms};
use super::login::Login;
use super::standing::{Health, Tables};
use crate::clock;
use crate::control::until;
use crate::dialer::addresses;
use crate::log::Log;
use crate::part::Part;
use crate::proto::destination::Host;
use crate::sandbox::{self, Programs};
use crate::settings::{GatewayConfig, PoolServer};
use crate::sys::{self, Fork};
use crate::tls::Trusted;

/// What a watcher is started with.
#[derive(Clone, Debug)]
pub struct Recipe {
    pub config: GatewayConfig,
    /// Who certifies servers, where they are spoken to under TLS.
    pub trusted: Option<Trusted>,
    pub programs: Programs,
    /// The uid that it takes, which has nothing.
    pub user: u32,
    pub log: Log,
}

impl Recipe {
    /// Starts a watcher, which ends with the descriptor that comes with its number.
    ///
    /// # Errors
    /// What pipe(2) and fork(2) say.
    pub fn start(&self, tables: &Tables) -> io::Result<(Pid, OwnedFd)> {
        let (ended, alive) = pipe2(OFlag::O_CLOEXEC)?;
        match sys::fork()? {
            Fork::Parent(process) => Ok((process, alive)),
            Fork::Child => {
                Part::Watcher.begin();
                drop(alive);
                match self.enter(tables, &ended) {
                    Ok(terms) => {
                        Watcher::new(terms, tables, &self.log).run(&ended);
                        sys::exit(0)
                    }
                    Err(why) => {
                        self.log.line(&format!("watcher of the pool: {why}"));
                        sys::exit(1)
                    }
                }
            }
        }
    }

    /// Reads the login, and gives up everything else.
    fn enter(&self, tables: &Tables, ended: &OwnedFd) -> Result<Terms, String> {
        let pool = &self.config.pool;
        let login = pool.login.as_deref().map(Login::read).transpose()?;
        let mut kept = vec![tables.health_descriptor(), ended.as_fd()];
        kept.extend(self.log.descriptor());
        let has_names = pool.servers.iter().any(PoolServer::has_name);
        sandbox::enter_watcher(&self.programs, self.user, has_names, &kept)
            .map_err(|error| error.to_string())?;
        Ok(Terms {
            config: self.config.clone(),
            trusted: self.trusted.clone(),
            login,
        })
    }
}

struct Watcher<'a> {
    terms: Terms,
    tables: &'a Tables,
    log: &'a Log,
    watched: Vec<Watched>,
}

/// A server, as the watcher knows it.
struct Watched {
    /// When the next look begins, or the one that has begun has to be over.
    due: Instant,
    check: Option<(Check, PollFlags)>,
    /// Looks in a row that went well, and that did not.
    well: u32,
    ill: u32,
    health: Option<Health>,
}

impl<'a> Watcher<'a> {
    fn new(terms: Terms, tables: &'a Tables, log: &'a Log) -> Watcher<'a> {
        let watched = |number| Watched {
            due: Instant::now(),
            check: None,
            well: 0,
            ill: 0,
            // What a watcher before this one has found is as good as its own.
            health: tables.health(number),
        };
        Watcher {
            watched: (0..terms.config.pool.servers.len()).map(watched).collect(),
            terms,
            tables,
            log,
        }
    }

    /// Looks until `ended` says that nobody needs it any more.
    fn run(&mut self, ended: &OwnedFd) {
        loop {
            for number in 0..self.watched.len() {
                if self.watched[number].due <= Instant::now() {
                    self.turn(number);
                }
            }
            let ready = match self.wait(ended) {
                Ok(ready) => ready,
                Err(()) => return,
            };
            for number in ready {
                self.go_on(number);
            }
        }
    }

    /// Waits for the first thing to happen; gives the servers that have said something.
    fn wait(&self, ended: &OwnedFd) -> Result<Vec<usize>, ()> {
        let mut numbers = Vec::new();
        let mut ready = vec![PollFd::new(ended.as_fd(), PollFlags::POLLIN)];
        for (number, watched) in self.watched.iter().enumerate() {
            if let Some((check, events)) = &watched.check {
                numbers.push(number);
                ready.push(PollFd::new(check.as_fd(), *events));
            }
        }
        let first = self.watched.iter().map(|watched| watched.due).min();
        // A wait that fails is begun anew, as if its time were over.
        let _ = poll(&mut ready, until(first));
        let speaks = |fd: &PollFd<'_>| fd.revents().is_some_and(|events| !events.is_empty());
        if speaks(&ready[0]) {
            return Err(());
        }
        let speaking = ready[1..].iter().zip(numbers);
        Ok(speaking
            .filter(|(fd, _)| speaks(fd))
            .map(|(_, number)| number)
            .collect())
    }

    /// Begins a look, or ends one that takes too long.
    fn turn(&mut self, number: usize) {
        let pool = &self.terms.config.pool;
        if self.watched[number].check.is_some() {
            self.conclude(number, Err("it does not answer in time".to_owned()));
            return;
        }
        let patience = pool.patience;
        let tries = self.watched[number].ill;
        match begin(&self.terms, number, tries) {
            Ok(check) => {
                let watched = &mut self.watched[number];
                watched.due = Instant::now() + patience;
                watched.check = Some((check, PollFlags::POLLOUT));
            }
            Err(why) => self.conclude(number, Err(why)),
        }
    }

    fn go_on(&mut self, number: usize) {
        let Some((check, events)) = &mut self.watched[number].check else {
            return;
        };
        match check.go_on(&self.terms) {
            Ok(Progress::Waits(next)) => *events = next,
            Ok(Progress::Well) => self.conclude(number, Ok(())),
            Err(why) => self.conclude(number, Err(why)),
        }
    }

    /// Takes in how a look ended. One alone says little: so many in a row do.
    fn conclude(&mut self, number: usize, found: Result<(), String>) {
        let pool = &self.terms.config.pool;
        let watched = &mut self.watched[number];
        watched.check = None;
        watched.due = Instant::now() + pool.interval;
        let before = watched.health.as_ref().map(|health| health.up);
        let (up, reason) = match found {
            Ok(()) => {
                (watched.well, watched.ill) = (watched.well.saturating_add(1), 0);
                let up = before != Some(false) || watched.well >= pool.up_after;
                (up, "it is well".to_owned())
            }
            Err(why) => {
                (watched.well, watched.ill) = (0, watched.ill.saturating_add(1));
                let up = before != Some(false) && watched.ill < pool.down_after;
                let reason = match up {
                    true => format!("check {} of {} failed: {why}", watched.ill, pool.down_after),
                    false => why,
                };
                (up, reason)
            }
        };
        let since = match &watched.health {
            Some(health) if health.up == up => health.since,
            Some(_) | None => u64::try_from(clock::seconds()).unwrap_or(0),
        };
        let health = Health::new(up, since, &reason);
        if watched.health.as_ref() == Some(&health) {
            return;
        }
        let server = &pool.servers[number];
        if let Err(error) = self.tables.write(number, &health) {
            self.log
                .line(&format!("pool: {server}: not written down: {error}"));
        }
        if before != Some(up) {
            let how = match (up, watched.ill) {
                (true, 0) => "up",
                (true, _) => "up so far",
                (false, _) => "down",
            };
            self.log.line(&format!("pool: {server} is {how}: {reason}"));
        }
        watched.health = Some(health);
    }
}

/// Begins a look at one of the addresses of a server, each in its turn.
fn begin(terms: &Terms, number: usize, tries: u32) -> Result<Check, String> {
    let server = &terms.config.pool.servers[number];
    let destination = &server.destination;
    let address = match &destination.host {
        Host::Address(address) => *address,
        Host::Name(_) => {
            let found = addresses(&terms.config.targets, destination)?;
            let tries = usize::try_from(tries).unwrap_or(0);
            *found
                .get(tries % found.len().max(1))
                .ok_or("it has no address")?
        }
    };
    let address = SocketAddr::new(address, destination.port);
    Check::begin(address, destination.host.clone())
}
