//! From which address of this machine does a link connect? Addresses, networks and ranges, taken in turn.
//!
//! One address has about 28,000 local ports towards one address of the target; several have as many each.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use load_core::protocol::LinkId;

/// Addresses from the first to the last, both included; never expanded, because a network may have millions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalIps {
    first: u128,
    count: u128,
    is_v4: bool,
}

/// The addresses to connect from.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct LocalArgs {
    /// Connect from these addresses in turn: addresses, ranges A-B, networks A/BITS [default: the system's choice; towards
    /// 127.0.0.0/8 another one of that network for each 8,192 connections].
    #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = "Connections")]
    pub local_ips: Vec<LocalIps>,
}

impl LocalArgs {
    /// Whether connections to `host` come from several addresses, so that one address's ports are no limit.
    pub fn spreads(&self, host: &str) -> bool {
        let loopback = || host == "localhost" || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
        !self.local_ips.is_empty() || loopback()
    }

    /// The address from which `link` connects to `target`, one of so many `targets`; none for the system's choice. Links
    /// that share an address of the target differ in this one first.
    pub fn pick(&self, link: LinkId, targets: usize, target: IpAddr) -> Option<IpAddr> {
        let turn = link.index / (targets as u64).max(1);
        if !self.local_ips.is_empty() {
            return LocalIps::pick(&self.local_ips, target, turn + u64::from(link.generation));
        }
        let block = turn / LOOPBACK_BLOCK;
        match target {
            IpAddr::V4(target) if target.is_loopback() && block > 0 => LOOPBACK.at_turn(block.into()),
            _ => None,
        }
    }
}

/// Links that connect from one address of the loopback network. The kernel looks for a port among the even ones first, 14,116 of
/// them, and nearly one after the other: where most are taken, a connection costs hundreds of microseconds.
const LOOPBACK_BLOCK: u64 = 1 << 13;
const LOOPBACK: LocalIps = LocalIps { first: 0x7f00_0001, count: (1 << 24) - 2, is_v4: true };

const EXPECTED: &str = "expected an address, a range like 10.0.0.1-10.0.0.9, or a network like 10.0.0.0/24";

impl FromStr for LocalIps {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = |text: &str| text.trim().parse::<IpAddr>().map_err(|_| EXPECTED.to_owned());
        if let Some((address_of, length)) = text.split_once('/') {
            return network(address(address_of)?, length.trim().parse().map_err(|_| EXPECTED)?);
        }
        let (first, last) = match text.split_once('-') {
            Some((first, last)) => (address(first)?, address(last)?),
            None => (address(text)?, address(text)?),
        };
        if first.is_ipv4() != last.is_ipv4() || number(last) < number(first) {
            return Err(format!("the range does not end behind its beginning; {EXPECTED}"));
        }
        Ok(Self::new(first, number(last) - number(first) + 1))
    }
}

impl LocalIps {
    fn new(first: IpAddr, count: u128) -> Self {
        Self { first: number(first), count, is_v4: first.is_ipv4() }
    }

    /// The address number `turn` of those in `all` that can reach `target`, over and over; none where there is none.
    pub fn pick(all: &[Self], target: IpAddr, turn: u64) -> Option<IpAddr> {
        let fitting = || all.iter().filter(|ips| ips.is_v4 == target.is_ipv4());
        let total = fitting().fold(0_u128, |total, ips| total.saturating_add(ips.count));
        let mut turn = u128::from(turn).checked_rem(total)?;
        for ips in fitting() {
            if turn < ips.count {
                return Some(ips.at(turn));
            }
            turn -= ips.count;
        }
        None
    }

    fn at_turn(&self, turn: u128) -> Option<IpAddr> {
        (turn < self.count).then(|| self.at(turn))
    }

    fn at(&self, index: u128) -> IpAddr {
        let number = self.first + index;
        if self.is_v4 { Ipv4Addr::from(number as u32).into() } else { Ipv6Addr::from(number).into() }
    }
}

impl fmt::Display for LocalIps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            1 => write!(f, "{}", self.at(0)),
            count => write!(f, "{}-{}", self.at(0), self.at(count - 1)),
        }
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

/// The hosts of a network: without its first and last address, which are the network's own in IPv4.
fn network(address: IpAddr, length: u32) -> Result<LocalIps, String> {
    let bits = if address.is_ipv4() { 32 } else { 128 };
    if length == 0 || length > bits {
        return Err(format!("no network of /{length}; {EXPECTED}"));
    }
    let host_bits = bits - length;
    let size = 1_u128 << host_bits;
    let all = LocalIps { first: number(address) & !(size - 1), count: size, is_v4: address.is_ipv4() };
    if address.is_ipv4() && host_bits >= 2 {
        return Ok(LocalIps { first: all.first + 1, count: size - 2, ..all });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(lists: &[&str], target: &str, turns: u64) -> Vec<String> {
        let all: Vec<LocalIps> = lists.iter().map(|text| text.parse().unwrap()).collect();
        let target = target.parse().unwrap();
        (0..turns).filter_map(|turn| LocalIps::pick(&all, target, turn)).map(|ip| ip.to_string()).collect()
    }

    #[test]
    fn addresses_are_taken_in_turn_and_by_family() {
        let lists = ["127.0.0.9", "::1", "10.1.0.0/30", "10.2.0.255-10.2.1.0"];
        let expected = ["127.0.0.9", "10.1.0.1", "10.1.0.2", "10.2.0.255", "10.2.1.0", "127.0.0.9"];
        assert_eq!(taken(&lists, "127.0.0.1", 6), expected);
        assert_eq!(taken(&lists, "::2", 2), ["::1", "::1"]);
        assert_eq!(taken(&["::1"], "127.0.0.1", 2), [""; 0]);
        assert_eq!(taken(&["10.0.0.7/31"], "1.1.1.1", 2), ["10.0.0.6", "10.0.0.7"]);
        assert_eq!(taken(&["10.9.8.7/8"], "1.1.1.1", 1), ["10.0.0.1"]);
        assert_eq!(taken(&["fd00::/64"], "::2", 2), ["fd00::", "fd00::1"]);
    }

    #[test]
    fn the_loopback_network_has_an_address_for_each_block_of_links() {
        let from = |index, target: &str| {
            let link = LinkId { index, ..LinkId::FIRST };
            LocalArgs::default().pick(link, 1, target.parse().unwrap()).map(|ip| ip.to_string())
        };
        assert_eq!(from(8_191, "127.0.0.1"), None);
        assert_eq!(from(8_192, "127.0.0.1").as_deref(), Some("127.0.0.2"));
        assert_eq!(from(999_999, "127.3.2.1").as_deref(), Some("127.0.0.123"));
        assert_eq!(from(999_999, "10.0.0.1"), None);
        assert_eq!(from(999_999, "::1"), None);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "x", "10.0.0.0/33", "10.0.0.0/0", "10.0.0.2-10.0.0.1", "10.0.0.1-::1", "10.0.0.0/x"]
        {
            assert!(text.parse::<LocalIps>().is_err(), "{text}");
        }
    }
}
