//! Which flags does a migration of a real image have?

use std::time::Duration;

use load_net::args::{HeaderArgs, TlsArgs};
use load_suite::units;

use super::settings::{Compress, Framed, Mode, Transport};
use crate::args::What;

/// The flags of `--mode data`. No `Debug`: some of them are secrets.
#[derive(clap::Args, Clone)]
pub struct DataArgs {
    /// What is loaded: the job API, or the data plane. Each has its own flags: dwcp-load --mode job --help.
    #[arg(long, value_enum, value_name = "MODE", default_value = "data", help_heading = "DWCP")]
    pub mode: What,
    /// Where images go: tcp://HOST:PORT, or ws://HOST:PORT, whose path is /dwcp/v3 unless it has one; tcps and wss over TLS.
    #[arg(
        long,
        alias = "host",
        value_name = "URL",
        env = "DWCP_DATA_URL",
        hide_env_values = true,
        help_heading = "Target"
    )]
    pub url: Option<String>,
    /// How they go, where --url does not say: it is the scheme's own.
    #[arg(long, value_enum, value_name = "CARRIER", help_heading = "Target")]
    pub transport: Option<Transport>,
    /// Memory of a VM, in whole pages of 4 KiB. Each user has one VM.
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "64MiB", help_heading = "VM")]
    pub vm_memory: u64,
    /// Pages that are all zeros.
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "25%", help_heading = "VM")]
    pub zero_pages: f64,
    /// Pages that are copies of one of eight others.
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "5%", help_heading = "VM")]
    pub duplicate_pages: f64,
    /// What a compressor can make out of a page: the share of it that is text, while the rest is noise.
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "50%", help_heading = "VM")]
    pub compressible: f64,
    /// Pages that the VM dirties in a second, while it is copied, as a share of all.
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "1%", help_heading = "VM")]
    pub dirty_rate: f64,
    /// What names of VMs begin with; the user's number follows.
    #[arg(long, value_name = "TEXT", default_value = "test-vm", help_heading = "VM")]
    pub vm_prefix: String,
    /// The original's modes, with their limits: datacenter 500 ms of downtime, 5 rounds, not compressed, 4 streams; internet 90 s,
    /// 10 rounds, zstd-max, 8 streams, post-copy; hybrid 5 s, 7 rounds, zstd, 4 streams.
    #[arg(long, value_enum, value_name = "MODE", default_value = "datacenter", help_heading = "Migration")]
    pub migration_mode: Mode,
    /// Longest downtime that is planned for [default: the mode's].
    #[arg(long, value_name = "D", value_parser = units::duration, help_heading = "Migration")]
    pub max_downtime: Option<Duration>,
    /// Rounds of pre-copy at most [default: the mode's].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000), help_heading = "Migration")]
    pub max_rounds: Option<u16>,
    /// Bytes on the wire in a second, of one migration: 200MB/s [default: as fast as it goes].
    #[arg(long, value_name = "RATE", value_parser = size, help_heading = "Migration")]
    pub bandwidth_limit: Option<u64>,
    /// Connections of a migration [default: the mode's].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Migration")]
    pub streams: Option<u16>,
    /// How pages are framed; all but v3 are the original's TCP formats, without checksum and acknowledgement.
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "v3", help_heading = "Migration")]
    pub framing: Framed,
    /// How pages are compressed [default: the mode's].
    #[arg(long, value_enum, value_name = "HOW", help_heading = "Migration")]
    pub compress: Option<Compress>,
    /// Send what has changed of a page since it was last sent. Keeps a second copy of the memory.
    #[arg(long, help_heading = "Migration")]
    pub delta: bool,
    /// Headers of the upgrade, and who is asking.
    #[command(flatten)]
    pub headers: HeaderArgs,
    /// Whom to trust.
    #[command(flatten)]
    pub tls: TlsArgs,
}

/// A size in bytes: `4096`, `64MiB`, `1GiB`, `200MB`; a rate besides, `200MB/s`.
fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not a size like 64MiB, 1GiB or 200MB");
    let plain = text.trim().strip_suffix("/s").unwrap_or(text.trim());
    let at = plain.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(plain.len());
    let (number, unit) = plain.split_at(at);
    let scale = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return Err(wrong()),
    };
    let number: u64 = number.trim().parse().map_err(|_| wrong())?;
    number.checked_mul(scale).filter(|bytes| (1..1 << 46).contains(bytes)).ok_or_else(wrong)
}

/// A share: `30%`, `0.3`; one in a second besides, `10%/s`.
fn share(text: &str) -> Result<f64, String> {
    let wrong = || format!("{text:?} is not a share like 30% or 0.3");
    let plain = text.trim().strip_suffix("/s").unwrap_or(text.trim());
    let (number, scale) = plain.strip_suffix('%').map_or((plain, 1.0), |number| (number, 100.0));
    let value = number.trim().parse::<f64>().map_err(|_| wrong())? / scale;
    if (0.0..=100.0).contains(&value) { Ok(value) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_shares_are_understood() {
        for (text, bytes) in [
            ("4096", 4096),
            ("64MiB", 64 << 20),
            ("1gib", 1 << 30),
            ("200MB/s", 200_000_000),
            ("8 KiB", 8192),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "0", "x", "1.5GiB", "-1", "3TiB", "99999999999999GiB"] {
            assert!(size(text).is_err(), "{text}");
        }
        assert_eq!(
            (share("30%"), share("0.25"), share("10%/s"), share("250%")),
            (Ok(0.3), Ok(0.25), Ok(0.1), Ok(2.5))
        );
        assert!(share("lots").is_err() && share("-1%").is_err() && share("nan").is_err());
    }
}
