//! The identity of every process of a session, for each method and jail, with root and without: what the kernel says equals
//! what is expected. `--nocapture` prints the table.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "whatever fails shall end the test"
)]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Uid};
use sha2::{Digest, Sha256};
use tests::processes::Process;
use tests::{Client, Server, Setup, require, scratch};

/// sha512-crypt of "correct horse", the tester's password.
const HASH: &str = "$6$rounds=1000$abcdefgh$DbXqPck5ABZumVXwcH5eMVHsPZwvQ3jylSxpJmKkZVxcoCiC3N0rPerjHmAqL7r6PK6CIeYnO9.vxpbsevscg/";
/// Numbers that no user of this machine has.
const UID: u32 = 54_341;
const GID: u32 = 54_342;
const FURTHER: [u32; 2] = [60_741, 60_742];
const SESSION_USER: u32 = 60_621;
const PAM: &str =
    "auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_permit.so\n";
/// Nobody but root can read this test's copy of shadow.
const PAM_ROOTLESS: &str = "auth required pam_permit.so\naccount required pam_permit.so\n";

/// A way to log in: its name in the table, `AuthMethods`, the name that the client sends, and what a start without root
/// says; nothing if it works.
struct Way {
    name: &'static str,
    methods: &'static str,
    login: &'static str,
    rootless: Option<&'static str>,
}

const fn way(
    name: &'static str,
    methods: &'static str,
    login: &'static str,
    rootless: Option<&'static str>,
) -> Way {
    Way {
        name,
        methods,
        login,
        rootless,
    }
}

#[rustfmt::skip]
const WAYS: &[Way] = &[
    way("plain",       "native",              "plain",  None),
    way("sha-256",     "native",              "sha256", None),
    way("crypt",       "native",              "crypt",  None),
    way("passwd",      "passwd",              "fred",   None),
    way("shadow",      "shadow",              "fred",   Some("AuthMethods: shadow: /etc/shadow: Permission denied")),
    way("pam",         "pam",                 "fred",   None),
    way("session-pam", "native, session-pam", "plain",  Some("AuthMethods: session-pam: only root can open sessions")),
];

/// A jail: its flags, and where the session's `/` and its start are, below the scratch directory.
const JAILS: &[(&str, &[&str], &str, &str)] = &[
    ("none", &[], "/", "{scratch}/home"),
    (
        "chroot",
        &["-chroot", "{scratch}"],
        "{scratch}",
        "{scratch}/home",
    ),
    ("share", &["-chshare", "{scratch}"], "{scratch}", "/home"),
    ("home", &["-chhome"], "{scratch}/home", "/"),
];

/// What is compared, one text for each column.
const COLUMNS: [&str; 8] = [
    "uid",
    "gid",
    "groups",
    "no_new_privs",
    "seccomp",
    "capabilities",
    "umask",
    "root",
];
type Row = [String; COLUMNS.len()];

fn row(columns: [&str; COLUMNS.len()]) -> Row {
    columns.map(str::to_owned)
}

/// What the kernel says of a process. A directory is known by device and inode: it may have lost its name.
fn seen(process: &Process, scratch: &Path) -> Row {
    let status = process.status();
    let ids = |field: &str| {
        let numbers = process.numbers(field);
        match numbers.as_slice() {
            [one, rest @ ..] if rest.iter().all(|other| other == one) => one.to_string(),
            _ => format!("{numbers:?}"),
        }
    };
    let mut groups = process.numbers("Groups");
    groups.sort_unstable();
    let groups: Vec<_> = groups.iter().map(u32::to_string).collect();
    let sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
    let held = sets
        .iter()
        .filter(|&&set| status[set] != "0000000000000000");
    let held: Vec<_> = held.copied().collect();
    [
        ids("Uid"),
        ids("Gid"),
        text_or(groups.join(","), "-"),
        status["NoNewPrivs"].clone(),
        status["Seccomp"].clone(),
        text_or(held.join(","), "-"),
        status["Umask"].clone(),
        root(process, scratch),
    ]
}

fn text_or(text: String, other: &str) -> String {
    if text.is_empty() {
        other.to_owned()
    } else {
        text
    }
}

fn root(process: &Process, scratch: &Path) -> String {
    let path = PathBuf::from(format!("/proc/{}/root/", process.pid));
    let number = |path: &Path| {
        let found = fs::metadata(path).unwrap();
        (found.dev(), found.ino())
    };
    let here = number(&path);
    let known = [
        ("/", Path::new("/").to_owned()),
        ("{scratch}", scratch.to_owned()),
        ("{scratch}/home", scratch.join("home")),
    ];
    match known.iter().find(|(_, path)| number(path) == here) {
        Some((name, _)) => (*name).to_owned(),
        None if fs::read_dir(&path).unwrap().next().is_none() => "empty".to_owned(),
        None => process.root().display().to_string(),
    }
}

fn with_lines(path: &str, lines: &str) -> String {
    fs::read_to_string(path).unwrap() + lines
}

fn setup(way: &Way, jail: &[&str], setup: Setup, pam: &str) -> Setup {
    let setup = setup
        .methods(way.methods)
        .setting("PasswordCost=m=8,t=1,p=1")
        .real_user("fred", Uid::from_raw(UID), Gid::from_raw(GID));
    let scratch = setup.scratch().to_owned();
    let home = scratch.join("home");
    // For -chroot the home is looked up inside.
    fs::create_dir_all(scratch.join(home.strip_prefix("/").unwrap())).unwrap();
    let services = scratch.join("pam.d");
    fs::create_dir(&services).unwrap();
    fs::write(services.join("metaftpd"), pam).unwrap();
    let home = home.to_str().unwrap();
    let word = if way.methods == "passwd" { HASH } else { "x" };
    let user = format!("fred:{word}:{UID}:{GID}::{home}:/bin/sh\n");
    let secret = format!("fred:{HASH}:19000:0:99999:7:::\n");
    let mut groups = format!("fred:x:{GID}:\n");
    for gid in FURTHER {
        groups += &format!("further{gid}:x:{gid}:fred\n");
    }
    let digest = Sha256::digest(b"sha256saltcorrect horse");
    let digest: String = digest.iter().map(|octet| format!("{octet:02x}")).collect();
    let jail: Vec<_> = jail
        .iter()
        .map(|word| word.replace("{scratch}", scratch.to_str().unwrap()))
        .collect();
    let jail: Vec<_> = jail.iter().map(String::as_str).collect();
    let setup = setup
        .jail(&jail)
        .system_file("/etc/passwd", &with_lines("/etc/passwd", &user))
        .system_file("/etc/shadow", &with_lines("/etc/shadow", &secret))
        .system_file("/etc/group", &with_lines("/etc/group", &groups))
        .system_directory("/etc/pam.d", "pam.d")
        .entry("plain", "fred", "{scratch}/home")
        .line(&format!("sha256:sha-256:salt:{digest}:fred:{{home}}:"))
        .line(&format!("crypt:crypt::{HASH}:fred:{{home}}:"));
    // Whoever runs the server, it is theirs here: so nobody but root may read it.
    scratch::mode(&setup.scratch().join("system1"), 0);
    setup
}

/// The processes of the session of a client who has just logged in.
fn processes(server: &Server, client: &mut Client, way: &Way) -> Vec<(&'static str, Process)> {
    let keeper = server.only_keeper();
    // Before the login there is no other child.
    let session = keeper.only_child();
    client.login(way.login, &server.login.password);
    let others = keeper.children();
    let mut others: Vec<_> = others.into_iter().filter(|p| *p != session).collect();
    let mut processes = vec![("keeper", keeper), ("session", session)];
    // Without root there is no session of PAM's to be closed.
    if way.methods.contains("pam") && server.process().numbers("Uid")[0] == 0 {
        assert_eq!(others.len(), 1, "{}", way.name);
        processes.push(("pam", others.remove(0)));
    }
    assert!(others.is_empty(), "{}", way.name);
    processes
}

/// The lines of the table, printed at the end.
#[derive(Default)]
struct Table(String);

impl Table {
    fn new() -> Table {
        let mut table = Table::default();
        table.line(
            &["start", "method", "jail", "process"]
                .into_iter()
                .chain(COLUMNS)
                .collect::<Vec<_>>(),
        );
        table
    }

    fn line(&mut self, words: &[&str]) {
        let widths = [8, 11, 6, 8, 5, 5, 17, 12, 7, 20, 5, 0];
        for (word, width) in words.iter().zip(widths) {
            self.0 += &format!("{word:width$} ");
        }
        self.0.truncate(self.0.trim_end().len());
        self.0 += "\n";
    }
}

#[test]
fn attack_1_with_root_every_method_and_jail_leads_to_exactly_the_expected_identity() {
    if !require::root() || !require::programs(&["unshare", "mount"]) {
        return;
    }
    let me = Process::of(std::process::id().cast_signed()).unwrap();
    let mine = me.numbers("Groups");
    let mine: Vec<_> = mine.iter().map(u32::to_string).collect();
    let mine = text_or(mine.join(","), "-");
    let mut table = Table::new();
    for way in WAYS {
        for &(jail, flags, root, start) in JAILS {
            let (user, further) = (UID.to_string(), format!("{GID},60741,60742"));
            let (gid, nobody) = (GID.to_string(), SESSION_USER.to_string());
            let expected = [
                row([&user, &gid, &further, "1", "2", "-", "0000", root]),
                row([&nobody, &nobody, "-", "1", "2", "-", "0077", "empty"]),
                // As the server was started: the modules do what they do for any program of root.
                row([
                    "0",
                    "0",
                    &mine,
                    "0",
                    "0",
                    "CapPrm,CapEff,CapBnd",
                    "0022",
                    "/",
                ]),
            ];
            let server = setup(way, flags, Setup::new(), PAM).start();
            check(
                &mut table,
                &server,
                way,
                ["root", way.name, jail],
                &expected,
                start,
            );
        }
    }
    println!("{}", table.0);
}

#[test]
fn attack_1_for_port_20_keeper_has_one_capability_and_is_the_user_all_the_same() {
    if !require::root() || !require::programs(&["unshare", "mount"]) {
        return;
    }
    let mut table = Table::new();
    let way = &WAYS[0];
    for &(jail, flags, root, start) in JAILS {
        let (user, further) = (UID.to_string(), format!("{GID},60741,60742"));
        let (gid, nobody) = (GID.to_string(), SESSION_USER.to_string());
        let kept = "CapPrm,CapEff";
        let expected = [
            row([&user, &gid, &further, "1", "2", kept, "0000", root]),
            row([&nobody, &nobody, "-", "1", "2", "-", "0077", "empty"]),
        ];
        let setup = Setup::new().setting("connect_from_port_20=YES");
        let server = self::setup(way, flags, setup, PAM).start();
        let names = ["root", "port 20", jail];
        check(&mut table, &server, way, names, &expected, start);
    }
    println!("{}", table.0);
}

#[test]
fn attack_1_without_root_every_method_and_jail_is_ones_own_identity_or_refused_at_start() {
    if !require::root() || !require::programs(&["unshare", "mount"]) {
        return;
    }
    let mut table = Table::new();
    for way in WAYS {
        for &(jail, flags, _, start) in JAILS {
            let setup = setup(way, flags, Setup::rootless(), PAM_ROOTLESS);
            if let Some(sentence) = way.rootless {
                setup.refused(sentence);
                table.line(&["rootless", way.name, jail, "refused", sentence]);
                continue;
            }
            let (user, gid) = (UID.to_string(), GID.to_string());
            // Only root can empty the bounding set; without new privileges it is of no use.
            let expected = [
                row([&user, &gid, "-", "1", "2", "CapBnd", "0000", "/"]),
                row([&user, &gid, "-", "1", "2", "CapBnd", "0077", "/"]),
            ];
            let server = setup.start();
            check(
                &mut table,
                &server,
                way,
                ["rootless", way.name, jail],
                &expected,
                start,
            );
        }
    }
    println!("{}", table.0);
}

/// Logs in and compares each process with its row of what is expected.
fn check(
    table: &mut Table,
    server: &Server,
    way: &Way,
    names: [&str; 3],
    expected: &[Row],
    start: &str,
) {
    let mut client = server.connect();
    let processes = processes(server, &mut client, way);
    for ((role, process), expected) in processes.iter().zip(expected) {
        let seen = seen(process, server.scratch.path());
        let columns = seen.iter().map(String::as_str);
        let words = names.into_iter().chain([*role]).chain(columns);
        table.line(&words.collect::<Vec<_>>());
        for (column, (seen, expected)) in COLUMNS.iter().zip(seen.iter().zip(expected)) {
            assert_eq!(seen, expected, "{column} of {names:?} {role}");
        }
    }
    let start = start.replace("{scratch}", server.scratch.path().to_str().unwrap());
    let told = client.expect("PWD", 257).text();
    assert!(
        told.starts_with(&format!("\"{start}\"")),
        "{names:?}: {told}"
    );
}
