//! The three servers of the README, each by the lines that stand there: typed as root into a machine whose configuration,
//! homes and network are the test's own.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::fs;

use tests::{Scratch, binaries, namespaces, require};

/// The most lines that a set-up may have.
const MOST_LINES: usize = 9;

/// The lines below a sentence of the README, as they stand there.
#[track_caller]
fn lines_below(sentence: &str) -> String {
    let text = fs::read_to_string(binaries::root().join("README.md")).unwrap();
    let (_, rest) = text
        .split_once(sentence)
        .expect("the README has the sentence");
    let lines: Vec<_> = rest
        .lines()
        .skip(2)
        .map_while(|line| line.strip_prefix("    "))
        .collect();
    assert!((1..=MOST_LINES).contains(&lines.len()), "{lines:?}");
    lines.join("\n") + "\n"
}

/// Types the lines, with a password where one is asked for, and then what a client and an onlooker do.
#[track_caller]
fn run(sentence: &str, then: &str) {
    let programs = ["unshare", "mount", "ip", "curl", "useradd", "install"];
    if !require::root() || !require::programs(&programs) {
        return;
    }
    let scratch = Scratch::new();
    let place = scratch.path().display().to_string();
    fs::write(scratch.join("typed"), lines_below(sentence)).unwrap();
    // A ! would hide a success from -e.
    let then = format!(
        "refused() {{ if \"$@\"; then echo \"not refused: $*\" >&2; exit 1; fi; }}\n{then}"
    );
    fs::write(scratch.join("then"), then).unwrap();
    // /etc is this machine's with all changes on top of it; the rest begins empty.
    let stage = format!(
        "set -e
        mkdir {place}/layers && mount -t tmpfs none {place}/layers
        mkdir {place}/layers/upper {place}/layers/work
        mount -t overlay none -o lowerdir=/etc,upperdir={place}/layers/upper,workdir={place}/layers/work /etc
        for empty in /srv /home /run; do mount -t tmpfs -o mode=755 none $empty; done
        rm -f /etc/metaftpd.conf /etc/metaftpd.auth
        mkdir -p /etc/ssl/private
        ip link set lo up
        echo staged >&2
        echo correct-horse | sh -e {place}/typed
        sh -e {place}/then"
    );
    let programs = binaries::path("ftpd").parent().unwrap().to_owned();
    let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", programs.display());
    let output = namespaces::staged(&stage, |command| {
        command.current_dir(scratch.path()).env("PATH", path);
    });
    let Some(output) = output else { return };
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn files_for_everybody_to_read_only() {
    run(
        "Files for everybody, to read only:",
        "echo hello >/srv/ftp/file; chmod 755 /srv/ftp
        test \"$(curl -sS ftp://localhost/file)\" = hello
        refused curl -sS -T /etc/hostname ftp://localhost/new
        refused curl -sS -Q 'DELE file' ftp://localhost/
        refused test -e /srv/ftp/new; test -e /srv/ftp/file",
    );
}

#[test]
fn a_drop_box_whose_files_are_moved_on() {
    run(
        "A drop box for a scanner, from which each whole file is moved on:",
        "echo page >scan.pdf
        curl -sS -T scan.pdf ftp://scanner:correct-horse@localhost/
        left=300
        until test -e /srv/inbox/scan.pdf; do left=$((left - 1)); test $left -gt 0; sleep 0.1; done
        test \"$(cat /srv/inbox/scan.pdf)\" = page; refused test -e /srv/scans/scan.pdf",
    );
}

#[test]
fn a_user_confined_and_under_tls() {
    run(
        "A user who sees the own home directory alone, under TLS alone:",
        "echo mine >/home/alice/file; chown alice /home/alice/file
        refused curl -sS ftp://alice:correct-horse@localhost/file
        safely() { curl -sS --ssl-reqd --cacert /etc/ssl/private/ftp.example.org.pem \\
            --resolve ftp.example.org:21:127.0.0.1 \"$@\"; }
        test \"$(safely ftp://alice:correct-horse@ftp.example.org/file)\" = mine
        refused safely ftp://alice:correct-horse@ftp.example.org//etc/hostname
        refused safely ftp://alice:wrong@ftp.example.org/file",
    );
}

/// From one page of the repository to another, and to a heading there.
#[test]
fn every_link_leads_somewhere() {
    let root = binaries::root();
    let mut pages = vec!["README.md", "ARCHITECTURE.md", "SECURITY.md"]
        .into_iter()
        .map(|name| root.join(name))
        .collect::<Vec<_>>();
    pages.extend(
        fs::read_dir(root.join("doc"))
            .unwrap()
            .map(|entry| entry.unwrap().path()),
    );
    let heading = |line: &str| {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        let kept = words
            .chars()
            .filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-');
        kept.collect::<String>().replace(' ', "-")
    };
    let mut links = 0;
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1) {
            let target = link.split(')').next().unwrap();
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = match file {
                "" => page.clone(),
                file => page.with_file_name(file),
            };
            assert!(file.exists(), "{page:?}: {target}");
            if !anchor.is_empty() {
                let text = fs::read_to_string(&file).unwrap();
                let found = text
                    .lines()
                    .any(|line| line.starts_with('#') && heading(line) == anchor);
                assert!(found, "{page:?}: {target}");
            }
            links += 1;
        }
    }
    assert!(links > 10, "{links}");
}
