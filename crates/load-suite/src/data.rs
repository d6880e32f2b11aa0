//! Which row of the data does an iteration get?

use std::sync::Arc;

use crate::scope::Scope;

/// A table of texts with named columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    /// What `{{name.column}}` calls it.
    pub name: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// As many texts a row as there are columns; at least one row.
    pub rows: Vec<Vec<String>>,
    /// Who gets which row.
    pub order: Order,
}

/// Who gets which row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Iteration k gets row k, over all users; after the last row the first one comes again.
    #[default]
    Sequential,
    /// An iteration gets any row.
    Random,
    /// A user has a row of its own, for all its iterations.
    Unique,
}

impl Order {
    /// As suites write them.
    pub const NAMES: [(&'static str, Self); 3] =
        [("sequential", Self::Sequential), ("random", Self::Random), ("unique", Self::Unique)];
}

/// One column of a table: what a placeholder inserts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    data: Arc<Data>,
    index: usize,
    salt: u64,
}

impl Column {
    /// The column of that name.
    pub fn of(data: &Arc<Data>, name: &str) -> Option<Self> {
        let index = data.columns.iter().position(|column| column == name)?;
        // All columns of a table come from the same row.
        let salt =
            data.name.bytes().fold(0, |salt: u64, byte| salt.wrapping_mul(31).wrapping_add(byte.into()));
        Some(Self { data: Arc::clone(data), index, salt })
    }

    /// The text for an iteration.
    pub fn text(&self, scope: &Scope) -> &str {
        let n = self.data.rows.len() as u64;
        let row = match self.data.order {
            Order::Sequential => scope.seq % n,
            Order::Random => scope.fixed_below(self.salt, n),
            Order::Unique => scope.vu % n,
        };
        &self.data.rows[row as usize][self.index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(order: Order) -> Column {
        let rows = (0..4).map(|i| vec![format!("{i}"), format!("b{i}")]).collect();
        let data = Data { name: "d".into(), columns: vec!["a".into(), "b".into()], rows, order };
        Column::of(&Arc::new(data), "b").unwrap()
    }

    fn texts(order: Order, vu: u64) -> Vec<String> {
        let column = column(order);
        let mut scope = Scope::of(vu);
        let text = |seq| {
            scope.begin(1, seq);
            column.text(&scope).to_owned()
        };
        (0..40).map(text).collect()
    }

    #[test]
    fn rows_come_in_order_or_at_random_or_belong_to_a_user() {
        assert_eq!(texts(Order::Sequential, 9)[..5], ["b0", "b1", "b2", "b3", "b0"]);
        assert!(texts(Order::Unique, 2).iter().all(|text| text == "b2"));
        let random = texts(Order::Random, 0);
        assert_eq!(random, texts(Order::Random, 5), "the iteration decides, not the user");
        assert!((0..4).all(|i| random.contains(&format!("b{i}"))));
    }

    #[test]
    fn columns_of_a_table_come_from_one_row() {
        let b = column(Order::Random);
        let a = Column::of(&b.data, "a").unwrap();
        let mut scope = Scope::default();
        for seq in 0..50 {
            scope.begin(3, seq);
            assert_eq!(format!("b{}", a.text(&scope)), b.text(&scope));
        }
    }
}
