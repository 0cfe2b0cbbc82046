//! mod_exec's directives, each from end to end.

use std::fs;

use tests::{Data, Server, Setup, require, wait};

use crate::scripts::{Script, arguments_to};

/// A server with these lines, in which `SCRIPT` is the script.
fn with(body: &str, lines: &[&str]) -> (Script, Server) {
    let mut setup = Setup::new();
    let script = Script::new(&setup, "hook", body);
    let path = script.path.display().to_string();
    for line in ["ExecEngine=on"].iter().chain(lines) {
        setup = setup.setting(&line.replace("SCRIPT", &path));
    }
    (script, setup.start())
}

fn arguments(script: &Script, name: &str) -> Vec<String> {
    let octets = script.wait_for(name);
    let arguments = octets
        .split(|&octet| octet == 0)
        .map(|a| String::from_utf8_lossy(a).into_owned());
    let mut arguments: Vec<String> = arguments.collect();
    assert_eq!(arguments.pop().as_deref(), Some(""));
    arguments
}

#[test]
fn exec_on_command_gets_its_variables() {
    let line = "ExecOnCommand=STOR,APPE SCRIPT %m %F %f %u %a \"%b octets\" %%";
    let (script, server) = with(&arguments_to("arguments"), &[line]);
    let real = server.put("x", b"").with_file_name("file");
    server.logged_in().upload(Data::Epsv, "file", b"content");
    let expected = [
        "STOR",
        "/file",
        real.to_str().unwrap(),
        &server.login.name,
        "127.0.0.1",
        "7 octets",
        "%",
    ];
    assert_eq!(arguments(&script, "arguments"), expected);
}

#[test]
fn exec_before_command_runs_before_anything_is_done() {
    let body = "[ -e \"$1\" ] && touch $out/was-there; touch $out/asked";
    let (script, server) = with(body, &["ExecBeforeCommand=DELE SCRIPT %f"]);
    server.put("file", b"text");
    server.logged_in().expect("DELE file", 250);
    assert!(script.file("asked").exists() && script.file("was-there").exists());
}

#[test]
fn exec_on_error_and_rename_source() {
    let lines = [
        "ExecOnError=RNTO SCRIPT error %w %F %s",
        "ExecOnCommand=RNTO SCRIPT done %w %F %s",
    ];
    let body = "echo \"$*\" > $out/$1.new; mv $out/$1.new $out/$1";
    let (script, server) = with(body, &lines);
    server.put("a", b"text");
    let mut client = server.logged_in();
    client.expect("RNFR a", 350);
    client.expect("RNTO no/b", 550);
    assert_eq!(script.wait_for("error"), b"error /a /no/b 550\n");
    client.expect("RNFR a", 350);
    client.expect("RNTO b", 250);
    assert_eq!(script.wait_for("done"), b"done /a /b 250\n");
}

#[test]
fn exec_on_connect_exit_and_event() {
    let lines = [
        "ExecOnConnect=SCRIPT connect %a",
        "ExecOnExit=SCRIPT exit %u",
        "ExecOnEvent=login SCRIPT login %u",
    ];
    let body = "echo \"$*\" > $out/$1.new; mv $out/$1.new $out/$1";
    let (script, server) = with(body, &lines);
    let client = server.logged_in();
    assert_eq!(script.wait_for("connect"), b"connect 127.0.0.1\n");
    let name = &server.login.name;
    assert_eq!(
        script.wait_for("login"),
        format!("login {name}\n").as_bytes()
    );
    client.reset();
    assert_eq!(script.wait_for("exit"), format!("exit {name}\n").as_bytes());
}

/// A login that fails is told to those who ask for errors of PASS, though nobody has logged in.
#[test]
fn exec_on_error_of_pass_is_told_of_failed_logins() {
    let body = "echo \"$*\" > $out/failed.new; mv $out/failed.new $out/failed";
    let (script, server) = with(body, &["ExecOnError=PASS SCRIPT %U %a"]);
    let mut client = server.connect();
    client.command("USER mallory");
    client.expect("PASS guess", 530);
    assert_eq!(script.wait_for("failed"), b"mallory 127.0.0.1\n");
}

#[test]
fn exec_environ_is_the_whole_environment() {
    let lines = [
        "ExecOnCommand=NOOP SCRIPT",
        "ExecEnviron=who %u",
        "ExecEnviron=verb \"the %m\"",
        "ExecEnviron=PATH -",
    ];
    let (script, server) = with("env > $out/env.new; mv $out/env.new $out/env", &lines);
    server.logged_in().expect("NOOP", 200);
    let env = String::from_utf8(script.wait_for("env")).unwrap();
    assert!(
        env.contains(&format!("WHO={}\n", server.login.name)),
        "{env}"
    );
    assert!(env.contains("VERB=the NOOP\n"), "{env}");
    let own = std::env::var("PATH").unwrap();
    assert!(env.contains(&format!("PATH={own}\n")), "{env}");
    assert!(!env.contains("HOME="), "{env}");
}

/// What is written on lines has an end, so that a program which reads until then comes to its own.
#[test]
fn use_stdin_gives_arguments_as_lines() {
    let lines = ["ExecOnCommand=DELE SCRIPT %m %F", "ExecOptions=useStdin"];
    let (script, server) = with(
        "cat > $out/in.new; echo $# >> $out/in.new; mv $out/in.new $out/in",
        &lines,
    );
    server.put("a b", b"");
    server.logged_in().expect("DELE a b", 250);
    assert_eq!(script.wait_for("in"), b"DELE\n/a b\n.\n0\n");
}

#[test]
fn send_stdout_is_in_the_reply() {
    let lines = [
        "ExecOnCommand=PWD SCRIPT",
        "ExecOnError=CWD SCRIPT",
        "ExecOptions=sendStdout",
    ];
    let (_, server) = with("echo hello; echo 530 world", &lines);
    let mut client = server.logged_in();
    let reply = client.expect("PWD", 257);
    assert_eq!(
        reply.lines[..2],
        ["hello".to_owned(), " 530 world".to_owned()],
        "{reply:?}"
    );
    let reply = client.expect("CWD none", 550);
    assert_eq!(reply.lines.len(), 3, "{reply:?}");
    client.expect("NOOP", 200);
}

/// F10: results and outputs are in a file of their own, and in the log.
#[test]
fn exec_log_has_results_and_outputs() {
    let setup = Setup::new();
    let script = Script::new(&setup, "hook", "echo to stdout; echo to stderr >&2; exit 3");
    let results = script.file("results");
    let server = setup
        .setting("ExecEngine=on")
        .setting(&format!("ExecOnCommand=NOOP {}", script.path.display()))
        .setting("ExecOptions=logStdout logStderr")
        .setting(&format!("ExecLog={}", results.display()))
        .start();
    server.logged_in().expect("NOOP", 200);
    server.log.line_with(&["hook ", "exited with 3"]);
    server.log.line_with(&["hook ", "to stderr"]);
    wait::until("the results", || {
        let text = fs::read_to_string(&results).unwrap_or_default();
        ["exited with 3", "to stdout", "to stderr"]
            .iter()
            .all(|words| text.contains(words))
    });
}

#[test]
fn exec_timeout_ends_what_takes_too_long() {
    let lines = ["ExecOnCommand=NOOP SCRIPT", "ExecTimeout=1"];
    let (_, server) = with("trap '' TERM; while :; do sleep 0.1; done", &lines);
    server.logged_in().expect("NOOP", 200);
    server.log.line_with(&["took longer than 1 s"]);
}

#[test]
fn exec_enable_leaves_directories_out() {
    let lines = [
        "ExecOnCommand=MKD SCRIPT %F",
        "ExecEnable=off /private/**",
        "ExecOptions=sendStdout",
    ];
    let (_, server) = with("echo \"about $1\"", &lines);
    server.put_directory("private");
    let mut client = server.logged_in();
    assert_eq!(client.expect("MKD private/x", 257).lines.len(), 1);
    assert!(client.expect("MKD x", 257).text().contains("about /x"));
}

#[test]
fn exec_engine_off_runs_nothing() {
    let setup = Setup::new();
    let script = Script::new(&setup, "hook", "echo ran");
    let server = setup
        .setting("ExecEngine=off")
        .setting("ExecOptions=sendStdout")
        .setting(&format!("ExecOnCommand=PWD {}", script.path.display()))
        .start();
    assert_eq!(server.logged_in().expect("PWD", 257).lines.len(), 1);
}

/// F11: programs for commands have the user's identity, those for moments that of hooks.
#[test]
fn f11_identities_are_those_that_are_said() {
    if !require::root() {
        return;
    }
    let body = "id -u > $out/$1.new; mv $out/$1.new $out/$1";
    let lines = [
        "ExecOnCommand=NOOP SCRIPT user",
        "ExecOnExit=SCRIPT hook",
        "ExecOnEvent=login* SCRIPT root",
        "ExecOnEvent=logout~ SCRIPT last",
    ];
    let (script, server) = with(body, &lines);
    let mut client = server.logged_in();
    client.expect("NOOP", 200);
    let uid = |name: &str| {
        String::from_utf8(script.wait_for(name))
            .unwrap()
            .trim()
            .to_owned()
    };
    let user = uid("user");
    assert!(user != "0" && user != "60626", "{user}");
    assert_eq!(uid("root"), "0");
    client.reset();
    assert_eq!(uid("hook"), "60626");
    assert_eq!(uid("last"), user);
}

#[test]
fn an_unknown_variable_is_told_with_its_place() {
    let line = Setup::new()
        .setting("ExecEngine=on")
        .setting("ExecOnExit=/bin/true %{usr}")
        .refused("unknown variable");
    assert!(
        line.contains(
            "ftpd.conf:2:12: ExecOnExit: unknown variable \"%{usr}\", did you mean \"%{user}\"?"
        ),
        "{line}"
    );
    let line = Setup::new()
        .hook("on = 'upload'\nexec = ['/bin/true', 'a %q']\n")
        .refused("unknown variable");
    assert!(line.contains("ftpd.toml:"), "{line}");
}
