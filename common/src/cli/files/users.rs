//! The manual page of the user file. Writes nothing itself.

use clap_mangen::roff::{Roff, bold, italic, roman};

use super::{example, see_also, terms};
use crate::settings::table::{FTPD, Scope, Setting};

/// Two users; a test reads them. The password of the second is `secret`.
const USERS: &str = "anonymous:null:::ftp:/srv/ftp:
fred:sha-256:5f3a:fbbbbcfa739c25511acd873b078eded237dc42b13c8302eae67572d0624fe35c:fred:/home/fred:Idle=60 ChHome=yes
";

/// What stands between the colons.
const FIELDS: &[(&str, &str)] = &[
    (
        "name",
        "What the user logs in with, in any case. No slash, not empty, not . or .., and no # at its beginning.",
    ),
    ("type", "How the password is kept; see below."),
    (
        "salt",
        "Octets that were hashed with it, in hex; empty where the type has none of its own here.",
    ),
    ("secret", "The hash, or with plain the password itself."),
    (
        "realuser",
        "The user of the system that the files belong to, and that the session becomes. Not root, unless RootUsers names the entry.",
    ),
    (
        "home",
        "The absolute path that the session starts in; with ChHome the only one it sees.",
    ),
    (
        "settings",
        "Key=Value with blanks between, without quotes, of the keys below. They go over everything else.",
    ),
];

const TYPES: &[(&str, &str)] = &[
    (
        "argon2id",
        "What ftpuser makes unless told otherwise. The secret is the hash in the form that starts with $argon2id$.",
    ),
    (
        "crypt",
        "A hash of crypt(3) or htpasswd(1), taken over from elsewhere.",
    ),
    (
        "md5, sha-1, sha-256, sha-512, whirlpool",
        "MetaFTPd's types: the digest of name, salt and password, one behind the other, in hex. Whoever reads the file finds such \
         passwords quickly; UpdatePass=argon2id changes each when its user logs in.",
    ),
    (
        "jh-224, jh-256, jh-384, jh-512",
        "The same with JH, in files that MetaFTPd wrote: such entries log in, and ftpuser makes none.",
    ),
    ("plain", "The password itself."),
    (
        "challenge",
        "The password itself too, in files that MetaFTPd wrote: there is no login by challenge here, and the password is sent as any \
         other. UpdatePass leaves such entries as they are, and ftpuser makes none.",
    ),
    (
        "null",
        "Any password will do, and the account may only read unless its settings say otherwise.",
    ),
];

/// The page.
pub(super) fn page(page: &mut Roff) {
    let default = Setting::find("AuthFile").map_or("", |setting| setting.default);
    page.control("SH", ["DESCRIPTION"]);
    page.text([
        roman("The users that "),
        bold("ftpd"),
        roman("(8) knows by its method native are in "),
        italic(default),
        roman(", or in the file that "),
        bold("AuthFile"),
        roman(" names. "),
        bold("ftpuser"),
        roman(
            "(1) edits it, also while the server runs: an edit is there whole or not at all, and the next login sees it. The file is \
             the one of MetaFTPd, which can read all of it but the types argon2id and crypt.",
        ),
    ]);
    page.control("PP", []);
    page.text([roman(
        "Each line is a user, in seven fields with colons between. There is no way to write a colon, a line end or a NUL in a field; \
         only in the settings colons are allowed. Lines that begin with # are comments. Of two users of the same name, the first \
         counts. A line has 64 KiB at most. A line that is damaged refuses logins of its own name and no others. The file belongs to \
         root, or to whoever runs ftpd, and is for nobody else to read or write.",
    )]);
    example(
        page,
        "The fields:",
        "name:type:salt:secret:realuser:home:settings",
    );
    terms(page, FIELDS.iter().copied());
    page.control("SH", ["TYPES OF PASSWORDS"]);
    terms(page, TYPES.iter().copied());
    page.control("SH", ["SETTINGS"]);
    let keys: Vec<_> = FTPD
        .rows
        .iter()
        .filter(|setting| setting.scope() == Scope::Session)
        .map(|setting| setting.key)
        .collect();
    page.text([
        roman(format!("A user may have {}. ", keys.join(", "))),
        bold("metaftpd.conf"),
        roman("(5) says what they are. One that is wrong refuses the logins of the user."),
    ]);
    page.control("SH", ["EXAMPLES"]);
    example(page, "Anybody, and a user whose password is secret:", USERS);
    page.control("SH", ["FILES"]);
    terms(
        page,
        [(default, "Read where AuthFile names no other file.")],
    );
    see_also(
        page,
        &[("ftpuser", "1"), ("metaftpd.conf", "5"), ("ftpd", "8")],
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Secret;
    use crate::auth::native::{Record, Verdict};
    use crate::settings::Scheme;

    #[test]
    fn the_example_is_two_users_and_the_password_is_what_it_says() {
        let records: Vec<_> = USERS
            .lines()
            .map(|line| Record::parse(line.as_bytes()).unwrap())
            .collect();
        let secret = Secret::new(b"secret");
        assert_eq!(records[1].verify(&secret), Ok(Verdict::Accept));
        assert_eq!(records[0].stored().scheme(), Scheme::Null);
    }

    #[test]
    fn every_type_is_told() {
        for scheme in Scheme::MADE.into_iter().chain(Scheme::OLD) {
            let name = scheme.name();
            let told = |(types, _): &(&str, &str)| types.split(", ").any(|known| known == name);
            assert!(TYPES.iter().any(told), "{name}");
        }
    }
}
