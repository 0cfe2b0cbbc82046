//! What clients may change beside the content of files, who may, and for how long a session waits.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, Instant};

use tests::{Data, Setup};

#[test]
fn mode_and_times_are_those_on_the_disk() {
    for setup in [Setup::new(), Setup::rootless()] {
        let server = setup.start();
        let file = server.put("file", b"content");
        let mut client = server.logged_in();
        client.expect("SITE CHMOD 604 file", 200);
        client.expect(
            "SITE UTIME file 20010909014641 20010909014640 20010909014640 UTC",
            200,
        );
        let metadata = file.metadata().unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, 0o604);
        assert_eq!(
            (metadata.atime(), metadata.mtime()),
            (1_000_000_001, 1_000_000_000)
        );
        client.expect("MFMT 20010909014642 file", 213);
        let metadata = file.metadata().unwrap();
        assert_eq!(
            (metadata.atime(), metadata.mtime()),
            (1_000_000_001, 1_000_000_002)
        );
    }
}

#[test]
fn a_umask_counts_for_its_session_only() {
    let server = Setup::new().setting("Umask=027").start();
    let (mut one, mut other) = (server.logged_in(), server.logged_in());
    one.expect("SITE UMASK 077", 200);
    one.upload(Data::Epsv, "closed", b"");
    other.upload(Data::Epsv, "open", b"");
    let mode = |name: &str| {
        let metadata = server.home.join(name).metadata().unwrap();
        metadata.permissions().mode() & 0o7777
    };
    assert_eq!((mode("closed"), mode("open")), (0o600, 0o640));
}

#[test]
fn who_may_only_read_changes_no_metadata() {
    let server = Setup::new().setting("PermittedCommands=ALL,-WRITE").start();
    let file = server.put("file", b"content");
    let before = file.metadata().unwrap();
    let mut client = server.logged_in();
    for line in [
        "SITE CHMOD 600 file",
        "SITE UTIME 20010909014640 file",
        "SITE SYMLINK file link",
        "SITE UMASK",
        "MFMT 20010909014640 file",
        "MFF UNIX.mode=0600; file",
        "MDTM 20010909014640 file",
    ] {
        client.expect(line, 550);
    }
    client.expect("MDTM file", 213);
    client.expect("SITE TIME", 200);
    let site = client.expect("SITE HELP", 214).text();
    assert!(
        site.contains("SITE IDLE") && !site.contains("CHMOD"),
        "{site}"
    );
    let after = file.metadata().unwrap();
    assert_eq!(
        (before.mode(), before.mtime()),
        (after.mode(), after.mtime())
    );
    assert_eq!(server.names(), ["file"]);
}

#[test]
fn site_commands_are_refused_one_by_one_or_together() {
    let some = Setup::new()
        .setting("PermittedCommands=ALL,-SITE_TIME,-SITE_CHMOD")
        .start();
    let mut client = some.logged_in();
    client.expect("SITE TIME", 504);
    client.expect("SITE CHMOD 600 file", 550);
    client.expect("SITE ZONE", 200);
    let none = Setup::new().setting("PermittedCommands=ALL,-SITE").start();
    let mut client = none.logged_in();
    client.expect("SITE HELP", 504);
    client.expect("HELP SITE", 502);
    let help = client.expect("HELP", 214).text();
    assert!(help.contains("RETR") && !help.contains("SITE"), "{help}");
    let feat = client.expect("FEAT", 211).text();
    assert!(feat.contains("MFMT") && !feat.contains("SITE"), "{feat}");
}

#[test]
fn an_account_without_a_password_gets_less_unless_its_settings_say_otherwise() {
    let trusted = "PermittedCommands=ALL,-SITE_UMASK";
    let server = Setup::new()
        .account("anonymous", "null", "Idle=60")
        .account("trusted", "null", trusted)
        .start();
    server.put("file", b"content");
    let refused = [
        "SITE CHMOD 600 file",
        "SITE SYMLINK file link",
        "SITE UMASK",
        "MFF UNIX.mode=0600; file",
        "MFMT 20010909014640 file",
        "DELE file",
        "STOR new",
        "MKD new",
    ];
    let mut client = server.connect();
    client.login("anonymous", "me@example.org");
    for line in refused {
        client.expect(line, 550);
    }
    let site = client.expect("HELP SITE", 214).text();
    assert!(
        site.contains("SITE IDLE") && !site.contains("CHMOD"),
        "{site}"
    );
    assert_eq!(server.names(), ["file"]);
    assert_eq!(client.receive(Data::Epsv, "RETR file"), b"content");
    let mut client = server.connect();
    client.login("trusted", "");
    client.expect("SITE CHMOD 600 file", 200);
    client.expect("SITE SYMLINK file link", 200);
    client.expect("SITE UMASK", 550);
}

#[test]
fn a_client_may_set_its_own_patience_up_to_the_servers() {
    let server = Setup::new()
        .setting("Idle=20")
        .setting("MaxIdle=60")
        .start();
    let mut client = server.logged_in();
    let told = client.expect("SITE IDLE", 200).text();
    assert!(told.contains("20") && told.contains("60"), "{told}");
    client.expect("SITE IDLE 60", 200);
    client.expect("SITE IDLE 61", 501);
    client.expect("SITE IDLE 0", 501);
    let told = client.expect("SITE IDLE", 200).text();
    assert!(told.contains("is 60"), "{told}");
    let before = Instant::now();
    client.expect("SITE IDLE 1", 200);
    client.expect_reply(421);
    client.expect_end();
    assert!(before.elapsed() >= Duration::from_secs(1));
}
