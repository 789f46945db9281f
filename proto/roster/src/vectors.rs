//! The vectors of `proto/vectors/` that need no secret, against this crate.
//!
//! They come from an independent implementation; the browser's code runs the same ones.

use jiashu_proto::id::{DeviceId, InviteId, LinkHash, MemberId, Ref, Role};
use serde_json::Value;

use crate::{
    Link, LinkBody, LinkError, PublicKey, Recipient, Roster, compare_groups, occurrence_ref,
};

pub(crate) fn vectors(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

pub(crate) fn cases<'v>(vectors: &'v Value, name: &str, count: usize) -> &'v [Value] {
    let cases = vectors[name].as_array().unwrap();
    assert_eq!(cases.len(), count, "all {name} must be there");
    cases
}

pub(crate) fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    assert!(text.len().is_multiple_of(2));
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn members(value: &Value) -> Vec<MemberId> {
    serde_json::from_value::<Vec<u32>>(value.clone()).unwrap().into_iter().map(MemberId).collect()
}

fn numbered<T>(value: &Value, read: impl Fn(&Value) -> T) -> Vec<(u32, T)> {
    let map = value.as_object().unwrap().iter();
    let mut list: Vec<_> = map.map(|(id, value)| (id.parse().unwrap(), read(value))).collect();
    list.sort_by_key(|(id, _)| *id);
    list
}

fn wraps_of(link: &Value) -> Option<Vec<u8>> {
    link["wraps"].is_string().then(|| hex(&link["wraps"]))
}

#[test]
fn the_good_chain_is_taken_with_its_wraps_and_again_without() {
    let roster_json = vectors(include_str!("../../vectors/roster.json"));
    let (mut fresh, mut old) = (Roster::new(), Roster::new());

    for case in cases(&roster_json, "links", 12) {
        let bytes = hex(&case["link"]);
        let change = fresh.append(&bytes, wraps_of(case).as_deref()).unwrap();
        assert_eq!(old.follow(&bytes).unwrap(), change);

        assert_eq!(fresh, old, "{}", case["what"]);
        assert_eq!(u64::from(fresh.number()), case["number"].as_u64().unwrap());
        assert_eq!(fresh.head(), LinkHash(hex(&case["hash"]).try_into().unwrap()));
        assert_eq!(fresh.hash_of(change.number), Some(change.hash));
        let link = Link::parse(&bytes).unwrap();
        assert!(fresh.has(&link));
        assert_eq!(link.to_bytes(), bytes);
        assert_eq!(link.read().unwrap().to_bytes(), hex(&case["body"]));
        check_state(&fresh, &case["after"]);
    }
}

fn check_state(roster: &Roster, after: &Value) {
    let devices: Vec<_> =
        roster.devices().iter().map(|(id, device)| (id.0, device.members.clone())).collect();
    let invites: Vec<_> =
        roster.invites().iter().map(|(id, invite)| (id.0, invite.members.clone())).collect();
    let people: Vec<_> = roster.members().iter().map(|(id, role)| (id.0, *role)).collect();
    assert_eq!(devices, numbered(&after["devices"], members));
    assert_eq!(invites, numbered(&after["invites"], members));
    assert_eq!(
        people,
        numbered(&after["members"], |role| match role.as_u64() {
            Some(1) => Role::Parent,
            Some(2) => Role::Caregiver,
            _ => Role::Child,
        })
    );
    let recipients: Vec<_> = devices
        .iter()
        .map(|(id, _)| Recipient::Device(DeviceId(*id)))
        .chain(invites.iter().map(|(id, _)| Recipient::Invite(InviteId(*id))))
        .collect();
    assert_eq!(roster.recipients().into_keys().collect::<Vec<_>>(), recipients);
}

#[test]
fn every_bad_link_is_refused_and_leaves_the_roster_as_it_was() {
    let roster_json = vectors(include_str!("../../vectors/roster.json"));
    let links: Vec<_> = cases(&roster_json, "links", 12).iter().map(|l| hex(&l["link"])).collect();
    let wraps = cases(&roster_json, "negative_wraps", 34);
    let (mut refused, mut left_to_keys) = (0, 0);

    for case in cases(&roster_json, "negative", 89) {
        let name = case["name"].as_str().unwrap();
        let reason = case["reason"].as_str().unwrap();
        let after = usize::try_from(case["after"].as_u64().unwrap()).unwrap();
        let (before, _) = Roster::replay(&links[..after]).unwrap();
        let link = hex(&case["link"]);
        let beside = case["wraps"].as_u64().map(|at| hex(&wraps[usize::try_from(at).unwrap()]));
        let mut roster = before.clone();

        let answer = roster.append(&link, beside.as_deref());

        if case.get("needs_keys_of").is_some() {
            answer.unwrap_or_else(|error| panic!("{name}: only keys can tell, but {error}"));
            left_to_keys += 1;
            continue;
        }
        refused += 1;
        assert_eq!(roster, before, "{name}");
        let error = answer.expect_err(name);
        let by_signature = matches!(error, LinkError::Refused(text) if text.contains("signature"));
        let meant = reason.starts_with("signature") || reason.contains("text before the body");
        assert_eq!(by_signature, meant, "{name}: refused for {error}, not for {reason}");
        let old = roster.follow(&link);
        let of_wraps = matches!(error, LinkError::Wraps(_));
        assert_eq!(old.is_ok(), of_wraps, "{name}: without wraps only their faults go unseen");
    }
    assert_eq!((refused, left_to_keys), (84, 5));
}

#[test]
fn a_late_or_forked_link_is_told_from_a_bad_one() {
    let roster_json = vectors(include_str!("../../vectors/roster.json"));
    let links: Vec<_> = cases(&roster_json, "links", 12).iter().map(|l| hex(&l["link"])).collect();
    let (mut roster, _) = Roster::replay(&links[..3]).unwrap();
    let fork = cases(&roster_json, "negative", 89)
        .iter()
        .find(|case| case["name"] == "second link 3 on the same prev")
        .map(|case| hex(&case["link"]))
        .unwrap();

    let late = roster.follow(&links[2]).unwrap_err();
    let forked = roster.follow(&fork).unwrap_err();

    assert!(matches!(late, LinkError::DoesNotFollow { number: 3, head: 3 }));
    assert!(matches!(forked, LinkError::DoesNotFollow { number: 3, head: 3 }));
    assert!(roster.has(&Link::parse(&links[2]).unwrap()), "met again, it is no fork");
    assert!(!roster.has(&Link::parse(&fork).unwrap()));
}

#[test]
fn a_newer_version_or_op_is_told_from_a_malformed_link() {
    let roster_json = vectors(include_str!("../../vectors/roster.json"));
    let body_of = |name: &str| {
        let negative = cases(&roster_json, "negative", 89);
        let case = negative.iter().find(|case| case["name"] == name).unwrap();
        Link::parse(&hex(&case["link"])).unwrap().body
    };

    for name in ["unknown version", "unknown op", "unknown author"] {
        let error = LinkBody::parse(&body_of(name)).unwrap_err();

        assert!(matches!(error, LinkError::Unknown(_)), "{name}: {error}");
    }
    let error = LinkBody::parse(&body_of("body not shortest")).unwrap_err();
    assert!(matches!(error, LinkError::Malformed(_)), "{error}");
}

#[test]
fn an_occurrence_has_the_ref_of_its_body_schedule_and_planned_time() {
    let occurrence_json = vectors(include_str!("../../vectors/occurrence.json"));
    let computed = |case: &Value| {
        let [body_ref, schedule] =
            ["body_ref", "schedule"].map(|name| Ref::try_from(&hex(&case[name])[..]).unwrap());
        occurrence_ref(body_ref, schedule, case["planned"].as_str().unwrap())
    };

    for case in cases(&occurrence_json, "cases", 4) {
        assert_eq!(computed(case).unwrap().0.to_vec(), hex(&case["ref"]), "{}", case["name"]);
    }
    for case in cases(&occurrence_json, "negative", 6) {
        let given = Ref::try_from(&hex(&case["ref"])[..]).ok();
        let accepted = given.is_some() && computed(case) == given;
        assert!(!accepted, "{}", case["name"]);
    }
}

#[test]
fn a_planned_time_is_nineteen_digits_and_marks() {
    let of = |planned| occurrence_ref(Ref([1; 12]), Ref([2; 12]), planned);

    assert!(of("2026-11-22T20:00:00").is_some());
    for planned in ["2026-11-22 20:00:00", "2026-11-22T20:00:0٣", "2026-11-22T20:00", ""] {
        assert_eq!(of(planned), None, "{planned}");
    }
}

#[test]
fn both_screens_show_the_same_groups_for_the_same_request_only() {
    let compare_json = vectors(include_str!("../../vectors/compare.json"));
    let shown = |case: &Value| {
        let key = |name: &str| PublicKey::try_from(&hex(&case[name])[..]).unwrap();
        let link1 = LinkHash::try_from(&hex(&case["link1_hash"])[..]).unwrap();
        compare_groups(link1, &key("sign_pub"), &key("hpke_pub"))
    };
    let given =
        |case: &Value| serde_json::from_value::<[String; 6]>(case["groups"].clone()).unwrap();

    for case in cases(&compare_json, "cases", 3) {
        assert_eq!(shown(case), given(case));
        assert_eq!(Some(shown(case).join(" ").as_str()), case["shown"].as_str());
    }
    for case in cases(&compare_json, "negative", 2) {
        assert_ne!(shown(case), given(case), "{}", case["name"]);
    }
}
