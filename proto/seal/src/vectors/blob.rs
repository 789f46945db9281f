//! Voice notes' files, whole and tampered with.

use jiashu_roster::sha256;
use serde_json::Value;

use super::{cases, fixed, hex, index, read};
use crate::blob::{STORED_CHUNK_LEN, open_blob, seal_under};
use crate::primitive::seal;
use crate::{BlobKey, CHUNK_LEN};

fn file(vectors: &Value, size: usize) -> Vec<u8> {
    let (a, b) = (index(&vectors["pattern"]["a"]), index(&vectors["pattern"]["b"]));
    (0..size).map(|i| (a * i + b + (i >> 8)).to_le_bytes()[0]).collect()
}

#[test]
fn a_file_seals_to_the_given_chunks_and_opens() {
    let vectors = read(include_str!("../../../vectors/blob.json"));

    for case in cases(&vectors, "cases", 7) {
        let (key, name) = (BlobKey::from_bytes(fixed(&case["key"])), &case["name"]);
        let file = file(&vectors, index(&case["size"]));
        assert_eq!(sha256(&file), fixed(&case["text_hash"]), "{name}");

        let sealed = seal_under(key.clone(), &file).unwrap();

        assert_eq!(sealed.hash, fixed(&case["stored_hash"]), "{name}");
        assert_eq!(sealed.size, case["size"].as_u64().unwrap());
        assert_eq!(sealed.stored.len(), index(&case["stored_size"]), "{name}");
        assert!(sealed.stored.starts_with(&hex(&case["stored_head"])), "{name}");
        assert_eq!(*open_blob(&key, &sealed.stored).unwrap(), file, "{name}");
        let tags: Vec<_> =
            sealed.stored.chunks(STORED_CHUNK_LEN).map(|c| &c[c.len() - 16..]).collect();
        let given: Vec<_> = case["tags"].as_array().unwrap().iter().map(hex).collect();
        assert_eq!(tags, given, "{name}");
        assert_eq!(case["nonces"].as_array().unwrap().len(), tags.len());
        for ((nonce, tag), chunk) in
            case["nonces"].as_array().unwrap().iter().zip(tags).zip(chunks(&file))
        {
            let by_hand = seal(key.as_bytes(), fixed(nonce), b"jiashu/1 blob", chunk);
            assert!(by_hand.ends_with(tag), "{name}");
        }
    }
}

fn chunks(file: &[u8]) -> Vec<&[u8]> {
    if file.is_empty() { vec![file] } else { file.chunks(CHUNK_LEN).collect() }
}

#[test]
fn a_file_cut_or_put_together_otherwise_does_not_open() {
    let vectors = read(include_str!("../../../vectors/blob.json"));
    let good = cases(&vectors, "cases", 7);

    for case in cases(&vectors, "negative", 9) {
        let name = case["name"].as_str().unwrap();
        let of = good.iter().find(|good| good["name"] == case["of"]).unwrap();
        let key = BlobKey::from_bytes(fixed(&case["key"]));
        let file = file(&vectors, index(&of["size"]));
        let stored = match case.get("make_with_nonce").filter(|nonce| nonce.is_string()) {
            Some(nonce) => seal(key.as_bytes(), fixed(nonce), b"jiashu/1 blob", &file),
            None => seal_under(key.clone(), &file).unwrap().stored,
        };
        let pieces = case["pieces"].as_array().unwrap().iter();
        let mut changed: Vec<u8> =
            pieces.flat_map(|piece| &stored[index(&piece[0])..index(&piece[1])]).copied().collect();
        changed.extend(hex(&case["append"]));
        if case["flip_at"].is_u64() {
            changed[index(&case["flip_at"])] ^= 1;
        }
        // The result is right up to the fault under test, or this hash would be another.
        assert_eq!(sha256(&changed), fixed(&case["result_hash"]), "{name}");

        let opened = open_blob(&key, &changed);

        assert!(opened.is_err(), "{name}");
    }
}
