//! The directory that keeps events of uploads, when it is full or not to be had, and hooks under inetd.

use tests::mounts::{self, Mounted};
use tests::{Data, Server, Setup, wait};

use crate::events::events;
use crate::scripts::Script;

/// A server whose spool is a file system without room.
fn with_full_spool(what: &str) -> (Server, Mounted) {
    let setup = Setup::new();
    let path = setup.scratch().join("spool");
    let mounted = Mounted::tmpfs(&path, "size=16k,mode=0700");
    let server = setup
        .toml(&format!(
            "hooks.spool = \"{{scratch}}/spool\"\nhooks.spool-full = \"{what}\"\n\
             [[hook]]\non = [\"upload\"]\nfile = \"{{scratch}}/events\"\n"
        ))
        .start();
    let ballast = path.join("ballast");
    let mut file = std::fs::File::create(ballast).unwrap();
    while std::io::Write::write_all(&mut file, &[1; 4096]).is_ok() {}
    (server, mounted)
}

#[test]
fn a_full_spool_refuses_the_upload_and_leaves_what_was_there() {
    if !mounts::private() {
        return;
    }
    let (server, _mounted) = with_full_spool("refuse");
    server.put("file", b"old");
    let mut client = server.logged_in();
    let data = client.data(Data::Epsv);
    client.begin("STOR file");
    data.open().write_all_and_close(b"new content");
    client.expect_reply(452);
    server
        .log
        .line_with(&["cannot be spooled", "No space left", "refused"]);
    assert_eq!(server.content("file"), b"old");
    assert_eq!(server.names(), ["file"]);
    std::fs::remove_file(server.scratch.join("spool/ballast")).unwrap();
    client.upload(Data::Epsv, "file", b"new content");
    let path = server.scratch.join("events");
    wait::until("the event", || !events(&path).is_empty());
    assert_eq!(events(&path).len(), 1);
}

#[test]
fn a_full_spool_may_be_passed_over() {
    if !mounts::private() {
        return;
    }
    let (server, _mounted) = with_full_spool("accept");
    server.logged_in().upload(Data::Epsv, "file", b"content");
    server.log.line_with(&["cannot be spooled", "accepted"]);
    let path = server.scratch.join("events");
    wait::until("the event", || !events(&path).is_empty());
}

/// Under inetd there is no daemon: hookd is forked for the one session, and outlives it until all is done.
#[test]
fn hooks_run_for_the_one_session_of_inetd() {
    for setup in [Setup::new(), Setup::rootless()] {
        let down = Script::new(&setup, "down", "echo \"$*\" >> $out/down");
        let logout = Script::new(&setup, "logout", "sleep 0.2; echo out >> $out/logout");
        let (exec, late) = (down.path.display(), logout.path.display());
        let setup = setup.toml(&format!(
            "[[hook]]\non = [\"connect\", \"login\", \"upload\", \"logout\"]\nfile = \"{{scratch}}/events\"\n\
             [[hook]]\non = [\"data_down\"]\nmode = \"wait\"\nexec = [\"{exec}\", \"%{{connection}}\"]\n\
             [[hook]]\non = [\"logout\"]\nexec = [\"{late}\"]\n"
        ));
        let (mut server, mut client) = setup.inetd_for_client();
        client.login(&server.login.name, &server.login.password);
        client.upload(Data::Epsv, "file", b"content");
        assert_eq!(
            std::fs::read_to_string(down.file("down")).unwrap(),
            "FromClient\n"
        );
        client.expect("QUIT", 221);
        client.expect_end();
        assert!(server.wait().success());
        let path = server.scratch.join("events");
        wait::until("the logout", || events(&path).len() == 4);
        let kinds: Vec<_> = events(&path)
            .iter()
            .map(|event| event["event"].clone())
            .collect();
        assert_eq!(kinds, ["connect", "login", "upload", "logout"]);
        let logout = logout.file("logout");
        wait::until("the last program", || logout.exists());
    }
}

#[test]
fn a_spool_that_others_may_write_is_refused_at_start() {
    let setup = Setup::new();
    let spool = setup.scratch().join("spool");
    std::fs::create_dir(&spool).unwrap();
    tests::scratch::mode(&spool, 0o777);
    let line = setup
        .toml("hooks.spool = \"{scratch}/spool\"\n[[hook]]\non = [\"upload\"]\nfile = \"{scratch}/events\"")
        .refused("EventSpool");
    assert!(line.contains("nobody else may write it"), "{line}");
}
