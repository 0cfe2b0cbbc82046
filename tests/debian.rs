//! The Debian package: it installs, starts, upgrades and goes as dpkg(1) says, on systems of the tests' own.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tests::{Scratch, binaries, namespaces, require};

fn run(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    output
}

/// The package of the programs under test, with this version.
fn package(directory: &Path, version: &str) -> PathBuf {
    let told = run(
        Command::new(binaries::root().join("packaging").join("deb.sh"))
            .arg(binaries::path("ftpd").parent().unwrap())
            .arg(directory)
            .env("VERSION", version)
            .env("DPKG_DEB_COMPRESSOR_TYPE", "none"),
    );
    PathBuf::from(String::from_utf8(told.stdout).unwrap().trim_end())
}

/// A root directory with nothing in it.
struct Root(PathBuf);

impl Root {
    fn new(scratch: &Scratch) -> Root {
        for directory in ["root/var/lib/dpkg/info", "root/var/lib/dpkg/updates"] {
            scratch.directory(directory);
        }
        fs::write(scratch.join("root/var/lib/dpkg/status"), "").unwrap();
        Root(scratch.join("root"))
    }

    fn dpkg(&self, words: &[&str]) {
        run(Command::new("dpkg")
            .arg(format!("--root={}", self.0.display()))
            .args([
                "--force-depends",
                "--force-script-chrootless",
                "--log=/dev/null",
            ])
            .args(words)
            .env("DEBIAN_FRONTEND", "noninteractive"));
    }
}

#[test]
fn it_goes_into_another_root_and_out_of_it() {
    if !require::root() || !require::programs(&["dpkg", "dpkg-deb", "systemd-sysusers"]) {
        return;
    }
    let scratch = Scratch::new();
    let root = Root::new(&scratch);
    let first = package(scratch.path(), "1.0");
    root.dpkg(&["--install", first.to_str().unwrap()]);
    let users = root.0.join("etc/metaftpd.auth");
    assert_eq!(fs::read_to_string(&users).unwrap(), "");
    let passwd = fs::read_to_string(root.0.join("etc/passwd")).unwrap();
    assert!(passwd.contains("ftp:x:"), "{passwd}");
    root.dpkg(&["--remove", "ftpd-suite"]);
    assert!(!root.0.join("usr/sbin/ftpd").exists() && users.exists());
    root.dpkg(&["--purge", "ftpd-suite"]);
    assert!(!users.exists());
}

/// Takes away what excludes the package, which is not what is tried.
const BEFORE: &str = r#"
others=$(dpkg-query -W -f '${Package} ${Provides}\n' | sed -n 's/ .*ftp-server.*//p')
test -z "$others" || dpkg --purge $others
useradd -m fred
"#;

const SCRIPT: &str = r#"
start() {
    # As systemd would.
    $(sed -n 's/^ExecStart=//p' /usr/lib/systemd/system/ftpd.service) </dev/null &
    daemon=$!
    left=300
    until curl -sS -o /dev/null "$1"; do left=$((left - 1)); test $left -gt 0; sleep 0.1; done
}
stop() { kill "$daemon"; wait "$daemon"; }
# Whatever it asks, nobody answers.
dpkg --install /run/packages/*_1.0_*.deb </dev/null
getent passwd ftp
echo secret | ftpuser add fred --real-user fred --home /home/fred --password-stdin
start ftp://fred:secret@127.0.0.1/
echo hello >/run/file
curl -sS -T /run/file ftp://fred:secret@127.0.0.1/file
test "$(cat /home/fred/file)" = hello
test "$(stat -c %U /home/fred/file)" = fred
rm /home/fred/file
stop
sed -i 's/^Port=21$/Port=2121/' /etc/metaftpd.conf
kept() { sha256sum /etc/metaftpd.conf /etc/metaftpd.auth; }
before=$(kept)
dpkg --install /run/packages/*_2.0_*.deb </dev/null
test "$(dpkg-query -W -f '${Version}' ftpd-suite)" = 2.0
test "$(kept)" = "$before"
start ftp://fred:secret@127.0.0.1:2121/
logrotate --force --state /run/state /etc/logrotate.d/ftpd
test -e /var/log/ftpd.log.1
stop
dpkg --remove ftpd-suite
test ! -e /usr/sbin/ftpd
test "$(kept)" = "$before"
dpkg --purge ftpd-suite
"#;

/// A copy of the whole system that remembers its changes in `upper`, and what has changed in it but for what Debian keeps: the
/// books of dpkg, of what manual pages there are, and of users.
const STAGE: &str = r#"
mount -t tmpfs none "$PLACE/layers"
cd "$PLACE/layers"
mkdir upper work root
mount -t overlay none -o lowerdir=/,upperdir=upper,workdir=work root
for empty in run tmp; do mount -t tmpfs none root/$empty; done
mount -t proc none root/proc
mount --bind /dev root/dev
ip link set lo up
echo staged >&2
mkdir root/run/packages
cp "$PLACE"/*.deb "$PLACE/before" "$PLACE/script" root/run/packages
changes() {
    (
        cd upper
        find . ! -type d -printf '%p %y %m %U %G %s\n'
        find . -type d -exec sh -c 'for made; do test -d "/$made" || echo "$made"; done' sh {} +
    ) | grep -Ev '^\./(var/lib/dpkg/|var/cache/|var/log/dpkg\.log|etc/(passwd|group|shadow|gshadow|subuid|subgid)-? )' | sort
}
chroot root sh -ex /run/packages/before
changes >before
chroot root sh -ex /run/packages/script
changes >after
diff before after
"#;

#[test]
fn it_lives_in_a_copy_of_this_system_and_leaves_nothing_behind() {
    let programs = ["unshare", "mount", "chroot", "ip", "curl", "useradd"];
    let debian = ["dpkg", "dpkg-deb", "systemd-sysusers", "logrotate"];
    if !require::root() || !require::programs(&[&programs[..], &debian].concat()) {
        return;
    }
    let scratch = Scratch::new();
    scratch.directory("layers");
    for version in ["1.0", "2.0"] {
        package(scratch.path(), version);
    }
    fs::write(scratch.join("before"), BEFORE).unwrap();
    fs::write(scratch.join("script"), SCRIPT).unwrap();
    let output = namespaces::staged(&format!("set -e\n{STAGE}"), |command| {
        command
            .stdin(Stdio::null())
            .env("PLACE", scratch.path())
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .env("DEBIAN_FRONTEND", "noninteractive");
    });
    let Some(output) = output else { return };
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
