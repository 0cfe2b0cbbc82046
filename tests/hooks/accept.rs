//! Hooks that look at an uploaded file before anybody can see it: they accept, refuse, keep it apart, or name it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use tests::{Data, Server, Setup, require};

use crate::patience::{HELD, looked_at};
use crate::scripts::Script;

/// A server with this hook on uploads.
fn with(body: &str, arguments: &str, lines: &str) -> (Script, Server) {
    let setup = Setup::new();
    let script = Script::new(&setup, "accept", body);
    let hook = format!(
        "exec = ['{}'{arguments}]\non = 'upload'\nphase = 'accept'\n{lines}",
        script.path.display()
    );
    let server = setup.hook(&hook).start();
    (script, server)
}

/// Sends a file; gives the code of the reply at its end.
fn send(server: &Server, line: &str, octets: &[u8]) -> (u16, String) {
    let mut client = server.logged_in();
    let data = client.data(Data::Epsv);
    client.begin(line);
    data.open().write_all_and_close(octets);
    let reply = client.reply();
    client.expect("NOOP", 200);
    (reply.code, reply.text())
}

#[test]
fn the_file_is_whole_and_nobody_sees_it_while_it_is_looked_at() {
    let body = "ls \"${1%/*}\" > $out/seen; cat \"$2\" > $out/content; echo \"$2\" > $out/name.new; mv $out/name.new $out/name";
    let (script, server) = with(body, ", '%f', '%{temporary_path}'", "run-as = 'root'\n");
    assert_eq!(send(&server, "STOR file", b"content").0, 226);
    assert_eq!(script.wait_for("content"), b"content");
    assert_eq!(script.wait_for("seen"), b"");
    let name = String::from_utf8(script.wait_for("name")).unwrap();
    assert!(name.contains("/.ftpd-"), "{name}");
    assert_eq!(server.names(), ["file"]);
}

/// The recipe for virus scans, with a stand-in for clamdscan(1): it reads the file and ends with 1 where there is a virus.
#[test]
fn a_virus_is_refused_and_kept_apart() {
    let setup = Setup::new();
    let scan = "if grep -q EICAR-STANDARD-ANTIVIRUS-TEST-FILE; then echo 'stream: Eicar-Signature FOUND'; exit 1; fi";
    let script = Script::new(&setup, "clamdscan", scan);
    let quarantine = setup.scratch().join("quarantine");
    fs::create_dir(&quarantine).unwrap();
    fs::set_permissions(&quarantine, fs::Permissions::from_mode(0o700)).unwrap();
    let hook = format!(
        "on = 'upload'\nphase = 'accept'\nexec = ['{}', '--no-summary', '-']\ninput = 'file'\nquarantine = '{}'\ntimeout = '1m'\n",
        script.path.display(),
        quarantine.display()
    );
    let server = setup.hook(&hook).start();
    assert_eq!(send(&server, "STOR good.txt", b"harmless").0, 226);
    let virus = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*";
    let (code, text) = send(&server, "STOR bad.com", virus);
    assert_eq!(code, 550, "{text}");
    assert!(text.contains("Eicar-Signature FOUND"), "{text}");
    assert_eq!(server.names(), ["good.txt"]);
    let kept: Vec<_> = fs::read_dir(&quarantine)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(kept[0].to_string_lossy().ends_with("-bad.com"), "{kept:?}");
    let file = fs::metadata(&kept[0]).unwrap();
    assert_eq!((file.mode() & 0o7777, file.nlink()), (0o400, 1));
    assert_eq!(fs::read(&kept[0]).unwrap(), virus);
    if require::root() {
        assert_eq!(file.uid(), 0, "out of its user's hands");
    }
    server.log.line_with(&["is in quarantine", "-bad.com"]);
}

/// A directory elsewhere gets a copy, and so does one of a file that is written where it is.
#[test]
fn a_quarantine_on_another_file_system_has_copies() {
    if !tests::mounts::private() {
        return;
    }
    let setup = Setup::new();
    let script = Script::new(&setup, "accept", "exit 1");
    let quarantine = setup.scratch().join("quarantine");
    let _mounted = tests::mounts::Mounted::tmpfs(&quarantine, "size=16m,mode=0700");
    let hook = format!(
        "on = 'upload'\nphase = 'accept'\nexec = ['{}']\nquarantine = '{}'\n",
        script.path.display(),
        quarantine.display()
    );
    let server = setup.hook(&hook).start();
    server.put("old", b"old");
    let large = vec![7; 3_000_000];
    for (line, octets, content) in [
        ("STOR file", &large[..], &large[..]),
        ("APPE old", b" and new", b"old and new"),
    ] {
        assert_eq!(send(&server, line, octets).0, 550, "{line}");
        let kept = fs::read_dir(&quarantine).unwrap();
        let kept: Vec<_> = kept.map(|entry| entry.unwrap().path()).collect();
        assert_eq!(kept.len(), 1, "{kept:?}");
        let found = fs::metadata(&kept[0]).unwrap();
        assert_eq!((found.mode() & 0o7777, found.uid()), (0o400, 0));
        assert!(fs::read(&kept[0]).unwrap() == content, "{line}");
        fs::remove_file(&kept[0]).unwrap();
    }
    assert_eq!(server.names(), ["old"]);
    assert_eq!(server.content("old"), b"old");
    // What does not fit is refused all the same, and told.
    assert_eq!(send(&server, "STOR larger", &[7; 20_000_000]).0, 550);
    server
        .log
        .line_with(&["cannot get into quarantine", "No space left"]);
    assert_eq!(fs::read_dir(&quarantine).unwrap().count(), 0);
    assert_eq!(server.names(), ["old"]);
}

/// In a sticky directory of somebody else a user removes only files of its own: the hidden name goes all the same.
#[test]
fn nothing_is_left_behind_in_a_sticky_directory() {
    if !require::root() {
        return;
    }
    let setup = Setup::new();
    let script = Script::new(&setup, "accept", "exit 1");
    let quarantine = setup.scratch().join("quarantine");
    fs::create_dir(&quarantine).unwrap();
    fs::set_permissions(&quarantine, fs::Permissions::from_mode(0o700)).unwrap();
    let hook = format!(
        "on = 'upload'\nphase = 'accept'\nexec = ['{}']\nquarantine = '{}'\n",
        script.path.display(),
        quarantine.display()
    );
    let server = setup.hook(&hook).start();
    let drop_box = server.home.join("drop");
    fs::create_dir(&drop_box).unwrap();
    fs::set_permissions(&drop_box, fs::Permissions::from_mode(0o1777)).unwrap();
    assert_eq!(send(&server, "STOR drop/file", b"content").0, 550);
    assert_eq!(fs::read_dir(&drop_box).unwrap().count(), 0);
    assert_eq!(fs::read_dir(&quarantine).unwrap().count(), 1);
}

/// What was there under the name stays as it is when its successor is refused.
#[test]
fn a_refusal_leaves_the_old_file() {
    let (_, server) = with("exit 1", "", "");
    server.put("file", b"old");
    assert_eq!(
        send(&server, "STOR file", b"new"),
        (550, "Refused.".to_owned())
    );
    assert_eq!(send(&server, "APPE file", b" and new").0, 550);
    assert_eq!(server.content("file"), b"old");
    assert_eq!(server.names(), ["file"]);
}

#[test]
fn a_hook_gives_the_file_its_name() {
    let (_, server) = with("echo \"in-${1##*/}\"", ", '%F'", "rename = true\n");
    assert_eq!(send(&server, "STOR a", b"one").0, 226);
    assert_eq!(server.content("in-a"), b"one");
    // Nothing is replaced that nobody has asked for.
    let (code, text) = send(&server, "STOR a", b"two");
    assert_eq!(code, 550, "{text}");
    assert_eq!(server.content("in-a"), b"one");
    assert_eq!(server.names(), ["in-a"]);
}

#[test]
fn a_name_that_leads_elsewhere_is_none() {
    for name in ["../escape", ".", "..", "a/b", ".ftpd-x.part"] {
        let (_, server) = with(&format!("echo '{name}'"), "", "rename = true\n");
        assert_eq!(send(&server, "STOR a", b"one").0, 550, "{name}");
        assert_eq!(server.names(), [""; 0], "{name}");
        assert!(!server.home.with_file_name("escape").exists());
    }
}

/// Whoever has no answer decides by the setting: a scanner that is missing, fails or takes too long.
#[test]
fn what_cannot_be_looked_at_is_refused_or_let_through() {
    let slow = "trap '' TERM; while :; do sleep 0.1; done";
    for body in ["exit 2", "kill -SEGV $$", slow] {
        for (lines, code) in [("", 550), ("on-failure = 'ignore'\n", 226)] {
            let (_, server) = with(
                body,
                "",
                &format!("timeout = '200ms'\nkill-after = '100ms'\n{lines}"),
            );
            let (answered, text) = send(&server, "STOR file", b"content");
            assert_eq!(answered, code, "{body}: {text}");
            assert_eq!(server.names().len(), usize::from(code == 226));
        }
    }
}

/// The client is heard while a hook looks at its file.
#[test]
fn noop_stat_and_abor_are_answered_meanwhile() {
    let (script, server) = with(HELD, "", "");
    let mut client = looked_at(&script, &server);
    client.expect("NOOP", 200);
    client.send("STAT");
    assert_eq!(client.reply().code / 10, 21);
    assert!(server.names().iter().all(|name| name.starts_with(".ftpd-")));
    fs::write(script.file("go"), b"").unwrap();
    client.expect_reply(226);
    assert_eq!(server.names(), ["file"]);
    client.expect("NOOP", 200);
}

#[test]
fn each_entry_of_an_archive_is_looked_at() {
    let (_, server) = with("case \"$1\" in *.exe) exit 1;; esac", ", '%F'", "");
    let mut client = server.logged_in();
    client.expect("STRU T", 200);
    let mut archive = Vec::new();
    for name in ["good.txt", "bad.exe", "late.txt"] {
        archive.extend(entry(name, b"text"));
    }
    archive.extend([0; 1024]);
    let data = client.data(Data::Epsv);
    client.begin("STOR .");
    data.open().write_all_and_close(&archive);
    let reply = client.reply();
    assert_eq!(reply.code, 550, "{reply:?}");
    assert_eq!(server.names(), ["good.txt"]);
}

/// A file in a tar archive.
pub(crate) fn entry(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0u8; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..107].copy_from_slice(b"0000644");
    header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    header[136..147].copy_from_slice(b"00000000000");
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|&octet| u32::from(octet)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut entry = header.to_vec();
    entry.extend_from_slice(content);
    entry.resize(512 + content.len().div_ceil(512) * 512, 0);
    entry
}
