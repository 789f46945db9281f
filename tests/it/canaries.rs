//! P12: the relay's disk, its log and its figures never hold a text or a name of a family.

use std::path::Path;

use jiashu_proto::entry::RuleText;
use jiashu_tests::{FamilySpec, TestRelay};

use crate::scene::Scene;

/// Words that occur nowhere else.
const CANARIES: [&str; 3] = ["kanarie-letter-7f3a", "kanarie-later-91c2", "kanarie-name-c0de"];

/// A word as it might lie about: as it is, in base64 at each offset, in hex, in UTF-16.
fn forms(word: &str) -> Vec<Vec<u8>> {
    let hex = |upper: bool| -> String {
        let digit = |byte| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") };
        word.bytes().map(digit).collect()
    };
    let utf16 = |bytes: fn(u16) -> [u8; 2]| word.encode_utf16().flat_map(bytes).collect::<Vec<_>>();
    let mut forms = vec![
        word.as_bytes().to_vec(),
        hex(false).into_bytes(),
        hex(true).into_bytes(),
        utf16(u16::to_le_bytes),
        utf16(u16::to_be_bytes),
    ];
    forms.extend((0..3).map(|offset| base64_core(word.as_bytes(), offset)));
    forms
}

/// The base64 digits of `bytes` that do not depend on what stands around it, if it begins so many
/// bytes behind a group of three.
fn base64_core(bytes: &[u8], offset: usize) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let whole = bytes[(3 - offset) % 3..].chunks_exact(3);
    whole
        .flat_map(|group| {
            let bits = group.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
            [18, 12, 6, 0].map(|shift| DIGITS[bits >> shift & 63])
        })
        .collect()
}

pub(crate) fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

pub(crate) fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn what_a_family_writes_lies_nowhere_at_the_relay() {
    let [letter, later, name] = CANARIES;
    let mut spec = FamilySpec::li();
    spec.members[0].2 = name;
    let relay = TestRelay::with(&[("JIASHU_LOG", "trace")]).await;
    let mut scene = Scene::<2>::of(relay, spec).await;
    let [mother, home] = &mut scene.phones;
    let rule = RuleText::new("2100-01-01T20:00:00", "Asia/Shanghai", None);
    mother.post(letter).await;
    mother.schedule(later, &[3], rule).await;
    home.sync().await;
    assert_eq!(home.log.texts(), [letter]);

    let figures = scene.relay.raw().get("/metrics").await.body;
    let live: Vec<_> = files(&scene.relay.data_dir());
    let mut places: Vec<(String, Vec<u8>)> = live
        .into_iter()
        .map(|path| (path.display().to_string(), std::fs::read(&path).unwrap()))
        .collect();
    scene.relay.term().await;
    for path in files(&scene.relay.data_dir()) {
        places.push((format!("{} after the end", path.display()), std::fs::read(&path).unwrap()));
    }
    places.push(("the figures".into(), figures));
    places.push(("the log".into(), scene.relay.log().into_bytes()));

    for word in CANARIES {
        for form in forms(word) {
            for (place, bytes) in &places {
                assert!(!holds(bytes, &form), "{word} lies in {place}");
            }
        }
    }
    let case = crate::scene::CASE.as_bytes();
    assert!(places.iter().any(|(_, bytes)| holds(bytes, case)), "the search finds what is there");
}
