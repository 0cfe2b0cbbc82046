//! Real stacks of Linux-PAM's own modules: who gets in, and that what was opened is closed.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::fs;
use std::os::unix::fs::MetadataExt;

use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid};
use tests::processes::Process;
use tests::{Data, Server, Setup, require, scratch, wait};

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
    scratch::script(&record, &script);
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

/// The soft and the hard limit of a process, by the name in `/proc/PID/limits`.
fn limit(process: &Process, name: &str) -> [String; 2] {
    let limits = fs::read_to_string(format!("/proc/{}/limits", process.pid)).unwrap();
    let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
    let mut words = line[name.len()..].split_whitespace();
    [(); 2].map(|()| words.next().unwrap().to_owned())
}

#[test]
fn limits_of_pam_limits_hold_the_process_that_serves_the_user() {
    if !can_have_pam() {
        return;
    }
    let rules = format!("{UNIX}session required pam_limits.so conf={{scratch}}/limits.conf\n");
    let setup = Setup::new().methods("pam");
    let limits = "fred soft nofile 64\nfred hard nofile 70\nfred - nproc 7\nfred - fsize 100\nfred - core unlimited\n";
    fs::write(setup.scratch().join("limits.conf"), limits).unwrap();
    let server = start_with(setup, &[("metaftpd", &rules)]);
    let mut client = server.connect();
    client.login("fred", &server.login.password);
    let keeper = server.only_keeper();
    assert_eq!(limit(&keeper, "Max open files"), ["64", "70"]);
    assert_eq!(limit(&keeper, "Max processes"), ["7", "7"]);
    assert_eq!(limit(&keeper, "Max core file size"), ["0", "0"]);
    // This one is a size of files that are refused, rather than a signal that ends the session.
    assert_eq!(limit(&keeper, "Max file size"), ["unlimited"; 2]);
    client.upload(Data::Epsv, "fits", &[0; 100 << 10]);
    let data = client.data(Data::Epsv);
    client.begin("STOR large");
    let data = data.open();
    data.write_all_and_close(&[0; (100 << 10) + 1]);
    client.expect_reply(552);
    assert!(!server.names().contains(&"large".to_owned()));
    client.expect("NOOP", 200);
}

#[test]
fn limits_that_leave_no_room_for_a_session_end_it_before_an_answer() {
    if !can_have_pam() {
        return;
    }
    let rules = format!("{UNIX}session required pam_limits.so conf={{scratch}}/limits.conf\n");
    let setup = Setup::new().methods("pam");
    fs::write(setup.scratch().join("limits.conf"), "fred - nofile 4\n").unwrap();
    let server = start_with(setup, &[("metaftpd", &rules)]);
    server.log.expect_fault("privilege could not be given up");
    let mut client = server.connect();
    client.expect("USER fred", 331);
    client.expect(&format!("PASS {}", server.login.password), 530);
    client.expect_reply(421);
    client.expect_end();
    server.log.line_with(&["'fred'", "landlock failed"]);
}

#[test]
fn programs_of_modules_have_roots_rights_but_those_over_the_kernel() {
    if !can_have_pam() {
        return;
    }
    let rules = format!("{UNIX}session required pam_exec.so seteuid {{scratch}}/chown\n");
    let setup = Setup::new().methods("pam");
    let (script, given) = (setup.scratch().join("chown"), setup.scratch().join("given"));
    fs::write(&given, "").unwrap();
    let text = format!("#!/bin/sh\nexec chown {UID} '{}'\n", given.display());
    scratch::script(&script, &text);
    let server = start_with(setup, &[("metaftpd", &rules)]);
    let mut client = server.connect();
    let session = server.only_keeper().only_child();
    client.login("fred", &server.login.password);
    assert_eq!(fs::metadata(&given).unwrap().uid(), UID);
    let keeper = server.only_keeper();
    let mut modules = keeper.children();
    modules.retain(|process| *process != session);
    let status = modules[0].status();
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        let held = u64::from_str_radix(&status[set], 16).unwrap();
        // CAP_CHOWN, and not CAP_SYS_MODULE, CAP_SYS_RAWIO and CAP_SYS_PTRACE.
        let kernel = 1 << 16 | 1 << 17 | 1 << 19;
        assert_eq!(held & (1 | kernel), 1, "{set}");
    }
    for process in [keeper, session] {
        assert_eq!(process.status()["CapBnd"], "0000000000000000");
    }
}

#[test]
fn attack_12_what_a_module_has_started_ends_with_its_time_even_in_a_session_of_its_own() {
    if !can_have_pam() || !require::programs(&["setsid"]) {
        return;
    }
    let hangs = "auth required pam_exec.so {scratch}/daemon\naccount required pam_permit.so\n";
    let setup = Setup::new().methods("pam");
    let (script, pids) = (setup.scratch().join("daemon"), setup.scratch().join("pids"));
    // One of them has lost its parent when the time is over, and so has its child.
    let text = format!(
        "#!/bin/sh\nsetsid sh -c 'sleep 1000 & echo $! >>\"$0\"; echo $$ >>\"$0\"; wait' '{}' &\nsleep 1000\n",
        pids.display()
    );
    scratch::script(&script, &text);
    let server = start_with(setup, &[("metaftpd", hangs)]);
    let mut client = server.connect();
    client.expect("USER fred", 331);
    let session = server.only_keeper().only_child();
    client.send(&format!("PASS {}", server.login.password));
    let started = || {
        let text = fs::read_to_string(&pids).unwrap_or_default();
        let pids: Vec<i32> = text.lines().map(|line| line.parse().unwrap()).collect();
        pids
    };
    wait::until("the programs run", || started().len() == 2);
    let processes: Vec<_> = started().into_iter().filter_map(Process::of).collect();
    assert_eq!(processes.len(), 2);
    client.expect_reply(530);
    for process in &processes {
        assert!(!process.runs(), "{process:?}");
    }
    assert_eq!(server.only_keeper().children(), [session]);
    client.expect("USER fred", 331);
}

/// A server of an ordinary user, whose PAM is the wrapper's: `{user}` has the password of the tester.
fn start_wrapped(methods: &str) -> Option<(Setup, String)> {
    let wrapper = require::library("libpam_wrapper.so")?;
    let matrix = wrapper.with_file_name("pam_wrapper/pam_matrix.so");
    let setup = Setup::rootless()
        .methods(methods)
        .setting("LoginFailDelay=0");
    let setup = if Uid::effective().is_root() {
        let home = setup.scratch().join("home");
        let line = format!("fred:x:{UID}:{GID}::{}:/bin/sh\n", home.display());
        let passwd = fs::read_to_string("/etc/passwd").unwrap() + &line;
        setup
            .real_user("fred", Uid::from_raw(UID), Gid::from_raw(GID))
            .system_file("/etc/passwd", &passwd)
    } else {
        setup
    };
    let user = if Uid::effective().is_root() {
        "fred".to_owned()
    } else {
        tests::user::ordinary().name
    };
    let services = setup.scratch().join("services");
    fs::create_dir(&services).unwrap();
    let passwords = setup.scratch().join("passwords");
    fs::write(&passwords, format!("{user}:correct horse:any\n")).unwrap();
    let (matrix, passwords) = (matrix.display(), passwords.display());
    // Whoever is nobody else's session needs no rules about it: this one would refuse.
    let rules = format!(
        "auth required {matrix} passdb={passwords}\naccount required pam_permit.so\n\
         session required pam_deny.so\n"
    );
    for service in ["metaftpd", "ftp", "other"] {
        fs::write(services.join(service), &rules).unwrap();
    }
    let words = [
        "env".to_owned(),
        "PAM_WRAPPER=1".to_owned(),
        format!("PAM_WRAPPER_SERVICE_DIR={}", services.display()),
        format!("LD_PRELOAD={}", wrapper.display()),
    ];
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    Some((setup.through(&words), user))
}

#[test]
fn without_root_pam_checks_the_password_of_whoever_runs_the_server_and_opens_no_session() {
    let Some((setup, user)) = start_wrapped("pam") else {
        return;
    };
    let server = setup.start();
    assert_eq!(login(&server, &user, "wrong"), 530);
    assert_eq!(login(&server, "root", "correct horse"), 530);
    let mut client = server.connect();
    let session = server.only_keeper().only_child();
    client.login(&user, &server.login.password);
    assert_eq!(server.only_keeper().children(), [session]);
    client.upload(Data::Epsv, "file", b"content");
}

#[test]
fn without_root_there_are_no_sessions_of_pam() {
    if let Some((setup, _)) = start_wrapped("native, session-pam") {
        setup.refused("AuthMethods: session-pam: only root can open sessions");
    }
}
