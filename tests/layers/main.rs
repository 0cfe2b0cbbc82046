//! The directions between the parts hold: no file names what its place in ARCHITECTURE.md keeps from it. Reads the
//! sources as text, so that a line is refused before anybody reviews it.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

mod rules;
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rules::{EXCEPTIONS, Exception, RULES, Rule, UNSAFE_IN};
use source::{Named, Source};

const MEMBERS: &[&str] = &[
    "common", "ftpd", "ftpuser", "ftphash", "ftpproxy", "tests", "bench",
];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// All Rust files below a directory, relative to the root of the repository, in order.
fn rust_files(below: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![root().join(below)];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn text(file: &Path) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}

/// The module that a file is: `common/src/proto/mod.rs` is `common::proto`, `tests/life.rs` is `tests::life`.
fn module_of(file: &Path) -> String {
    let file = file.with_extension("");
    let parts = file.iter().map(|part| part.to_str().unwrap());
    let named = |part: &&str| !matches!(*part, "src" | "mod" | "main" | "lib" | "support");
    parts.filter(named).collect::<Vec<_>>().join("::")
}

/// Whether `path` is `head` or below it.
fn is_below(path: &str, head: &str) -> bool {
    path.strip_prefix(head)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

impl Rule {
    fn forbids(&self, module: &str, path: &str) -> bool {
        let applies = |parts: &[&str]| parts.iter().any(|part| is_below(module, part));
        applies(self.of) && !applies(self.but) && self.never.iter().any(|never| names(path, never))
    }
}

/// Whether a path names something, be it with everything around it.
fn names(path: &str, what: &str) -> bool {
    let around = path.strip_suffix("::*");
    is_below(path, what) || around.is_some_and(|around| is_below(what, around))
}

impl Exception {
    fn covers(&self, module: &str, path: &str) -> bool {
        // What is below a type belongs to it, and a value may be used in a whole half; a way into another module only
        // where the table says, and no further.
        let last = self.name.rsplit("::").next().unwrap_or("");
        let is_type = last.starts_with(|c: char| c.is_uppercase());
        let here = if is_type {
            is_below(module, self.module)
        } else {
            module == self.module
        };
        here && (path == self.name || is_type && is_below(path, self.name))
    }
}

/// Every line of a module's text that breaks a rule, and which exceptions it needed.
fn judge(module: &str, text: &str) -> (Vec<(Named, &'static str)>, BTreeSet<usize>) {
    let (mut broken, mut used) = (Vec::new(), BTreeSet::new());
    for named in Source::read(text).paths(module) {
        let Some(rule) = RULES.iter().find(|rule| rule.forbids(module, &named.path)) else {
            continue;
        };
        match EXCEPTIONS
            .iter()
            .position(|exception| exception.covers(module, &named.path))
        {
            Some(index) => {
                used.insert(index);
            }
            None => broken.push((named, rule.says)),
        }
    }
    (broken, used)
}

#[test]
fn every_part_names_only_what_its_layer_may() {
    let (mut problems, mut used) = (Vec::new(), BTreeSet::new());
    let mut modules = BTreeSet::new();
    for member in MEMBERS {
        let sources = if *member == "tests" { "" } else { "/src" };
        for file in rust_files(&format!("{member}{sources}")) {
            let is_test =
                file.iter().skip(1).any(|part| part == "tests") || file.ends_with("tests.rs");
            if is_test {
                continue;
            }
            let module = module_of(&file);
            let (broken, needed) = judge(&module, &text(&file));
            used.extend(needed);
            for (Named { line, path }, says) in broken {
                problems.push(format!("{}:{line}: {path}: {says}", file.display()));
            }
            modules.insert(module);
        }
    }
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
    for (index, exception) in EXCEPTIONS.iter().enumerate() {
        let Exception { module, name, .. } = exception;
        assert!(
            used.contains(&index),
            "{module} does not need {name} any more"
        );
    }
    for part in RULES.iter().flat_map(|rule| rule.of.iter().chain(rule.but)) {
        assert!(
            modules.iter().any(|module| is_below(module, part)),
            "there is no {part} any more: a rule stands for nothing"
        );
    }
}

#[test]
fn unsafe_code_is_in_its_one_place() {
    let mut problems = Vec::new();
    let mut allowed = 0;
    for file in MEMBERS.iter().flat_map(|member| rust_files(member)) {
        let lines = Source::read_with_tests(&text(&file)).lines_with("unsafe");
        if UNSAFE_IN
            .iter()
            .any(|place| file.to_str().unwrap().starts_with(place))
        {
            allowed += lines.len();
            continue;
        }
        problems.extend(
            lines
                .iter()
                .map(|line| format!("{}:{line}", file.display())),
        );
    }
    assert!(
        problems.is_empty(),
        "unsafe code at\n{}\n",
        problems.join("\n")
    );
    assert!(allowed > 0, "the scan finds no unsafe code at all");
}

#[test]
fn no_manifest_lets_a_program_into_another() {
    let programs = ["ftpd", "ftpuser", "ftphash", "ftpproxy", "tests", "bench"];
    for member in MEMBERS {
        let manifest = format!("{member}/Cargo.toml");
        let outside = ["tests", "bench"].contains(member);
        for (number, line) in text(Path::new(&manifest)).lines().enumerate() {
            let key = line.split(['.', '=', ' ']).next().unwrap_or("");
            let forbidden = programs.contains(&key) || outside && key == "common";
            assert!(!forbidden, "{manifest}:{}: {line}", number + 1);
        }
    }
}

/// The first offence in a made-up file.
fn offence(module: &str, text: &str) -> Option<(usize, String)> {
    let (broken, _) = judge(module, text);
    broken
        .into_iter()
        .next()
        .map(|(named, _)| (named.line, named.path))
}

#[test]
fn a_made_up_offence_is_found_however_it_is_written() {
    let session = "ftpd::session::commands::change";
    let cases = [
        (
            session,
            "//! x\nuse common::jail::Jail;",
            2,
            "common::jail::Jail",
        ),
        (
            session,
            "use common::{path, jail::{Failure, Jail}};",
            1,
            "common::jail::Jail",
        ),
        (
            session,
            "use common::jail as j;\nfn f() {}",
            1,
            "common::jail",
        ),
        (session, "use common::*;", 1, "common::*"),
        (
            session,
            "fn f() {\n    common::auth::native::authenticate()\n}",
            2,
            "common::auth::native::authenticate",
        ),
        (
            session,
            "use common::settings::{self};\nfn f() { settings::Source::new() }",
            2,
            "common::settings::Source::new",
        ),
        (
            session,
            "use super::super::super::keeper::files::Files;",
            1,
            "ftpd::keeper::files::Files",
        ),
        (
            session,
            "fn f() { crate::keeper::serve(); }",
            1,
            "ftpd::keeper::serve",
        ),
        (
            "ftpd::keeper::files",
            "use crate::session;",
            1,
            "ftpd::session",
        ),
        (
            "ftpd::keeper",
            "use crate::session;\nfn f() { session::Session::new() }",
            2,
            "ftpd::session::Session::new",
        ),
        (
            "ftpd::keeper",
            "use common::proto::{self, verbs};\nfn f() { proto::line::x() }",
            2,
            "common::proto::line::x",
        ),
        (
            "common::wire",
            "use crate::jail::Jail;",
            1,
            "common::jail::Jail",
        ),
        (
            "common::stage::ascii",
            "/* a */ use std::fs::File;",
            1,
            "std::fs::File",
        ),
        (
            "common::proto",
            "fn f() { let s = \"\\\"\"; std::env::var(s); }",
            1,
            "std::env::var",
        ),
        (
            "common::proto",
            "use std::time;\nfn f() { time::Instant::now(); }",
            2,
            "std::time::Instant::now",
        ),
        ("common::sys", "use crate::log::Log;", 1, "common::log::Log"),
        ("common::net", "use ftpd::Setup;", 1, "ftpd::Setup"),
        ("ftphash", "use ftpuser::add;", 1, "ftpuser::add"),
        ("tests::life", "use common::proto;", 1, "common::proto"),
    ];
    for (module, text, line, path) in cases {
        assert_eq!(
            offence(module, text),
            Some((line, path.to_owned())),
            "{module}: {text}"
        );
    }
}

#[test]
fn what_is_said_and_not_done_is_no_offence() {
    let cases = [
        (
            "ftpd::session",
            "// use common::jail::Jail;\n/* common::jail::x */",
        ),
        (
            "ftpd::session",
            "const T: &str = \"common::jail::Jail\"; const R: &str = r#\"\"std::fs::x\"#;",
        ),
        (
            "ftpd::session",
            "use common::jail::Failure;\nfn f<'a>() { Failure::NotFound; }",
        ),
        (
            "ftpd::session",
            "fn f(c: char) -> bool { c == '\"' || c == '\\'' }",
        ),
        (
            "common::wire",
            "#[cfg(test)]\nmod tests { fn f() { std::fs::read(1) } }\nfn g() {}",
        ),
        ("common::cli", "pub mod ftpd;\nfn f() { ftpd::command() }"),
        ("common::settings::read", "use std::fs::File;"),
    ];
    for (module, text) in cases {
        assert_eq!(offence(module, text), None, "{module}: {text}");
    }
    assert_eq!(
        offence("common::wire", "#[cfg(test)]\nmod tests { }\nuse std::fs;"),
        Some((3, "std::fs".to_owned()))
    );
}
