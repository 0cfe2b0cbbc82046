//! What the kernel says of the processes of a session: their identity, and the powers they do not have.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use nix::sys::signal::Signal;
use tests::processes::Process;
use tests::{Client, Data, Server, Setup, SystemUser, require, scratch};

/// The user that the network half of a session is: a number that owns nothing.
const SESSION_USER: u32 = 60621;
const NO_CAPABILITIES: &str = "0000000000000000";

/// Logs in and returns keeper and session.
fn processes(server: &Server) -> (Client, Process, Process) {
    let client = server.logged_in();
    let keeper = server.only_keeper();
    let session = keeper.only_child();
    (client, keeper, session)
}

#[track_caller]
fn assert_powerless(process: &Process) {
    let status = process.status();
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(status[set], NO_CAPABILITIES, "{set}");
    }
    assert_confined(process);
}

#[track_caller]
fn assert_confined(process: &Process) {
    let status = process.status();
    assert_eq!(status["Seccomp"], "2", "a filter is in force");
    assert_eq!(status["NoNewPrivs"], "1");
}

#[test]
fn the_session_half_is_nobody_from_the_greeting_on() {
    if !require::root() {
        return;
    }
    let server = Server::start();
    let _client = server.connect();
    let session = server.only_keeper().only_child();
    assert_powerless(&session);
    assert_eq!(session.numbers("Uid"), [SESSION_USER; 4]);
    assert_eq!(session.numbers("Gid"), [SESSION_USER; 4]);
    assert!(session.numbers("Groups").is_empty());
}

#[test]
fn the_session_half_sees_no_file_system() {
    if !require::root() {
        return;
    }
    let server = Server::start();
    server.put("file", b"content");
    let (mut client, _, session) = processes(&server);
    let root = session.root();
    assert_ne!(root, std::path::Path::new("/"), "not in a chroot");
    // Seen through /proc, as the directory may have been unlinked after the chroot.
    let entries = std::fs::read_dir(format!("/proc/{}/root/", session.pid)).unwrap();
    assert_eq!(
        entries.count(),
        0,
        "its root {} is not empty",
        root.display()
    );
    client.download(Data::Epsv, "file");
    for descriptor in session.descriptors() {
        assert!(
            !descriptor.starts_with('/') || descriptor == "/dev/null",
            "it holds {descriptor}"
        );
    }
}

#[test]
fn keeper_is_exactly_the_user_after_login() {
    if !require::root() || !require::programs(&["useradd", "groupadd", "userdel", "groupdel"]) {
        return;
    }
    let user = SystemUser::with_groups(2);
    let server = Setup::new()
        .real_user(&user.name, user.uid, user.gid)
        .start();
    let (mut client, keeper, _) = processes(&server);
    assert_eq!(keeper.numbers("Uid"), [user.uid.as_raw(); 4]);
    assert_eq!(keeper.numbers("Gid"), [user.gid.as_raw(); 4]);
    let mut groups = keeper.numbers("Groups");
    groups.sort_unstable();
    groups.dedup();
    assert_eq!(groups, user.groups);
    assert_powerless(&keeper);
    client.upload(Data::Epsv, "file", b"content");
    let made = std::fs::metadata(server.home.join("file")).unwrap();
    assert_eq!(
        std::os::unix::fs::MetadataExt::uid(&made),
        user.uid.as_raw()
    );
    assert_eq!(
        std::os::unix::fs::MetadataExt::gid(&made),
        user.gid.as_raw()
    );
}

#[test]
fn keeper_of_a_server_that_uses_port_20_has_the_one_capability_for_that() {
    if !require::root() {
        return;
    }
    // Bit 10: CAP_NET_BIND_SERVICE.
    let one = "0000000000000400";
    for (setting, kept) in [
        ("connect_from_port_20=YES", one),
        ("ActivePorts=2020,20", one),
        ("ActivePorts=2020", NO_CAPABILITIES),
        ("connect_from_port_20=NO", NO_CAPABILITIES),
    ] {
        let server = Setup::new().setting(setting).start();
        let (mut client, keeper, session) = processes(&server);
        assert_powerless(&session);
        assert_confined(&keeper);
        let status = keeper.status();
        for (set, expected) in [
            ("CapPrm", kept),
            ("CapEff", kept),
            ("CapInh", NO_CAPABILITIES),
            ("CapBnd", NO_CAPABILITIES),
            ("CapAmb", NO_CAPABILITIES),
        ] {
            assert_eq!(status[set], expected, "{setting}: {set}");
        }
        let user = keeper.numbers("Uid");
        assert!(user.iter().all(|&uid| uid != 0));
        // As before where there is another keeper.
        client.expect("REIN", 220);
        client.login(&server.login.name, &server.login.password);
        let keepers = server.keepers();
        let next = keepers.iter().find(|one| one.numbers("Uid") == user);
        assert_eq!(next.unwrap().status()["CapEff"], kept, "{setting}");
    }
}

#[test]
fn without_root_port_20_is_refused_at_start() {
    Setup::rootless()
        .setting("connect_from_port_20=YES")
        .refused("ActivePorts: only a server that root starts can use port 20");
}

#[test]
fn a_group_of_the_user_opens_what_it_should_and_root_opens_nothing() {
    if !require::root() || !require::programs(&["useradd", "groupadd", "userdel", "groupdel"]) {
        return;
    }
    let user = SystemUser::with_groups(1);
    let server = Setup::new()
        .real_user(&user.name, user.uid, user.gid)
        .start();
    let shared = server.put("shared", b"for the group");
    let secret = server.put("secret", b"for root");
    let group = *user
        .groups
        .iter()
        .find(|&&group| group != user.gid.as_raw())
        .unwrap();
    std::os::unix::fs::chown(&shared, Some(0), Some(group)).unwrap();
    std::os::unix::fs::chown(&secret, Some(0), Some(0)).unwrap();
    scratch::mode(&shared, 0o640);
    scratch::mode(&secret, 0o640);
    let mut client = server.logged_in();
    assert_eq!(client.download(Data::Epsv, "shared"), b"for the group");
    client.data(Data::Epsv);
    client.expect("RETR secret", 550);
}

#[test]
fn both_halves_are_confined_without_root_too() {
    let server = Setup::rootless().start();
    let (_client, keeper, session) = processes(&server);
    for process in [&keeper, &session] {
        assert_confined(process);
        assert!(process.numbers("Uid").iter().all(|&uid| uid != 0));
        assert_eq!(process.status()["CapEff"], NO_CAPABILITIES);
    }
}

#[test]
fn the_network_half_cannot_be_looked_into_by_its_own_user() {
    if !require::root() {
        return;
    }
    let server = Server::start();
    let (_client, keeper, session) = processes(&server);
    for process in [&keeper, &session] {
        // What is not dumpable belongs to root in /proc: neither memory nor descriptors open to the same uid.
        let owner = std::fs::metadata(format!("/proc/{}/mem", process.pid)).unwrap();
        assert_eq!(
            std::os::unix::fs::MetadataExt::uid(&owner),
            0,
            "process {} is dumpable",
            process.pid
        );
    }
    session.signal(Signal::SIGKILL);
    keeper.wait_for_end();
}
