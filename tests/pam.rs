//! Real stacks of Linux-PAM's own modules: who gets in, and that what was opened is closed.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::fs;

use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid};
use tests::{Server, Setup, require, scratch, wait};

/// sha512-crypt of "correct horse", the tester's password.
const HASH: &str = "$6$rounds=1000$abcdefgh$DbXqPck5ABZumVXwcH5eMVHsPZwvQ3jylSxpJmKkZVxcoCiC3N0rPerjHmAqL7r6PK6CIeYnO9.vxpbsevscg/";
const UID: u32 = 54_331;
const GID: u32 = 54_332;
const UNIX: &str =
    "auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_permit.so\n";

fn can_have_pam() -> bool {
    require::root() && require::programs(&["unshare", "mount"])
}

/// A server whose system has these PAM services and the users `fred` and `expired`. `{scratch}` is the directory.
fn start(services: &[(&str, &str)]) -> Server {
    start_with(Setup::new().methods("pam"), services)
}

fn start_with(setup: Setup, services: &[(&str, &str)]) -> Server {
    let setup = setup
        .setting("LoginFailDelay=0")
        .setting("LoginTimeout=8")
        .real_user("fred", Uid::from_raw(UID), Gid::from_raw(GID));
    let scratch = setup.scratch().to_owned();
    let directory = scratch.join("pam.d");
    fs::create_dir(&directory).unwrap();
    for (name, rules) in services {
        let rules = rules.replace("{scratch}", scratch.to_str().unwrap());
        fs::write(directory.join(name), rules).unwrap();
    }
    let record = scratch.join("record");
    let log = scratch.join("sessions");
    let script = format!(
        "#!/bin/sh\necho \"$PAM_TYPE $PAM_USER $PAM_RHOST $PAM_TTY $PAM_RUSER\" >>'{}'\n",
        log.display()
    );
    fs::write(&record, script).unwrap();
    scratch::mode(&record, 0o755);
    let home = scratch.join("home");
    let mut passwd = fs::read_to_string("/etc/passwd").unwrap();
    let mut shadow = fs::read_to_string("/etc/shadow").unwrap();
    for (name, expires) in [("fred", ""), ("expired", "19001")] {
        passwd += &format!("{name}:x:{UID}:{GID}::{}:/bin/sh\n", home.display());
        shadow += &format!("{name}:{HASH}:19000:0:99999:7::{expires}:\n");
    }
    setup
        .system_file("/etc/passwd", &passwd)
        .system_file("/etc/shadow", &shadow)
        .system_directory("/etc/pam.d", "pam.d")
        .start()
}

fn login(server: &Server, name: &str, password: &str) -> u16 {
    let mut client = server.connect();
    client.expect(&format!("USER {name}"), 331);
    client.command(&format!("PASS {password}")).code
}

#[test]
fn pam_unix_lets_in_who_has_the_password_and_has_not_expired() {
    if !can_have_pam() {
        return;
    }
    let server = start(&[("metaftpd", UNIX), ("ftp", "auth required pam_deny.so\n")]);
    let password = server.login.password.clone();
    let mut client = server.connect();
    client.login("fred", &password);
    let keeper = server.only_keeper();
    assert_eq!(keeper.numbers("Uid"), [UID; 4]);
    assert_eq!(keeper.numbers("Gid"), [GID; 4]);
    assert_eq!(keeper.numbers("Groups"), [GID]);
    assert_eq!(login(&server, "fred", "wrong"), 530);
    assert_eq!(login(&server, "fred", ""), 530);
    assert_eq!(login(&server, "nobody-at-all", &password), 530);
    assert_eq!(login(&server, "expired", &password), 530);
    server.log.line_with(&["'expired'", "pam_acct_mgmt"]);
}

#[test]
fn the_service_is_the_first_that_is_there() {
    if !can_have_pam() {
        return;
    }
    let deny = "auth required pam_deny.so\naccount required pam_deny.so\n";
    for (services, code) in [
        (&[("ftp", UNIX), ("other", deny)][..], 230),
        (&[("metaftpd", deny), ("ftp", UNIX)], 530),
        (&[("other", UNIX)], 230),
    ] {
        let server = start(services);
        let password = server.login.password.clone();
        assert_eq!(login(&server, "fred", &password), code, "{services:?}");
    }
}

#[test]
fn a_session_is_closed_however_it_ends() {
    if !can_have_pam() {
        return;
    }
    let rules = format!("{UNIX}session required pam_exec.so {{scratch}}/record\n");
    let server = start(&[("metaftpd", &rules)]);
    let log = server.scratch.join("sessions");
    let password = server.login.password.clone();
    let lines = || fs::read_to_string(&log).unwrap_or_default();
    let opened = "open_session fred 127.0.0.1 ftp fred\n";
    let closed = "close_session fred 127.0.0.1 ftp fred\n";
    let mut expected = String::new();
    for kill in [false, true] {
        let mut client = server.connect();
        client.login("fred", &password);
        expected += opened;
        assert_eq!(lines(), expected);
        if kill {
            server.only_keeper().signal(Signal::SIGKILL);
        } else {
            client.expect("QUIT", 221);
        }
        expected += closed;
        wait::until("the session is closed", || lines() == expected);
        wait::until("keeper is gone", || server.keepers().is_empty());
    }
}

#[test]
fn session_pam_adds_the_rules_of_the_real_user_to_any_method() {
    if !can_have_pam() {
        return;
    }
    // The password is the user file's to check: PAM would record that it was asked.
    let rules = "auth required pam_unix.so\nauth required pam_exec.so {scratch}/record\n\
        account required pam_unix.so\nsession required pam_exec.so {scratch}/record\n";
    let setup = Setup::new()
        .methods("native, session-pam")
        .entry("alice", "fred", "{scratch}/home")
        .entry("eve", "expired", "{scratch}/home");
    let server = start_with(setup, &[("ftp", rules)]);
    let log = server.scratch.join("sessions");
    let password = server.login.password.clone();
    assert_eq!(login(&server, "alice", "wrong"), 530);
    assert_eq!(login(&server, "eve", &password), 530);
    server.log.line_with(&["'eve'", "pam_acct_mgmt"]);
    assert!(!log.exists(), "who may not log in has no session");
    let mut client = server.connect();
    client.login("alice", &password);
    client.expect("QUIT", 221);
    let expected =
        "open_session fred 127.0.0.1 ftp alice\nclose_session fred 127.0.0.1 ftp alice\n";
    wait::until("the session is closed", || {
        fs::read_to_string(&log).unwrap_or_default() == expected
    });
}

#[test]
fn attack_12_a_module_that_hangs_costs_one_login() {
    if !can_have_pam() {
        return;
    }
    let hangs = "auth required pam_exec.so /bin/sleep 20\naccount required pam_permit.so\n";
    let server = start(&[("metaftpd", hangs)]);
    let password = server.login.password.clone();
    let mut client = server.connect();
    client.expect("USER fred", 331);
    client.expect(&format!("PASS {password}"), 530);
    server.log.line_with(&["PAM did not answer within 4 s"]);
    // The same keeper goes on.
    client.expect("USER fred", 331);
}
