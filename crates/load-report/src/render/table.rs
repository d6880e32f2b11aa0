//! How do columns line up in a terminal? Text to the left, numbers to the right, two spaces between.

/// Rows of cells under a heading.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    /// So many columns at the beginning hold text, the others numbers.
    text_columns: usize,
}

impl Table {
    /// A table with these headings, of which the first `text_columns` stand over text.
    pub(super) fn new(text_columns: usize, headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(|&h| h.to_owned()).collect()], text_columns }
    }

    /// Adds a row.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table with every line indented by two spaces.
    pub(super) fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut out = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                line.push_str("  ");
                let width = widths[column];
                if column < self.text_columns {
                    put!(line, "{cell:<width$}");
                } else {
                    put!(line, "{cell:>width$}");
                }
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}
