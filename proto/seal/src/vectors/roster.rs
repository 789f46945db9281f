//! The family's chain again, as one who holds keys sees it. What needs none is checked in
//! `jiashu-roster`.

use std::collections::BTreeMap;

use jiashu_proto::id::{DeviceId, InviteId};
use jiashu_roster::{Link, LinkBody, Recipient, Roster, Wraps};
use serde_json::Value;

use super::{cases, fixed, hex, index, pair, read};
use crate::keys::KeyPair;
use crate::{FamilyKey, derive, open_all, open_link_key};

fn recipient(name: &str) -> Recipient {
    match name.split_once(' ').unwrap() {
        ("device", number) => Recipient::Device(DeviceId(number.parse().unwrap())),
        ("invite", number) => Recipient::Invite(InviteId(number.parse().unwrap())),
        _ => panic!("{name} opens nothing"),
    }
}

fn hpke_pairs(vectors: &Value) -> BTreeMap<Recipient, KeyPair> {
    let keys = vectors["keys"].as_object().unwrap();
    keys.iter()
        .filter(|(name, _)| *name != "worker")
        .map(|(name, keys)| (recipient(name), pair(&keys["hpke_priv"], &keys["hpke_pub"])))
        .collect()
}

fn bodies(vectors: &Value) -> Vec<LinkBody> {
    let links = cases(vectors, "links", 12).iter();
    links.map(|link| Link::parse(&hex(&link["link"])).unwrap().read().unwrap()).collect()
}

fn key_of(link: &Value) -> Option<FamilyKey> {
    link["K"].is_string().then(|| FamilyKey::from_bytes(fixed(&link["K"])))
}

#[test]
fn each_link_seals_the_key_before_to_the_given_bytes() {
    let vectors = read(include_str!("../../../vectors/roster.json"));
    let links = cases(&vectors, "links", 12);
    let mut sealed = 0;

    for (before, link) in links.iter().zip(&links[1..]) {
        let key = key_of(link).unwrap();
        let Some(previous) = key_of(before) else { continue };
        assert_eq!(derive::<32>(key.as_bytes(), "jiashu/1 prev").to_vec(), hex(&link["back_key"]));

        let back = key.seal_back(&hex(&link["prev"]), &previous);

        assert_eq!(back, hex(&link["back"]), "{}", link["what"]);
        sealed += 1;
    }
    assert_eq!(sealed, 10);
}

#[test]
fn every_recipient_opens_its_wrap_and_all_keys_before() {
    let vectors = read(include_str!("../../../vectors/roster.json"));
    let (links, bodies, pairs) =
        (cases(&vectors, "links", 12), bodies(&vectors), hpke_pairs(&vectors));

    for open in cases(&vectors, "opens", 41) {
        let at = index(&open["at"]);
        let by = recipient(open["by"].as_str().unwrap());
        let wraps = Wraps::parse(&hex(&links[at - 1]["wraps"])).unwrap();
        let known = key_of(&links[at - 2]);

        let key = open_link_key(&bodies[at - 1], &wraps, by, &pairs[&by], known.as_ref()).unwrap();

        let all = open_all(&bodies[..at], &key).unwrap();
        let newest_first: Vec<_> = all.values().rev().map(|key| key.as_bytes().to_vec()).collect();
        let given: Vec<_> = open["keys"].as_array().unwrap().iter().map(hex).collect();
        assert_eq!(newest_first[..given.len()], given, "{open}");
        assert_eq!(all.keys().copied().collect::<Vec<_>>(), (2..).take(at - 1).collect::<Vec<_>>());
    }
}

#[test]
fn who_holds_keys_finds_what_the_roster_cannot_see() {
    let vectors = read(include_str!("../../../vectors/roster.json"));
    let (links, pairs) = (cases(&vectors, "links", 12), hpke_pairs(&vectors));
    let all_wraps = cases(&vectors, "negative_wraps", 34);
    let negative = cases(&vectors, "negative", 89).iter();
    let (mut found, mut went_by) = (0, 0);

    for case in negative.filter(|case| case.get("needs_keys_of").is_some()) {
        let name = case["name"].as_str().unwrap();
        let after = index(&case["after"]);
        let (mut roster, _) =
            Roster::replay(links[..after].iter().map(|link| hex(&link["link"]))).unwrap();
        let (link, wraps) = (hex(&case["link"]), hex(&all_wraps[index(&case["wraps"])]));
        roster.append(&link, Some(&wraps)).unwrap();
        let (body, wraps) =
            (Link::parse(&link).unwrap().read().unwrap(), Wraps::parse(&wraps).unwrap());
        let finders: Vec<_> = case["needs_keys_of"].as_array().unwrap().iter().collect();
        let finders: Vec<_> = finders.iter().map(|by| recipient(by.as_str().unwrap())).collect();

        for by in roster.recipients().into_keys() {
            // An invite's holder comes new; a device has followed, or opened K by its invite.
            let known = match by {
                Recipient::Device(_) => key_of(&links[after - 1]),
                Recipient::Invite(_) => None,
            };
            let opened = open_link_key(&body, &wraps, by, &pairs[&by], known.as_ref());
            assert_eq!(opened.is_err(), finders.contains(&by), "{name}: {by:?}");
            found += usize::from(opened.is_err());
            went_by += usize::from(opened.is_ok());
        }
    }
    assert_eq!((found, went_by), (10, 5));
}
