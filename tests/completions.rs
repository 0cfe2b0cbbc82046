//! The completions, asked by the shells that they are for.
#![expect(clippy::unwrap_used, reason = "what fails here shall end the test")]

use std::fs;
use std::process::Command;

use tests::{Scratch, binaries, require};

/// A command line, and a word among what may come at its end: a flag and a value of each tool.
const ASKED: [(&str, &str); 8] = [
    ("ftpd --dump", "--dump-config"),
    ("ftpd --logformat ", "json"),
    ("ftpd --explain UploadH", "UploadHook"),
    ("ftphash sum --alg", "--algorithm"),
    ("ftphash sum -a ", "whirlpool"),
    ("ftpproxy --targ", "--targets"),
    ("ftpuser import --from ", "pam-userdb"),
    ("ftpuser add fred -t ", "argon2id"),
];

fn directory() -> String {
    let path = binaries::root().join("completions");
    path.canonicalize().unwrap().to_str().unwrap().to_owned()
}

/// What a shell says to a script.
fn told(shell: &str, words: &[&str], script: &str) -> String {
    let scratch = Scratch::new();
    let path = scratch.join("script");
    fs::write(&path, script).unwrap();
    let output = Command::new("timeout")
        .args(["60", shell])
        .args(words)
        .arg(&path)
        .current_dir(scratch.path())
        .env("HOME", scratch.path())
        .env("TERM", "dumb")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{line}: {text} {output:?}",
        line = words.join(" ")
    );
    text
}

#[test]
fn bash_completes_a_flag_and_a_value() {
    for (line, expected) in ASKED {
        let words: Vec<_> = line.split(' ').collect();
        let (tool, last) = (words[0], words.len() - 1);
        let script = format!(
            "source {}/{tool}.bash\nCOMP_WORDS=({}{})\nCOMP_CWORD={last}\n_{tool} {tool} \"{}\" \"{}\"\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
            directory(),
            words[..last].join(" "),
            if words[last].is_empty() {
                " ''".to_owned()
            } else {
                format!(" {}", words[last])
            },
            words[last],
            words[last - 1],
        );
        let told = told("bash", &["--norc"], &script);
        assert!(told.lines().any(|word| word == expected), "{line}: {told}");
    }
}

#[test]
fn fish_completes_a_flag_and_a_value() {
    if !require::programs(&["fish"]) {
        return;
    }
    for (line, expected) in ASKED {
        let tool = line.split(' ').next().unwrap();
        let script = format!("source {}/{tool}.fish\ncomplete -C '{line}'\n", directory());
        let told = told("fish", &["--no-config"], &script);
        let mut words = told.lines().map(|line| line.split('\t').next().unwrap());
        assert!(words.any(|word| word == expected), "{line}: {told}");
    }
}

/// It completes on a terminal alone: what is typed there appears as text that is waited for.
#[test]
fn zsh_completes_a_flag_and_a_value() {
    if !require::programs(&["zsh"]) {
        return;
    }
    let mut script = format!(
        "zmodload zsh/zpty\nzpty z zsh -f -i\n\
         zpty -w z \"fpath=({} \\$fpath); autoload -U compinit; compinit -u -D; LISTMAX=0; PS1=; print rea''dy\"\n\
         zpty -r z out '*ready*'\n",
        directory()
    );
    for (line, expected) in ASKED {
        script.push_str(&format!(
            "zpty -w -n z $'{line}\\t\\t'\nzpty -r z out '*{expected}*' || exit 1\nzpty -w -n z $'\\x15'\n"
        ));
    }
    script.push_str("print whole\n");
    assert_eq!(told("zsh", &["-f"], &script), "whole\n");
}
