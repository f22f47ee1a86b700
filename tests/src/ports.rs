//! Ports for servers.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::RangeInclusive;
use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::dice::Dice;

/// Below what systems take for the near end of a connection, so that a server that was stopped finds
/// its port free again.
const PORTS: RangeInclusive<u64> = 12_000..=31_999;

/// A port that nobody listens on now. Another may be faster in taking it, so its taker tries again.
pub(crate) fn free() -> u16 {
    // Not of the seed that repeats a test: what another test does decides which port is free.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
    let mut dice = Dice::of(u64::from(since.subsec_nanos()) << 32 | u64::from(process::id()));
    loop {
        let port = PORTS.start() + dice.below(PORTS.end() - PORTS.start() + 1);
        let port = u16::try_from(port).expect("all of them are ports");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
