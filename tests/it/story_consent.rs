//! Who agreed decides whether letters move: the guardian and the child, or from an age on the child alone, for as long as
//! was said, and nobody's yes outweighs a child's no.

use jiashu_tests::ground::Ground;
use jiashu_tests::{Cli, until};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::canaries::{files, holds};
use crate::story::{Office, ask, ask_all, failure, texts};
use crate::story_contact::COLUMNS;

struct Families {
    office: Office,
    mother: Cli,
    home: Cli,
    mamma: Cli,
    marco: Cli,
    /// Half a year ago.
    agreed_on: Date,
    today: Date,
    _folder: TempDir,
}

impl Families {
    /// A family in Gansu, of whose child only the guardian agreed yet; one in Prato, whose son of fifteen alone did.
    async fn on(ground: &Ground) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let office = Office::on(ground.relay(&folder, &[]).await).await;
        let now = Timestamp::from_millisecond(office.relay.raw().now().await).unwrap();
        let today = TimeZone::UTC.to_datetime(now).date();
        let (agreed_on, born_on) = (today - 6.months(), today - 15.years());
        let settings = ["--jurisdiction", "it", "--text-version", "2", "--valid-months", "12"];
        let set =
            ask(&office.worker, &[&["ngo", "consent-settings"], &settings[..]].concat()).await;
        assert_eq!(set, json!({ "jurisdiction": "it", "text_version": 2, "valid_months": 12 }));
        let list = office.path("families.csv");
        let rows = format!(
            "GS-001,1,parent,妈妈,Europe/Rome,zh-Hans,mother,,{agreed_on},,,,,,\n\
             GS-001,2,caregiver,外婆,Asia/Shanghai,zh-Hans,home,,{agreed_on},,,,,,\n\
             GS-001,3,child,Lili,Asia/Shanghai,zh-Hans,home,,{agreed_on},,{},,,,\n\
             PO-002,1,parent,Rosa,Europe/Zurich,it,mamma,,,,,,,,\n\
             PO-002,2,child,Marco,Europe/Rome,it,marco,,,{agreed_on},{born_on},,,,\n",
            today - 9.years()
        );
        std::fs::write(&list, format!("{COLUMNS}\n{rows}")).unwrap();
        let _ = office.try_enrol(list.to_str().unwrap(), &[]).await.success();
        let cards = office.cards();
        let mother = office.join("mother", &cards.link("GS-001", "妈妈")).await;
        let home = office.join("home", &cards.link("GS-001", "Lili")).await;
        let mamma = office.join("mamma", &cards.link("PO-002", "Rosa")).await;
        let marco = office.join("marco", &cards.link("PO-002", "Marco")).await;
        Self { office, mother, home, mamma, marco, agreed_on, today, _folder: folder }
    }

    /// Records that of Lili, and says whether letters move then.
    async fn record(&self, said: &[(&str, Date)]) -> bool {
        let said: Vec<_> =
            said.iter().flat_map(|(what, on)| [(*what).to_owned(), on.to_string()]).collect();
        let asked =
            ["ngo", "consent", "GS-001", "3"].into_iter().chain(said.iter().map(|it| &**it));
        let asked: Vec<_> = asked.collect();
        ask(&self.office.worker, &asked).await["active"] == true
    }

    /// What the phone says of the agreements of its only child.
    async fn agreed(phone: &Cli) -> Value {
        ask(phone, &["who-sees"]).await["children"][0].clone()
    }

    /// A letter that does not move, and why not.
    async fn waits(phone: &Cli, letter: &str) -> String {
        // First what was recorded meanwhile, as a phone that is on has it at once.
        let _ = ask_all(phone, &["inbox"]).await;
        assert_eq!(ask(phone, &["send", letter]).await["queued"], true, "{letter}");
        ask(phone, &["status"]).await["waits_because"].as_str().unwrap().to_owned()
    }
}

/// What staff see of Marco's family, once it was looked at for the first time.
async fn shown(office: &Office) -> Value {
    until("the family was looked at", async || {
        let shown = office.worker.run(&["--json", "ngo", "family", "PO-002"]).await;
        (shown.code == 0).then(|| shown.json_lines().remove(0))
    })
    .await
}

async fn who_agreed_decides_whether_letters_move(ground: Ground) {
    let families = Families::on(&ground).await;
    let Families { office, mother, home, agreed_on, today, .. } = &families;

    // The guardian alone moves nothing; what nobody said is as the programme has settled it.
    assert!(Families::waits(mother, "一").await.contains("has not recorded yet"));
    assert!(families.record(&[("--assent-on", *agreed_on)]).await);
    until("what waited is there", async || {
        let _ = ask_all(mother, &["inbox"]).await;
        (texts(&ask_all(home, &["log"]).await) == ["一"]).then_some(())
    })
    .await;
    let given = Families::agreed(home).await;
    assert_eq!(given["taking_part"], "given");
    let own_word_from: Date = given["own_word_from"].as_str().unwrap().parse().unwrap();
    assert!(own_word_from > *today, "{given}");
    assert_eq!(given["ends_on"], (*agreed_on + 12.months()).to_string());

    // A later default changes nothing that stands.
    let settled = ["ngo", "consent-settings", "--text-version", "none", "--valid-months", "1"];
    let settled = ask(&office.worker, &settled).await;
    assert_eq!(settled["text_version"], Value::Null);
    assert_eq!(Families::agreed(home).await, given);

    // Its time is over, and it is renewed.
    let long_ago = *today - 2.months();
    assert!(!families.record(&[("--consent-on", long_ago), ("--assent-on", long_ago)]).await);
    assert!(Families::waits(mother, "二").await.contains("is over"));
    assert_eq!(Families::agreed(home).await["taking_part"], "expired");
    assert!(families.record(&[("--consent-on", *today)]).await);
    let _ = ask_all(mother, &["inbox"]).await;
    until("what waited is there", async || {
        let _ = ask_all(mother, &["inbox"]).await;
        (texts(&ask_all(home, &["log"]).await) == ["一", "二"]).then_some(())
    })
    .await;

    // The child's no is heard at once, and the guardian's newer yes does not outweigh it.
    let no = ask(home, &["withdraw", "taking-part", "--as", "Lili", "--yes"]).await;
    assert_eq!(no["queued"], false, "{no}");
    assert!(Families::waits(mother, "三").await.contains("refused or taken back"));
    assert!(!families.record(&[("--consent-on", *today)]).await);
    assert!(!families.record(&[("--refused-on", *today), ("--consent-on", *today)]).await);
    assert!(Families::waits(mother, "四").await.contains("refused or taken back"));
    assert_eq!(texts(&ask_all(home, &["log"]).await), ["一", "二"]);
}

#[tokio::test]
async fn who_agreed_decides_whether_letters_move_from_one_file() {
    who_agreed_decides_whether_letters_move(Ground::own()).await;
}

#[tokio::test]
async fn who_agreed_decides_whether_letters_move_over_redis() {
    who_agreed_decides_whether_letters_move(Ground::shared().await).await;
}

async fn a_child_of_the_age_needs_itself_alone(ground: Ground) {
    let families = Families::on(&ground).await;
    let Families { office, mamma, marco, agreed_on, today, .. } = &families;
    let worker = &office.worker;

    assert_eq!(ask(mamma, &["send", "ciao"]).await["queued"], false);
    assert_eq!(texts(&ask_all(marco, &["inbox"]).await), ["ciao"]);
    let agreed = Families::agreed(mamma).await;
    assert_eq!(agreed["ends_on"], (*agreed_on + 12.months()).to_string(), "from its own date");

    // A guardian's refusal is recorded and not heard; on the phone it is not his to say.
    let today = today.to_string();
    let refused = ["ngo", "consent", "PO-002", "2", "--guardian-refused-on", &today];
    assert_eq!(ask(worker, &refused).await["active"], true);
    let no = mamma.run(&["withdraw", "taking-part", "--yes"]).await;
    assert!(failure(&no, 5).contains("says so for itself"));
    let younger = ["ngo", "consent", "GS-001", "3", "--assent-on", &today];
    assert_eq!(ask(worker, &younger).await["active"], true);
    let younger = ["ngo", "consent", "GS-001", "3", "--guardian-refused-on", &today];
    assert_eq!(ask(worker, &younger).await["active"], false, "of Lili it is heard");

    // Staff see from when on, and nobody is told the day of birth.
    let case = shown(office).await;
    assert_eq!(case["members"][1]["own_word_from"], agreed["own_word_from"]);
    let table = worker.run(&["ngo", "family", "PO-002"]).await.success().stdout;
    assert!(table.contains("its own word is enough"), "{table}");
    let born_on = (families.today - 15.years()).to_string();
    for file in ground.folders(&office.relay).iter().flat_map(|folder| files(folder)) {
        let bytes = std::fs::read(&file).unwrap_or_default();
        assert!(!holds(&bytes, born_on.as_bytes()), "{}", file.display());
    }

    // His own no is heard at once.
    let _ = ask(marco, &["withdraw", "taking-part", "--yes"]).await;
    assert!(Families::waits(mamma, "pronto?").await.contains("refused or taken back"));
    let log = worker.run(&["ngo", "audit"]).await.success().stdout;
    assert!(log.contains("consent-settings"), "{log}");
}

#[tokio::test]
async fn a_child_of_the_age_needs_itself_alone_from_one_file() {
    a_child_of_the_age_needs_itself_alone(Ground::own()).await;
}

#[tokio::test]
async fn a_child_of_the_age_needs_itself_alone_over_redis() {
    a_child_of_the_age_needs_itself_alone(Ground::shared().await).await;
}

#[tokio::test]
async fn without_a_jurisdiction_no_month_of_birth_is_told_and_a_child_alone_is_a_fault() {
    let office = Office::open().await;
    let list = office.path("families.csv");
    let rows = "PO-002,1,parent,Rosa,Europe/Zurich,it,mamma,,,,,,,,\n\
                PO-002,2,child,Marco,Europe/Rome,it,marco,,,2026-05-01,2011-05-09,,,,\n";
    std::fs::write(&list, format!("{COLUMNS}\n{rows}")).unwrap();

    let refused = office.try_enrol(list.to_str().unwrap(), &[]).await;
    let with_guardian = rows.replace("marco,,,2026", "marco,,2026-05-01,2026");
    std::fs::write(&list, format!("{COLUMNS}\n{with_guardian}")).unwrap();
    let _ = office.try_enrol(list.to_str().unwrap(), &[]).await.success();

    assert_eq!(refused.code, 5);
    assert!(refused.stderr.contains("missing consent"), "{refused:?}");
    let case = shown(&office).await;
    assert_eq!(case["members"][1]["own_word_from"], Value::Null);
    let said = ["ngo", "consent", "PO-002", "2", "--born-on", "2011-05-09"];
    let _ = ask(&office.worker, &said).await;
    let case = shown(&office).await;
    assert_eq!(case["members"][1]["own_word_from"], "2029-06-01", "until then it needs both");
}
