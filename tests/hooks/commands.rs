//! Hooks on commands: by verb and by group, before, after and after a failure.

use std::fs;

use tests::{Client, Data, Server, Setup};

use crate::scripts::Script;

/// A hook that writes its words, a line for each command, and what its configuration says beside.
fn noting(setup: &Setup, lines: &str) -> (Script, String) {
    let script = Script::new(setup, "note", "echo \"$*\" >> $out/notes");
    let hook = format!(
        "exec = ['{}', '%m', '%s', '%F', '%u']\n{lines}",
        script.path.display()
    );
    (script, hook)
}

fn notes(script: &Script) -> Vec<String> {
    let text = fs::read_to_string(script.file("notes")).unwrap_or_default();
    text.lines()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

/// Lines that bring each verb of a group to its handler; what comes of them is not the question here.
fn lines(group: &str) -> &'static [&'static str] {
    match group {
        "READ" => &[
            "RETR none",
            "HASH none",
            "MD5 none",
            "XCRC none",
            "XMD5 none",
            "XSHA1 none",
            "XSHA256 none",
            "XSHA512 none",
        ],
        "WRITE" => &[
            "STOR d/none/f",
            "APPE d/none/f",
            "DELE none",
            "RNFR none",
            "RNTO none",
            "MKD d/none/f",
            "XMKD d/none/g",
            "RMD none",
            "XRMD none",
            "MFMT 20200101000000 none",
            "MFF Modify=20200101000000; none",
            "SITE CHMOD 644 none",
        ],
        "DIRS" => &[
            "CWD none",
            "CDUP",
            "XCUP",
            "PWD",
            "XPWD",
            "LIST none",
            "NLST none",
            "MLSD none",
        ],
        other => panic!("{other}"),
    }
}

/// F6: a group matches before a command as it does afterwards, for every verb in it.
#[test]
fn f6_a_group_matches_before_a_command() {
    for group in ["READ", "WRITE", "DIRS", "ALL"] {
        let setup = Setup::new();
        let (script, hook) = noting(
            &setup,
            &format!("commands = '{group}'\nphase = 'before'\nmode = 'wait'\n"),
        );
        let server = setup.hook(&hook).start();
        let mut client = server.logged_in();
        let groups = match group {
            "ALL" => vec!["READ", "WRITE", "DIRS"],
            group => vec![group],
        };
        let sent: Vec<&str> = groups
            .iter()
            .flat_map(|group| lines(group))
            .copied()
            .collect();
        for line in &sent {
            client.command(line);
        }
        // One that is in none of these groups.
        client.command("NOOP");
        let noted = notes(&script);
        // With all of them it is noted, and so is the TYPE behind the login.
        let expected = sent.len() + if group == "ALL" { 2 } else { 0 };
        assert_eq!(noted.len(), expected, "{group}: {noted:#?}");
    }
}

/// F7: nothing is run for clients who have not logged in, whatever they send.
#[test]
fn f7_no_command_of_a_stranger_runs_anything() {
    let setup = Setup::new();
    let (script, before) = noting(
        &setup,
        "commands = 'ALL'\nphase = 'before'\nmode = 'wait'\n",
    );
    let (_, after) = noting(&setup, "commands = 'ALL'\nmode = 'wait'\n");
    let (_, error) = noting(&setup, "commands = 'ALL'\nphase = 'error'\nmode = 'wait'\n");
    let server = setup.hook(&before).hook(&after).hook(&error).start();
    let mut client = server.connect();
    for line in [
        "SYST",
        "NOOP",
        "FEAT",
        "RETR x",
        "USER nobody",
        "PASS wrong",
        "STAT",
    ] {
        client.command(line);
    }
    assert_eq!(notes(&script), [""; 0]);
    // The login itself is one that has succeeded.
    let mut client = server.logged_in();
    let first = format!("PASS 230  {}", server.login.name);
    assert_eq!(notes(&script).first(), Some(&first));
    let before = notes(&script).len();
    client.expect("NOOP", 200);
    assert_eq!(notes(&script).len(), before + 2);
}

/// F7: a hook can refuse a command, whose reply says so in its words; what it is about stays as it is.
#[test]
fn f7_a_veto_before_a_command_refuses_it() {
    let setup = Setup::new();
    let body = "echo \"not $1, $2\"; echo '230 You are root'; exit 1";
    let script = Script::new(&setup, "veto", body);
    let hook = format!(
        "exec = ['{}', '%m', '%{{basename}}']\ncommands = ['STOR', 'DELE', 'RNTO', 'MKD', 'RETR']\nphase = 'before'\nmode = 'veto'\nmatch = {{ path = '*.exe' }}\n",
        script.path.display()
    );
    let server = setup.hook(&hook).start();
    server.put("a.exe", b"text");
    server.put("b.txt", b"text");
    let mut client = server.logged_in();
    refused(&mut client, "RETR a.exe", "not RETR, a.exe");
    refused(&mut client, "DELE a.exe", "not DELE, a.exe");
    refused(&mut client, "STOR c.exe", "not STOR, c.exe");
    refused(&mut client, "MKD d.exe", "not MKD, d.exe");
    client.expect("RNFR b.txt", 350);
    refused(&mut client, "RNTO b.exe", "not RNTO, b.exe");
    let mut names = server.names();
    names.sort();
    assert_eq!(names, ["a.exe", "b.txt"]);
    // What does not match is let through.
    client.expect("MKD d", 257);
    client.expect("DELE b.txt", 250);
    client.upload(Data::Epsv, "e.txt", b"text");
}

fn refused(client: &mut Client, line: &str, words: &str) {
    let reply = client.expect(line, 550);
    assert_eq!(reply.lines.len(), 1, "{reply:?}");
    assert!(reply.text().ends_with(words), "{reply:?}");
    client.expect("NOOP", 200);
}

/// A veto on an event hangs on what is done, by whichever command.
#[test]
fn a_veto_on_an_event_refuses_each_way_to_it() {
    let setup = Setup::new();
    let script = Script::new(&setup, "veto", "echo \"no $1\"; exit 1");
    let hook = format!(
        "exec = ['{}', '%{{event}}']\non = ['upload', 'download', 'delete', 'rename', 'mkdir', 'rmdir', 'chmod', 'symlink']\nphase = 'before'\nmode = 'veto'\n",
        script.path.display()
    );
    let server = setup.hook(&hook).start();
    server.put("f", b"text");
    server.put_directory("d");
    let mut client = server.logged_in();
    for (line, event) in [
        ("RETR f", "download"),
        ("STOR g", "upload"),
        ("APPE f", "upload"),
        ("STOU", "upload"),
        ("DELE f", "delete"),
        ("MKD e", "mkdir"),
        ("SITE MKDIR e/e", "mkdir"),
        ("RMD d", "rmdir"),
        ("SITE RMDIR d", "rmdir"),
        ("SITE CHMOD 600 f", "chmod"),
        ("MFF UNIX.mode=600; f", "chmod"),
        ("SITE SYMLINK f l", "symlink"),
    ] {
        let reply = client.command(line);
        assert_eq!(
            (reply.code, reply.text().contains(&format!("no {event}"))),
            (550, true),
            "{line}: {reply:?}"
        );
    }
    client.expect("RNFR f", 350);
    client.expect("RNTO g", 550);
    client.expect("SITE CPFR f", 350);
    client.expect("SITE CPTO g", 550);
    let mut names = server.names();
    names.sort();
    assert_eq!(names, ["d", "f"]);
}

/// What is told of a command afterwards: whether it has failed, with the code of its reply.
#[test]
fn success_and_failure_are_told_apart() {
    let setup = Setup::new();
    let (script, after) = noting(&setup, "commands = 'WRITE'\nmode = 'wait'\n");
    let error = format!(
        "exec = ['{}', 'failed', '%m', '%s']\ncommands = 'WRITE'\nphase = 'error'\nmode = 'wait'\n",
        script.path.display()
    );
    let server = setup.hook(&after).hook(&error).start();
    let mut client = server.logged_in();
    client.expect("MKD d", 257);
    client.expect("MKD d", 550);
    client.expect("MKD", 501);
    client.upload(Data::Epsv, "f", b"text");
    let name = &server.login.name;
    assert_eq!(
        notes(&script),
        [
            format!("MKD 257 /d {name}"),
            "failed MKD 550".to_owned(),
            "failed MKD 501".to_owned(),
            format!("STOR 226 /f {name}"),
        ]
    );
}

/// Hooks are for the users, paths and networks that they name.
#[test]
fn a_hook_is_for_whom_it_names() {
    let setup = Setup::new();
    let mine = |network: &str, user: &str| {
        format!(
            "commands = 'MKD'\nmode = 'wait'\nmatch = {{ path = '/in/**', network = '{network}', user = '{user}' }}\n"
        )
    };
    let (script, here) = noting(&setup, &mine("127.0.0.0/8", "*"));
    let (_, elsewhere) = noting(&setup, &mine("192.0.2.0/24", "*"));
    let (_, others) = noting(&setup, &mine("127.0.0.0/8", "!*"));
    let server = setup.hook(&here).hook(&elsewhere).hook(&others).start();
    server.put_directory("in");
    let mut client = server.logged_in();
    client.expect("MKD out", 257);
    client.expect("MKD in/x", 257);
    assert_eq!(
        notes(&script),
        [format!("MKD 257 /in/x {}", server.login.name)]
    );
}

/// F9: lines of a program are lines of the reply, and no line can be taken for another reply.
#[test]
fn f9_output_in_a_reply_forges_nothing() {
    let setup = Setup::new();
    let body = "printf 'one\\r\\n230 You are root\\r\\n226-x\\n\\033[2J\\0end\\n'; head -c 100000 /dev/zero | tr '\\0' x; echo; for i in $(seq 100); do echo $i; done";
    let script = Script::new(&setup, "say", body);
    let hook = format!(
        "exec = ['{}']\ncommands = ['NOOP', 'PWD', 'FEAT']\nmode = 'wait'\nreply = true\n",
        script.path.display()
    );
    let server = setup.hook(&hook).start();
    let mut client = server.logged_in();
    for (line, code) in [("NOOP", 200), ("PWD", 257)] {
        let reply = client.expect(line, code);
        assert!(reply.lines.len() > 3, "{reply:?}");
        assert!(reply.lines.len() <= 21, "{reply:?}");
        assert!(
            reply.lines.iter().any(|line| line.contains("one")),
            "{reply:?}"
        );
        assert!(reply.lines.iter().all(|line| line.len() < 512), "{reply:?}");
        // What came behind it belongs to nobody's reply.
        client.expect("TYPE I", 200);
    }
    // A reply of several lines is read by its places: it is left as it is.
    let reply = client.expect("FEAT", 211);
    assert!(
        reply.lines.iter().all(|line| !line.contains("one")),
        "{reply:?}"
    );
}

fn with_command_hook(lines: &str, body: &str) -> (Script, Server) {
    let setup = Setup::new();
    let script = Script::new(&setup, "hook", body);
    let hook = format!("exec = ['{}', '%r']\n{lines}", script.path.display());
    let server = setup.hook(&hook).start();
    (script, server)
}

/// A secret is nobody's argument.
#[test]
fn no_password_is_told() {
    let (script, server) = with_command_hook(
        "commands = 'PASS'\nmode = 'wait'\n",
        "echo \"$1\" > $out/line",
    );
    drop(server.logged_in());
    assert_eq!(script.wait_for("line"), b"PASS (hidden)\n");
}

/// A veto that cannot be asked for is one, unless it says otherwise.
#[test]
fn a_veto_fails_closed_or_open() {
    for (lines, code) in [("", 550), ("on-failure = 'ignore'\n", 257)] {
        let common = format!(
            "commands = 'MKD'\nphase = 'before'\nmode = 'veto'\ntimeout = '100ms'\nkill-after = '100ms'\n{lines}"
        );
        let (_, server) = with_command_hook(&common, "trap '' TERM; while :; do sleep 0.1; done");
        server.logged_in().expect("MKD d", code);
    }
}

/// The events of a whole tree: who may not delete files does not delete them by their directory.
#[test]
fn a_veto_on_deletions_is_asked_about_trees() {
    let setup = Setup::new();
    let script = Script::new(&setup, "veto", "exit 1");
    let hook = format!(
        "exec = ['{}']\non = 'delete'\nphase = 'before'\nmode = 'veto'\n",
        script.path.display()
    );
    let server = setup.hook(&hook).start();
    server.put_directory("d");
    let mut client = server.logged_in();
    client.expect("SITE RMDIR d", 550);
    client.expect("RMD d", 250);
}
