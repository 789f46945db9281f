//! P19: what a newer version wrote is kept or left alone, never guessed at and never destroyed.

use jiashu_proto::entry::Content;
use jiashu_proto::frame::{RelayFrame, Welcome};
use jiashu_tests::Cli;
use minicbor::Encoder;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::story::{Li, Office, ask, ask_all, failure, text, texts};
use crate::story_meddler::Meddler;

fn state(phone: &Cli) -> Connection {
    Connection::open(phone.home().join("jiashu.sqlite3")).unwrap()
}

/// Everything that stands in a state, as text.
fn dump(state: &Connection) -> Vec<String> {
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let mut tables = state.prepare(names).unwrap();
    let tables: Vec<String> =
        tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut all = Vec::new();
    for table in tables {
        let mut query = state.prepare(&format!("SELECT * FROM \"{table}\" ORDER BY 1")).unwrap();
        let columns = query.column_count();
        let mut rows = query.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let cells = (0..columns).map(|column| format!("{:?}", row.get_ref(column).unwrap()));
            all.push(format!("{table}: {}", cells.collect::<Vec<_>>().join(", ")));
        }
    }
    all
}

#[tokio::test]
async fn a_state_of_a_newer_version_is_refused_and_left_as_it_is() {
    let li = Li::at_home().await;
    let newer = state(&li.mother);
    let version: i64 = newer.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    newer.pragma_update(None, "user_version", version + 1).unwrap();
    let before = dump(&newer);

    for args in
        [&["inbox"][..], &["send", "lost?"], &["status"], &["log"], &["listen"], &["family"]]
    {
        let refused = li.mother.run(args).await;

        assert!(failure(&refused, 1).contains("a newer jiashu wrote this folder"), "{args:?}");
    }

    assert_eq!(dump(&newer), before);
    newer.pragma_update(None, "user_version", version).unwrap();
    drop(newer);
    ask(&li.mother, &["send", "all is there"]).await;
}

#[tokio::test]
async fn the_files_of_a_newer_worker_are_refused_and_left_as_they_are() {
    let office = Office::open().await;
    let row = "W-1,1,parent,Mama,Europe/Rome,it,P,,2026-11-01,\n\
               W-1,2,child,Kid,Asia/Shanghai,zh,H,,2026-11-01,2026-11-01\n";
    office.enrol(row).await;
    let list = office.list(row);

    for file in [office.path("cards/enrolment.json"), office.worker.home().join("staff.json")] {
        let today = std::fs::read_to_string(&file).unwrap();
        let mut newer: Value = serde_json::from_str(&today).unwrap();
        newer["version"] = json!(2);
        newer["something"] = json!("that we do not know");
        std::fs::write(&file, newer.to_string()).unwrap();

        let refused = office.try_enrol(&list, &[]).await;

        assert!(failure(&refused, 5).contains("newer version"), "{}", text(&file));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), newer.to_string());
        std::fs::write(&file, today).unwrap();
    }
}

/// A frame of a kind that nobody knows yet.
fn unknown_frame() -> Vec<u8> {
    let mut e = Encoder::new(Vec::new());
    e.array(2).unwrap().u32(4711).unwrap().array(1).unwrap().str("of tomorrow").unwrap();
    e.into_writer()
}

/// A welcome with a field, and a frame with an item, more than we know.
fn longer_welcome(welcome: Welcome) -> Vec<u8> {
    let Welcome { now, last_n, generation, restart } = welcome;
    let mut e = Encoder::new(Vec::new());
    e.array(4).unwrap().u32(16).unwrap();
    e.array(5).unwrap().i64(now).unwrap().u64(last_n).unwrap().u32(generation).unwrap();
    e.encode(restart).unwrap().str("of tomorrow").unwrap();
    e.u8(0).unwrap().str("of tomorrow").unwrap();
    e.into_writer()
}

/// What an entry of a kind that nobody knows yet says.
fn unknown_content() -> Vec<u8> {
    let mut e = Encoder::new(Vec::new());
    e.u32(4242).unwrap().array(2).unwrap().u8(1).unwrap().str("a drawing").unwrap();
    e.into_writer()
}

#[tokio::test]
async fn a_phone_keeps_what_a_newer_one_wrote_and_goes_on() {
    let office = Office::open().await;
    let cards = office
        .enrol(
            "M-1,1,parent,Mama,Europe/Rome,it,P,,2026-11-01,\n\
             M-1,2,child,Kid,Asia/Shanghai,zh,H,,2026-11-01,2026-11-01\n",
        )
        .await;
    let meddler = Meddler::before(office.relay.raw()).await;
    let mother = office.join("mother", &cards.link("M-1", "Mama")).await;
    let home = office.join("home", &meddler.link(&cards.link("M-1", "Kid"))).await;
    ask_all(&home, &["inbox"]).await;
    ask(&mother, &["send", "before"]).await;
    let drawing = ask(&mother, &["send", "a stand-in for the drawing"]).await;
    let drawing = drawing["seq"].as_u64().unwrap();
    let after = ask(&mother, &["send", "after"]).await;

    meddler.answer_with(move |frames| {
        let mut answer = unknown_frame();
        for frame in frames {
            answer.extend(match frame {
                RelayFrame::Welcome(welcome) => longer_welcome(welcome),
                RelayFrame::Entries(mut entries) => {
                    let drawn = entries.entries.iter_mut().filter(|entry| entry.seq == drawing);
                    drawn.for_each(|entry| entry.content = unknown_content());
                    RelayFrame::Entries(entries).to_bytes(0)
                }
                other => other.to_bytes(0),
            });
            answer.extend(unknown_frame());
        }
        answer
    });
    let came = ask_all(&home, &["inbox"]).await;
    let answered = ask(&home, &["send", "got it"]).await;
    let status = ask(&home, &["status"]).await;

    assert_eq!(texts(&came), ["before", "after"]);
    assert_eq!(answered["queued"], false);
    assert!(status["cursor"]["seq"].as_u64() >= after["seq"].as_u64(), "{status}");
    assert!(matches!(Content::from_bytes(&unknown_content()), Ok(Content::Unknown(4242))));
    let kept: Vec<u8> = state(&home)
        .query_row(
            "SELECT content FROM fact WHERE key = ?1",
            [format!("unknown/{drawing}")],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(kept, unknown_content(), "byte for byte, for the day when this phone knows more");
}
