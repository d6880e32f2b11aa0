//! What may be said on the command line?

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use clap::{Parser, ValueEnum};
use target_server::{Contract, ContractError, TlsFiles};

/// The reference system under test.
///
/// Answers HTTP as a script says (delays, stalls, failures, resets, broken answers) and records what it did,
/// independently of any load tool. It prints one line for each listener when it is ready, for example
/// `http http://127.0.0.1:8080`, and nothing else. GET /truth tells totals, GET /truth/arrivals every recorded
/// request, GET /truth/metrics what it uses, POST /truth/reset starts over, GET /health says ok.
///
/// Exit codes: 0 stopped by SIGINT or SIGTERM, 1 internal error, 104 bad usage or script, 114 an address
/// cannot be listened on.
#[derive(Debug, Parser)]
#[command(name = "target-server", version)]
pub(crate) struct Args {
    /// Where plain HTTP is served; port 0 takes a free one and prints it [default, without --https: 127.0.0.1:0]
    #[arg(long, value_name = "ADDR")]
    pub(crate) http: Option<SocketAddr>,

    /// Where HTTP over TLS is served; needs --cert and --key
    #[arg(long, value_name = "ADDR", requires_all = ["cert", "key"])]
    pub(crate) https: Option<SocketAddr>,

    /// The certificate of --https, PEM
    #[arg(long, value_name = "FILE", requires = "https")]
    pub(crate) cert: Option<PathBuf>,

    /// The key of --https, PEM
    #[arg(long, value_name = "FILE", requires = "https")]
    pub(crate) key: Option<PathBuf>,

    /// Where gRPC is served, in one process only: Nova-Torch's one call, health and reflection
    #[arg(long, value_name = "ADDR")]
    pub(crate) grpc: Option<SocketAddr>,

    /// Where WebSockets are served: echoes, broadcasts, and pushes as scripted
    #[arg(long, value_name = "ADDR")]
    pub(crate) ws: Option<SocketAddr>,

    /// Where migrations are ordered (DWCP's job API and event stream), in one process only
    #[arg(long, value_name = "ADDR")]
    pub(crate) dwcp: Option<SocketAddr>,

    /// Where memory images of migrations are received over TCP (docs/dwcp.md), in one process only; --dwcp receives them over
    /// WebSocket at /dwcp/v3 besides
    #[arg(long, value_name = "ADDR")]
    pub(crate) dwcp_data: Option<SocketAddr>,

    /// What to answer, as TOML; without it, every path answers 200 at once
    #[arg(long, value_name = "FILE")]
    pub(crate) script: Option<PathBuf>,

    /// In whose name it is answered (docs/contracts.md), in one process only: novacron, nova-torch, aragora, platform, megaagent, or
    /// a file that ends with .toml; --script adds its delays and faults
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub(crate) contract: Option<String>,

    /// Refuse what the contract does not know, and say what is wrong; GET /truth counts it
    #[arg(long, requires = "contract")]
    pub(crate) strict: bool,

    /// The contract as the real service keeps it, where that differs from what its load test takes it for
    #[arg(long, requires = "contract")]
    pub(crate) actual: bool,

    /// Leave out the contract's limits on calls, as the real services' own switches do
    #[arg(long, requires = "contract")]
    pub(crate) no_limits: bool,

    /// Processes that share the addresses; /truth answers for all of them
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) processes: u32,

    /// Whether every arrival is kept, besides the totals
    #[arg(long, value_name = "on|off", default_value = "on")]
    pub(crate) record: Switch,

    /// The most arrivals a process keeps; older ones are overwritten and counted as dropped
    #[arg(long, value_name = "N", default_value_t = 1 << 20, value_parser = clap::value_parser!(u64).range(1..=1 << 28))]
    pub(crate) ring: u64,

    /// Set by the parent of several processes: index, directory they share, the parent's process id
    #[arg(long, hide = true, num_args = 3, value_names = ["INDEX", "DIR", "PID"])]
    pub(crate) member: Option<Vec<String>>,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    /// Yes.
    On,
    /// No.
    Off,
}

impl Args {
    /// The address of plain HTTP, the default included.
    pub(crate) fn http(&self) -> Option<SocketAddr> {
        self.http.or_else(|| self.https.is_none().then(|| SocketAddr::from(([127, 0, 0, 1], 0))))
    }

    /// The arrivals kept by a process.
    pub(crate) fn ring(&self) -> usize {
        if self.record == Switch::On { self.ring as usize } else { 0 }
    }

    /// The contract, if there shall be one.
    pub(crate) fn contract(&self) -> Result<Option<Contract>, ContractError> {
        let Some(name) = &self.contract else { return Ok(None) };
        let contract = match name.strip_suffix(".toml") {
            Some(_) if self.actual => Err(ContractError::NoActual { name: name.clone() }),
            Some(_) => Contract::load(Path::new(name)),
            None => Contract::named(name, self.actual),
        };
        Ok(Some(contract?.strict(self.strict).limited(!self.no_limits)))
    }

    /// The files of the TLS listener, if there shall be one.
    pub(crate) fn tls(&self) -> Option<TlsFiles> {
        Some(TlsFiles { cert: self.cert.clone()?, key: self.key.clone()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_addresses_plain_http_is_served() {
        let args = Args::try_parse_from(["target-server"]).unwrap();
        assert_eq!(args.http().unwrap().port(), 0);
        assert_eq!(args.ring(), 1 << 20);
    }

    #[test]
    fn tls_needs_its_files_and_the_files_need_tls() {
        assert!(Args::try_parse_from(["target-server", "--https", "127.0.0.1:0"]).is_err());
        assert!(Args::try_parse_from(["target-server", "--cert", "c"]).is_err());
        assert!(Args::try_parse_from(["target-server", "--processes", "0"]).is_err());
    }

    #[test]
    fn recording_off_keeps_no_arrivals() {
        let args = Args::try_parse_from(["target-server", "--record", "off", "--ring", "9"]).unwrap();
        assert_eq!(args.ring(), 0);
    }
}
