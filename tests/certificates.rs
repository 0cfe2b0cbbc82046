//! Certificates: made, checked, kept from everybody but the signer, and renewed while the server runs.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::Signal;
use tests::processes::Process;
use tests::server::{Server, Setup};
use tests::{Scratch, binaries, require, wait};

/// The uid of the signer: two above SessionUser.
const SIGNER: u32 = 60623;

fn ftpd(directory: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(binaries::path("ftpd"));
    command.args(words).current_dir(directory);
    command.stdin(Stdio::null()).output().unwrap()
}

fn make_cert(directory: &Path, host: &str) {
    let made = ftpd(directory, &["--make-cert", host]);
    assert!(made.status.success(), "{made:?}");
}

fn openssl(directory: &Path, words: &str) {
    let mut command = Command::new("openssl");
    command
        .args(words.split_whitespace())
        .current_dir(directory);
    let done = command.stdin(Stdio::null()).output().unwrap();
    assert!(done.status.success(), "openssl {words}: {done:?}");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

/// A server with a certificate of its own.
fn server() -> Server {
    let setup = Setup::new().flag(&["-cert", "a.example.pem", "-key", "a.example.key"]);
    make_cert(setup.scratch(), "a.example");
    setup.start()
}

/// The signers that there are.
fn signers(server: &Server) -> Vec<Process> {
    let is_signer = |process: &Process| {
        // It may have ended meanwhile.
        let status = fs::read_to_string(format!("/proc/{}/status", process.pid));
        status.is_ok_and(|status| status.contains(&format!("\nUid:\t{SIGNER}\t{SIGNER}\t")))
    };
    let mut children = server.process().children();
    children.retain(is_signer);
    children
}

fn only_signer(server: &Server) -> Process {
    wait::until("there is one signer", || signers(server).len() == 1);
    signers(server).remove(0)
}

#[test]
fn a_made_certificate_is_for_its_owner_and_never_replaces_another() {
    let scratch = Scratch::new();
    make_cert(scratch.path(), "ftp.example");
    let (certificate, key) = (
        scratch.join("ftp.example.pem"),
        scratch.join("ftp.example.key"),
    );
    assert_eq!((mode(&certificate), mode(&key)), (0o644, 0o600));
    let before = fs::read(&key).unwrap();
    let again = ftpd(scratch.path(), &["--make-cert", "ftp.example"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(
        text(&again.stderr).contains("ftp.example.key is there already"),
        "{again:?}"
    );
    fs::remove_file(&key).unwrap();
    let again = ftpd(scratch.path(), &["--make-cert", "ftp.example"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(!key.exists(), "a key without its certificate stayed");
    assert_ne!(before, b"");
    for wrong in ["", "../up", "a/b", "-x", "a b"] {
        let refused = ftpd(scratch.path(), &[&format!("--make-cert={wrong}")]);
        assert!(!refused.status.success(), "{wrong}");
    }
    make_cert(scratch.path(), "192.0.2.7");
}

/// What `--check` says about a certificate and its key.
fn check(directory: &Path, certificate: &str, key: &str) -> Output {
    fs::write(directory.join("users"), "").unwrap();
    fs::set_permissions(directory.join("users"), fs::Permissions::from_mode(0o600)).unwrap();
    let words = [
        "--check",
        "-A",
        "native",
        "-a",
        "users",
        "-cert",
        certificate,
        "-key",
        key,
    ];
    ftpd(directory, &words)
}

#[test]
fn check_tells_how_long_a_certificate_is_valid() {
    if !require::programs(&["openssl"]) {
        return;
    }
    let scratch = Scratch::new();
    make_cert(scratch.path(), "ftp.example");
    let told = check(scratch.path(), "ftp.example.pem", "ftp.example.key");
    assert!(told.status.success(), "{told:?}");
    let line = text(&told.stdout);
    let days = |days: u32| format!("ftp.example.pem: ECDSA P-256, ftp.example, {days} days left\n");
    assert!(
        line.contains(&days(364)) || line.contains(&days(365)),
        "{line}"
    );
    let warnings = || {
        let told = check(scratch.path(), "short.pem", "ftp.example.key");
        assert!(told.status.success(), "{told:?}");
        text(&told.stderr)
    };
    for (days, sentence) in [
        (13, Some("short.pem: the certificate expires in 1")),
        (15, None),
    ] {
        let words = "req -x509 -key ftp.example.key -subj /CN=x -out short.pem -days";
        openssl(scratch.path(), &format!("{words} {days}"));
        let told = warnings();
        assert_eq!(told.contains("short.pem"), sentence.is_some(), "{told}");
        assert!(told.contains(sentence.unwrap_or_default()), "{told}");
    }
    fs::write(
        scratch.join("short.pem"),
        expired(&scratch.join("ftp.example.key")),
    )
    .unwrap();
    let told = warnings();
    assert!(
        told.contains("short.pem: the certificate expired "),
        "{told}"
    );
    fs::set_permissions(
        scratch.join("ftp.example.key"),
        fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    let told = check(scratch.path(), "ftp.example.pem", "ftp.example.key");
    assert_eq!(told.status.code(), Some(1));
    assert!(
        text(&told.stderr).contains("its mode is 0644: chmod 600 it"),
        "{told:?}"
    );
}

/// A certificate for a key that expired long ago.
fn expired(key: &Path) -> String {
    let key = rcgen::KeyPair::from_pem(&fs::read_to_string(key).unwrap()).unwrap();
    let mut params = rcgen::CertificateParams::new(["a.example".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2019, 1, 1);
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    params.self_signed(&key).unwrap().pem()
}

#[test]
fn a_server_does_not_start_with_a_key_that_is_not_its_certificates() {
    let setup = Setup::new().flag(&["-cert", "a.example.pem", "-key", "b.example.key"]);
    make_cert(setup.scratch(), "a.example");
    make_cert(setup.scratch(), "b.example");
    setup.refused("does not fit the certificate in");
}

#[test]
fn files_that_change_are_read_anew_and_bad_ones_change_nothing() {
    if !require::root() {
        return;
    }
    let server = server();
    let first = only_signer(&server);
    let directory = server.scratch.path().to_owned();
    let path = |name: &str| directory.join(name);
    server.process().signal(Signal::SIGHUP);
    server.log.line_with(&["certificates: renewed, 1 in use"]);
    first.wait_for_end();
    let second = only_signer(&server);
    make_cert(&directory, "b.example");
    // Another key alone does not fit: it is told, and the old pair stays.
    fs::rename(path("b.example.key"), path("a.example.key")).unwrap();
    server
        .log
        .line_with(&["certificates: the old ones stay in use", "does not fit"]);
    assert_eq!(only_signer(&server), second);
    drop(server.connect());
    // With the certificate it does.
    fs::rename(path("b.example.pem"), path("a.example.pem")).unwrap();
    second.wait_for_end();
    let third = only_signer(&server);
    fs::write(path("a.example.pem"), "half a certi").unwrap();
    server.log.line_with(&[
        "certificates: the old ones stay in use",
        "holds no certificate",
    ]);
    assert_eq!(only_signer(&server), third);
    // One that fits and has expired is no better.
    fs::write(path("a.example.pem"), expired(&path("a.example.key"))).unwrap();
    server
        .log
        .line_with(&["certificates: the old ones stay in use", "expired"]);
    assert_eq!(only_signer(&server), third);
}

#[test]
fn a_signer_ends_with_the_server_and_has_nothing_of_its_powers() {
    if !require::root() {
        return;
    }
    let mut server = server();
    let signer = only_signer(&server);
    assert_eq!(signer.numbers("Gid"), [SIGNER; 4]);
    assert_eq!(signer.numbers("Groups"), [0; 0]);
    let status = signer.status();
    assert_eq!(
        (&*status["CapPrm"], &*status["Seccomp"]),
        ("0000000000000000", "2")
    );
    assert!(signer.root().to_string_lossy().ends_with("(deleted)"));
    server.process().signal(Signal::SIGTERM);
    assert!(server.wait().success());
    signer.wait_for_end();
}

#[test]
fn a_signer_that_dies_at_once_is_told_of_and_another_one_started_on_demand() {
    if !require::root() {
        return;
    }
    let server = server();
    let first = only_signer(&server);
    first.signal(Signal::SIGKILL);
    first.wait_for_end();
    server
        .log
        .line_with(&["the signer ended at once", "SIGHUP"]);
    // Who wants no TLS does not notice.
    drop(server.logged_in());
    server.process().signal(Signal::SIGHUP);
    server.log.line_with(&["certificates: renewed, 1 in use"]);
    assert_ne!(only_signer(&server), first);
}

#[test]
fn an_ordinary_user_has_a_signer_too() {
    if !require::programs(&["openssl"]) {
        return;
    }
    let setup = Setup::rootless().flag(&["-cert", "a.example.pem", "-key", "a.example.key"]);
    make_cert(setup.scratch(), "a.example");
    let server = setup.start();
    drop(Secure::connect(&server));
    server.process().signal(Signal::SIGHUP);
    server.log.line_with(&["certificates: renewed, 1 in use"]);
    drop(Secure::connect(&server));
}

#[test]
fn a_session_of_inetd_has_its_own_signer_which_ends_with_it() {
    if !require::root() || !require::programs(&["openssl"]) {
        return;
    }
    let setup = Setup::new().flag(&["-cert", "a.example.pem", "-key", "a.example.key"]);
    make_cert(setup.scratch(), "a.example");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = Secure::begin(listener.local_addr().unwrap());
    let (theirs, _) = listener.accept().unwrap();
    let mut server = setup.inetd(OwnedFd::from(theirs));
    client.wait();
    let signer = only_signer(&server);
    drop(client);
    server.wait();
    signer.wait_for_end();
}

/// Whether the memory of a process holds one of these.
fn holds(process: &Process, needles: &[Vec<u8>]) -> bool {
    let maps = fs::read_to_string(format!("/proc/{}/maps", process.pid)).unwrap();
    let mut memory = fs::File::open(format!("/proc/{}/mem", process.pid)).unwrap();
    let mut looked_at = 0;
    for line in maps.lines() {
        let mut parts = line.split_whitespace();
        let (range, rights) = (parts.next().unwrap(), parts.next().unwrap());
        // What cannot be written was never written to.
        if !rights.starts_with("rw") {
            continue;
        }
        let (start, end) = range.split_once('-').unwrap();
        let address = |text| u64::from_str_radix(text, 16).unwrap();
        let mut octets = vec![0; usize::try_from(address(end) - address(start)).unwrap()];
        memory.seek(SeekFrom::Start(address(start))).unwrap();
        // Pages that the kernel gives to nobody cannot be read.
        if memory.read_exact(&mut octets).is_err() {
            continue;
        }
        looked_at += octets.len();
        if needles
            .iter()
            .any(|needle| memchr::memmem::find(&octets, needle).is_some())
        {
            return true;
        }
    }
    assert!(looked_at > 1 << 17, "only {looked_at} octets could be read");
    false
}

#[test]
fn the_key_is_in_the_memory_of_the_signer_and_of_no_other_process() {
    if !require::root() || !require::programs(&["openssl"]) {
        return;
    }
    let server = server();
    let directory = server.scratch.path().to_owned();
    openssl(
        &directory,
        "pkcs8 -topk8 -nocrypt -in a.example.key -outform DER -out key.der",
    );
    let der = fs::read(directory.join("key.der")).unwrap();
    let begin = der
        .windows(4)
        .position(|four| four == [1, 1, 4, 32])
        .unwrap()
        + 4;
    let scalar = der[begin..begin + 32].to_vec();
    let backwards: Vec<u8> = scalar.iter().rev().copied().collect();
    let pem = fs::read_to_string(directory.join("a.example.key")).unwrap();
    let line = pem.lines().nth(1).unwrap().as_bytes().to_vec();
    let needles = [der, scalar, backwards, line];
    let visitor = server.connect();
    let user = server.logged_in();
    let secure = Secure::connect(&server);
    let mut others = vec![server.process()];
    let signer = only_signer(&server);
    for child in server.process().children() {
        others.extend(child.children());
        others.push(child);
    }
    others.retain(|process| *process != signer);
    // Listener, logger, and three sessions of two halves.
    assert_eq!(others.len(), 8);
    for process in others {
        assert!(
            !holds(&process, &needles),
            "process {} has the key",
            process.pid
        );
    }
    assert!(
        holds(&signer, &needles),
        "the signer was looked into in vain"
    );
    drop((visitor, user, secure));
}

/// A client that has had a handshake signed, and stays.
struct Secure(Child);

impl Secure {
    fn connect(server: &Server) -> Secure {
        let mut secure = Secure::begin(server.address());
        secure.wait();
        secure
    }

    /// Starts it; the server may come later.
    fn begin(server: SocketAddr) -> Secure {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-brief", "-starttls", "ftp", "-connect"]);
        command.arg(server.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        Secure(command.stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Waits until the handshake is through.
    #[track_caller]
    fn wait(&mut self) {
        let said = BufReader::new(self.0.stderr.take().unwrap());
        let established = |line: io::Result<String>| line.unwrap() == "CONNECTION ESTABLISHED";
        assert!(said.lines().any(established), "no handshake");
    }
}

impl Drop for Secure {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The lines of README about a real certificate, with certbot's directory elsewhere.
fn recipe(certbot: &Path) -> Vec<String> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let lines = readme.lines().map(str::trim);
    lines
        .filter(|line| line.starts_with("Certificate") && line.contains("=/etc/letsencrypt"))
        .map(|line| line.replace("/etc/letsencrypt", certbot.to_str().unwrap()))
        .collect()
}

/// A certificate of a local CA in the files that certbot makes, for the `count`-th time.
fn certbot(directory: &Path, count: u32) {
    let host = "ftp.example.org";
    let (archive, live) = (
        directory.join("archive").join(host),
        directory.join("live").join(host),
    );
    fs::create_dir_all(&archive).unwrap();
    fs::create_dir_all(&live).unwrap();
    if count == 1 {
        openssl(
            directory,
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=Local",
        );
    }
    openssl(
        directory,
        &format!(
            "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout new.key -out new.csr -subj /CN={host} -addext subjectAltName=DNS:{host}"
        ),
    );
    openssl(
        directory,
        "x509 -req -in new.csr -CA ca.pem -CAkey ca.key -CAcreateserial -copy_extensions copy -days 30 -out new.pem",
    );
    let read = |name: &str| fs::read(directory.join(name)).unwrap();
    let private: PathBuf = archive.join(format!("privkey{count}.pem"));
    fs::write(&private, read("new.key")).unwrap();
    fs::set_permissions(&private, fs::Permissions::from_mode(0o600)).unwrap();
    let chain = [read("new.pem"), read("ca.pem")].concat();
    fs::write(archive.join(format!("fullchain{count}.pem")), chain).unwrap();
    for name in ["privkey", "fullchain"] {
        let link = live.join(format!("{name}.pem"));
        let _ = fs::remove_file(&link);
        symlink(format!("../../archive/{host}/{name}{count}.pem"), link).unwrap();
    }
}

#[test]
fn the_recipe_for_a_real_certificate_works_and_renews_itself() {
    if !require::root() || !require::programs(&["openssl"]) {
        return;
    }
    let scratch = Scratch::new();
    certbot(scratch.path(), 1);
    let lines = recipe(scratch.path());
    assert_eq!(lines.len(), 2, "{lines:?}");
    let setup = lines
        .iter()
        .fold(Setup::new(), |setup, line| setup.setting(line));
    let server = setup.start();
    let first = only_signer(&server);
    certbot(scratch.path(), 2);
    server.log.line_with(&["certificates: renewed, 1 in use"]);
    first.wait_for_end();
}
