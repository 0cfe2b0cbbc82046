//! Hooks when the settings are read anew: they hear of it, and stay what they were.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::Value;
use tests::{Data, Server, Setup, wait};

use crate::events::events;
use crate::scripts::Script;

/// Writes the configuration file anew and tells the daemon.
fn reload(server: &Server, name: &str, text: &str) {
    fs::write(server.scratch.join(name), text).unwrap();
    server.process().signal(Signal::SIGHUP);
}

#[test]
fn exec_on_restart_runs_when_the_settings_were_read_anew() {
    let setup = Setup::new();
    let script = Script::new(&setup, "hook", "echo again >> $out/restarts");
    let lines = [
        "ExecEngine=on".to_owned(),
        script.setting("ExecOnRestart"),
        "Penalty=0".to_owned(),
    ];
    let setup = lines.iter().fold(setup, |setup, line| setup.setting(line));
    let server = setup.start();
    let restarts = || fs::read_to_string(script.file("restarts")).unwrap_or_default();
    for count in 1..3 {
        reload(&server, "ftpd.conf", &(lines.join("\n") + "\n"));
        wait::until("the program", || restarts().lines().count() == count);
    }
}

/// Who watches the events knows which settings are in use.
#[test]
fn the_event_of_a_reload_tells_what_came_of_it() {
    let hook = "limits.penalty = \"0\"\n[[hook]]\non = \"reload\"\nfile = \"{scratch}/events\"\n";
    let server = Setup::new().toml(hook.split_once('\n').unwrap().1).start();
    let path = server.scratch.join("events");
    let hook = hook.replace("{scratch}", server.scratch.path().to_str().unwrap());
    let reasons = || -> Vec<Value> {
        let events = events(&path);
        events.iter().map(|event| event["reason"].clone()).collect()
    };
    reload(&server, "ftpd.toml", &hook);
    wait::until("the first", || reasons() == ["done"]);
    reload(&server, "ftpd.toml", &format!("no-such-key = 1\n{hook}"));
    wait::until("the second", || reasons() == ["done", "refused"]);
}

/// They are those of the process that was started with them. The log says what to do, and all else is new.
#[test]
fn hooks_that_have_changed_need_a_restart() {
    let setup = Setup::new();
    let one = Script::new(&setup, "one", "touch $out/one");
    let other = Script::new(&setup, "other", "touch $out/other");
    let server = setup.setting(&one.setting("UploadHook")).start();
    let text = format!("Penalty=0\nBanner=New\n{}\n", other.setting("UploadHook"));
    reload(&server, "ftpd.conf", &text);
    server
        .log
        .line_with(&["UploadHook and other hooks: to change this needs a restart"]);
    server.log.line_with(&["settings: read anew"]);
    let mut client = tests::Client::connect_quietly(server.address());
    assert!(client.expect_reply(220).text().contains("New"));
    client.login(&server.login.name, &server.login.password);
    client.upload(Data::Epsv, "file", b"content");
    one.wait_for("one");
    assert!(!other.file("other").exists());
}
