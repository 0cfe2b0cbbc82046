//! A client is heard while a hook is waited for, and what programs do wrong harms nobody, whether they are waited for or not.

use std::fs;

use tests::{Client, Data, Server, Setup, wait};

use crate::scripts::Script;

/// Waits until a file is there that lets it go on.
pub(crate) const HELD: &str = "touch $out/begun; while [ ! -e $out/go ]; do sleep 0.05; done";

fn held(lines: &str) -> (Script, Server) {
    with(HELD, lines)
}

fn with(body: &str, lines: &str) -> (Script, Server) {
    let setup = Setup::new();
    let script = Script::new(&setup, "hook", body);
    let hook = format!("exec = ['{}']\n{lines}", script.path.display());
    (script, setup.hook(&hook).start())
}

/// A client whose file has come whole, and a hook has begun to look at it.
pub(crate) fn looked_at(script: &Script, server: &Server) -> Client {
    let mut client = server.logged_in();
    let data = client.data(Data::Epsv);
    client.begin("STOR file");
    data.open().write_all_and_close(b"content");
    script.wait_for("begun");
    client
}

fn go(script: &Script) {
    fs::write(script.file("go"), b"").unwrap();
}

/// STAT is answered, and ABOR noticed, before the hook has ended.
#[track_caller]
fn abort_while_it_waits(client: &mut Client, script: &Script) {
    script.wait_for("begun");
    client.send("STAT");
    client.expect_reply(211);
    assert!(!script.file("go").exists());
    client.send("ABOR");
    go(script);
    client.expect_reply(426);
    client.expect_reply(226);
    client.expect("NOOP", 200);
}

#[test]
fn abor_ends_a_command_that_waits_for_a_hook_before_it() {
    let (script, server) = held("commands = 'MKD'\nphase = 'before'\nmode = 'wait'\n");
    let mut client = server.logged_in();
    client.send("MKD directory");
    abort_while_it_waits(&mut client, &script);
    assert_eq!(server.names(), [""; 0]);
    client.expect("MKD directory", 257);
}

#[test]
fn abor_ends_a_transfer_that_waits_for_a_hook_before_it() {
    for (event, line) in [("upload", "STOR new"), ("download", "RETR file")] {
        let (script, server) = held(&format!(
            "on = '{event}'\nphase = 'before'\nmode = 'wait'\n"
        ));
        server.put("file", b"content");
        let mut client = server.logged_in();
        let data = client.data(Data::Epsv);
        client.send(line);
        abort_while_it_waits(&mut client, &script);
        drop(data);
        assert_eq!(server.names(), ["file"], "{line}");
        assert_eq!(client.download(Data::Epsv, "file"), b"content");
    }
}

/// What has been done is not undone: the client gets both replies.
#[test]
fn abor_behind_a_command_waits_for_the_hook_after_it() {
    let (script, server) = held("commands = 'MKD'\nmode = 'wait'\n");
    let mut client = server.logged_in();
    client.send("MKD directory");
    script.wait_for("begun");
    client.send("STAT");
    client.expect_reply(211);
    client.send("ABOR");
    go(&script);
    client.expect_reply(257);
    client.expect_reply(226);
    client.expect("RMD directory", 250);
}

/// A file that is looked at has come whole: ABOR comes too late for it, and ends nothing else.
#[test]
fn abor_while_a_file_is_looked_at_comes_too_late() {
    let (script, server) = held("on = 'upload'\nphase = 'accept'\n");
    let mut client = looked_at(&script, &server);
    client.expect("NOOP", 200);
    client.send("ABOR");
    client.send("SIZE file");
    go(&script);
    client.expect_reply(226);
    client.expect_reply(226);
    assert_eq!(client.expect_reply(213).text(), "7");
    client.expect("NOOP", 200);
}

/// A client that is gone does not keep the hook from its end, nor the file from its name.
#[test]
fn a_client_that_vanishes_while_a_file_is_looked_at_leaves_the_file() {
    let (script, server) = held("on = 'upload'\nphase = 'accept'\n");
    let client = looked_at(&script, &server);
    client.reset();
    go(&script);
    wait::until("the file has its name", || server.names() == ["file"]);
    wait::until("the session has ended", || server.keepers().is_empty());
}

/// What a program may do wrong.
const WRONG: [(&str, &str); 4] = [
    (
        "much output",
        "head -c 10485760 /dev/zero; head -c 10485760 /dev/zero >&2; exit 0",
    ),
    (
        "a grandchild that sleeps",
        "sleep 1000 & echo $! > $out/pid; exit 0",
    ),
    (
        "deaf to TERM",
        "trap '' TERM; touch $out/begun; while :; do sleep 0.1; done",
    ),
    ("reads nothing", "exit 0"),
];

/// The grandchild has ended, where there was one.
fn grandchild_is_gone(script: &Script) -> bool {
    let Ok(pid) = fs::read_to_string(script.file("pid")) else {
        return true;
    };
    let status = fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    status.is_err() || status.is_ok_and(|status| status.contains(") Z "))
}

/// For programs that are asked before an upload is to be seen, which get the file.
#[test]
fn a_program_that_is_asked_harms_nobody_whatever_it_does() {
    for input in ["json", "file", "none", "args"] {
        for (what, body) in WRONG {
            let (script, server) = with(
                body,
                &format!(
                    "on = 'upload'\nphase = 'accept'\ninput = '{input}'\ntimeout = '500ms'\n\
                     kill-after = '100ms'\non-failure = 'ignore'\n"
                ),
            );
            let mut client = server.logged_in();
            client.upload(Data::Epsv, "file", &[7; 1 << 20]);
            assert_eq!(server.content("file").len(), 1 << 20, "{what}");
            wait::until(what, || grandchild_is_gone(&script));
            client.expect("NOOP", 200);
        }
    }
}

/// For programs as sinks of all events, which get JSON: sessions go on, others get their events, and the server ends.
#[test]
fn a_program_that_gets_events_harms_nobody_whatever_it_does() {
    for (what, body) in WRONG {
        let setup = Setup::new();
        let script = Script::new(&setup, "hook", body);
        let mut server = setup
            .toml(&format!(
                "[[hook]]\non = 'all'\nexec = ['{}']\ntimeout = '500ms'\nkill-after = '100ms'\n\
                 [[hook]]\non = 'all'\nfile = '{{scratch}}/events'\n",
                script.path.display()
            ))
            .start();
        let mut client = server.logged_in();
        for number in 0..5 {
            client.upload(Data::Epsv, &format!("file{number}"), b"content");
        }
        client.expect("QUIT", 221);
        let path = server.scratch.join("events");
        let uploads = || {
            let text = fs::read_to_string(&path).unwrap_or_default();
            text.matches("\"event\":\"upload\"").count()
        };
        wait::until(what, || uploads() == 5 && grandchild_is_gone(&script));
        server.process().signal(nix::sys::signal::Signal::SIGTERM);
        server.wait();
        wait::until(what, || grandchild_is_gone(&script));
    }
}
