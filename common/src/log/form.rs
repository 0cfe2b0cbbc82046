//! How an entry is written down: as a line for people, as JSON, for syslog and the journal, and as wu-ftpd's xferlog. Pure: no I/O.
//!
//! SECURITY: one entry is one line in each form, whatever a process that was taken over may send.

use std::io::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::entry::{Entry, Told};
use crate::journal;

/// Facility "ftp" and severity "informational" (RFC 5424 §6.2.1).
const PRIORITY: u8 = 11 * 8 + 6;

/// Who has sent an entry, and when it came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    pub(super) time: Timestamp,
    pub(super) process: i32,
}

/// A line for people.
pub(super) fn text(lines: &mut Vec<u8>, stamp: Stamp, entry: &Entry<'_>) {
    // Writing to memory does not fail.
    let _ = write!(lines, "{:.3} [{}] ", stamp.time, stamp.process);
    lines.extend(entry.text.iter().copied().map(printable));
    lines.push(b'\n');
}

/// A JSON object on a line of its own.
pub(super) fn json(lines: &mut Vec<u8>, stamp: Stamp, entry: &Entry<'_>) {
    let _ = write!(
        lines,
        "{{\"time\":\"{:.3}\",\"process\":{},\"message\":",
        stamp.time, stamp.process
    );
    string(lines, entry.text);
    for (name, told) in &entry.facts {
        let _ = write!(lines, ",\"{name}\":");
        match told {
            Told::Text(octets) => string(lines, octets),
            Told::Number(number) => {
                let _ = write!(lines, "{number}");
            }
        }
    }
    lines.extend_from_slice(b"}\n");
}

/// Octets as a JSON string; what is no UTF-8 in it is U+FFFD.
fn string(lines: &mut Vec<u8>, octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    // DEL and the C1 controls may steer a terminal, and JSON lets them stand as they are.
    let safe = text.replace(|c| matches!(c, '\u{7f}'..='\u{9f}'), "\u{fffd}");
    let _ = serde_json::to_writer(lines, &safe);
}

/// A message for systemd's journal, with a field for each fact.
pub(super) fn journal(stamp: Stamp, program: &str, entry: &Entry<'_>) -> Vec<u8> {
    let message: Vec<u8> = entry.text.iter().copied().map(printable).collect();
    let process = stamp.process.to_string();
    let facts: Vec<(String, String)> = (entry.facts.iter())
        .map(|(name, told)| {
            let value = match told {
                Told::Text(octets) => {
                    String::from_utf8_lossy(octets).replace(char::is_control, "\u{fffd}")
                }
                Told::Number(number) => number.to_string(),
            };
            (format!("FTP_{}", name.to_ascii_uppercase()), value)
        })
        .collect();
    let mut fields: Vec<(&str, &[u8])> = vec![
        ("MESSAGE", &message),
        ("PRIORITY", b"6"),
        ("SYSLOG_FACILITY", b"11"),
        ("SYSLOG_IDENTIFIER", program.as_bytes()),
        ("SYSLOG_PID", process.as_bytes()),
    ];
    fields.extend(
        facts
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes())),
    );
    journal::datagram(&fields)
}

/// A message for syslog (RFC 5424 §6); whoever receives it fills in the host.
pub(super) fn syslog(stamp: Stamp, program: &str, entry: &Entry<'_>) -> Vec<u8> {
    let mut message = Vec::new();
    let event = entry.text_of("event").unwrap_or(b"-");
    let event: Vec<u8> = event.iter().copied().map(graphic).take(32).collect();
    let _ = write!(
        message,
        "<{PRIORITY}>1 {:.3} - {program} {} {} - ",
        stamp.time,
        stamp.process,
        String::from_utf8_lossy(&event)
    );
    message.extend(entry.text.iter().copied().map(printable));
    message
}

/// A line of wu-ftpd's xferlog(5), if the entry is about a transfer.
pub(super) fn transfer(lines: &mut Vec<u8>, stamp: Stamp, zone: &TimeZone, entry: &Entry<'_>) {
    if entry.text_of("event") != Some(b"transfer") {
        return;
    }
    let time = stamp.time.to_zoned(zone.clone());
    let seconds = entry.number_of("milliseconds").unwrap_or(0).div_ceil(1000);
    let octets = entry.number_of("octets").unwrap_or(0);
    let _ = write!(
        lines,
        "{} {seconds} ",
        time.strftime("%a %b %e %H:%M:%S %Y")
    );
    let mut field = |octets: Option<&[u8]>, otherwise: &[u8]| {
        let octets = octets.filter(|octets| !octets.is_empty());
        lines.extend(octets.unwrap_or(otherwise).iter().copied().map(graphic));
        lines.push(b' ');
    };
    let user = entry.text_of("user");
    field(entry.text_of("client"), b"-");
    field(Some(octets.to_string().as_bytes()), b"0");
    field(entry.text_of("path"), b"-");
    field(letter(entry, "type", &[b"a", b"b"]), b"b");
    field(letter(entry, "special", &[b"T", b"C"]), b"_");
    field(letter(entry, "direction", &[b"i", b"o"]), b"o");
    let anonymous = user.is_some_and(|name| {
        [&b"ftp"[..], b"anonymous"]
            .iter()
            .any(|a| name.eq_ignore_ascii_case(a))
    });
    field(Some(if anonymous { b"a" } else { b"r" }), b"r");
    field(user, b"-");
    // Service, how the user was found out by another protocol, and whom that told of: RFC 1413's business.
    lines.extend_from_slice(b"ftp 0 * ");
    lines.extend_from_slice(letter(entry, "completion", &[b"c", b"i"]).unwrap_or(b"i"));
    lines.push(b'\n');
}

/// A fact that is one of a few letters.
fn letter<'a>(entry: &Entry<'a>, name: &str, known: &[&'static [u8]]) -> Option<&'a [u8]> {
    let told = entry.text_of(name)?;
    known.contains(&told).then_some(told)
}

fn printable(octet: u8) -> u8 {
    match octet {
        b' '..=b'~' => octet,
        _ => b'?',
    }
}

/// Blanks would begin another field.
fn graphic(octet: u8) -> u8 {
    match octet {
        b' ' => b'_',
        octet => printable(octet),
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::{Fact, encode};
    use super::*;

    fn stamp() -> Stamp {
        Stamp {
            time: "2026-01-02T03:04:05.678Z".parse().unwrap(),
            process: 42,
        }
    }

    fn hostile() -> Vec<u8> {
        let facts = [
            ("event", Fact::Text(b"transfer")),
            ("user", Fact::Text(b"fred\" x\n")),
            ("client", Fact::Text(b"192.0.2.7")),
            ("path", Fact::Text(b"/a b\r\n\x1b[2J\xff\xc3\xa4")),
            ("octets", Fact::Number(7)),
            ("milliseconds", Fact::Number(1)),
            ("type", Fact::Text(b"a")),
            ("direction", Fact::Text(b"i o")),
            ("completion", Fact::Text(b"c")),
        ];
        encode("said \"so\"\n2026 forged", &facts, 2048)
    }

    #[test]
    fn each_form_is_one_line_and_nothing_in_it_is_forged() {
        let message = hostile();
        let entry = Entry::decode(&message);
        let mut lines = Vec::new();
        text(&mut lines, stamp(), &entry);
        assert_eq!(
            String::from_utf8(lines).unwrap(),
            "2026-01-02T03:04:05.678Z [42] said \"so\"?2026 forged\n"
        );
        let mut lines = Vec::new();
        json(&mut lines, stamp(), &entry);
        let line = String::from_utf8(lines).unwrap();
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["message"], "said \"so\"\n2026 forged");
        assert_eq!(read["user"], "fred\" x\n");
        assert_eq!(read["path"], "/a b\r\n\u{1b}[2J\u{fffd}\u{e4}");
        assert_eq!(read["octets"], 7);
        assert!(!line.contains('\u{1b}'));
        let mut lines = Vec::new();
        transfer(&mut lines, stamp(), &TimeZone::UTC, &entry);
        assert_eq!(
            String::from_utf8(lines).unwrap(),
            "Fri Jan  2 03:04:05 2026 1 192.0.2.7 7 /a_b???[2J??? a _ o r fred\"_x? ftp 0 * c\n"
        );
        assert_eq!(
            String::from_utf8(syslog(stamp(), "ftpd", &entry)).unwrap(),
            "<94>1 2026-01-02T03:04:05.678Z - ftpd 42 transfer - said \"so\"?2026 forged"
        );
    }

    #[test]
    fn only_transfers_are_in_the_log_of_transfers() {
        let mut lines = Vec::new();
        let message = encode("login", &[("event", Fact::Text(b"login"))], 100);
        transfer(
            &mut lines,
            stamp(),
            &TimeZone::UTC,
            &Entry::decode(&message),
        );
        assert_eq!(lines, b"");
    }
}
