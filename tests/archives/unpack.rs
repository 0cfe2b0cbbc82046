//! STOR with STRU T, with archives that other programs made.

use std::fs;
use std::io::Write;
use std::net::Shutdown;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use tests::{Client, Data, Reply, Scratch, Server, Setup, require, tree};

use crate::programs;

/// Sends an archive; the reply.
#[track_caller]
pub(crate) fn send(client: &mut Client, archive: &[u8]) -> Reply {
    let data = client.data(Data::Epsv);
    client.begin("STOR archive.tar");
    let data = data.open();
    let mut stream = data.stream();
    // One that refuses an entry does not read on.
    if stream.write_all(archive).is_ok() {
        let _ = stream.shutdown(Shutdown::Write);
    }
    client.reply()
}

pub(crate) fn unpacking(server: &Server) -> Client {
    let mut client = server.logged_in();
    client.expect("STRU T", 200);
    client
}

/// An archive that a program makes of all in a directory.
#[track_caller]
fn made(program: &str, arguments: &[&str], directory: &Path) -> Vec<u8> {
    let output = Command::new(program)
        .args(arguments)
        .args(["-cf", "-", "-C"])
        .arg(directory)
        .arg(".")
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {errors}");
    output.stdout
}

#[test]
fn archives_of_other_programs_become_the_tree_that_they_hold() {
    let scratch = Scratch::new();
    let sample = scratch.directory("sample");
    tree::sample(&sample);
    let long = sample.join("n".repeat(200)).join("m".repeat(200));
    fs::create_dir_all(&long).unwrap();
    fs::write(long.join("k".repeat(200)), "far down").unwrap();
    fs::write(sample.join("run me"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(sample.join("run me"), fs::Permissions::from_mode(0o6775)).unwrap();
    fs::create_dir(sample.join("closed")).unwrap();
    fs::write(sample.join("closed/file"), "inside").unwrap();
    fs::set_permissions(sample.join("closed"), fs::Permissions::from_mode(0o555)).unwrap();
    symlink("/etc", sample.join("a link")).unwrap();
    let mut archives = Vec::new();
    for program in programs::all() {
        for format in ["gnu", "ustar", "posix", "pax"] {
            let known = match program {
                "tar" => ["gnu", "posix"].contains(&format),
                _ => ["pax"].contains(&format),
            };
            if known {
                let archive = made(program, &[&format!("--format={format}")], &sample);
                archives.push((format!("{program} {format}"), archive));
            }
        }
    }
    fs::remove_file(sample.join("a link")).unwrap();
    for (name, archive) in archives {
        let server = Server::start();
        let mut client = unpacking(&server);
        let reply = send(&mut client, &archive);
        assert_eq!(reply.code, 226, "{name}: {reply}");
        assert!(reply.text().contains("1 links and special"), "{reply}");
        tree::assert_same(&sample, &server.home);
        for file in tree::files(&sample) {
            let stat = |root: &Path| fs::metadata(root.join(&file)).unwrap();
            let (expected, got) = (stat(&sample), stat(&server.home));
            assert_eq!(expected.mtime(), got.mtime(), "{name}: {}", file.display());
            let mode = expected.mode() & 0o755;
            assert_eq!(got.mode() & 0o7777, mode, "{name}: {}", file.display());
        }
        let closed = fs::metadata(server.home.join("closed")).unwrap();
        assert_eq!(closed.mode() & 0o7777, 0o555);
        let expected = fs::metadata(sample.join("closed")).unwrap();
        assert_eq!(closed.mtime(), expected.mtime(), "{name}");
        fs::set_permissions(
            server.home.join("closed"),
            fs::Permissions::from_mode(0o755),
        )
        .unwrap();
    }
}

#[test]
fn what_was_packed_here_is_unpacked_here_compressed_too() {
    if !require::programs(&["pigz"]) {
        return;
    }
    let server = Server::start();
    tree::sample(&server.home);
    let mut client = server.logged_in();
    client.expect("MODE Z", 200);
    client.expect("STRU T", 200);
    let data = client.data(Data::Epsv);
    client.begin("RETR .");
    let compressed = data.open().read_all();
    client.expect_reply(226);
    let archive = programs::feed("pigz", &["-dzc"], Path::new("/"), &compressed);
    assert!(compressed.len() < archive.len());
    let other = Server::start();
    let mut client = unpacking(&other);
    let reply = send(&mut client, &archive);
    assert_eq!(reply.code, 226, "{reply}");
    tree::assert_same(&server.home, &other.home);
    let other = Server::start();
    let mut client = unpacking(&other);
    client.expect("MODE Z", 200);
    client.expect("OPTS TCONF CRC32", 200);
    let reply = send(&mut client, &compressed);
    assert_eq!(reply.code, 226, "{reply}");
    assert!(reply.text().contains("CRC"), "{reply}");
    tree::assert_same(&server.home, &other.home);
}

#[test]
fn nothing_is_lost_of_what_was_whole_when_the_archive_breaks() {
    if !require::programs(&["tar"]) {
        return;
    }
    let scratch = Scratch::new();
    let sample = scratch.directory("sample");
    for name in ["a", "b", "c"] {
        fs::write(sample.join(name), name.repeat(10_000)).unwrap();
    }
    let archive = made("tar", &["--sort=name"], &sample);
    let server = Server::start();
    server.put("b", b"as before");
    let mut client = unpacking(&server);
    // "./", then headers and contents of 512 and 10240 octets each.
    let reply = send(&mut client, &archive[..512 + 10_752 + 512 + 5000]);
    assert_eq!(reply.code, 426, "{reply}");
    assert!(
        reply.text().starts_with("./b: the archive ends too early"),
        "{reply}"
    );
    assert!(reply.text().contains("1 entries are unpacked"), "{reply}");
    assert_eq!(server.content("a"), b"a".repeat(10_000));
    assert_eq!(server.content("b"), b"as before");
    assert_eq!(server.names(), ["a", "b"]);
    // Without its end mark it may have been cut between two entries.
    let reply = send(&mut client, &archive[..512 + 3 * 10_752]);
    assert_eq!(reply.code, 426, "{reply}");
    assert_eq!(server.content("c"), b"c".repeat(10_000));
    let mut damaged = archive.clone();
    damaged[512 + 10_752 + 3] ^= 1;
    let reply = send(&mut client, &damaged);
    assert_eq!(reply.code, 451, "{reply}");
    assert!(reply.text().contains("checksum"), "{reply}");
}

#[test]
fn an_aborted_archive_leaves_what_was_whole_and_nothing_else() {
    if !require::programs(&["tar"]) {
        return;
    }
    let scratch = Scratch::new();
    let sample = scratch.directory("sample");
    for name in ["a", "b"] {
        fs::write(sample.join(name), name.repeat(100_000)).unwrap();
    }
    let archive = made("tar", &["--sort=name"], &sample);
    let server = Server::start();
    let mut client = unpacking(&server);
    let data = client.data(Data::Epsv);
    client.begin("STOR archive.tar");
    let data = data.open();
    data.write(&archive[..150_000]);
    let status = client.expect("STAT", 213);
    assert!(status.text().contains("octets so far"), "{status}");
    tests::wait::until("the first file is there", || {
        server.names().contains(&"a".to_owned())
    });
    client.expect("ABOR", 426);
    client.expect_reply(226);
    assert_eq!(server.content("a"), b"a".repeat(100_000));
    client.expect("NOOP", 200);
    let reply = send(&mut client, &archive);
    assert_eq!(reply.code, 226, "{reply}");
    assert_eq!(server.names(), ["a", "b"]);
    // A client that is killed is no end either.
    let data = client.data(Data::Epsv);
    client.begin("STOR archive.tar");
    let data = data.open();
    data.write(&archive[..150_000]);
    data.reset();
    client.expect_reply(426);
    assert_eq!(server.names(), ["a", "b"]);
    assert_eq!(server.content("b"), b"b".repeat(100_000));
}

#[test]
fn entries_need_the_permissions_of_single_commands() {
    if !require::programs(&["tar"]) {
        return;
    }
    let scratch = Scratch::new();
    let sample = scratch.directory("sample");
    fs::create_dir(sample.join("d")).unwrap();
    fs::write(sample.join("d/file"), "content").unwrap();
    fs::set_permissions(sample.join("d/file"), fs::Permissions::from_mode(0o700)).unwrap();
    let file = fs::File::open(sample.join("d/file")).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH)
        .unwrap();
    let archive = made("tar", &[], &sample);
    let server = Setup::new()
        .account("plain", "plain", "PermittedCommands=ALL,-MFF,-MFMT,-SITE")
        .account("nodirs", "plain", "PermittedCommands=ALL,-MKD")
        .account("reader", "plain", "PermittedCommands=ALL,-WRITE")
        .account("few", "plain", "ArchiveEntries=2")
        .account("small", "plain", "ArchiveSize=6")
        .account("files", "plain", "MaxFileSize=6")
        .start();
    let log_in = |name: &str| {
        let mut client = server.connect();
        client.login(name, "correct horse");
        client.expect("STRU T", 200);
        client
    };
    let mut client = log_in("reader");
    client.data(Data::Epsv);
    client.expect("STOR x", 550);
    let reply = send(&mut log_in("nodirs"), &archive);
    assert_eq!(reply.code, 550, "{reply}");
    assert!(
        reply.text().starts_with("./d/: Permission denied"),
        "{reply}"
    );
    assert!(server.names().is_empty());
    let reply = send(&mut log_in("few"), &archive);
    assert_eq!(reply.code, 226, "{reply}");
    for name in ["small", "files"] {
        let reply = send(&mut log_in(name), &archive);
        assert_eq!(reply.code, 552, "{name}: {reply}");
        assert!(reply.text().starts_with("./d/file: "), "{reply}");
    }
    let file = server.home.join("d/file");
    fs::remove_file(&file).unwrap();
    let reply = send(&mut log_in("plain"), &archive);
    assert_eq!(reply.code, 226, "{reply}");
    let stat = fs::metadata(&file).unwrap();
    assert_eq!(stat.mode() & 0o7777, 0o644);
    assert_ne!(stat.mtime(), 0);
    let reply = send(&mut log_in("nodirs"), &archive);
    assert_eq!(reply.code, 226, "{reply}");
    let stat = fs::metadata(&file).unwrap();
    assert_eq!((stat.mode() & 0o7777, stat.mtime()), (0o700, 0));
}

#[test]
fn a_full_disk_ends_the_archive_and_not_the_server() {
    if !require::root() {
        return;
    }
    let server = Server::start();
    let full = server.home.join("small");
    server.put_directory("small");
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m,mode=0777", "tmpfs"])
        .arg(&full)
        .status()
        .unwrap();
    assert!(mounted.success());
    let _unmount = Unmount(&full);
    let scratch = Scratch::new();
    let sample = scratch.directory("sample");
    for (name, size) in [("a", 100_000), ("b", 3_000_000), ("c", 10)] {
        fs::write(sample.join(name), vec![b'x'; size]).unwrap();
    }
    let archive = made("tar", &["--sort=name"], &sample);
    let mut client = unpacking(&server);
    client.expect("CWD small", 250);
    let reply = send(&mut client, &archive);
    assert!([452, 552].contains(&reply.code), "{reply}");
    assert!(reply.text().starts_with("./b: "), "{reply}");
    let left: Vec<_> = fs::read_dir(&full)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["a"]);
    assert_eq!(fs::metadata(full.join("a")).unwrap().len(), 100_000);
    client.expect("STRU F", 200);
    client.upload(Data::Epsv, "later", b"goes on");
}

struct Unmount<'a>(&'a Path);

impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}
