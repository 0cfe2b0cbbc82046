//! The same conversations with the servers of others: where ours differs from vsftpd, ProFTPD or Pure-FTPd, the transcript
//! says so and why, and where it says so, they do differ.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use tests::twins::{self, Twin};
use tests::{require, transcript};

fn every_transcript_with(name: &str) {
    if !require::root() || !require::programs(&["chpasswd", "useradd"]) {
        return;
    }
    let Some(program) = twins::program(name) else {
        require::missing(&format!("{name}, which packaging/peers.sh unpacks"));
        return;
    };
    let mut played = 0;
    let mut differences = String::new();
    let mut files: Vec<_> = std::fs::read_dir(transcript::directory())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        if !transcript::twins(&text).contains(&name) {
            continue;
        }
        played += 1;
        let twin = Twin::start(name, &program);
        for difference in transcript::play_with_twin(&text, name, &twin.login) {
            let file = file.file_name().unwrap().display();
            differences.push_str(&format!("\n{file}, {difference}"));
        }
    }
    assert!(differences.is_empty(), "{name}:{differences}");
    assert!(
        played > 5,
        "only {played} transcripts have {name} as a twin"
    );
}

#[test]
fn vsftpd_differs_where_the_transcripts_say_so() {
    every_transcript_with("vsftpd");
}

#[test]
fn proftpd_differs_where_the_transcripts_say_so() {
    every_transcript_with("proftpd");
}

#[test]
fn pure_ftpd_differs_where_the_transcripts_say_so() {
    every_transcript_with("pure-ftpd");
}
