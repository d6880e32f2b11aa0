//! Which rows are kept? Those of the last statement, as texts, in memory that is used again.

/// Rows with their columns. What is beyond [`Table::MOST`] bytes is counted, but not kept.
#[derive(Debug, Default)]
pub struct Table {
    names: Vec<String>,
    kinds: Vec<u32>,
    cells: Vec<u8>,
    /// Where each cell ends; none where it is NULL.
    ends: Vec<(usize, bool)>,
    columns: usize,
    /// Rows that came.
    pub rows: u64,
}

impl Table {
    /// A table keeps no more than so many bytes.
    pub const MOST: usize = 1 << 20;

    /// Forgets everything but the memory.
    pub fn clear(&mut self) {
        self.cells.clear();
        self.ends.clear();
        (self.columns, self.rows) = (0, 0);
    }

    /// Begins the rows of a statement, whose columns are described in `body`.
    pub(super) fn name(&mut self, body: &[u8]) -> Option<()> {
        self.clear();
        self.names.clear();
        self.kinds.clear();
        let mut rest = body.get(2..)?;
        for _ in 0..u16::from_be_bytes(*body.first_chunk()?) {
            let end = rest.iter().position(|&byte| byte == 0)?;
            self.names.push(String::from_utf8_lossy(&rest[..end]).into_owned());
            // Behind the table's OID and the column's number.
            self.kinds.push(u32::from_be_bytes(*rest.get(end + 7..)?.first_chunk()?));
            rest = rest.get(end + 19..)?;
        }
        Some(())
    }

    /// Takes a row.
    #[inline]
    pub(super) fn push(&mut self, body: &[u8]) -> Option<()> {
        self.rows += 1;
        if self.cells.len() >= Self::MOST {
            return Some(());
        }
        let columns = usize::from(u16::from_be_bytes(*body.first_chunk()?));
        self.columns = columns;
        let mut rest = body.get(2..)?;
        for _ in 0..columns {
            let length = i32::from_be_bytes(*rest.first_chunk()?);
            rest = &rest[4..];
            if let Ok(length) = usize::try_from(length) {
                self.cells.extend_from_slice(rest.get(..length)?);
                rest = &rest[length..];
            }
            self.ends.push((self.cells.len(), length < 0));
        }
        Some(())
    }

    /// The text in a row and column; none where there is none, or NULL.
    #[inline]
    pub fn text(&self, row: usize, column: usize) -> Option<&[u8]> {
        if column >= self.columns {
            return None;
        }
        let index = row * self.columns + column;
        let &(end, is_null) = self.ends.get(index)?;
        let begin = index.checked_sub(1).map_or(0, |before| self.ends[before].0);
        (!is_null).then(|| &self.cells[begin..end])
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|there| there == name)
    }

    /// Names of the columns, where the server was asked for them.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The OID of a column's type; 0 where the server was not asked.
    pub fn kind(&self, column: usize) -> u32 {
        self.kinds.get(column).copied().unwrap_or(0)
    }

    /// How many rows are kept.
    pub fn kept(&self) -> usize {
        self.ends.len().checked_div(self.columns).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[Option<&str>]) -> Vec<u8> {
        let mut body = (cells.len() as u16).to_be_bytes().to_vec();
        for cell in cells {
            body.extend(cell.map_or(-1, |text| text.len() as i32).to_be_bytes());
            body.extend(cell.unwrap_or_default().bytes());
        }
        body
    }

    #[test]
    fn cells_are_found_by_row_and_column() {
        let mut table = Table::default();
        for cells in [[Some("a"), None], [Some(""), Some("dd")]] {
            table.push(&row(&cells)).unwrap();
        }
        assert_eq!((table.rows, table.kept()), (2, 2));
        assert_eq!((table.text(0, 0), table.text(0, 1)), (Some(&b"a"[..]), None));
        assert_eq!((table.text(1, 0), table.text(1, 1)), (Some(&b""[..]), Some(&b"dd"[..])));
        assert_eq!((table.text(0, 2), table.text(2, 0)), (None, None));
        table.clear();
        assert_eq!((table.kept(), table.text(0, 0)), (0, None));
    }

    #[test]
    fn a_row_that_is_cut_is_no_row() {
        let whole = row(&[Some("abc"), Some("d")]);
        for end in 0..whole.len() {
            assert_eq!(Table::default().push(&whole[..end]), None, "{end}");
        }
    }

    #[test]
    fn columns_have_names() {
        let mut body = 2_u16.to_be_bytes().to_vec();
        for name in ["id", "name"] {
            body.extend(name.bytes());
            body.extend([0; 7]);
            body.extend(20_u32.to_be_bytes());
            body.extend([0; 8]);
        }
        let mut table = Table::default();
        table.name(&body).unwrap();
        assert_eq!((table.column("name"), table.column("x")), (Some(1), None));
        assert_eq!((table.kind(1), table.kind(2)), (20, 0));
        assert_eq!(table.name(&body[..body.len() - 1]), None);
    }
}
