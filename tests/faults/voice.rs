//! Voice notes: the relay is killed while they are stored, while messages name them, and while they are removed. No
//! message without its sound, and no sound for ever without a message.

use std::time::Duration;

use jiashu_proto::frame::{ClientFrame, Post, Posted, RelayFrame};
use jiashu_proto::id::Ref;
use jiashu_proto::text::Voice;
use jiashu_seal::{random, seal_blob};
use jiashu_tests::blob::{BlobRequest, patch, path, put};
use jiashu_tests::clock::{WallClock, settled};
use jiashu_tests::dice::Dice;
use jiashu_tests::ground::Ground;
use jiashu_tests::http::Response;
use jiashu_tests::{FamilySpec, Programme, RawDevice, TestRelay};

use crate::clocks::{HOUR_MS, relay_under};
use crate::rounds::Rounds;

/// Mothers who speak at once.
const MOTHERS: u64 = 4;

/// The longest note, in bytes: some are a chunk, some several.
const LONGEST: u64 = 80 * 1024;

/// The relay is gone in the middle of it.
struct Gone;

/// A note on its way.
struct Note {
    stored: Vec<u8>,
    blob: Ref,
    post: Post,
}

/// A mother who says one thing after the other, and who listens at home.
struct Mother {
    phone: RawDevice,
    home: RawDevice,
    dice: Dice,
    /// What the relay has not said yet that it has.
    now: Option<Note>,
    /// What it has: where in the log, and what was stored.
    said: Vec<(u64, Ref, Vec<u8>)>,
}

impl Mother {
    fn next_note(&mut self) -> Note {
        let length = usize::try_from(1 + self.dice.below(LONGEST)).unwrap();
        let sealed = seal_blob(&self.dice.bytes(length)).unwrap();
        let (blob, key, hash) = (Ref(random()), *sealed.key.as_bytes(), sealed.hash);
        let media_type = "audio/ogg; codecs=opus".to_owned();
        let voice = Voice { blob, key, size: sealed.size, duration_ms: 1_000, media_type, hash };
        Note { stored: sealed.stored, blob, post: self.phone.voice_note(voice, &[]) }
    }

    /// Says things until the relay is gone, going on with what was on its way.
    async fn speak(mut self) -> Self {
        loop {
            let note = match self.now.take() {
                Some(note) => note,
                None => self.next_note(),
            };
            let said = self.say(&note).await;
            match said {
                Ok(posted) => {
                    self.phone.n = note.post.n;
                    self.said.push((posted.seq, note.blob, note.stored));
                }
                Err(Gone) => {
                    self.now = Some(note);
                    return self;
                }
            }
        }
    }

    async fn say(&self, note: &Note) -> Result<Posted, Gone> {
        self.store(note).await?;
        let frames = [(0, self.phone.hello()), (0, ClientFrame::Post(note.post.clone()))];
        let answers = self.phone.raw.try_round(&frames).await.map_err(|_| Gone)?;
        for (_, answer) in answers {
            match answer {
                RelayFrame::Posted(posted) if posted.n == note.post.n => return Ok(posted),
                // It said that all bytes are there.
                RelayFrame::Refused(refused) => panic!("{refused:?}"),
                _ => {}
            }
        }
        // It is about to stop.
        Err(Gone)
    }

    /// Until the relay says that it has all of it.
    async fn store(&self, note: &Note) -> Result<(), Gone> {
        let (token, whole) = (&self.phone.token, note.stored.len());
        loop {
            let head = BlobRequest::new("HEAD", path(note.blob)).by(token);
            let head = self.ask(&head).await?;
            let request = match head.status {
                404 => put(token, note.blob, &note.stored, whole),
                204 if head.head.contains("upload-complete: ?1") => return Ok(()),
                204 => {
                    let offset = offset(&head);
                    patch(token, note.blob, offset, &note.stored[offset..])
                }
                _ => continue,
            };
            // Whatever it answers, it is asked how far it is.
            self.ask(&request).await?;
        }
    }

    async fn ask(&self, request: &BlobRequest) -> Result<Response, Gone> {
        self.phone.raw.exchange(&request.to_bytes()).await.ok_or(Gone)
    }

    /// Looks at home whether every note came once and with its sound.
    async fn check(&mut self) -> usize {
        self.home.sync().await;
        let messages = self.home.log.messages();
        let came: Vec<_> = messages.map(|(taken, _, message)| (taken.seq, message.blob)).collect();
        let said: Vec<_> = self.said.iter().map(|(seq, blob, _)| (*seq, Some(*blob))).collect();
        assert_eq!(came, said, "each once, in order, and no other");
        for (_, blob, stored) in &self.said {
            let fetched = BlobRequest::new("GET", path(*blob)).by(&self.home.token);
            let fetched = fetched.ask(self.home.raw).await;
            assert!(fetched.status == 200 && fetched.body == *stored, "{blob}: {}", fetched.head);
        }
        self.said.len()
    }
}

fn offset(head: &Response) -> usize {
    let line = head.head.lines().find_map(|line| line.strip_prefix("upload-offset: "));
    line.expect("it says how far it is").parse().unwrap()
}

pub(crate) async fn what_was_said_survives_at_any_moment() {
    say_under_kills("a folder", Ground::own(), Rounds::of(20, 300), 250).await;
}

pub(crate) async fn what_was_said_survives_with_redis_and_a_bucket() {
    // The server of the bucket takes its time.
    say_under_kills("Redis and a bucket", Ground::shared().await, Rounds::of(8, 100), 2_000).await;
}

/// Kills the relay within so many ms again and again.
async fn say_under_kills(what: &str, ground: Ground, mut rounds: Rounds, within: u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut relay = ground.relay(&folder, &[]).await;
    let programme = Programme::of(&relay).await;
    let mut mothers = Vec::new();
    for number in 0..MOTHERS {
        let family = programme.enrol(&format!("VOICE-{number}"), &FamilySpec::li()).await;
        let [phone, home] = family.join_all::<2>().await;
        let dice = Dice::new(number + 1);
        mothers.push(Mother { phone, home, dice, now: None, said: Vec::new() });
    }
    let mut dice = Dice::new(6);

    while rounds.more() {
        let speaking: Vec<_> = mothers.drain(..).map(|one| tokio::spawn(one.speak())).collect();
        // The moment is the fault, so it is drawn: there is nothing to wait for.
        tokio::time::sleep(Duration::from_micros(5_000 + dice.below(within * 1_000))).await;
        relay.kill9();
        for one in speaking {
            mothers.push(one.await.unwrap());
        }
        // Each had something on its way.
        rounds.count(true);
        relay.restart().await;
    }

    let mut notes = 0;
    for mother in &mut mothers {
        let note = mother.now.take().expect("something was on its way");
        let Ok(posted) = mother.say(&note).await else { panic!("the relay is there") };
        mother.phone.n = note.post.n;
        mother.said.push((posted.seq, note.blob, note.stored));
        notes += mother.check().await;
    }
    assert_eq!(ground.stored(&relay).await, notes, "nothing lies there that nobody names");
    eprintln!("voice notes, {what}: {}, {notes} notes, each with its sound", rounds.told());
}

pub(crate) async fn what_nobody_names_goes_though_it_is_killed_meanwhile() {
    remove_under_kills("a folder", Ground::own()).await;
}

pub(crate) async fn what_nobody_names_goes_with_redis_and_a_bucket() {
    remove_under_kills("Redis and a bucket", Ground::shared().await).await;
}

/// Lets so many hours pass and kills the relay in the middle of what it does then; until all that was due is done.
async fn pass(relay: &mut TestRelay, clock: &mut WallClock, hours: i64, dice: &mut Dice) {
    clock.jump(hours * HOUR_MS);
    for _ in 0..2 {
        let _ = relay.raw().now().await;
        // The moment is the fault, so it is drawn.
        tokio::time::sleep(Duration::from_micros(dice.below(60_000))).await;
        relay.kill9();
        relay.restart().await;
    }
    settled(relay).await;
}

async fn remove_under_kills(what: &str, ground: Ground) {
    const EACH: usize = 6;
    let folder = tempfile::tempdir().unwrap();
    let mut clock = WallClock::in_folder(folder.path());
    let mut relay = relay_under(&clock, &ground.settings).await;
    let family = Programme::of(&relay).await.enrol("VOICE-1", &FamilySpec::li()).await;
    let [mut mother, home] = family.join_all::<2>().await;
    let (mut rounds, mut dice) = (Rounds::of(3, 25), Dice::new(7));
    let mut named = Vec::new();
    let fetch = async |blob: Ref| {
        let get = BlobRequest::new("GET", path(blob)).by(&home.token);
        get.ask(home.raw).await.status
    };

    while rounds.more() {
        for _ in 0..EACH {
            mother.store(&dice.bytes(1_000)).await;
            let begun = put(&mother.token, Ref(random()), &dice.bytes(9_000), 4_000);
            assert_eq!(begun.ask(mother.raw).await.status, 201);
        }
        let voice = mother.store_sound(&dice.bytes(1_000)).await;
        named.push(voice.blob);
        let note = mother.voice_note(voice, &[]);
        mother.command(ClientFrame::Post(note)).await.unwrap();
        // Two days, and the hour that is left to requests which had begun.
        for hours in [49, 2] {
            pass(&mut relay, &mut clock, hours, &mut dice).await;
        }
        rounds.count(true);
        assert_eq!(ground.stored(&relay).await, named.len(), "what is named, and nothing else");
    }
    for blob in &named {
        assert_eq!(fetch(*blob).await, 200);
    }
    for hours in [91 * 24, 2] {
        pass(&mut relay, &mut clock, hours, &mut dice).await;
    }

    for blob in &named {
        assert_eq!(fetch(*blob).await, 404, "it says that it is gone");
    }
    assert_eq!(ground.stored(&relay).await, 0);
    eprintln!("voice notes, {what}: {} of removals, 4 kills each", rounds.told());
}
