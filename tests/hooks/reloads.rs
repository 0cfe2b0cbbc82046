//! Hooks when the settings are read anew: they hear of it, and are others for new sessions.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::Value;
use tests::{Data, Server, Setup, wait};

use crate::events::events;
use crate::scripts::Script;

/// Writes the configuration file anew and tells the daemon.
fn reload(server: &Server, name: &str, text: &str) {
    fs::write(server.scratch.join(name), text).unwrap();
    server.process().signal(Signal::SIGHUP);
}

#[test]
fn exec_on_restart_runs_when_the_settings_were_read_anew() {
    let setup = Setup::new();
    let script = Script::new(&setup, "hook", "echo again >> $out/restarts");
    let lines = [
        "ExecEngine=on".to_owned(),
        script.setting("ExecOnRestart"),
        "Penalty=0".to_owned(),
    ];
    let setup = lines.iter().fold(setup, |setup, line| setup.setting(line));
    let server = setup.start();
    let restarts = || fs::read_to_string(script.file("restarts")).unwrap_or_default();
    for count in 1..3 {
        reload(&server, "ftpd.conf", &(lines.join("\n") + "\n"));
        wait::until("the program", || restarts().lines().count() == count);
    }
}

/// Who watches the events knows which settings are in use.
#[test]
fn the_event_of_a_reload_tells_what_came_of_it() {
    let hook = "limits.penalty = \"0\"\n[[hook]]\non = \"reload\"\nfile = \"{scratch}/events\"\n";
    let server = Setup::new().toml(hook.split_once('\n').unwrap().1).start();
    let path = server.scratch.join("events");
    let hook = hook.replace("{scratch}", server.scratch.path().to_str().unwrap());
    let reasons = || -> Vec<Value> {
        let events = events(&path);
        events.iter().map(|event| event["reason"].clone()).collect()
    };
    reload(&server, "ftpd.toml", &hook);
    wait::until("the first", || reasons() == ["done"]);
    reload(&server, "ftpd.toml", &format!("no-such-key = 1\n{hook}"));
    wait::until("the second", || reasons() == ["done", "refused"]);
}

/// A server with hooks of its own for each reading of its settings.
struct Scene {
    scripts: Vec<Script>,
    server: Server,
}

impl Scene {
    /// Starts with the first of these scripts, each of which writes what it hears into a file of its name.
    fn new(names: &[&str]) -> Scene {
        let setup = Setup::new();
        let script =
            |name: &&str| Script::new(&setup, name, &format!("echo \"$1\" >> $out/{name}.heard"));
        let scripts: Vec<Script> = names.iter().map(script).collect();
        let server = setup.setting(&Scene::settings(&scripts[..1])).start();
        Scene { scripts, server }
    }

    fn settings(scripts: &[Script]) -> String {
        let lines = scripts.iter().map(|script| {
            let (upload, logoff) = (script.setting("UploadHook"), script.setting("LogoffHook"));
            format!("{upload}\n{logoff}")
        });
        format!("Penalty=0\n{}", lines.collect::<Vec<_>>().join("\n"))
    }

    /// Goes on with this script, or with none.
    fn reload(&self, script: Option<usize>) {
        let scripts = script.map_or(&[][..], |place| &self.scripts[place..=place]);
        let before = self.count("settings: read anew");
        reload(
            &self.server,
            "ftpd.conf",
            &(Scene::settings(scripts) + "\n"),
        );
        wait::until("the settings are read", || {
            self.count("settings: read anew") > before
        });
    }

    fn count(&self, words: &str) -> usize {
        self.server.log.text().matches(words).count()
    }

    /// So many files and users this script was told of.
    fn heard(&self, script: usize) -> Vec<String> {
        let name = ["one", "two"][script];
        let text = fs::read_to_string(self.scripts[script].file(&format!("{name}.heard")));
        text.unwrap_or_default()
            .lines()
            .map(|line| line.rsplit('/').next().unwrap().to_owned())
            .collect()
    }

    #[track_caller]
    fn hears(&self, script: usize, expected: &[&str]) {
        wait::until(&format!("{script} has heard {expected:?}"), || {
            self.heard(script) == expected
        });
    }
}

#[test]
fn new_sessions_have_other_hooks_and_those_that_run_keep_theirs() {
    let scene = Scene::new(&["one", "two"]);
    let user = scene.server.login.name.clone();
    let mut early = scene.server.logged_in();
    // Has not logged in yet: its user is still told to the hooks that it began with.
    let mut visitor = scene.server.connect();
    scene.reload(Some(1));
    let mut late = scene.server.logged_in();
    late.upload(Data::Epsv, "late", b"content");
    early.upload(Data::Epsv, "early", b"content");
    scene.hears(1, &["late"]);
    scene.hears(0, &["early"]);
    visitor.login(&user, &scene.server.login.password);
    visitor.upload(Data::Epsv, "visitor", b"content");
    scene.hears(0, &["early", "visitor"]);
    early.expect("QUIT", 221);
    scene.hears(0, &["early", "visitor", &user]);
    visitor.expect("QUIT", 221);
    scene.hears(0, &["early", "visitor", &user, &user]);
    late.expect("QUIT", 221);
    scene.hears(1, &["late", &user]);
}

/// The hookd of former hooks goes when it has nobody left, and nobody takes that for a death.
#[test]
fn former_hooks_go_with_their_last_session() {
    let scene = Scene::new(&["one", "two"]);
    if !tests::require::root() {
        return;
    }
    let former = crate::deaths::hookd(&scene.server);
    let mut early = scene.server.logged_in();
    scene.reload(Some(1));
    assert!(former.runs());
    early.expect("QUIT", 221);
    former.wait_for_end();
    scene
        .server
        .logged_in()
        .upload(Data::Epsv, "late", b"content");
    wait::until("the new one", || !scene.heard(1).is_empty());
    assert_eq!(scene.count("hookd has died"), 0);
}

#[test]
fn hooks_may_go_and_come() {
    let scene = Scene::new(&["one", "two"]);
    let user = scene.server.login.name.clone();
    scene.reload(None);
    let mut client = scene.server.logged_in();
    client.upload(Data::Epsv, "nobody", b"content");
    scene.reload(Some(1));
    client.upload(Data::Epsv, "nobody again", b"content");
    client.expect("QUIT", 221);
    let mut client = scene.server.logged_in();
    client.upload(Data::Epsv, "file", b"content");
    scene.hears(1, &["file"]);
    client.expect("QUIT", 221);
    scene.hears(1, &["file", &user]);
    assert_eq!(scene.heard(0), [""; 0]);
}

/// Each hookd that dies is followed by another one, which goes on for the sessions of its hooks.
#[test]
fn the_death_of_a_former_hookd_is_no_loss() {
    if !tests::require::root() {
        return;
    }
    let scene = Scene::new(&["one", "two"]);
    let user = scene.server.login.name.clone();
    let former = crate::deaths::hookd(&scene.server);
    let mut early = scene.server.logged_in();
    scene.reload(Some(1));
    former.signal(Signal::SIGKILL);
    scene.server.log.line_with(&["hookd has died"]);
    early.upload(Data::Epsv, "early", b"content");
    // Nobody waits for programs, so the next one could overtake it.
    scene.hears(0, &["early"]);
    early.expect("QUIT", 221);
    scene.hears(0, &["early", &user]);
    assert_eq!(scene.heard(1), [""; 0]);
}

/// The spool is one, and each event in it is delivered by the hooks that it is for.
#[test]
fn former_and_new_hooks_share_the_spool() {
    let setup = Setup::new();
    let spool = setup.scratch().join("spool");
    fs::create_dir(&spool).unwrap();
    tests::scratch::mode(&spool, 0o700);
    let scratch = setup.scratch().to_str().unwrap().to_owned();
    let text = |name: &str| {
        format!(
            "hooks.spool = \"{scratch}/spool\"\n[[hook]]\non = \"upload\"\nfile = \"{scratch}/{name}\"\n"
        )
    };
    let server = setup.toml(&text("one")).start();
    let mut early = server.logged_in();
    reload(
        &server,
        "ftpd.toml",
        &format!("limits.penalty = \"0\"\n{}", text("two")),
    );
    server.log.line_with(&["settings: read anew"]);
    let mut late = server.logged_in();
    for number in 0..5 {
        early.upload(Data::Epsv, &format!("early{number}"), b"content");
        late.upload(Data::Epsv, &format!("late{number}"), b"content");
    }
    for (name, files) in [("one", "/early"), ("two", "/late")] {
        let path = server.scratch.join(name);
        wait::until(name, || events(&path).len() == 5);
        let all = events(&path);
        assert!(
            all.iter()
                .all(|event| event["path"].as_str().unwrap().starts_with(files))
        );
    }
    wait::until("the spool is empty", || {
        let names = fs::read_dir(&spool).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.len() == 32).count() == 0
    });
}

/// What programs need that run as root the daemon has given up where no hook had any.
#[test]
fn hooks_as_root_need_a_restart_where_there_were_none() {
    let setup = Setup::new();
    let one = Script::new(&setup, "one", "touch $out/one");
    let other = Script::new(&setup, "other", "touch $out/other");
    let server = setup.setting(&one.setting("UploadHook")).start();
    let text = format!(
        "Penalty=0\nBanner=New\n{},root\n",
        other.setting("UploadHook")
    );
    reload(&server, "ftpd.conf", &text);
    server
        .log
        .line_with(&["UploadHook and other hooks: to change this needs a restart"]);
    server.log.line_with(&["settings: read anew"]);
    let mut client = tests::Client::connect_quietly(server.address());
    assert!(client.expect_reply(220).text().contains("New"));
    client.login(&server.login.name, &server.login.password);
    client.upload(Data::Epsv, "file", b"content");
    one.wait_for("one");
    assert!(!other.file("other").exists());
}
