//! In which ways can a call fail? The closed list, and counters over it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The kind of a failed call. Every failure that the suite can meet is exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum FaultKind {
    /// The name could not be resolved.
    Dns,
    /// No connection: refused, unreachable, or not accepted in time.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// No complete answer within the call's timeout.
    Timeout,
    /// The peer closed the connection before the answer began.
    Closed,
    /// The peer reset the connection.
    Reset,
    /// The answer ended before the length it announced.
    ShortBody,
    /// The answer breaks the protocol.
    Malformed,
    /// The answer exceeds a limit of the tool (headers, body).
    TooLarge,
    /// The target refused: an HTTP status, a gRPC code, an SQLSTATE. The fault's code says which.
    Rejected,
    /// The target asked for less: HTTP 429 and its like.
    RateLimited,
    /// A well-formed answer with the wrong content.
    Wrong,
    /// The generator's own machine refused: no descriptor, no local port.
    Local,
}

impl FaultKind {
    /// All kinds, in the order of their discriminants.
    pub const ALL: [Self; 13] = [
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Timeout,
        Self::Closed,
        Self::Reset,
        Self::ShortBody,
        Self::Malformed,
        Self::TooLarge,
        Self::Rejected,
        Self::RateLimited,
        Self::Wrong,
        Self::Local,
    ];

    /// The name in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Reset => "reset",
            Self::ShortBody => "short_body",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::Rejected => "rejected",
            Self::RateLimited => "rate_limited",
            Self::Wrong => "wrong",
            Self::Local => "local",
        }
    }
}

/// One count per kind of fault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByKind([u64; FaultKind::ALL.len()]);

impl ByKind {
    /// Counts one more fault of `kind`.
    pub fn add(&mut self, kind: FaultKind, n: u64) {
        self.0[kind as usize] += n;
    }

    /// The count of `kind`.
    pub fn get(&self, kind: FaultKind) -> u64 {
        self.0[kind as usize]
    }

    /// Faults of every kind together.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine += theirs;
        }
    }

    /// The kinds that occurred, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (FaultKind, u64)> + '_ {
        FaultKind::ALL.into_iter().map(|kind| (kind, self.get(kind))).filter(|&(_, n)| n > 0)
    }
}

impl Serialize for ByKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.iter().collect::<BTreeMap<_, _>>().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ByKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut counts = Self::default();
        for (kind, n) in BTreeMap::<FaultKind, u64>::deserialize(deserializer)? {
            counts.add(kind, n);
        }
        Ok(counts)
    }
}

impl JsonSchema for ByKind {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ByKind".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let counts = generator.subschema_for::<u64>();
        schemars::json_schema!({ "type": "object", "additionalProperties": counts })
    }
}
