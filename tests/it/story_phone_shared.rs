//! One phone for the children of several families, in a real browser; and what a person does there who cannot read.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiashu_proto::id::{DeviceId, Scope, Token};
use jiashu_seal::{Card, JoinLink};
use jiashu_tests::Cli;
use jiashu_tests::browser::tell;
use jiashu_tests::family::FamilySpec;
use jiashu_tests::ground::Ground;
use jiashu_tests::programme::Programme;
use serde_json::{Value, json};

use crate::story::{Cards, Office};
use crate::story_phone::{FAMILIES, hum, mothers, told};

/// Code, language, zone at home, the names of two parents of one family and one of another, and of the child that each writes to.
type School = (&'static str, &'static str, &'static str, [[&'static str; 2]; 3]);

const SCHOOLS: [School; 2] = [
    ("GS", "zh-Hans", "Asia/Shanghai", [["妈妈", "明明"], ["爸爸", "芳芳"], ["姑姑", "小军"]]),
    ("MD", "ro", "Europe/Chisinau", [["Ana", "Ilinca"], ["Vasile", "Sorin"], ["Matușa", "Doru"]]),
];

/// The rows of two families whose three children have the school's phone.
fn cousins(&(code, language, zone, [one, other, aunt]): &School) -> String {
    let parent = |family: u32, member: u32, name: &str| {
        format!(
            "{code}-{family},{member},parent,{name},Europe/Rome,{language},{name},,2026-11-01,\n"
        )
    };
    let child =
        |family: u32, member: u32, name: &str| boarder(code, family, member, name, language, zone);
    [
        parent(1, 1, one[0]),
        parent(1, 2, other[0]),
        child(1, 3, one[1]),
        child(1, 4, other[1]),
        parent(2, 1, aunt[0]),
        child(2, 2, aunt[1]),
    ]
    .concat()
}

/// A child whose letters come to the phone of its school.
fn boarder(code: &str, family: u32, member: u32, name: &str, language: &str, zone: &str) -> String {
    format!(
        "{code}-{family},{member},child,{name},{zone},{language},home,school {code},2026-11-01,2026-11-01\n"
    )
}

async fn three_cousins_have_one_phone(ground: Ground) {
    let folder = tempfile::tempdir().unwrap();
    let office = Office::on(ground.relay(&folder, &[]).await).await;
    let cards = office.enrol(&SCHOOLS.iter().map(cousins).collect::<String>()).await;
    let mut schools = Vec::new();
    for (code, language, _, people) in SCHOOLS {
        let mut children = Vec::new();
        for (at, [parent, name]) in people.into_iter().enumerate() {
            let family = format!("{code}-{}", 1 + at / 2);
            let home = office.join(&format!("{code} {parent}"), &cards.link(&family, parent)).await;
            let texts: Vec<_> = (0..=at).map(|n| format!("canary-{at}-{n}")).collect();
            children.push(json!({
                "name": name, "sender": parent, "parent": home.home(), "texts": texts,
                "late": format!("canary-{at}-late"),
            }));
        }
        let cards = school_card(&office, &cards, code).await;
        schools.push(json!({ "language": language, "cards": cards, "children": children }));
    }

    tell("shared.mjs", &told(&office, &json!({ "schools": schools }))).await;
}

async fn thirty_boarders_have_one_phone(ground: Ground) {
    let folder = tempfile::tempdir().unwrap();
    let office = Office::on(ground.relay(&folder, &[]).await).await;
    let mut rows = String::new();
    let parent = |code: &str, family: u32, name: &str| {
        format!("{code}-{family},1,parent,{name} {family},Europe/Rome,en,phone,,2026-11-01,\n")
    };
    for family in 1..=30 {
        let child =
            boarder("MD", family, 2, &format!("Copil {family:02}"), "ro", "Europe/Chisinau");
        write!(rows, "{}{child}", parent("MD", family, "Mama")).unwrap();
    }
    for family in 1..=6 {
        rows += &parent("GS", family, "妈妈");
        for member in 2..=6 {
            let name = format!("孩子 {family}{member}");
            rows += &boarder("GS", family, member, &name, "zh-Hans", "Asia/Shanghai");
        }
    }
    let cards = office.enrol(&rows).await;
    let mother = office.join("mother", &cards.link("MD-17", "Mama 17")).await;
    let mama = office.join("mama", &cards.link("GS-4", "妈妈 4")).await;

    let (school, house) =
        (school_card(&office, &cards, "MD").await, school_card(&office, &cards, "GS").await);
    let houses = json!([
        {
            "name": "boarders", "language": "ro", "cards": school, "children": 30,
            "child": "Copil 17", "parent": mother.home(), "text": "Noapte bună",
        },
        {
            "name": "households", "language": "zh-Hans", "cards": house, "children": 30,
            "child": "孩子 44", "parent": mama.home(), "text": "晚安",
        },
    ]);
    tell("boarders.mjs", &told(&office, &json!({ "houses": houses }))).await;
}

async fn who_cannot_read_needs_three_actions(ground: Ground) {
    let folder = tempfile::tempdir().unwrap();
    let office = Office::on(ground.relay(&folder, &[]).await).await;
    let cards = office.enrol(FAMILIES).await;
    let voice = office.path("song.ogg");
    hum(&voice).await;
    let families = mothers(&office, &cards, &voice).await;
    let more = json!({ "families": families, "worker": office.worker.home() });
    tell("unread.mjs", &told(&office, &more)).await;
}

/// One card for the phone of that school, which opens the cards that its families were given for it. It lies at the relay as
/// that of a phone nobody has.
async fn school_card(office: &Office, Cards(all): &Cards, code: &str) -> [String; 1] {
    let label = format!("school {code}");
    let of_school = all.iter().filter(|card| card["shared_device"] == *label);
    let ways = of_school.map(|card| JoinLink::parse(card["link"].as_str().unwrap()).unwrap());
    let opens = Card::Several(ways.map(|way| (way.scope, way.secret)).collect());
    let spec = FamilySpec::li().with_phones(&[&[2, 3]]);
    let (mut enrol, secrets) = spec.draw(&format!("{code}-0"), office.relay.raw().now().await);
    let [secret] = secrets.try_into().unwrap();
    enrol.cards[0].blob = opens.seal(&secret);
    let programme = Programme::known(&office.relay, token(&office.worker));
    let _ = programme.try_enrol(&enrol).await.unwrap();
    let origin = format!("http://{}", office.relay.address());
    [JoinLink { origin, scope: enrol.family, secret }.to_url()]
}

/// What a coordinator's command line says hello with.
fn token(worker: &Cli) -> Token {
    let file = std::fs::read(worker.home().join("staff.json")).unwrap();
    let file: Value = serde_json::from_slice(&file).unwrap();
    let text = |key: &str| file[key].as_str().unwrap();
    let secret = BASE64_URL_SAFE_NO_PAD.decode(text("secret")).unwrap();
    Token {
        scope: Scope(u64::from_str_radix(text("programme"), 16).unwrap()),
        device: DeviceId(u32::try_from(file["number"].as_u64().unwrap()).unwrap()),
        secret: secret.try_into().unwrap(),
    }
}

#[tokio::test]
async fn three_cousins_have_one_phone_from_one_file() {
    three_cousins_have_one_phone(Ground::own()).await;
}

#[tokio::test]
async fn thirty_boarders_have_one_phone_from_one_file() {
    thirty_boarders_have_one_phone(Ground::own()).await;
}

#[tokio::test]
async fn who_cannot_read_needs_three_actions_from_one_file() {
    who_cannot_read_needs_three_actions(Ground::own()).await;
}
