//! The gateway of one case, and how its clients log in.

use std::fs;
use std::net::Ipv6Addr;

use tests::lab::Place;
use tests::real::{Mode, Program};
use tests::server::Led;
use tests::{Gateway, GatewaySetup, Login, Server, Setup, scratch};

use crate::world::{DATA_PORTS, GATEWAY, GATEWAY_PORT, World, gateway_address};
use crate::{Case, Way};

const TARGETS: &str = "10.2.0.0/24:1024-65535";

/// It runs as long as this lives.
pub(crate) enum Running {
    Ftpproxy(#[expect(dead_code, reason = "it ends when it is dropped")] Gateway),
    /// One with users of its own.
    Ftpd(Server),
}

impl Running {
    pub(crate) fn start(world: &World, case: Case) -> Running {
        let mut settings = common(world, case);
        let active = case.server_mode == Mode::Active;
        if (case.way, case.client) == (Way::SiteProxy, Program::Lftp) {
            settings.push(format!("Targets={TARGETS}"));
            settings.push("ProxyClients=users".to_owned());
            settings.push(format!("ProxyActive={}", if active { "yes" } else { "no" }));
            let setup = Setup::new().on(GATEWAY.into()).port(GATEWAY_PORT);
            let setup = settings
                .iter()
                .fold(setup, |setup, line| setup.setting(line));
            return Running::Ftpd(world.lab.at(Place::ClientsGateway, || setup.start()));
        }
        settings.push(format!("NoPassive={}", if active { "yes" } else { "no" }));
        settings.push(format!(
            "DataConnectionPortRange={}-{}",
            DATA_PORTS[0], DATA_PORTS[1]
        ));
        let setup = match case.way {
            Way::Pool => before(world),
            Way::Named | Way::SiteProxy => GatewaySetup::to(TARGETS),
            // Both sides' ports are judged: a client's own connection goes where it wanted to.
            Way::Redirect => GatewaySetup::to(TARGETS).setting("Transparent"),
            Way::Tproxy => GatewaySetup::to(TARGETS).setting("TProxy"),
        };
        let setup = setup.on(Ipv6Addr::UNSPECIFIED.into()).port(GATEWAY_PORT);
        let setup = settings
            .iter()
            .fold(setup, |setup, line| setup.setting(line));
        Running::Ftpproxy(world.lab.at(Place::ClientsGateway, || setup.start()))
    }

    /// How a client logs in to come to this server.
    pub(crate) fn login(&self, world: &World, case: Case, server: &Login) -> Login {
        let led = Led {
            server: server.address,
            name: server.name.clone(),
            password: server.password.clone(),
        };
        let login = Login {
            address: gateway_address(),
            certificate: case.tls.client.then(|| world.trust.certificate()),
            ..server.clone()
        };
        match (case.way, self) {
            (Way::Pool, _) => login,
            (Way::Redirect | Way::Tproxy, _) => Login {
                address: server.address,
                ..login
            },
            (Way::Named, _) => Login {
                name: format!("{}@{}", server.name, server.address),
                ..login
            },
            (Way::SiteProxy, Running::Ftpproxy(_)) => Login {
                led: Some(led),
                ..login
            },
            (Way::SiteProxy, Running::Ftpd(here)) => Login {
                name: here.login.name.clone(),
                password: here.login.password.clone(),
                led: Some(led),
                ..login
            },
        }
    }
}

/// What both programs have: TLS on either side.
fn common(world: &World, case: Case) -> Vec<String> {
    let mut settings = Vec::new();
    if case.tls.client {
        settings.push(format!("Certificate={}", world.trust.pem().display()));
        settings.push("TLSRequired=all".to_owned());
        // curl uses a ticket once, and where it only sends it takes no new ones.
        let strict = case.client == Program::Lftp;
        let binding = if strict { "require" } else { "prefer" };
        settings.push(format!("TLSDataBinding={binding}"));
    }
    if case.tls.server {
        settings.push("ServerTLS=require".to_owned());
        settings.push(format!("ServerCA={}", world.trust.certificate().display()));
    }
    settings
}

/// In front of all servers, with a file that says whose each is.
fn before(world: &World) -> GatewaySetup {
    let list: Vec<_> = world
        .servers
        .iter()
        .map(|(name, login)| format!("{name}={}", login.address))
        .collect();
    let users = world
        .servers
        .iter()
        .map(|(name, login)| format!("{} {name}\n", login.name));
    let path = world.place.join("users");
    fs::write(&path, users.collect::<String>()).unwrap();
    scratch::mode(&path, 0o600);
    GatewaySetup::before(&list.join(",")).setting(&format!("UserServers={}", path.display()))
}
