//! What a server says on its standard error, kept as lines that a test can wait for.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::ChildStderr;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use serde_json::Value;

use crate::wait::PATIENCE;

/// The lines so far, filled by a thread that ends with the last process which holds the other end.
#[derive(Clone, Default)]
pub struct Log(Arc<(Mutex<Lines>, Condvar)>);

#[derive(Default)]
struct Lines {
    lines: Vec<String>,
    ended: bool,
    expected: Vec<String>,
}

impl Log {
    pub fn follow(stderr: ChildStderr) -> Log {
        let log = Log::default();
        let writer = log.clone();
        std::thread::spawn(move || {
            let mut stderr = BufReader::new(stderr);
            let mut line = Vec::new();
            while stderr
                .read_until(b'\n', &mut line)
                .is_ok_and(|read| read > 0)
            {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                writer.0.0.lock().unwrap().lines.push(text);
                writer.0.1.notify_all();
                line.clear();
            }
            writer.0.0.lock().unwrap().ended = true;
            writer.0.1.notify_all();
        });
        log
    }

    /// Waits for a line that holds all the words, in any order and case, and returns it.
    #[track_caller]
    pub fn line_with(&self, words: &[&str]) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.0.0.lock().unwrap();
        loop {
            if let Some(line) = state.lines.iter().find(|line| holds(line, words)) {
                return line.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.ended || left.is_zero() {
                // Let go first: whoever cleans up after the panic wants to show the log too.
                drop(state);
                panic!(
                    "no log line with {words:?}; the log so far:\n{}",
                    self.text()
                );
            }
            state = self.0.1.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Says that the test expects a line with these words that tells of a process which dies of a mistake of its own.
    pub fn expect_fault(&self, words: &str) {
        self.0.0.lock().unwrap().expected.push(words.to_owned());
    }

    /// The words of lines about faults that the test expects.
    pub(crate) fn expected(&self) -> Vec<String> {
        self.0.0.lock().unwrap().expected.clone()
    }

    /// Whether nobody writes any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.0.0.lock().unwrap().ended
    }

    /// Everything so far.
    pub fn text(&self) -> String {
        self.0.0.lock().unwrap().lines.join("\n")
    }
}

impl Log {
    /// Where the port is at which TLS comes first.
    #[track_caller]
    pub fn implicit(&self) -> SocketAddr {
        address_in(&self.line_with(&["listening on", "implicit TLS"]))
    }
}

/// The address in a server's line about where it listens.
#[track_caller]
pub fn address_in(line: &str) -> SocketAddr {
    let (_, rest) = line.split_once("listening on ").unwrap();
    let address = rest.split([' ', ',', '"', '\n']).next().unwrap();
    address
        .parse()
        .unwrap_or_else(|e| panic!("no address in {line:?}: {e}"))
}

fn holds(line: &str, words: &[&str]) -> bool {
    let line = line.to_lowercase();
    words.iter().all(|word| line.contains(&word.to_lowercase()))
}

/// Waits until a file has so many lines and gives all of them.
#[track_caller]
pub fn lines(path: &Path, count: usize) -> Vec<String> {
    let mut lines = Vec::new();
    crate::wait::until("the file has its lines", || {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        lines = text.lines().map(str::to_owned).collect();
        lines.len() >= count
    });
    lines
}

/// Objects of a log in JSON that tell of such an event.
pub fn events(text: &str, event: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}")))
        .filter(|object: &Value| object["event"] == event)
        .collect()
}

/// What comes at a socket until a message holds these words.
#[track_caller]
pub fn message(socket: &UnixDatagram, words: &str) -> String {
    let mut buffer = [0; 8192];
    loop {
        let count = socket.recv(&mut buffer).unwrap();
        let text = String::from_utf8(buffer[..count].to_vec()).unwrap();
        if text.contains(words) {
            return text;
        }
    }
}
