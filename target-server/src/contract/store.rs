//! What is there? The items of collections, made, read, listed, changed and deleted; in memory.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use super::{
    file::{Collection, Progress, Strings},
    template::{Draws, Scope, plain},
};

/// All collections.
#[derive(Debug, Default)]
pub(crate) struct Store(BTreeMap<String, Shelf>);

/// The items of one collection.
#[derive(Debug, Default)]
struct Shelf {
    /// The field that names an item.
    key: String,
    /// Items made so far, those of the beginning included.
    made: u64,
    /// Those that were there at first; they are not forgotten.
    seeded: u64,
    items: BTreeMap<u64, Item>,
    by_id: HashMap<String, u64>,
}

#[derive(Debug)]
struct Item {
    id: String,
    value: Map<String, Value>,
    looks: u64,
}

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) skip: usize,
    pub(crate) size: usize,
}

impl Store {
    /// The collections as they are at first.
    pub(crate) fn new(collections: &BTreeMap<String, Collection>, draws: &mut Draws) -> Self {
        let mut store = Self::default();
        for (name, collection) in collections {
            store.0.insert(name.clone(), Shelf { key: collection.key.clone(), ..Shelf::default() });
            for _ in 0..collection.seeded {
                store.create(name, collection, &Scope::default(), &collection.seed, draws);
            }
            if let Some(shelf) = store.0.get_mut(name) {
                shelf.seeded = collection.seeded;
            }
        }
        store
    }

    /// Makes an item: what the collection says, over it the body's fields, over them `set`.
    pub(crate) fn create(
        &mut self,
        name: &str,
        collection: &Collection,
        scope: &Scope<'_>,
        set: &Strings,
        draws: &mut Draws,
    ) -> Option<(Value, Value)> {
        let shelf = self.0.get_mut(name)?;
        shelf.made += 1;
        let scope = Scope { n: shelf.made, ..scope.clone() };
        let id = collection.id.fill(&scope, draws);
        let id = if collection.number { id } else { Value::from(plain(&id)) };
        let scope = Scope { id: Some(id.clone()), ..scope };
        let mut value = Map::new();
        fill(&mut value, &collection.item, &scope, draws);
        merge(&mut value, scope.body);
        fill(&mut value, set, &scope, draws);
        value.insert(collection.key.clone(), id.clone());
        let text = plain(&id);
        shelf.by_id.insert(text.clone(), shelf.made);
        shelf.items.insert(shelf.made, Item { id: text, value: value.clone(), looks: 0 });
        if shelf.items.len() > collection.most.max(1) {
            shelf.forget();
        }
        Some((id, Value::Object(value)))
    }

    /// The item of this name, and what became of it by this look, if it is one of those `within` allows.
    pub(crate) fn look(
        &mut self,
        name: &str,
        id: &str,
        progress: &[Progress],
        scope: &Scope<'_>,
        draws: &mut Draws,
    ) -> Option<Value> {
        let item = self.0.get_mut(name)?.find(id)?;
        item.looks += 1;
        for step in progress.iter().filter(|step| step.looks == item.looks) {
            fill(&mut item.value, &step.set, scope, draws);
        }
        Some(Value::Object(item.value.clone()))
    }

    /// Whether there is an item whose fields have these values.
    pub(crate) fn has(&self, name: &str, id: &str, within: &[(String, Value)]) -> bool {
        let Some(shelf) = self.0.get(name) else { return false };
        let item = shelf.by_id.get(id).and_then(|at| shelf.items.get(at));
        item.is_some_and(|item| within.iter().all(|(field, value)| same(item.value.get(field), value)))
    }

    /// Changes an item: the body's fields, over them `set`.
    pub(crate) fn update(
        &mut self,
        name: &str,
        id: &str,
        scope: &Scope<'_>,
        set: &Strings,
        draws: &mut Draws,
    ) -> Option<Value> {
        let shelf = self.0.get_mut(name)?;
        let key = shelf.key.clone();
        let item = shelf.find(id)?;
        let own = item.value.get(&key).cloned();
        merge(&mut item.value, scope.body);
        let before = Value::Object(item.value.clone());
        fill(&mut item.value, set, &Scope { item: Some(&before), ..scope.clone() }, draws);
        if let Some(own) = own {
            item.value.insert(key, own);
        }
        Some(Value::Object(item.value.clone()))
    }

    /// Takes an item away.
    pub(crate) fn delete(&mut self, name: &str, id: &str) -> Option<Value> {
        let shelf = self.0.get_mut(name)?;
        let at = shelf.by_id.remove(id)?;
        shelf.items.remove(&at).map(|item| Value::Object(item.value))
    }

    /// A page of the items whose fields have these values, and how many such items there are.
    pub(crate) fn list(&self, name: &str, within: &[(String, Value)], page: Page) -> (Vec<Value>, usize) {
        let Some(shelf) = self.0.get(name) else { return (Vec::new(), 0) };
        let value = |item: &Item| Value::Object(item.value.clone());
        if within.is_empty() {
            let items = shelf.items.values().skip(page.skip).take(page.size).map(value).collect();
            return (items, shelf.items.len());
        }
        let fits = |item: &&Item| within.iter().all(|(field, value)| same(item.value.get(field), value));
        let fitting = shelf.items.values().filter(fits);
        (fitting.clone().skip(page.skip).take(page.size).map(value).collect(), fitting.count())
    }

    /// Whether any item has this field.
    pub(crate) fn knows(&self, name: &str, field: &str) -> bool {
        let first = self.0.get(name).and_then(|shelf| shelf.items.first_key_value());
        first.is_some_and(|(_, item)| item.value.contains_key(field))
    }
}

impl Shelf {
    fn find(&mut self, id: &str) -> Option<&mut Item> {
        self.items.get_mut(self.by_id.get(id)?)
    }

    /// Forgets the oldest item that was not there at first.
    fn forget(&mut self) {
        let oldest = self.items.range(self.seeded + 1..).next().map(|(at, _)| *at);
        if let Some(item) = oldest.and_then(|at| self.items.remove(&at)) {
            self.by_id.remove(&item.id);
        }
    }
}

fn fill(value: &mut Map<String, Value>, fields: &Strings, scope: &Scope<'_>, draws: &mut Draws) {
    for (name, template) in &fields.0 {
        value.insert(name.clone(), template.fill(scope, draws));
    }
}

fn merge(value: &mut Map<String, Value>, body: Option<&Value>) {
    if let Some(Value::Object(fields)) = body {
        value.extend(fields.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
}

/// Whether a field is as asked for; a query's `1` is the number 1, too. Of a list one item has to be it.
fn same(field: Option<&Value>, asked: &Value) -> bool {
    match field {
        Some(Value::Array(items)) if !asked.is_array() => {
            items.iter().any(|item| plain(item) == plain(asked))
        }
        Some(field) => plain(field) == plain(asked),
        None => false,
    }
}
