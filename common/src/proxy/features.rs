//! FEAT through a gateway: what server and gateway can do both. Pure: no I/O.

use super::course::{Course, course};
use crate::proto::reply::{Code, Line, Reply};
use crate::proto::verbs::{Verb, VerbSet, split};

/// What the gateway does itself, whatever the server can.
const OWN: [&str; 2] = ["EPRT", "EPSV"];

/// What it does itself where there is a certificate.
const TLS: [&str; 3] = ["AUTH TLS", "PBSZ", "PROT"];

/// The reply to FEAT, with those lines of the server's that are about commands which pass.
pub(super) fn reply(lines: &[Vec<u8>], permitted: VerbSet, offers_tls: bool) -> Reply {
    let tls = TLS.iter().filter(|_| offers_tls);
    let tls = tls.map(|feature| Line::from(format!(" {feature}")));
    let own = OWN
        .iter()
        .filter(|verb| Verb::find(verb).is_some_and(|verb| permitted.contains(verb)));
    let own = own.map(|verb| Line::from(format!(" {verb}")));
    let theirs = lines
        .iter()
        .map(|line| line.trim_ascii())
        .filter(|line| passes(line, permitted))
        .map(|line| Line::new(&[b" ", line].concat()));
    Reply::block(
        Code::SYSTEM_STATUS,
        "Features:",
        own.chain(tls).chain(theirs).collect(),
        "End",
    )
}

fn passes(line: &[u8], permitted: VerbSet) -> bool {
    let (word, rest) = split(line);
    let Ok(word) = std::str::from_utf8(word) else {
        return false;
    };
    let verb = match word.eq_ignore_ascii_case("SITE") {
        true => std::str::from_utf8(split(rest).0)
            .ok()
            .and_then(|rest| Verb::find(&format!("SITE {rest}"))),
        false => Verb::find(word).or_else(|| told_by(word)),
    };
    verb.is_some_and(|verb| {
        permitted.contains(verb) && matches!(course(verb), Some(Course::Pass | Course::Transfer(_)))
    })
}

/// The verb whose feature is called so: UTF8 is about OPTS.
fn told_by(word: &str) -> Option<Verb> {
    Verb::all().find(|verb| {
        let feature = verb.spec().feat.map(|feature| split(feature.as_bytes()).0);
        feature.is_some_and(|feature| feature.eq_ignore_ascii_case(word.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &[&str], permitted: VerbSet) -> String {
        let lines: Vec<Vec<u8>> = lines.iter().map(|line| line.as_bytes().to_vec()).collect();
        let mut out = Vec::new();
        reply(&lines, permitted, false).encode(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_passes_is_told_and_the_rest_is_not() {
        let lines = [
            " MDTM",
            " SIZE",
            " REST STREAM",
            " UTF8",
            " TVFS",
            " MLST type*;size*;",
            " MODE Z",
            "SITE CHMOD",
            " AUTH TLS",
            " PBSZ",
            " PROT",
            " EPSV",
            " PASV",
            " HOST",
            " SSCN",
            " CPSV",
            " XFOO bar",
            " SITE EXEC",
            " \u{fc}",
            "",
        ];
        let expected = "211-Features:\r\n EPRT\r\n EPSV\r\n MDTM\r\n SIZE\r\n REST STREAM\r\n UTF8\r\n TVFS\r\n \
                        MLST type*;size*;\r\n MODE Z\r\n SITE CHMOD\r\n211 End\r\n";
        assert_eq!(told(&lines, VerbSet::ALL), expected);
    }

    #[test]
    fn tls_is_the_gateways_own() {
        let mut out = Vec::new();
        reply(&[b" AUTH SSL".to_vec()], VerbSet::NONE, true).encode(&mut out);
        assert_eq!(
            out,
            b"211-Features:\r\n AUTH TLS\r\n PBSZ\r\n PROT\r\n211 End\r\n"
        );
    }

    #[test]
    fn told_means_permitted() {
        let mut permitted = VerbSet::ALL;
        for verb in ["SIZE", "EPSV"] {
            permitted.remove(Verb::find(verb).unwrap());
        }
        let expected = "211-Features:\r\n EPRT\r\n MDTM\r\n211 End\r\n";
        assert_eq!(told(&[" MDTM", " SIZE"], permitted), expected);
    }
}
