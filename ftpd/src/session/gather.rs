//! Reads what comes out of a pipe for a reply, within limits of size and time.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use common::control::until;
use common::proto::reply::Line;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};

use super::names::Names;

/// The most octets that fit into a reply.
const LONGEST: usize = 256 << 10;
/// How long it may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Lines that came out of a pipe.
pub(crate) struct Gathered {
    pub(crate) lines: Vec<Line>,
    /// Whether that was all.
    pub(crate) whole: bool,
}

/// Takes lines, which end in CR LF, until the end of the pipe; what is in them is names.
pub(crate) fn lines(pipe: &OwnedFd, names: Names) -> Gathered {
    let (text, whole) = octets(pipe);
    let lines = text
        .split_inclusive(|&b| b == b'\n')
        // A line that was cut is left out.
        .filter_map(|line| line.strip_suffix(b"\r\n"))
        .map(|line| Line::new(&names.on_wire(line)))
        .collect();
    Gathered { lines, whole }
}

fn octets(pipe: &OwnedFd) -> (Vec<u8>, bool) {
    let deadline = Instant::now() + TIMEOUT;
    let mut gathered = Vec::new();
    let mut buffer = [0u8; 4096];
    while gathered.len() <= LONGEST {
        match nix::unistd::read(pipe, &mut buffer) {
            Ok(0) => return (gathered, true),
            Ok(count) => gathered.extend_from_slice(&buffer[..count]),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => {
                let mut ready = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
                if matches!(poll(&mut ready, until(Some(deadline))), Ok(0)) {
                    break;
                }
            }
            Err(_) => break,
        }
    }
    (gathered, false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::charset::Charset;
    use common::proto::args::Utf8;
    use nix::fcntl::{FcntlArg, fcntl};
    use nix::unistd::{pipe, write};

    #[test]
    fn whole_lines_are_taken_and_a_cut_one_is_not() {
        let (reader, writer) = pipe().unwrap();
        write(&writer, b"one\r\ntwo\r\nthr").unwrap();
        drop(writer);
        let gathered = lines(&reader, Names::new(Charset::UTF_8, Utf8::Off));
        assert!(gathered.whole);
        assert_eq!(gathered.lines.len(), 2);
    }

    #[test]
    fn more_than_a_reply_holds_is_not_whole() {
        let (reader, writer) = pipe().unwrap();
        fcntl(&writer, FcntlArg::F_SETPIPE_SZ(1 << 20)).unwrap();
        let line = [&[b'x'; 4094][..], b"\r\n"].concat();
        for _ in 0..=LONGEST / line.len() {
            write(&writer, &line).unwrap();
        }
        drop(writer);
        assert!(!lines(&reader, Names::new(Charset::UTF_8, Utf8::Off)).whole);
    }
}
