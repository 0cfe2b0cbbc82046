//! Trees both ways through a gateway on this machine: curl and lftp, whoever opens the data connections on either side. Every
//! combination, with servers of others too, is in `tests/gateways`.

use tests::real::{Mode, Program};
use tests::server::Login;
use tests::{GatewaySetup, Scratch, Server, Setup, require, tree};

use tests::trust::Trust;

/// Moves a tree up and down again for each way of data connections.
fn a_tree_survives(at: &Login, set_up: impl Fn(GatewaySetup) -> GatewaySetup) {
    let scratch = Scratch::new();
    let sample = scratch.directory("sample");
    tree::furnish(&sample, 4, 10);
    let mut number = 0;
    for setting in ["NoPassive=no", "NoPassive=yes"] {
        let gateway = GatewaySetup::to_here().setting(setting);
        // One gateway for clients that name the server, one for those that cannot.
        let named = set_up(gateway).start();
        let given = GatewaySetup::to_here().setting(setting);
        let given = set_up(given)
            .setting(&format!("Server={}", at.address))
            .start();
        for (client, login) in [
            (Program::Lftp, named.login(at)),
            (Program::Curl, given.login_there(at)),
        ] {
            for mode in [Mode::Passive, Mode::Active] {
                number += 1;
                let remote = format!("tree{number}");
                client.up(&login, mode, &sample, &remote);
                let down = scratch.directory(&remote);
                client.down(&login, mode, &remote, &down, &sample);
                tree::assert_same(&sample, &down);
            }
        }
    }
}

/// The same with TLS on the client's side, on the server's, and on both.
#[expect(clippy::print_stdout, reason = "a test tells what it has covered")]
fn a_tree_survives_tls(at: &Login, trust: &Trust) {
    let scratch = Scratch::new();
    let sample = scratch.directory("sample");
    tree::furnish(&sample, 1, 4);
    let clients = [Program::Lftp, Program::Curl];
    let sides = [(true, false), (false, true), (true, true)];
    let all = sides.map(|side| clients.map(|client| (side, client)));
    for ((client_side, server_side), client) in all.into_iter().flatten() {
        let mut gateway = GatewaySetup::to_here();
        if client_side {
            gateway = trust.certify_gateway(gateway).setting("TLSRequired=all");
            // curl uses a ticket once, and where it only sends it takes no new ones.
            let strict = client == Program::Lftp;
            let binding = if strict { "require" } else { "prefer" };
            gateway = gateway.setting(&format!("TLSDataBinding={binding}"));
        }
        if server_side {
            gateway = trust.believe(gateway, "require");
        }
        let gateway = gateway.setting(&format!("Server={}", at.address)).start();
        let login = Login {
            certificate: client_side.then(|| trust.certificate()),
            ..gateway.login_there(at)
        };
        for mode in [Mode::Passive, Mode::Active] {
            let way =
                format!("{client:?} {mode:?}, TLS: client {client_side}, server {server_side}");
            if !client.can(mode, &login) {
                println!("{way}: this client cannot");
                continue;
            }
            println!("{way}");
            let remote = format!("{client:?}{mode:?}{client_side}{server_side}");
            client.up(&login, mode, &sample, &remote);
            let down = scratch.directory(&remote);
            client.down(&login, mode, &remote, &down, &sample);
            tree::assert_same(&sample, &down);
        }
    }
}

fn ready() -> bool {
    require::programs(&["curl", "lftp"])
}

#[test]
fn to_our_own_server() {
    if ready() {
        a_tree_survives(&Server::start().login, |gateway| gateway);
    }
}

#[test]
fn to_our_own_server_by_an_ordinary_user() {
    if ready() {
        a_tree_survives(&Setup::rootless().start().login, GatewaySetup::rootless);
    }
}

#[test]
fn to_our_own_server_through_ftpd() {
    if !ready() {
        return;
    }
    let scratch = Scratch::new();
    let sample = scratch.directory("sample");
    tree::furnish(&sample, 4, 10);
    let server = Server::start();
    for (number, setting) in ["ProxyActive=no", "ProxyActive=yes"].iter().enumerate() {
        let gateway = GatewaySetup::to_here().by_ftpd().setting(setting).start();
        for mode in [Mode::Passive, Mode::Active] {
            let remote = format!("tree-{number}-{mode:?}");
            let login = gateway.login(&server.login);
            Program::Lftp.up(&login, mode, &sample, &remote);
            let down = scratch.directory(&remote);
            Program::Lftp.down(&login, mode, &remote, &down, &sample);
            tree::assert_same(&sample, &down);
        }
    }
}

#[test]
fn to_our_own_server_under_tls_on_either_side() {
    if ready() {
        let trust = Trust::here();
        let server = trust
            .certify(Setup::new())
            .setting("TLSDataBinding=require");
        let server = server.start();
        a_tree_survives_tls(&server.login, &trust);
        assert!(!server.log.text().contains("did not resume"));
    }
}
