//! Locks between sessions: warned, refused, and gone with whatever dies.

use nix::sys::signal::Signal;
use tests::{Client, Data, Server, Setup, wait};

/// Begins an upload in place and keeps it going.
fn writing(client: &mut Client) -> tests::DataConnection {
    let data = client.data(Data::Epsv);
    client.begin("APPE file");
    data.open()
}

fn locking(flag: &str) -> Server {
    let server = Setup::new().flag(&[flag]).start();
    server.put("file", b"text");
    server
}

#[test]
fn advisory_locks_warn() {
    let server = locking("-alocks");
    let mut writer = server.logged_in();
    let _running = writing(&mut writer);
    let mut other = server.logged_in();
    for (line, content) in [("RETR file", true), ("STOR file", false)] {
        let data = other.data(Data::Epsv);
        let mark = other.command(line);
        assert_eq!(mark.code, 150);
        assert!(mark.to_string().contains("locked"), "{mark}");
        let data = data.open();
        if content {
            assert_eq!(data.read_all(), b"text");
        } else {
            data.write_all_and_close(b"other");
        }
        other.expect_reply(226);
    }
    assert_eq!(server.content("file"), b"other");
}

#[test]
fn mandatory_locks_refuse() {
    for (flag, read) in [("-mlocks", 450), ("-malocks", 150)] {
        let server = locking(flag);
        let mut writer = server.logged_in();
        let _running = writing(&mut writer);
        let mut other = server.logged_in();
        let _data = other.data(Data::Epsv);
        other.expect("STOR file", 450);
        other.expect("APPE file", 450);
        other.expect("REST 1", 350);
        other.expect("STOR file", 450);
        assert_eq!(server.content("file"), b"text", "{flag}");
        other.expect("RETR file", read);
    }
}

#[test]
fn a_lock_ends_with_what_dies() {
    for victim in ["client", "session", "keeper"] {
        let server = locking("-mlocks");
        let mut writer = server.logged_in();
        let running = writing(&mut writer);
        let keeper = server.only_keeper();
        let mut other = server.logged_in();
        let _data = other.data(Data::Epsv);
        other.expect("RETR file", 450);
        match victim {
            "client" => {
                drop((running, writer));
                keeper.wait_for_end();
            }
            "session" => keeper.only_child().signal(Signal::SIGKILL),
            _ => keeper.signal(Signal::SIGKILL),
        }
        wait::until("the lock is free", || {
            let reply = other.command("APPE file");
            if reply.code == 150 {
                return true;
            }
            assert_eq!(reply.code, 450, "{victim}: {reply}");
            false
        });
    }
}
