//! The examples of README.md and of the manual page.

use std::fs;
use std::process::{Command, Stdio};

use tests::binaries;

use crate::tree;

/// What the examples are about.
fn place() -> tempfile::TempDir {
    tree(&[
        ("releases/a.tar", b"a"),
        ("releases/b/c.tar", b"c"),
        ("mirror/a.tar", b"a"),
        ("mirror/b/c.tar", b"c"),
        ("hello.txt", b"hello\n"),
        (
            "session.log",
            b"< 220 ready\n> RETR pub/hello.txt\n< 150 now\n< 226 Transfer complete. MD5=b1946ac92492d2347c6235b4d2611184\n",
        ),
    ])
}

#[test]
fn every_example_works() {
    let readme = fs::read_to_string(binaries::root().join("README.md")).unwrap();
    let place = place();
    let program = binaries::path("ftphash");
    let path = format!("{}:/usr/bin:/bin", program.parent().unwrap().display());
    let lines = readme.lines().filter_map(|line| line.strip_prefix("    "));
    let examples: Vec<_> = lines.filter(|line| line.starts_with("ftphash ")).collect();
    for word in ["sum", "verify", "compare", "confirm"] {
        let start = format!("ftphash {word} ");
        assert!(
            examples.iter().any(|line| line.starts_with(&start)),
            "{word}"
        );
    }
    for line in examples {
        let output = Command::new("sh")
            .args(["-c", line])
            .current_dir(place.path())
            .env("PATH", &path)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
        assert!(output.stderr.is_empty(), "{line}: {output:?}");
    }
}
