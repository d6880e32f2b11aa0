//! Which contracts come with the server? Those in target-server/contracts.

use super::{Contract, ContractError};

/// Name, contract of the load test, contract of the real service.
const SHIPPED: [(&str, &str, Option<&str>); 5] = [
    (
        "novacron",
        include_str!("../../contracts/novacron.toml"),
        Some(include_str!("../../contracts/novacron.actual.toml")),
    ),
    ("nova-torch", include_str!("../../contracts/nova-torch.toml"), None),
    (
        "aragora",
        include_str!("../../contracts/aragora.toml"),
        Some(include_str!("../../contracts/aragora.actual.toml")),
    ),
    (
        "platform",
        include_str!("../../contracts/platform.toml"),
        Some(include_str!("../../contracts/platform.actual.toml")),
    ),
    (
        "megaagent",
        include_str!("../../contracts/megaagent.toml"),
        Some(include_str!("../../contracts/megaagent.actual.toml")),
    ),
];

impl Contract {
    /// The names of the contracts that come with the server.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, ..)| *name)
    }

    /// A contract that comes with the server: what its load test takes the service for, or what the service is.
    ///
    /// # Errors
    /// There is no such contract.
    pub fn named(name: &str, actual: bool) -> Result<Self, ContractError> {
        let unknown = || ContractError::Unknown {
            name: name.to_owned(),
            known: Self::names().collect::<Vec<_>>().join(", "),
        };
        let (_, text, real) = SHIPPED.iter().find(|(shipped, ..)| *shipped == name).ok_or_else(unknown)?;
        let (text, ending) = if actual {
            let text = real.ok_or_else(|| ContractError::NoActual { name: name.to_owned() })?;
            (text, ".actual.toml")
        } else {
            (*text, ".toml")
        };
        let parsed = Self::parse(&format!("{name}{ending}"), text)?;
        Ok(Self { name: name.into(), actual, ..parsed })
    }
}
