//! Columns without lines, the last of which may wrap.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement};

use super::paint;

/// Where a column's text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table being built. The column headed `STATUS` or `NOW` is coloured by its words.
#[derive(Debug)]
pub struct Table {
    header: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these columns.
    pub fn new(header: impl Into<Vec<(&'static str, Align)>>) -> Self {
        Self {
            header: header.into(),
            rows: Vec::new(),
        }
    }

    /// Adds a row with one text a column.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The lines, each ended; the last column wraps when `width` is known and too small.
    pub fn render(&self, width: Option<u16>) -> String {
        let mut table = comfy_table::Table::new();
        table
            .load_style(NOTHING)
            .set_header(self.header.iter().map(|(name, _)| *name));
        for row in &self.rows {
            table.add_row(row.iter().map(|cell| paint::tame(cell)).collect::<Vec<_>>());
        }
        table.set_content_arrangement(ContentArrangement::Disabled);
        if let Some(width) = width {
            table
                .set_content_arrangement(ContentArrangement::Dynamic)
                .set_width(width);
        }
        let last = self.header.len().saturating_sub(1);
        for (index, (_, align)) in self.header.iter().enumerate() {
            let Some(column) = table.column_mut(index) else {
                continue;
            };
            column.set_padding((0, 2));
            if index < last {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
            column.set_cell_alignment(match align {
                Align::Left => CellAlignment::Left,
                Align::Right => CellAlignment::Right,
            });
        }
        let coloured = self
            .header
            .iter()
            .map(|(name, _)| *name)
            .find(|name| matches!(*name, "STATUS" | "NOW"));
        let mut text = String::new();
        let mut offset = None;
        // Asking the table for its lines lays all of it out: once, not for every line.
        for (index, line) in table.lines().enumerate() {
            let line = line.trim_end();
            if index == 0 {
                offset = coloured.and_then(|name| offset_of(line, name));
            }
            match offset {
                Some(offset) if index > 0 => text.push_str(&colour_at(line, offset)),
                _ => text.push_str(line),
            }
            text.push('\n');
        }
        text
    }
}

/// Where a column begins, counted in characters of the header line.
fn offset_of(header: &str, name: &str) -> Option<usize> {
    let at = header.find(name)?;
    header.get(..at).map(|before| before.chars().count())
}

/// Colours the word that begins at `offset`, when it is a known one; anything else stays as it is.
fn colour_at(line: &str, offset: usize) -> String {
    let Some((at, _)) = line.char_indices().nth(offset) else {
        return line.to_owned();
    };
    let (before, rest) = line.split_at(at);
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let (word, after) = rest.split_at(end);
    format!("{before}{}{after}", paint::word(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::new([
            ("NODE", Align::Left),
            ("STATUS", Align::Left),
            ("CPU", Align::Right),
            ("WHY", Align::Left),
        ]);
        table.row(vec![
            "main-mac".into(),
            "online".into(),
            "4%".into(),
            "because it is so and not otherwise".into(),
        ]);
        table.row(vec![
            "pc".into(),
            "strange".into(),
            "100%".into(),
            "x".into(),
        ]);
        table
    }

    #[test]
    fn columns_line_up_and_only_known_words_are_coloured() {
        let text = sample().render(None);
        let plain = text.replace("\u{1b}[32m", "").replace("\u{1b}[0m", "");
        assert_eq!(
            plain,
            "NODE      STATUS    CPU  WHY\n\
             main-mac  online     4%  because it is so and not otherwise\n\
             pc        strange  100%  x\n"
        );
        assert!(text.contains("\u{1b}[32monline\u{1b}[0m"), "{text:?}");
        assert!(!text.contains("\u{1b}[32mstrange"));
    }

    #[test]
    fn a_long_table_is_laid_out_once() {
        let mut table = sample();
        for index in 0..5_000 {
            table.row(vec![
                format!("node-{index}"),
                "online".into(),
                "1%".into(),
                String::new(),
            ]);
        }
        let started = std::time::Instant::now();
        assert_eq!(table.render(None).lines().count(), 5_003);
        // Laid out for every line, it takes minutes.
        assert!(started.elapsed() < std::time::Duration::from_secs(10));
    }

    #[test]
    fn only_the_last_column_wraps_in_a_narrow_window() {
        let text = sample().render(Some(44));
        assert!(text.lines().count() > 3, "{text}");
        assert!(text.contains("main-mac"), "{text}");
    }
}
