//! Which routes does a request name? Patterns of paths, the more exact one first; pure.

use serde_json::{Map, Value};

use super::request::decoded;

/// `GET /api/cases/{id}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// As it is written.
    pub(crate) written: String,
    pub(crate) method: String,
    pub(crate) path: PathPattern,
}

/// `/api/cases/{id}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathPattern(Vec<Segment>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Named(String),
}

impl Pattern {
    /// Takes a method and a path.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?}: expected a method and a path, like \"GET /api/cases/{{id}}\"");
        let (method, path) = text.split_once(' ').ok_or_else(wrong)?;
        if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(wrong());
        }
        Ok(Self { written: text.to_owned(), method: method.to_owned(), path: PathPattern::parse(path)? })
    }
}

impl PathPattern {
    /// Takes a path with `{name}` for a segment.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn parse(path: &str) -> Result<Self, String> {
        let rest = path.strip_prefix('/').filter(|rest| !rest.contains(['?', ' ']));
        let rest = rest.ok_or_else(|| format!("{path:?}: expected a path that begins with \"/\""))?;
        let segment = |text: &str| match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            Some(name) => Segment::Named(name.to_owned()),
            None => Segment::Literal(text.to_owned()),
        };
        Ok(Self(rest.split('/').map(segment).collect()))
    }

    /// What its names stand for in a path, if that is one of it.
    pub(crate) fn names(&self, path: &str) -> Option<Map<String, Value>> {
        let mut names = Map::new();
        let mut segments = path.strip_prefix('/')?.split('/');
        for segment in &self.0 {
            match (segment, decoded(segments.next()?)) {
                (Segment::Literal(literal), found) if *literal == found => {}
                (Segment::Named(name), found) if !found.is_empty() => {
                    names.insert(name.clone(), found.into_owned().into());
                }
                _ => return None,
            }
        }
        segments.next().is_none().then_some(names)
    }

    /// Greater is more exact: at the first segment where they differ, a text beats a name.
    pub(crate) fn exactness(&self) -> Vec<bool> {
        self.0.iter().map(|segment| matches!(segment, Segment::Literal(_))).collect()
    }

    /// The name of the segment that names an item: `id`, or the last one.
    pub(crate) fn item(&self) -> Option<&str> {
        let mut names = self.0.iter().filter_map(|segment| match segment {
            Segment::Named(name) => Some(name.as_str()),
            Segment::Literal(_) => None,
        });
        names.clone().find(|name| *name == "id").or_else(|| names.next_back())
    }
}
