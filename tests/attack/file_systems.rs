//! Jails that are on other file systems, and that other file systems are mounted in. Row 13 of our table of attacks: those
//! of the kernel are never served.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::fs;

use tests::mounts::{self, Mounted};
use tests::scratch::give;
use tests::user::ordinary;
use tests::{Client, Data, Server, Setup};

const JAILS: [&str; 4] = ["home", "share", "chroot", "none"];

/// A server with the home on a tmpfs, as are the files of a bind mount in it; the kernel's /proc is bound there too.
/// Mounts go before the server's directory does.
struct Site {
    _mounts: [Mounted; 3],
    server: Server,
}

impl Site {
    fn start(setup: Setup, jail: &str) -> Site {
        let top = setup.scratch().to_owned();
        let words = top.to_str().unwrap();
        let home = match jail {
            "home" | "none" | "share" => top.join("home"),
            // The home is looked up inside.
            _ => top.join(format!("jail{words}/home")),
        };
        let disk = match jail {
            "chroot" => top.join("jail"),
            _ => home.clone(),
        };
        let tmpfs = Mounted::tmpfs(&disk, "size=4m");
        let bound = top.join("bound");
        fs::create_dir_all(&bound).unwrap();
        fs::create_dir_all(&home).unwrap();
        fs::write(bound.join("file"), "bound").unwrap();
        let user = ordinary();
        give(&bound, user.uid, user.gid);
        give(&disk, user.uid, user.gid);
        let bind = Mounted::bind(&bound, &home.join("mount"));
        let setup = match jail {
            "home" => setup.jail(&["-chhome"]),
            "share" => setup.jail(&["-chshare", words]),
            "chroot" => setup.jail(&["-chroot", top.join("jail").to_str().unwrap()]),
            _ => setup.jail(&[]),
        };
        let server = setup.start();
        let proc = Mounted::proc(&home.join("proc"));
        Site {
            _mounts: [proc, bind, tmpfs],
            server,
        }
    }
}

/// What every user does, above and below the mount point.
fn assert_served(client: &mut Client) {
    for directory in ["", "mount/"] {
        let path = |name: &str| format!("{directory}{name}");
        client.upload(Data::Epsv, &path("new"), b"content");
        assert_eq!(client.download(Data::Epsv, &path("new")), b"content");
        client.expect(&format!("MKD {}", path("made")), 257);
        client.expect(&format!("RNFR {}", path("new")), 350);
        client.expect(&format!("RNTO {}", path("made/moved")), 250);
        client.expect(&format!("SIZE {}", path("made/moved")), 213);
        client.receive(Data::Epsv, &format!("LIST {}", path("made")));
        client.expect(&format!("DELE {}", path("made/moved")), 250);
        client.expect(&format!("RMD {}", path("made")), 250);
    }
    assert_eq!(client.download(Data::Epsv, "mount/file"), b"bound");
    // A file system ends where another one begins: nothing is renamed across, and nothing is lost by the attempt.
    client.expect("RNFR mount/file", 350);
    let reply = client.command("RNTO file");
    assert!(reply.code >= 500, "{reply}");
    assert_eq!(client.download(Data::Epsv, "mount/file"), b"bound");
    client.expect("SIZE file", 550);
}

/// The kernel's own files, by every way to read, to look and to write.
fn assert_not_served(client: &mut Client) {
    for line in [
        "CWD proc",
        "CWD proc/self",
        "CWD proc/self/root",
        "SIZE proc/version",
        "MDTM proc/version",
        "RETR proc/version",
        "RETR proc/self/environ",
        "RETR proc/self/fd/0",
        "RETR proc/self/root/etc/passwd",
        "STOR proc/self/comm",
        "APPE proc/self/comm",
        "DELE proc/self/comm",
        "MKD proc/new",
    ] {
        if line.starts_with("RETR") || line.starts_with("STOR") || line.starts_with("APPE") {
            client.passive_address(Data::Epsv);
        }
        let reply = client.command(line);
        assert!((500..600).contains(&reply.code), "to {line}: {reply}");
    }
    // Whoever mounted it uses it.
    client.expect("RMD proc", 450);
}

fn assert_jail(setup: Setup, jail: &str) {
    let site = Site::start(setup, jail);
    let mut client = site.server.logged_in();
    if jail == "none" || jail == "share" {
        let home = site.server.home.to_str().unwrap();
        let below = home.strip_prefix(site.server.scratch.path().to_str().unwrap());
        let start = if jail == "none" { home } else { below.unwrap() };
        let reply = client.expect("PWD", 257);
        assert!(reply.text().contains(&format!("\"{start}\"")), "{reply}");
    }
    assert_served(&mut client);
    assert_not_served(&mut client);
    client.expect("QUIT", 221);
}

#[test]
fn row_13_a_jail_may_be_on_any_file_system_but_those_of_the_kernel() {
    if !mounts::private() {
        return;
    }
    for jail in JAILS {
        assert_jail(Setup::new(), jail);
    }
}

#[test]
fn row_13_so_it_is_without_root() {
    if !mounts::private() {
        return;
    }
    for jail in ["home", "share", "none"] {
        assert_jail(Setup::rootless(), jail);
    }
}

#[test]
fn row_13_a_file_system_of_the_kernel_is_no_jail() {
    if !mounts::private() {
        return;
    }
    let setup = Setup::new();
    let server = setup
        .entry("inside", &ordinary().name, "{scratch}/jail")
        .start();
    let _proc = Mounted::proc(&server.scratch.join("jail"));
    let mut client = server.connect();
    client.expect("USER inside", 331);
    client.expect(&format!("PASS {}", server.login.password), 530);
}
