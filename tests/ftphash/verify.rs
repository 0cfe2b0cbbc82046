//! `ftphash verify`.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;

use tests::{binaries, require};

use crate::{files, ftphash, run, text, tree};

#[test]
fn each_side_verifies_what_the_other_printed() {
    let (directory, names) = files();
    let manifest = directory.path().join("manifest");
    let ours = [&[OsStr::new("sum")], &names[..]].concat();
    fs::write(
        &manifest,
        run(binaries::path("ftphash"), directory.path(), &ours).stdout,
    )
    .unwrap();
    let check = ["-c", "manifest"].map(OsStr::new);
    let theirs = run("sha256sum", directory.path(), &check);
    assert!(theirs.status.success(), "{theirs:?}");
    let verify = ["verify", "manifest"].map(OsStr::new);
    let ours = run(binaries::path("ftphash"), directory.path(), &verify);
    assert_eq!(ours.stdout, theirs.stdout);
    assert!(ours.status.success());
    let tagged = [&[OsStr::new("--tag")], &names[..]].concat();
    fs::write(&manifest, run("md5sum", directory.path(), &tagged).stdout).unwrap();
    assert!(
        run(binaries::path("ftphash"), directory.path(), &verify)
            .status
            .success()
    );
}

#[test]
fn a_changed_a_missing_and_an_unreadable_file_fail() {
    let (directory, _) = files();
    let names = ["sum", "large", "empty"].map(OsStr::new);
    let mut manifest = run(binaries::path("ftphash"), directory.path(), &names).stdout;
    let line = text(&manifest)
        .lines()
        .next()
        .unwrap()
        .replace("large", "gone");
    manifest.extend_from_slice(format!("not a line\n{line}\n").as_bytes());
    fs::write(directory.path().join("manifest"), manifest).unwrap();
    fs::write(directory.path().join("empty"), "no more").unwrap();
    let verify = |options: &[&str]| {
        let options: Vec<_> = ["verify", "manifest"]
            .iter()
            .chain(options)
            .map(OsStr::new)
            .collect();
        run(binaries::path("ftphash"), directory.path(), &options)
    };
    let failed = "empty: FAILED\ngone: FAILED open or read\n";
    let all = verify(&[]);
    assert_eq!(text(&all.stdout), format!("large: OK\n{failed}"));
    assert_eq!(all.status.code(), Some(1));
    let told = text(&all.stderr);
    for what in [
        "gone: No such file",
        "improperly formatted lines: 1",
        "could not be read: 1",
        "NOT match: 1",
    ] {
        assert!(told.contains(what), "{told}");
    }
    let quiet = verify(&["--quiet"]);
    assert_eq!(
        (text(&quiet.stdout), quiet.status.code()),
        (failed.to_owned(), Some(1))
    );
    let status = verify(&["--status"]);
    assert_eq!(
        (text(&status.stdout), status.status.code()),
        (String::new(), Some(1))
    );
}

#[test]
fn a_manifest_without_a_line_is_no_success() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("manifest"), "# nothing\n\nhello\n").unwrap();
    let verify = ["verify", "manifest"].map(OsStr::new);
    assert_eq!(
        run(binaries::path("ftphash"), directory.path(), &verify)
            .status
            .code(),
        Some(1)
    );
    let verify = ["verify", "no such manifest"].map(OsStr::new);
    assert_eq!(
        run(binaries::path("ftphash"), directory.path(), &verify)
            .status
            .code(),
        Some(1)
    );
}

/// Every form that `sum` writes, and those of other programs.
#[test]
fn every_form_is_verified() {
    let (directory, names) = files();
    let program = binaries::path("ftphash");
    for options in [
        &["--tag"][..],
        &["--json"],
        &["-z"],
        &["-z", "--tag"],
        &["-a", "md5", "-a", "blake3", "-a", "sha512"],
        &["-a", "md5", "-a", "crc32", "--json"],
    ] {
        let words = [&["sum"], options].concat();
        let mut words: Vec<_> = words.into_iter().map(OsStr::new).collect();
        words.extend(&names);
        let manifest = run(&program, directory.path(), &words).stdout;
        fs::write(directory.path().join("manifest"), manifest).unwrap();
        let mut words = vec!["verify", "--strict", "manifest"];
        if options.contains(&"-z") {
            words.push("-z");
        }
        let told = ftphash(directory.path(), &words).success();
        let lines = told.get_output().stdout.split(|b| *b == b'\n').count() - 1;
        let each = if options.len() == 6 { 3 } else { 1 };
        assert_eq!(lines, names.len() * each, "{options:?}");
        fs::write(directory.path().join("large"), "changed").unwrap();
        ftphash(directory.path(), &words).code(1);
        fs::write(directory.path().join("large"), vec![7; 3_000_001]).unwrap();
    }
}

#[test]
fn manifests_of_openssl_and_b3sum_are_verified() {
    if !require::programs(&["b3sum", "openssl"]) {
        return;
    }
    let directory = tree(&[("a (b)", b"1")]);
    for command in ["openssl dgst -sha256 *", "openssl sha1 *", "openssl md5 *"] {
        let output = run("sh", directory.path(), &["-c", command].map(OsStr::new));
        assert!(output.status.success(), "{output:?}");
        let manifest = tree(&[("m", &output.stdout)]);
        let manifest = manifest.path().join("m");
        let told = ftphash(directory.path(), &["verify", manifest.to_str().unwrap()]);
        told.success().stdout("a (b): OK\n");
    }
    let plain = run("b3sum", directory.path(), &["a (b)".as_ref()]).stdout;
    let manifest = tree(&[("m", &plain)]);
    let manifest = manifest.path().join("m");
    let manifest = manifest.to_str().unwrap();
    // As long as SHA-256, which is meant unless it is said.
    ftphash(directory.path(), &["verify", manifest]).code(1);
    ftphash(directory.path(), &["verify", "-a", "blake3", manifest]).success();
}

/// The same words as sha256sum's, and the same exit status.
#[test]
fn ignore_missing_and_strict_are_those_of_coreutils() {
    let directory = tree(&[("there", b"1")]);
    let sum = run("sha256sum", directory.path(), &["there".as_ref()]).stdout;
    let there = text(&sum);
    let gone = there.replace("there", "gone");
    for (manifest, words) in [
        (format!("{there}{gone}"), &[][..]),
        (format!("{there}{gone}"), &["--ignore-missing"]),
        (gone.clone(), &["--ignore-missing"]),
        (format!("{there}nonsense\n"), &[]),
        (format!("{there}nonsense\n"), &["--strict"]),
        (format!("{there}nonsense\n"), &["--status", "--strict"]),
        (format!("{there}{there}"), &["--quiet"]),
        (String::new(), &[]),
    ] {
        fs::write(directory.path().join("manifest"), &manifest).unwrap();
        let ours = [&["verify"], words, &["manifest"]].concat();
        let theirs = [&["-c"], words, &["manifest"]].concat();
        let theirs: Vec<_> = theirs.into_iter().map(OsStr::new).collect();
        let theirs = run("sha256sum", directory.path(), &theirs);
        let ours = ftphash(directory.path(), &ours);
        let ours = ours.get_output();
        assert_eq!(text(&ours.stdout), text(&theirs.stdout), "{words:?}");
        assert_eq!(
            ours.status.code(),
            theirs.status.code(),
            "{words:?} {manifest}"
        );
        assert_eq!(
            ours.stderr.is_empty(),
            theirs.stderr.is_empty(),
            "{words:?} {manifest}"
        );
    }
    ftphash(directory.path(), &["verify", "-w", "manifest"]).code(1);
    fs::write(
        directory.path().join("manifest"),
        format!("# a\n{there}nonsense\n"),
    )
    .unwrap();
    ftphash(directory.path(), &["verify", "-w", "manifest"])
        .success()
        .stderr(
            "ftphash: manifest: line 3 is improperly formatted\n\
             ftphash: WARNING: improperly formatted lines: 1\n",
        );
}

/// A line that is too long is one improper line: what its end looks like does not count.
#[test]
fn a_manifest_may_be_long_and_its_lines_may_not() {
    let directory = tree(&[("there", b"1")]);
    let line = text(&run("md5sum", directory.path(), &["there".as_ref()]).stdout);
    let mut manifest = fs::File::create(directory.path().join("manifest")).unwrap();
    for _ in 0..20_000 {
        manifest.write_all(line.as_bytes()).unwrap();
    }
    for length in [65_535, 65_536, 65_537, 131_072] {
        manifest.write_all(&vec![b'x'; length]).unwrap();
        manifest.write_all(b"\n").unwrap();
        manifest.write_all(&vec![b'x'; length]).unwrap();
        manifest.write_all(line.as_bytes()).unwrap();
    }
    let told = ftphash(directory.path(), &["verify", "manifest"]).success();
    told.stdout("there: OK\n".repeat(20_000))
        .stderr("ftphash: WARNING: improperly formatted lines: 8 (--warn names them)\n");
}

#[test]
fn what_a_manifest_names_may_be_anything() {
    let directory = tree(&[("d/x", b"")]);
    let digest = "d41d8cd98f00b204e9800998ecf8427e";
    let manifest = format!(
        "{digest}  d\n{digest}  d/x/y\n{digest}  {}\n{digest}  d/x\n",
        "n".repeat(5000)
    );
    fs::write(directory.path().join("manifest"), manifest).unwrap();
    let told = ftphash(directory.path(), &["verify", "manifest"]).code(1);
    let told = told.get_output();
    assert_eq!(text(&told.stdout).matches("FAILED open or read").count(), 3);
    assert!(text(&told.stdout).ends_with("d/x: OK\n"));
    assert!(text(&told.stderr).contains("ftphash: d: is a directory\n"));
}

#[test]
fn without_a_name_the_manifest_is_the_standard_input() {
    let (directory, names) = files();
    let sums = [&[OsStr::new("sum")], &names[..]].concat();
    let manifest = run(binaries::path("ftphash"), directory.path(), &sums).stdout;
    assert_cmd::Command::new(binaries::path("ftphash"))
        .current_dir(directory.path())
        .args(["verify", "--quiet"])
        .write_stdin(manifest)
        .assert()
        .success()
        .stdout("");
}
