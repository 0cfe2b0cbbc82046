//! Sessions that the real inetd and xinetd start, in a network of their own.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::{Scratch, binaries, require};

const PORT: u16 = 2121;
/// Where the server is when there is a gateway before it.
const BEHIND: u16 = 2122;

/// Starts a superserver by these words, and moves a file through it in both directions, twice, as a client by this name.
#[track_caller]
fn serve(scratch: &Scratch, superserver: &str, name: &str) {
    let at = format!("127.0.0.1:{PORT}");
    let place = scratch.path().display();
    let script = format!(
        "set -e
        ip link set lo up
        {superserver} &
        left=100
        until curl -s ftp://{name}:secret@{at}/ >list; do left=$((left - 1)); test $left -gt 0; sleep 0.1; done
        for name in one two; do
            echo $name >$name
            curl -sS -T $name ftp://{name}:secret@{at}/
            test \"$(curl -sS ftp://{name}:secret@{at}/$name)\" = $name
            test \"$(cat {place}/home/$name)\" = $name
        done
        if curl -s ftp://{name}:wrong@{at}/; then exit 1; fi"
    );
    let output = Command::new("unshare")
        .args(["--net", "--pid", "--fork", "--kill-child", "--mount-proc"])
        .args(["sh", "-c", &script])
        .current_dir(scratch.path())
        .output()
        .unwrap();
    let read = |name: &str| fs::read_to_string(scratch.join(name)).unwrap_or_default();
    let (log, own) = (read("log"), read("fred.log"));
    assert!(output.status.success(), "{output:?}\n{log}");
    // Descriptor 2 is the client's: what there is to tell is in the files.
    assert!(!log.contains("upload of"), "{log}");
    assert!(own.contains("login of 'fred' from 127.0.0.1"), "{own}");
    assert!(
        own.contains("upload of one") && own.contains("upload of two"),
        "{own}"
    );
}

/// The files of a server, and the words that start a session of it; `None` where that cannot be tried.
fn server(scratch: &Scratch) -> Option<(PathBuf, String)> {
    let programs = ["unshare", "ip", "curl"];
    if !require::root() || !require::programs(&programs) {
        return None;
    }
    let home = scratch.directory("home");
    tests::scratch::mode(&home, 0o777);
    let entry = format!("fred:plain::secret:nobody:{}:\n", home.display());
    let place = scratch.path().display();
    let settings = format!(
        "ChHome\nAuthFile={place}/users\nServLogFile={place}/log\nLogFile={place}/$(User).log\n"
    );
    for (name, text) in [("users", entry), ("conf", settings)] {
        fs::write(scratch.join(name), text).unwrap();
        tests::scratch::mode(&scratch.join(name), 0o600);
    }
    Some((binaries::path("ftpd"), format!("-inetd -f {place}/conf")))
}

#[test]
fn inetd_starts_a_session_for_each_client() {
    let scratch = Scratch::new();
    let Some((program, words)) = server(&scratch) else {
        return;
    };
    if !require::programs(&["inetd"]) {
        return;
    }
    let program = program.display();
    let line = format!("127.0.0.1:{PORT} stream tcp nowait root {program} ftpd {words}\n");
    fs::write(scratch.join("inetd.conf"), line).unwrap();
    serve(&scratch, "inetd -i ./inetd.conf", "fred");
}

#[test]
fn inetd_starts_a_session_of_the_gateway_for_each_client() {
    for (setting, name) in [
        (format!("Server=127.0.0.1:{BEHIND}\n"), "fred".to_owned()),
        (String::new(), format!("fred%40127.0.0.1%3A{BEHIND}")),
    ] {
        let scratch = Scratch::new();
        let Some((program, words)) = server(&scratch) else {
            return;
        };
        if !require::programs(&["inetd"]) {
            return;
        }
        let place = scratch.path().display();
        let settings = format!(
            "Inetd\nTargets=127.0.0.1:{BEHIND}\nServLogFile={place}/gateway.log\n{setting}"
        );
        fs::write(scratch.join("gateway"), settings).unwrap();
        tests::scratch::mode(&scratch.join("gateway"), 0o600);
        let (program, gateway) = (program.display(), binaries::path("ftpproxy"));
        let lines = format!(
            "127.0.0.1:{BEHIND} stream tcp nowait root {program} ftpd {words}\n\
             127.0.0.1:{PORT} stream tcp nowait root {} ftpproxy -f {place}/gateway\n",
            gateway.display()
        );
        fs::write(scratch.join("inetd.conf"), lines).unwrap();
        serve(&scratch, "inetd -i ./inetd.conf", &name);
        let log = fs::read_to_string(scratch.join("gateway.log")).unwrap();
        assert!(log.contains("login of 'fred' at 127.0.0.1:2122"), "{log}");
        assert!(log.contains("upload, STOR 'two' of 'fred'"), "{log}");
        assert!(!log.contains("secret"), "{log}");
    }
}

#[test]
fn xinetd_starts_a_session_for_each_client() {
    let scratch = Scratch::new();
    let Some((program, words)) = server(&scratch) else {
        return;
    };
    let services = service("ftpd", PORT, &program, &words);
    if let Some(superserver) = xinetd(&scratch, &services) {
        serve(&scratch, &superserver, "fred");
    }
}

#[test]
fn xinetd_starts_a_session_of_the_gateway_for_each_client() {
    let scratch = Scratch::new();
    let Some((program, words)) = server(&scratch) else {
        return;
    };
    let place = scratch.path().display();
    let settings = format!(
        "Inetd\nTargets=127.0.0.1:{BEHIND}\nServer=127.0.0.1:{BEHIND}\nServLogFile={place}/gateway.log\n"
    );
    fs::write(scratch.join("gateway"), settings).unwrap();
    tests::scratch::mode(&scratch.join("gateway"), 0o600);
    let behind = service("ftpd", BEHIND, &program, &words);
    let gateway = binaries::path("ftpproxy");
    let gateway = service("ftpproxy", PORT, &gateway, &format!("-f {place}/gateway"));
    if let Some(superserver) = xinetd(&scratch, &(behind + &gateway)) {
        serve(&scratch, &superserver, "fred");
        let log = fs::read_to_string(scratch.join("gateway.log")).unwrap();
        assert!(log.contains("upload, STOR 'two' of 'fred'"), "{log}");
    }
}

/// What xinetd reads of a service.
fn service(name: &str, port: u16, program: &Path, words: &str) -> String {
    format!(
        "service {name}\n{{\ntype = UNLISTED\nport = {port}\nbind = 127.0.0.1\nsocket_type = stream\nprotocol = tcp\n\
         wait = no\nuser = root\nserver = {}\nserver_args = {words}\n}}\n",
        program.display()
    )
}

/// The words that start it with these services; `None` where it is not there.
fn xinetd(scratch: &Scratch, services: &str) -> Option<String> {
    // Debian installs only one of both at a time.
    let unpacked = binaries::peer("xinetd", "xinetd");
    let Some(xinetd) = unpacked.or_else(|| require::find("xinetd")) else {
        require::missing("xinetd, as packaging/peers.sh unpacks it");
        return None;
    };
    fs::write(scratch.join("xinetd.conf"), services).unwrap();
    let words = "-dontfork -stayalive -f ./xinetd.conf -pidfile ./pid";
    Some(format!("{} {words}", xinetd.display()))
}
