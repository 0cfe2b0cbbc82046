//! The ways that lead to a server under TLS, and a walk over all of them that a client can go: a tree up and down again,
//! and the same tree has to come back.

use std::fmt;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

use tests::{Login, Scratch, Server, Setup, require};

use crate::server::{Authority, implicit, start_as};

/// One of sixteen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) ipv6: bool,
    pub(crate) implicit: bool,
    pub(crate) active: bool,
    /// TLS 1.3, not 1.2.
    pub(crate) newest: bool,
}

impl Way {
    fn all(ipv6: bool) -> impl Iterator<Item = Way> {
        (0..8).map(move |number| Way {
            ipv6,
            implicit: number & 4 != 0,
            active: number & 2 != 0,
            newest: number & 1 != 0,
        })
    }

    pub(crate) fn version(self) -> &'static SupportedProtocolVersion {
        if self.newest { &TLS13 } else { &TLS12 }
    }

    /// The number of the version.
    pub(crate) fn number(self) -> &'static str {
        if self.newest { "1.3" } else { "1.2" }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |flag, yes, no| if flag { yes } else { no };
        write!(
            f,
            "{} {} {} {}",
            word(self.ipv6, "v6", "v4"),
            word(self.implicit, "implicit", "explicit"),
            self.number(),
            word(self.active, "active", "passive"),
        )
    }
}

/// The files, and their content.
pub(crate) fn files() -> Vec<(&'static str, Vec<u8>)> {
    let large = (0..700_001_u32).map(|n| (n * 7 % 251) as u8).collect();
    vec![
        ("empty", Vec::new()),
        ("small", b"a few octets".to_vec()),
        ("large", large),
    ]
}

/// What a client is to do: how it gets there, where the files are, and where they go.
pub(crate) struct Errand<'a> {
    pub(crate) way: Way,
    pub(crate) host: IpAddr,
    pub(crate) port: u16,
    pub(crate) login: &'a Login,
    pub(crate) up: &'a Path,
    pub(crate) down: &'a Path,
    /// Who has signed the server's certificate: it itself.
    pub(crate) certificate: &'a Path,
    pub(crate) authority: &'a Authority,
}

impl Errand<'_> {
    /// The host as it is written in a URL.
    pub(crate) fn host_port(&self) -> String {
        std::net::SocketAddr::new(self.host, self.port).to_string()
    }

    /// All of it as a script reads it from its environment.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let flag = |flag| if flag { "1" } else { "0" }.to_owned();
        let names: Vec<&str> = files().iter().map(|(name, _)| *name).collect();
        vec![
            ("FTP_HOST", self.host.to_string()),
            ("FTP_PORT", self.port.to_string()),
            ("FTP_USER", self.login.name.clone()),
            ("FTP_PASSWORD", self.login.password.clone()),
            ("FTP_IMPLICIT", flag(self.way.implicit)),
            ("FTP_PASSIVE", flag(!self.way.active)),
            ("FTP_VERSION", self.way.number().to_owned()),
            ("FTP_CA", self.certificate.display().to_string()),
            ("FTP_UP", self.up.display().to_string()),
            ("FTP_DOWN", self.down.display().to_string()),
            ("FTP_NAMES", names.join(" ")),
        ]
    }
}

/// Has a client go all ways that it can, looks what came of each, and tells which they were. Gives what the servers
/// have logged.
#[expect(clippy::print_stdout, reason = "a test tells what it has covered")]
pub(crate) fn walk(
    client: &str,
    settings: &[&str],
    can: impl Fn(Way) -> bool,
    go: impl Fn(&Errand),
) -> Vec<String> {
    let scratch = Scratch::new();
    let (up, down) = (scratch.directory("up"), scratch.directory("down"));
    for (name, content) in files() {
        fs::write(up.join(name), content).unwrap();
    }
    let (mut gone, mut logs) = (Vec::new(), Vec::new());
    for ipv6 in [false, true] {
        let ways: Vec<Way> = Way::all(ipv6).filter(|way| can(*way)).collect();
        if ways.is_empty() || ipv6 && !require::ipv6() {
            continue;
        }
        let (authority, server) = serve(ipv6, settings);
        let (explicit, implicit) = (server.address(), implicit(&server));
        for way in ways {
            let address = if way.implicit { implicit } else { explicit };
            println!("{client}: {way}");
            go(&Errand {
                way,
                host: address.ip(),
                port: address.port(),
                login: &server.login,
                up: &up,
                down: &down,
                certificate: &server.scratch.join("certificate.pem"),
                authority: &authority,
            });
            take_away(&server.home);
            take_away(&down);
            gone.push(way);
        }
        logs.push(server.log.text());
    }
    println!("{client} went {} of 16 ways", gone.len());
    logs
}

fn serve(ipv6: bool, settings: &[&str]) -> (Authority, Server) {
    let setup = if ipv6 {
        Setup::new().ipv6()
    } else {
        Setup::new()
    };
    start_as(setup, &[settings, &["TLSPort=0"]].concat())
}

/// Compares what has come, and makes room for the next time.
#[track_caller]
fn take_away(directory: &Path) {
    for (name, content) in files() {
        let path = directory.join(name);
        let found = fs::read(&path).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(found == content, "{name} has {} octets", found.len());
        fs::remove_file(path).unwrap();
    }
}
