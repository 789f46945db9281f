//! A WebSocket of a client, by hand: what a load generator needs, and no more.
//!
//! Beside the relay on the same cores the generator must be light: a frame is written in place, read
//! in place, and a message is one frame, as the relay sends them.

/// What the relay's upgrade is asked with; the key is always the same, which RFC 6455 lets pass.
pub(crate) fn upgrade(host: &str) -> Vec<u8> {
    format!(
        "GET /1 HTTP/1.1\r\nhost: {host}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .into_bytes()
}

/// Masks every frame: RFC 6455 wants a mask, a proxy that it guards from stands nowhere here.
const MASK: [u8; 4] = [0x5a, 0x3c, 0x96, 0xe1];

/// Appends a binary message.
pub(crate) fn write_binary(payload: &[u8], out: &mut Vec<u8>) {
    write_frame(0x82, payload, out);
}

/// Appends the answer to a ping.
pub(crate) fn write_pong(payload: &[u8], out: &mut Vec<u8>) {
    write_frame(0x8a, payload, out);
}

fn write_frame(first: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.push(first);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ ..126), _) => out.push(0x80 | short),
        (_, Ok(medium)) => {
            out.push(0x80 | 126);
            out.extend(medium.to_be_bytes());
        }
        _ => {
            out.push(0x80 | 127);
            out.extend((payload.len() as u64).to_be_bytes());
        }
    }
    out.extend(MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

/// One message of the relay.
#[derive(Debug)]
pub(crate) enum Message<'a> {
    /// A frame of the protocol.
    Binary(&'a [u8]),
    /// To be answered.
    Ping(&'a [u8]),
    /// It closes, with this code.
    Close(u16),
    /// Nothing to do about.
    Other,
}

/// The first message in `input` and what is behind it; `None` while it is not whole.
pub(crate) fn read(input: &[u8]) -> Option<(Message<'_>, &[u8])> {
    let (&[first, second], rest) = input.split_first_chunk::<2>()?;
    let (len, rest) = match second & 0x7f {
        126 => {
            let (len, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*len)), rest)
        }
        127 => {
            let (len, rest) = rest.split_first_chunk::<8>()?;
            (usize::try_from(u64::from_be_bytes(*len)).ok()?, rest)
        }
        len => (usize::from(len), rest),
    };
    let (payload, rest) = rest.split_at_checked(len)?;
    let message = match first & 0x0f {
        2 => Message::Binary(payload),
        8 => {
            let code = payload.first_chunk().map_or(0, |code| u16::from_be_bytes(*code));
            Message::Close(code)
        }
        9 => Message::Ping(payload),
        _ => Message::Other,
    };
    Some((message, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_once_it_is_whole() {
        let mut relays = vec![0x82, 126, 0, 200];
        relays.extend([7; 200]);
        relays.push(0x89);

        assert!(read(&relays[..203]).is_none());
        let (message, rest) = read(&relays).unwrap();

        assert!(matches!(message, Message::Binary(payload) if payload == [7; 200]));
        assert_eq!(rest, [0x89]);
    }

    #[test]
    fn what_is_written_is_masked() {
        let mut out = Vec::new();

        write_binary(&[0; 5], &mut out);

        assert_eq!(out, [0x82, 0x85, 0x5a, 0x3c, 0x96, 0xe1, 0x5a, 0x3c, 0x96, 0xe1, 0x5a]);
    }
}
