//! Real files of Opus in Ogg, of any length and size, without an encoder: frames of silence, padded.

use std::path::Path;

use ogg::writing::{PacketWriteEndInfo, PacketWriter};

/// What one packet plays, in ms.
const PACKET_MS: u64 = 20;

/// Samples in a ms (RFC 7845, 4).
const SAMPLES_PER_MS: u64 = 48;

/// What a decoder passes over at the start, in samples.
const PRE_SKIP: u16 = 312;

/// A second of these is a page.
const PACKETS_OF_A_PAGE: u64 = 50;

/// A file that plays silence for `ms`, with packets of `packet` bytes: at 30 bytes it is as large as speech at 12 kbit/s.
///
/// # Panics
///
/// If a packet is not 5 to 250 bytes long.
#[must_use]
pub fn opus(ms: u64, packet: usize) -> Vec<u8> {
    opus_by("test", ms, packet)
}

/// The same, with the name of whoever made it in its tags (RFC 7845, 5.2), as recorders write it.
///
/// # Panics
///
/// As of [`opus`]; if the name is longer than 4 GiB.
#[must_use]
pub fn opus_by(vendor: &str, ms: u64, packet: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = PacketWriter::new(&mut bytes);
    let head =
        [b"OpusHead\x01\x01", &PRE_SKIP.to_le_bytes()[..], &48_000_u32.to_le_bytes(), &[0, 0, 0]];
    let length = u32::try_from(vendor.len()).expect("a short name").to_le_bytes();
    let tags = [&b"OpusTags"[..], &length, vendor.as_bytes(), &0_u32.to_le_bytes()];
    let mut put = |packet: Vec<u8>, end, at| {
        writer.write_packet(packet, 1, end, at).expect("writing to memory cannot fail");
    };
    put(head.concat(), PacketWriteEndInfo::EndPage, 0);
    put(tags.concat(), PacketWriteEndInfo::EndPage, 0);
    let packets = ms.div_ceil(PACKET_MS).max(1);
    for number in 1..=packets {
        let end = if number == packets {
            PacketWriteEndInfo::EndStream
        } else if number % PACKETS_OF_A_PAGE == 0 {
            PacketWriteEndInfo::EndPage
        } else {
            PacketWriteEndInfo::NormalPacket
        };
        let played = if number == packets { ms } else { number * PACKET_MS };
        put(silence(packet), end, played * SAMPLES_PER_MS + u64::from(PRE_SKIP));
    }
    bytes
}

/// A packet of one CELT frame of silence, with padding (RFC 6716, 3.2.5).
fn silence(length: usize) -> Vec<u8> {
    const HEAD: usize = 3;
    const FRAME: [u8; 2] = [0xff, 0xfe];
    let padding = length.checked_sub(HEAD + FRAME.len()).expect("a packet is longer");
    // Full band, 20 ms, one channel, a number of frames said in the next byte, which says that there is padding.
    let mut packet = vec![31 << 3 | 3, 0x40 | 1, u8::try_from(padding).expect("and not so long")];
    packet.extend(FRAME);
    packet.resize(length, 0);
    packet
}

/// The same as a new file.
///
/// # Panics
///
/// If it cannot be written.
pub fn write_opus(path: &Path, ms: u64, packet: usize) {
    std::fs::write(path, opus(ms, packet)).expect("the file can be written");
}
