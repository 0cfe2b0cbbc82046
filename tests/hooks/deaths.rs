//! F12: hookd dies, and hooks go on.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;
use tests::processes::Process;
use tests::{Data, Server, Setup, require, wait};

use crate::events::events;
use crate::scripts::Script;

/// The process that runs hooks: once all have logged in, the one child of the daemon that is still root.
pub(crate) fn hookd(server: &Server) -> Process {
    let listener = server.process();
    let mut found = Vec::new();
    wait::until("there is one hookd", || {
        found = listener.children();
        let is_root = |child: &Process| {
            let uid = std::fs::read_to_string(format!("/proc/{}/status", child.pid));
            uid.is_ok_and(|status| status.contains("\nUid:\t0\t"))
        };
        found.retain(is_root);
        found.len() == 1
    });
    found.remove(0)
}

/// The keeper of the only session, which has logged in: it is its user by now.
pub(crate) fn keeper(server: &Server) -> Process {
    let listener = server.process();
    let mut found = listener.children();
    found.retain(|child| !server.servants.contains(child));
    found.retain(|child| child.numbers("Uid").first() != Some(&0));
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn lines(path: &std::path::Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn f12_another_hookd_takes_over_the_sessions() {
    if !require::root() {
        return;
    }
    let setup = Setup::new();
    let script = Script::new(&setup, "hook", "echo \"${1##*/}\" >> $out/uploads");
    let logout = Script::new(&setup, "logout", "echo \"$1\" >> $out/logouts");
    let server = setup
        .setting(&script.setting("UploadHook"))
        .setting(&logout.setting("LogoffHook"))
        .start();
    let mut client = server.logged_in();
    client.upload(Data::Epsv, "one", b"content");
    let uploads = script.file("uploads");
    wait::until("the first", || uploads.exists());
    hookd(&server).signal(Signal::SIGKILL);
    server.log.line_with(&["hookd has died"]);
    client.upload(Data::Epsv, "two", b"content");
    wait::until("the second", || {
        // The first may be told again, if its end was not heard any more.
        lines(&uploads).contains(&"two".to_owned())
    });
    client.expect("QUIT", 221);
    let logouts = logout.file("logouts");
    wait::until("the logout", || logouts.exists());
}

/// What was read and is not done when hookd dies is done by the next one, under the same id.
#[test]
fn f12_an_event_whose_program_died_with_hookd_is_delivered_again() {
    if !require::root() {
        return;
    }
    let setup = Setup::new();
    let body =
        "echo $1 >> $out/begun; while [ ! -e $out/go ]; do sleep 0.05; done; echo $1 >> $out/done";
    let script = Script::new(&setup, "hook", body);
    let exec = script.path.display();
    let server = setup
        .toml(&format!(
            "[[hook]]\non = [\"mkdir\"]\nexec = [\"{exec}\", \"%{{id}}\"]\n\
             [[hook]]\non = [\"mkdir\"]\nfile = \"{{scratch}}/events\""
        ))
        .start();
    let mut client = server.logged_in();
    client.expect("MKD one", 257);
    let (begun, done) = (script.file("begun"), script.file("done"));
    wait::until("it has begun", || lines(&begun).len() == 1);
    hookd(&server).signal(Signal::SIGKILL);
    wait::until("it has begun again", || lines(&begun).len() == 2);
    std::fs::write(script.file("go"), b"").unwrap();
    wait::until("it is done", || !lines(&done).is_empty());
    assert_eq!(lines(&done)[0], lines(&begun)[0]);
    assert_eq!(lines(&begun)[0], lines(&begun)[1]);
    // What follows is not told under its id.
    client.expect("MKD two", 257);
    let ids = || lines(&done).into_iter().collect::<BTreeSet<String>>();
    wait::until("the second", || ids().len() == 2);
    hookd(&server).signal(Signal::SIGKILL);
    server.log.line_with(&["hookd has died (2 so far)"]);
    client.expect("MKD three", 257);
    wait::until("the third", || ids().len() == 3);
}

/// The listener waits for nobody: whom it cannot introduce now it introduces later, and others come in. A login waits, so that it is
/// told with its user.
#[test]
fn f12_a_hookd_that_stands_still_keeps_nobody_out() {
    let server = Setup::new()
        .hook("on = [\"connect\", \"login\"]\nfile = \"{scratch}/events\"")
        .start();
    let hookd = hookd(&server);
    hookd.signal(Signal::SIGSTOP);
    // More than the door holds.
    let visitors = 400;
    for _ in 0..visitors {
        let mut visitor = server.connect();
        visitor.expect("QUIT", 221);
        visitor.expect_end();
    }
    let mut client = server.connect();
    client.expect(&format!("USER {}", server.login.name), 331);
    client.send(&format!("PASS {}", server.login.password));
    server.connect().expect("NOOP", 200);
    hookd.signal(Signal::SIGCONT);
    client.expect_reply(230);
    let path = server.scratch.join("events");
    wait::until("all events", || events(&path).len() == visitors + 3);
    let events = events(&path);
    let login = events.iter().find(|event| event["event"] == "login");
    assert_eq!(login.unwrap()["login"], server.login.name.as_str());
}

/// A session that ends while there is no hookd gives its ends all the same.
#[test]
fn f12_the_ends_of_a_session_are_told_by_the_next_hookd() {
    if !require::root() {
        return;
    }
    let setup = Setup::new();
    let down = Script::new(&setup, "down", "echo \"$4\" >> $out/down");
    let logout = Script::new(&setup, "logout", "echo \"$1\" >> $out/logout");
    let server = setup
        .setting(&down.setting("ConnectDownHook"))
        .setting(&logout.setting("LogoffHook"))
        .start();
    let mut client = server.logged_in();
    let address = client.passive_address(Data::Epsv);
    let hookd = hookd(&server);
    let keeper = keeper(&server);
    // Nobody starts another hookd for now.
    let listener = server.process();
    listener.signal(Signal::SIGSTOP);
    hookd.signal(Signal::SIGKILL);
    hookd.wait_for_end();
    client.reset();
    keeper.wait_for_end();
    listener.signal(Signal::SIGCONT);
    let down = down.file("down");
    wait::until("the end of the data connection", || {
        lines(&down) == [address.port().to_string()]
    });
    let logout = logout.file("logout");
    wait::until("the logout", || {
        lines(&logout) == [server.login.name.as_str()]
    });
}
