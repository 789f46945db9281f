//! D, and one wrap.

use jiashu_proto::id::LinkHash;
use ring::hmac;

use super::{cases, fixed, hex, index, pair, read};
use crate::keys::KeyPair;
use crate::{FamilyKey, derive, unwrap_key, wrap_key};

#[test]
fn labels_derive_the_given_keys() {
    let vectors = read(include_str!("../../../vectors/derive.json"));

    for case in cases(&vectors, "D", 4) {
        let (key, label) = (hex(&case["key"]), case["label"].as_str().unwrap());
        let extracted = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &[0; 32]), &key);
        assert_eq!(extracted.as_ref(), hex(&case["prk"]), "{label}");
        let out = match index(&case["len"]) {
            16 => derive::<16>(&key, label).to_vec(),
            32 => derive::<32>(&key, label).to_vec(),
            other => panic!("no key has {other} bytes"),
        };
        assert_eq!(out, hex(&case["out"]), "{label}");
    }
}

#[test]
fn a_wrap_opens_for_its_recipient_and_link_only() {
    let vectors = read(include_str!("../../../vectors/derive.json"));

    for case in cases(&vectors, "hpke", 2) {
        let recipient = pair(&case["recipient_priv"], &case["recipient_pub"]);
        let prev = LinkHash(fixed(&case["prev"]));
        let key = unwrap_key(&fixed(&case["wrap"]), &recipient, prev).unwrap();
        assert_eq!(key.as_bytes()[..], hex(&case["text"]));

        let again = wrap_key(&key, &recipient.public(), prev).unwrap();
        assert_eq!(unwrap_key(&again, &recipient, prev).unwrap(), key);
        assert_ne!(again, fixed(&case["wrap"]), "a wrap is random");
    }
    for case in cases(&vectors, "negative", 4) {
        let recipient = KeyPair::from_private(&fixed(&case["recipient_priv"])).unwrap();
        let info = hex(&case["info"]);
        let prev = info.strip_prefix(b"jiashu/1 epoch").unwrap();
        let prev = LinkHash::try_from(prev).unwrap();
        assert!(unwrap_key(&fixed(&case["wrap"]), &recipient, prev).is_err(), "{}", case["name"]);
    }
}

#[test]
fn a_key_is_never_printed() {
    let key = FamilyKey::from_bytes([0xab; 32]);

    assert_eq!(format!("{key:?}"), "FamilyKey(..)");
}
