//! A store that is not as it was written: each row that is altered or gone is noticed, only its
//! scope is refused, and a file of the first version is given its checks.

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::store::conformance::{
    ALL, FAMILY, NOW, PHONE, a_ref, changes, commit, entries, entry, fact, founding, message, start,
};
use crate::store::{Change, DueItem, LedgerRow, Precondition};

/// A neighbour that nothing is wrong with.
const OTHER: Scope = Scope(3);

/// A closed store with a row in every table, for the family and its neighbour.
async fn a_store() -> TempDir {
    let folder = TempDir::new().unwrap();
    let store = EmbeddedStore::open(folder.path(), Options::default()).unwrap();
    for scope in [FAMILY, OTHER] {
        store.commit(scope, founding([PHONE])).await.unwrap();
        store.commit(scope, entries(vec![fact("plan", 0, b"first")])).await.unwrap();
        store.commit(scope, entries(vec![fact("plan", 0, b"then"), entry(b"x")])).await.unwrap();
        let content = b"held".to_vec();
        let invite = InviteId(1);
        let code_hash = Some(jiashu_proto::id::CodeHash([5; 32]));
        let held = HeldBody { body_ref: a_ref(1), schedule: a_ref(2), content };
        let all = vec![
            Change::PutHeld(held),
            Change::SetDue(DueItem::Occurrence(a_ref(2)), NOW),
            Change::AddInvite { invite, code_hash, expires_at: NOW, blob: b"blob".to_vec() },
            Change::Enter(LedgerRow {
                book: "heard".into(),
                name: b"1".to_vec(),
                version: (1, 2),
                value: b"x".to_vec(),
            }),
        ];
        store.commit(scope, changes(all)).await.unwrap();
        store.note_cursor(scope, PHONE, 2, NOW);
    }
    store.close().await;
    folder
}

fn sqlite(folder: &TempDir) -> Connection {
    Connection::open(folder.path().join(FILE)).unwrap()
}

fn reopen(folder: &TempDir) -> Result<EmbeddedStore, OpenError> {
    EmbeddedStore::open(folder.path(), Options::default())
}

fn is_unavailable<T>(read: &Result<T, StoreError>) -> bool {
    matches!(read, Err(StoreError::Unavailable { .. }))
}

async fn post(store: &EmbeddedStore, scope: Scope) -> Result<Committed, StoreError> {
    store.commit(scope, message(PHONE, 1, b"x")).await
}

fn of_family(sql: &str) -> String {
    sql.replace("FAMILY", &FAMILY.0.cast_signed().to_string())
}

#[tokio::test]
async fn an_altered_row_refuses_its_scope_and_no_other() {
    let alterations = [
        "UPDATE fact SET rank = 7 WHERE scope = FAMILY",
        "UPDATE fact SET seq = 1 WHERE scope = FAMILY",
        "UPDATE held SET content = x'00' WHERE scope = FAMILY",
        "UPDATE held SET schedule = body_ref WHERE scope = FAMILY",
        "UPDATE card SET blob = x'00' WHERE scope = FAMILY",
        "UPDATE due SET at = at + 1 WHERE scope = FAMILY",
        "UPDATE due SET item = x'00' WHERE scope = FAMILY",
        "UPDATE ledger SET value = x'00' WHERE scope = FAMILY",
        "UPDATE ledger SET name = x'00' WHERE scope = FAMILY",
    ];
    for sql in alterations {
        let folder = a_store().await;
        assert_eq!(sqlite(&folder).execute(&of_family(sql), []).unwrap(), 1, "{sql}");

        let store = reopen(&folder).unwrap();

        assert!(is_unavailable(&post(&store, FAMILY).await), "{sql}");
        assert!(is_unavailable(&store.facts(FAMILY, "").await), "{sql}");
        assert!(is_unavailable(&store.held(FAMILY, a_ref(2)).await), "{sql}");
        assert!(is_unavailable(&store.card(FAMILY, InviteId(1)).await), "{sql}");
        post(&store, OTHER).await.unwrap();
        assert_eq!(store.facts(OTHER, "").await.unwrap().len(), 1);
        let due = store.due(NOW + 1, 10).await.unwrap();
        assert!(due.iter().all(|due| due.scope == OTHER), "{sql}: {due:?}");
        assert_eq!(store.next_due().await.unwrap(), Some(NOW), "{sql}: the neighbour's");
        assert_eq!(store.health(), Health::Ok);
    }
}

#[tokio::test]
async fn a_row_altered_under_a_running_relay_harms_no_neighbour() {
    let folder = a_store().await;
    let store = reopen(&folder).unwrap();
    let sql = "UPDATE fact SET seq = 1 WHERE scope = FAMILY";
    sqlite(&folder).execute(&of_family(sql), []).unwrap();
    let plan = || entries(vec![fact("plan", 0, b"again")]);

    let (damaged, neighbour) =
        tokio::join!(store.commit(FAMILY, plan()), store.commit(OTHER, plan()));

    assert!(is_unavailable(&damaged));
    neighbour.unwrap();
    assert!(is_unavailable(&post(&store, FAMILY).await), "from now on all of the family");
    assert_eq!(store.health(), Health::Ok);
}

#[tokio::test]
async fn a_row_that_has_vanished_is_noticed() {
    for sql in [
        "DELETE FROM entry WHERE scope = FAMILY AND seq = 2",
        "DELETE FROM entry WHERE scope = FAMILY AND seq = 3",
        "DELETE FROM scope WHERE id = FAMILY",
    ] {
        let folder = a_store().await;
        let running = reopen(&folder).unwrap();
        let begin = start(&running).await;
        sqlite(&folder).execute(&of_family(sql), []).unwrap();

        let read = running.read_after(FAMILY, begin, ALL).await;
        drop(running);
        let reopened = reopen(&folder);

        assert!(is_unavailable(&read), "{sql}: {read:?}");
        assert!(matches!(reopened, Err(OpenError::Damaged { .. })), "{sql}: {reopened:?}");
    }
}

#[tokio::test]
async fn a_scope_whose_state_is_gone_is_not_taken_for_an_unknown_one() {
    let folder = a_store().await;
    let store = reopen(&folder).unwrap();
    sqlite(&folder).execute(&of_family("DELETE FROM scope WHERE id = FAMILY"), []).unwrap();

    let state = store.state(FAMILY).await;
    let made_anew = store.commit(FAMILY, founding([PHONE])).await;

    assert!(is_unavailable(&state), "{state:?}");
    assert!(is_unavailable(&made_anew), "{made_anew:?}");
    assert!(matches!(store.state(Scope(99)).await, Ok(None)));
}

#[tokio::test]
async fn an_altered_tag_does_not_send_a_phone_back_to_the_start() {
    let folder = a_store().await;
    let store = reopen(&folder).unwrap();
    let cursor = store.read_after(FAMILY, start(&store).await, ALL).await.unwrap().upto;
    sqlite(&folder).execute("UPDATE entry SET tag = tag + 1", []).unwrap();

    let read = store.read_after(FAMILY, cursor, ALL).await;

    assert!(is_unavailable(&read), "{read:?}");
}

#[tokio::test]
async fn content_that_is_gone_is_not_taken_for_superseded() {
    let folder = a_store().await;
    let sql = "UPDATE entry SET content = NULL WHERE scope = FAMILY AND seq = 3";
    sqlite(&folder).execute(&of_family(sql), []).unwrap();
    let store = reopen(&folder).unwrap();

    let read = store.read_after(FAMILY, start(&store).await, ALL).await;

    assert!(is_unavailable(&read), "{read:?}");
}

#[tokio::test]
async fn a_damaged_cursor_is_as_one_that_was_not_written() {
    let folder = a_store().await;
    let sql = "UPDATE cursor SET seq = 3 WHERE scope = FAMILY";
    sqlite(&folder).execute(&of_family(sql), []).unwrap();
    let store = reopen(&folder).unwrap();

    assert_eq!(store.cursors(FAMILY).await.unwrap(), []);
    assert_eq!(store.cursors(OTHER).await.unwrap().len(), 1);
    post(&store, FAMILY).await.unwrap();
}

#[tokio::test]
async fn an_emptied_file_is_not_taken_for_a_new_store() {
    let folder = a_store().await;
    fs::write(folder.path().join(FILE), b"").unwrap();

    let emptied = reopen(&folder);
    fs::remove_file(folder.path().join(FILE)).unwrap();
    let removed = reopen(&folder);

    assert!(matches!(emptied, Err(OpenError::Damaged { .. })), "{emptied:?}");
    assert!(matches!(removed, Err(OpenError::Damaged { .. })), "{removed:?}");
    assert!(!folder.path().join(FILE).exists(), "nothing was made");
}

#[tokio::test]
async fn a_file_of_the_first_version_is_given_its_checks() {
    let folder = a_store().await;
    let sql = "ALTER TABLE fact DROP COLUMN sum; ALTER TABLE held DROP COLUMN sum;
               ALTER TABLE card DROP COLUMN sum; ALTER TABLE due DROP COLUMN sum;
               ALTER TABLE cursor DROP COLUMN sum; ALTER TABLE due DROP COLUMN planned;
               DROP TABLE ledger; PRAGMA user_version = 1;
               UPDATE entry SET sum = 7 WHERE content IS NULL;";
    sqlite(&folder).execute_batch(sql).unwrap();

    let store = reopen(&folder).unwrap();

    let whole = store.read_after(FAMILY, start(&store).await, ALL).await.unwrap();
    assert_eq!((whole.head, whole.records.len()), (3, 2), "one of three is superseded");
    assert_eq!(store.facts(FAMILY, "").await.unwrap().len(), 1);
    assert_eq!(store.held(FAMILY, a_ref(2)).await.unwrap().len(), 1);
    assert!(store.card(FAMILY, InviteId(1)).await.unwrap().is_some());
    assert_eq!(store.due(NOW, 10).await.unwrap().len(), 2);
    assert_eq!(store.cursors(FAMILY).await.unwrap().len(), 1);
    let due = Precondition::DueAt(DueItem::Occurrence(a_ref(2)), NOW);
    let clear = Batch { requires: vec![due], ..changes(Vec::new()) };
    commit(&store, clear).await;
}

#[tokio::test]
async fn a_file_of_the_second_version_is_as_due_as_it_was() {
    let folder = a_store().await;
    let sql = "ALTER TABLE due DROP COLUMN planned; UPDATE due SET sum = 7;
               DROP TABLE ledger; PRAGMA user_version = 2;";
    sqlite(&folder).execute_batch(sql).unwrap();

    let store = reopen(&folder).unwrap();

    let due = store.due(NOW, 10).await.unwrap();
    assert_eq!(due.len(), 2);
    assert!(due.iter().all(|due| due.planned.is_none()), "{due:?}");
}
