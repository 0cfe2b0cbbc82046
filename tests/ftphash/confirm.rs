//! `ftphash confirm`: what real clients tell of real sessions, and single replies.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use tests::{Data, Server, Setup, require, wait};

use crate::{ftphash, text, tree};

const TEXT: &[u8] = b"one\ntwo\nthree\n";

fn sum(algorithm: &str, octets: &[u8]) -> String {
    let directory = tree(&[("x", octets)]);
    let told = ftphash(directory.path(), &["sum", "-a", algorithm, "x"]);
    let line = text(&told.get_output().stdout);
    line.split(' ').next().unwrap().to_owned()
}

/// Runs a client in a directory and gives everything that it tells.
fn told(client: &mut Command, directory: &Path, script: &str) -> String {
    let log = fs::File::create(directory.join("log")).unwrap();
    client
        .current_dir(directory)
        .env("HOME", directory)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    for proxy in ["ftp_proxy", "FTP_PROXY", "all_proxy", "ALL_PROXY"] {
        client.env_remove(proxy);
    }
    let mut child = client.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(script.as_bytes())
        .unwrap();
    let status = child.wait().unwrap();
    let told = String::from_utf8_lossy(&fs::read(directory.join("log")).unwrap()).into_owned();
    assert!(status.success(), "{client:?}: {status}\n{told}");
    told
}

fn confirming() -> Server {
    let server = Setup::new().flag(&["-confirm-transfer", "sha256"]).start();
    server.put("down", TEXT);
    server.put_directory("sub");
    server.put("sub/deep", b"deep");
    server
}

/// What every client below does: two downloads, one of them from a directory, and an upload.
fn assert_confirmed(directory: &Path, transcript: &str) {
    let log = directory.join("log");
    let log = log.to_str().unwrap();
    let confirm = || ftphash(directory, &["confirm", "-t", log]);
    let told = confirm();
    let told = told.get_output();
    let lines = text(&told.stdout);
    let lines: Vec<_> = lines.lines().collect();
    assert_eq!(
        lines,
        ["down: OK", "deep: OK", "up: OK"],
        "{transcript}\n{told:?}"
    );
    assert!(told.status.success() && told.stderr.is_empty());
    // One octet is enough.
    fs::write(directory.join("deep"), "Deep").unwrap();
    let told = confirm().code(1);
    assert_eq!(
        text(&told.get_output().stdout),
        "down: OK\ndeep: FAILED\nup: OK\n"
    );
    ftphash(directory, &["confirm", "-t", log, "up"])
        .success()
        .stdout("up: OK\n");
    ftphash(directory, &["confirm", "-t", log, "--status", "deep"])
        .code(1)
        .stdout("");
    fs::remove_file(directory.join("deep")).unwrap();
    ftphash(directory, &["confirm", "-t", log, "--quiet"])
        .code(1)
        .stdout("deep: FAILED open or read\n")
        .stderr("ftphash: deep: No such file or directory\n");
}

#[test]
fn a_session_of_curl_is_confirmed() {
    if !require::programs(&["curl"]) {
        return;
    }
    let server = confirming();
    let directory = tree(&[("up", b"from here")]);
    let url = |path: &str| format!("ftp://{}/{path}", server.address());
    let user = format!("{}:{}", server.login.name, server.login.password);
    let mut curl = Command::new("curl");
    curl.args([
        "-q",
        "-sSv",
        "-u",
        &user,
        "-o",
        "down",
        &url("down"),
        "-o",
        "deep",
        &url("sub/deep"),
    ]);
    curl.args(["--next", "-sSv", "-u", &user, "-T", "up", &url("up")]);
    let transcript = told(&mut curl, directory.path(), "");
    assert_confirmed(directory.path(), &transcript);
}

#[test]
fn a_session_of_lftp_is_confirmed() {
    if !require::programs(&["lftp"]) {
        return;
    }
    let server = confirming();
    let directory = tree(&[("up", b"from here")]);
    let script = format!(
        "set ftp:ssl-allow no\nset cmd:fail-exit yes\nopen -u \"{},{}\" ftp://{}\nget down\nget sub/deep\nput up\n",
        server.login.name,
        server.login.password,
        server.address()
    );
    let transcript = told(Command::new("lftp").arg("-d"), directory.path(), &script);
    assert_confirmed(directory.path(), &transcript);
}

/// The log in JSON has the digests, also of a part; the xferlog has sizes. The last word about each file counts.
#[test]
fn the_logs_of_the_server_are_confirmed() {
    let setup = Setup::new()
        .flag(&["-confirm-transfer", "sha256"])
        .setting("LogFormat=json");
    let sizes = setup.scratch().join("xferlog");
    let line = format!("TransferLog={}", sizes.display());
    let server = setup.setting(&line).start();
    let mut client = server.logged_in();
    client.expect("TYPE I", 200);
    client.upload(Data::Epsv, "one", b"old");
    client.upload(Data::Epsv, "one", b"one, new");
    client.upload(Data::Epsv, "two", b"0123456789");
    client.expect("REST 4", 350);
    client.download(Data::Epsv, "two");
    server.log.line_with(&["download of two"]);
    let told = || fs::read_to_string(&sizes).unwrap_or_default();
    wait::until("all is in the log", || told().lines().count() == 4);
    let directory = tree(&[("one", b"one, new"), ("two", b"0123456789")]);
    let json = directory.path().join("log");
    fs::write(&json, server.log.text()).unwrap();
    let confirm = |log: &Path| ftphash(directory.path(), &["confirm", "-t", log.to_str().unwrap()]);
    let part = "two: OK (octets from 4 on)\n";
    confirm(&json).success().stdout(format!("one: OK\n{part}"));
    confirm(&sizes)
        .code(1)
        .stdout("one: OK (size alone)\ntwo: NOT CONFIRMED (fewer octets than the file has)\n");
    fs::write(directory.path().join("one"), "one, neu").unwrap();
    confirm(&json)
        .code(1)
        .stdout(format!("one: FAILED\n{part}"));
}

/// With and without the commands on show, in both of BSD's descendants.
#[test]
fn sessions_of_tnftp_and_inetutils_are_confirmed() {
    for (program, options) in [
        ("tnftp", &["-n", "-i", "-p", "-v"][..]),
        ("tnftp", &["-n", "-i", "-p", "-v", "-d"]),
        ("inetutils-ftp", &["-n", "-i", "-p", "-v"]),
        ("inetutils-ftp", &["-n", "-i", "-p", "-v", "-d"]),
    ] {
        if !require::programs(&[program]) {
            continue;
        }
        let server = confirming();
        let directory = tree(&[("up", b"from here")]);
        // Without -d only tnftp tells what a file is called here.
        let put = if program == "tnftp" {
            "put up other"
        } else {
            "put up"
        };
        let script = format!(
            "open {} {}\nuser {} \"{}\"\nbinary\nget down\nget sub/deep deep\n{put}\nbye\n",
            server.address().ip(),
            server.address().port(),
            server.login.name,
            server.login.password
        );
        let transcript = told(
            Command::new(program).args(options),
            directory.path(),
            &script,
        );
        assert_confirmed(directory.path(), &transcript);
    }
}

#[test]
fn a_download_of_wget_is_confirmed() {
    if !require::programs(&["wget"]) {
        return;
    }
    let server = confirming();
    let directory = tree(&[]);
    let mut wget = Command::new("wget");
    wget.args(["--no-config", "-d", "--tries=1"]);
    wget.arg(format!("--user={}", server.login.name));
    wget.arg(format!("--password={}", server.login.password));
    wget.arg(format!("ftp://{}/down", server.address()));
    told(&mut wget, directory.path(), "");
    ftphash(directory.path(), &["confirm", "-t", "log"])
        .success()
        .stdout("down: OK\n");
    fs::write(directory.path().join("down"), "").unwrap();
    ftphash(directory.path(), &["confirm", "-t", "log"])
        .code(1)
        .stdout("down: FAILED\n");
}

/// In TYPE A the digest is of what was sent, and after REST of the rest.
#[test]
fn text_and_parts_are_confirmed_as_they_were_sent() {
    if !require::programs(&["curl"]) {
        return;
    }
    let server = confirming();
    let directory = tree(&[("down", b"one\n"), ("up", TEXT)]);
    let url = |path: &str| format!("ftp://{}/{path}", server.address());
    let user = format!("{}:{}", server.login.name, server.login.password);
    let curl = |words: &[&str]| {
        let mut curl = Command::new("curl");
        told(
            curl.args(["-q", "-sSv", "-u", &user]).args(words),
            directory.path(),
            "",
        );
    };
    curl(&["-C", "-", "-o", "down", &url("down")]);
    let confirm = || ftphash(directory.path(), &["confirm", "-t", "log"]);
    confirm().success().stdout("down: OK (octets from 4 on)\n");
    curl(&["--use-ascii", "-T", "up", &url("up")]);
    assert_eq!(server.content("up"), TEXT);
    confirm().success().stdout("up: OK (in TYPE A)\n");
    fs::write(directory.path().join("up"), "one\ntwo\nfour\n").unwrap();
    confirm().code(1).stdout("up: FAILED\n");
}

#[test]
fn single_replies_are_confirmed() {
    let directory = tree(&[("file", TEXT), ("a b", b"x")]);
    let whole = sum("sha256", TEXT);
    let md5 = sum("md5", TEXT).to_uppercase();
    let two = sum("sha1", b"two");
    let other = sum("md5", b"x");
    let crlf = sum("sha256", b"one\r\ntwo\r\nthree\r\n");
    let good = |words: &[&str], line: &str| {
        let words = [&["confirm"], words].concat();
        let told = ftphash(directory.path(), &words).success();
        told.stdout(format!("{line}\n")).stderr("");
    };
    let reply = |text: String| text;
    good(
        &[
            "--reply",
            &reply(format!("226 Transfer complete. SHA-256={whole}")),
            "file",
        ],
        "file: OK",
    );
    good(
        &[
            "--reply",
            &reply(format!("< 213 SHA-256 0-14 {whole} file")),
        ],
        "file: OK",
    );
    good(
        &[
            "--reply",
            &reply(format!("213 SHA-256 0-13 {whole} /srv/file")),
        ],
        "file: OK",
    );
    good(
        &["--reply", &reply(format!("213 SHA-1 4-7 {two} file"))],
        "file: OK (octets 4 to 6)",
    );
    good(
        &["--reply", &reply(format!("213 SHA-1 4-6 {two} file"))],
        "file: OK (octets 4 to 6)",
    );
    good(
        &["--reply", &reply(format!("250 {md5}")), "file"],
        "file: OK",
    );
    good(&["--reply", &reply(format!("251 file {md5}"))], "file: OK");
    let both = format!("252 file {md5}, a b {other}");
    good(&["--reply", &both], "file: OK\na b: OK");
    let ascii = format!("226 SHA-256={crlf}");
    good(
        &["--ascii", "--reply", &ascii, "file"],
        "file: OK (in TYPE A)",
    );
    ftphash(directory.path(), &["confirm", "--reply", &ascii, "file"])
        .code(1)
        .stdout("file: FAILED\n");
    ftphash(
        directory.path(),
        &["confirm", "--reply", "226 Transfer complete.", "file"],
    )
    .code(1)
    .stdout("")
    .stderr(
        "ftphash: --reply: there is no transfer and no digest in it: servers tell digests after HASH or XCRC, ours in each 226 \
         with ConfirmTransfers too\n",
    );
    let nameless = format!("226 SHA-256={whole}");
    ftphash(directory.path(), &["confirm", "--reply", &nameless]).code(1);
    let blake3 = sum("blake3", TEXT);
    let bare = format!("250 {blake3}");
    ftphash(directory.path(), &["confirm", "--reply", &bare, "file"]).code(1);
    good(&["-a", "blake3", "--reply", &bare, "file"], "file: OK");
    // More than the file has.
    let far = format!("213 SHA-1 4-700 {two} file");
    ftphash(directory.path(), &["confirm", "--reply", &far])
        .code(1)
        .stdout("file: FAILED\n");
}

/// Nothing but a file of the directory is ever opened, whatever the transcript names.
#[test]
fn a_transcript_leads_nowhere_else() {
    let directory = tree(&[("here/file", b"x"), ("secret", b"y")]);
    let digest = sum("md5", b"y");
    for name in ["../secret", "/etc/../secret", "..", ".", "", "file/.."] {
        let log = format!("S: 220 x\nC: RETR {name}\nS: 226 MD5={digest}\n");
        fs::write(directory.path().join("log"), log).unwrap();
        let told = ftphash(directory.path(), &["confirm", "-t", "log", "-d", "here"]).code(1);
        let told = text(&told.get_output().stdout);
        assert!(
            !told.contains("OK") && !told.contains(": FAILED\n"),
            "{name}: {told}"
        );
    }
}

#[test]
fn transfers_without_a_digest_are_not_confirmed() {
    let directory = tree(&[("a", b"x"), ("b", b"x"), ("c", b"x")]);
    let digest = sum("md5", b"x");
    let log = format!(
        "S: 220 x\nC: RETR a\nS: 226 done\nC: RETR b\nS: 426 broken\nC: RETR b\nS: 226 MD5={digest}\n\
         C: STOR c\nS: 552 full\nC: RETR d\n"
    );
    fs::write(directory.path().join("log"), log).unwrap();
    ftphash(directory.path(), &["confirm", "-t", "log"])
        .code(1)
        .stdout(
            "a: NOT CONFIRMED (no digest in the reply)\n\
         b: OK\n\
         c: NOT CONFIRMED (the server said 552)\n\
         d: NOT CONFIRMED (the transcript ends before)\n",
        );
    ftphash(directory.path(), &["confirm", "-t", "log", "b"]).success();
    ftphash(directory.path(), &["confirm", "-t", "log", "e"])
        .code(1)
        .stderr("ftphash: e: is not mentioned\n");
    ftphash(directory.path(), &["confirm", "-t", "a"]).code(1);
    ftphash(directory.path(), &["confirm", "-t", "gone"]).code(1);
    ftphash(directory.path(), &["confirm", "--ascii"]).code(2);
}
