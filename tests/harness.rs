//! The test harness against a server that we did not write: what fails here is wrong in the tests, not in `ftpd`.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use tests::peer::Vsftpd;
use tests::real::{Mode, Program};
use tests::{Client, Data, Scratch, require, tree};

#[test]
fn our_client_agrees_with_vsftpd() {
    if !require::root() || !require::programs(&["vsftpd"]) {
        return;
    }
    let peer = Vsftpd::start();
    let mut client = Client::connect(peer.login.address);
    client.login(&peer.login.name, &peer.login.password);
    for how in Data::ALL {
        let name = format!("pub/{how:?}");
        client.upload(how, &name, name.as_bytes());
        assert_eq!(client.download(how, &name), name.as_bytes());
    }
    assert_eq!(
        client.names("pub"),
        ["pub/Eprt", "pub/Epsv", "pub/Pasv", "pub/Port"]
            .map(str::to_owned)
            .to_vec()
    );
    client.expect("QUIT", 221);
    client.expect_end();
}

#[test]
fn the_real_clients_agree_with_vsftpd() {
    if !require::root() || !require::programs(&["vsftpd"]) {
        return;
    }
    let scratch = Scratch::new();
    let sample = scratch.directory("sample");
    tree::sample(&sample);
    for program in Program::ALL {
        for mode in [Mode::Passive, Mode::Active] {
            if !require::programs(&[program.name()]) {
                return;
            }
            let peer = Vsftpd::start();
            let uploader = if program.uploads() {
                program
            } else {
                Program::Lftp
            };
            uploader.up(&peer.login, mode, &sample, "pub/tree");
            tree::assert_same(&sample, &peer.home.join("pub/tree"));
            let down = scratch.directory(&format!("{program:?} {mode:?}"));
            program.down(&peer.login, mode, "pub/tree", &down, &sample);
            tree::assert_same(&sample, &down);
        }
    }
}
