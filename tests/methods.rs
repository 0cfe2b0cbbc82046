//! The methods that check passwords of users of the system, and the identity that each of them leads to.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use nix::unistd::{Gid, Uid};
use tests::scratch::give;
use tests::{Data, Server, Setup, require};

/// sha512-crypt of "correct horse", the tester's password.
const HASH: &str = "$6$rounds=1000$abcdefgh$DbXqPck5ABZumVXwcH5eMVHsPZwvQ3jylSxpJmKkZVxcoCiC3N0rPerjHmAqL7r6PK6CIeYnO9.vxpbsevscg/";
/// Numbers that no user of this machine has.
const UID: u32 = 54_321;
const GID: u32 = 54_322;

/// Whether the test may go on: it can give a server users of its own.
fn can_have_users() -> bool {
    require::root() && require::programs(&["unshare", "mount", "id"])
}

/// The machine's own file with further lines.
fn with_lines(path: &str, lines: &str) -> String {
    fs::read_to_string(path).unwrap() + lines
}

/// A server that knows the user `fred`, a member of so many groups beside the primary one, by every method.
fn setup(method: &str, groups: u32) -> Setup {
    let setup = Setup::new()
        .methods(method)
        .setting("LoginFailDelay=0")
        .setting("MaxLoginFails=100")
        .setting("PasswordCost=m=8,t=1,p=1");
    let home = setup.scratch().join("home");
    let home = home.to_str().unwrap();
    let mut lines = format!("fred:x:{GID}:\n");
    for number in 0..groups {
        lines += &format!("g{number}:x:{}:fred\n", 60_700 + number);
    }
    // Whoever holds passwords in passwd has none in shadow.
    let word = if method.contains("passwd") { HASH } else { "x" };
    setup
        .system_file(
            "/etc/passwd",
            &with_lines("/etc/passwd", &users(word, home)),
        )
        .system_file(
            "/etc/shadow",
            &with_lines(
                "/etc/shadow",
                &format!(
                    "fred:{HASH}:19000:0:99999:7:::\nlocked:!{HASH}:19000:0:99999:7:::\n\
                     empty::19000:0:99999:7:::\nexpired:{HASH}:19000:0:99999:7::19001:\n\
                     aged:{HASH}:19000:0:7:7:::\nnologin:{HASH}:19000:0:99999:7:::\n\
                     bent:{HASH}:19000:0:99999:7:::\nzero:{HASH}:19000:0:99999:7:::\n"
                ),
            ),
        )
        .system_file("/etc/group", &with_lines("/etc/group", &lines))
        .entry("native", "fred", "{scratch}/home")
        .real_user("fred", Uid::from_raw(UID), Gid::from_raw(GID))
}

fn users(word: &str, home: &str) -> String {
    let mut lines = String::new();
    for (name, uid, shell) in [
        ("fred", "54321", "/bin/sh"),
        ("locked", "54323", "/bin/sh"),
        ("empty", "54324", "/bin/sh"),
        ("expired", "54325", "/bin/sh"),
        ("aged", "54326", "/bin/sh"),
        ("nologin", "54327", "/usr/sbin/nologin"),
        ("bent", "0x0", "/bin/sh"),
        ("zero", "0", "/bin/sh"),
    ] {
        lines += &format!("{name}:{word}:{uid}:{GID}::{home}:{shell}\n");
    }
    lines
}

fn login(server: &Server, name: &str, password: &str) -> u16 {
    let mut client = server.connect();
    client.expect(&format!("USER {name}"), 331);
    client.command(&format!("PASS {password}")).code
}

/// Logs in and compares what the kernel says of the keeper with what the files say of the user.
#[track_caller]
fn assert_is_fred(server: &Server, name: &str, groups: &[u32]) {
    let mut client = server.connect();
    client.login(name, &server.login.password);
    let keeper = server.only_keeper();
    assert_eq!(keeper.numbers("Uid"), [UID; 4]);
    assert_eq!(keeper.numbers("Gid"), [GID; 4]);
    let mut given = keeper.numbers("Groups");
    given.sort_unstable();
    assert_eq!(given, groups);
    let status = keeper.status();
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(status[set], "0000000000000000", "{set}");
    }
    client.expect("QUIT", 221);
}

#[test]
fn attack_2_users_have_the_groups_that_id_tells_however_many() {
    if !can_have_users() {
        return;
    }
    for groups in [0, 1, 15, 16, 17, 1023, 1024, 1025, 5000] {
        let setup = setup("shadow", groups);
        let words = setup.with_system_files();
        let id = Command::new(&words[0])
            .args(&words[1..])
            .args(["id", "-G", "fred"])
            .output()
            .unwrap();
        let text = String::from_utf8(id.stdout).unwrap();
        let mut expected: Vec<u32> = text
            .split_whitespace()
            .map(|gid| gid.parse().unwrap())
            .collect();
        expected.sort_unstable();
        assert_eq!(expected.len(), groups as usize + 1);
        assert_is_fred(&setup.start(), "fred", &expected);
    }
}

#[test]
fn accounts_of_the_system_that_may_not_log_in_are_refused_alike() {
    if !can_have_users() {
        return;
    }
    let server = setup("shadow", 0).start();
    let password = server.login.password.clone();
    for (name, password, why) in [
        ("fred", "wrong", "wrong password"),
        ("fred", "", "wrong password"),
        ("FRED", &password[..], "no user FRED"),
        ("locked", &password, "locked or has no password"),
        ("empty", "", "locked or has no password"),
        ("expired", &password, "the account has expired"),
        ("aged", &password, "the password has expired"),
        ("nologin", &password, "the shell"),
        ("bent", &password, "/etc/passwd:"),
        ("zero", &password, "root's"),
        ("root", &password, ""),
        ("native", &password, "no user native"),
    ] {
        assert_eq!(login(&server, name, password), 530, "{name}");
        let line = server
            .log
            .line_with(&[&format!("login of '{name}'"), "failed", why]);
        assert!(!line.contains(&server.login.password), "{line}");
    }
    assert_eq!(login(&server, "fred", &password), 230);
}

#[test]
fn the_next_method_is_asked_where_one_does_not_know_and_only_there() {
    if !can_have_users() {
        return;
    }
    let server = setup("native, shadow", 0)
        .line("fred:plain::another:fred:{home}:")
        .line("locked:plain::{password}:fred:{home}:")
        .line("aged:broken")
        .start();
    let password = server.login.password.clone();
    // Both passwords are right, by one method each.
    assert_eq!(login(&server, "fred", &password), 230);
    assert_eq!(login(&server, "fred", "another"), 230);
    assert_eq!(login(&server, "locked", &password), 230);
    assert_eq!(login(&server, "fred", "neither"), 530);
    server
        .log
        .line_with(&["native: wrong password; shadow: wrong password"]);
    // A damaged entry denies its user, whatever another method would say.
    assert_eq!(login(&server, "aged", &password), 530);
    let line = server.log.line_with(&["login of 'aged'", "failed"]);
    assert!(
        line.contains("fewer than six fields") && !line.contains("shadow"),
        "{line}"
    );
}

#[test]
fn attack_5_a_home_that_cannot_be_entered_is_no_login() {
    if !can_have_users() {
        return;
    }
    let server = setup("shadow", 0).jail(&[]).start();
    let password = server.login.password.clone();
    assert_eq!(login(&server, "fred", &password), 230);
    let restore = |home: &Path| {
        fs::create_dir(home).unwrap();
        give(home, Uid::from_raw(UID), Gid::from_raw(GID));
    };
    fs::remove_dir(&server.home).unwrap();
    assert_eq!(login(&server, "fred", &password), 530, "missing");
    fs::write(&server.home, "").unwrap();
    assert_eq!(login(&server, "fred", &password), 530, "a file");
    fs::remove_file(&server.home).unwrap();
    std::os::unix::fs::symlink("/", &server.home).unwrap();
    assert_eq!(login(&server, "fred", &password), 530, "a link");
    fs::remove_file(&server.home).unwrap();
    restore(&server.home);
    tests::scratch::mode(&server.home, 0);
    assert_eq!(login(&server, "fred", &password), 530, "closed");
}

#[test]
fn attack_13_passwords_are_in_no_core_and_nobody_else_can_look_for_them() {
    if !can_have_users() || !require::programs(&["setpriv"]) {
        return;
    }
    let server = setup("shadow", 0).start();
    let mut client = server.connect();
    let password = server.login.password.clone();
    client.login("fred", &password);
    let keeper = server.only_keeper();
    let session = keeper.only_child();
    for pid in [keeper.pid, session.pid] {
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core"));
        let words: Vec<_> = core.unwrap().split_whitespace().collect();
        assert_eq!(words[4..6], ["0", "0"], "{limits}");
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
        assert!(!String::from_utf8_lossy(&line).contains(&password));
        // Neither the user whose files are served, nor the one that the network half is.
        for uid in [UID, 60621] {
            for file in ["mem", "environ", "maps"] {
                let looked = Command::new("setpriv")
                    .arg(format!("--reuid={uid}"))
                    .args(["--clear-groups", "--", "head", "-c1"])
                    .arg(format!("/proc/{pid}/{file}"))
                    .output()
                    .unwrap();
                let errors = String::from_utf8_lossy(&looked.stderr);
                assert!(
                    errors.contains("Permission denied"),
                    "{uid} {file}: {errors}"
                );
            }
        }
    }
}

#[test]
fn default_group_is_the_primary_one_of_users_of_the_user_file() {
    if !can_have_users() {
        return;
    }
    let server = setup("native, shadow", 2)
        .setting("DefaultGroup=g1")
        .start();
    // As initgroups(3) with that group: the user's own is not among them.
    let expected = [
        ("native", 60_701, &[60_700, 60_701][..]),
        ("fred", GID, &[60_700, 60_701]),
    ];
    for (name, gid, further) in expected {
        let mut client = server.connect();
        client.login(name, &server.login.password);
        let keeper = server.only_keeper();
        assert_eq!(keeper.numbers("Gid"), [gid; 4], "{name}");
        let mut groups = further.to_vec();
        groups.push(gid);
        let mut given = keeper.numbers("Groups");
        for list in [&mut groups, &mut given] {
            list.sort_unstable();
            list.dedup();
        }
        assert_eq!(given, groups, "{name}");
        client.upload(Data::Epsv, name, b"content");
        let made = fs::metadata(server.home.join(name)).unwrap();
        assert_eq!((made.uid(), made.gid()), (UID, gid), "{name}");
        client.expect("QUIT", 221);
        tests::wait::until("the session is over", || server.keepers().is_empty());
    }
}

#[test]
fn a_default_group_that_cannot_be_is_an_error_at_start() {
    if !can_have_users() {
        return;
    }
    for (group, sentence) in [
        (
            "nosuchgroup",
            "DefaultGroup: this system has no group \"nosuchgroup\"",
        ),
        ("root", "DefaultGroup: group \"root\" is root's"),
    ] {
        let setup = setup("native", 0).setting(&format!("DefaultGroup={group}"));
        setup.refused(sentence);
    }
    Setup::rootless()
        .setting("DefaultGroup=daemon")
        .refused("DefaultGroup: only root can give sessions the group \"daemon\"");
}

/// A server with entries whose real user is root, or in root's group.
fn setup_root(settings: &[&str]) -> Server {
    let group = with_lines("/etc/group", "").replace("root:x:0:", "root:x:0:fred");
    let setup = setup("native", 0).system_file("/etc/group", &group);
    let setup = settings
        .iter()
        .fold(setup, |setup, line| setup.setting(line));
    setup
        .entry("admin", "root", "{scratch}/home")
        .entry("toor", "root", "{scratch}/home")
        .line("open:null:::root:{home}:")
        .start()
}

#[test]
fn root_and_its_group_are_refused_unless_the_account_is_named() {
    if !can_have_users() {
        return;
    }
    let server = setup_root(&["RootUsers=admin, open"]);
    let password = server.login.password.clone();
    for (name, why) in [
        ("toor", "real user \"root\" is root"),
        // Any password is right for this one.
        ("open", "real user \"root\" is root"),
        ("native", "real user \"fred\" is in root's group"),
    ] {
        assert_eq!(login(&server, name, &password), 530, "{name}");
        let line = server
            .log
            .line_with(&[&format!("login of '{name}'"), "failed"]);
        assert!(line.contains(why), "{line}");
    }
    let server = setup_root(&["RootUsers=native"]);
    let mut client = server.connect();
    client.login("native", &password);
    let mut groups = server.only_keeper().numbers("Groups");
    groups.sort_unstable();
    assert_eq!(groups, [0, GID]);
    assert_eq!(login(&server, "admin", &password), 530);
}

#[test]
fn root_that_is_named_has_roots_files_and_no_capability() {
    if !can_have_users() {
        return;
    }
    let server = setup_root(&["RootUsers=admin", "PermittedCommands=ALL"]);
    for (name, owner) in [("roots", 0), ("freds", UID)] {
        let file = server.put(name, b"content");
        give(&file, Uid::from_raw(owner), Gid::from_raw(owner));
        tests::scratch::mode(&file, 0o600);
    }
    let mut client = server.connect();
    client.login("admin", &server.login.password);
    let keeper = server.only_keeper();
    assert_eq!(keeper.numbers("Uid"), [0; 4]);
    let status = keeper.status();
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(status[set], "0000000000000000", "{set}");
    }
    assert_eq!(
        (&status["Seccomp"][..], &status["NoNewPrivs"][..]),
        ("2", "1")
    );
    assert_ne!(keeper.only_child().numbers("Uid")[0], 0);
    assert_eq!(client.download(Data::Epsv, "roots"), b"content");
    client.data(Data::Epsv);
    client.expect("RETR freds", 550);
}
