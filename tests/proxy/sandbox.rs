//! What the kernel says of the two processes of a gateway's session.

use tests::processes::Process;
use tests::{GatewaySetup, Server, require, wait};

const NO_CAPABILITIES: &str = "0000000000000000";
/// The uid of what reads the network; two further on is the dialer's.
const PROXY_USER: u32 = 60631;

#[track_caller]
fn assert_powerless(process: &Process, uid: u32) {
    let status = process.status();
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(status[set], NO_CAPABILITIES, "{set}");
    }
    assert_eq!(status["NoNewPrivs"], "1");
    assert_eq!(process.numbers("Uid"), [uid; 4]);
    assert_eq!(process.numbers("Gid"), [uid; 4]);
    assert!(process.numbers("Groups").is_empty());
}

#[test]
fn neither_half_has_privilege_and_both_are_sealed_once_there_is_a_server() {
    if !require::root() {
        return;
    }
    let server = Server::start();
    let gateway = GatewaySetup::to_here().start();
    let mut client = gateway.connect();
    let dialer = gateway.dialers().remove(0);
    let network = dialer.only_child();
    // From the greeting on.
    assert_powerless(&network, PROXY_USER);
    assert_eq!(network.status()["Seccomp"], "2");
    assert_ne!(network.root(), std::path::Path::new("/"));
    wait::until("the dialer is nobody", || {
        dialer.numbers("Uid") == [PROXY_USER + 2; 4]
    });
    let login = gateway.login(&server.login);
    client.login(&login.name, &login.password);
    assert_powerless(&dialer, PROXY_USER + 2);
    assert_eq!(dialer.status()["Seccomp"], "2");
    for process in [&network, &dialer] {
        for descriptor in process.descriptors() {
            let harmless = !descriptor.starts_with('/') || descriptor == "/dev/null";
            assert!(harmless, "it holds {descriptor}");
        }
    }
}

#[test]
fn nothing_is_left_when_either_half_or_the_listener_dies() {
    let server = Server::start();
    let gateway = GatewaySetup::to_here().start();
    let login = gateway.login(&server.login);
    for victim in 0..2 {
        let mut client = gateway.connect();
        client.login(&login.name, &login.password);
        let dialer = gateway.dialers().remove(0);
        let network = dialer.only_child();
        let dies = if victim == 0 { &dialer } else { &network };
        dies.signal(nix::sys::signal::Signal::SIGKILL);
        dialer.wait_for_end();
        network.wait_for_end();
    }
    let mut client = gateway.connect();
    client.login(&login.name, &login.password);
    let dialer = gateway.dialers().remove(0);
    let network = dialer.only_child();
    gateway.process().signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(client.reply().code, 421);
    dialer.wait_for_end();
    network.wait_for_end();
}
