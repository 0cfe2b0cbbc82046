//! The committed manual pages and completions are what the tools generate. `make generate` writes them anew.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use tests::binaries;

/// Every tool, with the section of its manual page.
const TOOLS: &[(&str, u8)] = &[("ftpd", 8), ("ftphash", 1), ("ftpproxy", 8), ("ftpuser", 1)];

/// What `--generate` makes of a tool, and the file that it is kept in.
fn generated(tool: &str, section: u8) -> [(&'static str, String); 4] {
    [
        ("man", format!("man/{tool}.{section}")),
        ("bash", format!("completions/{tool}.bash")),
        ("zsh", format!("completions/_{tool}")),
        ("fish", format!("completions/{tool}.fish")),
    ]
}

#[test]
fn manual_pages_and_completions_are_current() {
    let rewrite = std::env::var_os("GENERATE").is_some();
    let mut stale = Vec::new();
    for (tool, section) in TOOLS {
        let program = binaries::path(tool);
        for (what, file) in generated(tool, *section) {
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
fn no_generated_file_is_left_over() {
    let expected: BTreeSet<PathBuf> = TOOLS
        .iter()
        .flat_map(|(tool, section)| generated(tool, *section))
        .map(|(_, file)| binaries::root().join(file))
        .collect();
    let found: BTreeSet<PathBuf> = ["man", "completions"]
        .into_iter()
        .flat_map(|directory| std::fs::read_dir(binaries::root().join(directory)).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(found, expected);
}
