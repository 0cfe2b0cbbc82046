//! Real clients move real files: every file arrives with the SHA-256 it left with.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::fs;
use std::io::Write;
use std::path::Path;

use tests::real::{Mode, Program, curl};
use tests::{Scratch, Server, Setup, require, tree};

/// Every pair of data mode, address family and identity of the server at least once.
fn servers() -> Vec<(Mode, Server)> {
    let mut servers = vec![
        (Mode::Passive, Setup::new().start()),
        (Mode::Active, Setup::rootless().start()),
    ];
    if require::ipv6() {
        servers.push((Mode::Passive, Setup::rootless().ipv6().start()));
        servers.push((Mode::Active, Setup::new().ipv6().start()));
    }
    servers
}

fn a_tree_survives(program: Program) {
    if !require::programs(&[program.name(), "curl"]) {
        return;
    }
    let scratch = Scratch::new();
    let sample = scratch.directory("sample");
    tree::sample(&sample);
    for (mode, server) in servers() {
        if !program.can(mode, &server.login) {
            continue;
        }
        let uploader = if program.uploads() {
            program
        } else {
            Program::Curl
        };
        uploader.up(&server.login, mode, &sample, "tree");
        tree::assert_same(&sample, &server.home.join("tree"));
        let down = scratch.directory(&format!("down-{}", server.address().port()));
        program.down(&server.login, mode, "tree", &down, &sample);
        tree::assert_same(&sample, &down);
    }
}

#[test]
fn a_tree_survives_curl() {
    a_tree_survives(Program::Curl);
}

#[test]
fn a_tree_survives_lftp() {
    a_tree_survives(Program::Lftp);
}

#[test]
fn a_tree_survives_tnftp() {
    a_tree_survives(Program::Tnftp);
}

#[test]
fn a_tree_survives_wget() {
    a_tree_survives(Program::Wget);
}

#[test]
fn a_tree_survives_python() {
    a_tree_survives(Program::Python);
}

#[test]
fn curl_continues_where_a_download_ended() {
    if !require::programs(&["curl"]) {
        return;
    }
    let server = Server::start();
    let original = server.put("file", &[]);
    pseudorandom(&original, 3 << 20);
    let part = server.scratch.join("part");
    let content = fs::read(&original).unwrap();
    fs::write(&part, &content[..1_000_001]).unwrap();
    curl(
        &server.login,
        Mode::Passive,
        "/file",
        &["-C", "-", "-o", part.to_str().unwrap()],
    );
    assert_eq!(tree::digest(&part), tree::digest(&original));
}

#[test]
fn curl_continues_where_an_upload_ended() {
    if !require::programs(&["curl"]) {
        return;
    }
    let server = Server::start();
    let original = server.scratch.join("original");
    pseudorandom(&original, 3 << 20);
    let content = fs::read(&original).unwrap();
    let part = server.put("file", &content[..1_000_001]);
    curl(
        &server.login,
        Mode::Passive,
        "/file",
        &["-C", "-", "-T", original.to_str().unwrap()],
    );
    assert_eq!(tree::digest(&part), tree::digest(&original));
}

fn one_large_file_survives_curl(size: u64) {
    if !require::programs(&["curl"]) {
        return;
    }
    let scratch = Scratch::new();
    let original = scratch.join("original");
    pseudorandom(&original, size);
    let expected = tree::digest(&original);
    for (mode, server) in servers() {
        curl(
            &server.login,
            mode,
            "/large",
            &["-T", original.to_str().unwrap()],
        );
        let uploaded = server.home.join("large");
        assert_eq!(tree::digest(&uploaded), expected, "up, {mode:?}");
        let down = scratch.join("down");
        curl(
            &server.login,
            mode,
            "/large",
            &["-o", down.to_str().unwrap()],
        );
        assert_eq!(tree::digest(&down), expected, "down, {mode:?}");
    }
}

#[test]
fn a_file_of_64_mib_survives_curl() {
    one_large_file_survives_curl(64 << 20);
}

#[test]
#[ignore = "takes minutes and 3 GiB of disk: `make soak` runs it"]
fn a_file_of_1_gib_survives_curl() {
    one_large_file_survives_curl(1 << 30);
}

/// Fills a file with octets that do not repeat, so that a part in the wrong place is noticed.
fn pseudorandom(path: &Path, size: u64) {
    let mut file = std::io::BufWriter::new(fs::File::create(path).unwrap());
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..size / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.write_all(&state.to_le_bytes()).unwrap();
    }
    file.flush().unwrap();
}
