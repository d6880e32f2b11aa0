//! How is a migration to go? What the flags and the mode's defaults come to.

use std::time::Duration;

use clap::ValueEnum;
use load_core::clock::Nanos;
use load_core::error::UsageError;
use load_net::args::wrong;
use load_wire::dwcp::hde::Algorithm;
use load_wire::dwcp::message::{Framing, feature};
use load_wire::dwcp::{CHUNK, PAGE};

use super::args::DataArgs;

/// The original's modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Short ways: 500 ms of downtime.
    Datacenter,
    /// Long ways: what does not fit into the downtime is copied after it.
    Internet,
    /// In between.
    Hybrid,
}

/// What pages travel over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// WebSocket.
    Ws,
}

/// How pages are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Framed {
    /// Frames of DWCP v3.
    V3,
    /// AMST chunks.
    Amst,
    /// Records with offsets.
    Adapter,
    /// Frames of the SDKs.
    Sdk,
}

/// How pages are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Compress {
    /// Not at all.
    None,
    /// LZ4.
    Lz4,
    /// zstd, level 3.
    Zstd,
    /// zstd, level 19.
    ZstdMax,
}

/// How every migration of a run goes.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) mode: Mode,
    pub(super) memory: u64,
    pub(super) zeros: f64,
    pub(super) duplicates: f64,
    pub(super) compressible: f64,
    /// Pages dirtied in a second.
    pub(super) dirty_rate: f64,
    pub(super) max_downtime: Nanos,
    pub(super) max_rounds: u16,
    /// Bytes a second.
    pub(super) bandwidth: Option<u64>,
    pub(super) streams: u16,
    pub(super) framing: Framing,
    pub(super) algorithm: Algorithm,
    pub(super) delta: bool,
}

impl Settings {
    pub(super) fn new(args: &DataArgs) -> Result<Self, UsageError> {
        let (downtime, rounds, algorithm, streams) = match args.migration_mode {
            Mode::Datacenter => (Duration::from_millis(500), 5, Algorithm::None, 4),
            Mode::Internet => (Duration::from_secs(90), 10, Algorithm::ZstdMax, 8),
            Mode::Hybrid => (Duration::from_secs(5), 7, Algorithm::Zstd, 4),
        };
        let framing = match args.framing {
            Framed::V3 => Framing::V3,
            Framed::Amst => Framing::Amst,
            Framed::Adapter => Framing::Adapter,
            Framed::Sdk => Framing::Sdk,
        };
        let settings = Self {
            mode: args.migration_mode,
            memory: args.vm_memory,
            zeros: args.zero_pages,
            duplicates: args.duplicate_pages,
            compressible: args.compressible,
            dirty_rate: args.dirty_rate * (args.vm_memory / PAGE as u64) as f64,
            max_downtime: args.max_downtime.unwrap_or(downtime).into(),
            max_rounds: args.max_rounds.unwrap_or(rounds),
            bandwidth: args.bandwidth_limit,
            streams: args.streams.unwrap_or(streams),
            framing,
            algorithm: match args.compress {
                // A format without a place for it has none by default.
                None if framing != Framing::V3 => Algorithm::None,
                None => algorithm,
                Some(Compress::None) => Algorithm::None,
                Some(Compress::Lz4) => Algorithm::Lz4,
                Some(Compress::Zstd) => Algorithm::Zstd,
                Some(Compress::ZstdMax) => Algorithm::ZstdMax,
            },
            delta: args.delta,
        };
        settings.check().map(|()| settings)
    }

    fn check(&self) -> Result<(), UsageError> {
        let page = PAGE as u64;
        if !self.memory.is_multiple_of(page) {
            return Err(wrong(
                "--vm-memory",
                format!("{} bytes; expected whole pages of {page}", self.memory),
            ));
        }
        if self.zeros + self.duplicates > 1.0 || self.compressible > 1.0 {
            return Err(wrong(
                "--zero-pages",
                "the shares of zero and duplicate pages and --compressible: expected at most 100 % in all",
            ));
        }
        if self.framing == Framing::V3 {
            return Ok(());
        }
        if self.algorithm != Algorithm::None || self.delta {
            return Err(wrong(
                "--framing",
                "only v3 compresses and sends differences: leave --compress and --delta out",
            ));
        }
        if self.framing == Framing::Adapter && self.memory > u64::from(u32::MAX) {
            return Err(wrong("--framing", "the adapter's offsets end at 4 GiB: use a smaller --vm-memory"));
        }
        Ok(())
    }

    /// The mode's number on the wire.
    pub(super) fn mode(&self) -> u8 {
        self.mode as u8
    }

    /// The features that it needs.
    pub(super) fn features(&self) -> u32 {
        let packed = match self.algorithm {
            Algorithm::None => 0,
            Algorithm::Lz4 => feature::LZ4,
            Algorithm::Zstd | Algorithm::ZstdMax => feature::ZSTD,
        };
        packed | self.framing.feature() | if self.delta { feature::DELTA } else { 0 }
    }

    /// Connections that carry frames: without frames of pages, one is enough for the control.
    pub(super) fn framed_streams(&self) -> u16 {
        if self.framing == Framing::V3 { self.streams } else { 1 }
    }

    /// All connections of a migration.
    pub(super) fn connections(&self) -> u64 {
        u64::from(self.framed_streams())
            + if self.framing == Framing::V3 { 0 } else { u64::from(self.streams) }
    }

    /// Memory of one user, bytes; an upper estimate.
    pub(super) fn bytes(&self) -> u64 {
        let copies = if self.delta { 2 } else { 1 };
        // Chunks that were dirtied while they were sent; what is compressed is there three times. A WebSocket copies once more.
        self.memory * copies + u64::from(self.streams) * 4 * CHUNK as u64
    }

    /// As it took effect, for the record.
    pub(super) fn describe(&self) -> serde_json::Value {
        serde_json::json!({
            "mode": format!("{:?}", self.mode).to_lowercase(),
            "vm_memory": self.memory,
            "zero_pages": self.zeros,
            "duplicate_pages": self.duplicates,
            "compressible": self.compressible,
            "dirty_pages_per_s": self.dirty_rate,
            "max_downtime_s": self.max_downtime.as_secs_f64(),
            "max_rounds": self.max_rounds,
            "bandwidth_limit": self.bandwidth,
            "streams": self.streams,
            "framing": format!("{:?}", self.framing).to_lowercase(),
            "compress": format!("{:?}", self.algorithm).to_lowercase(),
            "delta": self.delta,
        })
    }
}
