//! Sockets that a program finds open when it starts, as systemd passes them.

use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

/// One or two sockets, with names or without.
pub struct Passed {
    sockets: Vec<OwnedFd>,
    names: Option<String>,
}

impl Passed {
    /// Sockets with these names, with a colon between.
    pub fn named(sockets: Vec<OwnedFd>, names: &str) -> Passed {
        Passed {
            names: Some(names.to_owned()),
            ..Passed::nameless(sockets)
        }
    }

    pub fn nameless(sockets: Vec<OwnedFd>) -> Passed {
        assert!((1..=2).contains(&sockets.len()), "they go by 0 and 1");
        Passed {
            sockets,
            names: None,
        }
    }

    /// The words of a program that becomes the one whose words follow. It is to be the one that [`give`](Self::give) knows.
    pub fn words(&self) -> Vec<String> {
        let count = self.sockets.len();
        let second = if count == 2 { "4<&1 1>/dev/null" } else { "" };
        let names = match &self.names {
            Some(names) => format!("LISTEN_FDNAMES={names}"),
            None => String::new(),
        };
        let script = format!(
            "exec 3<&0 0</dev/null {second}; export LISTEN_PID=$$ LISTEN_FDS={count} {names}; exec \"$0\" \"$@\""
        );
        ["sh", "-c", &script].map(str::to_owned).to_vec()
    }

    /// Has a command find them, which has [`words`](Self::words).
    pub fn give(self, command: &mut Command) {
        let mut sockets = self.sockets.into_iter().map(Stdio::from);
        sockets.next().map(|first| command.stdin(first));
        sockets.next().map(|second| command.stdout(second));
    }
}
