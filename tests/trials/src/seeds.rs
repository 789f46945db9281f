//! Where each corpus begins: one small file a case, from the vectors and by hand.
//!
//! `JIASHU_WRITE_CORPUS=1 cargo test -p jiashu-trials` writes them anew; what the fuzzer found
//! besides stands in the same folders, as `found-` and the hash of its bytes.

use serde_json::Value;

use crate::vectors::{chain, hex};

/// The named seeds of a target.
#[must_use]
pub fn of(target: &str) -> Vec<(String, Vec<u8>)> {
    match target {
        "frames" => frames(),
        "bodies" => bodies(),
        "links" => links(),
        "ops" => ops(),
        "rules" => rules(),
        "families" => families(),
        other => panic!("no target is called {other}"),
    }
}

fn named(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(48).collect()
}

fn frames() -> Vec<(String, Vec<u8>)> {
    let text = include_str!("../../../proto/vectors/frames.json");
    let json: Value = serde_json::from_str(text).unwrap();
    let mut seeds: Vec<_> =
        json.as_object().unwrap().iter().map(|(name, frame)| (named(name), hex(frame))).collect();
    let all: Vec<u8> = seeds.iter().flat_map(|(_, frame)| frame.clone()).collect();
    let more = [
        ("all-in-one-round", all),
        ("nested-deep", [&[0x82, 0x0a][..], &[0x81; 400], &[0x80]].concat()),
        ("endless-array", [&[0x82, 0x02][..], &[0x9f; 100]].concat()),
        ("huge-array", [&[0x82, 0x02, 0x9b][..], &[0xff; 8]].concat()),
        ("huge-bytes", [&[0x82, 0x02, 0x81, 0x5b, 0x7f][..], &[0xff; 7]].concat()),
        ("a-text-of-half-a-letter", vec![0x82, 0x0c, 0x81, 0x61, 0xe5]),
        ("many-addressees", many(&[0x82, 0x02, 0x87, 1, 0x4c], &[1; 12], &[4, 1], &[2], 600)),
        ("many-links", many(&[0x82, 0x10, 0x83, 7], &[], &[], &[0x40], 600)),
        ("many-cards", many(&[0x82, 0x0c, 0x85, 0x61, 0x61, 7, 0x40], &[], &[], &[0x80], 600)),
        ("many-cursors", many(&[0x82, 0x14, 0x81], &[], &[], &[0x83, 1, 1, 1], 200)),
        ("an-entry-of-a-newer-kind", vec![0x18, 0x63, 0x81, 0xf5]),
    ];
    seeds.extend(more.map(|(name, bytes)| (name.to_owned(), bytes)));
    seeds
}

/// A frame with a list of so many equal items.
fn many(head: &[u8], one: &[u8], two: &[u8], item: &[u8], count: u16) -> Vec<u8> {
    let [high, low] = count.to_be_bytes();
    [head, one, two, &[0x99, high, low], &item.repeat(count.into())].concat()
}

fn bodies() -> Vec<(String, Vec<u8>)> {
    let body: Value =
        serde_json::from_str(include_str!("../../../proto/vectors/body.json")).unwrap();
    let invite: Value =
        serde_json::from_str(include_str!("../../../proto/vectors/invite.json")).unwrap();
    let kind = |kind: u8, bytes: &[u8]| [&[kind], bytes].concat();
    let mut seeds = vec![
        ("text".to_owned(), kind(0, &[0x83, 1, 0x1a, 1, 2, 3, 4, 0x63, 0xe5, 0xa5, 0xbd])),
        ("text-newer".to_owned(), kind(0, &[0x83, 2, 1, 0x60])),
        ("picture".to_owned(), kind(0, &[0x83, 1, 5, 6])),
        ("picture-that-is-none".to_owned(), kind(0, &[0x83, 1, 5, 7])),
        ("text-not-shortest".to_owned(), kind(0, &[0x83, 0x18, 1, 1, 0x60])),
        ("blob".to_owned(), kind(3, b"a voice")),
        ("wrap".to_owned(), kind(4, &[4; 113])),
    ];
    for case in body["cases"].as_array().unwrap() {
        let name = named(case["name"].as_str().unwrap());
        seeds.push((format!("body-{name}"), kind(1, &hex(&case["sealed"]))));
    }
    for case in invite["cases"].as_array().unwrap() {
        let name = named(case["name"].as_str().unwrap());
        seeds.push((format!("card-{name}"), kind(2, &hex(&case["text"]))));
        seeds.push((format!("link-{name}"), kind(5, case["link"].as_str().unwrap().as_bytes())));
    }
    for case in invite["negative"].as_array().unwrap() {
        if case["text"].is_string() {
            let name = named(case["name"].as_str().unwrap());
            seeds.push((format!("bad-card-{name}"), kind(2, &hex(&case["text"]))));
        }
    }
    seeds
}

fn links() -> Vec<(String, Vec<u8>)> {
    let chain = chain();
    let at = |at: usize, bytes: &[u8]| [&[u8::try_from(at).unwrap()], bytes].concat();
    let good = chain
        .links
        .iter()
        .enumerate()
        .map(|(place, link)| (format!("good-{place}"), at(place, link)));
    let bodies = chain
        .bodies
        .iter()
        .enumerate()
        .map(|(place, body)| (format!("body-{place}"), at(place, body)));
    let wraps =
        chain.wraps.iter().enumerate().filter_map(|(place, wraps)| {
            Some((format!("wraps-{place}"), at(place, wraps.as_ref()?)))
        });
    // Every fourth: the ordinary tests of the roster run all of them.
    let bad = chain
        .negative
        .iter()
        .enumerate()
        .step_by(4)
        .map(|(number, (place, link))| (format!("bad-{number}"), at(*place, link)));
    let edits = [("edit-signature", vec![0x8b, 1, 0x20, 7]), ("edit-number", vec![0x81, 0, 5, 9])];
    let edits = edits.into_iter().map(|(name, bytes)| (name.to_owned(), bytes));
    good.chain(bodies).chain(wraps).chain(bad).chain(edits).collect()
}

fn ops() -> Vec<(String, Vec<u8>)> {
    let chain = chain();
    let mut seeds = Vec::new();
    for (place, body) in chain.bodies.iter().enumerate().skip(1) {
        // version, number, prev, author, then the ops.
        let mut d = minicbor::Decoder::new(body);
        d.array().and_then(|_| d.skip()).and_then(|()| d.skip()).and_then(|()| d.skip()).unwrap();
        d.array().unwrap();
        let (kind, number) = (d.u8().unwrap(), d.u8().unwrap());
        let from = d.position();
        d.skip().unwrap();
        let ops = &body[from..d.position()];
        let author = number | if kind == 2 { 0x80 } else { 0 };
        let before = u8::try_from(place - 1).unwrap();
        seeds.push((format!("of-link-{}", place + 1), [&[before, author], ops].concat()));
    }
    let by_hand: [(&str, Vec<u8>); 6] = [
        ("only-turns", vec![5, 1, 0x80]),
        ("removes-itself", vec![5, 1, 0x81, 0x83, 4, 1, 0]),
        ("removes-another", vec![5, 1, 0x81, 0x83, 4, 2, 0]),
        ("serves-nobody", vec![5, 1, 0x81, 0x83, 6, 2, 0x80]),
        ("a-child-only", vec![5, 1, 0x81, 0x83, 6, 1, 0x81, 3]),
        ("many-closed", [&[5, 1, 0x99, 1, 0][..], &[0x83, 5, 1, 0].repeat(256)].concat()),
    ];
    seeds.extend(by_hand.map(|(name, bytes)| (name.to_owned(), bytes)));
    seeds
}

fn rules() -> Vec<(String, Vec<u8>)> {
    let json: Value =
        serde_json::from_str(include_str!("../../../proto/vectors/recurrence.json")).unwrap();
    let text = |case: &Value, name: &str| case[name].as_str().unwrap_or_default().to_owned();
    let cases = json["cases"].as_array().unwrap().iter().step_by(12).enumerate();
    let mut seeds: Vec<_> = cases
        .map(|(number, case)| {
            let (start, zone) = (text(case, "start"), text(case, "zone"));
            let rule = match text(case, "rrule").as_str() {
                "" => format!("{start}\n{zone}"),
                rrule => format!("{start}\n{zone}\n{rrule}"),
            };
            (format!("oracle-{number}"), rule.into_bytes())
        })
        .collect();
    let by_hand = [
        ("words", "sun,wed\n19:30\n"),
        ("words-week-end", "sat-mon\n00:00"),
        ("daily", "daily\n23:59"),
        ("until-the-end", "2026-11-22T20:00\nAsia/Shanghai\nFREQ=WEEKLY;UNTIL=99991231T235959Z"),
        ("far", "2199-12-31T23:59:59\nPacific/Kiritimati\nFREQ=DAILY;INTERVAL=1000;COUNT=10000"),
        ("every-seventh-is-no-sunday", "2026-11-23T20:00\nUTC\nFREQ=DAILY;INTERVAL=7;BYDAY=SU"),
        ("yearly", "2026-11-22T20:00\nUTC\nFREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"),
        ("monthly", "2027-01-31T02:30\nEurope/Rome\nFREQ=MONTHLY;BYMONTHDAY=-1,31;BYDAY=SU,MO"),
        ("yearly-by-week", "1990-01-01T00:00\nPacific/Apia\nFREQ=YEARLY;BYDAY=53MO,-1SU,20FR"),
        (
            "times-besides",
            "2027-03-28T02:30:00\nEurope/Rome\nFREQ=WEEKLY\n2027-03-28T03:10:00 \
             2027-03-28T03:30:00\n2027-04-04T02:30:00",
        ),
        ("nothing-left", "2026-11-22T20:00:00\nUTC\n\n\n2026-11-22T20:00:00"),
        ("escape", "\u{1b}[2J\nUTC\nFREQ=\u{1b}]0;x\u{7}"),
        ("zone-of-a-path", "2026-11-22T20:00\n../../etc/passwd"),
    ];
    seeds.extend(by_hand.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec())));
    seeds
}

const HEADER: &str =
    "case_code,member,role,name,time_zone,language,device,shared_device,consent_on,assent_on\n";
const LI: &str = "LI-7,1,parent,Li Na,Europe/Rome,it,phone,,2026-11-01,\n\
                  LI-7,2,caregiver,奶奶,Asia/Shanghai,zh-Hans,home,school,2026-11-01,\n\
                  LI-7,3,child,小明,Asia/Shanghai,zh-Hans,home,school,2026-11-01,2026-11-02\n";

fn families() -> Vec<(String, Vec<u8>)> {
    let list = format!("{HEADER}{LI}");
    let cell = |from: &str, to: &str| list.replace(from, to).into_bytes();
    [
        ("good", list.clone().into_bytes()),
        (
            "semicolons-crlf",
            format!("\u{feff}{list}").replace(',', ";").replace('\n', "\r\n").into(),
        ),
        ("tabs", list.replace(',', "\t").into()),
        ("formula", cell("Li Na", "=1+1")),
        ("formula-behind-blanks", cell("Li Na", " =HYPERLINK(\"\"x\"\")")),
        ("formula-wide", cell("Li Na", "\u{a0}＝1")),
        ("html", cell("Li Na", "<script>alert(1)</script>")),
        ("quotes", cell("Li Na", "\"Li \"\"Na\"\" \n x\"")),
        ("escape", cell("Li Na", "\u{1b}[31mLi")),
        ("escape-in-a-column", list.replace("language", "lang\u{1b}[2J").into()),
        ("bidi", cell("Li Na", "Li \u{202e}aN")),
        ("path", cell("LI-7", "../../etc/passwd")),
        ("option", cell("LI-7", "-1")),
        ("member-0", cell(",1,parent", ",0,parent")),
        ("member-twice", cell(",2,caregiver", ",1,caregiver")),
        ("zone-slip", cell("Europe/Rome", "Europe/Rom")),
        ("a-quote-never-closed", cell("Li Na", "\"Li Na")),
        ("utf-16", list.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("not-utf-8", [list.as_bytes(), b"\xff\xfe\x80"].concat()),
        ("workbook", b"PK\x03\x04".to_vec()),
        ("columns", format!("{}{LI}", HEADER.replace('\n', &",x".repeat(200))).into()),
        (
            "rows-of-one-family",
            format!("{HEADER}{}", "A,1,parent,a,UTC,it,p,,,\n".repeat(60)).into(),
        ),
        ("empty", Vec::new()),
    ]
    .map(|(name, bytes)| (name.to_owned(), bytes))
    .into()
}
