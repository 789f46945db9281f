//! A newcomer's first minute: the demo tells its story to the end.

use std::process::Stdio;
use std::time::Duration;

use jiashu_tests::binary::binary;
use tokio::process::Command;
use tokio::time::timeout;

/// The whole story takes some ten seconds, most of them until a scheduled letter is due.
const STORY: Duration = Duration::from_secs(120);

#[tokio::test]
async fn the_demo_tells_its_story_to_the_end() {
    let mut demo = Command::new(binary("demo"));
    demo.arg("--once").stdin(Stdio::null()).kill_on_drop(true);

    let told = timeout(STORY, demo.output()).await.expect("the story ends").unwrap();

    let (out, err) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    assert!(told.status.success(), "{out}\n{err}");
    let steps = [
        "the relay listens on",
        "two families enrolled",
        "it came to the village",
        "mother sees: Lili – shown",
        "and the child answers",
        "it came due by itself",
        "in the village it rings: voice, 0:0",
        "Lili hears 100 % of it",
        "mother sees: Lili – played",
        "and Lili's teacher hears it by http://",
        "2027-03-28  19:30 +08:00   2027-03-28  13:30 +02:00",
        "Sun 14 Mar 12:30  Sunday, 19:30 in Gansu, for Lili: “第一封",
        "has 2 letters left",
        "she writes a fourth",
        "Sun 21 Mar 12:30  Sunday, 19:30 in Gansu, for Lili: “第二封",
        "Sun 28 Mar 13:30  Sunday, 19:30 in Gansu, for Lili: “第三封",
        "Sun 4 Apr 13:30  Sunday, 19:30 in Gansu, for Lili: “第四封",
        "The last letter of a letter bank has gone",
        "queued on her phone: true",
        "the village phone is on again: “第三封 the third”",
    ];
    let places: Vec<_> = steps.map(|step| out.find(step)).into_iter().collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{steps:?} in\n{out}");
}
