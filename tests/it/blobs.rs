//! Stored bytes at the relay's door: what a phone may do, and what is refused, on each kind of ground.

use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::ClientFrame;
use jiashu_proto::id::Ref;
use jiashu_seal::random;
use jiashu_tests::blob::{BlobRequest, patch, path, put};
use jiashu_tests::ground::Ground;
use jiashu_tests::http::Response;
use jiashu_tests::s3::Mood;
use jiashu_tests::{FamilySpec, RawDevice, TestRelay, until};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

use crate::scene::{Scene, code, on_each_ground};

/// A sealed chunk and its tag.
const CHUNK: usize = 16 * 1024 + 16;

/// The family Li at a relay on that ground.
struct House {
    scene: Scene<2>,
    ground: Ground,
    _folder: TempDir,
}

impl House {
    async fn on(ground: Ground) -> Self {
        Self::with(ground, &[]).await
    }

    async fn with(ground: Ground, more: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let relay = ground.relay(&folder, more).await;
        Self { scene: Scene::of(relay, FamilySpec::li()).await, ground, _folder: folder }
    }

    fn relay(&self) -> &TestRelay {
        &self.scene.relay
    }

    fn mother(&self) -> &RawDevice {
        &self.scene.phones[0]
    }

    fn home(&self) -> &RawDevice {
        &self.scene.phones[1]
    }

    async fn stored(&self) -> usize {
        self.ground.stored(self.relay()).await
    }
}

fn sound(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect()
}

fn name() -> Ref {
    Ref(random())
}

/// A header of an answer.
fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.head.lines().find_map(|line| {
        let (known, value) = line.split_once(':')?;
        known.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

async fn head_of(phone: &RawDevice, id: Ref) -> Response {
    BlobRequest::new("HEAD", path(id)).by(&phone.token).ask(phone.raw).await
}

/// How far an upload is: the offset, and whether that is all.
async fn progress(phone: &RawDevice, id: Ref) -> (usize, bool) {
    let head = head_of(phone, id).await;
    assert_eq!(head.status, 204, "{head:?}");
    let offset = header(&head, "upload-offset").unwrap().parse().unwrap();
    (offset, header(&head, "upload-complete") == Some("?1"))
}

async fn get(phone: &RawDevice, id: Ref, range: Option<&str>) -> Response {
    let get = BlobRequest::new("GET", path(id)).by(&phone.token);
    let get = match range {
        Some(range) => get.with("range", range),
        None => get,
    };
    get.ask(phone.raw).await
}

async fn what_a_phone_stores_the_family_fetches_whole_or_in_part(ground: Ground) {
    let house = House::on(ground).await;
    let bytes = sound(3 * CHUNK + 5);

    let id = house.mother().store(&bytes).await;
    let whole = get(house.home(), id, None).await;
    let part = get(house.home(), id, Some("bytes=16400-")).await;
    let end = get(house.home(), id, Some("bytes=-5")).await;
    let beyond = get(house.home(), id, Some("bytes=99999999-")).await;
    let figures = String::from_utf8(house.relay().raw().get("/metrics").await.body).unwrap();
    let counted = |figure: &str, bytes: usize| {
        let line = format!("jiashu_voice_{figure}_bytes_total {bytes}");
        assert!(figures.lines().any(|known| known == line), "{line}: {figures}");
    };

    counted("stored", bytes.len());
    counted("handed_out", 2 * bytes.len() - CHUNK + 5);
    assert_eq!((whole.status, &whole.body), (200, &bytes));
    assert_eq!((part.status, &part.body[..]), (206, &bytes[CHUNK..]));
    assert_eq!((end.status, &end.body[..]), (206, &bytes[3 * CHUNK..]));
    assert_eq!(beyond.status, 416);
    assert_eq!(header(&beyond, "content-range"), Some(&*format!("bytes */{}", bytes.len())));
    for (name, value) in [
        ("content-type", "application/octet-stream"),
        ("content-disposition", "attachment"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(header(&whole, name), Some(value), "{name}");
        assert_eq!(header(&part, name), Some(value), "{name}");
    }
    assert_eq!(header(&whole, "etag"), header(&part, "etag"));
    assert!(header(&whole, "repr-digest").is_some_and(|digest| digest.starts_with("sha-256=:")));
}

async fn an_upload_that_was_cut_goes_on_where_it_ended(ground: Ground) {
    let house = House::on(ground).await;
    let (mother, id, bytes) = (house.mother(), name(), sound(3 * CHUNK));

    // The line is cut in the middle of the second chunk, without an end.
    let first = put(&mother.token, id, &bytes, bytes.len()).to_bytes();
    let cut = first.len() - bytes.len() + CHUNK + 100;
    let mut line = mother.raw.connect().await.unwrap();
    line.write_all(&first[..cut]).await.unwrap();
    drop(line);
    // Seen by the other phone: her own asking would end what the relay is still reading of it.
    let (came, whole) = until("what came is kept", async || {
        let head = head_of(house.home(), id).await;
        let offset: usize = header(&head, "upload-offset")?.parse().ok()?;
        (offset >= CHUNK).then_some((offset, header(&head, "upload-complete") == Some("?1")))
    })
    .await;
    let unfinished = get(house.home(), id, None).await;
    let rest = patch(&mother.token, id, came, &bytes[came..]).ask(mother.raw).await;

    assert!(!whole);
    assert_eq!(unfinished.status, 404, "nobody is handed a part");
    assert_eq!((rest.status, header(&rest, "upload-complete")), (204, Some("?1")), "{rest:?}");
    assert_eq!(get(house.home(), id, None).await.body, bytes);
}

async fn a_wrong_offset_a_gap_and_a_repeat_add_nothing(ground: Ground) {
    let house = House::on(ground).await;
    let (mother, id, bytes) = (house.mother(), name(), sound(2 * CHUNK));
    let begun = put(&mother.token, id, &bytes, CHUNK).ask(mother.raw).await;
    assert_eq!((begun.status, header(&begun, "upload-complete")), (201, Some("?0")));

    for offset in [0, 1, CHUNK - 1, CHUNK + 1, 2 * CHUNK, usize::MAX] {
        let wrong = patch(&mother.token, id, offset, &bytes[..10]).ask(mother.raw).await;

        assert_eq!(wrong.status, 409, "{offset}: {wrong:?}");
        assert_eq!(header(&wrong, "upload-offset"), Some(&*CHUNK.to_string()));
        let problem: serde_json::Value = serde_json::from_slice(&wrong.body).unwrap();
        assert_eq!(problem["expected-offset"], CHUNK, "RFC 9457, as the draft has it");
    }
    let again = put(&mother.token, id, &bytes, bytes.len()).ask(mother.raw).await;
    assert_eq!(again.status, 409, "it was begun already: {again:?}");
    assert_eq!(progress(mother, id).await, (CHUNK, false));

    let rest = patch(&mother.token, id, CHUNK, &bytes[CHUNK..]).ask(mother.raw).await;
    let repeated = put(&mother.token, id, &bytes, bytes.len()).ask(mother.raw).await;
    let beyond = patch(&mother.token, id, 2 * CHUNK, b"more").ask(mother.raw).await;

    assert_eq!(rest.status, 204);
    assert_eq!(repeated.status, 201, "it is there, and nothing was changed: {repeated:?}");
    assert!(beyond.status < 300 && header(&beyond, "upload-complete") == Some("?1"));
    assert_eq!(get(mother, id, None).await.body, bytes);
}

async fn two_who_upload_the_same_at_once_make_one_of_it(ground: Ground) {
    let house = House::on(ground).await;
    let (mother, id, bytes) = (house.mother(), name(), sound(3 * CHUNK));

    let upload = || async {
        let put = put(&mother.token, id, &bytes, bytes.len()).ask(mother.raw).await;
        put.status
    };
    let statuses = tokio::join!(upload(), upload(), upload());
    let known = [200..300, 409..410, 503..504];
    for status in [statuses.0, statuses.1, statuses.2] {
        assert!(known.iter().any(|range| range.contains(&status)), "{statuses:?}");
    }
    // Whoever was told of the other looks where it stands, and goes on.
    let whole = until("it is whole", async || {
        let (offset, whole) = progress(mother, id).await;
        if !whole {
            patch(&mother.token, id, offset, &bytes[offset..]).ask(mother.raw).await;
        }
        whole.then_some(offset)
    })
    .await;

    assert_eq!(whole, bytes.len());
    assert_eq!(get(mother, id, None).await.body, bytes);
}

async fn a_line_that_died_is_not_waited_for_and_what_it_brought_is_kept(ground: Ground) {
    const BROUGHT: usize = 4_000;
    let house = House::on(ground).await;
    let (mother, id, bytes) = (house.mother(), name(), sound(4 * CHUNK));
    let request = put(&mother.token, id, &bytes, bytes.len()).to_bytes();
    let head = request.len() - bytes.len();

    // Neither end knows that the other is gone.
    let mut dead = mother.raw.connect().await.unwrap();
    dead.write_all(&request[..head + BROUGHT]).await.unwrap();
    // Seen by the other phone, whose looking ends nothing.
    until("it has begun", async || (head_of(house.home(), id).await.status == 204).then_some(()))
        .await;
    let (asked, _) = progress(mother, id).await;
    let mut again = mother.raw.connect().await.unwrap();
    let rest = patch(&mother.token, id, asked, &bytes[asked..]).to_bytes();
    again.write_all(&rest[..rest.len() - CHUNK]).await.unwrap();
    let upto = until("what came of the second is kept", async || {
        let (upto, _) = progress(mother, id).await;
        (upto > asked).then_some(upto)
    })
    .await;
    let rest = patch(&mother.token, id, upto, &bytes[upto..]).ask(mother.raw).await;

    assert_eq!(asked, BROUGHT, "all that came, not only whole pieces");
    assert_eq!(rest.status, 204, "{rest:?}");
    assert_eq!(get(house.home(), id, None).await.body, bytes);
}

async fn a_line_that_is_torn_has_brought_what_came(ground: Ground) {
    const BROUGHT: usize = 4_000;
    let house = House::on(ground).await;
    let (mother, id, bytes) = (house.mother(), name(), sound(CHUNK));
    let request = put(&mother.token, id, &bytes, bytes.len()).to_bytes();
    let head = request.len() - bytes.len();

    let mut torn = mother.raw.connect().await.unwrap();
    torn.set_zero_linger().unwrap();
    torn.write_all(&request[..head + BROUGHT]).await.unwrap();
    until("it has begun", async || (head_of(house.home(), id).await.status == 204).then_some(()))
        .await;
    drop(torn);
    let (upto, _) = progress(mother, id).await;

    assert_eq!(upto, BROUGHT);
}

async fn a_digest_that_lies_is_found_out_and_nothing_is_kept(ground: Ground) {
    let house = House::on(ground).await;
    let (mother, id, bytes) = (house.mother(), name(), sound(CHUNK + 7));
    let mut other = bytes.clone();
    other[CHUNK] ^= 1;

    let mut lie = put(&mother.token, id, &bytes, bytes.len());
    lie.body = other;
    let lied = lie.ask(mother.raw).await;
    let after = progress(mother, id).await;
    let fetched = get(house.home(), id, None).await;
    let honest = patch(&mother.token, id, 0, &bytes).ask(mother.raw).await;

    assert_eq!(lied.status, 400, "{lied:?}");
    assert_eq!((after, fetched.status), ((0, false), 404));
    assert_eq!((honest.status, get(mother, id, None).await.body), (204, bytes));
}

async fn what_is_too_large_or_too_much_is_refused_and_says_what_to_do(ground: Ground) {
    let limits = [
        ("JIASHU_BLOB_BYTES", "20000"),
        ("JIASHU_FAMILY_BLOB_BYTES_PER_DAY", "60000"),
        ("JIASHU_FAMILY_BLOB_BYTES", "60000"),
    ];
    let house = House::with(ground, &limits).await;
    let mother = house.mother();
    let ask =
        async |bytes: &[u8]| put(&mother.token, name(), bytes, bytes.len()).ask(mother.raw).await;

    let empty = ask(&[]).await;
    let large = ask(&sound(20_001)).await;
    let fits = ask(&sound(20_000)).await;
    let mut longer = put(&mother.token, name(), &sound(100), 100);
    longer.body = sound(101);
    let longer = longer.ask(mother.raw).await;
    // 20,000 and what counts as 16 KiB are there.
    let too_much = ask(&sound(20_000)).await;
    let still = ask(&sound(20_000)).await;

    assert_eq!((empty.status, large.status, fits.status), (413, 413, 201));
    assert_eq!((too_much.status, longer.status, still.status), (201, 413, 507), "{longer:?}");
    let problem: serde_json::Value = serde_json::from_slice(&still.body).unwrap();
    assert_eq!(problem["code"], "full");
}

async fn nobody_else_gets_in(ground: Ground) {
    let house = House::on(ground).await;
    let (mother, bytes) = (house.mother(), sound(100));
    let id = mother.store(&bytes).await;
    let others = house.scene.programme.enrol("OTHER-1", &FamilySpec::li()).await;
    let stranger = others.join(0).await;
    let mut forged = mother.token.clone();
    forged.secret[0] ^= 1;

    for method in ["GET", "HEAD"] {
        let asked = |request: BlobRequest| async move { request.ask(mother.raw).await.status };
        let plain = BlobRequest::new(method, path(id));
        assert_eq!(asked(plain.clone()).await, 401, "{method} without a token");
        assert_eq!(asked(plain.clone().by(&forged)).await, 401, "{method} with a wrong one");
        assert_eq!(
            asked(plain.clone().by(&stranger.token)).await,
            404,
            "{method} of another family"
        );
        assert_eq!(asked(plain.with("authorization", "Basic eDp5")).await, 401, "{method}");
    }
    let own_page = BlobRequest::new("GET", path(id)).by(&mother.token);
    let foreign = own_page.with("origin", "https://evil.example").ask(mother.raw).await;
    assert_eq!(foreign.status, 403, "from somebody else's page");
    let taken = put(&house.home().token, id, &sound(99), 99).ask(mother.raw).await;
    let added = patch(&house.home().token, id, 100, b"x").ask(mother.raw).await;
    assert_eq!((taken.status, added.status), (409, 404), "another phone's upload");
    for wrong in ["/1/blob/", "/1/blob/xyz", "/1/blob/0102", &format!("{}/..", path(id))] {
        let answer = BlobRequest::new("GET", wrong).by(&mother.token).ask(mother.raw).await;
        assert!((400..500).contains(&answer.status), "{wrong}: {answer:?}");
    }
}

async fn a_message_comes_with_its_bytes_or_not_at_all(ground: Ground) {
    let mut house = House::on(ground).await;
    let voice = house.mother().store_sound(&sound(5_000)).await;
    let (unknown, begun) = (name(), name());
    let partly = put(&house.mother().token, begun, &sound(2 * CHUNK), CHUNK);
    assert_eq!(partly.ask(house.mother().raw).await.status, 201);

    let note = house.mother().voice_note(voice.clone(), &[]);
    for blob in [unknown, begun] {
        let without = jiashu_proto::frame::Post { blob: Some(blob), ..note.clone() };
        let refused = house.scene.phones[0].command(ClientFrame::Post(without)).await;
        assert_eq!(code(refused), ErrorCode::StoreFirst);
    }
    let text = house.mother().letter("no voice", &[]);
    let with = jiashu_proto::frame::Post { blob: Some(voice.blob), ..text };
    assert_eq!(
        code(house.scene.phones[0].command(ClientFrame::Post(with)).await),
        ErrorCode::Malformed
    );
    let posted = house.scene.phones[0].command(ClientFrame::Post(note.clone())).await.unwrap();
    // The answer was lost: the same again gets the first answer.
    let again = house.scene.phones[0].ask(vec![ClientFrame::Post(note)]).await;
    assert!(again.contains(&jiashu_proto::frame::RelayFrame::Posted(posted)), "{again:?}");
}

async fn a_place_that_fails_is_said_and_nothing_is_lost(ground: Ground) {
    let house = House::on(ground).await;
    let (mother, bucket) = (house.mother(), house.ground.bucket.as_ref().unwrap());
    let (id, bytes) = (name(), sound(3 * CHUNK));
    let stored = mother.store(&sound(CHUNK)).await;
    let begun = put(&mother.token, id, &bytes, CHUNK).ask(mother.raw).await;
    assert_eq!(begun.status, 201);

    for mood in [Mood::Failing, Mood::Silent] {
        bucket.set(mood);
        let add = patch(&mother.token, id, CHUNK, &bytes[CHUNK..]).ask(mother.raw).await;
        let fetch = get(mother, stored, None).await;
        assert_eq!((add.status, fetch.status), (503, 503), "{mood:?}: {add:?} {fetch:?}");
        assert!(header(&add, "retry-after").is_some());
        // Letters do not wait for it.
        house.home().welcome().await.unwrap();
    }
    bucket.set(Mood::Well);
    let (offset, _) = progress(mother, id).await;
    let rest = patch(&mother.token, id, offset, &bytes[offset..]).ask(mother.raw).await;
    assert_eq!(rest.status, 204, "{rest:?}");
    assert_eq!(get(mother, id, None).await.body, bytes);
    assert_eq!(get(mother, stored, None).await.body, sound(CHUNK));
}

async fn a_place_that_forgets_a_piece_is_found_out(ground: Ground) {
    let house = House::on(ground).await;
    let (mother, bucket) = (house.mother(), house.ground.bucket.as_ref().unwrap());
    let (id, bytes) = (name(), sound(3 * CHUNK));
    put(&mother.token, id, &bytes, 2 * CHUNK).ask(mother.raw).await;
    assert_eq!(progress(mother, id).await, (2 * CHUNK, false));

    let first = bucket.keys().await.into_iter().min().unwrap();
    bucket.lose(&first).await;
    let late = patch(&mother.token, id, 2 * CHUNK, &bytes[2 * CHUNK..]).ask(mother.raw).await;
    assert_eq!((late.status, header(&late, "upload-offset")), (409, Some("0")), "{late:?}");
    let again = until("it is stored again", async || {
        let (offset, whole) = progress(mother, id).await;
        if !whole {
            patch(&mother.token, id, offset, &bytes[offset..]).ask(mother.raw).await;
        }
        whole.then_some(())
    });
    again.await;
    assert_eq!(get(mother, id, None).await.body, bytes);

    // All of it, once it was whole: it is not handed out as if it were something.
    for key in bucket.keys().await {
        bucket.lose(&key).await;
    }
    assert_eq!(get(mother, id, None).await.status, 503);
}

async fn what_is_stored_is_on_the_ground_once(ground: Ground) {
    let house = House::on(ground).await;
    assert_eq!(house.stored().await, 0);

    house.mother().store(&sound(5 * CHUNK)).await;
    house.mother().store(&sound(1)).await;

    assert_eq!(house.stored().await, 2, "no piece is left over");
}

on_each_ground!(
    what_a_phone_stores_the_family_fetches_whole_or_in_part,
    an_upload_that_was_cut_goes_on_where_it_ended,
    a_wrong_offset_a_gap_and_a_repeat_add_nothing,
    two_who_upload_the_same_at_once_make_one_of_it,
    a_line_that_died_is_not_waited_for_and_what_it_brought_is_kept,
    a_line_that_is_torn_has_brought_what_came,
    a_digest_that_lies_is_found_out_and_nothing_is_kept,
    what_is_too_large_or_too_much_is_refused_and_says_what_to_do,
    nobody_else_gets_in,
    a_message_comes_with_its_bytes_or_not_at_all,
    what_is_stored_is_on_the_ground_once,
);

mod bucket_alone {
    use jiashu_tests::ground::Ground;

    #[tokio::test]
    async fn a_place_that_fails_is_said_and_nothing_is_lost() {
        super::a_place_that_fails_is_said_and_nothing_is_lost(Ground::shared().await).await;
    }

    #[tokio::test]
    async fn a_place_that_forgets_a_piece_is_found_out() {
        super::a_place_that_forgets_a_piece_is_found_out(Ground::shared().await).await;
    }
}
