//! The daemon in the background: when the program that was started ends, its process file, its log file, and what it tells systemd.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::fs;
use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use tests::log::address_in;
use tests::processes::Process;
use tests::{Client, Scratch, binaries, wait};

/// Files of a daemon, which is ended with this.
struct Scene {
    scratch: Scratch,
}

impl Scene {
    fn new() -> Scene {
        Scene {
            scratch: Scratch::new(),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    fn command(&self) -> Command {
        let users = self.file("users");
        fs::write(&users, "").unwrap();
        tests::scratch::mode(&users, 0o600);
        let mut command = Command::new(binaries::path("ftpd"));
        command
            .args(["-f", "/dev/null", "-port", "0", "-i", "127.0.0.1", "-a"])
            .arg(users)
            .arg("-pidfile")
            .arg(self.file("pid"))
            .stdin(Stdio::null());
        command
    }

    /// Starts it in the background; returns when the program that was started has ended.
    fn start(&self, words: &[&str]) -> Output {
        let mut command = self.command();
        command.arg("-logfile").arg(self.file("log")).args(words);
        command.output().unwrap()
    }

    /// The daemon that the file names.
    fn daemon(&self) -> Process {
        Process::of_file(&self.file("pid"))
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    fn wait_for_line(&self, name: &str, words: &str) {
        wait::until(&format!("{name} has {words:?}"), || {
            self.text(name).contains(words)
        });
    }

    fn address(&self) -> SocketAddr {
        self.wait_for_line("log", "listening on ");
        address_in(&self.text("log"))
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let pid = self.text("pid").trim().parse().ok();
        if let Some(daemon) = pid.and_then(Process::of) {
            daemon.signal(Signal::SIGTERM);
            daemon.wait_for_end();
        }
    }
}

#[test]
fn the_program_ends_when_clients_may_come_and_its_file_names_the_daemon() {
    let scene = Scene::new();
    let started = scene.start(&[]);
    assert!(started.status.success(), "{started:?}");
    let daemon = scene.daemon();
    drop(Client::connect(scene.address()));
    // Another one with this file is refused, whatever its port is.
    let second = scene.start(&[]);
    assert_eq!(second.status.code(), Some(1));
    let told = String::from_utf8(second.stderr).unwrap();
    let expected = format!("another daemon runs with it: process {}\n", daemon.pid);
    assert!(told.ends_with(&expected), "{told}");
    assert_eq!(scene.daemon(), daemon);
    daemon.signal(Signal::SIGTERM);
    daemon.wait_for_end();
    assert!(!scene.file("pid").exists());
}

#[test]
fn a_file_that_a_killed_daemon_left_is_in_nobodys_way() {
    let scene = Scene::new();
    assert!(scene.start(&[]).status.success());
    let first = scene.daemon();
    // A session that outlives its daemon does not keep the file.
    let _client = Client::connect(scene.address());
    first.signal(Signal::SIGKILL);
    first.wait_for_end();
    let second = scene.start(&[]);
    assert!(second.status.success(), "{second:?}");
    assert_ne!(scene.daemon(), first);
}

#[test]
fn what_keeps_it_from_serving_is_its_status() {
    let scene = Scene::new();
    let certificate = scene.file("none.pem");
    let failed = scene.start(&["-cert", certificate.to_str().unwrap()]);
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    let told = String::from_utf8(failed.stderr).unwrap();
    assert!(told.contains("none.pem"), "{told}");
}

#[test]
fn a_renamed_log_file_is_followed_by_a_new_one_on_request() {
    let scene = Scene::new();
    assert!(scene.start(&[]).status.success());
    let address = scene.address();
    let fail = || {
        let mut client = Client::connect(address);
        client.expect("USER nobody-at-all", 331);
        client.expect("PASS x", 530);
    };
    fs::rename(scene.file("log"), scene.file("old")).unwrap();
    fail();
    scene.wait_for_line("old", "login of 'nobody-at-all'");
    scene.daemon().signal(Signal::SIGUSR1);
    wait::until("there is a new file", || scene.file("log").exists());
    let before = scene.text("old");
    fail();
    scene.wait_for_line("log", "login of 'nobody-at-all'");
    assert_eq!(scene.text("old"), before);
}

#[test]
fn systemd_hears_when_clients_may_come() {
    let scene = Scene::new();
    let path = scene.file("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let mut child = scene
        .command()
        .arg("-nodemon")
        .env("NOTIFY_SOCKET", &path)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut text = [0; 64];
    let length = socket.recv(&mut text).unwrap();
    assert_eq!(&text[..length], b"READY=1\n");
    let daemon = scene.daemon();
    assert_eq!(daemon.pid.unsigned_abs(), child.id());
    daemon.signal(Signal::SIGTERM);
    assert!(child.wait().unwrap().success());
}
