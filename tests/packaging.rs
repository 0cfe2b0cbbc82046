//! What an installation brings along: configurations, units, rules for other programs, and the Debian package.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use nix::sys::signal::Signal;
use tests::log::address_in;
use tests::processes::Process;
use tests::{Client, Data, Scratch, Server, Setup, binaries, require, wait};

fn packaging(name: &str) -> PathBuf {
    binaries::root().join("packaging").join(name)
}

/// The directory of the programs under test.
fn programs() -> PathBuf {
    binaries::path("ftpd").parent().unwrap().to_owned()
}

fn run(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    output
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// Copies a file of the package with other places in it.
fn adapted(source: &Path, target: &Path, places: &[(&str, &Path)]) {
    let mut text = fs::read_to_string(source).unwrap();
    for (place, path) in places {
        assert!(text.contains(place), "{}: no {place}", source.display());
        text = text.replace(place, path.to_str().unwrap());
    }
    fs::write(target, text).unwrap();
    tests::scratch::mode(target, 0o644);
}

#[test]
fn every_shipped_configuration_passes_the_check() {
    let scratch = Scratch::new();
    run(Command::new(binaries::path("ftpd"))
        .args(["--make-cert", "localhost"])
        .current_dir(scratch.path()));
    let (users, log) = (scratch.join("users"), scratch.join("log"));
    let (certificate, key) = (scratch.join("localhost.pem"), scratch.join("localhost.key"));
    fs::write(&users, "").unwrap();
    tests::scratch::mode(&users, 0o600);
    let log: (&str, &Path) = ("/var/log/ftpd.log", &log);
    let users: (&str, &Path) = ("/etc/metaftpd.auth", &users);
    let certificate: [(&str, &Path); 2] = [
        ("/etc/ssl/certs/ftp.pem", &certificate),
        ("/etc/ssl/private/ftp.key", &key),
    ];
    let mut checked = 0;
    for entry in fs::read_dir(packaging("examples")).unwrap() {
        let source = entry.unwrap().path();
        let name = source.file_name().unwrap().to_str().unwrap().to_owned();
        let mut places = vec![log];
        match name.as_str() {
            "tls.toml" => places.extend(certificate),
            _ => places.push(users),
        }
        let copy = scratch.join(&name);
        adapted(&source, &copy, &places);
        let told = run(Command::new(binaries::path("ftpd"))
            .args(["--check", "-f"])
            .arg(&copy));
        assert!(
            text(&told.stdout).ends_with("configuration is fine\n"),
            "{name}: {told:?}"
        );
        checked += 1;
    }
    assert!(checked >= 3);
    for name in ["ftpproxy.conf", "ftpproxy-pool.conf"] {
        let copy = scratch.join(name);
        let proxy_log: (&str, &Path) = ("/var/log/ftpproxy.log", log.1);
        adapted(&packaging(name), &copy, &[proxy_log]);
        let told = run(Command::new(binaries::path("ftpproxy"))
            .args(["--check", "-f"])
            .arg(&copy));
        assert_eq!(text(&told.stdout), "configuration is fine\n", "{name}");
    }
}

#[test]
fn an_installation_has_all_in_its_place_and_leaves_configuration_alone() {
    let scratch = Scratch::new();
    let root = scratch.directory("root");
    let install = || {
        run(Command::new(packaging("install.sh"))
            .arg(programs())
            .env("DESTDIR", &root)
            .env("PREFIX", "/opt/ftpd"));
    };
    install();
    for file in [
        "opt/ftpd/sbin/ftpd",
        "opt/ftpd/bin/ftphash",
        "opt/ftpd/share/man/man8/ftpd.8",
        "opt/ftpd/share/man/man5/metaftpd.conf.5",
        "opt/ftpd/share/man/man5/metaftpd.auth.5",
        "opt/ftpd/share/bash-completion/completions/ftpuser",
        "opt/ftpd/lib/sysusers.d/ftpd.conf",
        "opt/ftpd/share/doc/ftpd/doc/hooks.md",
        "etc/pam.d/metaftpd",
    ] {
        assert!(root.join(file).exists(), "{file}");
    }
    let unit = fs::read_to_string(root.join("opt/ftpd/lib/systemd/system/ftpd.service")).unwrap();
    assert!(
        unit.contains("ExecStart=/opt/ftpd/sbin/ftpd -nodemon"),
        "{unit}"
    );
    let users = root.join("etc/metaftpd.auth");
    assert_eq!(
        fs::metadata(&users).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let own = "Port=2121\n";
    fs::write(root.join("etc/metaftpd.conf"), own).unwrap();
    fs::write(&users, "fred:null:::nobody:/:\n").unwrap();
    install();
    assert_eq!(
        fs::read_to_string(root.join("etc/metaftpd.conf")).unwrap(),
        own
    );
    assert_eq!(
        fs::read_to_string(users).unwrap(),
        "fred:null:::nobody:/:\n"
    );
}

fn address(log: &Path) -> std::net::SocketAddr {
    let text = || fs::read_to_string(log).unwrap_or_default();
    wait::until("it listens", || text().contains("listening on "));
    address_in(&text())
}

#[test]
fn systemd_waits_longer_than_a_server_that_lets_transfers_finish() {
    let told = text(
        &run(Command::new(binaries::path("ftpd")).args(["-f", "/dev/null", "--dump-config"]))
            .stdout,
    );
    let drain = told
        .lines()
        .find_map(|line| line.strip_prefix("# drain-timeout = "))
        .unwrap();
    let drain: u64 = drain.split(' ').next().unwrap().parse().unwrap();
    // The gateway's is the same.
    for unit in ["systemd/ftpd.service", "systemd/ftpproxy.service"] {
        let unit = fs::read_to_string(packaging(unit)).unwrap();
        let patience = unit
            .lines()
            .find_map(|line| line.strip_prefix("TimeoutStopSec="));
        let patience: u64 = patience.unwrap().parse().unwrap();
        // After that time sessions get ten seconds to end.
        assert!(patience > drain + 10, "{patience} s, and {drain} s");
    }
}

/// The capabilities that the unit leaves, as setpriv(1) writes them.
fn capabilities() -> String {
    let unit = fs::read_to_string(packaging("systemd/ftpd.service")).unwrap();
    let line = unit
        .lines()
        .find_map(|line| line.strip_prefix("CapabilityBoundingSet="));
    let names = line.unwrap().split_whitespace();
    let names = names.map(|name| format!("+{}", name.strip_prefix("CAP_").unwrap().to_lowercase()));
    format!("-all,{}", names.collect::<Vec<_>>().join(","))
}

#[test]
fn the_capabilities_of_the_unit_are_enough() {
    if !require::root() || !require::programs(&["setpriv"]) {
        return;
    }
    for methods in ["native", "native,session-pam"] {
        let bounding = format!("--bounding-set={}", capabilities());
        let server = Setup::new()
            .methods(methods)
            .through(&["setpriv", &bounding, "--no-new-privs"])
            .start();
        let mut client = server.logged_in();
        client.upload(Data::Epsv, "file", b"content");
        assert_eq!(client.download(Data::Epsv, "file"), b"content");
        client.expect("QUIT", 221);
    }
}

#[test]
fn systemd_finds_the_unit_sound_and_confined() {
    if !require::programs(&["systemd-analyze"]) {
        return;
    }
    let scratch = Scratch::new();
    let units = scratch.directory("etc/systemd/system");
    fs::copy(
        packaging("systemd/ftpd.service"),
        units.join("ftpd.service"),
    )
    .unwrap();
    let root = format!("--root={}", scratch.path().display());
    // Up to 4.0 of 10: it must become any user, and read and write wherever that one may.
    let told = run(Command::new("systemd-analyze").args([
        "security",
        "--offline=true",
        "--threshold=40",
        &root,
        "ftpd.service",
    ]));
    // What systemd does not understand it says, and goes on.
    assert_eq!(text(&told.stderr), "");
    println!("{}", text(&told.stdout).lines().last().unwrap_or_default());
}

#[test]
fn systemd_finds_the_sockets_sound_and_they_say_what_the_daemons_read() {
    if !require::programs(&["systemd-analyze"]) {
        return;
    }
    let scratch = Scratch::new();
    let units = scratch.directory("etc/systemd/system");
    let programs = scratch.directory("usr/sbin");
    let mut sockets = Vec::new();
    for entry in fs::read_dir(packaging("systemd")).unwrap() {
        let source = entry.unwrap().path();
        let name = source.file_name().unwrap().to_str().unwrap().to_owned();
        fs::copy(&source, units.join(&name)).unwrap();
        match name.rsplit_once('.').unwrap() {
            (program, "service") => {
                fs::copy("/bin/true", programs.join(program)).unwrap();
            }
            _ => sockets.push(name),
        }
    }
    assert_eq!(sockets.len(), 3);
    for name in sockets {
        let told = Command::new("systemd-analyze")
            .args(["verify", "--recursive-errors=no", "--man=no"])
            .arg(units.join(&name))
            .output()
            .unwrap();
        let wrong = text(&told.stderr);
        assert!(!wrong.contains(&name), "{name}: {wrong}");
        let unit = fs::read_to_string(units.join(&name)).unwrap();
        let own = if name.contains("-tls") { "ftps" } else { "ftp" };
        assert!(
            unit.contains(&format!("FileDescriptorName={own}\n")),
            "{unit}"
        );
        // One that is started for each connection gets no listening socket.
        assert!(!unit.contains("Accept="), "{unit}");
    }
}

/// Fails to log in under each name, and gives the log.
fn failures(server: &Server, names: &[&str]) -> String {
    for name in names {
        let mut client = server.connect();
        client.command(&format!("USER {name}"));
        client.expect("PASS secret", 530);
    }
    let last = names.last().unwrap().replace('\'', "\\'");
    server.log.line_with(&["login of", &last, "failed"]);
    server.log.text()
}

#[test]
fn row_74_fail2ban_finds_every_failure_and_no_forged_one() {
    if !require::programs(&["fail2ban-regex"]) {
        return;
    }
    let server = Setup::new().start();
    let names = [
        "fred",
        "x' from 192.0.2.1 failed: ",
        "\\' from 192.0.2.2 failed: wrong password",
        "a b [1] login of 'y' from 192.0.2.3 failed: z",
        "\u{e9}\u{202e}<HOST>",
        "last",
    ];
    let log = failures(&server, &names);
    let scratch = Scratch::new();
    let file = scratch.join("log");
    // Lines of the same kind about what is no failure.
    let more = "2026-01-01T00:00:00.000Z [7] login of 'x' from 192.0.2.4\n\
                2026-01-01T00:00:00.000Z [7] session 7, 'x' from 192.0.2.6: upload of login of 'x' from 192.0.2.5 failed: : 1 octets, complete\n\
                2026-01-01T00:00:00.000Z [7] login of 'z' from 2001:db8::7 failed: wrong password\n";
    fs::write(&file, format!("{log}\n{more}")).unwrap();
    let told = run(Command::new("fail2ban-regex")
        .args(["-o", "ip"])
        .arg(&file)
        .arg(packaging("fail2ban/ftpd.conf")));
    let found = text(&told.stdout);
    let mut found: Vec<_> = found.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(found.pop(), Some("2001:db8::7"));
    assert_eq!(found, ["127.0.0.1"; 6]);
}

#[test]
fn logrotate_takes_the_old_log_and_the_daemon_goes_on_in_a_new_one() {
    if !require::root() || !require::programs(&["logrotate"]) {
        return;
    }
    let scratch = Scratch::new();
    let (log, pid, users) = (
        scratch.join("log"),
        scratch.join("pid"),
        scratch.join("users"),
    );
    fs::write(&users, "").unwrap();
    tests::scratch::mode(&users, 0o600);
    let rules = scratch.join("rules");
    let transfers = scratch.join("transfers");
    let places: [(&str, &Path); 3] = [
        ("/var/log/ftpd.log", &log),
        ("/var/log/xferlog", &transfers),
        ("/run/ftpd.pid", &pid),
    ];
    adapted(&packaging("logrotate"), &rules, &places);
    run(Command::new(binaries::path("ftpd"))
        .args(["-f", "/dev/null", "-port", "0", "-i", "127.0.0.1", "-a"])
        .args([
            &users,
            Path::new("-logfile"),
            &log,
            Path::new("-pidfile"),
            &pid,
        ]));
    let daemon = Process::of_file(&pid);
    let address = address(&log);
    run(Command::new("logrotate")
        .arg("--force")
        .arg("--state")
        .arg(scratch.join("state"))
        .arg(&rules));
    let old = fs::read_to_string(scratch.join("log.1")).unwrap();
    assert!(old.contains("listening on "), "{old}");
    let mut client = Client::connect(address);
    client.command("USER after");
    client.expect("PASS x", 530);
    wait::until("the new file has a line", || {
        fs::read_to_string(&log).is_ok_and(|text| text.contains("login of 'after'"))
    });
    daemon.signal(Signal::SIGTERM);
    daemon.wait_for_end();
}
