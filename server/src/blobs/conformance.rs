//! What every place for stored bytes must do: one suite, which a folder and a bucket pass.

use jiashu_proto::id::{Ref, Scope};
#[cfg(feature = "s3")]
use jiashu_tests::s3::TestBucket;

use super::folder::Folder;
use super::{BlobError, BlobName, Blobs};

const NAME: BlobName = BlobName { scope: Scope(0xfedc_ba98_7654_3210), id: Ref([7; 12]) };
const OTHER: BlobName = BlobName { id: Ref([8; 12]), ..NAME };

async fn bytes_are_added_where_they_end_and_nowhere_else(blobs: &dyn Blobs) {
    assert_eq!(blobs.size(NAME).await.unwrap(), 0);
    assert_eq!(blobs.append(NAME, 0, b"one ".to_vec()).await.unwrap(), 4);
    assert_eq!(blobs.append(NAME, 4, b"two".to_vec()).await.unwrap(), 7);
    for offset in [0, 4, 6, 9] {
        let refused = blobs.append(NAME, offset, b"three".to_vec()).await;
        assert!(matches!(refused, Err(BlobError::Offset(7))), "{offset}: {refused:?}");
    }
    assert_eq!(blobs.size(NAME).await.unwrap(), 7);
    assert_eq!(blobs.size(OTHER).await.unwrap(), 0, "another name is not concerned");
}

async fn all_of_a_family_go_and_no_others(blobs: &dyn Blobs) {
    let neighbour = BlobName { scope: Scope(NAME.scope.0 ^ 1), ..NAME };
    for name in [NAME, OTHER, neighbour] {
        blobs.append(name, 0, b"bytes".to_vec()).await.unwrap();
    }
    blobs.complete(OTHER).await.unwrap();

    blobs.remove_all(NAME.scope).await.unwrap();
    blobs.remove_all(NAME.scope).await.unwrap();

    let sizes = [NAME, OTHER, neighbour].map(|name| blobs.size(name));
    let sizes = futures_util::future::join_all(sizes).await;
    assert_eq!(sizes.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [0, 0, 5]);
}

async fn any_part_can_be_read_before_and_after_all_is_there(blobs: &dyn Blobs) {
    blobs.append(NAME, 0, b"one ".to_vec()).await.unwrap();
    blobs.append(NAME, 4, b"two".to_vec()).await.unwrap();

    for step in ["pieces", "whole", "whole again"] {
        if step != "pieces" {
            blobs.complete(NAME).await.unwrap();
        }
        let parts = [(0, 100, &b"one two"[..]), (2, 3, b"e t"), (4, 2, b"tw"), (7, 2, b"")];
        for (from, most, expected) in parts {
            let part = blobs.read(NAME, from, most).await.unwrap();
            assert_eq!(part, expected, "{step}: {most} from {from}");
        }
        assert_eq!(blobs.size(NAME).await.unwrap(), 7, "{step}");
    }
    assert!(blobs.append(NAME, 0, b"again".to_vec()).await.is_err(), "it is whole");
}

async fn what_is_removed_is_gone_and_may_come_again(blobs: &dyn Blobs) {
    for completed in [false, true] {
        blobs.append(NAME, 0, vec![1; 100]).await.unwrap();
        blobs.append(NAME, 100, vec![2; 100]).await.unwrap();
        if completed {
            blobs.complete(NAME).await.unwrap();
        }

        blobs.remove(NAME).await.unwrap();
        blobs.remove(NAME).await.unwrap();

        assert_eq!(blobs.size(NAME).await.unwrap(), 0);
        assert!(blobs.read(NAME, 0, 1).await.is_err());
        let late = blobs.append(NAME, 200, vec![3; 100]).await;
        assert!(matches!(late, Err(BlobError::Offset(0))), "{late:?}");
        assert_eq!(blobs.size(NAME).await.unwrap(), 0, "nothing came of it");
    }
}

async fn of_two_who_add_at_once_one_does(blobs: &dyn Blobs) {
    blobs.append(NAME, 0, vec![0; 10]).await.unwrap();
    let adds = (1..=4).map(|byte| blobs.append(NAME, 10, vec![byte; 10]));

    let added = futures_util::future::join_all(adds).await;

    let done: Vec<_> = (1..=4_u8).zip(&added).filter(|(_, added)| added.is_ok()).collect();
    assert_eq!(done.len(), 1, "{added:?}");
    let told = added.iter().flat_map(|added| added.as_ref().err());
    let is_told = |error| matches!(error, &BlobError::Busy | &BlobError::Offset(20));
    assert!(told.into_iter().all(is_told), "{added:?}");
    assert_eq!(blobs.read(NAME, 10, 10).await.unwrap(), vec![done[0].0; 10]);
}

macro_rules! suite {
    ($place:ident, $make:expr) => {
        mod $place {
            #[tokio::test]
            async fn bytes_are_added_where_they_end_and_nowhere_else() {
                let (_keeps, blobs) = $make.await;
                super::bytes_are_added_where_they_end_and_nowhere_else(&blobs).await;
            }

            #[tokio::test]
            async fn any_part_can_be_read_before_and_after_all_is_there() {
                let (_keeps, blobs) = $make.await;
                super::any_part_can_be_read_before_and_after_all_is_there(&blobs).await;
            }

            #[tokio::test]
            async fn what_is_removed_is_gone_and_may_come_again() {
                let (_keeps, blobs) = $make.await;
                super::what_is_removed_is_gone_and_may_come_again(&blobs).await;
            }

            #[tokio::test]
            async fn all_of_a_family_go_and_no_others() {
                let (_keeps, blobs) = $make.await;
                super::all_of_a_family_go_and_no_others(&blobs).await;
            }

            #[tokio::test]
            async fn of_two_who_add_at_once_one_does() {
                let (_keeps, blobs) = $make.await;
                super::of_two_who_add_at_once_one_does(&blobs).await;
            }
        }
    };
}

suite!(folder, super::folder());

#[cfg(feature = "s3")]
suite!(bucket, super::bucket());

async fn folder() -> (tempfile::TempDir, Folder) {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Folder::at(folder.path().join("blobs"));
    (folder, blobs)
}

#[cfg(feature = "s3")]
pub(super) async fn bucket() -> (TestBucket, super::s3::Bucket) {
    let bucket = TestBucket::start().await;
    let settings = bucket.settings();
    let value = |wanted: &str| {
        settings.iter().find(|(key, _)| key == wanted).map(|(_, value)| value.clone()).unwrap()
    };
    // The variables of this process are not for one test to set.
    let builder = object_store::aws::AmazonS3Builder::new()
        .with_endpoint(value("AWS_ENDPOINT"))
        .with_region(value("AWS_REGION"))
        .with_access_key_id(value("AWS_ACCESS_KEY_ID"))
        .with_secret_access_key(value("AWS_SECRET_ACCESS_KEY"));
    let blobs = super::s3::Bucket::of(builder, true, &value("JIASHU_BLOBS"));
    (bucket, blobs.unwrap())
}
