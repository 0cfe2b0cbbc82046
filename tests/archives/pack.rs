//! RETR with STRU T.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::sys::stat::Mode;
use tests::{Client, Data, Reply, Scratch, Server, Setup, require, tree};

use crate::programs;

/// The archive that a command gives, and the reply behind it.
#[track_caller]
fn archive(client: &mut Client, line: &str) -> (Vec<u8>, Reply) {
    let data = client.data(Data::Epsv);
    client.begin(line);
    let archive = data.open().read_all();
    (archive, client.reply())
}

fn packing(server: &Server) -> Client {
    let mut client = server.logged_in();
    client.expect("STRU T", 200);
    client
}

/// The names in an archive, in its order.
#[track_caller]
fn names(archive: &[u8]) -> Vec<String> {
    let listed = programs::feed("tar", &["-tf", "-"], Path::new("/"), archive);
    let listed = String::from_utf8(listed).unwrap();
    listed.lines().map(str::to_owned).collect()
}

fn age(path: &Path, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let file = fs::File::open(path).unwrap();
    file.set_modified(time).unwrap();
}

#[test]
fn other_programs_read_a_whole_tree() {
    for setup in [Setup::new(), Setup::rootless()] {
        a_whole_tree(&setup.start());
    }
}

fn a_whole_tree(server: &Server) {
    let sample = server.home.join("tree");
    fs::create_dir(&sample).unwrap();
    tree::sample(&sample);
    let long = sample.join("n".repeat(255)).join("m".repeat(255));
    fs::create_dir_all(&long).unwrap();
    fs::write(long.join("k".repeat(255)), "far down").unwrap();
    fs::write(
        sample.join(OsStr::from_bytes(b"not UTF-8 \xff\xfe")),
        "bytes",
    )
    .unwrap();
    fs::write(sample.join("two\nlines"), "newline").unwrap();
    fs::write(sample.join("back\\slash"), "backslash").unwrap();
    fs::set_permissions(sample.join("empty"), fs::Permissions::from_mode(0o4755)).unwrap();
    age(&sample.join("empty"), 86_400);
    symlink("empty", sample.join("link")).unwrap();
    symlink("x".repeat(300), sample.join("long link")).unwrap();
    nix::unistd::mkfifo(&sample.join("pipe"), Mode::S_IRUSR).unwrap();
    server.put("tree/owned", b"");
    let mut client = packing(server);
    let (archive, reply) = archive(&mut client, "RETR tree");
    assert_eq!(reply.code, 226, "{reply}");
    assert_eq!(archive.len() % 512, 0);
    for program in programs::all() {
        let scratch = Scratch::new();
        programs::unpack(program, scratch.path(), &archive);
        let got = scratch.join("tree");
        fs::remove_file(sample.join("pipe")).ok();
        // Neither program gives a link that leads nowhere for a file.
        for link in ["link", "long link"] {
            let target = |root: &Path| fs::read_link(root.join(link)).unwrap();
            assert_eq!(target(&got), target(&sample));
            fs::remove_file(got.join(link)).unwrap();
        }
        let without_links = Scratch::new();
        let copied = std::process::Command::new("cp")
            .args(["-a", sample.to_str().unwrap()])
            .arg(without_links.path())
            .status();
        assert!(copied.unwrap().success());
        let expected = without_links.join("tree");
        for link in ["link", "long link"] {
            fs::remove_file(expected.join(link)).unwrap();
        }
        tree::assert_same(&expected, &got);
        for file in tree::files(&expected) {
            let stat = |root: &Path| fs::metadata(root.join(&file)).unwrap();
            let (expected, got) = (stat(&expected), stat(&got));
            assert_eq!(expected.mtime(), got.mtime(), "{}", file.display());
            assert_eq!(
                expected.mode() & 0o777,
                got.mode() & 0o7777,
                "{}",
                file.display()
            );
        }
    }
}

#[test]
fn entries_are_sorted_and_links_left_out_where_that_is_set() {
    if !require::programs(&["tar"]) {
        return;
    }
    let server = Setup::new()
        .account("skipper", "plain", "ArchiveLinks=skip")
        .start();
    for name in ["b/2", "b/1", "b.txt", "a", "c/.hidden", "c/x"] {
        server.put(&format!("tree/{name}"), b"content");
    }
    symlink("a", server.home.join("tree/link")).unwrap();
    let mut client = packing(&server);
    let (octets, _) = archive(&mut client, "RETR tree");
    let all = [
        "tree/",
        "tree/a",
        "tree/b/",
        "tree/b/1",
        "tree/b/2",
        "tree/b.txt",
        "tree/c/",
        "tree/c/.hidden",
        "tree/c/x",
        "tree/link",
    ];
    assert_eq!(names(&octets), all);
    let mut client = server.connect();
    client.login("skipper", "correct horse");
    client.expect("STRU T", 200);
    let (octets, _) = archive(&mut client, "RETR tree");
    assert_eq!(names(&octets), all[..9]);
}

#[test]
fn names_patterns_and_several_of_them() {
    if !require::programs(&["tar"]) {
        return;
    }
    let server = Server::start();
    for name in [
        "one.txt",
        "two.txt",
        "sub/three.txt",
        "sub/.dot.txt",
        "two words",
        "sub/deep/x",
    ] {
        server.put(name, b"content");
    }
    symlink("sub", server.home.join("link")).unwrap();
    let mut client = packing(&server);
    for (line, expected) in [
        ("RETR one.txt", "one.txt"),
        ("RETR *.txt", "one.txt|two.txt"),
        ("RETR sub/*.txt", "sub/three.txt"),
        ("RETR two words", "two words"),
        ("RETR \"two words\" one.txt", "two words|one.txt"),
        (
            "RETR two.txt s*",
            "two.txt|sub/|sub/.dot.txt|sub/deep/|sub/deep/x|sub/three.txt",
        ),
        ("RETR */*/x", "sub/deep/x"),
        // The links of a tree are links; what is named is what it leads to.
        ("RETR l*", "link"),
        ("RETR link/deep", "link/deep/|link/deep/x"),
        // Names in an archive lead nowhere but down.
        ("RETR /sub/deep", "sub/deep/|sub/deep/x"),
        ("RETR ../../sub/./deep", "sub/deep/|sub/deep/x"),
        ("RETR sub/deep/.", "sub/deep/|sub/deep/x"),
    ] {
        let (octets, reply) = archive(&mut client, line);
        assert_eq!(
            (reply.code, names(&octets).join("|").as_str()),
            (226, expected),
            "{line}"
        );
    }
    client.expect("CWD sub/deep", 250);
    for (line, expected) in [("RETR .", "x"), ("RETR ../*.txt", "three.txt")] {
        let (octets, _) = archive(&mut client, line);
        assert_eq!(names(&octets).join("|"), expected, "{line}");
    }
    for (line, code) in [
        ("RETR nothing", 550),
        ("RETR *.nothing", 550),
        ("RETR x nothing", 550),
        ("RETR x \"nothing", 501),
    ] {
        client.data(Data::Epsv);
        client.expect(line, code);
    }
    // One that finds nothing among others is told at the end.
    for line in ["RETR x *.nothing", "RETR *.nothing x"] {
        let (octets, reply) = archive(&mut client, line);
        assert_eq!(reply.code, 451, "{reply}");
        assert!(reply.text().contains("*.nothing: No such file"), "{reply}");
        assert_eq!(names(&octets), ["x"]);
    }
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_there() {
    if !(require::root() && require::programs(&["tar"])) {
        return;
    }
    let server = Server::start();
    for name in ["tree/a", "tree/closed/x", "tree/secret", "tree/z"] {
        server.put(name, b"content");
    }
    for (name, mode) in [("tree/closed", 0o000), ("tree/secret", 0o000)] {
        fs::set_permissions(server.home.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    let mut client = packing(&server);
    let (octets, reply) = archive(&mut client, "RETR tree");
    assert_eq!(reply.code, 451, "{reply}");
    assert!(reply.text().contains("3 entries, without 2."), "{reply}");
    assert!(
        reply.text().contains("tree/closed: Permission denied"),
        "{reply}"
    );
    assert_eq!(names(&octets), ["tree/", "tree/a", "tree/z"]);
    client.data(Data::Epsv);
    client.expect("RETR tree/secret", 550);
}

#[test]
fn a_file_that_changes_while_it_is_read_keeps_the_size_of_its_header() {
    if !require::programs(&["tar"]) {
        return;
    }
    let server = Server::start();
    // More than all buffers on the way hold.
    let size = 64 << 20;
    for (change, code, text) in [(size / 2, 451, "shorter"), (size + 10_000, 226, "grew")] {
        let path = server.put("tree/changing", &[]);
        let file = fs::OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(size).unwrap();
        server.put("tree/later", b"content");
        let mut client = packing(&server);
        let data = client.data(Data::Epsv);
        client.begin("RETR tree");
        let data = data.open();
        let first = data.read_some(4096);
        file.set_len(change).unwrap();
        let rest = data.read_all();
        let reply = client.expect_reply(code);
        assert!(reply.text().contains(text), "{reply}");
        assert!(reply.text().contains("tree/changing"), "{reply}");
        let octets = [first, rest].concat();
        assert_eq!(names(&octets), ["tree/", "tree/changing", "tree/later"]);
    }
}

#[test]
fn abor_and_stat_work_in_the_midst_of_an_archive() {
    let server = Server::start();
    let path = server.put("tree/large", &[]);
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(1 << 30).unwrap();
    let mut client = packing(&server);
    let data = client.data(Data::Epsv);
    client.begin("RETR tree");
    let data = data.open();
    data.read_some(4096);
    let status = client.expect("STAT", 213);
    assert!(status.text().contains("octets so far"), "{status}");
    client.expect("NOOP", 200);
    client.expect("ABOR", 426);
    client.expect_reply(226);
    drop(data);
    // Nothing is left over for what comes next.
    client.expect("PWD", 257);
    server.put("small", b"content");
    let (octets, reply) = archive(&mut client, "RETR small");
    assert_eq!(
        (octets.len(), reply.code),
        (512 + 512 + 1024, 226),
        "{reply}"
    );
    client.expect("STRU F", 200);
    assert_eq!(client.download(Data::Epsv, "small"), b"content");
}

#[test]
fn what_has_no_meaning_is_504_and_limits_are_told() {
    let server = Setup::new()
        .account("few", "plain", "ArchiveEntries=3")
        .account("blind", "plain", "PermittedCommands=LOGIN,INFO,DATA,READ")
        .start();
    for number in 0..5 {
        server.put(&format!("tree/{number}"), b"");
    }
    let mut client = packing(&server);
    client.expect("STRU R", 504);
    client.expect("STRU P", 504);
    client.expect("REST 5", 350);
    client.data(Data::Epsv);
    client.expect("RETR tree", 504);
    client.expect("TYPE A", 200);
    client.data(Data::Epsv);
    client.expect("RETR tree", 504);
    for line in ["APPE x", "STOU"] {
        client.data(Data::Epsv);
        client.expect(line, 504);
    }
    // Listings are what they are.
    let listed = client.receive(Data::Epsv, "NLST tree");
    assert_eq!(listed.len(), 5 * "tree/0\r\n".len());

    let mut client = server.connect();
    client.login("few", "correct horse");
    client.expect("STRU T", 200);
    let (_, reply) = archive(&mut client, "RETR tree");
    assert_eq!(reply.code, 451, "{reply}");
    assert!(
        reply.text().contains("tree/3: There are too many"),
        "{reply}"
    );

    // An archive would tell the names that may not be listed.
    let mut client = server.connect();
    client.login("blind", "correct horse");
    client.expect("STRU T", 200);
    client.data(Data::Epsv);
    client.expect("RETR tree", 550);
}
