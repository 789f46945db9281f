//! What a proxy says of a connection before its first byte: the PROXY protocol, versions 1 and 2.
//!
//! Read only from trusted peers, where the operator says that they speak it, and strictly: whatever
//! is not a whole header of the protocol ends the connection. Source:
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>, sections 2.1 and 2.2.

use std::io;
use std::net::IpAddr;

use tokio::io::{AsyncRead, AsyncReadExt};

/// What version 2 begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// The shortest header of version 1, `PROXY UNKNOWN` and its end of line; shorter than any of
/// version 2. So much is read before it is known which it is.
const SHORTEST: usize = 15;

/// The longest header of version 1, with its end of line, in bytes.
const LONGEST_V1: usize = 107;

/// The longest body of version 2 that is taken, in bytes: addresses and what proxies add.
const LONGEST_V2: usize = 4096;

/// For whom the proxy asks; `None` if for itself, or for nobody that it could name.
///
/// # Errors
///
/// Of the stream; [`io::ErrorKind::InvalidData`] if this is no header.
pub(super) async fn read_header<S: AsyncRead + Unpin>(
    stream: &mut S,
) -> io::Result<Option<IpAddr>> {
    let mut begin = [0; SHORTEST];
    stream.read_exact(&mut begin).await?;
    if begin.starts_with(SIGNATURE) {
        let [.., command, family, high] = begin;
        let low = stream.read_u8().await?;
        let mut body = vec![0; usize::from(u16::from_be_bytes([high, low]))];
        if body.len() > LONGEST_V2 {
            return Err(bad());
        }
        stream.read_exact(&mut body).await?;
        return version_2(command, family, &body);
    }
    if !begin.starts_with(b"PROXY ") {
        return Err(bad());
    }
    let mut line = begin.to_vec();
    // Byte by byte: what stands behind the line is not the proxy's.
    while !line.ends_with(b"\r\n") {
        if line.len() >= LONGEST_V1 {
            return Err(bad());
        }
        line.push(stream.read_u8().await?);
    }
    version_1(&line)
}

/// `PROXY TCP4 192.0.2.1 198.51.100.1 4711 443` and its end of line.
fn version_1(line: &[u8]) -> io::Result<Option<IpAddr>> {
    let line = line.strip_suffix(b"\r\n").and_then(|line| std::str::from_utf8(line).ok());
    let parts: Vec<_> = line.unwrap_or_default().split(' ').collect();
    let [_, protocol, rest @ ..] = &parts[..] else { return Err(bad()) };
    if *protocol == "UNKNOWN" {
        return Ok(None);
    }
    let [source, target, source_port, target_port] = rest else { return Err(bad()) };
    let ip = |text: &str| text.parse::<IpAddr>().map_err(|_| bad());
    let (source, target) = (ip(source)?, ip(target)?);
    let fits = match *protocol {
        "TCP4" => source.is_ipv4() && target.is_ipv4(),
        "TCP6" => source.is_ipv6() && target.is_ipv6(),
        _ => false,
    };
    let is_port =
        |text: &str| text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok();
    (fits && is_port(source_port) && is_port(target_port)).then_some(Some(source)).ok_or_else(bad)
}

fn version_2(command: u8, family: u8, body: &[u8]) -> io::Result<Option<IpAddr>> {
    match (command, family >> 4) {
        // LOCAL: the proxy itself, as when it looks whether we are well.
        (0x20, _) => Ok(None),
        (0x21, 1) if body.len() >= 12 => {
            Ok(body.first_chunk::<4>().map(|source| IpAddr::from(*source)))
        }
        (0x21, 2) if body.len() >= 36 => {
            Ok(body.first_chunk::<16>().map(|source| IpAddr::from(*source)))
        }
        // Of a family that has no network address.
        (0x21, 0 | 3) => Ok(None),
        _ => Err(bad()),
    }
}

fn bad() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "no header of the PROXY protocol")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(mut bytes: &[u8]) -> Result<(Option<IpAddr>, Vec<u8>), io::ErrorKind> {
        let source = read_header(&mut bytes).await.map_err(|error| error.kind())?;
        Ok((source, bytes.to_vec()))
    }

    fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, body].concat()
    }

    #[tokio::test]
    async fn the_source_is_read_and_not_a_byte_more() {
        let v4 = [&[192, 0, 2, 1], &[198, 51, 100, 1][..], &[0, 80, 1, 187]].concat();
        let v6 = ["2001:db8::7".parse::<std::net::Ipv6Addr>().unwrap().octets(), [0; 16]].concat();
        let v6 = [&v6[..], &[0, 80, 1, 187]].concat();
        let longest = format!("PROXY TCP6 {0} {0} 65535 65535\r\n", ["ffff"; 8].join(":"));
        let cases: Vec<(Vec<u8>, Option<&str>)> = vec![
            (b"PROXY UNKNOWN\r\n".into(), None),
            (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n".into(), None),
            (b"PROXY TCP4 192.0.2.1 198.51.100.1 80 443\r\n".into(), Some("192.0.2.1")),
            (longest.into_bytes(), Some("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")),
            (v2(0x20, 0, b""), None),
            (v2(0x21, 0x11, &v4), Some("192.0.2.1")),
            (v2(0x21, 0x11, &[&v4[..], b"more of the proxy's"].concat()), Some("192.0.2.1")),
            (v2(0x21, 0x21, &v6), Some("2001:db8::7")),
            (v2(0x21, 0x31, &[0; 216]), None),
        ];

        for (header, source) in cases {
            let told = read(&[&header[..], b"GET /"].concat()).await;

            let source = source.map(|source| source.parse().unwrap());
            assert_eq!(told, Ok((source, b"GET /".to_vec())), "{}", header.escape_ascii());
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_behind_a_good_beginning_do_no_harm(
            version_1 in proptest::bool::ANY,
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200),
        ) {
            let begin = if version_1 { &b"PROXY "[..] } else { &SIGNATURE[..] };
            let bytes = [begin, &bytes].concat();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();

            let told = runtime.block_on(read(&bytes));

            proptest::prop_assert!(told.is_err() || told.is_ok_and(|(_, rest)| rest.len() < bytes.len()));
        }
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(LONGEST_V1));
        let bad: Vec<Vec<u8>> = vec![
            b"GET /1 HTTP/1.1\r\nhost: relay\r\n\r\n".into(),
            b"PROXY TCP4 192.0.2.1 198.51.100.1 80\r\n".into(),
            b"PROXY TCP4 192.0.2.1 198.51.100.1 80 443 1\r\n".into(),
            b"PROXY TCP4 192.0.2.1 198.51.100.1 80 65536\r\n".into(),
            b"PROXY TCP4 192.0.2.1 198.51.100.1 80 +443\r\n".into(),
            b"PROXY TCP4 2001:db8::1 2001:db8::2 80 443\r\n".into(),
            b"PROXY TCP6 192.0.2.1 198.51.100.1 80 443\r\n".into(),
            b"PROXY UDP4 192.0.2.1 198.51.100.1 80 443\r\n".into(),
            b"PROXY  TCP4 192.0.2.1 198.51.100.1 80 443\r\n".into(),
            long.into_bytes(),
            v2(0x31, 0x11, &[0; 12]),
            v2(0x22, 0x11, &[0; 12]),
            v2(0x21, 0x11, &[0; 11]),
            v2(0x21, 0x21, &[0; 35]),
            v2(0x21, 0x41, &[0; 12]),
            v2(0x21, 0x11, &[0; LONGEST_V2 + 1]),
        ];

        for header in bad {
            let told = read(&header).await;

            assert_eq!(told, Err(io::ErrorKind::InvalidData), "{}", header.escape_ascii());
        }
        assert_eq!(read(b"PROXY UNKN").await, Err(io::ErrorKind::UnexpectedEof));
    }
}
