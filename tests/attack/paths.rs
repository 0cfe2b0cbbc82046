//! Attacks on paths while they are used, by their row in our table of attacks: modes, links on the way to a root, and links
//! that come and go.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tests::scratch::give;
use tests::user::ordinary;
use tests::{Client, Data, Scratch, Setup, wait};

/// All of the mode but the kind.
fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn row_14_what_is_made_has_the_mode_that_the_umask_leaves() {
    for (umask, file, directory) in [
        ("000", 0o666, 0o777),
        ("022", 0o644, 0o755),
        ("027", 0o640, 0o750),
        ("077", 0o600, 0o700),
    ] {
        let server = Setup::new().setting(&format!("Umask={umask}")).start();
        let mut client = server.logged_in();
        client.upload(Data::Epsv, "stored", b"x");
        client.upload(Data::Epsv, "stored", b"replaced");
        client.transmit(Data::Epsv, "APPE appended", b"x");
        client.transmit(Data::Epsv, "STOU", b"x");
        client.expect("MKD made", 257);
        client.expect("XMKD made/below", 257);
        // Amid an upload: nobody sees more of the temporary file than of the file.
        let data = client.data(Data::Epsv);
        client.begin("STOR stalled");
        let data = data.open();
        data.write(b"x");
        for name in server.names() {
            let path = server.home.join(&name);
            let got = mode(&path);
            if path.is_dir() {
                assert_eq!(got, directory, "{name} under {umask}");
            } else {
                assert_eq!(got & !file, 0, "{name} under {umask} has {got:o}");
            }
        }
        drop(data);
        client.expect_reply(226);
        assert_eq!(mode(&server.home.join("made/below")), directory);
        let names = server.names();
        assert_eq!(names.len(), 5, "{names:?}");
        for name in names.iter().filter(|name| *name != "made") {
            assert_eq!(mode(&server.home.join(name)), file, "{name} under {umask}");
        }
    }
}

/// What PASS is answered for a user of the server.
fn login(server: &tests::Server, name: &str) -> (Client, u16) {
    let mut client = server.connect();
    client.expect(&format!("USER {name}"), 331);
    let code = client
        .command(&format!("PASS {}", server.login.password))
        .code;
    (client, code)
}

#[test]
fn row_18_a_link_at_any_depth_of_the_configured_root_refuses_the_login() {
    for rootless in [false, true] {
        let setup = if rootless {
            Setup::rootless()
        } else {
            Setup::new()
        };
        let top = setup.scratch().to_owned();
        fs::create_dir_all(top.join("a/b/c/d")).unwrap();
        give(&top.join("a"), ordinary().uid, ordinary().gid);
        let depths = ["a", "a/b", "a/b/c", "a/b/c/d"];
        let server = setup
            .setting("LoginFailDelay=0")
            .entry("deep", &ordinary().name, "{scratch}/a/b/c/d")
            .start();
        assert_eq!(login(&server, "deep").1, 230);
        for depth in depths {
            let (there, aside) = (top.join(depth), top.join("aside"));
            fs::rename(&there, &aside).unwrap();
            // The link leads to what was there: only that it is one is wrong with it.
            symlink(&aside, &there).unwrap();
            assert_eq!(login(&server, "deep").1, 530, "{depth}");
            fs::remove_file(&there).unwrap();
            fs::rename(&aside, &there).unwrap();
        }
        assert_eq!(login(&server, "deep").1, 230);
    }
}

/// Swaps a directory and a link for each other, over and over, while something else runs, which can see how often.
fn swapped<T>(directory: &Path, target: &Path, attack: impl FnOnce(&AtomicU64) -> T) -> T {
    let aside = directory.with_extension("aside");
    let link = directory.with_extension("link");
    symlink(target, &link).unwrap();
    let (over, swaps) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                fs::rename(directory, &aside).unwrap();
                fs::rename(&link, directory).unwrap();
                fs::rename(directory, &link).unwrap();
                fs::rename(&aside, directory).unwrap();
                swaps.fetch_add(1, Ordering::Relaxed);
            }
        });
        // Also when it panics: the scope waits for the thread.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| attack(&swaps)));
        over.store(true, Ordering::Relaxed);
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[test]
fn row_18_a_root_whose_parent_is_swapped_during_logins_is_the_right_one_or_none() {
    let setup = Setup::new();
    let top = setup.scratch().to_owned();
    for place in ["parent/root", "elsewhere/root"] {
        fs::create_dir_all(top.join(place)).unwrap();
    }
    fs::write(top.join("elsewhere/root/secret"), "").unwrap();
    give(&top.join("parent"), ordinary().uid, ordinary().gid);
    let server = setup
        .setting("LoginFailDelay=0")
        .entry("swapped", &ordinary().name, "{scratch}/parent/root")
        .start();
    let (mut served, mut refused) = (0, 0);
    swapped(&top.join("parent"), &top.join("elsewhere"), |_| {
        for _ in 0..100 {
            let (mut client, code) = login(&server, "swapped");
            match code {
                230 => {
                    client.expect("SIZE secret", 550);
                    served += 1;
                }
                other => {
                    assert_eq!(other, 530);
                    refused += 1;
                }
            }
        }
    });
    assert!(
        served > 0 && refused > 0,
        "{served} served, {refused} refused"
    );
    assert_eq!(login(&server, "swapped").1, 230);
}

/// Makes, stores and renames through a directory that is a link out of the jail half of the time: so often, and while that is
/// swapped so often, at least. Tells what came of it.
fn race(rounds: u32, swaps: u64) -> String {
    let outside = Scratch::new();
    give(outside.path(), ordinary().uid, ordinary().gid);
    let server = Setup::new().start();
    server.put("file", b"x");
    server.put_directory("swap");
    let mut client = server.logged_in();
    let (mut done, mut refused) = (0, 0);
    let (mut round, mut seen) = (0, 0);
    let mut count = |code: u16| match code {
        200..300 => done += 1,
        _ => refused += 1,
    };
    swapped(&server.home.join("swap"), outside.path(), |counted| {
        while round < rounds || seen < swaps {
            count(client.command("MKD swap/made").code);
            count(client.command("RMD swap/made").code);
            client.expect("RNFR file", 350);
            let moved = client.command("RNTO swap/moved").code;
            count(moved);
            if moved < 300 {
                // Back again, as soon as the directory is there.
                wait::until("the file is back", || {
                    client.command("RNFR swap/moved").code == 350
                        && client.command("RNTO file").code == 250
                });
            }
            let data = client.data(Data::Epsv);
            if client.command("STOR swap/stored").code < 200 {
                // The server hangs up where the directory has gone.
                let data = data.open();
                let _ = data.stream().write_all(b"content");
                drop(data);
                count(client.reply().code);
            } else {
                count(553);
            }
            let escaped = fs::read_dir(outside.path()).unwrap().next();
            assert!(escaped.is_none(), "{escaped:?}");
            round += 1;
            seen = counted.load(Ordering::Relaxed);
        }
    });
    // Both happened, or it was no race.
    assert!(done > 0 && refused > 0, "{done} done, {refused} refused");
    client.expect("QUIT", 221);
    format!("{round} rounds, {seen} swaps: {done} commands done, {refused} refused")
}

#[test]
fn row_7_a_link_that_comes_and_goes_leads_nowhere() {
    race(300, 300);
}

#[test]
#[ignore = "takes minutes: `make soak` runs it"]
fn row_7_a_link_that_comes_and_goes_a_million_times_leads_nowhere() {
    println!("{}", race(20_000, 1_000_000));
}
