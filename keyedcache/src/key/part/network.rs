//! Addresses, as they are usually written (RFC 5952), with `:` and brackets escaped.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use super::own_identity;
use crate::key::{KeyEncoder, KeyPart};

macro_rules! displayed {
    ($($address:ty)*) => {$(
        impl KeyPart for $address {
            own_identity!($address);

            fn encode(&self, out: &mut KeyEncoder<'_>) {
                out.display(self);
            }
        }
    )*};
}
displayed!(IpAddr Ipv4Addr Ipv6Addr SocketAddrV4);

impl KeyPart for SocketAddrV6 {
    own_identity!(SocketAddrV6);

    fn encode(&self, out: &mut KeyEncoder<'_>) {
        out.display(self);
        if self.flowinfo() != 0 {
            // The usual form leaves it out, though it tells addresses apart: a tuple.
            out.display(&self.flowinfo());
        }
    }
}

impl KeyPart for SocketAddr {
    own_identity!(SocketAddr);

    fn encode(&self, out: &mut KeyEncoder<'_>) {
        match self {
            Self::V4(address) => address.encode(out),
            Self::V6(address) => address.encode(out),
        }
    }
}
