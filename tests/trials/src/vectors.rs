//! The chain of `proto/vectors/roster.json`, with its keys, as trials start from it.

use std::sync::OnceLock;

use jiashu_roster::Roster;
use jiashu_seal::{FamilyKey, KeyPair};
use serde_json::Value;

/// The good chain, and the roster before each of its links and after the last.
pub(crate) struct Chain {
    pub(crate) links: Vec<Vec<u8>>,
    pub(crate) bodies: Vec<Vec<u8>>,
    pub(crate) wraps: Vec<Option<Vec<u8>>>,
    pub(crate) rosters: Vec<Roster>,
    /// Of each link; link 1 has none.
    pub(crate) keys: Vec<Option<FamilyKey>>,
    /// Links that must be refused, for seeds.
    pub(crate) negative: Vec<(usize, Vec<u8>)>,
    json: Value,
}

pub(crate) fn chain() -> &'static Chain {
    static CHAIN: OnceLock<Chain> = OnceLock::new();
    CHAIN.get_or_init(|| {
        let json: Value =
            serde_json::from_str(include_str!("../../../proto/vectors/roster.json")).unwrap();
        let links = json["links"].as_array().unwrap();
        let key = |link: &Value| {
            let key = link["K"].as_str().map(|_| hex(&link["K"]));
            key.map(|key| FamilyKey::from_bytes(key.try_into().unwrap()))
        };
        let mut rosters = vec![Roster::new()];
        for link in links {
            let mut next = rosters.last().unwrap().clone();
            next.follow(&hex(&link["link"])).unwrap();
            rosters.push(next);
        }
        let negative = json["negative"].as_array().unwrap().iter();
        Chain {
            links: links.iter().map(|link| hex(&link["link"])).collect(),
            bodies: links.iter().map(|link| hex(&link["body"])).collect(),
            wraps: links
                .iter()
                .map(|link| link["wraps"].is_string().then(|| hex(&link["wraps"])))
                .collect(),
            keys: links.iter().map(key).collect(),
            negative: negative
                .map(|case| {
                    let after = case["after"].as_u64().unwrap();
                    (usize::try_from(after).unwrap(), hex(&case["link"]))
                })
                .collect(),
            rosters,
            json,
        }
    })
}

impl Chain {
    /// The signing pair of `device 1`, `invite 2` and the like.
    pub(crate) fn signing(&self, whose: &str) -> Option<KeyPair> {
        let private = &self.json["keys"][whose]["sign_priv"];
        private.as_str()?;
        KeyPair::from_private(&hex(private).try_into().ok()?).ok()
    }
}

pub(crate) fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}
