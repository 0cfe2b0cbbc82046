//! A terminal of some width, for programs that look at what they write to.

use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

use nix::pty::{Winsize, openpty};

/// Runs a program whose output and errors are such a terminal, and gives what is on it then.
#[track_caller]
pub fn shown(command: &mut Command, columns: u16) -> String {
    let size = Winsize {
        ws_row: 24,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let ends = openpty(Some(&size), None).unwrap();
    command
        .env_remove("COLUMNS")
        .stdin(Stdio::null())
        .stdout(ends.slave.try_clone().unwrap())
        .stderr(ends.slave);
    let mut child = command.spawn().unwrap();
    // The command holds the other end open, too.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut text = Vec::new();
    // Once nobody has it open any more, a terminal says EIO.
    let _ = File::from(ends.master).read_to_end(&mut text);
    child.wait().unwrap();
    String::from_utf8(text).unwrap().replace("\r\n", "\n")
}

/// The longest line, without what gives letters their colours.
pub fn widest(text: &str) -> usize {
    let plain = text
        .split('\x1b')
        .enumerate()
        .map(|(number, part)| match number {
            0 => part,
            _ => part.split_once('m').map_or("", |(_, rest)| rest),
        });
    let plain: String = plain.collect();
    plain
        .lines()
        .map(|line| line.chars().count())
        .max()
        .unwrap_or(0)
}
