//! A tree of real files to move about, and the comparison of two trees by SHA-256.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// How many files of the system the sample holds.
pub const FILES: usize = 1000;
const LARGEST: u64 = 256 * 1024;

/// Copies files of the system's documentation to `target` and adds those that clients stumble over.
pub fn sample(target: &Path) {
    let mut files = Vec::new();
    for source in [
        "/usr/share/doc",
        "/usr/share/zoneinfo",
        "/usr/share",
        "/usr/lib",
    ] {
        collect(Path::new(source), &mut files);
    }
    assert_eq!(files.len(), FILES, "this machine has fewer files to copy");
    for file in &files {
        let copy = target.join(file.strip_prefix("/usr").unwrap());
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(file, copy).unwrap();
    }
    for (name, content) in [
        ("empty", &b""[..]),
        ("one octet", b"\n"),
        ("with two  blanks.txt", b"blanks\n"),
        ("gr\u{fc}\u{df}e \u{4f60}\u{597d}.txt", b"not ASCII\n"),
        ("all octets", &(0..=255).collect::<Vec<u8>>()),
        ("deep/er/and/deeper/.hidden", b"hidden\n"),
    ] {
        let path = target.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// A tree with what is easily lost on the way: an empty file, a large one, blanks, depth.
pub fn furnish(at: &Path, directories: usize, files: usize) {
    for directory in 0..directories {
        let directory = at.join(format!("level {directory}/below/deeper"));
        fs::create_dir_all(&directory).unwrap();
        for file in 0..files {
            let octets = [b'a', b'\n', 0, 255].repeat(file * 251);
            fs::write(directory.join(format!("file {file}.bin")), octets).unwrap();
        }
    }
    let large: Vec<u8> = (0..3_000_001u32).map(|n| (n % 251) as u8).collect();
    fs::write(at.join("large"), large).unwrap();
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    let mut entries: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    entries.sort();
    for path in entries {
        let Ok(found) = fs::symlink_metadata(&path) else {
            continue;
        };
        if files.len() == FILES {
            return;
        } else if found.is_dir() {
            collect(&path, files);
        } else if found.is_file() && found.len() <= LARGEST && !files.contains(&path) {
            files.push(path);
        }
    }
}

/// The path below `root` and the SHA-256 of every file.
pub fn digests(root: &Path) -> BTreeMap<PathBuf, String> {
    files(root)
        .into_iter()
        .map(|file| (file.clone(), digest(&root.join(file))))
        .collect()
}

/// All files below `root`, as relative paths in order.
pub fn files(root: &Path) -> Vec<PathBuf> {
    fn walk(root: &Path, below: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(root.join(below)).unwrap() {
            let entry = entry.unwrap();
            let path = below.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                walk(root, &path, found);
            } else {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(root, Path::new(""), &mut found);
    found.sort();
    found
}

/// The SHA-256 of a file, in hexadecimal digits.
pub fn digest(file: &Path) -> String {
    let mut hash = Sha256::new();
    std::io::copy(
        &mut fs::File::open(file).unwrap(),
        &mut HashWriter(&mut hash),
    )
    .unwrap();
    hash.finalize()
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect()
}

struct HashWriter<'a>(&'a mut Sha256);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.update(octets);
        Ok(octets.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Fails with a list of what differs unless both trees hold the same files with the same content.
#[track_caller]
pub fn assert_same(expected: &Path, got: &Path) {
    let (expected, mut got) = (digests(expected), digests(got));
    let mut problems = Vec::new();
    for (path, digest) in &expected {
        match got.remove(path) {
            None => problems.push(format!("missing: {}", path.display())),
            Some(other) if other != *digest => {
                problems.push(format!("differs: {}", path.display()))
            }
            Some(_) => {}
        }
    }
    problems.extend(
        got.keys()
            .map(|path| format!("surplus: {}", path.display())),
    );
    assert!(!expected.is_empty(), "nothing to compare");
    let shown = problems
        .iter()
        .take(20)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    assert!(
        problems.is_empty(),
        "{} of {} files:\n{shown}",
        problems.len(),
        expected.len()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_that_differ_are_told_apart() {
        let scratch = crate::Scratch::new();
        let (a, b) = (scratch.directory("a"), scratch.directory("b"));
        for root in [&a, &b] {
            fs::write(root.join("x"), "same").unwrap();
        }
        assert_same(&a, &b);
        fs::write(b.join("x"), "else").unwrap();
        assert!(std::panic::catch_unwind(|| assert_same(&a, &b)).is_err());
        fs::write(b.join("x"), "same").unwrap();
        fs::write(b.join("y"), "").unwrap();
        assert!(std::panic::catch_unwind(|| assert_same(&a, &b)).is_err());
        assert!(std::panic::catch_unwind(|| assert_same(&b, &a)).is_err());
    }
}
