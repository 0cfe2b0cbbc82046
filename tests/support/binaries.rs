//! Finds the programs under test beside the test executable. Builds nothing: cargo's lock may be held.

use std::fs;
use std::path::PathBuf;
use std::sync::Once;
use std::time::SystemTime;

/// The path of a program of this workspace, as built by `cargo build --workspace` in the profile of the tests.
///
/// `cargo test -p tests` does not rebuild the programs, so one that is older than its sources stops the test:
/// a result about yesterday's server is worse than none.
pub fn path(program: &str) -> PathBuf {
    let mut directory = std::env::current_exe().unwrap();
    directory.pop();
    if directory.ends_with("deps") {
        directory.pop();
    }
    let path = directory.join(program);
    let release = directory.ends_with("release");
    let command = if release {
        "cargo build --release --workspace"
    } else {
        "cargo build --workspace"
    };
    assert!(
        path.is_file(),
        "{} is not built: run `{command}`",
        path.display()
    );
    static CHECKED: Once = Once::new();
    CHECKED.call_once(|| {
        if let Some(source) = newer_source(&path) {
            panic!("{} is older than {source}: run `{command}`", path.display());
        }
    });
    path
}

/// A source that changed after the program was linked, from the dependency file that cargo writes beside it.
fn newer_source(program: &std::path::Path) -> Option<String> {
    let modified = |path: &str| -> Option<SystemTime> { fs::metadata(path).ok()?.modified().ok() };
    let built = modified(program.to_str()?)?;
    let rule = fs::read_to_string(program.with_extension("d")).ok()?;
    let (_, sources) = rule.split_once(": ")?;
    sources
        .split_whitespace()
        .find(|source| modified(source).is_some_and(|changed| changed > built))
        .map(str::to_owned)
}
