//! The scenarios, one row each, with the figures that a repetition of each gives. What a scenario does is in the
//! modules below; which server it does it to is none of its business.

mod bulk;
mod confirmed;
mod deflate;
mod guessers;
mod hash;
mod hooks;
mod listing;
mod login;
mod memory;
mod parallel;
mod proxied;
mod small;
mod text;

use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use rustls::ClientConfig;

use crate::client::{Credentials, Session};
use crate::data::Data;
use crate::failure::Failure;
use crate::gateways::{FTP_PROXY, FTPPROXY, MOD_PROXY};
use crate::processes::Processes;
use crate::running::Running;
use crate::secure::{Certificate, Suite};
use crate::servers::Programs;
use crate::stats::Kind;

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) place: Place,
    /// With what cipher suite control and data connections are under TLS, if they are.
    pub(crate) suite: Option<Suite>,
    /// One repetition: a value for each of `figures`, in their order; NaN where there is nothing to compare with.
    pub(crate) run: fn(&Subject) -> Result<Vec<f64>, Failure>,
    pub(crate) figures: &'static [Figure],
}

/// Where the files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Wherever `--scratch` says.
    Scratch,
    /// There too, and what is done is to change files: how durable the changes are may make a difference.
    Durable,
    /// On the disk of `--disk`; durable too.
    Disk,
}

impl Scenario {
    /// The configuration of the hooks that it is about, if it is about any.
    pub(crate) fn hooks(&self) -> Option<&'static str> {
        hooks::configuration(self.name)
    }
}

pub(crate) struct Figure {
    pub(crate) what: &'static str,
    pub(crate) unit: &'static str,
    /// `None`: shown, but not compared.
    pub(crate) kind: Option<Kind>,
}

const fn rate(what: &'static str, unit: &'static str) -> Figure {
    Figure {
        what,
        unit,
        kind: Some(Kind::Rate),
    }
}

const fn cost(what: &'static str, unit: &'static str) -> Figure {
    Figure {
        what,
        unit,
        kind: Some(Kind::Cost),
    }
}

const fn aside(what: &'static str, unit: &'static str) -> Figure {
    Figure {
        what,
        unit,
        kind: None,
    }
}

use Place::{Disk, Durable, Scratch};
use Suite::{Aes128, Aes256, ChaCha20};

#[rustfmt::skip]
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "retr", place: Scratch, suite: None, run: bulk::retr,
        figures: &[rate("RETR 1 GiB", "MB/s"), cost("  server CPU", "s/GiB"), aside("  client CPU", "s/GiB")] },
    Scenario { name: "stor", place: Durable, suite: None, run: bulk::stor,
        figures: &[rate("STOR 1 GiB", "MB/s"), cost("  server CPU", "s/GiB"), aside("  client CPU", "s/GiB")] },
    Scenario { name: "confirmed-retr", place: Scratch, suite: None, run: confirmed::retr,
        figures: &[rate("RETR 256 MiB, plain", "MB/s"), aside("  CRC32 / plain", ""), aside("  MD5 / plain", ""),
            aside("  SHA-1 / plain", ""), aside("  SHA-256 / plain", ""), aside("  SHA-512 / plain", ""), aside("  BLAKE3 / plain", "")] },
    Scenario { name: "confirmed-stor", place: Scratch, suite: None, run: confirmed::stor,
        figures: &[rate("STOR 256 MiB, plain", "MB/s"), aside("  CRC32 / plain", ""), aside("  MD5 / plain", ""),
            aside("  SHA-1 / plain", ""), aside("  SHA-256 / plain", ""), aside("  SHA-512 / plain", ""), aside("  BLAKE3 / plain", "")] },
    Scenario { name: "text-retr", place: Scratch, suite: None, run: text::retr,
        figures: &[rate("RETR, TYPE A, lines of 35", "MB/s"), cost("  server CPU", "s/GiB")] },
    Scenario { name: "text-stor", place: Scratch, suite: None, run: text::stor,
        figures: &[rate("STOR, TYPE A, lines of 35", "MB/s"), cost("  server CPU", "s/GiB")] },
    Scenario { name: "mode-z", place: Scratch, suite: None, run: deflate::both,
        figures: &[rate("RETR, MODE Z level 1", "MB/s"), aside("  of the size", ""), aside("  time/pigz -p1 -1", ""),
            rate("RETR, MODE Z level 6", "MB/s"), aside("  of the size", ""), aside("  time/pigz -p1 -6", ""), rate("STOR, MODE Z", "MB/s")] },
    Scenario { name: "hash", place: Scratch, suite: None, run: hash::hash,
        figures: &[rate("HASH MD5", "MB/s"), aside("  time/md5sum", ""), aside("  time/openssl", ""),
            rate("HASH SHA-1", "MB/s"), aside("  time/sha1sum", ""), aside("  time/openssl", ""),
            rate("HASH SHA-256", "MB/s"), aside("  time/sha256sum", ""), aside("  time/openssl", ""),
            rate("HASH SHA-512", "MB/s"), aside("  time/sha512sum", ""), aside("  time/openssl", ""),
            rate("HASH BLAKE3", "MB/s"), aside("  time/b3sum", ""), aside("  time/b3sum, 1 thread", "")] },
    Scenario { name: "login", place: Scratch, suite: None, run: login::one,
        figures: &[rate("logins, 1 client", "1/s"), cost("  server CPU", "ms/login")] },
    Scenario { name: "login32", place: Scratch, suite: None, run: login::many,
        figures: &[rate("logins, 32 clients", "1/s"), cost("  server CPU", "ms/login")] },
    Scenario { name: "small-retr", place: Scratch, suite: None, run: small::retr,
        figures: &[rate("RETR 4 KiB files", "1/s"), cost("  server CPU", "µs/file")] },
    Scenario { name: "small-stor", place: Durable, suite: None, run: small::stor,
        figures: &[rate("STOR 4 KiB files", "1/s"), cost("  server CPU", "µs/file")] },
    Scenario { name: "small-stor64", place: Durable, suite: None, run: parallel::small_stor,
        figures: &[rate("STOR 4 KiB files, 64 clients", "1/s"), cost("  server CPU", "µs/file")] },
    Scenario { name: "disk-stor64", place: Disk, suite: None, run: parallel::small_stor,
        figures: &[rate("STOR 4 KiB, 64 clients, disk", "1/s"), cost("  server CPU", "µs/file")] },
    Scenario { name: "retr64", place: Scratch, suite: None, run: parallel::retr,
        figures: &[rate("RETR, 64 streams", "MB/s"), cost("  server CPU", "s/GiB"), aside("  slowest/mean", "")] },
    Scenario { name: "list", place: Scratch, suite: None, run: listing::list,
        figures: &[rate("LIST 100,000 entries", "entries/s"), cost("  server CPU", "µs/entry"), aside("  first octet", "ms")] },
    Scenario { name: "nlst", place: Scratch, suite: None, run: listing::nlst,
        figures: &[rate("NLST 100,000 entries", "entries/s"), cost("  server CPU", "µs/entry"), aside("  first octet", "ms")] },
    Scenario { name: "mlsd", place: Scratch, suite: None, run: listing::mlsd,
        figures: &[rate("MLSD 100,000 entries", "entries/s"), cost("  server CPU", "µs/entry"), aside("  first octet", "ms")] },
    Scenario { name: "guessers", place: Scratch, suite: None, run: guessers::guessers,
        figures: &[aside("login, nobody else", "ms"), aside("login beside 50 guessers", "ms"), aside("  the longest of these", "ms"),
            cost("  ratio of the first two", ""), aside("  passwords answered", "of 1000"), aside("  refused", "of 1000")] },
    Scenario { name: "hooks-none", place: Scratch, suite: None, run: hooks::commands,
        figures: &[cost("SIZE, no hook", "µs"), cost("  server CPU", "µs")] },
    Scenario { name: "hooks-async", place: Scratch, suite: None, run: hooks::commands,
        figures: &[cost("SIZE beside an async 1 s hook", "µs"), cost("  server CPU", "µs")] },
    Scenario { name: "hooks-waited", place: Scratch, suite: None, run: hooks::waited,
        figures: &[cost("SIZE with a waited 5 ms hook", "ms"), aside("  its program alone", "ms"), aside("  the rest", "ms"), cost("  server CPU", "ms")] },
    Scenario { name: "hooks-events", place: Scratch, suite: None, run: hooks::events,
        figures: &[rate("events to a file, 8 clients", "1/s"), cost("  server CPU", "µs/event"), aside("  of all events", "part")] },
    Scenario { name: "memory", place: Scratch, suite: None, run: memory::idle,
        figures: &[cost("PSS of idle sessions", "KiB each")] },
    Scenario { name: "tls-login", place: Scratch, suite: Some(Aes256), run: login::one,
        figures: &[rate("TLS logins, 1 client", "1/s"), cost("  server CPU", "ms/login")] },
    Scenario { name: "tls-login32", place: Scratch, suite: Some(Aes256), run: login::many,
        figures: &[rate("TLS logins, 32 clients", "1/s"), cost("  server CPU", "ms/login")] },
    Scenario { name: "tls-small-retr", place: Scratch, suite: Some(Aes256), run: small::retr,
        figures: &[rate("TLS RETR 4 KiB files", "1/s"), cost("  server CPU", "µs/file"), aside("  resumed", "part")] },
    Scenario { name: "tls-small-stor", place: Durable, suite: Some(Aes256), run: small::stor,
        figures: &[rate("TLS STOR 4 KiB files", "1/s"), cost("  server CPU", "µs/file"), aside("  resumed", "part")] },
    Scenario { name: "tls-retr-aes128", place: Scratch, suite: Some(Aes128), run: bulk::retr,
        figures: &[rate("RETR 1 GiB, AES-128-GCM", "MB/s"), cost("  server CPU", "s/GiB"), aside("  client CPU", "s/GiB"),
            aside("  server CPU/openssl speed", "")] },
    Scenario { name: "tls-stor-aes128", place: Durable, suite: Some(Aes128), run: bulk::stor,
        figures: &[rate("STOR 1 GiB, AES-128-GCM", "MB/s"), cost("  server CPU", "s/GiB"), aside("  client CPU", "s/GiB"),
            aside("  server CPU/openssl speed", "")] },
    Scenario { name: "tls-retr-aes256", place: Scratch, suite: Some(Aes256), run: bulk::retr,
        figures: &[rate("RETR 1 GiB, AES-256-GCM", "MB/s"), cost("  server CPU", "s/GiB"), aside("  client CPU", "s/GiB"),
            aside("  server CPU/openssl speed", "")] },
    Scenario { name: "tls-stor-aes256", place: Durable, suite: Some(Aes256), run: bulk::stor,
        figures: &[rate("STOR 1 GiB, AES-256-GCM", "MB/s"), cost("  server CPU", "s/GiB"), aside("  client CPU", "s/GiB"),
            aside("  server CPU/openssl speed", "")] },
    Scenario { name: "tls-retr-chacha20", place: Scratch, suite: Some(ChaCha20), run: bulk::retr,
        figures: &[rate("RETR 1 GiB, ChaCha20", "MB/s"), cost("  server CPU", "s/GiB"), aside("  client CPU", "s/GiB"),
            aside("  server CPU/openssl speed", "")] },
    Scenario { name: "tls-stor-chacha20", place: Durable, suite: Some(ChaCha20), run: bulk::stor,
        figures: &[rate("STOR 1 GiB, ChaCha20", "MB/s"), cost("  server CPU", "s/GiB"), aside("  client CPU", "s/GiB"),
            aside("  server CPU/openssl speed", "")] },
    Scenario { name: "tls-memory", place: Scratch, suite: Some(Aes256), run: memory::idle,
        figures: &[cost("PSS of idle TLS sessions", "KiB each")] },
    Scenario { name: "proxy-retr", place: Scratch, suite: None, run: |subject| proxied::retr(subject, &FTPPROXY),
        figures: &proxied::files("RETR 1 GiB, ftpproxy") },
    Scenario { name: "proxy-retr-ftp-proxy", place: Scratch, suite: None, run: |subject| proxied::retr(subject, &FTP_PROXY),
        figures: &proxied::files("RETR 1 GiB, ftp-proxy") },
    Scenario { name: "proxy-retr-mod_proxy", place: Scratch, suite: None, run: |subject| proxied::retr(subject, &MOD_PROXY),
        figures: &proxied::files("RETR 1 GiB, mod_proxy") },
    Scenario { name: "proxy-stor", place: Scratch, suite: None, run: |subject| proxied::stor(subject, &FTPPROXY),
        figures: &proxied::files("STOR 1 GiB, ftpproxy") },
    Scenario { name: "proxy-stor-ftp-proxy", place: Scratch, suite: None, run: |subject| proxied::stor(subject, &FTP_PROXY),
        figures: &proxied::files("STOR 1 GiB, ftp-proxy") },
    Scenario { name: "proxy-stor-mod_proxy", place: Scratch, suite: None, run: |subject| proxied::stor(subject, &MOD_PROXY),
        figures: &proxied::files("STOR 1 GiB, mod_proxy") },
    Scenario { name: "proxy-login", place: Scratch, suite: None, run: |subject| proxied::login(subject, &FTPPROXY),
        figures: &proxied::logins("login, ftpproxy") },
    Scenario { name: "proxy-login-ftp-proxy", place: Scratch, suite: None, run: |subject| proxied::login(subject, &FTP_PROXY),
        figures: &proxied::logins("login, ftp-proxy") },
    Scenario { name: "proxy-login-mod_proxy", place: Scratch, suite: None, run: |subject| proxied::login(subject, &MOD_PROXY),
        figures: &proxied::logins("login, mod_proxy") },
    Scenario { name: "proxy-memory", place: Scratch, suite: None, run: |subject| proxied::memory(subject, &FTPPROXY),
        figures: &proxied::sessions("PSS of idle sessions, ftpproxy") },
    Scenario { name: "proxy-memory-mod_proxy", place: Scratch, suite: None, run: |subject| proxied::memory(subject, &MOD_PROXY),
        figures: &proxied::sessions("PSS of idle sessions, mod_proxy") },
    Scenario { name: "proxy-tls-retr", place: Scratch, suite: Some(Aes256), run: |subject| proxied::retr(subject, &FTPPROXY),
        figures: &proxied::files("RETR 1 GiB, TLS to ftpproxy") },
    Scenario { name: "proxy-tls-stor", place: Scratch, suite: Some(Aes256), run: |subject| proxied::stor(subject, &FTPPROXY),
        figures: &proxied::files("STOR 1 GiB, TLS to ftpproxy") },
    Scenario { name: "proxy-tls-login", place: Scratch, suite: Some(Aes256), run: |subject| proxied::login(subject, &FTPPROXY),
        figures: &proxied::logins("login, TLS to ftpproxy") },
];

/// A running server and what a scenario may use.
pub(crate) struct Subject<'a> {
    pub(crate) server: &'a Running,
    /// What clients come through, if they do not come to the server itself.
    pub(crate) gateway: Option<&'a Running>,
    pub(crate) programs: &'a Programs,
    pub(crate) data: &'a Data,
    pub(crate) credentials: &'a Credentials,
    /// Of the server, and with what cipher suite it is to be used, if it is.
    pub(crate) tls: Option<(&'a Certificate, Suite)>,
    /// How long a scenario goes on beginning new pieces of work.
    pub(crate) window: Duration,
    /// How many idle sessions the memory scenario opens.
    pub(crate) sessions: u32,
    pub(crate) round: Round,
}

/// Checks that cost as much as the measurement are made once for each server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    First,
    Later,
}

/// What a piece of work took.
struct Took {
    wall: Duration,
    server: Duration,
    client: Duration,
}

impl Subject<'_> {
    /// A session that is logged in.
    fn login(&self) -> Result<Session, Failure> {
        Session::login(self.port(), self.credentials, self.client()?)
    }

    /// The same, ready to move files.
    fn session(&self) -> Result<Session, Failure> {
        Session::ready(self.port(), self.credentials, self.client()?)
    }

    /// Where clients come.
    fn port(&self) -> u16 {
        self.gateway.unwrap_or(self.server).port
    }

    fn client(&self) -> Result<Option<Arc<ClientConfig>>, Failure> {
        let client = self
            .tls
            .map(|(certificate, suite)| certificate.client(suite));
        client.transpose().map_err(Failure::during("TLS"))
    }

    fn processes(&self) -> &Processes {
        &self.server.processes
    }

    /// Measures `work`. The server's CPU includes what it does afterwards to clean up: it is read when its processes
    /// have settled.
    fn measured<T>(&self, work: impl FnOnce() -> Result<T, Failure>) -> Result<(T, Took), Failure> {
        let cpu = || {
            self.processes()
                .cpu()
                .map_err(Failure::during("server CPU"))
        };
        let (server, client) = (cpu()?, own_cpu()?);
        let started = Instant::now();
        let outcome = work()?;
        let wall = started.elapsed();
        let client = own_cpu()?.saturating_sub(client);
        self.processes()
            .settle()
            .map_err(Failure::during("processes"))?;
        let server = cpu()?.saturating_sub(server);
        Ok((
            outcome,
            Took {
                wall,
                server,
                client,
            },
        ))
    }

    /// Repeats `piece` (given its number) until the window is over, at least once, and counts.
    fn repeat(
        &self,
        mut piece: impl FnMut(usize) -> Result<(), Failure>,
    ) -> Result<usize, Failure> {
        let started = Instant::now();
        let mut count = 0;
        loop {
            piece(count)?;
            count += 1;
            if started.elapsed() >= self.window {
                return Ok(count);
            }
        }
    }
}

impl Took {
    fn per_second(&self, count: usize) -> f64 {
        count as f64 / self.wall.as_secs_f64()
    }

    fn server_micros_each(&self, count: usize) -> f64 {
        self.server.as_secs_f64() * 1e6 / count as f64
    }
}

fn own_cpu() -> Result<Duration, Failure> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).map_err(Failure::wrong)?;
    Ok([usage.user_time(), usage.system_time()]
        .into_iter()
        .map(crate::processes::duration)
        .sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_scenarios_are_unique() {
        for scenario in SCENARIOS {
            let same = SCENARIOS.iter().filter(|other| other.name == scenario.name);
            assert_eq!(same.count(), 1, "{}", scenario.name);
        }
    }
}
