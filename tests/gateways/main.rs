//! Trees both ways through gateways, the combinations of one table: how clients come to a server, whose server it is, by which
//! program, who opens the data connections on either side, and on which side there is TLS. Needs root and network namespaces.
//! What it prints of a cell, or parts of that with ", " between them, in the variable GATEWAYS: that alone is tried.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

mod gateway;
mod world;

use tests::real::{Mode, Program};
use tests::{Login, tree};

use gateway::Running;
use world::World;

/// How a client comes to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// `USER name@host:port`.
    Named,
    /// `SITE PROXY host port`: curl says it to `ftpproxy` instead of a login, and lftp, which says nothing before one, to `ftpd`
    /// after it.
    SiteProxy,
    /// By a firewall.
    Redirect,
    /// By a firewall, with the client's address.
    Tproxy,
    /// By its name alone, in front of a pool.
    Pool,
}

/// On which sides of the gateway there is TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tls {
    client: bool,
    server: bool,
}

/// All but the client's own mode and the server: what a gateway is started for.
#[derive(Clone, Copy, Debug)]
struct Case {
    way: Way,
    client: Program,
    /// How the gateway has its data connections with servers.
    server_mode: Mode,
    tls: Tls,
}

const CLIENTS: [Program; 2] = [Program::Curl, Program::Lftp];
const MODES: [Mode; 2] = [Mode::Passive, Mode::Active];
const SIDES: [Tls; 4] = [
    Tls {
        client: false,
        server: false,
    },
    Tls {
        client: true,
        server: false,
    },
    Tls {
        client: false,
        server: true,
    },
    Tls {
        client: true,
        server: true,
    },
];

/// How much of the table is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// Under TLS the data connections of both sides are opened in the same direction.
    Usual,
    /// Everything.
    Whole,
}

impl Extent {
    fn has(self, case: Case, mode: Mode) -> bool {
        let clear = !case.tls.client && !case.tls.server;
        self == Extent::Whole || clear || mode == case.server_mode
    }
}

fn combinations(way: Way, extent: Extent) {
    let Some(world) = World::start() else { return };
    if !world.leads(way) {
        return;
    }
    for client in CLIENTS {
        for server_mode in MODES {
            for tls in SIDES {
                let case = Case {
                    way,
                    client,
                    server_mode,
                    tls,
                };
                let modes = MODES.into_iter().filter(|mode| extent.has(case, *mode));
                to_each_server(&world, case, modes);
            }
        }
    }
    // Every server demands or accepts it: none may have got data whose TLS session was a new one.
    assert!(!world.ours.log.text().contains("did not resume"));
}

fn to_each_server(world: &World, case: Case, modes: impl Iterator<Item = Mode>) {
    let Case {
        way,
        client,
        server_mode,
        tls,
    } = case;
    let mut gateway = None;
    for mode in modes {
        for (name, server) in &world.servers {
            let what = format!(
                "{way:?} {client:?} {name}, client {mode:?}, server {server_mode:?}, {tls:?}"
            );
            if is_wanted(&what) {
                let gateway = gateway.get_or_insert_with(|| Running::start(world, case));
                both_ways(
                    world,
                    client,
                    &gateway.login(world, case, server),
                    mode,
                    &what,
                );
            }
        }
    }
}

fn is_wanted(what: &str) -> bool {
    let wanted = std::env::var("GATEWAYS");
    wanted.map_or(true, |parts| {
        parts.split(", ").all(|part| what.contains(part))
    })
}

#[expect(clippy::print_stdout, reason = "a test tells what it has covered")]
fn both_ways(world: &World, client: Program, login: &Login, mode: Mode, what: &str) {
    if !client.can(mode, login) {
        println!("{what}: this client cannot");
        return;
    }
    println!("{what}");
    let remote = what.replace(|letter: char| !letter.is_alphanumeric(), "");
    client.up(login, mode, &world.sample(), &remote);
    let down = world.place.directory(&remote);
    client.down(login, mode, &remote, &down, &world.sample());
    tree::assert_same(&world.sample(), &down);
}

#[test]
fn clients_that_name_the_server_with_their_own_name() {
    combinations(Way::Named, Extent::Usual);
}

#[test]
fn clients_that_say_site_proxy() {
    combinations(Way::SiteProxy, Extent::Usual);
}

#[test]
fn clients_that_are_redirected() {
    combinations(Way::Redirect, Extent::Usual);
}

#[test]
fn clients_whose_address_servers_see() {
    combinations(Way::Tproxy, Extent::Usual);
}

#[test]
fn clients_of_a_pool() {
    combinations(Way::Pool, Extent::Usual);
}

#[test]
#[ignore = "takes minutes"]
fn everything() {
    for way in [
        Way::Named,
        Way::SiteProxy,
        Way::Redirect,
        Way::Tproxy,
        Way::Pool,
    ] {
        combinations(way, Extent::Whole);
    }
}
