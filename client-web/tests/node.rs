//! What runs in the browser, run by Node: its own tests, and what it draws, checked by the crates that phones and the
//! relay check with.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy allows them in test functions, and these are the helpers of tests"
)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jiashu_proto::entry::Care;
use jiashu_proto::frame::{ClientFrame, Enrol};
use jiashu_proto::id::Role;
use jiashu_roster::{Link, Roster, code_hash};
use jiashu_seal::{Card, JoinLink};
use jiff::tz::TimeZoneDatabase;
use serde_json::Value;

const LIST: &str = "\
case_code,member,role,name,time_zone,language,device,shared_device,consent_on,assent_on,born_on,counting_on,counting_assent_on,site,plan,consent_text,consent_how,consent_witness,consent_until,care
LI-7,1,parent,KanaryMama,Europe/Rome,it,KanaryPhone,,2026-05-01,,1980-02-03,2026-05-01,,,\"wed,sun 19:30\",3,telephone,no,2999-05-01,
LI-7,2,caregiver,KanaryNainai,Asia/Shanghai,zh-Hans,KanaryHome,KanarySchool,,,,,,gansu-1,,,,,,
LI-7,3,child,KanaryLili,Asia/Shanghai,zh-Hans,KanaryHome,,2026-05-03,2026-05-04,2017-01-02,2026-05-03,2026-05-04,,,,,,,grandparents
LI-7,4,child,KanaryXiao,Asia/Shanghai,zh-Hans,,,,2026-05-04,2010-01-02,,2026-05-05,,,4,thumbprint,yes,,
ION-1,1,parent,Maria,Europe/Rome,ro,Maria,,,,,,,,,,,,,
ION-1,2,child,Ion,Europe/Chisinau,ro,,,2026-05-03,,,,,,day 07:05,,,,,
";

fn built() -> PathBuf {
    Path::new(env!("OUT_DIR")).join("work/tested")
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is a folder of the repository")
}

/// The zones as the relay tells them to the page: the same library is asked.
fn zones() -> tempfile::NamedTempFile {
    let names: Vec<_> =
        TimeZoneDatabase::bundled().available().map(|zone| zone.to_string()).collect();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    serde_json::to_writer(&mut file, &names).unwrap();
    file.flush().unwrap();
    file
}

fn node(zones: &tempfile::NamedTempFile) -> Command {
    let mut node = Command::new("node");
    node.env("JIASHU_VECTORS", repository().join("proto/vectors"))
        .env("JIASHU_FIXTURES", repository().join("client-web/fixtures"))
        .env("JIASHU_ZONES", zones.path());
    node
}

/// What the page would send, and print, of [`LIST`].
fn drawn() -> Vec<(Vec<u8>, Value)> {
    let zones = zones();
    let mut node = node(&zones)
        .arg(built().join("draw.mjs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    node.stdin.take().unwrap().write_all(LIST.as_bytes()).unwrap();
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success());
    let families: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let of = |family: Value| {
        let hex = family["frame"].as_str().unwrap().as_bytes().to_vec();
        let byte =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        (hex.chunks(2).map(byte).collect(), family["cards"].clone())
    };
    families.into_iter().map(of).collect()
}

fn enrol(bytes: &[u8]) -> Enrol {
    match ClientFrame::from_bytes(bytes).unwrap() {
        (0, ClientFrame::Enrol(enrol)) => enrol,
        other => panic!("not an enrolment: {other:?}"),
    }
}

#[test]
fn the_tests_of_the_browsers_part_pass() {
    let zones = zones();
    let tests = std::fs::read_dir(built()).unwrap().map(|entry| entry.unwrap().path());
    let tests: Vec<_> =
        tests.filter(|path| path.to_string_lossy().ends_with(".test.mjs")).collect();
    assert!(!tests.is_empty());

    let output = node(&zones).arg("--test").args(tests).output().unwrap();

    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn what_the_browser_draws_is_an_enrolment_as_the_command_line_writes_it() {
    for (bytes, _) in drawn() {
        let enrol = enrol(&bytes);

        assert_eq!(ClientFrame::Enrol(enrol.clone()).to_bytes(0), bytes, "{enrol:?}");
        let mut roster = Roster::new();
        roster.append(&enrol.link, None).unwrap();
        let members: Vec<_> = roster.members().keys().copied().collect();
        let facts: Vec<_> = enrol.members.iter().map(|fact| fact.member).collect();
        assert_eq!(members, facts);
    }
}

#[test]
fn what_the_list_says_of_consent_site_plan_and_care_is_sent() {
    let drawn = drawn();
    let [li, ion] = [&drawn[0], &drawn[1]].map(|(bytes, _)| enrol(bytes));

    assert_eq!((&*li.case_code, li.site.as_deref()), ("LI-7", Some("gansu-1")));
    assert_eq!((li.care, ion.care), (Some(Care::Grandparents), None));
    let consents: Vec<_> = li.consents.iter().map(|consent| consent.member.0).collect();
    assert_eq!(consents, [1, 3, 4], "nothing is recorded of the grandmother");
    let [mama, lili, xiao] = [0, 1, 2].map(|at| &li.consents[at]);
    let terms = mama.terms.as_deref().unwrap();
    assert_eq!((terms.version, terms.language.as_deref()), (Some(3), Some("it")));
    assert_eq!(
        (terms.how.map(|how| how.name()), terms.witnessed),
        (Some("telephone"), Some(false))
    );
    assert_eq!(terms.until.as_deref(), Some("2999-05-01"));
    assert_eq!(mama.counting_terms, mama.terms);
    assert_eq!((mama.assent_on.as_deref(), mama.born_in.as_deref()), (None, None));
    assert_eq!(lili.assent_on.as_deref(), Some("2026-05-04"));
    assert_eq!((lili.counting_assent_on.as_deref(), &lili.terms), (Some("2026-05-04"), &None));
    assert_eq!((lili.born_in.as_deref(), xiao.consent_on.as_deref()), (Some("2017-01"), None));
    assert_eq!(xiao.terms.as_deref().and_then(|terms| terms.version), Some(4));
    assert_eq!(xiao.counting_terms, xiao.terms, "the child's own word is enough");
    let rule = &li.proposal[0].rule;
    assert_eq!(rule.rrule.as_deref(), Some("FREQ=WEEKLY;BYDAY=WE,SU"));
    assert_eq!((&*rule.zone, &rule.start[10..]), ("Asia/Shanghai", "T19:30:00"));
    assert_eq!(ion.proposal[0].rule.rrule.as_deref(), Some("FREQ=DAILY"));
    assert_eq!((ion.site, ion.consents.len()), (None, 1));
}

#[test]
fn each_card_opens_its_own_invite_and_no_name_is_sent() {
    for (bytes, cards) in drawn() {
        let enrol = enrol(&bytes);
        let links = [Link::parse(&enrol.link).unwrap()];
        assert!(!bytes.windows(6).any(|window| window == b"Kanary"), "a name leaves the browser");

        let cards = cards.as_array().unwrap();
        assert_eq!(cards.len(), enrol.cards.len());
        for (printed, kept) in cards.iter().zip(&enrol.cards) {
            let link = JoinLink::parse(printed["link"].as_str().unwrap()).unwrap();
            assert_eq!(link.scope, enrol.family);
            assert_eq!(code_hash(&link.secret.code()), kept.code_hash);
            let Card::Device(card) = Card::open(&kept.blob, &link.secret).unwrap() else {
                panic!("a card of one device");
            };
            let pinned = card.check_against(&links).unwrap();
            assert_eq!(pinned.invite, kept.invite);
            let numbers: Vec<_> = pinned.members.iter().map(|member| member.0.into()).collect();
            assert_eq!(Value::Array(numbers), printed["member_numbers"]);
            assert_eq!(card.device_name.as_deref(), printed["device"].as_str());
            assert_eq!(card.names.len(), enrol.members.len());
        }
    }
    let (_, cards) = &drawn()[0];
    assert_eq!(cards[1]["members"], serde_json::json!(["KanaryNainai", "KanaryLili"]));
    assert_eq!(cards[1]["shared_device"], "KanarySchool");
}

#[test]
fn roles_are_those_of_the_list() {
    let (bytes, _) = &drawn()[0];
    let mut roster = Roster::new();
    roster.append(&enrol(bytes).link, None).unwrap();

    let roles: Vec<_> = roster.members().values().copied().collect();

    assert_eq!(roles, [Role::Parent, Role::Caregiver, Role::Child, Role::Child]);
}

#[test]
fn what_is_handed_out_is_found_by_its_name_and_packs_well() {
    let script = jiashu_web::file("enrol.js").unwrap();

    assert_eq!(jiashu_web::by_name(script.name), Some(script));
    assert_eq!(jiashu_web::by_name("enrol.js"), None);
    assert!(script.brotli.len() < script.gzip.len() && script.gzip.len() * 2 < script.plain.len());
    // On a slow line a page comes within seconds, or is closed.
    assert!(script.brotli.len() < 32 * 1024, "{}", script.brotli.len());
    for page in ["phone.html", "outsider.html", "sw.js", "manifest.webmanifest"] {
        let found = jiashu_web::page(page).unwrap();
        assert_eq!(jiashu_web::by_name(found.name), None, "{page} has an address of its own");
    }
}
