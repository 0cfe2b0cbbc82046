//! Listings as clients ask for them: order, depth, patterns, odd names and kinds of files, and listings that are cut.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use nix::sys::stat::Mode;
use tests::{Client, Data, Server, Setup};

fn lines(client: &mut Client, line: &str) -> Vec<String> {
    let octets = client.receive(Data::Epsv, line);
    let text = String::from_utf8_lossy(&octets).into_owned();
    assert!(
        text.is_empty() || text.ends_with("\r\n"),
        "{line}: {text:?}"
    );
    text.lines().map(str::to_owned).collect()
}

/// The last words of the lines of a LIST: the names, which hold no blanks here.
fn names(client: &mut Client, line: &str) -> Vec<String> {
    lines(client, line)
        .iter()
        .map(|line| line.rsplit(' ').next().unwrap().to_owned())
        .collect()
}

/// Three files whose names, times and sizes are in three different orders.
fn with_three_files() -> Server {
    let server = Server::start();
    for (name, size, age) in [("a", 20, 30), ("b", 30, 10), ("c", 10, 20)] {
        let path = server.put(name, &vec![b'x'; size]);
        let time = SystemTime::now() - Duration::from_secs(age * 60);
        fs::File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(time)
            .unwrap();
    }
    server
}

#[test]
fn entries_come_in_the_order_that_is_asked_for() {
    let server = with_three_files();
    let mut client = server.logged_in();
    for (line, order) in [
        ("LIST -t", "b c a"),
        ("LIST -rt", "a c b"),
        ("LIST -S", "b a c"),
        ("LIST -l -S -r", "c a b"),
        ("NLST -t", "b c a"),
        ("NLST -r", "c b a"),
    ] {
        assert_eq!(names(&mut client, line).join(" "), order, "{line}");
    }
    let sorted = Setup::new().setting("ListOrder=name").start();
    for name in ["c", "a", "b"] {
        sorted.put(name, b"");
    }
    assert_eq!(names(&mut sorted.logged_in(), "LIST").join(" "), "a b c");
}

#[test]
fn options_may_be_apart_together_or_unknown() {
    let server = with_three_files();
    server.put(".hidden", b"");
    server.put_directory("dir");
    let mut client = server.logged_in();
    assert_eq!(names(&mut client, "LIST -alt").len(), 5);
    assert_eq!(names(&mut client, "LIST -a -l").len(), 5);
    assert_eq!(names(&mut client, "LIST -lXZ").len(), 4);
    assert_eq!(names(&mut client, "LIST -d dir"), ["dir"]);
    assert_eq!(names(&mut client, "NLST -a").len(), 5);
    assert!(lines(&mut client, "NLST -l a")[0].starts_with("-rw"));
    assert_eq!(names(&mut client, "LIST -la ").len(), 5);
}

#[test]
fn directories_below_are_listed_as_deep_as_the_setting_says() {
    let server = Setup::new().setting("ListDepth=2").start();
    server.put("one/two/three/file", b"");
    let mut client = server.logged_in();
    let data = client.data(Data::Epsv);
    client.begin("LIST -R");
    let text = String::from_utf8(data.open().read_all()).unwrap();
    // What was cut is never said to be whole.
    client.expect_reply(451);
    assert!(text.contains("two") && !text.contains("file"), "{text}");
    let server = Server::start();
    server.put("one/two/three/file", b"");
    let text = lines(&mut server.logged_in(), "LIST -R").join("\n");
    assert!(text.contains("file"), "{text}");
}

#[test]
fn a_listing_that_is_too_long_says_so() {
    let server = Setup::new().setting("ListEntries=10").start();
    for number in 0..20 {
        server.put(&format!("dir/file{number}"), b"");
    }
    let mut client = server.logged_in();
    let data = client.data(Data::Epsv);
    client.begin("LIST -R");
    data.open().read_all();
    client.expect_reply(451);
    // One directory alone is listed whole.
    assert_eq!(names(&mut client, "LIST dir").len(), 20);
}

#[test]
fn every_kind_of_file_is_shown_as_what_it_is() {
    let server = Server::start();
    server.put("plain", b"x");
    server.put_directory("directory");
    symlink("plain", server.home.join("link")).unwrap();
    nix::unistd::mkfifo(&server.home.join("pipe"), Mode::from_bits_truncate(0o600)).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(server.home.join("socket")).unwrap();
    let mut client = server.logged_in();
    let found = lines(&mut client, "LIST");
    for (kind, name) in [
        ('-', "plain"),
        ('d', "directory"),
        ('p', "pipe"),
        ('s', "socket"),
    ] {
        assert!(
            found
                .iter()
                .any(|line| line.starts_with(kind) && line.ends_with(&format!(" {name}"))),
            "{name}: {found:?}"
        );
    }
    assert!(
        found
            .iter()
            .any(|line| line.starts_with('l') && line.ends_with(" link -> plain")),
        "{found:?}"
    );
}

#[test]
fn patterns_reach_into_directories() {
    let server = Server::start();
    for name in ["x/a.txt", "x/b.dat", "y/c.txt", "top.txt"] {
        server.put(name, b"");
    }
    let mut client = server.logged_in();
    let mut found = lines(&mut client, "NLST */*.txt");
    found.sort();
    assert_eq!(found, ["x/a.txt", "y/c.txt"]);
    assert_eq!(lines(&mut client, "NLST *.tx?"), ["top.txt"]);
    assert_eq!(lines(&mut client, "NLST x/[!a]*"), ["x/b.dat"]);
    let data = client.data(Data::Epsv);
    let part = "a".repeat(150);
    client.expect(&format!("NLST *{part}/*{part}"), 501);
    drop(data);
}

#[test]
fn blanks_before_a_name_are_the_names_where_it_is_there() {
    let server = Server::start();
    server.put(" lead", b"");
    server.put("plain", b"");
    let mut client = server.logged_in();
    assert_eq!(lines(&mut client, "NLST  lead"), [" lead"]);
    assert_eq!(lines(&mut client, "NLST  plain"), ["plain"]);
}

#[test]
fn a_listing_without_a_data_connection_leaves_nothing_behind() {
    let server = with_three_files();
    let mut client = server.logged_in();
    let keeper = server.only_keeper();
    let before = keeper.descriptors().len();
    for _ in 0..20 {
        client.expect("LIST", 425);
    }
    assert_eq!(keeper.descriptors().len(), before);
    assert_eq!(names(&mut client, "LIST").len(), 3);
}

#[test]
fn every_octet_in_a_name_makes_one_line_in_each_listing() {
    let server = Server::start();
    let mut expected = 0;
    for octet in (1..=255u8).filter(|&octet| octet != b'/') {
        let name = [b"n", &[octet][..], b"m"].concat();
        fs::write(server.home.join(OsStr::from_bytes(&name)), "").unwrap();
        expected += 1;
    }
    let mut client = server.logged_in();
    for line in ["LIST", "NLST", "MLSD"] {
        let octets = client.receive(Data::Epsv, line);
        let found = octets
            .split(|&b| b == b'\n')
            .filter(|line| !line.is_empty());
        let entries =
            found.filter(|line| !line.starts_with(b"type=cdir") && !line.starts_with(b"type=pdir"));
        assert_eq!(entries.count(), expected, "{line}");
    }
}

#[test]
fn a_large_directory_takes_no_more_memory_than_a_small_one() {
    let server = Server::start();
    let peak = |count: usize| {
        let directory = format!("with{count}");
        server.put_directory(&directory);
        for number in 0..count {
            fs::File::create(
                server
                    .home
                    .join(&directory)
                    .join(format!("file number {number}")),
            )
            .unwrap();
        }
        let mut client = server.logged_in();
        let keeper = server.only_keeper();
        for line in ["LIST", "NLST", "MLSD"] {
            let octets = client.receive(Data::Epsv, &format!("{line} {directory}"));
            let found = octets
                .split(|&b| b == b'\n')
                .filter(|line| !line.is_empty())
                .count();
            assert!(found >= count, "{line}: {found} of {count}");
        }
        let peak: u64 = keeper.status()["VmHWM"]
            .split(' ')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        client.expect("QUIT", 221);
        keeper.wait_for_end();
        peak
    };
    let (small, large) = (peak(1000), peak(100_000));
    assert!(
        large < small + 1024,
        "{small} KiB for 1,000 entries, {large} KiB for 100,000"
    );
}
