//! Digests of the large file on the server (HASH), beside the programs that take them on the spot, right after each other.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::Subject;
use crate::data::BIG;
use crate::failure::Failure;

/// An algorithm by HASH's name, and the programs that know it too.
struct Row {
    algorithm: &'static str,
    programs: [&'static [&'static str]; 2],
}

#[rustfmt::skip]
const ROWS: [Row; 5] = [
    Row { algorithm: "MD5",     programs: [&["md5sum"],    &["openssl", "dgst", "-md5"]] },
    Row { algorithm: "SHA-1",   programs: [&["sha1sum"],   &["openssl", "dgst", "-sha1"]] },
    Row { algorithm: "SHA-256", programs: [&["sha256sum"], &["openssl", "dgst", "-sha256"]] },
    Row { algorithm: "SHA-512", programs: [&["sha512sum"], &["openssl", "dgst", "-sha512"]] },
    Row { algorithm: "BLAKE3",  programs: [&["b3sum"],     &["b3sum", "--num-threads", "1"]] },
];

/// For each algorithm its speed, and HASH's time in relation to that of each program; NaN where a program is not here.
pub(super) fn hash(subject: &Subject) -> Result<Vec<f64>, Failure> {
    let mut session = subject.session()?;
    let mut figures = Vec::new();
    for Row {
        algorithm,
        programs,
    } in ROWS
    {
        let chosen = session.command(&format!("OPTS HASH {algorithm}"), &[200]);
        chosen.map_err(Failure::unsupported)?;
        let started = Instant::now();
        let told = session.command("HASH big", &[213])?.text.to_lowercase();
        let took = started.elapsed().as_secs_f64();
        figures.push(BIG as f64 / 1e6 / took);
        for program in programs {
            figures.push(match run(program, &subject.data.big())? {
                Some((said, program_took)) if agree(&told, &said) => took / program_took,
                Some((said, _)) => {
                    let name = program.join(" ");
                    return Err(Failure::wrong(format!("{told}, but {name} says {said}")));
                }
                None => f64::NAN,
            });
        }
    }
    session.quit()?;
    Ok(figures)
}

/// Whether a digest that one says is in what the other says.
fn agree(told: &str, said: &str) -> bool {
    let is_digest = |word: &&str| word.len() >= 32 && word.bytes().all(|c| c.is_ascii_hexdigit());
    let digest = said.split_whitespace().find(is_digest);
    digest.is_some_and(|digest| told.contains(digest))
}

/// What a program says of a file, and how long it took; nothing if it is not here.
fn run(program: &[&str], file: &Path) -> Result<Option<(String, f64)>, Failure> {
    let started = Instant::now();
    let mut command = Command::new(program[0]);
    let output = command
        .args(&program[1..])
        .arg(file)
        .stderr(Stdio::null())
        .output();
    let took = started.elapsed().as_secs_f64();
    match output {
        Ok(output) if output.status.success() => {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            Ok(Some((said, took)))
        }
        Ok(output) => Err(Failure::wrong(format!("{}: {}", program[0], output.status))),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(Failure::during(program[0])(cause)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_found_in_what_programs_write_around_it() {
        let digest = "25f9e794323b453885f5181f1b624d0b";
        let told = format!("213 md5 0-9 {digest} big");
        assert!(agree(&told, &format!("{digest}  /tmp/big\n")));
        assert!(agree(&told, &format!("MD5(/tmp/big)= {digest}\n")));
        assert!(!agree(
            &told,
            "d41d8cd98f00b204e9800998ecf8427e  /tmp/big\n"
        ));
        assert!(!agree(&told, "no digest"));
    }

    #[test]
    fn a_program_that_is_not_here_is_no_failure() {
        assert_eq!(run(&["no-such-program-of-ours"], Path::new("/")), Ok(None));
        assert!(run(&["false"], Path::new("/")).is_err());
    }
}
