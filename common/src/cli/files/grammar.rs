//! How values of settings are written, by the name that help gives them. Prose only.

use clap_mangen::roff::{Roff, roman};

use super::terms;
use crate::settings::table::Settings;

/// Every name of a value, with its grammar.
const GRAMMAR: &[(&str, &str)] = &[
    (
        "CHARSET",
        "A name of the Encoding Standard, in any case; see CHARSETS OF NAMES.",
    ),
    (
        "CLIENTS",
        "Networks of clients as in a LIST, or the word self for addresses of this machine.",
    ),
    (
        "COST",
        "Three numbers, as in m=32768,t=3,p=1: KiB of memory, passes, lanes.",
    ),
    ("DAY", "A date such as 2027-12-31."),
    ("DIR", "The absolute path of a directory."),
    (
        "FILE",
        "An absolute path. On the command line it may start from the working directory.",
    ),
    ("FILE[,FILE]", "Such paths with commas between."),
    ("GROUP", "The name of a group of the system."),
    (
        "HASH",
        "CRC-32, MD5, SHA-1, SHA-256, SHA-512, Whirlpool or BLAKE3, in any case and with or without the dash; or none.",
    ),
    (
        "HOST:PORT",
        "A name or an address, with or without a port; an IPv6 address with a port is in brackets.",
    ),
    (
        "LINES",
        "Text of 1024 octets at most, in which \\n begins another line.",
    ),
    (
        "LIST",
        "Words with commas or blanks between; in TOML also an array. What the words are is said with the key. Networks are \
         such as 192.0.2.0/24, 2001:db8::/32 or one address.",
    ),
    ("LOW-HIGH", "Two ports, both of which belong to the range."),
    ("MODE", "Permission bits in octal, from 000 to 777."),
    ("NAME", "The name of a host, as its certificate has it."),
    ("NUMBER", "Decimal digits, without a sign."),
    (
        "PATH[,USER[,DIR]]",
        "The absolute path of a program, the user that runs it, and the directory that it starts in. Without a user it is \
         nobody's, the uid SessionUser+5.",
    ),
    (
        "PORT",
        "A port number; keys of passive ports take none below 1024.",
    ),
    (
        "PLACES",
        "Addresses and names of network interfaces with commas between, each with or without a port: 192.0.2.1, \
         [2001:db8::1]:2121, eth0. In TOML also an array. Without one the port is that of the key Port. An interface is all of its addresses but those of \
         one link; :: is IPv4 too, unless there is an IPv4 address beside it.",
    ),
    (
        "RATE",
        "Octets or bits in a second, such as 500kB/s, 10MiB/s or 100Mbit/s. 0 is no limit.",
    ),
    (
        "RULES",
        "Rules with commas between, the first that fits counts: [CLIENTS=]VALUE, where CLIENTS is a network, an address, or \
         self, and without it the rule is for all.",
    ),
    ("SECONDS", "A TIME of whole seconds, up to 32767."),
    (
        "SIZE",
        "Octets, or a number with KiB, MiB, GiB or TiB. 0 is no limit.",
    ),
    ("TEXT", "One line of text."),
    (
        "TIME",
        "Seconds, or numbers with units from d, h, m, s and ms, the largest first: 90, 5m, 1h30m, 500ms. At most 366d.",
    ),
    (
        "TYPE",
        "A type of passwords: argon2id, sha-512, sha-256, sha-1, md5, whirlpool or plain; see metaftpd.auth(5).",
    ),
    ("UID", "A user number other than root's."),
    ("WORD", "One of the words that are given with the key."),
    (
        "yes|no",
        "yes, true, on or 1; no, false, off or 0. A key without = is a yes.",
    ),
];

/// How a value of this name is written, as a sentence or more.
pub fn meaning(name: &str) -> Option<&'static str> {
    let known = GRAMMAR.iter().find(|(known, _)| *known == name);
    known.map(|(_, meaning)| *meaning)
}

/// Adds the grammar of the values that these settings have.
pub(super) fn section(page: &mut Roff, settings: &Settings) {
    page.control("SH", ["VALUES"]);
    page.text([roman("In the keys above")]);
    let used = |name: &str| settings.rows.iter().any(|row| row.value_name() == name);
    terms(page, GRAMMAR.iter().copied().filter(|(name, _)| used(name)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::FTPPROXY;
    use crate::settings::table::FTPD;

    #[test]
    fn every_value_has_a_grammar_and_every_grammar_a_value() {
        let names: Vec<_> = [FTPD, FTPPROXY]
            .iter()
            .flat_map(|settings| settings.rows)
            .map(|row| row.value_name())
            .collect();
        for name in &names {
            assert!(GRAMMAR.iter().any(|(known, _)| known == name), "{name}");
        }
        for (known, _) in GRAMMAR {
            assert!(names.contains(known), "{known} is nobody's value");
        }
    }
}
