//! What has been agreed with a service's clients? Routes, WebSockets and methods of a contract, as data, and what is
//! answered in its name.

mod auth;
mod file;
mod judge;
mod limit;
mod record;
mod request;
mod route;
mod service;
mod shape;
mod shipped;
mod socket;
mod store;
mod template;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use file::File;
pub use record::{ContractReport, EventReport, MessageReport, MethodReport, RouteReport, SocketReport};
pub(crate) use request::Request;
pub(crate) use service::Service;
pub(crate) use socket::session::{Answer, Client, Out, Session};

/// What a service answers to whom, as its clients rely on it.
#[derive(Debug, Clone)]
pub struct Contract {
    name: Arc<str>,
    strict: bool,
    actual: bool,
    limited: bool,
    file: Arc<File>,
}

/// Why a contract was refused.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// None of this name comes with the server.
    #[error("there is no contract {name:?}: expected one of {known}, or a file that ends with .toml")]
    Unknown {
        /// As the user named it.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// The real service is not described.
    #[error("{name}: there is no contract of the actual service: expected the command without --actual")]
    NoActual {
        /// As the user named it.
        name: String,
    },
    /// The file could not be read.
    #[error("{file}: cannot read the contract: {source}")]
    Read {
        /// As the user named it.
        file: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The text is no contract.
    #[error("{file}:{line}: {message}")]
    Parse {
        /// As the user named it.
        file: String,
        /// From 1.
        line: usize,
        /// What is wrong and what was expected.
        message: String,
    },
}

impl Contract {
    /// The same, refusing what it does not know.
    #[must_use]
    pub fn strict(self, strict: bool) -> Self {
        Self { strict, ..self }
    }

    /// The same without its limits, which real services can leave out as well.
    #[must_use]
    pub fn limited(self, limited: bool) -> Self {
        Self { limited, ..self }
    }

    /// What it is, in a line.
    pub fn about(&self) -> &str {
        &self.file.about
    }

    /// Whether a request of this method and path is one of the contract's.
    pub(crate) fn has_path(&self, path: &str) -> bool {
        self.file.routes.iter().flat_map(|route| &route.request).any(|one| one.path.names(path).is_some())
    }
}
