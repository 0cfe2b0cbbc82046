//! Tests of sinks: each is filled, taken away and given back.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::{mkfifo, read};

use super::*;

fn notice(number: u8) -> Notice {
    sized(number, 0)
}

/// An event with so many octets more.
fn sized(number: u8, octets: usize) -> Notice {
    Notice {
        id: Id::from_bytes([number; 16]),
        kind: Kind::Upload,
        json: format!("{{\"n\":{number},\"x\":\"{}\"}}", "x".repeat(octets)),
    }
}

fn text(number: u8) -> String {
    format!("{}\n", notice(number).json)
}

fn sink(action: Action) -> Sink {
    Sink::new(&action, 1000).expect("a sink")
}

/// Works with ever later times until everything is written; returns what was said.
fn finish(sink: &mut Sink) -> Vec<String> {
    let mut now = Instant::now();
    let mut said = Vec::new();
    for _ in 0..1000 {
        if sink.waiting.is_empty() {
            return said;
        }
        said.extend(sink.work(now).said);
        now += LONGEST_PAUSE;
    }
    panic!("{sink}: still waiting, said {said:?}");
}

fn contents(path: &Path) -> String {
    let file = open(path, OFlag::O_RDONLY, Mode::empty()).unwrap();
    let mut text = String::new();
    std::fs::File::from(file).read_to_string(&mut text).unwrap();
    text
}

#[test]
fn no_more_events_wait_than_there_are_places_for() {
    let mut sink = Sink::new(&Action::Fifo("/nowhere/at/all".into()), 2).unwrap();
    let pushed = [0, 1, 2, 3].map(|number| sink.push(notice(number)));
    assert_eq!(pushed, [true, true, false, false]);
    assert_eq!(sink.waiting(), 2);
}

#[test]
fn trouble_is_said_once_and_tried_again_ever_more_rarely() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let mut sink = sink(Action::File(path.join("below")));
    let start = Instant::now();
    sink.push(notice(1));
    assert_eq!(sink.deadline(start), Some(start));
    let said = sink.work(start).said;
    assert!(
        said.len() == 1 && said[0].ends_with("; events wait"),
        "{said:?}"
    );
    let mut now = start;
    for pause in [100, 200, 400] {
        let next = sink.deadline(now).unwrap();
        assert_eq!(next - now, Duration::from_millis(pause));
        assert_eq!(
            sink.work(now + Duration::from_millis(pause - 1)),
            Report::default()
        );
        now = next;
        assert_eq!(sink.work(now), Report::default());
    }
    nix::unistd::mkdir(&path, Mode::S_IRWXU).unwrap();
    let said = finish(&mut sink);
    assert!(
        said.len() == 1 && said[0].ends_with("works again"),
        "{said:?}"
    );
    assert_eq!(contents(&path.join("below")), text(1));
    assert_eq!(sink.deadline(now), None);
}

#[test]
fn a_file_that_is_renamed_away_is_followed_by_a_new_one() {
    let directory = tempfile::tempdir().unwrap();
    let (path, old) = (
        directory.path().join("events"),
        directory.path().join("events.1"),
    );
    let mut sink = sink(Action::File(path.clone()));
    sink.push(notice(1));
    finish(&mut sink);
    let here = nix::fcntl::AT_FDCWD;
    nix::fcntl::renameat(here, &path, here, &old).unwrap();
    sink.push(notice(2));
    assert_eq!(finish(&mut sink), [""; 0]);
    assert_eq!((contents(&old), contents(&path)), (text(1), text(2)));
}

#[test]
fn a_file_is_no_link_and_a_broken_line_is_ended() {
    let directory = tempfile::tempdir().unwrap();
    let (path, link) = (
        directory.path().join("events"),
        directory.path().join("link"),
    );
    let flags = OFlag::O_CREAT | OFlag::O_WRONLY;
    let file = open(&path, flags, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    nix::unistd::write(&file, b"{\"half").unwrap();
    let mut good = sink(Action::File(path.clone()));
    good.push(notice(1));
    finish(&mut good);
    assert_eq!(contents(&path), format!("{{\"half\n{}", text(1)));
    nix::unistd::symlinkat(&path, nix::fcntl::AT_FDCWD, &link).unwrap();
    let mut bad = sink(Action::File(link));
    bad.push(notice(2));
    let said = bad.work(Instant::now()).said;
    assert!(
        said[0].contains("open: Too many symbolic links"),
        "{said:?}"
    );
}

#[test]
fn a_line_that_was_begun_is_ended_where_it_was_begun() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events");
    let mut file = File::new(&path);
    assert_eq!(file.write(&notice(1), 0), Ok(None));
    // As if only 5 octets of the next one had found a place, and the file had got another name since.
    nix::unistd::unlink(&path).unwrap();
    assert_eq!(file.write(&notice(2), 5), Ok(None));
    assert!(lstat_fails(&path));
    assert_eq!(file.write(&notice(3), 0), Ok(None));
    assert_eq!(contents(&path), text(3));
}

fn lstat_fails(path: &Path) -> bool {
    nix::sys::stat::lstat(path).is_err()
}

#[test]
fn a_fifo_needs_no_reader_and_a_full_one_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fifo");
    let mut sink = sink(Action::Fifo(path.clone()));
    sink.push(notice(0));
    assert!(sink.work(Instant::now()).said[0].contains("open: No such file"));
    mkfifo(&path, Mode::S_IRWXU).unwrap();
    let mut later = Instant::now() + LONGEST_PAUSE;
    assert_eq!(
        sink.work(later).delivered,
        [notice(0).id],
        "there is no reader yet"
    );
    // Far more than a pipe holds, with lines that are longer than PIPE_BUF.
    let all: Vec<Notice> = (1..40).map(|number| sized(number, 9000)).collect();
    all.iter()
        .for_each(|notice| assert!(sink.push(notice.clone())));
    let reader = open(&path, OFlag::O_RDONLY | OFlag::O_NONBLOCK, Mode::empty()).unwrap();
    let mut got = Vec::new();
    let mut filled = 0;
    for _ in 0..10_000 {
        later += LONGEST_PAUSE;
        assert_eq!(sink.work(later).said, [""; 0]);
        filled += usize::from(sink.descriptor().is_some());
        let mut octets = [0; 65536];
        if let Ok(count) = read(&reader, &mut octets) {
            got.extend_from_slice(&octets[..count]);
        }
        if sink.waiting.is_empty() {
            break;
        }
    }
    let mut octets = [0; 65536];
    while let Ok(count) = read(&reader, &mut octets) {
        got.extend_from_slice(&octets[..count]);
    }
    let lines: String = all.iter().map(|n| format!("{}\n", n.json)).collect();
    assert!(filled > 0, "it was never full");
    assert_eq!(String::from_utf8(got).unwrap(), text(0) + &lines);
}

#[test]
fn a_file_in_the_place_of_a_fifo_is_not_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let mut file = sink(Action::File(path.clone()));
    file.push(notice(1));
    finish(&mut file);
    let mut fifo = sink(Action::Fifo(path.clone()));
    fifo.push(notice(2));
    assert!(fifo.work(Instant::now()).said[0].contains("it is no FIFO"));
    assert_eq!(contents(&path), text(1));
}

#[test]
fn datagrams_wait_for_a_listener_and_follow_a_new_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let mut sink = sink(Action::UnixDatagram(path.clone()));
    sink.push(notice(1));
    let said = sink.work(Instant::now()).said;
    assert!(said[0].contains("connect: No such file"), "{said:?}");
    let receive = |listener: &UnixDatagram| {
        let mut octets = [0; 1000];
        let count = listener.recv(&mut octets).unwrap();
        String::from_utf8(octets[..count].to_vec()).unwrap()
    };
    let first = UnixDatagram::bind(&path).unwrap();
    finish(&mut sink);
    assert_eq!(receive(&first), notice(1).json);
    drop(first);
    nix::unistd::unlink(&path).unwrap();
    let second = UnixDatagram::bind(&path).unwrap();
    sink.push(notice(2));
    let said = finish(&mut sink);
    assert!(said[0].contains("send: Connection refused"), "{said:?}");
    assert_eq!(receive(&second), notice(2).json);
}

#[test]
fn a_full_socket_is_waited_for_and_what_is_too_long_is_lost_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let listener = UnixDatagram::bind(&path).unwrap();
    let mut sink = sink(Action::UnixDatagram(path));
    sink.push(sized(0, 4 << 20));
    (1..=200).for_each(|number| assert!(sink.push(notice(number))));
    let report = sink.work(Instant::now());
    assert_eq!(report.refused, [notice(0).id]);
    for _ in 0..10 {
        sink.work(Instant::now());
    }
    assert!(
        sink.descriptor().is_some(),
        "nobody read, and it is not full"
    );
    let mut octets = [0; 1000];
    for number in 1..=200 {
        let count = listener.recv(&mut octets).unwrap();
        assert_eq!(&octets[..count], notice(number).json.as_bytes());
        sink.work(Instant::now());
    }
}

#[test]
fn the_journal_gets_fields() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let listener = UnixDatagram::bind(&path).unwrap();
    let mut journal = Datagrams::new(&path, true);
    journal.write(&notice(1)).unwrap();
    let mut octets = [0; 1000];
    let count = listener.recv(&mut octets).unwrap();
    let text = String::from_utf8(octets[..count].to_vec()).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[..2], ["PRIORITY=6", "SYSLOG_IDENTIFIER=ftpd"]);
    assert_eq!(lines[2], format!("MESSAGE={}", notice(1).json));
    assert_eq!(lines[3], "FTPD_EVENT=upload");
    assert_eq!(lines[4], format!("FTPD_EVENT_ID={}", notice(1).id));
}

#[test]
fn a_stream_begins_with_a_whole_line_after_every_connection() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let mut sink = sink(Action::UnixStream(path));
    sink.push(notice(1));
    assert_eq!(finish(&mut sink), [""; 0]);
    let (first, _) = listener.accept().unwrap();
    let mut lines = BufReader::new(first);
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert_eq!(line, text(1));
    // More than the socket holds: it is within a line when the reader goes away.
    sink.push(sized(2, 4 << 20));
    for _ in 0..100 {
        sink.work(Instant::now());
    }
    assert!(sink.written > 0 && sink.descriptor().is_some());
    drop(lines);
    sink.push(notice(3));
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (second, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(second);
            for wanted in [sized(2, 4 << 20), notice(3)] {
                let mut line = String::new();
                lines.read_line(&mut line).unwrap();
                assert_eq!(line, format!("{}\n", wanted.json));
            }
        });
        let mut now = Instant::now();
        let mut said = Vec::new();
        while !sink.waiting.is_empty() {
            now += LONGEST_PAUSE;
            said.extend(sink.work(now).said);
            if let Some((descriptor, flags)) = sink.descriptor() {
                let mut polled = [nix::poll::PollFd::new(descriptor, flags)];
                nix::poll::poll(&mut polled, 1000u16).unwrap();
            }
        }
        assert!(said[0].contains("send: "), "{said:?}");
        reader.join().unwrap();
    });
}
