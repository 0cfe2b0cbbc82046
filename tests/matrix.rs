//! Every verb in every state: the code of its reply before login, for a user, for one who may only read, for an anonymous
//! one, and amid a transfer. The table is `matrix.txt`; a verb that HELP lists and the table lacks is an error.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use tests::{Client, Data, Server, Setup};

/// The columns of the table.
const STATES: [&str; 5] = ["before", "user", "reader", "anonymous", "amid"];
/// More than the buffers of a connection that nobody reads.
const LARGE: u64 = 64 << 20;

struct Row {
    line: String,
    codes: Vec<String>,
}

/// Columns are apart by two blanks or more: lines hold single ones.
fn rows() -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("matrix.txt");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let mut fields = line
                .split("  ")
                .map(str::trim)
                .filter(|field| !field.is_empty());
            let row = Row {
                line: fields.next().unwrap().to_owned(),
                codes: fields.map(str::to_owned).collect(),
            };
            assert_eq!(row.codes.len(), STATES.len(), "matrix.txt: {line}");
            row
        })
        .collect()
}

/// What every command finds: a file, a large one, an empty directory and one that is not.
fn furnish(server: &Server) {
    for entry in std::fs::read_dir(&server.home).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            std::fs::remove_dir_all(path).unwrap();
        } else {
            std::fs::remove_file(path).unwrap();
        }
    }
    let large = server.put("large", b"");
    std::fs::File::options()
        .write(true)
        .open(large)
        .unwrap()
        .set_len(LARGE)
        .unwrap();
    server.put("file", b"content\n");
    server.put_directory("empty");
    server.put_directory("full");
    server.put("full/file", b"");
}

/// The line as it is sent: the client's own address stands where a verb needs one.
fn filled(line: &str, server: &Server) -> String {
    line.replace("{user}", &server.login.name)
        .replace("{password}", &server.login.password)
}

/// The code of the reply in one state.
fn code(server: &Server, state: &str, line: &str) -> String {
    furnish(server);
    let line = filled(line, server);
    let mut client = server.connect();
    match state {
        "before" => {}
        "user" => client.login(&server.login.name, &server.login.password),
        "reader" => client.login("reader", &server.login.password),
        "anonymous" => client.login("anonymous", "me@example.org"),
        "amid" => {
            client.login(&server.login.name, &server.login.password);
            return code_amid(&mut client, &line);
        }
        _ => unreachable!("one of the columns"),
    }
    client.command(&line).code.to_string()
}

/// `now CODE` where the reply overtakes the end of the transfer, `later CODE` where it waits for that.
fn code_amid(client: &mut Client, line: &str) -> String {
    let data = client.data(Data::Epsv);
    client.begin("RETR large");
    let data = data.open();
    client.send(line);
    let size = if line == "ABOR" {
        None
    } else {
        // A reply that does not wait is there before the data has left.
        Some(data.read_all().len())
    };
    let first = client.reply();
    match size {
        None => {
            drop(data);
            assert_eq!(client.reply().code, 226, "the reply to ABOR itself");
            format!("now {}", first.code)
        }
        Some(size) => {
            assert_eq!(size as u64, LARGE, "the transfer is whole");
            let second = client.reply();
            match (first.code, second.code) {
                (226, code) => format!("later {code}"),
                (code, 226) => format!("now {code}"),
                other => panic!("after {line}: {other:?}"),
            }
        }
    }
}

fn server() -> Server {
    Setup::new()
        .setting("Durability=rename")
        .setting("LoginFailDelay=0")
        .account(
            "reader",
            "plain",
            "PermittedCommands=LOGIN,INFO,DATA,DIRS,READ",
        )
        .account("anonymous", "null", "")
        .start()
}

#[test]
fn every_verb_answers_in_every_state_as_the_table_says() {
    let server = server();
    let mut differs = false;
    let mut table = String::new();
    for row in rows() {
        let _ = write!(table, "{:<36}", row.line);
        for (state, expected) in STATES.iter().zip(&row.codes) {
            let code = code(&server, state, &row.line);
            differs |= code != *expected;
            let mark = if code == *expected { "" } else { "!" };
            let _ = write!(table, "  {:<9}", format!("{mark}{code}"));
        }
        table.push('\n');
    }
    assert!(!differs, "what is marked differs from the table:\n{table}");
}

#[test]
fn every_verb_is_in_the_table() {
    let server = server();
    let mut client = server.logged_in();
    let words = |reply: tests::Reply| {
        let inside = reply.lines[1..reply.lines.len() - 1].join("\n");
        inside.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let mut offered: BTreeSet<String> = words(client.expect("HELP", 214))
        .iter()
        .flat_map(|line| {
            line.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    offered.remove("SITE");
    for line in words(client.expect("SITE HELP", 214)) {
        let mut words = line.split_whitespace();
        offered.insert(format!(
            "{} {}",
            words.next().unwrap(),
            words.next().unwrap()
        ));
    }
    let listed: BTreeSet<String> = rows()
        .iter()
        .map(|row| {
            let mut words = row.line.split(' ');
            match (words.next().unwrap(), words.next()) {
                ("SITE", Some(word)) => format!("SITE {word}"),
                (verb, _) => verb.to_owned(),
            }
        })
        .collect();
    let missing: Vec<_> = offered.difference(&listed).collect();
    assert!(missing.is_empty(), "matrix.txt lacks {missing:?}");
}
