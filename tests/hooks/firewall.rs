//! A firewall that lets nothing in but the control port, and each passive port while it is waited at: ConnectUp opens it,
//! ConnectDown closes it, whatever dies meanwhile.

use std::io::Write;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use tests::{Data, Server, Setup, namespaces, require, wait};

use crate::deaths::{hookd, keeper};
use crate::scripts::Script;

/// Everything is dropped but what belongs to a connection, the control port, and the ports in a set.
const RULES: &str = "
table inet ftp {
  set ways { type inet_service; }
  chain input {
    type filter hook input priority 0; policy drop;
    ct state established,related accept
    tcp dport 2121 accept
    tcp dport @ways accept
  }
}
";

fn nft(words: &[&str], input: &str) -> String {
    let mut nft = Command::new("nft")
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    nft.stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = nft.wait_with_output().unwrap();
    assert!(output.status.success(), "nft {words:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The ports that are open.
fn ways() -> Vec<u16> {
    let text = nft(&["list", "set", "inet", "ftp", "ways"], "");
    let Some((_, elements)) = text.split_once("elements = {") else {
        return Vec::new();
    };
    let elements = elements.split('}').next().unwrap().split(',');
    elements.map(|port| port.trim().parse().unwrap()).collect()
}

/// A server behind the firewall, in a network of this thread's own; `None` if the test must be skipped.
fn behind_firewall() -> Option<Server> {
    if !require::programs(&["nft"]) || !namespaces::network(&[]) {
        return None;
    }
    nft(&["-f", "-"], RULES);
    let setup = Setup::new().port(2121);
    let up = Script::new(
        &setup,
        "up",
        "exec nft add element inet ftp ways \"{ $4 }\"",
    );
    let down = Script::new(
        &setup,
        "down",
        "exec nft delete element inet ftp ways \"{ $4 }\"",
    );
    Some(
        setup
            .setting(&format!("{},root", up.setting("ConnectUpHook")))
            .setting(&format!("{},root", down.setting("ConnectDownHook")))
            .start(),
    )
}

fn closed(what: &str) {
    wait::until(what, || ways().is_empty());
}

#[test]
fn scenario_4_21_a_port_is_open_while_it_is_waited_at_and_no_longer() {
    let Some(server) = behind_firewall() else {
        return;
    };
    server.put("file", b"content");
    let mut client = server.logged_in();
    assert_eq!(ways(), [0u16; 0]);
    assert_eq!(client.download(Data::Epsv, "file"), b"content");
    assert_eq!(ways(), [0u16; 0], "it is closed before 226");
    let address = client.passive_address(Data::Epsv);
    assert_eq!(ways(), [address.port()]);
    // A client that vanishes.
    client.reset();
    closed("after the client has vanished");
    // A session whose processes are killed.
    let mut client = server.logged_in();
    client.passive_address(Data::Epsv);
    assert_eq!(ways().len(), 1);
    server.only_keeper().signal(Signal::SIGKILL);
    closed("after the session was killed");
    drop(client);
    // Another hookd than the one that has opened it.
    wait::until("no session is left", || server.keepers().is_empty());
    let mut client = server.logged_in();
    client.passive_address(Data::Epsv);
    hookd(&server).signal(Signal::SIGKILL);
    server.log.line_with(&["hookd has died"]);
    assert_eq!(ways().len(), 1);
    client.reset();
    closed("by the next hookd");
    // A session that ends while there is none.
    let mut client = server.logged_in();
    client.passive_address(Data::Epsv);
    let (hookd, listener, keeper) = (hookd(&server), server.process(), keeper(&server));
    listener.signal(Signal::SIGSTOP);
    hookd.signal(Signal::SIGKILL);
    client.reset();
    keeper.wait_for_end();
    assert_eq!(ways().len(), 1);
    listener.signal(Signal::SIGCONT);
    closed("after nobody was there to close it");
    let mut client = server.logged_in();
    client.upload(Data::Epsv, "other", b"goes on");
}
