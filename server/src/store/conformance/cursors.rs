//! How far devices have read.

use jiashu_proto::frame::Reached;
use jiashu_proto::id::DeviceId;

use super::{FAMILY, Home, PHONE, with_phone};

const TABLET: DeviceId = DeviceId(2);

pub(crate) async fn a_cursor_never_moves_back(home: &dyn Home) {
    let store = with_phone(home).await;
    assert_eq!(store.cursors(FAMILY).await.unwrap(), []);

    store.note_cursor(FAMILY, TABLET, 3, 50);
    store.note_cursor(FAMILY, PHONE, 7, 60);
    store.note_cursor(FAMILY, PHONE, 5, 70);

    let expected =
        [Reached { device: PHONE, seq: 7, at: 60 }, Reached { device: TABLET, seq: 3, at: 50 }];
    assert_eq!(store.cursors(FAMILY).await.unwrap(), expected, "seen at once");
    store.close().await;
    drop(store);
    let store = home.open().await;
    store.note_cursor(FAMILY, PHONE, 6, 80);
    assert_eq!(store.cursors(FAMILY).await.unwrap(), expected, "nor after reopening");
}

pub(crate) async fn a_cursor_keeps_its_first_time(home: &dyn Home) {
    let store = with_phone(home).await;
    store.note_cursor(FAMILY, PHONE, 7, 60);
    store.note_cursor(FAMILY, PHONE, 7, 90);
    store.close().await;
    drop(store);

    let store = home.open().await;
    store.note_cursor(FAMILY, PHONE, 7, 95);

    let first = Reached { device: PHONE, seq: 7, at: 60 };
    assert_eq!(store.cursors(FAMILY).await.unwrap(), [first]);
    store.note_cursor(FAMILY, PHONE, 8, 99);
    let further = Reached { device: PHONE, seq: 8, at: 99 };
    assert_eq!(store.cursors(FAMILY).await.unwrap(), [further]);
}

pub(crate) async fn cursors_are_there_after_closing(home: &dyn Home) {
    let store = with_phone(home).await;
    for device in 1..=5_000 {
        store.note_cursor(FAMILY, DeviceId(device), u64::from(device), 60);
    }
    let before = store.cursors(FAMILY).await.unwrap();
    store.close().await;
    drop(store);

    let store = home.open().await;

    assert_eq!(store.cursors(FAMILY).await.unwrap(), before);
    assert_eq!(before.len(), 5_000);
}
