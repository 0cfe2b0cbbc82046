//! The lines of the user file while it is changed: those that stay are places in what was read, so that a file of 100,000 users
//! costs two allocations. Knows nothing of locks.

use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::Range;

use zeroize::Zeroizing;

/// Lines that are gathered are written in pieces of about this size.
const PIECE: usize = 64 * 1024;

/// All lines of a file that holds secrets: wiped at the end.
pub(super) struct Text {
    octets: Octets,
    lines: Vec<Line>,
    changed: bool,
}

/// What was read of a file.
struct Octets(Vec<u8>);

impl Drop for Octets {
    fn drop(&mut self) {
        // All at once: octet by octet, as volatile writes are, would take a tenth of a change in a file of 100,000 users.
        self.0.fill(0);
        std::hint::black_box(&self.0);
    }
}

/// A line with its LF; only the last may lack it.
enum Line {
    /// As it was read.
    Kept(Range<usize>),
    New(Zeroizing<Vec<u8>>),
}

impl Text {
    /// Reads a file from its start, wherever its offset is.
    pub(super) fn read(mut file: &File) -> io::Result<Text> {
        let length = file.metadata()?.len();
        // One more: so the end is found without growing, and nothing is left behind unwiped.
        let room = usize::try_from(length).unwrap_or(0).saturating_add(1);
        let mut octets = Octets(Vec::new());
        octets
            .0
            .try_reserve_exact(room)
            .map_err(|_| io::ErrorKind::OutOfMemory)?;
        io::Seek::rewind(&mut file)?;
        file.read_to_end(&mut octets.0)?;
        let mut start = 0;
        let ends = memchr::memchr_iter(b'\n', &octets.0).map(|place| place + 1);
        let mut lines: Vec<_> = ends
            .map(|end| Line::Kept(std::mem::replace(&mut start, end)..end))
            .collect();
        if start < octets.0.len() {
            lines.push(Line::Kept(start..octets.0.len()));
        }
        Ok(Text {
            octets,
            lines,
            changed: false,
        })
    }

    /// Whether it is another text than the one that was read.
    pub(super) fn is_changed(&self) -> bool {
        self.changed
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// All lines with their LFs, from the first on.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.lines.iter().map(|line| self.octets_of(line))
    }

    /// The line at a place that there is, with its LF.
    pub(super) fn line(&self, place: usize) -> &[u8] {
        self.lines
            .get(place)
            .map_or(b"", |line| self.octets_of(line))
    }

    /// Puts a line, with its LF, in the place of another.
    pub(super) fn replace(&mut self, place: usize, line: Zeroizing<Vec<u8>>) {
        self.changed = true;
        self.lines[place] = Line::New(line);
    }

    /// Adds a line, with its LF, at the end.
    pub(super) fn push(&mut self, line: Zeroizing<Vec<u8>>) {
        // A line that was cut off must not run on into ours.
        let last = self.line(self.lines.len().wrapping_sub(1));
        if !last.is_empty() && !last.ends_with(b"\n") {
            let mut whole = Zeroizing::new(last.to_vec());
            whole.push(b'\n');
            let place = self.lines.len() - 1;
            self.replace(place, whole);
        }
        self.changed = true;
        self.lines.push(Line::New(line));
    }

    /// Keeps those lines alone for which this is true.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(usize, &[u8]) -> bool) {
        let mut place = 0..;
        self.changed = true;
        let octets = &self.octets.0;
        self.lines.retain(|line| {
            let line = match line {
                Line::Kept(range) => &octets[range.clone()],
                Line::New(line) => line,
            };
            place.next().is_none_or(|place| keep(place, line))
        });
    }

    /// Writes all lines.
    pub(super) fn write(&self, file: &mut File) -> io::Result<()> {
        // What stays is written from where it is, as far as it hangs together.
        let mut run = 0..0;
        let mut gathered = Zeroizing::new(Vec::with_capacity(PIECE));
        for line in &self.lines {
            match line {
                Line::Kept(range) if range.start == run.end => run.end = range.end,
                Line::Kept(range) => {
                    self.flush(&mut gathered, &mut run, file)?;
                    run = range.clone();
                }
                Line::New(line) => {
                    self.flush(&mut gathered, &mut run, file)?;
                    if gathered.len() + line.len() > PIECE {
                        file.write_all(&gathered)?;
                        gathered.clear();
                    }
                    gathered.extend_from_slice(line);
                }
            }
        }
        self.flush(&mut gathered, &mut run, file)?;
        file.write_all(&gathered)
    }

    /// Writes what was gathered and behind it a run, which is empty then: a short one is gathered too.
    fn flush(
        &self,
        gathered: &mut Zeroizing<Vec<u8>>,
        run: &mut Range<usize>,
        file: &mut File,
    ) -> io::Result<()> {
        let octets = &self.octets.0[std::mem::take(run)];
        if gathered.len() + octets.len() <= PIECE {
            gathered.extend_from_slice(octets);
            return Ok(());
        }
        file.write_all(gathered)?;
        gathered.clear();
        file.write_all(octets)
    }

    fn octets_of<'a>(&'a self, line: &'a Line) -> &'a [u8] {
        match line {
            Line::Kept(range) => &self.octets.0[range.clone()],
            Line::New(line) => line,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(content: &[u8]) -> Text {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        Text::read(&file).unwrap()
    }

    fn written(text: &Text) -> Vec<u8> {
        let mut file = tempfile::tempfile().unwrap();
        text.write(&mut file).unwrap();
        let mut content = Vec::new();
        io::Seek::rewind(&mut file).unwrap();
        file.read_to_end(&mut content).unwrap();
        content
    }

    #[test]
    fn a_line_that_was_cut_off_does_not_run_on_into_the_next() {
        let mut text = text(b"a\nb");
        text.push(Zeroizing::new(b"c\n".to_vec()));
        assert_eq!(written(&text), b"a\nb\nc\n");
        assert!(text.is_changed());
    }

    #[derive(Clone, Debug)]
    enum Change {
        Replace(usize, Vec<u8>),
        Push(Vec<u8>),
        Remove(usize),
    }

    fn line() -> impl Strategy<Value = Vec<u8>> {
        // Some are longer than what is gathered.
        prop_oneof![9 => "[ab]{0,5}\n", 1 => "x{40000}\n"].prop_map(String::into_bytes)
    }

    fn change() -> impl Strategy<Value = Change> {
        prop_oneof![
            (any::<usize>(), line()).prop_map(|(place, line)| Change::Replace(place, line)),
            line().prop_map(Change::Push),
            any::<usize>().prop_map(Change::Remove),
        ]
    }

    proptest! {
        #[test]
        fn it_is_a_list_of_lines(
            lines in prop::collection::vec(line(), 0..20),
            changes in prop::collection::vec(change(), 0..20),
        ) {
            let mut text = text(&lines.concat());
            let mut model = lines;
            prop_assert!(!text.is_changed());
            for change in changes {
                match change {
                    Change::Push(line) => {
                        model.push(line.clone());
                        text.push(Zeroizing::new(line));
                    }
                    Change::Replace(place, line) if !model.is_empty() => {
                        let place = place % model.len();
                        model[place] = line.clone();
                        text.replace(place, Zeroizing::new(line));
                    }
                    Change::Remove(gone) if !model.is_empty() => {
                        let gone = gone % model.len();
                        model.remove(gone);
                        text.retain(|place, _| place != gone);
                    }
                    Change::Replace(..) | Change::Remove(_) => {}
                }
            }
            prop_assert_eq!(text.len(), model.len());
            prop_assert_eq!(text.iter().collect::<Vec<_>>(), model.iter().collect::<Vec<_>>());
            prop_assert_eq!(written(&text), model.concat());
        }
    }
}
