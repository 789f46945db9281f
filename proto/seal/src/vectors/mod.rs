//! The vectors of `proto/vectors/` that need secrets, against this crate, one file each.
//!
//! They come from an independent implementation; the browser's code runs the same ones.

mod blob;
mod body;
mod derive;
mod invite;
mod roster;

use jiashu_roster::PublicKey;
use serde_json::Value;

use crate::keys::KeyPair;

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn cases<'v>(vectors: &'v Value, name: &str, count: usize) -> &'v [Value] {
    let cases = vectors[name].as_array().unwrap();
    assert_eq!(cases.len(), count, "all {name} must be there");
    cases
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    assert!(text.len().is_multiple_of(2));
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn fixed<const N: usize>(value: &Value) -> [u8; N] {
    hex(value).try_into().unwrap()
}

fn number(value: &Value) -> u32 {
    value.as_u64().unwrap().try_into().unwrap()
}

fn index(value: &Value) -> usize {
    value.as_u64().unwrap().try_into().unwrap()
}

fn pair(private: &Value, public: &Value) -> KeyPair {
    let pair = KeyPair::from_private(&fixed(private)).unwrap();
    assert_eq!(pair.public(), PublicKey(fixed(public)));
    pair
}
