//! Tables for people. On a terminal they are as wide as it is, and no wider: what does not fit goes on in the next line of its cell.

use std::io::{self, IsTerminal};

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};

/// Where the cells of a column begin or end below each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    Left,
    /// For numbers, which are never parted.
    Right,
}

/// The width of the terminal that the standard output is, in characters; `None` where it is none, or nobody knows.
pub fn width() -> Option<u16> {
    let output = io::stdout();
    match output.is_terminal() {
        true => terminal_size::terminal_size_of(output).map(|(width, _)| width.0),
        false => None,
    }
}

/// A table of so many characters at most, with a line's end behind each line.
pub fn table(
    columns: &[(&str, Column)],
    rows: impl IntoIterator<Item = Vec<String>>,
    width: Option<u16>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(columns.iter().map(|(name, _)| *name));
    table.add_rows(rows);
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(width);
    }
    for (column, (_, side)) in table.column_iter_mut().zip(columns) {
        column.set_padding((0, 2));
        if *side == Column::Right {
            column.set_cell_alignment(CellAlignment::Right);
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [(&str, Column); 3] = [
        ("NAME", Column::Left),
        ("SIZE", Column::Right),
        ("PLACE", Column::Left),
    ];

    fn rows() -> [Vec<String>; 2] {
        [
            ["fred", "7", "/srv/ftp/fred"],
            [
                "a-name-of-some-length",
                "1024",
                "/srv/ftp/a-directory/of/another",
            ],
        ]
        .map(|row| row.map(str::to_owned).to_vec())
    }

    #[test]
    fn a_table_is_as_wide_as_it_must_be_and_as_it_may_be() {
        let whole = "NAME                   SIZE  PLACE\n\
                     fred                      7  /srv/ftp/fred\n\
                     a-name-of-some-length  1024  /srv/ftp/a-directory/of/another\n";
        assert_eq!(table(&COLUMNS, rows(), None), whole);
        assert_eq!(table(&COLUMNS, rows(), Some(200)), whole);
        let narrow = table(&COLUMNS, rows(), Some(40));
        assert!(
            narrow.lines().all(|line| line.chars().count() <= 40),
            "{narrow}"
        );
        assert!(
            narrow.lines().count() > 3 && narrow.contains("1024"),
            "{narrow}"
        );
    }
}
