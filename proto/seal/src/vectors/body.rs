//! Bodies, deterministic once key, ref and fields are given.

use jiashu_proto::id::{DeviceId, LinkHash, MemberId, Ref};
use serde_json::Value;

use super::{cases, fixed, hex, number, read};
use crate::primitive::derive;
use crate::{BodyFields, FamilyKey, SealError, open_body, seal_body};

fn fields(case: &Value) -> BodyFields {
    BodyFields {
        device: DeviceId(number(&case["device"])),
        from: MemberId(number(&case["from"])),
        kind: number(&case["kind"]),
        to: case["to"].as_array().unwrap().iter().map(|to| MemberId(number(to))).collect(),
        key: case["key"].as_str().map(str::to_owned),
        until: case["until"].as_u64(),
        schedule: case["schedule"].is_string().then(|| Ref(fixed(&case["schedule"]))),
    }
}

fn place(case: &Value) -> (FamilyKey, LinkHash, Ref) {
    (
        FamilyKey::from_bytes(fixed(&case["K"])),
        LinkHash(fixed(&case["link_hash"])),
        Ref(fixed(&case["ref"])),
    )
}

#[test]
fn a_body_seals_to_the_given_bytes_and_opens() {
    let vectors = read(include_str!("../../../vectors/body.json"));

    for case in cases(&vectors, "cases", 7) {
        let ((key, link, body_ref), fields, name) = (place(case), fields(case), &case["name"]);
        let body_key = derive::<32>(key.as_bytes(), "jiashu/1 body");
        assert_eq!(body_key.to_vec(), hex(&case["body_key"]), "{name}");
        assert_eq!(fields.aad(link), hex(&case["aad"]), "{name}");

        let sealed = seal_body(&key, link, body_ref, &fields, &hex(&case["text"])).unwrap();

        assert_eq!(sealed, hex(&case["sealed"]), "{name}");
        let text = open_body(&key, link, body_ref, &fields, &sealed).unwrap();
        assert_eq!(text.to_vec(), hex(&case["text"]), "{name}");
    }
}

#[test]
fn a_body_with_anything_changed_does_not_open() {
    let vectors = read(include_str!("../../../vectors/body.json"));

    for case in cases(&vectors, "negative", 22) {
        let (key, link, body_ref) = place(case);
        let name = case["name"].as_str().unwrap();

        let error = open_body(&key, link, body_ref, &fields(case), &hex(&case["sealed"]));

        let error = error.expect_err(name);
        let of_order = matches!(error, SealError::Refused(_));
        assert_eq!(of_order, name == "to descending, sealed so", "{name}: {error}");
    }
}
