//! The committed manual pages and completions are what the tools generate, and the examples on pages are right.
//! `make generate` writes them anew.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use tests::{Scratch, binaries, require};

/// What the examples of command lines are about.
const PLACE: &[(&str, &str)] = &[
    ("metaftpd.conf", "Port=2121\nAuthFile=DIR/users\n"),
    ("users", ""),
    ("password", "correct-horse\n"),
    (
        "htpasswd",
        "bert:$2y$05$WJuTZBLQyTzcKmXVDnEBReMrrLXsGPVvQxdbBAMlvwZFrHSB4tYHG\n",
    ),
    ("releases/a.tar", "a"),
    ("mirror/a.tar", "a"),
    ("hello.txt", "hello\n"),
    (
        "session.log",
        "< 220 ready\n> RETR pub/hello.txt\n< 150 now\n< 226 Transfer complete. MD5=b1946ac92492d2347c6235b4d2611184\n",
    ),
];

/// Every tool, with the section of its manual page and the pages of what it reads.
const TOOLS: &[(&str, u8, &[&str])] = &[
    ("ftpd", 8, &["metaftpd.conf.5", "ftpd-hooks.5"]),
    ("ftphash", 1, &[]),
    ("ftpproxy", 8, &["ftpproxy.conf.5"]),
    ("ftpuser", 1, &["metaftpd.auth.5"]),
];

/// What `--generate` makes of a tool, and the file that it is kept in.
fn generated(tool: &str, section: u8, of_files: &[&'static str]) -> Vec<(&'static str, String)> {
    let mut files = vec![
        ("man", format!("man/{tool}.{section}")),
        ("bash", format!("completions/{tool}.bash")),
        ("zsh", format!("completions/_{tool}")),
        ("fish", format!("completions/{tool}.fish")),
    ];
    files.extend(of_files.iter().map(|page| (*page, format!("man/{page}"))));
    files
}

#[test]
fn manual_pages_and_completions_are_current() {
    let rewrite = std::env::var_os("GENERATE").is_some();
    let mut stale = Vec::new();
    for (tool, section, of_files) in TOOLS {
        let program = binaries::path(tool);
        for (what, file) in generated(tool, *section, of_files) {
            let output = Command::new(&program)
                .args(["--generate", what])
                .output()
                .unwrap();
            assert!(output.status.success(), "{tool} --generate {what} fails");
            assert!(!output.stdout.is_empty());
            let path = binaries::root().join(&file);
            if rewrite {
                std::fs::write(&path, &output.stdout).unwrap();
            } else if std::fs::read(&path).ok().as_deref() != Some(&output.stdout[..]) {
                stale.push(file);
            }
        }
    }
    assert!(
        stale.is_empty(),
        "not current, run `make generate`: {stale:?}"
    );
}

#[test]
fn manual_pages_are_set_without_a_warning_and_fit_80_columns() {
    if !require::programs(&["groff"]) {
        return;
    }
    for entry in std::fs::read_dir(binaries::root().join("man")).unwrap() {
        let page = entry.unwrap().path();
        assert!(std::fs::read(&page).unwrap().is_ascii(), "{page:?}");
        let output = Command::new("groff")
            .args(["-ww", "-man", "-Tascii", "-P-cbou", "-rLL=80n"])
            .arg(&page)
            .output()
            .unwrap();
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{output:?}"
        );
        let text = String::from_utf8(output.stdout).unwrap();
        // A user's line is as long as its hash.
        let wide = |line: &&str| line.len() > 80 && !line.contains(":sha-256:");
        assert_eq!(text.lines().find(wide), None, "{page:?}");
    }
}

#[test]
fn no_generated_file_is_left_over() {
    let expected: BTreeSet<PathBuf> = TOOLS
        .iter()
        .flat_map(|(tool, section, of_files)| generated(tool, *section, of_files))
        .map(|(_, file)| binaries::root().join(file))
        .collect();
    let found: BTreeSet<PathBuf> = ["man", "completions"]
        .into_iter()
        .flat_map(|directory| std::fs::read_dir(binaries::root().join(directory)).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(found, expected);
}

/// The texts between `.nf` and `.fi` of a page that hold this word, as a reader sees them.
fn examples(page: &str, word: &str) -> Vec<String> {
    let path = binaries::root().join("man").join(page);
    let text = std::fs::read_to_string(path).unwrap();
    let texts = text.split("\n.nf\n").skip(1);
    texts
        .map(|rest| rest.split(".fi\n").next().unwrap())
        .map(|text| text.replace("\\-", "-").replace("\\&", ""))
        .filter(|text| text.contains(word))
        .collect()
}

#[test]
fn the_examples_of_configurations_pass_the_check() {
    let mut checked = 0;
    for (page, tool, word, extra) in [
        ("metaftpd.conf.5", "ftpd", "2121", &["-a", "users"][..]),
        ("ftpproxy.conf.5", "ftpproxy", "2121", &[]),
    ] {
        for text in examples(page, word) {
            let scratch = Scratch::new();
            let name = match text.contains("[listen]") {
                true => "example.toml",
                false => "example.conf",
            };
            for (name, text) in [(name, &text[..]), ("users", "")] {
                std::fs::write(scratch.join(name), text).unwrap();
                tests::scratch::mode(&scratch.join(name), 0o600);
            }
            let told = Command::new(binaries::path(tool))
                .current_dir(scratch.path())
                .args(["--check", "-f", name])
                .args(extra)
                .output()
                .unwrap();
            assert!(told.status.success(), "{text}\n{told:?}");
            checked += 1;
        }
    }
    assert_eq!(checked, 3);
}

/// Hooks are read, though the programs of examples are not there.
#[test]
fn the_examples_of_hooks_are_hooks() {
    let page = std::fs::read_to_string(binaries::root().join("doc/hooks.md")).unwrap();
    let mut texts = examples("ftpd-hooks.5", "[[hook]]");
    assert_eq!(texts.len(), 4);
    let blocks = page
        .split("\n\n")
        .filter(|text| text.contains("    [[hook]]"));
    let blocks: Vec<_> = blocks.map(str::to_owned).collect();
    assert_eq!(blocks.len(), 7, "{blocks:#?}");
    texts.extend(blocks);
    for text in texts {
        let scratch = Scratch::new();
        let file = scratch.join("example.toml");
        std::fs::write(&file, &text).unwrap();
        tests::scratch::mode(&file, 0o600);
        let told = Command::new(binaries::path("ftpd"))
            .args(["--dump-config", "-f"])
            .arg(&file)
            .output()
            .unwrap();
        assert!(told.status.success(), "{text}\n{told:?}");
    }
}

/// Servers are only checked, since they would not end.
#[test]
fn the_examples_of_command_lines_work() {
    let programs = binaries::path("ftpd").parent().unwrap().to_owned();
    for (tool, section, _) in TOOLS {
        binaries::path(tool);
        let page = binaries::root().join(format!("man/{tool}.{section}"));
        let page = std::fs::read_to_string(page).unwrap();
        let (_, examples) = page
            .split_once(".SH EXAMPLES\n")
            .unwrap_or_else(|| panic!("{tool}"));
        let examples = examples.split(".SH").next().unwrap();
        let lines = examples
            .lines()
            .filter_map(|line| line.strip_prefix("\\fB"));
        let lines: Vec<_> = lines
            .map(|line| {
                line.trim_end_matches("\\fR")
                    .replace("\\-", "-")
                    .replace("\\*(Aq", "'")
            })
            .collect();
        assert!(lines.len() > 1, "{tool}: {lines:?}");
        let scratch = Scratch::new();
        for (name, text) in PLACE {
            let file = scratch.join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            let text = text.replace("DIR", scratch.path().to_str().unwrap());
            std::fs::write(&file, text).unwrap();
            tests::scratch::mode(&file, 0o600);
        }
        for line in lines {
            let serves = ["ftpd", "ftpproxy"].contains(tool) && !line.contains(" --");
            let asked = match (serves, *tool) {
                (true, "ftpd") if line.contains(" -a ") => format!("{line} --check -f /dev/null"),
                (true, "ftpd") => format!("{line} --check -f ./metaftpd.conf"),
                (true, _) => format!("{line} --check -f /dev/null"),
                (false, _) => line.clone(),
            };
            let told = Command::new("sh")
                .args(["-c", &asked])
                .current_dir(scratch.path())
                .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
                .stdin(std::process::Stdio::null())
                .output()
                .unwrap();
            assert!(told.status.success(), "{asked}: {told:?}");
        }
    }
}
