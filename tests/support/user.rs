//! Who logs in, and as whom the files are served.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::unistd::{Gid, Uid, User};

/// An entry of the native authentication file.
#[derive(Clone, Debug)]
pub struct Account {
    pub name: String,
    pub password: String,
    /// The system's user whose files are served.
    pub real_user: String,
}

impl Account {
    /// `tester`, served as an unprivileged user: `nobody` under root, else whoever runs the tests.
    pub fn tester() -> Account {
        Account {
            name: "tester".into(),
            password: "correct horse".into(),
            real_user: ordinary().name,
        }
    }
}

/// The user that is nobody special: what "an ordinary user" means to these tests.
pub fn ordinary() -> User {
    let me = Uid::effective();
    let user = if me.is_root() {
        User::from_name("nobody")
    } else {
        User::from_uid(me)
    };
    user.unwrap()
        .expect("the user who runs the tests has an entry in passwd")
}

/// A user of the system made for one test, with supplementary groups; removed when dropped. Needs root.
pub struct SystemUser {
    pub name: String,
    pub uid: Uid,
    pub gid: Gid,
    /// All groups, the primary one among them, in ascending order.
    pub groups: Vec<u32>,
    extra: Vec<String>,
}

impl SystemUser {
    /// Makes a user who is a member of `extra` groups of their own beside the primary one.
    pub fn with_groups(extra: usize) -> SystemUser {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ftpt{}x{count}", std::process::id());
        let mut user = SystemUser {
            name: name.clone(),
            uid: Uid::from_raw(0),
            gid: Gid::from_raw(0),
            groups: Vec::new(),
            extra: Vec::new(),
        };
        for number in 0..extra {
            let group = format!("{name}g{number}");
            run("groupadd", &["--system", &group]);
            user.extra.push(group);
        }
        let list = user.extra.join(",");
        let mut arguments = vec!["--system", "--no-create-home", "--user-group"];
        if extra > 0 {
            arguments.extend(["--groups", &list]);
        }
        arguments.push(&name);
        run("useradd", &arguments);
        let entry = User::from_name(&name).unwrap().unwrap();
        (user.uid, user.gid) = (entry.uid, entry.gid);
        user.groups = user
            .extra
            .iter()
            .map(|group| {
                nix::unistd::Group::from_name(group)
                    .unwrap()
                    .unwrap()
                    .gid
                    .as_raw()
            })
            .chain([entry.gid.as_raw()])
            .collect();
        user.groups.sort_unstable();
        user
    }
}

impl Drop for SystemUser {
    fn drop(&mut self) {
        // Nothing to be done about a failure here, and a panic while panicking would hide the first one.
        let _ = Command::new("userdel").arg(&self.name).output();
        for group in &self.extra {
            let _ = Command::new("groupdel").arg(group).output();
        }
    }
}

fn run(program: &str, arguments: &[&str]) {
    let program = crate::require::find(program).expect("the passwd package is installed");
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
