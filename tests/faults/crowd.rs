//! A family under load: phones that write until they are stopped, one that reads, and the journal
//! of both.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{ClientFrame, Post, Posted, Refused, RelayFrame};
use jiashu_tests::checker::{Verdict, check};
use jiashu_tests::journal::Journal;
use jiashu_tests::raw::Cut;
use jiashu_tests::{FamilySpec, Programme, RawDevice, TestRelay, until};
use tempfile::TempDir;
use tokio::task::JoinSet;

/// Letters of one phone in one request.
const IN_FLIGHT: u64 = 4;

/// Phones that write, and behind them the one that reads.
const PHONES: [&[u32]; 5] = [&[1], &[2], &[2, 3], &[3], &[1]];

/// Why a phone has stopped writing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum End {
    /// The relay was gone: nobody listened, or the answer never came.
    Cut(Cut),
    /// The relay said that it cannot just now.
    Unavailable(Refused),
    /// It was told to.
    Stopped,
}

/// A family of which some write and one reads.
pub(crate) struct Crowd {
    writers: Vec<Writer>,
    /// As it was before anybody wrote: each reading begins there.
    reader: RawDevice,
    journal: Arc<Journal>,
    _folder: TempDir,
}

impl Crowd {
    /// A new family of this programme; everybody has joined and read all.
    pub(crate) async fn join(programme: &Programme, case_code: &str) -> Self {
        let spec = FamilySpec::li().with_phones(&PHONES);
        let [writers @ .., reader] =
            programme.enrol(case_code, &spec).await.join_all::<{ PHONES.len() }>().await;
        let folder = tempfile::tempdir().unwrap();
        let journal = Arc::new(Journal::open(&folder.path().join("journal")));
        let writers = writers.into_iter().map(|phone| Writer::new(phone, &journal)).collect();
        Self { writers, reader, journal, _folder: folder }
    }

    /// The same family at a relay that has been given their store.
    pub(crate) fn at(mut self, relay: &TestRelay) -> Self {
        self.reader.raw = relay.raw();
        self.writers.iter_mut().for_each(|writer| writer.phone.raw = relay.raw());
        self
    }

    /// Its phones are at these relays of one store, one after the other.
    pub(crate) fn spread(&mut self, relays: &[TestRelay]) {
        for (writer, relay) in self.writers.iter_mut().zip(relays.iter().cycle()) {
            writer.phone.raw = relay.raw();
        }
    }

    /// All phones write until they cannot.
    pub(crate) fn start_writing(&mut self) -> Writing {
        let (mut tasks, stop) = (JoinSet::new(), Arc::new(AtomicBool::new(false)));
        for mut writer in self.writers.drain(..) {
            let stop = Arc::clone(&stop);
            tasks.spawn(async move {
                let end = writer.write_until_it_ends(&stop).await;
                (writer, end)
            });
        }
        Writing { tasks, stop }
    }

    /// Tells them to stop, as a phone that the fault has passed by would write for ever; otherwise as
    /// [`Crowd::end_of`].
    pub(crate) async fn stop(&mut self, writing: Writing) -> Vec<End> {
        writing.stop.store(true, Ordering::Relaxed);
        self.end_of(writing).await
    }

    /// Takes the phones back, once each has ended; how each did.
    pub(crate) async fn end_of(&mut self, writing: Writing) -> Vec<End> {
        let (writers, ends): (Vec<_>, Vec<_>) = writing.tasks.join_all().await.into_iter().unzip();
        self.writers = writers;
        self.in_order();
        ends
    }

    /// Each phone writes that many, in requests of `at_once`.
    pub(crate) async fn write_each(&mut self, count: u64, at_once: u64) {
        let mut tasks = JoinSet::new();
        for mut writer in self.writers.drain(..) {
            tasks.spawn(async move {
                for _ in 0..count / at_once {
                    writer.draw(at_once);
                    assert_eq!(writer.round().await, None, "nothing is wrong yet");
                }
                writer
            });
        }
        self.writers = tasks.join_all().await;
        self.in_order();
    }

    /// They come back as they end.
    fn in_order(&mut self) {
        self.writers.sort_by_key(|writer| writer.phone.number());
    }

    /// Each phone writes a letter that takes some pages.
    pub(crate) async fn write_long(&mut self) {
        for writer in &mut self.writers {
            let text = format!("a long one of {} {}", writer.phone.number(), "字".repeat(4_000));
            writer.draw_texts(vec![text]);
            assert_eq!(writer.round().await, None, "nothing is wrong yet");
        }
    }

    /// The phone that writes first.
    pub(crate) fn first(&mut self) -> &mut RawDevice {
        &mut self.writers[0].phone
    }

    /// Every phone says how far it has read.
    pub(crate) async fn ack(&mut self) {
        for phone in self.writers.iter_mut().map(|writer| &mut writer.phone) {
            phone.sync().await;
            phone.ask(vec![ClientFrame::Ack(phone.log.ack())]).await;
        }
    }

    /// The same family as it is now, with a journal of its own from now on.
    pub(crate) fn again(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        std::fs::write(&path, self.journal.text()).unwrap();
        let journal = Arc::new(Journal::open(&path));
        let again = |writer: &Writer| {
            let (phone, open) = (writer.phone.clone(), writer.open.clone());
            Writer { phone, open, journal: Arc::clone(&journal) }
        };
        let writers = self.writers.iter().map(again).collect();
        Self { writers, reader: self.reader.clone(), journal, _folder: folder }
    }

    /// Each phone sends one request: what waits, or else new letters.
    pub(crate) async fn try_each(&mut self) -> Vec<Option<End>> {
        let mut ends = Vec::new();
        for writer in &mut self.writers {
            if writer.open.is_empty() {
                writer.draw(1);
            }
            ends.push(writer.round().await);
        }
        ends
    }

    /// Whether some letters were on their way when their phones stopped.
    pub(crate) fn has_unsent(&self) -> bool {
        self.writers.iter().any(|writer| !writer.open.is_empty())
    }

    /// Sends what waits, until all is acknowledged.
    pub(crate) async fn send_what_waits(&mut self) {
        for writer in &mut self.writers {
            if !writer.open.is_empty() {
                assert_eq!(writer.round().await, None, "the relay takes what waited");
            }
        }
    }

    /// The same, where the relay may say for a while that it cannot.
    pub(crate) async fn send_until_taken(&mut self) {
        until("what waits is taken", async || {
            let mut all = true;
            for writer in self.writers.iter_mut().filter(|writer| !writer.open.is_empty()) {
                all &= writer.round().await.is_none();
            }
            all.then_some(())
        })
        .await;
    }

    /// Reads all that was written, into the journal.
    ///
    /// # Errors
    ///
    /// The relay's refusal; what was read until then stands in the journal all the same.
    pub(crate) async fn read(&self) -> Result<(), Refused> {
        let mut reader = self.reader.clone();
        let after = reader.log.cursor.seq;
        self.journal.reading(reader.number(), after);
        let read = read_on(&mut reader).await;
        let letters = reader.log.letters();
        let written = letters.iter().filter(|letter| letter.seq > after && letter.fired.is_none());
        for letter in written {
            self.journal.shown(letter.seq, letter.entry_ref, &letter.text);
        }
        if read.is_ok() {
            self.journal.read_all();
        }
        read
    }

    /// Reads the first of what was written over a WebSocket, as a phone does that has come back.
    pub(crate) async fn read_live(&self, relay: &TestRelay) {
        let mut socket = relay.open().await;
        socket.send(self.reader.hello()).await;
        let after = self.reader.log.cursor.seq;
        let is_next = |frame: &RelayFrame| match frame {
            RelayFrame::Entries(entries) => Some(entries.after == after),
            RelayFrame::Refused(refused) => panic!("{refused:?}"),
            _ => None,
        };
        assert!(socket.wait_for(|_, frame| is_next(frame)).await);
    }

    /// The letters that a schedule has released; no journal has them.
    ///
    /// # Errors
    ///
    /// The relay's refusal.
    pub(crate) async fn fired(&self) -> Result<Vec<String>, Refused> {
        let mut reader = self.reader.clone();
        read_on(&mut reader).await?;
        let fired = reader.log.letters().into_iter().filter(|letter| letter.fired.is_some());
        Ok(fired.map(|letter| letter.text).collect())
    }

    /// What the journal says.
    pub(crate) fn verdict(&self) -> Verdict {
        check(&self.journal.text())
    }
}

/// Phones that write.
pub(crate) struct Writing {
    tasks: JoinSet<(Writer, End)>,
    stop: Arc<AtomicBool>,
}

/// Reads until there is no more.
async fn read_on(reader: &mut RawDevice) -> Result<(), Refused> {
    loop {
        let before = reader.log.cursor.seq;
        for answer in reader.raw.ask(vec![reader.hello()]).await {
            match answer {
                RelayFrame::Welcome(welcome) => {
                    assert_eq!(welcome.restart, None, "the cursor holds");
                    reader.log.cursor.generation = welcome.generation;
                }
                RelayFrame::Entries(entries) => assert!(reader.log.take(&entries)),
                RelayFrame::Refused(refused) => return Err(refused),
                RelayFrame::Cursors(_) => {}
                other => panic!("unexpected at a hello: {other:?}"),
            }
        }
        if reader.log.cursor.seq == before {
            return Ok(());
        }
    }
}

/// A phone and its outbox.
struct Writer {
    phone: RawDevice,
    /// Drawn, and not acknowledged.
    open: Vec<(Post, String)>,
    journal: Arc<Journal>,
}

impl Writer {
    fn new(phone: RawDevice, journal: &Arc<Journal>) -> Self {
        Self { phone, open: Vec::new(), journal: Arc::clone(journal) }
    }

    async fn write_until_it_ends(&mut self, stop: &AtomicBool) -> End {
        while !stop.load(Ordering::Relaxed) {
            if self.open.is_empty() {
                self.draw(IN_FLIGHT);
            }
            if let Some(end) = self.round().await {
                return end;
            }
        }
        End::Stopped
    }

    /// Writes so many letters into the outbox.
    fn draw(&mut self, count: u64) {
        let (first, number) = (self.phone.n + 1, self.phone.number());
        let texts = (first..first + count).map(|n| format!("{n} of phone {number}"));
        self.draw_texts(texts.collect());
    }

    fn draw_texts(&mut self, texts: Vec<String>) {
        let numbered = (self.phone.n + 1..).zip(texts);
        let drawn = numbered.map(|(n, text)| (Post { n, ..self.phone.letter(&text, &[]) }, text));
        self.open = drawn.collect();
    }

    /// Sends the outbox; `None` if all of it was acknowledged.
    async fn round(&mut self) -> Option<End> {
        let mut frames = vec![(0, self.phone.hello())];
        for (post, text) in &self.open {
            self.journal.sent(self.phone.number(), post.entry_ref, text);
            frames.push((0, ClientFrame::Post(post.clone())));
        }
        let end = match self.phone.raw.try_round(&frames).await {
            Ok(answers) => self.take(answers.into_iter().map(|(_, answer)| answer)),
            Err(cut) => Some(End::Cut(cut)),
        };
        self.open.iter().for_each(|(post, _)| self.journal.unsent(post.entry_ref));
        end
    }

    fn take(&mut self, answers: impl Iterator<Item = RelayFrame>) -> Option<End> {
        let mut refusal = None;
        for answer in answers {
            match answer {
                RelayFrame::Posted(posted) => self.note(&posted),
                RelayFrame::Refused(refused) => _ = refusal.get_or_insert(refused),
                RelayFrame::Entries(entries) => _ = self.phone.log.take(&entries),
                RelayFrame::Welcome(_) | RelayFrame::Cursors(_) => {}
                other => panic!("unexpected: {other:?}"),
            }
        }
        // The first tells why; those behind it are out of turn.
        let refused = refusal?;
        assert_eq!(refused.code, ErrorCode::Unavailable, "{refused:?}");
        Some(End::Unavailable(refused))
    }

    fn note(&mut self, posted: &Posted) {
        self.journal.acked(posted.entry_ref, posted.seq);
        self.open.retain(|(post, _)| post.entry_ref != posted.entry_ref);
        self.phone.n = self.phone.n.max(posted.n);
    }
}
