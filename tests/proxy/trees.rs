//! Trees both ways through a gateway: curl and lftp, whoever opens the data connections on either side, to our server and
//! to those of others.

use std::path::Path;

use tests::real::{Mode, Program};
use tests::server::Login;
use tests::{GatewaySetup, Scratch, Server, Setup, require, tree};

use crate::servers::{Twin, program};

/// Moves a tree up and down again for each way of data connections.
fn a_tree_survives(at: &Login, set_up: impl Fn(GatewaySetup) -> GatewaySetup) {
    let scratch = Scratch::new();
    let sample = scratch.directory("sample");
    furnish(&sample);
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

/// A tree with what is easily lost on the way: an empty file, a large one, blanks, depth.
fn furnish(at: &Path) {
    for directory in 0..4 {
        let directory = at.join(format!("level {directory}/below/deeper"));
        std::fs::create_dir_all(&directory).unwrap();
        for file in 0..10usize {
            let octets = [b'a', b'\n', 0, 255].repeat(file * 251);
            std::fs::write(directory.join(format!("file {file}.bin")), octets).unwrap();
        }
    }
    let large: Vec<u8> = (0..3_000_001u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(at.join("large"), large).unwrap();
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
    furnish(&sample);
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

fn to_a_twin(name: &str) {
    if !ready() || !require::root() {
        return;
    }
    let programs = ["useradd", "userdel", "usermod", "chpasswd"];
    if !require::programs(&programs) {
        return;
    }
    let Some(program) = program(name) else {
        require::missing(&format!("{name}, as packaging/peers.sh unpacks it"));
        return;
    };
    let program: &Path = &program;
    a_tree_survives(&Twin::start(name, program).login, |gateway| gateway);
}

#[test]
fn to_vsftpd() {
    to_a_twin("vsftpd");
}

#[test]
fn to_proftpd() {
    to_a_twin("proftpd");
}

#[test]
fn to_pure_ftpd() {
    to_a_twin("pure-ftpd");
}
