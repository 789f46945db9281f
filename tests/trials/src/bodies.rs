//! What is sealed: bodies and the text in them, cards, blobs, wraps; and the links of cards.

use jiashu_proto::id::{DeviceId, LinkHash, MemberId, Ref, Scope};
use jiashu_proto::text::Text;
use jiashu_roster::WRAP_LEN;
use jiashu_seal::{
    BlobKey, BodyFields, Card, FamilyKey, InviteSecret, JoinLink, KeyPair, TAG_LEN, derive,
    open_blob, open_body, seal_blob, seal_body, unwrap_key,
};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

const SECRET: [u8; 16] = [7; 16];
const NONCE: [u8; 12] = [9; 12];

/// The first byte says as what the others are tried.
pub fn any_body(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    match kind % 6 {
        0 => text(rest),
        1 => body(rest),
        2 => card(rest),
        3 => blob(rest),
        4 => wrap(rest),
        _ => join_link(rest),
    }
}

/// The secret of the cards that `card` seals, for seeds.
#[must_use]
pub fn secret() -> InviteSecret {
    InviteSecret::from_bytes(SECRET)
}

/// What was opened is deterministic: it is read back to the same bytes, or refused.
fn text(bytes: &[u8]) {
    for kind in 0..7 {
        if let Ok(text) = Text::from_bytes(kind, bytes) {
            assert_eq!(text.to_bytes(), bytes);
        }
    }
}

fn fields() -> BodyFields {
    let (device, from, to) = (DeviceId(1), MemberId(1), vec![MemberId(2)]);
    BodyFields { device, from, kind: 1, to, key: None, until: None, schedule: None }
}

/// Bytes of a stranger do not open; what we seal opens to what it was, and with one bit changed not.
fn body(bytes: &[u8]) {
    let (key, link) = (FamilyKey::from_bytes([3; 32]), LinkHash([4; 32]));
    let open = |sealed: &[u8]| open_body(&key, link, Ref([5; 12]), &fields(), sealed);

    assert!(open(bytes).is_err());
    let mut sealed = seal_body(&key, link, Ref([5; 12]), &fields(), bytes).unwrap();
    assert_eq!(sealed.len(), bytes.len() + TAG_LEN);
    assert_eq!(open(&sealed).unwrap().as_slice(), bytes);
    let place = usize::from(bytes.first().copied().unwrap_or(0)) % sealed.len();
    sealed[place] ^= 1;
    assert!(open(&sealed).is_err());
}

/// A card with any text in it, by somebody who has its secret.
fn card(text: &[u8]) {
    let secret = secret();
    assert!(Card::open(text, &secret).is_err(), "not sealed under the secret");
    let Ok(card) = Card::open(&sealed_card(text), &secret) else { return };
    match (card.seal(&secret), &card) {
        (again, Card::Device(first)) => {
            let Ok(Card::Device(read)) = Card::open(&again, &secret) else { panic!("reads back") };
            assert_eq!((read.pin, &read.names), (first.pin, &first.names));
            assert_eq!(read.device_name, first.device_name);
            assert_eq!(again.len(), 1 + NONCE.len() + text.len() + TAG_LEN, "the same text");
        }
        (again, Card::Several(first)) => {
            let Ok(Card::Several(read)) = Card::open(&again, &secret) else { panic!("reads back") };
            assert_eq!(&read, first);
        }
    }
}

/// As `Card::seal` does, but of any text.
fn sealed_card(text: &[u8]) -> Vec<u8> {
    let secret = secret();
    let key = derive::<32>(secret.as_bytes(), "jiashu/1 invite");
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_slice()).unwrap());
    let mut sealed = text.to_vec();
    let nonce = Nonce::assume_unique_for_key(NONCE);
    key.seal_in_place_append_tag(nonce, Aad::from(secret.code()), &mut sealed).unwrap();
    [&[1], &NONCE[..], &sealed].concat()
}

fn blob(bytes: &[u8]) {
    assert!(open_blob(&BlobKey::from_bytes([6; 32]), bytes).is_err());
    let sealed = seal_blob(bytes).unwrap();
    assert_eq!(open_blob(&sealed.key, &sealed.stored).unwrap().as_slice(), bytes);
    let cut = &sealed.stored[..sealed.stored.len() - 1];
    assert!(open_blob(&sealed.key, cut).is_err());
}

fn wrap(bytes: &[u8]) {
    let mut wrap = [0; WRAP_LEN];
    for (to, from) in wrap.iter_mut().zip(bytes) {
        *to = *from;
    }
    let pair = KeyPair::from_private(&[1; 32]).unwrap();
    assert!(unwrap_key(&wrap, &pair, LinkHash::NONE).is_err());
}

/// What reads as a link to join by is written the same, and says which relay and no more.
fn join_link(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(link) = JoinLink::parse(text) {
        assert_eq!(link.to_url(), text);
        assert!(!link.origin.contains(['@', '#', '?', '\n', ' ']));
        assert_ne!((link.scope, &link.origin[..4]), (Scope(0), "file"));
    }
}
