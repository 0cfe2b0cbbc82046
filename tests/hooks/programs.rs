//! How programs are run, and what they can do wrong.

use std::fs;

use tests::{Data, Server, Setup, require, wait};

use crate::scripts::Script;

fn with_hook(body: &str) -> (Script, Server) {
    let setup = Setup::new();
    let script = Script::new(&setup, "hook", body);
    let server = setup.setting(&script.setting("UploadHook")).start();
    (script, server)
}

fn upload(server: &Server) {
    server.logged_in().upload(Data::Epsv, "file", b"content");
}

/// F2: a program has three descriptors, none of which is a socket, and nothing of the daemon's environment.
#[test]
fn f2_a_program_has_no_descriptor_of_the_server() {
    let body = "ls -l /proc/$$/fd > $out/fds.new; mv $out/fds.new $out/fds; \
                env > $out/env.new; mv $out/env.new $out/env";
    let (script, server) = with_hook(body);
    upload(&server);
    let fds = String::from_utf8(script.wait_for("fds")).unwrap();
    assert!(!fds.contains("socket:"), "{fds}");
    assert!(fds.contains(" 0 -> /dev/null"), "{fds}");
    let numbers: Vec<&str> = fds
        .lines()
        .filter_map(|line| line.split(" -> ").next()?.split_whitespace().last())
        .collect();
    // 255 is the script itself, which bash reads.
    let others: Vec<_> = numbers
        .iter()
        .filter(|n| !["0", "1", "2", "255"].contains(n))
        .collect();
    assert!(others.iter().all(|n| n.parse::<u32>().is_err()), "{fds}");
    let env = String::from_utf8(script.wait_for("env")).unwrap();
    let known = ["PATH=", "PWD=", "SHLVL=", "_=", "OLDPWD="];
    let strange: Vec<_> = env
        .lines()
        .filter(|line| !known.iter().any(|k| line.starts_with(k)))
        .collect();
    assert!(strange.is_empty(), "{strange:?}");
}

/// F4: however much is written, the program comes to its end and nobody is harmed.
#[test]
fn f4_ten_mebibytes_of_output_block_nobody() {
    let body = "head -c 10485760 /dev/zero; head -c 10485760 /dev/zero >&2; touch $out/done";
    let (script, server) = with_hook(body);
    upload(&server);
    script.wait_for("done");
    server.log.line_with(&["it wrote more than is kept"]);
}

/// F5: what a program has left behind ends with it.
#[test]
fn f5_a_grandchild_ends_with_the_program() {
    let body = "sleep 1000 & echo $! > $out/pid.new; mv $out/pid.new $out/pid; exit 0";
    let (script, server) = with_hook(body);
    upload(&server);
    let pid = String::from_utf8(script.wait_for("pid")).unwrap();
    let process = format!("/proc/{}", pid.trim());
    wait::until("the end of the grandchild", || {
        // Whoever collects it may take a moment.
        let status = fs::read_to_string(format!("{process}/stat"));
        status.is_err() || status.is_ok_and(|status| status.contains(") Z "))
    });
}

/// F10: how a program ended is told from each other.
#[test]
fn f10_the_log_tells_the_ends_of_programs_apart() {
    for (body, words) in [
        ("exit 2", "exited with 2"),
        ("kill -SEGV $$", "was killed by SIGSEGV"),
    ] {
        let (_, server) = with_hook(body);
        upload(&server);
        server.log.line_with(&["hook ", "for upload", words]);
    }
    let setup = Setup::new();
    let missing = setup.scratch().join("missing");
    let server = setup
        .setting(&format!("UploadHook={}", missing.display()))
        .start();
    upload(&server);
    server
        .log
        .line_with(&["could not be started: execve: No such file or directory"]);
}

/// F11: whose program it is, the configuration says: nobody's, unless it says otherwise; never root by itself.
#[test]
fn f11_a_program_is_who_the_configuration_says() {
    if !require::root() {
        return;
    }
    let body = "id -u > $out/uid.new; grep -E '^(NoNewPrivs|CapEff|CapBnd)' /proc/self/status >> $out/uid.new; mv $out/uid.new $out/uid";
    for (user, uid, capable) in [
        ("", "60626", false),
        (",nobody", "65534", false),
        (",root", "0", true),
    ] {
        let setup = Setup::new();
        let script = Script::new(&setup, "hook", body);
        let setting = script.setting("UploadHook") + user;
        let server = setup.setting(&setting).start();
        upload(&server);
        let told = String::from_utf8(script.wait_for("uid")).unwrap();
        assert_eq!(told.lines().next(), Some(uid), "{user}: {told}");
        assert!(told.contains("NoNewPrivs:\t1"), "{user}: {told}");
        for set in ["CapEff", "CapBnd"] {
            let none = told.contains(&format!("{set}:\t0000000000000000"));
            assert_eq!(none, !capable, "{user}: {told}");
        }
    }
}

#[test]
fn an_ordinary_user_has_hooks_as_itself() {
    let setup = Setup::rootless();
    let script = Script::new(&setup, "hook", "touch $out/done");
    let server = setup.setting(&script.setting("UploadHook")).start();
    upload(&server);
    script.wait_for("done");
}

#[test]
fn a_setting_that_is_no_program_is_refused_at_start() {
    let line = Setup::new()
        .setting("UploadHook=scan")
        .refused("UploadHook");
    assert!(line.contains("whole path"), "{line}");
}
