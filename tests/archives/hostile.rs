//! Archives that want out, up, through or more than they may: whatever is in them, nothing outside of the jail changes, and
//! nothing special comes to be inside (rows 80 to 83 of the list of attacks).

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tests::{Client, Data, Scratch, Setup, require, tree};

use crate::corpus::corpus;
use crate::programs;
use crate::unpack::send;
use tests::tape::{archive, file};

/// Everything about a tree that an attack could change.
fn picture(root: &Path) -> BTreeMap<PathBuf, String> {
    fn look(path: &Path, found: &mut BTreeMap<PathBuf, String>) {
        let stat = fs::symlink_metadata(path).unwrap();
        let content = if stat.is_file() {
            tree::digest(path)
        } else if stat.is_symlink() {
            fs::read_link(path).unwrap().display().to_string()
        } else {
            String::new()
        };
        let line = format!(
            "{:o} {} {} {}.{} {content}",
            stat.mode(),
            stat.uid(),
            stat.nlink(),
            stat.mtime(),
            stat.mtime_nsec()
        );
        found.insert(path.to_owned(), line);
        if stat.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                look(&entry.unwrap().path(), found);
            }
        }
    }
    let mut found = BTreeMap::new();
    look(root, &mut found);
    found
}

/// A tree outside of the jail that everybody may write to, so that only the jail keeps an archive from it.
fn outside(server: &Scratch) -> PathBuf {
    let outside = server.directory("outside");
    fs::create_dir(outside.join("directory")).unwrap();
    for (name, mode) in [("file", 0o666), ("directory/tool", 0o6777)] {
        fs::write(outside.join(name), "as before").unwrap();
        fs::set_permissions(outside.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    for name in ["", "directory"] {
        let path = outside.join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    outside
}

/// What is in the home: files in order; anything that is neither a plain file nor a plain directory is a failure.
fn plain_files(home: &Path, case: &str) -> Vec<String> {
    fn walk(root: &Path, below: &Path, case: &str, found: &mut Vec<String>) {
        for entry in fs::read_dir(root.join(below)).unwrap() {
            let path = below.join(entry.unwrap().file_name());
            let stat = fs::symlink_metadata(root.join(&path)).unwrap();
            assert!(
                stat.is_dir() || stat.is_file(),
                "{case}: {}",
                path.display()
            );
            assert_eq!(stat.mode() & 0o7000, 0, "{case}: {}", path.display());
            assert_eq!(stat.mode() & 0o022, 0, "{case}: {}", path.display());
            assert!(
                stat.is_dir() || stat.nlink() == 1,
                "{case}: {}",
                path.display()
            );
            if stat.is_dir() {
                walk(root, &path, case, found);
            } else {
                found.push(path.to_string_lossy().into_owned());
            }
        }
    }
    let mut found = Vec::new();
    walk(home, Path::new(""), case, &mut found);
    found.sort();
    found
}

fn nothing_gets_out(setup: Setup) {
    let server = setup
        .flag(&["-chhome"])
        .setting("Durability=rename")
        .start();
    let outside = outside(&server.scratch);
    let before = picture(&outside);
    let shown = outside.to_str().unwrap();
    let mut client = server.logged_in();
    client.expect("STRU T", 200);
    let cases = corpus(shown);
    assert!(cases.len() >= 120, "{}", cases.len());
    for (number, case) in cases.iter().enumerate() {
        let name = format!("case{number}");
        server.put_directory(&name);
        let home = server.home.join(&name);
        fs::create_dir(home.join("real")).unwrap();
        let planted = [
            ("inside", "real"),
            ("out", shown),
            ("to-file", &format!("{shown}/file")),
        ];
        for (link, target) in planted {
            symlink(target, home.join(link)).unwrap();
        }
        client.expect(&format!("CWD /{name}"), 250);
        let reply = send(&mut client, &case.archive);
        assert_eq!(reply.code, case.code, "{}: {reply}", case.name);
        assert_eq!(reply.lines.len(), 1, "{}: {reply}", case.name);
        for (link, _) in planted {
            if home.join(link).is_symlink() {
                fs::remove_file(home.join(link)).unwrap();
            }
        }
        assert_eq!(plain_files(&home, case.name), case.files, "{}", case.name);
        assert_eq!(picture(&outside), before, "{}", case.name);
        client.expect("NOOP", 200);
    }
    assert_eq!(server.keepers().len(), 1);
}

#[test]
fn nothing_gets_out_of_the_jail_of_root() {
    if require::root() {
        nothing_gets_out(Setup::new());
    }
}

#[test]
fn nothing_gets_out_of_the_jail_without_root() {
    nothing_gets_out(Setup::rootless());
}

/// Row 81: an archive that is accepted is the same tree to everybody.
#[test]
fn what_is_accepted_is_understood_alike_by_other_programs() {
    let server = Setup::new().setting("Durability=rename").start();
    let mut client = server.logged_in();
    client.expect("STRU T", 200);
    let outside = Scratch::new();
    let mut compared = 0;
    for (number, case) in corpus(outside.path().to_str().unwrap()).iter().enumerate() {
        // Through links other programs go elsewhere, and those that were planted are missing here.
        if case.code != 226 || case.name.contains("link") {
            continue;
        }
        let name = format!("case{number}");
        server.put_directory(&name);
        client.expect(&format!("CWD /{name}"), 250);
        let reply = send(&mut client, &case.archive);
        assert_eq!(reply.code, 226, "{}: {reply}", case.name);
        for program in programs::all() {
            let scratch = Scratch::new();
            programs::unpack_anyhow(program, scratch.path(), &case.archive);
            // They make pipes and devices, and keep directories closed.
            let expected = regular(scratch.path());
            assert_eq!(
                regular(&server.home.join(&name)),
                expected,
                "{}: {program}",
                case.name
            );
            compared += 1;
        }
    }
    assert!(compared == 0 || compared >= 20, "{compared}");
}

/// The regular files of a tree with their contents.
pub(crate) fn regular(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    fn walk(root: &Path, below: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
        let directory = root.join(below);
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
        for entry in fs::read_dir(directory).unwrap() {
            let path = below.join(entry.unwrap().file_name());
            let stat = fs::symlink_metadata(root.join(&path)).unwrap();
            if stat.is_dir() {
                walk(root, &path, found);
            } else if stat.is_file() {
                found.insert(path.clone(), fs::read(root.join(&path)).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(root, Path::new(""), &mut found);
    found
}

#[test]
fn many_entries_and_bombs_end_at_the_limits() {
    if !require::programs(&["pigz"]) {
        return;
    }
    let server = Setup::new()
        .setting("Durability=rename")
        .account("few", "plain", "ArchiveEntries=1000")
        .account("small", "plain", "ArchiveSize=1000000")
        .start();
    let log_in = |name: &str, directory: &str| -> Client {
        server.put_directory(directory);
        let mut client = server.connect();
        client.login(name, "correct horse");
        client.expect("STRU T", 200);
        client.expect(&format!("CWD {directory}"), 250);
        client
    };
    let count = |directory: &str| fs::read_dir(server.home.join(directory)).unwrap().count();
    let many: Vec<Vec<u8>> = (0..100_000)
        .map(|number| file(format!("{number:06}").as_bytes(), b""))
        .collect();
    let reply = send(&mut log_in("few", "many"), &archive(&many));
    assert_eq!(reply.code, 552, "{reply}");
    assert!(reply.text().starts_with("001000: "), "{reply}");
    assert!(
        reply.text().contains("1000 entries are unpacked"),
        "{reply}"
    );
    assert_eq!(count("many"), 1000);

    let bomb = archive(&[file(b"first", b"x"), file(b"zeros", &vec![0; 32 << 20])]);
    let compressed = programs::feed("pigz", &["-zc"], Path::new("/"), &bomb);
    let mut client = log_in("small", "bomb");
    client.expect("MODE Z", 200);
    let reply = send(&mut client, &compressed);
    assert_eq!(reply.code, 552, "{reply}");
    assert_eq!(count("bomb"), 1);
    // Sizes add up.
    let pieces: Vec<Vec<u8>> = (0..20)
        .map(|number| file(format!("{number}").as_bytes(), &[b'x'; 100_000]))
        .collect();
    let reply = send(&mut log_in("small", "pieces"), &archive(&pieces));
    assert_eq!(reply.code, 552, "{reply}");
    assert_eq!(count("pieces"), 10);
    client.expect("MODE S", 200);
    client.expect("STRU F", 200);
    client.upload(Data::Epsv, "later", b"goes on");
}
