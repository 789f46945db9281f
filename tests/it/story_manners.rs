//! How the command line behaves: exit codes as documented, one line for a failure, a folder for one
//! user alone.

use std::process::Stdio;

use jiashu_tests::{Cli, DEADLINE, TestRelay};
use serde_json::json;
use tokio::time::timeout;

use crate::story::{Li, ask, ask_all, failure, mode, text};

#[tokio::test]
async fn what_is_not_understood_is_said_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let phone = Cli::new(folder.path().join("home"));
    let cases: [&[&str]; 6] = [
        &["sned", "hello"],
        &["send"],
        &["send", "--unknown", "x"],
        &["inbox", "--wait", "soon"],
        &["heard", "one", "--by", "Lili"],
        &["schedule", "add", "--on", "x", "--every", "day", "--at", "1:00", "y"],
    ];

    for args in cases {
        let refused = phone.run(args).await;

        failure(&refused, 2);
        assert_eq!(refused.stdout, "", "{args:?}");
    }
    let half = phone.run(&["ngo"]).await;
    assert_eq!(failure(&half, 2), "say what to do");
    assert!(half.stdout.contains("Usage:"), "and is shown what there is: {half:?}");
    assert!(!phone.home().exists(), "nothing was made");
}

#[tokio::test]
async fn help_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let phone = Cli::new(folder.path());

    for args in [&["--help"][..], &["send", "--help"], &["--version"], &["ngo", "enrol", "--help"]]
    {
        let help = phone.run(args).await.success();

        assert!(!help.stdout.is_empty() && help.stderr.is_empty(), "{args:?}");
    }
    let help = phone.run(&["--help"]).await.stdout;
    assert!(help.contains("Exit codes:") && help.contains("7  the family's roster"), "{help}");
}

#[tokio::test]
async fn a_folder_that_has_not_joined_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let phone = Cli::new(folder.path().join("home"));
    let verbs: [&[&str]; 9] = [
        &["inbox"],
        &["send", "hello"],
        &["listen"],
        &["log"],
        &["heard", "1", "--by", "Lili"],
        &["schedule", "list"],
        &["family"],
        &["invite", "--for", "Lili"],
        &["status"],
    ];

    for verb in verbs {
        let refused = phone.run(verb).await;

        assert!(failure(&refused, 6).contains("jiashu join LINK"), "{verb:?}");
    }
    let out = text(&folder.path().join("out"));
    failure(&phone.run(&["export", "--out", &out]).await, 6);
    assert!(!folder.path().join("out").exists());
    let list = text(&folder.path().join("none.csv"));
    failure(&phone.run(&["ngo", "enrol", &list, "--out", &out]).await, 5);
}

#[tokio::test]
async fn a_link_that_opens_nothing_says_what_to_do() {
    let mut li = Li::at_home().await;
    let cards = li.office.cards();
    let used = cards.link("GS-001", "妈妈");
    let (origin, fragment) = used.split_once("/join#").unwrap();
    let wrong = format!("{origin}/join#{}{}", &fragment[..24], "AAAAAAAA");
    let phone = li.office.phone("stranger");

    let again = failure(&phone.run(&["join", &used, "--yes"]).await, 4);
    let other = failure(&phone.run(&["join", &wrong, "--yes"]).await, 4);
    let half = failure(&phone.run(&["join", &used[..used.len() - 3], "--yes"]).await, 5);
    let none = failure(&phone.run(&["join", "hello", "--yes"]).await, 5);
    li.office.relay.kill9();
    let gone = failure(&phone.run(&["join", &used, "--yes"]).await, 3);
    li.office.relay.restart().await;

    assert!(again.contains("wrong, used or expired"), "{again}");
    assert_eq!(other, again, "one answer for wrong and used");
    assert_eq!(half, none);
    assert!(gone.contains("cannot reach"), "{gone}");
    for line in [again, half, gone] {
        assert!(!line.contains(fragment), "no secret in what is printed: {line}");
    }
}

#[tokio::test]
async fn joining_again_in_the_same_folder_changes_nothing() {
    let li = Li::at_home().await;
    let cards = li.office.cards();
    let own = cards.link("GS-001", "妈妈");
    let others = cards.link("GS-001", "Lili");
    ask(&li.mother, &["send", "before"]).await;

    let again = ask(&li.mother, &["join", &own, "--yes"]).await;
    let other = li.mother.run(&["join", &others, "--yes"]).await;

    assert_eq!((&again["device"], &again["members"]), (&json!(1), &json!(["妈妈"])));
    assert!(failure(&other, 5).contains("another phone's already"));
    let family = ask(&li.mother, &["family"]).await;
    assert_eq!(family["devices"].as_array().unwrap().len(), 2, "no third phone");
    assert_eq!(ask_all(&li.mother, &["log"]).await.len(), 1);
}

#[tokio::test]
async fn a_setup_link_is_good_once() {
    let relay = TestRelay::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (Cli::new(folder.path().join("1")), Cli::new(folder.path().join("2")));
    let link = relay.setup_link().unwrap();

    let made = ask(&first, &["ngo", "setup", &link]).await;
    let repeat = ask(&first, &["ngo", "setup", &link]).await;
    let other = failure(&second.run(&["ngo", "setup", &link]).await, 4);
    let none = failure(&second.run(&["ngo", "setup", "https://relay.example.org"]).await, 5);

    assert_eq!(made, repeat, "a lost answer is asked for again");
    assert!(other.contains("wrong, used or expired"), "{other}");
    assert!(none.contains("setup-link"), "it says where the link stands: {none}");
    assert_eq!(mode(&first.home().join("staff.json")), 0o600);
}

#[tokio::test]
async fn a_home_is_for_its_user_alone() {
    let li = Li::at_home().await;
    ask_all(&li.mother, &["inbox"]).await;

    for home in [li.mother.home(), li.office.worker.home()] {
        assert_eq!(mode(home), 0o700, "{}", home.display());
        for file in std::fs::read_dir(home).unwrap() {
            let path = file.unwrap().path();
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }
}

#[tokio::test]
async fn a_letter_that_cannot_be_one_is_refused_and_its_neighbours_go() {
    let li = Li::at_home().await;
    let long = "长".repeat(6_000);

    let refused = li.mother.run(&["send", &long]).await;
    let empty = li.mother.run(&["send", " "]).await;

    failure(&refused, 5);
    failure(&empty, 5);
    assert_eq!(ask(&li.mother, &["status"]).await["waiting"], 0);
    ask(&li.mother, &["send", "short"]).await;
    assert_eq!(ask_all(&li.village, &["inbox"]).await.len(), 1);
}

#[tokio::test]
async fn shells_and_manuals_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let phone = Cli::new(folder.path().join("home"));

    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let completions = phone.run(&["completions", shell]).await.success();
        assert!(completions.stdout.contains("schedule"), "{shell}");
    }
    let manual = phone.run(&["man"]).await.success();
    assert!(manual.stdout.starts_with(".ie") && manual.stdout.contains("jiashu"), "{manual:?}");
    assert!(!phone.home().exists(), "nothing was made");
}

#[tokio::test]
async fn who_has_read_enough_is_told_of_no_fault() {
    let folder = tempfile::tempdir().unwrap();
    let phone = Cli::new(folder.path().join("phone"));
    let mut command = phone.command(&["completions", "bash"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();

    // Nobody reads what it prints.
    drop(child.stdout.take());
    let ended = timeout(DEADLINE, child.wait_with_output()).await.unwrap().unwrap();

    assert_eq!(String::from_utf8(ended.stderr).unwrap(), "");
}
