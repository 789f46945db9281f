//! Whose a connection is, for the limits by address; and what a trusted proxy says of that.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderMap, header};
use ipnet::IpNet;

/// The header in which proxies say for whom they ask.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// One subscriber, as far as addresses tell: an IPv4 address, or the 64 bits of an IPv6 address
/// that a network gives to one line (RFC 6177), whose holder has all that follow.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address(IpAddr);

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        Self(match ip.to_canonical() {
            IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

/// Says nothing: addresses are not logged.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address")
    }
}

/// Some networks: of proxies whose word on addresses is taken, or of operators.
#[derive(Clone, Debug, Default)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// From networks, as `10.0.0.0/8`, and single addresses. `None` if one is neither.
    #[must_use]
    pub fn parse(networks: &[String]) -> Option<Self> {
        let parse = |text: &String| {
            text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
        };
        networks.iter().map(parse).collect::<Option<_>>().map(Self)
    }

    /// Whether it is in one of them.
    #[must_use]
    pub fn contain(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.0.iter().any(|network| network.contains(&ip))
    }

    /// For whom `peer` asks, where these are trusted proxies: the last one in the header whom none of
    /// them vouches away.
    ///
    /// Each proxy adds at the end whom it was asked by, so the list is read from there, and only as
    /// long as the one who wrote the item is trusted: what a client put at its beginning is not
    /// believed.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        let items = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
        let mut client = peer.to_canonical();
        for item in items {
            if !self.contain(client) {
                break;
            }
            let Some(ip) = parse_item(item.trim()) else { break };
            client = ip.to_canonical();
        }
        client
    }

    /// Whether a proxy asks that is none of these: for whom, is not known.
    #[must_use]
    pub fn is_other_proxy(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        let asks_for_another =
            headers.contains_key(FORWARDED_FOR) || headers.contains_key(header::FORWARDED);
        asks_for_another && !self.contain(peer)
    }
}

/// An address, with or without a port.
fn parse_item(item: &str) -> Option<IpAddr> {
    let bare = item.strip_prefix('[').and_then(|item| item.strip_suffix(']')).unwrap_or(item);
    bare.parse().ok().or_else(|| item.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_ipv6_line_is_one_address_and_a_mapped_ipv4_is_itself() {
        let cases = [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::9", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
        ];

        for (one, other, same) in cases {
            assert_eq!(Address::from(ip(one)) == Address::from(ip(other)), same, "{one} {other}");
        }
        assert_eq!(format!("{:?}", Address::from(ip("192.0.2.1"))), "Address");
    }

    #[test]
    fn networks_and_single_addresses_are_read_and_nothing_else() {
        let good = ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1"].map(str::to_owned);

        let proxies = Networks::parse(&good).unwrap();

        for trusted in ["10.1.2.3", "192.0.2.7", "2001:db8:5::1", "::1", "::ffff:10.1.2.3"] {
            assert!(proxies.contain(ip(trusted)), "{trusted}");
        }
        for stranger in ["11.0.0.1", "192.0.2.8", "2001:db9::1", "::2"] {
            assert!(!proxies.contain(ip(stranger)), "{stranger}");
        }
        for bad in ["10.0.0.0/33", "proxy.example", "", "10.0.0"] {
            assert!(Networks::parse(&[bad.to_owned()]).is_none(), "{bad}");
        }
    }

    #[test]
    fn only_what_trusted_proxies_added_is_believed() {
        let proxies = Networks::parse(&["10.0.0.0/8".to_owned()]).unwrap();
        let cases: [(&str, &[&str], &str); 9] = [
            // Nobody vouches for it: not trusted, so its header is its own affair.
            ("192.0.2.1", &["198.51.100.7"], "192.0.2.1"),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            // The client wrote the first itself.
            ("10.0.0.1", &["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
            // Two proxies, and two lines of the header.
            ("10.0.0.1", &["203.0.113.9, 198.51.100.7, 10.0.0.2"], "198.51.100.7"),
            ("10.0.0.1", &["203.0.113.9", "198.51.100.7,10.0.0.2"], "198.51.100.7"),
            ("10.0.0.1", &["198.51.100.7:4711"], "198.51.100.7"),
            ("10.0.0.1", &["[2001:db8::7]:4711"], "2001:db8::7"),
            // What cannot be read stops at the last who is known.
            ("10.0.0.1", &["198.51.100.7, unknown, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &[], "10.0.0.1"),
        ];

        for (peer, lines, client) in cases {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(FORWARDED_FOR, line.parse().unwrap());
            }
            assert_eq!(proxies.client(ip(peer), &headers), ip(client), "{peer} {lines:?}");
        }
    }
}
