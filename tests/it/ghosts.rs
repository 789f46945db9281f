//! A relay that lies: what it would have to show a phone to slip somebody in is refused there.

use jiashu_proto::frame::Invited;
use jiashu_proto::id::{DeviceId, InviteId};
use jiashu_roster::{Author, Op, Recipient, Wrap, Wraps, token_hash};
use jiashu_seal::{FamilyKey, KeyPairs, wrap_key};
use jiashu_tests::{FamilySpec, Programme, TestFamily, TestRelay};

use crate::scene::{Scene, forge, forge_wraps};

/// A family whose mother has joined, and what the relay shows to the second card.
async fn half_joined() -> (TestRelay, Programme, TestFamily, Invited) {
    let relay = TestRelay::start().await;
    let programme = Programme::of(&relay).await;
    let family = programme.enrol("PRATO-001", &FamilySpec::li()).await;
    family.join(0).await;
    let invited = family.card(1).look().await.unwrap();
    (relay, programme, family, invited)
}

/// A join by that invite with the ghost's keys.
fn ghost_join(ghost: &KeyPairs, device: u32) -> Op {
    Op::Join {
        device: DeviceId(device),
        sign_pub: ghost.sign.public(),
        hpke_pub: ghost.hpke.public(),
        token_hash: token_hash(&[7; 16]),
    }
}

#[tokio::test]
async fn a_ghost_that_the_relay_let_in_is_refused_by_who_joins_next() {
    let (_relay, _, family, shown) = half_joined().await;
    let ghost = KeyPairs::generate();
    let last = shown.links.last().unwrap();
    let by_ghost = forge(last, &ghost.sign, |body| body.ops = vec![ghost_join(&ghost, 1)]);
    let by_founder = forge(last, &ghost.sign, |body| {
        body.author = Author::Founder(ghost.sign.public());
        body.ops = vec![ghost_join(&ghost, 1)];
    });

    for link in [by_ghost, by_founder] {
        let mut lie = shown.clone();
        *lie.links.last_mut().unwrap() = link.into();

        assert!(family.card(1).open(&lie).is_err());
    }
    assert!(family.card(1).open(&shown).is_ok(), "the truth is taken");
}

#[tokio::test]
async fn another_family_in_the_place_of_ones_own_is_refused() {
    let (_relay, programme, family, shown) = half_joined().await;
    let double = programme.enrol("PRATO-002", &FamilySpec::li()).await;
    double.join(0).await;
    let doubled = double.card(1).look().await.unwrap();
    let whole_family = Invited { links: doubled.links, wraps: doubled.wraps, ..shown.clone() };
    let card_too = Invited { blob: double.enrol.cards[1].blob.clone(), ..whole_family.clone() };
    let other_card = Invited { blob: family.enrol.cards[0].blob.clone(), ..shown };

    for (what, lie) in
        [("family", whole_family), ("family and card", card_too), ("card", other_card)]
    {
        assert!(family.card(1).open(&lie).is_err(), "another {what}");
    }
}

#[tokio::test]
async fn a_chain_that_was_cut_short_or_reordered_is_refused() {
    let (_relay, _, family, shown) = half_joined().await;
    let links = shown.links.clone();
    let cases = [
        ("nothing", vec![]),
        ("without the link of the card", links[1..].to_vec()),
        ("in another order", links.iter().rev().cloned().collect()),
        ("doubled", [&links[..], &links[1..]].concat()),
    ];

    for (what, links) in cases {
        let lie = Invited { links, ..shown.clone() };
        assert!(family.card(1).open(&lie).is_err(), "{what}");
    }
    let forgotten = Invited { links: links[..1].to_vec(), ..shown.clone() };
    assert!(family.card(1).open(&forgotten).is_err(), "wraps of a link that is kept back");
}

#[tokio::test]
async fn wraps_that_the_relay_exchanged_are_refused() {
    let (_relay, _, family, shown) = half_joined().await;
    let (last, ghost) = (shown.links.last().unwrap(), KeyPairs::generate());
    let body = jiashu_roster::Link::parse(last).unwrap().read().unwrap();
    let keys = family.card(1).open(&shown).unwrap().card.keys;
    let wrap = |recipient, public| Wrap {
        recipient,
        sealed: wrap_key(&FamilyKey::generate(), &public, body.prev).unwrap(),
    };
    let own = wrap(Recipient::Invite(InviteId(2)), keys.hpke.public());
    let mothers = wrap(Recipient::Device(DeviceId(1)), ghost.hpke.public());
    let swapped = Wraps::new(vec![mothers, own]).unwrap();
    let signed_by_ghost = forge_wraps(last, &ghost.sign, &swapped);
    let mut links = shown.links.clone();
    *links.last_mut().unwrap() = signed_by_ghost.into();
    let some = |wraps: &Wraps| Some(wraps.to_bytes().into());

    let cases = [
        ("a key of the relay's own", Invited { wraps: some(&swapped), ..shown.clone() }),
        ("and a link to fit", Invited { wraps: some(&swapped), links, ..shown.clone() }),
        ("none for anybody", Invited { wraps: some(&Wraps::default()), ..shown.clone() }),
        ("kept back", Invited { wraps: None, ..shown.clone() }),
    ];
    for (what, lie) in cases {
        assert!(family.card(1).open(&lie).is_err(), "{what}");
    }
}

#[tokio::test]
async fn a_ghost_in_the_log_is_refused_by_who_reads_on() {
    let mut scene = Scene::li().await;
    let [mother, home] = &mut scene.phones;
    let (new, ghost) = (home.link(Vec::new()).unwrap(), KeyPairs::generate());
    let lies = [
        forge(&new.link, &ghost.sign, |body| {
            body.author = Author::Invite(InviteId(1));
            body.ops = vec![ghost_join(&ghost, 3)];
        }),
        forge(&new.link, &ghost.sign, |body| body.ops = vec![ghost_join(&ghost, 3)]),
        // A device of the family itself lets nobody in but by an invite that the family sees.
        forge(&new.link, &home.keys.sign, |body| body.ops = vec![ghost_join(&ghost, 3)]),
        forge(&new.link, &home.keys.sign, |body| body.number += 1),
    ];

    for lie in lies {
        assert!(mother.log.roster.clone().follow(&lie).is_err());
    }
    assert!(mother.log.roster.clone().follow(&new.link).is_ok(), "the truth is taken");
}

#[tokio::test]
async fn a_letter_that_the_relay_gave_another_sender_does_not_open() {
    let mut scene = Scene::li_with_three_phones().await;
    let [mother, grandmother, _] = &mut scene.phones;
    let letter = mother.letter("妈妈想你", &[2, 3]);
    mother.command(jiashu_proto::frame::ClientFrame::Post(letter)).await.unwrap();
    grandmother.sync().await;
    let (_, kind, truth) = grandmother.log.messages().next().unwrap();
    let cases: [(&str, jiashu_proto::entry::Message); 5] = [
        ("another sender", with(truth, |lie| lie.from.0 = 2)),
        ("another device", with(truth, |lie| lie.device.0 = 2)),
        ("other addressees", with(truth, |lie| lie.to.truncate(1))),
        ("another name", with(truth, |lie| lie.entry_ref.0[0] ^= 1)),
        ("other words", with(truth, |lie| lie.sealed[0] ^= 1)),
    ];

    for (what, lie) in cases {
        assert!(grandmother.log.open(kind, &lie).is_err(), "{what}");
    }
    assert!(grandmother.log.open(kind, truth).is_ok());
}

fn with(
    truth: &jiashu_proto::entry::Message,
    change: impl FnOnce(&mut jiashu_proto::entry::Message),
) -> jiashu_proto::entry::Message {
    let mut lie = truth.clone();
    change(&mut lie);
    lie
}
