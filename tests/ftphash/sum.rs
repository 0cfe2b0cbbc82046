//! `ftphash sum`.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::process::{Command, Stdio};

use tests::{binaries, require};

use crate::{files, ftphash, noise, run, text, tree};

#[test]
fn sums_are_those_of_coreutils_to_the_octet() {
    let (directory, names) = files();
    for (algorithm, program) in [
        ("md5", "md5sum"),
        ("sha1", "sha1sum"),
        ("SHA-256", "sha256sum"),
        ("sha512", "sha512sum"),
    ] {
        let mut arguments = ["sum", "-a", algorithm].map(OsStr::new).to_vec();
        arguments.extend(&names);
        let ours = run(binaries::path("ftphash"), directory.path(), &arguments);
        let theirs = run(program, directory.path(), &names);
        assert_eq!(ours.stdout, theirs.stdout, "{algorithm}");
        assert!(ours.status.success() && ours.stderr.is_empty());
    }
}

/// Its program shows names that are no text in its own way.
#[test]
fn blake3_is_that_of_b3sum() {
    if !require::programs(&["b3sum"]) {
        return;
    }
    let (directory, _) = files();
    let names = ["large", "empty"].map(OsStr::new);
    let arguments = [&["sum", "-a", "blake3"].map(OsStr::new)[..], &names].concat();
    let ours = run(binaries::path("ftphash"), directory.path(), &arguments);
    let theirs = run("b3sum", directory.path(), &names);
    assert_eq!(ours.stdout, theirs.stdout);
}

#[test]
fn one_bad_file_does_not_stop_the_others() {
    let (directory, _) = files();
    let sum = ["sum", "gone", ".", "empty"].map(OsStr::new);
    let output = run(binaries::path("ftphash"), directory.path(), &sum);
    assert_eq!(text(&output.stdout).lines().count(), 1);
    assert_eq!(text(&output.stderr).lines().count(), 2);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_closed_pipe_and_a_full_disk_are_failures() {
    let sum = || {
        let mut command = Command::new(binaries::path("ftphash"));
        command
            .arg("sum")
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        command
    };
    let (reader, writer) = nix::unistd::pipe().unwrap();
    drop(reader);
    assert_eq!(sum().stdout(writer).status().unwrap().code(), Some(1));
    let full = File::options().write(true).open("/dev/full").unwrap();
    assert_eq!(sum().stdout(full).status().unwrap().code(), Some(1));
}

#[test]
fn wrong_usage_is_2() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [
        &["sum", "-a", "jh-512"][..],
        &["verify", "--json", "--zero"],
        &["nonsense"],
        &[],
    ] {
        let arguments: Vec<_> = arguments.iter().map(OsStr::new).collect();
        let status = run(binaries::path("ftphash"), directory.path(), &arguments).status;
        assert_eq!(status.code(), Some(2), "{arguments:?}");
    }
}

/// Larger than what is hashed on threads and in parts, and than any buffer; ends in the middle of everything.
#[test]
fn large_files_have_the_digests_of_the_other_programs() {
    if !require::programs(&["b3sum", "openssl"]) {
        return;
    }
    let directory = tree(&[("large", &noise(17_000_123)), ("less", &noise(4 << 20))]);
    let lines = |program: &str, words: &[&str]| {
        let words: Vec<_> = words.iter().map(OsStr::new).collect();
        text(&run(program, directory.path(), &words).stdout)
    };
    let ours = lines(
        binaries::path("ftphash").to_str().unwrap(),
        &["sum", "-a", "blake3", "large", "less"],
    );
    assert_eq!(ours, lines("b3sum", &["large", "less"]));
    let all = [
        "md5",
        "sha1",
        "sha256",
        "sha512",
        "whirlpool",
        "blake3",
        "crc32",
    ];
    let mut words = vec!["sum", "--tag", "large"];
    words.extend(all.iter().flat_map(|name| ["-a", name]));
    let ours = lines(binaries::path("ftphash").to_str().unwrap(), &words);
    let ours: Vec<&str> = ours.lines().collect();
    assert_eq!(ours.len(), all.len());
    for (line, program) in ours
        .iter()
        .zip(["md5sum", "sha1sum", "sha256sum", "sha512sum"])
    {
        assert_eq!(*line, lines(program, &["--tag", "large"]).trim_end());
    }
    let legacy = [
        "dgst",
        "-provider",
        "legacy",
        "-provider",
        "default",
        "-r",
        "-whirlpool",
        "large",
    ];
    let whirlpool = lines("openssl", &legacy);
    let whirlpool = whirlpool.split(' ').next().unwrap();
    assert_eq!(ours[4], format!("WHIRLPOOL (large) = {whirlpool}"));
    let blake3 = lines("b3sum", &["--no-names", "large"]);
    assert_eq!(ours[5], format!("BLAKE3 (large) = {}", blake3.trim_end()));
}

#[test]
fn the_standard_input_is_read_to_its_end() {
    let input = noise(9_000_001);
    let directory = tree(&[("same", &input)]);
    for name in ["sha256", "blake3"] {
        let file = ftphash(directory.path(), &["sum", "-a", name, "same"]).success();
        let mut command = assert_cmd::Command::new(binaries::path("ftphash"));
        let told = command.args(["sum", "-a", name]).write_stdin(input.clone());
        let told = told.assert().success().get_output().stdout.clone();
        let expected = text(&file.get_output().stdout).replace("same", "-");
        assert_eq!(text(&told), expected);
    }
}

#[test]
fn a_tree_is_read_in_the_order_of_its_paths_and_by_no_link() {
    let directory = tree(&[
        ("t/a/x", b"1"),
        ("t/a.txt", b"2"),
        ("t/a-b/deep/er", b"3"),
        ("t/z", b"4"),
        ("outside/y", b"5"),
    ]);
    let path = |name: &str| directory.path().join(name);
    std::os::unix::fs::symlink("../outside", path("t/link")).unwrap();
    std::os::unix::fs::symlink("z", path("t/other link")).unwrap();
    nix::unistd::mkfifo(&path("t/pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let command = "find t -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum";
    let theirs = run("sh", directory.path(), &["-c", command].map(OsStr::new));
    let ours = ftphash(directory.path(), &["sum", "-r", "t"]).success();
    assert_eq!(text(&ours.get_output().stdout), text(&theirs.stdout));
    ours.stderr("ftphash: t/pipe: left out: is no regular file\n");
    // A link that is named itself is followed, as find -H does.
    let link = ftphash(directory.path(), &["sum", "-r", "t/link"]).success();
    assert!(text(&link.get_output().stdout).ends_with("  t/link/y\n"));
    ftphash(directory.path(), &["sum", "t"])
        .code(1)
        .stdout("")
        .stderr("ftphash: t: is a directory; -r reads trees\n");
}

#[test]
fn the_manifest_itself_is_left_out_of_its_tree() {
    let directory = tree(&[("a", b"1"), ("b", b"2")]);
    let manifest = File::create(directory.path().join("SUMS")).unwrap();
    let mut command = Command::new(binaries::path("ftphash"));
    command
        .current_dir(directory.path())
        .args(["sum", "-r", "."]);
    let output = command.stdout(manifest).output().unwrap();
    assert!(output.status.success());
    assert_eq!(
        text(&output.stderr),
        "ftphash: ./SUMS: left out: is what the digests are written to\n"
    );
    let told = ftphash(directory.path(), &["verify", "SUMS"]).success();
    told.stdout("./a: OK\n./b: OK\n");
}

#[test]
fn several_digests_are_tagged_lines_or_one_object() {
    let directory = tree(&[("name", b"abc")]);
    let md5 = "900150983cd24fb0d6963f7d28e17f72";
    let sha1 = "a9993e364706816aba3e25717850c26c9cd0d89d";
    let words = ["sum", "-a", "md5", "-a", "sha1", "-a", "MD5", "name"];
    ftphash(directory.path(), &words)
        .success()
        .stdout(format!("MD5 (name) = {md5}\nSHA1 (name) = {sha1}\n"));
    let words = [&words[..], &["--json"]].concat();
    let told = ftphash(directory.path(), &words).success();
    let object: serde_json::Value = serde_json::from_slice(&told.get_output().stdout).unwrap();
    let expected =
        serde_json::json!({"path": "name", "size": 3, "digests": {"md5": md5, "sha-1": sha1}});
    assert_eq!(object, expected);
}

#[test]
fn zero_is_that_of_coreutils() {
    let (directory, names) = files();
    let ours = [&["sum", "-z"].map(OsStr::new)[..], &names].concat();
    let theirs = [&[OsStr::new("-z")], &names[..]].concat();
    let ours = run(binaries::path("ftphash"), directory.path(), &ours).stdout;
    assert_eq!(ours, run("sha256sum", directory.path(), &theirs).stdout);
}

/// More files than wait for each other, of very different sizes.
#[test]
fn many_files_come_in_their_order() {
    let directory = tempfile::tempdir().unwrap();
    for number in 0..3000usize {
        let size = if number % 500 == 0 {
            1 << 20
        } else {
            number % 300
        };
        let name = format!("{:04}", 2999 - number);
        fs::write(directory.path().join(name), vec![b'x'; size]).unwrap();
    }
    let theirs = run(
        "sh",
        directory.path(),
        &["-c", "sha256sum *"].map(OsStr::new),
    );
    let ours = run(
        "sh",
        directory.path(),
        &[
            "-c".as_ref(),
            OsStr::new("\"$0\" sum *"),
            binaries::path("ftphash").as_os_str(),
        ],
    );
    assert_eq!(text(&ours.stdout), text(&theirs.stdout));
}

/// The kernel's file says that it has 0 octets, and a digest of those would be wrong.
#[test]
fn files_without_a_size_are_read_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let ours = ftphash(directory.path(), &["sum", "/proc/version"]).success();
    let theirs = run("sha256sum", directory.path(), &["/proc/version".as_ref()]);
    assert_eq!(ours.get_output().stdout, theirs.stdout);
}
