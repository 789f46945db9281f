//! Links to join by, and the cards behind them.

use jiashu_proto::id::{InviteId, MemberId, Scope};
use jiashu_roster::{Link, code_hash};
use serde_json::Value;

use super::{cases, fixed, hex, index, number, read};
use crate::{Card, InviteSecret, JoinLink, PinnedInvite, SealError};

/// The chain up to the link that the case names, as the relay would hand it to who joins.
fn chain(invite: &Value, case: &Value) -> Option<Vec<Link>> {
    let roster = read(include_str!("../../../vectors/roster.json"));
    let body = hex(&invite["bodies"][case["chain_body"].as_str()?]);
    let mut links: Vec<_> = cases(&roster, "links", 12)
        .iter()
        .map(|link| Link::parse(&hex(&link["link"])).unwrap())
        .collect();
    let at = links.iter().position(|link| link.body == body).unwrap();
    links.truncate(at + 1);
    Some(links)
}

fn secret(case: &Value) -> InviteSecret {
    InviteSecret::from_bytes(fixed(&case["S"]))
}

/// Opens the blob and, if it is for one device, looks for it in the chain.
fn accept(invite: &Value, case: &Value) -> Result<(Card, Option<PinnedInvite>), SealError> {
    let card = Card::open(&hex(&case["blob"]), &secret(case))?;
    let pinned = match (&card, chain(invite, case)) {
        (Card::Device(device), Some(chain)) => Some(device.check_against(&chain)?),
        _ => None,
    };
    Ok((card, pinned))
}

#[test]
fn a_card_has_the_given_link_code_and_blob_and_stands_in_the_chain() {
    let vectors = read(include_str!("../../../vectors/invite.json"));

    for case in cases(&vectors, "cases", 3) {
        let name = &case["name"];
        let scope = Scope(case["scope"].as_str().unwrap().parse().unwrap());
        let origin = format!("https://{}", case["host"].as_str().unwrap());
        let link = JoinLink { origin, scope, secret: secret(case) };
        assert_eq!(Some(link.to_url().as_str()), case["link"].as_str(), "{name}");
        assert_eq!(JoinLink::parse(case["link"].as_str().unwrap()).unwrap(), link, "{name}");
        assert_eq!(link.secret.code().to_vec(), hex(&case["code"]), "{name}");
        assert_eq!(code_hash(&link.secret.code()).0.to_vec(), hex(&case["code_hash"]), "{name}");
        assert_eq!(link.secret.blob_key().to_vec(), hex(&case["blob_key"]), "{name}");

        let (card, pinned) = accept(&vectors, case).unwrap();

        assert_eq!(card.seal_under(fixed(&case["nonce"]), &link.secret), hex(&case["blob"]));
        match card {
            Card::Device(device) => check_device(&device, pinned, &case["fields"]),
            Card::Several(several) => {
                assert!(case["chain_body"].is_null() && pinned.is_none(), "{name}");
                assert!(!several.is_empty(), "{name}");
            }
        }
    }
}

fn check_device(card: &crate::DeviceCard, pinned: Option<PinnedInvite>, fields: &Value) {
    let members: Vec<_> =
        fields["members"].as_array().unwrap().iter().map(|m| MemberId(number(m))).collect();
    let names = fields["names"].as_array().unwrap().iter();
    let names: Vec<_> =
        names.map(|n| (MemberId(number(&n[0])), n[1].as_str().unwrap().to_owned())).collect();
    let pinned = pinned.unwrap();
    assert_eq!(pinned.invite, InviteId(number(&fields["invite"])));
    assert_eq!(pinned.members, members);
    assert_eq!(card.names, names);
    assert_eq!(card.device_name.as_deref(), fields["device_name"].as_str());
}

#[test]
fn a_card_that_was_changed_or_names_another_family_is_not_accepted() {
    let vectors = read(include_str!("../../../vectors/invite.json"));

    for case in cases(&vectors, "negative", 13) {
        let (name, reason) = (case["name"].as_str().unwrap(), case["reason"].as_str().unwrap());

        let error = accept(&vectors, case).map(|_| ()).expect_err(name);

        let meant = match reason {
            "tag" | "key" | "the code is bound" => matches!(error, SealError::NotOpened(_)),
            "CBOR" | "trailing bytes" | "scope and S are 24 bytes" => {
                matches!(error, SealError::Malformed(_))
            }
            _ => matches!(error, SealError::Refused(_)),
        };
        assert!(meant, "{name}: refused as {error}, not for {reason}");
    }
}

#[test]
fn a_card_without_the_names_of_all_members_is_not_accepted() {
    let vectors = read(include_str!("../../../vectors/invite.json"));
    let case = &cases(&vectors, "cases", 3)[0];
    let (card, _) = accept(&vectors, case).unwrap();
    let Card::Device(mut card) = card else { panic!("the first case is for one device") };
    card.names.pop();

    let error = card.check_against(&chain(&vectors, case).unwrap()).unwrap_err();

    assert!(error.to_string().contains("names"), "{error}");
}

#[test]
fn a_link_that_is_not_exactly_one_to_join_by_is_not_read() {
    let vectors = read(include_str!("../../../vectors/invite.json"));
    let good = cases(&vectors, "cases", 3)[0]["link"].as_str().unwrap();

    for case in cases(&vectors, "negative_links", 4) {
        assert!(JoinLink::parse(case["link"].as_str().unwrap()).is_err(), "{}", case["reason"]);
    }
    let (_, fragment) = good.split_once('#').unwrap();
    assert_eq!(index(&fragment.len().into()), 32);
    for origin in ["https://relay.example:8443", "http://localhost:7373", "http://127.0.0.1"] {
        let link = format!("{origin}/join#{fragment}");
        assert_eq!(JoinLink::parse(&link).unwrap().to_url(), link);
    }
    for start in [
        "https:///join",
        "https://relay.example:/join",
        "https://relay.example:+1/join",
        "https://relay.example:70000/join",
        "https://someone@relay.example/join",
        "https://relay.example/a/join",
        "https://relay.example/join/",
        "https://relay.example/join?",
        "ftp://relay.example/join",
        "relay.example/join",
    ] {
        assert!(JoinLink::parse(&format!("{start}#{fragment}")).is_err(), "{start}");
    }
}
