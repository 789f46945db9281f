//! Letters ahead, looked at and changed: by their author on another phone, by the other parent, and where
//! the phone that wrote them is gone.

use jiashu_tests::Cli;
use serde_json::{Value, json};

use crate::story::{Office, ask, ask_all, failure, texts};

/// Mother with two phones, father with one, and Lili's.
const ROWS: &str = "\
GS-001,1,parent,Mama,Europe/Rome,zh-Hans,mother's phone,,2026-11-01,
GS-001,2,parent,Papa,Asia/Shanghai,zh-Hans,father's phone,,2026-11-01,
GS-001,3,child,Lili,Asia/Shanghai,zh-Hans,family phone,,2026-11-01,2026-11-01
";

struct Home {
    mama: Cli,
    papa: Cli,
    lili: Cli,
    office: Office,
}

impl Home {
    async fn new() -> Self {
        let office = Office::open().await;
        let cards = office.enrol(ROWS).await;
        let mama = office.join("mama", &cards.link("GS-001", "Mama")).await;
        let papa = office.join("papa", &cards.link("GS-001", "Papa")).await;
        let lili = office.join("lili", &cards.link("GS-001", "Lili")).await;
        Self { mama, papa, lili, office }
    }

    /// Mother's second phone.
    async fn second(&self) -> Cli {
        let link = ask(&self.mama, &["invite", "--for", "Mama"]).await["link"].clone();
        self.office.join("second", link.as_str().unwrap()).await
    }

    /// A letter bank of hers for Sundays that lie far ahead. Its id.
    async fn bank(&self, letters: &[&str]) -> String {
        let add = ["schedule", "add", "--bank", "--every", "sun", "--at", "19:30"];
        let more = ["--start", "2099-03-01", "--valid-for", "2h", "--to", "Lili"];
        let added = ask(&self.mama, &[&add[..], &more, letters].concat()).await;
        added["id"].as_str().unwrap().to_owned()
    }
}

fn numbered(letters: &[Value]) -> Vec<(u64, &str, &str)> {
    letters
        .iter()
        .map(|letter| {
            let text = |name: &str| letter[name].as_str().unwrap_or("-");
            (letter["number"].as_u64().unwrap(), text("goes_at"), text("text"))
        })
        .collect()
}

#[tokio::test]
async fn a_bank_shows_what_is_left_and_when_it_runs_out() {
    let mut home = Home::new().await;
    let id = home.bank(&["one", "two"]).await;
    let file = home.office.path("letter.txt");
    std::fs::write(&file, "three,\nfrom a file\n").unwrap();

    let from_file = format!("@{}", file.display());
    ask(&home.mama, &["schedule", "fill", &id, &from_file, "@@home"]).await;
    let left = ask_all(&home.mama, &["schedule", "bank", &id]).await;
    let words = home.mama.run(&["schedule", "bank", &id]).await.success().stdout;
    let shown = ask(&home.mama, &["schedule", "show", &id]).await;
    let hers = home.lili.run(&["schedule", "bank", &id]).await;
    let seen = ask(&home.lili, &["schedule", "show", &id]).await;
    home.office.relay.kill9();
    let offline = ask_all(&home.mama, &["schedule", "bank", &id]).await;

    assert_eq!(
        numbered(&left),
        [
            (1, "2099-03-01T11:30:00Z", "one"),
            (2, "2099-03-08T11:30:00Z", "two"),
            (3, "2099-03-15T11:30:00Z", "three,\nfrom a file"),
            (4, "2099-03-22T11:30:00Z", "@home"),
        ]
    );
    assert!(words.contains("From Sun 29 Mar 19:30 on there is no letter any more"), "{words}");
    assert_eq!(shown["letters"].as_array().unwrap().len(), 4);
    assert_eq!(shown["preview"][0]["sender_local"], "2099-03-01T12:30:00+01:00");
    assert!(left.iter().all(|letter| letter["valid_for_s"] == 7_200), "as those before: {left:?}");
    assert!(failure(&hers, 4).contains("only Mama"));
    assert_eq!(seen["letters"], json!([]), "no other phone sees them early");
    assert_eq!(numbered(&offline), numbered(&left), "without a relay, too");
}

#[tokio::test]
async fn a_letter_is_said_otherwise_and_an_hour_moved() {
    let home = Home::new().await;
    let second = home.second().await;
    let id = home.bank(&["one", "two"]).await;
    let edit = ["schedule", "edit", &id];

    ask(&second, &[&edit[..], &["--letter", "2", "two, better"]].concat()).await;
    let left = ask_all(&home.mama, &["schedule", "bank", &id]).await;
    let moved = ["--every", "sat", "--at", "08:00", "--start", "2099-03-01"];
    ask(&home.mama, &[&edit[..], &moved].concat()).await;
    let after = ask_all(&second, &["schedule", "bank", &id]).await;
    let unsaid = home.mama.run(&edit).await;
    let which = home.mama.run(&[&edit[..], &["what"]].concat()).await;
    let none = home.mama.run(&[&edit[..], &["--letter", "3", "what"]].concat()).await;
    let papas = home.papa.run(&[&edit[..], &["--letter", "1", "what"]].concat()).await;

    assert_eq!(texts(&left), ["one", "two, better"], "in its place");
    assert_eq!(texts(&after), ["one", "two, better"]);
    assert_eq!(after[0]["goes_at"], "2099-03-07T00:00:00Z");
    failure(&unsaid, 2);
    assert!(failure(&which, 5).contains("--letter"));
    assert!(failure(&none, 5).contains("no such letter"));
    assert!(failure(&papas, 4).contains("only Mama"));
}

#[tokio::test]
async fn of_two_edits_at_once_one_stands_and_the_other_is_told() {
    let home = Home::new().await;
    let second = home.second().await;
    let id = home.bank(&["one"]).await;
    for phone in [&home.mama, &second] {
        ask_all(phone, &["schedule", "bank", &id]).await;
    }
    let edit = |words| vec!["schedule", "edit", &*id, "--letter", "1", words];
    let (first_words, other_words) = (edit("mine"), edit("no, mine"));
    let (pause, skip) = (["schedule", "pause", &*id], ["schedule", "skip", &*id]);

    let (one, other) = tokio::join!(home.mama.run(&first_words), second.run(&other_words));
    let (pause, skip) = tokio::join!(home.mama.run(&pause), second.run(&skip));
    let left = ask_all(&home.mama, &["schedule", "bank", &id]).await;

    // Both may have come through, one after the other; a change is never lost without a word.
    let told = [&one, &other, &pause, &skip].map(|output| output.code);
    assert!(told.iter().all(|code| [0, 4, 5].contains(code)), "{told:?}");
    assert!(one.code == 0 || other.code == 0, "one stands: {one:?} {other:?}");
    assert_eq!(left.len(), 1, "one letter, whoever was first: {left:?}");
    let stands = left[0]["text"].as_str().unwrap();
    let winner = if other.code == 0 && one.code != 0 { "no, mine" } else { stands };
    assert_eq!(stands, winner);
    assert!(["mine", "no, mine"].contains(&stands), "{stands}");
}

#[tokio::test]
async fn the_other_parent_goes_on_with_it() {
    let home = Home::new().await;
    let id = home.bank(&["of hers"]).await;

    let childs = home.lili.run(&["schedule", "take-over", &id]).await;
    ask(&home.papa, &["schedule", "take-over", &id]).await;
    ask(&home.papa, &["schedule", "fill", &id, "of his"]).await;
    let listed = ask(&home.lili, &["schedule", "list"]).await;
    let his = ask_all(&home.papa, &["schedule", "bank", &id]).await;
    let hers = home.mama.run(&["schedule", "cancel", &id]).await;

    assert!(failure(&childs, 4).contains("only a parent"));
    assert_eq!((&listed["from"], &listed["bank"]), (&json!("Papa"), &json!(true)));
    assert_eq!(texts(&his), ["of his"], "hers stay sealed");
    assert!(failure(&hers, 4).contains("only Papa"));
}

#[tokio::test]
async fn letters_of_a_phone_that_was_removed_are_taken_on_by_the_authors_other() {
    let home = Home::new().await;
    let second = home.second().await;
    let id = home.bank(&["one", "two"]).await;
    let number = ask(&home.mama, &["status"]).await["device"].to_string();

    ask(&second, &["revoke", &number, "--yes"]).await;
    let listed = ask(&home.lili, &["schedule", "list"]).await;
    let words = home.lili.run(&["schedule", "list"]).await.success().stdout;
    let left = ask_all(&second, &["schedule", "bank", &id]).await;
    ask(&second, &["schedule", "edit", &id, "--letter", "1", "one, again"]).await;
    let edited = ask_all(&second, &["schedule", "bank", &id]).await;
    let waits = ask(&second, &["status"]).await;

    assert_eq!(listed["phone_removed"], true);
    assert!(words.contains("planned on a phone that was removed"), "{words}");
    assert_eq!(texts(&left), ["one", "two"]);
    assert_eq!(texts(&edited), ["one, again", "two"]);
    assert_eq!((&waits["waiting"], &waits["refused"]), (&json!(0), &json!([])));
}

#[tokio::test]
async fn an_author_whose_only_phone_was_lost_goes_on_with_the_next() {
    let home = Home::new().await;
    let id = home.bank(&["one", "two"]).await;
    let number = ask(&home.mama, &["status"]).await["device"].to_string();

    ask(&home.papa, &["revoke", &number, "--yes"]).await;
    let link = ask(&home.papa, &["invite", "--for", "Mama"]).await["link"].clone();
    let next = home.office.join("next", link.as_str().unwrap()).await;
    let left = ask_all(&next, &["schedule", "bank", &id]).await;
    ask(&next, &["schedule", "edit", &id, "--letter", "2", "two, again"]).await;
    let edited = ask_all(&next, &["schedule", "bank", &id]).await;

    assert_eq!(texts(&left), ["one", "two"]);
    assert_eq!(texts(&edited), ["one", "two, again"]);
}
