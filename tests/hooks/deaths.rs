//! F12: hookd dies, and hooks go on.

use nix::sys::signal::Signal;
use tests::processes::Process;
use tests::{Data, Server, Setup, require, wait};

use crate::scripts::Script;

/// The process that runs hooks: once all have logged in, the one child of the daemon that is still root.
fn hookd(server: &Server) -> Process {
    let mut children = server.process().children();
    children.retain(|child| child.numbers("Uid").first() == Some(&0));
    assert_eq!(children.len(), 1, "{children:?}");
    children.remove(0)
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
        std::fs::read_to_string(&uploads).unwrap() == "one\ntwo\n"
    });
    client.expect("QUIT", 221);
    let logouts = logout.file("logouts");
    wait::until("the logout", || logouts.exists());
}
