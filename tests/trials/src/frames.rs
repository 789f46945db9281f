//! Frames of either direction, one after the other as in a `POST /1`, and what stands in a log.

use jiashu_proto::entry::Content;
use jiashu_proto::frame::{ClientFrame, RelayFrame};

/// Any bytes, read as frames of a client, as frames of a relay, and as an entry's content.
pub fn any_frames(bytes: &[u8]) {
    client_frames(bytes);
    relay_frames(bytes);
    content(bytes);
}

/// Declares the check of one direction: each frame takes bytes off, and what was read is written
/// once and for all the same.
macro_rules! direction {
    ($name:ident, $frame:ident) => {
        fn $name(mut rest: &[u8]) {
            while !rest.is_empty() {
                let before = rest;
                let Ok((lane, frame)) = $frame::read_from(&mut rest) else { return };
                assert!(rest.len() < before.len(), "a frame takes bytes off");
                let taken = &before[..before.len() - rest.len()];
                if matches!(frame, $frame::Unknown(_)) {
                    continue;
                }
                let written = frame.to_bytes(lane);
                // Lists without a length are written with one: at most 8 bytes each, of 2 read.
                assert!(written.len() <= 5 * taken.len(), "what is written is not much longer");
                let (lane_again, again) = $frame::from_bytes(&written).expect("it reads back");
                assert_eq!((lane_again, &again), (lane, &frame));
                assert_eq!(again.to_bytes(lane), written, "and is written alike");
            }
        }
    };
}

direction!(client_frames, ClientFrame);

direction!(relay_frames, RelayFrame);

fn content(bytes: &[u8]) {
    let Ok(content) = Content::from_bytes(bytes) else { return };
    if matches!(content, Content::Unknown(_)) {
        return;
    }
    let written = content.to_bytes();
    assert_eq!(Content::from_bytes(&written).expect("it reads back"), content);
    assert!(content.key().is_none_or(|key| key.len() <= 80 + bytes.len()));
}
