//! What must hold for any text, any order of doings and any changed bit.

use std::collections::HashMap;

use jiashu_proto::id::{DeviceId, InviteId, LinkHash, MemberId, Ref, Role};
use jiashu_roster::{Asked, Link, Op, Recipient, Roster, Wraps, occurrence_ref};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::testing::{Family, invite_op};
use crate::{
    BodyFields, Draft, FamilyKey, KeyPairs, open_all, open_blob, open_body, open_link_key, random,
    seal_blob, seal_body, unwrap_key,
};

fn any_fields() -> impl Strategy<Value = BodyFields> {
    let key = proptest::option::of("[a-z/0-9]{0,12}");
    let until = proptest::option::of(any::<u64>());
    let schedule = proptest::option::of(any::<[u8; 12]>());
    let to = btree_set(any::<u32>(), 0..5);
    (any::<[u32; 3]>(), to, key, until, schedule).prop_map(
        |([device, from, kind], to, key, until, schedule)| BodyFields {
            device: DeviceId(device),
            from: MemberId(from),
            kind,
            to: to.into_iter().map(MemberId).collect(),
            key,
            until,
            schedule: schedule.map(Ref),
        },
    )
}

/// The fields with exactly one of them another.
fn with_one_changed(fields: &BodyFields, which: usize) -> BodyFields {
    let mut other = fields.clone();
    match which {
        0 => other.device.0 ^= 1,
        1 => other.from.0 ^= 1,
        2 => other.kind ^= 1,
        3 if other.to.pop().is_none() => other.to.push(MemberId(1)),
        3 => {}
        4 => other.key = other.key.map_or(Some(String::new()), |_| None),
        5 => other.until = other.until.map_or(Some(0), |_| None),
        _ => other.schedule = other.schedule.map_or(Some(Ref([0; 12])), |_| None),
    }
    other
}

fn flip(bytes: &mut [u8], bit: Index) {
    let bit = bit.index(bytes.len() * 8);
    bytes[bit / 8] ^= 1 << (bit % 8);
}

proptest! {
    #[test]
    fn a_body_opens_only_as_it_was_sealed(
        fields in any_fields(),
        text in vec(any::<u8>(), 0..200),
        (key, link, body_ref) in any::<([u8; 32], [u8; 32], [u8; 12])>(),
        (bit, which) in (any::<Index>(), 0_usize..7),
    ) {
        let key = FamilyKey::from_bytes(key);
        let (link, body_ref) = (LinkHash(link), Ref(body_ref));
        let sealed = seal_body(&key, link, body_ref, &fields, &text).unwrap();
        let (mut other_sealed, mut other_link, mut other_ref) = (sealed.clone(), link, body_ref);
        flip(&mut other_sealed, bit);
        flip(&mut other_link.0, bit);
        flip(&mut other_ref.0, bit);
        let other_fields = with_one_changed(&fields, which);

        let opened = open_body(&key, link, body_ref, &fields, &sealed).unwrap();

        prop_assert_eq!(opened.to_vec(), text);
        prop_assert!(open_body(&key, link, body_ref, &fields, &other_sealed).is_err());
        prop_assert!(open_body(&key, other_link, body_ref, &fields, &sealed).is_err());
        prop_assert!(open_body(&key, link, other_ref, &fields, &sealed).is_err());
        prop_assert!(open_body(&key, link, body_ref, &other_fields, &sealed).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_voice_note_opens_only_whole(
        file in vec(any::<u8>(), 0..40_000),
        (bit, cut) in any::<(Index, Index)>(),
    ) {
        let sealed = seal_blob(&file).unwrap();
        let mut flipped = sealed.stored.clone();
        flip(&mut flipped, bit);

        prop_assert_eq!(&*open_blob(&sealed.key, &sealed.stored).unwrap(), &file);
        prop_assert!(open_blob(&sealed.key, &flipped).is_err());
        let cut = &sealed.stored[..cut.index(sealed.stored.len())];
        prop_assert!(open_blob(&sealed.key, cut).is_err());
    }
}

/// What a client does with its texts, over months.
#[derive(Clone, Debug)]
enum Act {
    Write(BodyFields, Vec<u8>),
    Edit(Index, Vec<u8>),
    SealAgain(Index),
    Restart(Index),
    Fire(Index, u8),
    TurnKey,
}

fn any_act() -> impl Strategy<Value = Act> {
    let text = || vec(any::<u8>(), 0..20);
    prop_oneof![
        (any_fields(), text()).prop_map(|(fields, text)| Act::Write(fields, text)),
        (any::<Index>(), text()).prop_map(|(which, text)| Act::Edit(which, text)),
        any::<Index>().prop_map(Act::SealAgain),
        any::<Index>().prop_map(Act::Restart),
        (any::<Index>(), 0_u8..60).prop_map(|(which, second)| Act::Fire(which, second)),
        Just(Act::TurnKey),
    ]
}

/// Key and nonce, and what was sealed under them: additional data, text and the sealed bytes.
type Seals = HashMap<([u8; 32], Ref), (Vec<u8>, Vec<u8>, Vec<u8>)>;

fn seal_and_note(seals: &mut Seals, draft: &Draft, key: &FamilyKey, link: LinkHash) {
    let sealed = draft.seal(key, link).unwrap();
    let meant = (draft.fields().aad(link), draft.text().to_vec(), sealed);
    let met = seals.entry((*key.as_bytes(), draft.body_ref())).or_insert_with(|| meant.clone());
    assert_eq!(*met, meant, "a key and nonce met a second text");
}

proptest! {
    #[test]
    fn no_key_and_nonce_meet_two_texts(acts in vec(any_act(), 1..40)) {
        let (mut key, mut link) = (FamilyKey::generate(), LinkHash(random()));
        let mut drafts = vec![];
        let mut seals = Seals::new();
        for act in acts {
            let pick = |which: Index, drafts: &[Draft]| {
                (!drafts.is_empty()).then(|| which.get(drafts).clone())
            };
            let draft = match act {
                Act::Write(fields, text) => Some(Draft::new(fields, text)),
                Act::Edit(which, text) => {
                    pick(which, &drafts).map(|old| Draft::new(old.fields().clone(), text))
                }
                Act::SealAgain(which) => pick(which, &drafts),
                Act::Restart(which) => pick(which, &drafts).map(|draft| {
                    let (fields, text) = (draft.fields().clone(), draft.text().to_vec());
                    Draft::from_stored(draft.body_ref(), fields, text)
                }),
                Act::Fire(which, second) => {
                    let schedule = Ref([7; 12]);
                    let planned = format!("2026-11-22T20:00:{second:02}");
                    let fired = pick(which, &drafts)
                        .and_then(|draft| occurrence_ref(draft.body_ref(), schedule, &planned));
                    prop_assert!(
                        !drafts.iter().any(|draft| Some(draft.body_ref()) == fired),
                        "an occurrence's ref is never a nonce"
                    );
                    None
                }
                Act::TurnKey => {
                    (key, link) = (FamilyKey::generate(), LinkHash(random()));
                    None
                }
            };
            if let Some(draft) = draft {
                seal_and_note(&mut seals, &draft, &key, link);
                drafts.push(draft);
            }
        }
    }
}

/// What may happen to a family. What cannot, at its moment, only turns the key.
#[derive(Clone, Debug)]
enum Step {
    AddMember(u8),
    Invite(Vec<Index>),
    Join(Index),
    Remove(Index),
    Close(Index),
    SetMembers(Index, Vec<Index>),
}

fn any_step() -> impl Strategy<Value = Step> {
    let some = || vec(any::<Index>(), 1..3);
    prop_oneof![
        (0_u8..3).prop_map(Step::AddMember),
        some().prop_map(Step::Invite),
        any::<Index>().prop_map(Step::Join),
        any::<Index>().prop_map(Step::Join),
        any::<Index>().prop_map(Step::Remove),
        any::<Index>().prop_map(Step::Close),
        (any::<Index>(), some()).prop_map(|(device, members)| Step::SetMembers(device, members)),
    ]
}

fn some_members(family: &Family, picks: &[Index]) -> Vec<MemberId> {
    let all: Vec<_> = family.roster.members().keys().copied().collect();
    let mut some: Vec<_> = picks.iter().map(|pick| *pick.get(&all)).collect();
    some.sort();
    some.dedup();
    some
}

fn open_invite(family: &Family, pick: Index) -> Option<InviteId> {
    let open: Vec<_> = family.roster.invites().keys().copied().collect();
    (!open.is_empty()).then(|| *pick.get(&open))
}

fn live_device(family: &Family, pick: Index) -> DeviceId {
    let live: Vec<_> = family.roster.devices().keys().copied().collect();
    *pick.get(&live)
}

/// The step's ops, by a device other than the one it is done to.
fn ops_of(family: &mut Family, step: &Step, by: DeviceId) -> Vec<Op> {
    match step {
        Step::AddMember(role) => {
            let role = [Role::Parent, Role::Caregiver, Role::Child][usize::from(*role)];
            vec![Op::AddMember { member: family.roster.next_member(), role }]
        }
        Step::Invite(picks) => {
            let (invite, keys) = (family.roster.next_invite(), KeyPairs::generate());
            let op = invite_op(invite, &keys, some_members(family, picks));
            family.invites.insert(invite, keys);
            vec![op]
        }
        Step::Remove(pick) => match live_device(family, *pick) {
            device if device == by => vec![],
            device => vec![Op::RemoveDevice { device, asked: Asked::ByFamily }],
        },
        Step::Close(pick) => open_invite(family, *pick)
            .map(|invite| Op::CloseInvite { invite, asked: Asked::ByRelay })
            .into_iter()
            .collect(),
        Step::SetMembers(pick, picks) => match live_device(family, *pick) {
            device if device == by => vec![],
            device => vec![Op::SetMembers { device, members: some_members(family, picks) }],
        },
        Step::Join(_) => vec![],
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_link_written_is_taken_and_none_that_was_changed(
        steps in vec((any_step(), any::<Index>(), any::<[Index; 2]>()), 1..8),
    ) {
        let mut family = Family::joined();
        let (mut reader, _) = Roster::replay(&family.links).unwrap();
        for (step, writer, [link_bit, wraps_bit]) in steps {
            let (before, known) = (reader.clone(), family.key.clone());
            let join = match step {
                Step::Join(pick) => open_invite(&family, pick),
                _ => None,
            };
            let new = match join {
                Some(invite) => family.join(invite).unwrap(),
                None => {
                    let may = family.roster.devices().keys().copied();
                    let may: Vec<_> = may.filter(|id| before.may_write(*id)).collect();
                    let by = *writer.get(&may);
                    let ops = ops_of(&mut family, &step, by);
                    family.write(by, ops).unwrap()
                }
            };

            let (mut bad_link, mut bad_wraps) = (new.link.clone(), new.wraps.clone());
            flip(&mut bad_link, link_bit);
            flip(&mut bad_wraps, wraps_bit);
            prop_assert!(reader.append(&bad_link, Some(&new.wraps)).is_err());
            prop_assert!(reader.append(&new.link, Some(&bad_wraps)).is_err());
            prop_assert_eq!(&reader, &before, "a refused link changes nothing");
            reader.append(&new.link, Some(&new.wraps)).unwrap();
            prop_assert_eq!(&reader, &new.roster);

            let body = Link::parse(&new.link).unwrap().read().unwrap();
            let wraps = reader.check_wraps(&new.wraps).unwrap();
            for recipient in reader.recipients().into_keys() {
                let keys = match recipient {
                    Recipient::Device(device) => &family.devices[&device],
                    Recipient::Invite(invite) => &family.invites[&invite],
                };
                let key = open_link_key(&body, &wraps, recipient, &keys.hpke, known.as_ref());
                prop_assert_eq!(key.unwrap(), new.key.clone());
            }
            who_is_out_opens_nothing(&before, &reader, &family, &wraps, body.prev);
        }
        let bodies: Vec<_> =
            family.links.iter().map(|link| Link::parse(link).unwrap().read().unwrap()).collect();
        let all = open_all(&bodies, family.key.as_ref().unwrap()).unwrap();
        prop_assert_eq!(all.len(), family.links.len() - 1, "one key for each link but the first");
    }
}

fn who_is_out_opens_nothing(
    before: &Roster,
    after: &Roster,
    family: &Family,
    wraps: &Wraps,
    prev: LinkHash,
) {
    for gone in before.devices().keys().filter(|id| !after.devices().contains_key(id)) {
        let keys = &family.devices[gone];
        assert!(wraps.iter().all(|wrap| unwrap_key(&wrap.sealed, &keys.hpke, prev).is_err()));
    }
}
