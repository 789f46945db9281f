//! P13 where a store is carried elsewhere: who was deleted stays so, who is about to go goes there, and after an older backup
//! a list of the deleted does it again.

use std::path::Path;

use jiashu_proto::frame::{ClientFrame, Leave, LeaveWhat};
use jiashu_proto::id::{MemberId, Ref};
use jiashu_seal::random;
use jiashu_tests::clock::WallClock;
use jiashu_tests::redis::TestRedis;
use jiashu_tests::{Programme, RawDevice, TestRelay, until};

use crate::erasing::Household;
use crate::operator::run;
use crate::two_families::found;

const DAY_MS: i64 = 86_400_000;

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn borrowed(settings: &[(String, String)]) -> Vec<(&str, &str)> {
    settings.iter().map(|(key, value)| (&**key, &**value)).collect()
}

/// A command that must succeed; what it printed.
async fn done(data: &Path, args: &[&str], settings: &[(&str, &str)]) -> String {
    let (success, printed) = run(data, args, settings).await;
    assert!(success, "{args:?}: {printed}");
    printed
}

#[tokio::test]
async fn who_was_deleted_stays_so_in_another_store_and_who_is_about_to_go_goes_there() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut clock = WallClock::in_folder(folder.path());
    let seen = clock.settings().map(|(key, value)| (key.to_owned(), value));
    let mut relay = TestRelay::on(&at("first"), &seen).await;
    let programme = Programme::of(&relay).await;
    let mut gone = Household::of(&programme, "GS-001").await;
    let mut going = Household::of(&programme, "GS-002").await;
    let neighbour = Household::of(&programme, "MD-002").await;
    gone.leaves().await;
    gone.is_told(&relay).await;
    let (n, entry_ref, from) = (going.mother.n + 1, Ref(random()), MemberId(1));
    let leave = ClientFrame::Leave(Leave { n, entry_ref, from, what: LeaveWhat::InTime });
    going.mother.command(leave).await.unwrap();
    relay.term().await;

    // Into a Redis, and back into a file.
    let redis = TestRedis::start().await;
    let (from, to) = (text(&at("first")), redis.url());
    done(&at("second"), &["move", "--from", &from, "--to", &to], &[]).await;
    let settings = [redis.settings(), seen.to_vec()].concat();
    let at_redis = TestRelay::on(&at("second"), &settings).await;
    gone.is_told(&at_redis).await;
    assert!(programme.clone().at(&at_redis).try_enrol(&gone.family.enrol).await.is_err());
    assert_eq!(found(&[redis.data().to_owned()], &gone.canaries), 0);
    let kept = at("kept");
    std::fs::create_dir(&kept).unwrap();
    let backup = text(&kept.join("backup"));
    done(&at("second"), &["backup", &backup], &borrowed(&redis.settings())).await;
    assert_eq!(found(&[kept], &gone.canaries), 0);
    drop(at_redis);
    done(&at("third"), &["restore", &backup], &[]).await;
    let third = TestRelay::on(&at("third"), &seen).await;
    gone.is_told(&third).await;
    let home = RawDevice { raw: third.raw(), ..going.home.clone() };
    assert!(home.welcome().await.is_ok(), "its week is not over");

    clock.jump(8 * DAY_MS);
    going.is_told(&third).await;
    clock.jump(DAY_MS);
    for family in [&gone, &going] {
        let number = family.family.scope();
        let line = format!("what a family left behind is cleaned up family.id={number}");
        until(&line, async || third.log().contains(&line).then_some(())).await;
        assert_eq!(found(&[at("third")], &family.canaries), 0);
        assert!(programme.clone().at(&third).try_enrol(&family.family.enrol).await.is_err());
    }
    let mut home = RawDevice { raw: third.raw(), ..neighbour.home.clone() };
    home.sync().await;
    assert_eq!(home.log.texts(), ["吃饭了吗"]);
}

async fn who_is_on_the_list_is_deleted_again(into: Option<TestRedis>) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let relay = TestRelay::on(&at("first"), &[]).await;
    let programme = Programme::of(&relay).await;
    let mut before = Household::of(&programme, "GS-001").await;
    let neighbour = Household::of(&programme, "MD-002").await;
    let backup = text(&at("backup"));
    done(&at("first"), &["backup", &backup], &[]).await;
    let mut since = Household::of(&programme, "GS-003").await;
    for family in [&mut before, &mut since] {
        family.leaves().await;
        family.is_told(&relay).await;
    }
    let list = at("erased.txt");
    std::fs::write(&list, done(&at("first"), &["erased", "list"], &[]).await).unwrap();
    let json = done(&at("first"), &["erased", "list", "--json"], &[]).await;
    assert_eq!(json.lines().filter(|line| line.contains("erased_at")).count(), 2, "{json}");

    let settings: Vec<_> = into.iter().flat_map(TestRedis::settings).collect();
    let told = borrowed(&settings);
    done(&at("second"), &["restore", &backup], &told).await;
    assert_eq!(done(&at("second"), &["erased", "list"], &told).await, "");
    let again = ["erased", "again", &text(&list)];
    let printed = done(&at("second"), &again, &told).await;
    assert_eq!(
        printed.trim(),
        "1 families go as soon as the relay runs, 0 were gone, 1 were not there"
    );
    let with = [settings.clone(), vec![("JIASHU_CLEAN_MINUTES".into(), "0".into())]].concat();
    let mut second = TestRelay::on(&at("second"), &with).await;
    for family in [&before, &since] {
        family.is_told(&second).await;
        assert!(programme.clone().at(&second).try_enrol(&family.family.enrol).await.is_err());
    }
    let redis = into.iter().map(|redis| redis.data().to_owned());
    let folders: Vec<_> = std::iter::once(at("second")).chain(redis).collect();
    until("nothing of it lies in the files", async || {
        (found(&folders, &before.canaries) == 0).then_some(())
    })
    .await;
    let mut home = RawDevice { raw: second.raw(), ..neighbour.home.clone() };
    home.sync().await;
    assert_eq!(home.log.texts(), ["吃饭了吗"]);

    second.term().await;
    let printed = done(&at("second"), &[&again[..], &["--json"]].concat(), &told).await;
    assert_eq!(printed.trim(), r#"{"go":0,"gone":2,"noted":0}"#);
    let programmes = format!("{}\n", programme.token.scope);
    for (bad, why) in [
        ("GS-001\n", "line 1 begins with no family's number"),
        (&*programmes, "a programme's number"),
    ] {
        std::fs::write(&list, bad).unwrap();
        let (success, printed) = run(&at("second"), &again, &told).await;
        assert!(!success && printed.contains(why), "{printed}");
    }
}

#[tokio::test]
async fn who_is_on_the_list_is_deleted_again_after_an_older_backup_in_one_file() {
    who_is_on_the_list_is_deleted_again(None).await;
}

#[tokio::test]
async fn who_is_on_the_list_is_deleted_again_after_an_older_backup_over_redis() {
    who_is_on_the_list_is_deleted_again(Some(TestRedis::start().await)).await;
}
