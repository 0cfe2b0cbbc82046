//! What `ftpd --check` says about hooks: each fault with its place and what to do.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::scratch::give;
use tests::{Scratch, binaries, require};

struct Scene {
    scratch: Scratch,
    script: PathBuf,
}

impl Scene {
    /// A sound program.
    fn new() -> Scene {
        let scratch = Scratch::new();
        set_mode(scratch.path(), 0o755);
        let directory = scratch.join("scripts");
        fs::create_dir(&directory).unwrap();
        set_mode(&directory, 0o755);
        let script = directory.join("scan");
        fs::write(&script, "#!/bin/sh\nexit 0\n").unwrap();
        set_mode(&script, 0o755);
        Scene { scratch, script }
    }

    /// The exit status and all that is said about a configuration with this hook, in which `SCRIPT` is the program.
    fn check(&self, name: &str, hook: &str) -> (Option<i32>, String) {
        let users = self.scratch.join("users");
        fs::write(&users, "").unwrap();
        let configuration = self.scratch.join(name);
        let hook = hook.replace("SCRIPT", &self.script.display().to_string());
        fs::write(&configuration, hook).unwrap();
        for file in [&users, &configuration] {
            set_mode(file, 0o600);
        }
        let output = Command::new(binaries::path("ftpd"))
            .args(["--check", "-A", "native", "-a"])
            .arg(&users)
            .arg("-f")
            .arg(&configuration)
            .env_remove("CI")
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    }

    fn toml(&self, lines: &str) -> (Option<i32>, String) {
        self.check("ftpd.toml", &format!("[[hook]]\n{lines}"))
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

const HOOK: &str = "on = ['upload', 'delete']\nexec = ['SCRIPT', '%f']\n";

#[test]
fn hooks_are_listed_with_their_places() {
    let scene = Scene::new();
    let (status, said) = scene.toml(HOOK);
    assert_eq!(status, Some(0), "{said}");
    let listed = format!(
        "ftpd.toml:1:1: after upload delete, async: {} as hook",
        scene.script.display()
    );
    assert!(said.contains(&listed), "{said}");
    let (status, said) = scene.check(
        "ftpd.conf",
        "UploadHook=SCRIPT\nExecEngine=on\nExecOnCommand=STOR SCRIPT\n",
    );
    assert_eq!(status, Some(0), "{said}");
    assert!(
        said.contains("hook UploadHook: after upload, async: "),
        "{said}"
    );
    assert!(
        said.contains("ftpd.conf:3:15: after STOR, async: "),
        "{said}"
    );
}

#[test]
fn each_fault_of_a_program_is_told_with_its_remedy() {
    type Fault = (fn(&Scene), &'static str);
    let faults: [Fault; 8] = [
        (
            |scene| fs::remove_file(&scene.script).unwrap(),
            "No such file or directory: write the path",
        ),
        (
            |scene| set_mode(&scene.script, 0o644),
            "is not executable: chmod a+x",
        ),
        (
            |scene| set_mode(&scene.script, 0o757),
            "everybody may write",
        ),
        (
            |scene| set_mode(scene.script.parent().unwrap(), 0o777),
            "where everybody may write: chmod o-w",
        ),
        (
            |scene| fs::write(&scene.script, "#!/no/such/shell\n").unwrap(),
            "there is no interpreter /no/such/shell",
        ),
        (
            |scene| fs::write(&scene.script, "#!/bin/sh\r\nexit 0\r\n").unwrap(),
            "its lines end with CR LF",
        ),
        (
            |scene| fs::write(&scene.script, "exit 0\n").unwrap(),
            "is no program: a script begins with",
        ),
        (
            |scene| {
                fs::remove_file(&scene.script).unwrap();
                fs::create_dir(&scene.script).unwrap();
            },
            "is no regular file",
        ),
    ];
    for (fault, sentence) in faults {
        let scene = Scene::new();
        fault(&scene);
        let (status, said) = scene.toml(HOOK);
        assert_eq!(status, Some(1), "{sentence}: {said}");
        assert!(said.contains("ftpd.toml:1:1: "), "{said}");
        assert!(said.contains(sentence), "{sentence}: {said}");
    }
}

#[test]
fn a_program_of_somebody_else_is_told() {
    if !require::root() {
        return;
    }
    let scene = Scene::new();
    let other = nix::unistd::Uid::from_raw(12_345);
    give(&scene.script, other, nix::unistd::Gid::from_raw(0));
    let (status, said) = scene.toml(HOOK);
    assert_eq!(status, Some(1), "{said}");
    assert!(
        said.contains("belongs to uid 12345, who can change what it does: chown root"),
        "{said}"
    );
    give(
        scene.script.parent().unwrap(),
        other,
        nix::unistd::Gid::from_raw(0),
    );
    let (_, said) = scene.toml(HOOK);
    assert!(
        said.contains("scripts, which belongs to uid 12345: chown root"),
        "{said}"
    );
}

#[test]
fn other_things_that_hooks_name_are_looked_at_too() {
    for (lines, sentence) in [
        (
            "on = 'upload'\nexec = ['SCRIPT']\nrun-as = 'no-such-user'\n",
            "run-as: no-such-user",
        ),
        (
            "on = 'upload'\nexec = ['SCRIPT']\ndirectory = '/no/such'\n",
            "the working directory /no/such is not there",
        ),
        (
            "on = 'upload'\nphase = 'accept'\nexec = ['SCRIPT']\nquarantine = '/no/such'\n",
            "mkdir -m 700 /no/such",
        ),
        (
            "on = 'upload'\nphase = 'accept'\nexec = ['SCRIPT']\nquarantine = '/tmp'\n",
            "others may write to /tmp",
        ),
        (
            "on = 'upload'\nfifo = '/dev/null'\n",
            "/dev/null is no FIFO",
        ),
        (
            "on = 'upload'\nwebhook = 'https://example.org/'\nsecret-file = '/no/such'\n",
            "/no/such: No such file",
        ),
    ] {
        let (status, said) = Scene::new().toml(lines);
        assert_eq!(status, Some(1), "{sentence}: {said}");
        assert!(said.contains(sentence), "{sentence}: {said}");
    }
}

/// The spool is looked at as the start does, and whether there is room.
#[test]
fn faults_of_the_spool_are_told() {
    let check = |scene: &Scene| {
        let spool = scene.scratch.join("spool");
        let lines = format!("hooks.spool = '{}'\n[[hook]]\n{HOOK}", spool.display());
        scene.check("ftpd.toml", &lines)
    };
    let scene = Scene::new();
    let (status, said) = check(&scene);
    assert_eq!(status, Some(1), "{said}");
    assert!(
        said.contains("EventSpool: ") && said.contains("mkdir -m 700"),
        "{said}"
    );
    let spool = scene.scratch.directory("spool");
    set_mode(&spool, 0o777);
    let (status, said) = check(&scene);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("nobody else may write it"), "{said}");
    set_mode(&spool, 0o700);
    assert_eq!(check(&scene).0, Some(0));
    if !tests::mounts::private() {
        return;
    }
    give(&spool, 12345.into(), 12345.into());
    let (status, said) = check(&scene);
    assert_eq!(status, Some(1), "{said}");
    assert!(
        said.contains("must belong to the user of the server"),
        "{said}"
    );
    let _mounted = tests::mounts::Mounted::tmpfs(&spool, "size=16k,mode=0700");
    let (status, said) = check(&scene);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("there is no room left for events"), "{said}");
}

/// The daemon starts all the same, and says so.
#[test]
fn faults_are_in_the_log_at_the_start() {
    let setup = tests::Setup::new();
    let script = crate::scripts::Script::new(&setup, "hook", "exit 0");
    set_mode(&script.path, 0o666);
    let server = setup.setting(&script.setting("UploadHook")).start();
    server
        .log
        .line_with(&["hooks: UploadHook: ", "is not executable: chmod a+x"]);
    server
        .log
        .line_with(&["hooks: UploadHook: everybody may write"]);
}

/// What `--dump-config` writes says the same when it is read.
#[test]
fn a_dump_has_the_hooks_and_is_itself_a_configuration() {
    let scene = Scene::new();
    let dump = |name: &str, text: &str| {
        let configuration = scene.scratch.join(name);
        fs::write(&configuration, text).unwrap();
        set_mode(&configuration, 0o600);
        let output = Command::new(binaries::path("ftpd"))
            .args(["--dump-config", "-f"])
            .arg(&configuration)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let tables = |text: &str| {
        let tables = text.split("\n[[hook]]").skip(1);
        let rest = tables.map(|table| table.split_once('\n').unwrap().1.to_owned());
        rest.collect::<Vec<_>>()
    };
    let first = dump(
        "ftpd.conf",
        "ExecEngine=on\nExecOnCommand=WRITE /bin/true %f \"a b\"\nExecOnExit=/bin/true %u\nExecTimeout=5\n",
    );
    assert!(
        first.contains("[[hook]]  # ") && first.contains("ftpd.conf:2"),
        "{first}"
    );
    assert_eq!(tables(&first).len(), 2, "{first}");
    assert_eq!(tables(&dump("again.toml", &first)), tables(&first));
}
