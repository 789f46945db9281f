//! P15: a link to a voice note fetches what is sealed, for whom it was made and as long; anything else is no link.

use std::net::Ipv4Addr;

use jiashu_roster::{Asked, Op};
use jiashu_tests::blob::{BlobRequest, path};
use jiashu_tests::dice::Dice;
use jiashu_tests::ground::Ground;
use jiashu_tests::http::Response;
use jiashu_tests::{FamilySpec, Raw, RawDevice};
use serde_json::Value;
use tempfile::TempDir;

use crate::scene::{Scene, on_each_ground};

const SOUND: &[u8] = b"what a mother said, before it was sealed";

struct House {
    scene: Scene<2>,
    _ground: Ground,
    _folder: TempDir,
}

impl House {
    async fn on(ground: Ground, more: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let relay = ground.relay(&folder, more).await;
        let scene = Scene::of(relay, FamilySpec::li()).await;
        Self { scene, _ground: ground, _folder: folder }
    }
}

async fn make(phone: &RawDevice, blob: jiashu_proto::id::Ref, seconds: &str) -> Response {
    let mut ask = BlobRequest::new("POST", format!("{}/link", path(blob))).by(&phone.token);
    ask.body = format!("{{\"seconds\":{seconds}}}").into_bytes();
    ask.ask(phone.raw).await
}

/// A link that holds so long.
async fn made(phone: &RawDevice, blob: jiashu_proto::id::Ref) -> String {
    let made = make(phone, blob, "3600").await;
    assert_eq!(made.status, 201, "{made:?}");
    let told: Value = serde_json::from_slice(&made.body).unwrap();
    format!("/1/v/{}", told["token"].as_str().unwrap())
}

async fn follow(raw: Raw, path: &str) -> Response {
    BlobRequest::new("GET", path).ask(raw).await
}

async fn a_link_fetches_what_is_sealed_and_is_counted(ground: Ground) {
    let house = House::on(ground, &[("JIASHU_LINK_FETCHES", "2")]).await;
    let [mother, home] = &house.scene.phones;
    let voice = mother.store_sound(SOUND).await;
    let stored = BlobRequest::new("GET", path(voice.blob)).by(&mother.token).ask(mother.raw).await;

    let link = made(home, voice.blob).await;
    let once = follow(mother.raw, &link).await;
    let from = BlobRequest::new("GET", &*link).with("range", "bytes=10-").ask(mother.raw).await;
    let told = make(home, voice.blob, "60").await;
    let more = follow(mother.raw, &link).await;

    assert_eq!((once.status, &once.body), (200, &stored.body));
    assert!(!once.body.windows(6).any(|part| part == b"mother"), "it is sealed");
    assert_eq!((from.status, &from.body[..]), (206, &stored.body[10..]));
    let told: Value = serde_json::from_slice(&told.body).unwrap();
    assert!(told["fetched"].as_f64().unwrap() > 1.5, "{told}");
    assert_eq!(more.status, 507, "{more:?}");
    let again = BlobRequest::new("GET", path(voice.blob)).by(&home.token).ask(mother.raw).await;
    assert_eq!(again.status, 200, "the family itself is not counted");
}

async fn a_link_ends_with_the_phone_that_made_it(ground: Ground) {
    let mut house = House::on(ground, &[]).await;
    let voice = house.scene.phones[0].store_sound(SOUND).await;
    let [mother, home] = &mut house.scene.phones;
    let (of_home, of_mother) = (made(home, voice.blob).await, made(mother, voice.blob).await);
    assert_eq!(follow(mother.raw, &of_home).await.status, 200);

    let out = Op::RemoveDevice { device: home.number(), asked: Asked::ByFamily };
    mother.write(vec![out]).await;

    assert_eq!(follow(mother.raw, &of_home).await.status, 404);
    assert_eq!(follow(mother.raw, &of_mother).await.status, 200);
    assert_eq!(make(home, voice.blob, "60").await.status, 401);
}

async fn a_link_is_made_by_the_family_for_what_it_has(ground: Ground) {
    let house = House::on(ground, &[]).await;
    let [mother, _] = &house.scene.phones;
    let voice = mother.store_sound(SOUND).await;
    let others = house.scene.programme.enrol("OTHER-1", &FamilySpec::li()).await;
    let stranger = others.join(0).await;

    assert_eq!(make(&stranger, voice.blob, "60").await.status, 404);
    assert_eq!(make(mother, jiashu_proto::id::Ref([9; 12]), "60").await.status, 404);
    for seconds in ["0", "59", "2592001", "-1", "1.5", "\"60\"", "99999999999999999999", ""] {
        assert_eq!(make(mother, voice.blob, seconds).await.status, 400, "{seconds}");
    }
    assert_eq!(make(mother, voice.blob, "2592000").await.status, 201);
}

async fn no_mutation_of_a_link_opens_anything(ground: Ground) {
    let most = if std::env::var_os("JIASHU_ROUNDS").is_some() { 10_000 } else { 500 };
    // Who guesses is slowed down, by address; these come from many.
    let house = House::on(ground, &[("JIASHU_KNOCKS_PER_MINUTE", "1000000")]).await;
    let [mother, _] = &house.scene.phones;
    let voice = mother.store_sound(SOUND).await;
    let other = mother.store_sound(b"another note").await;
    let (link, second) = (made(mother, voice.blob).await, made(mother, other.blob).await);
    let mut dice = Dice::new(15);

    let mut tried = 0;
    while tried < most {
        let (method, path) = mutated(&link, &second, &mut dice);
        if method == "GET" && (path == link || path == second) {
            continue;
        }
        tried += 1;
        let raw = mother.raw.from(Ipv4Addr::new(127, 0, 1, u8::try_from(1 + tried % 200).unwrap()));
        let request = BlobRequest::new(method, path.clone()).to_bytes();
        // One that is no HTTP at all is cut off.
        let Some(answer) = raw.exchange(&request).await else { continue };
        assert!((400..500).contains(&answer.status), "{method} {path}: {answer:?}");
        assert!(answer.body.len() < 400 && !answer.body.windows(3).any(|part| part == b"127"));
    }
    assert_eq!(follow(mother.raw, &link).await.status, 200, "and the link still holds");
}

/// The link, changed in one of the ways in which links are tampered with.
fn mutated(link: &str, second: &str, dice: &mut Dice) -> (&'static str, String) {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (head, token) = link.split_at("/1/v/".len());
    let mut bytes = token.as_bytes().to_vec();
    let mut pick = |below: usize| dice.place(below);
    let at = pick(bytes.len());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match pick(16) {
        // Any character: key id, family, device, name, expiry, tag.
        0..=4 => {
            bytes[at] = ALPHABET[pick(ALPHABET.len())];
            ("GET", format!("{head}{}", text(&bytes)))
        }
        5 => {
            let next = pick(bytes.len());
            bytes.swap(at, next);
            ("GET", format!("{head}{}", text(&bytes)))
        }
        6 => ("GET", format!("{head}{}", &token[..at])),
        7 => {
            bytes.insert(at, ALPHABET[pick(ALPHABET.len())]);
            ("GET", format!("{head}{}", text(&bytes)))
        }
        // Written otherwise: percent, padding, case, the other alphabet.
        8 => ("GET", format!("{head}{}%{:02X}{}", &token[..at], bytes[at], &token[at + 1..])),
        9 => ("GET", format!("{head}{token}{}", ["=", "==", "%3D", "/", "%2F", "%00"][pick(6)])),
        10 => ("GET", format!("{head}{}", token.to_ascii_uppercase())),
        11 => ("GET", format!("{head}{}", token.replace(['-', '_'], "+"))),
        // What stands beside it.
        12 => {
            let besides = ["?", "?x=1", "?token=a&token=b", "?expires=9999999999", "?family=1"];
            ("GET", format!("{link}{}", besides[pick(5)]))
        }
        13 => {
            let paths = ["/1/blob/", "/v/", "/1//v/", "/1/V/", "/1/v/./", "/1/v/../v/", "//1/v/"];
            ("GET", format!("{}{token}", paths[pick(7)]))
        }
        // One link's beginning with another's end.
        14 => {
            let cut = head.len() + at;
            ("GET", format!("{}{}", &link[..cut], &second[cut..]))
        }
        _ => (["HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS"][pick(6)], link.to_owned()),
    }
}

async fn a_link_is_followed_slowly_by_who_guesses(ground: Ground) {
    let house = House::on(ground, &[("JIASHU_KNOCKS_PER_MINUTE", "3")]).await;
    let raw = house.scene.phones[0].raw.from(Ipv4Addr::new(127, 0, 2, 1));
    let mut statuses = Vec::new();

    for _ in 0..10 {
        statuses.push(follow(raw, "/1/v/AAAA").await.status);
    }

    assert!(statuses.contains(&404) && statuses.ends_with(&[429]), "{statuses:?}");
}

on_each_ground!(
    a_link_fetches_what_is_sealed_and_is_counted,
    a_link_ends_with_the_phone_that_made_it,
    a_link_is_made_by_the_family_for_what_it_has,
    no_mutation_of_a_link_opens_anything,
    a_link_is_followed_slowly_by_who_guesses,
);
