//! What `ps -o comm` and `top` call our processes: the program alone is the listener, and what it starts has its part behind.
//! Nothing of a client is in there, since every user of the system can read it.

use std::ffi::CString;

use nix::sys::prctl;

/// The longest name that the kernel keeps, in octets.
const LONGEST: usize = 15;

/// A part that a process has in a daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Logger,
    Signer,
    Lookup,
    Hookd,
    /// The trusted half of a session whose client has not logged in yet.
    Login,
    /// The same once it is the user.
    Keeper,
    /// The network half of a session.
    Network,
    /// The trusted half of a session with another server.
    Dialer,
    Watcher,
    /// Verifies what a client's certificate has signed.
    Verifier,
    Pam,
    /// Changes a password for SITE PSWD.
    Password,
    Webhook,
    /// Puts a file into quarantine.
    Copier,
}

impl Part {
    /// All of them, with what stands behind the program's name: `ftpproxy` has room for seven octets.
    pub const ALL: [(Part, &str); 14] = [
        (Part::Logger, "logger"),
        (Part::Signer, "signer"),
        (Part::Lookup, "lookup"),
        (Part::Hookd, "hookd"),
        (Part::Login, "login"),
        (Part::Keeper, "keeper"),
        (Part::Network, "net"),
        (Part::Dialer, "dialer"),
        (Part::Watcher, "watch"),
        (Part::Verifier, "verify"),
        (Part::Pam, "pam"),
        (Part::Password, "passwd"),
        (Part::Webhook, "web"),
        (Part::Copier, "copy"),
    ];

    /// Calls this process by its part, before it is sealed. Where that cannot be it is only called otherwise.
    pub fn begin(self) {
        if let Some(name) = prctl::get_name()
            .ok()
            .and_then(|name| CString::new(self.behind(name.as_bytes())).ok())
        {
            #[expect(clippy::let_underscore_must_use, reason = "as said above")]
            let _ = prctl::set_name(&name);
        }
    }

    /// The name of a process that has another part now: it keeps the program's, as far as there is room.
    fn behind(self, name: &[u8]) -> Vec<u8> {
        let words = Part::ALL.iter().map(|(_, word)| word.as_bytes());
        let program = words
            .filter_map(|word| name.strip_suffix(word)?.strip_suffix(b"-"))
            .next()
            .unwrap_or(name);
        let own = Part::ALL.iter().find(|(part, _)| *part == self);
        let word = own.map_or("", |(_, word)| word);
        let room = LONGEST.saturating_sub(word.len() + 1).min(program.len());
        [&program[..room], b"-", word.as_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_has_a_word_and_room_for_it() {
        for (part, word) in Part::ALL {
            for program in ["ftpd", "ftpproxy"] {
                let name = part.behind(program.as_bytes());
                assert_eq!(name, format!("{program}-{word}").into_bytes());
                assert!(name.len() <= LONGEST);
            }
        }
    }

    #[test]
    fn another_part_takes_the_place_of_the_first_one() {
        for (before, part, after) in [
            ("ftpd-login", Part::Keeper, "ftpd-keeper"),
            ("ftpd-keeper", Part::Login, "ftpd-login"),
            ("in.my-ftpd", Part::Network, "in.my-ftpd-net"),
            ("a-program-named", Part::Login, "a-program-login"),
        ] {
            let name = part.behind(before.as_bytes());
            assert_eq!(String::from_utf8(name).unwrap(), after);
        }
    }
}
