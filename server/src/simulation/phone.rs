//! A phone as the protocol asks for one: an outbox that is sent until it is answered, a cursor, and
//! what it was shown.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiashu_proto::entry::{Content, Cursor, RuleText, Rung, ScheduleState, Seq};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{
    Ack, ClientFrame, Entries, Hello, Hold, Plan, Post, Refused, RelayFrame, Report,
};
use jiashu_proto::id::{MemberId, N, Ref, Token};
use jiashu_tests::dice::Dice;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::Message;

use super::link::PhoneEnd;
use super::weather::Weather;

/// Commands that it leaves unanswered.
const AT_ONCE: usize = 8;

/// How long it waits for anything at all before it tries another connection.
const PATIENCE: Duration = Duration::from_secs(90);

/// Something to be done by the relay, named once and numbered each time that it is sent.
#[derive(Clone, Debug)]
pub(super) enum Command {
    Post(Post),
    Report(Report),
    Hold(Hold),
    Plan(Plan),
}

impl Command {
    pub(super) fn name(&self) -> Ref {
        match self {
            Self::Post(post) => post.entry_ref,
            Self::Report(report) => report.entry_ref,
            Self::Hold(hold) => hold.name(),
            Self::Plan(plan) => plan.entry_ref,
        }
    }

    fn numbered(&self, n: N) -> ClientFrame {
        match self.clone() {
            Self::Post(post) => ClientFrame::Post(Post { n, ..post }),
            Self::Report(report) => ClientFrame::Report(Report { n, ..report }),
            Self::Hold(hold) => ClientFrame::Hold(Hold { n, ..hold }),
            Self::Plan(plan) => ClientFrame::Plan(Plan { n, ..plan }),
        }
    }
}

#[derive(Clone, Debug)]
struct Waiting {
    command: Command,
    /// Its counter, while it is sent and not answered.
    sent: Option<N>,
}

/// One phone; what it has outlasts its connections.
#[derive(Debug)]
pub(super) struct Phone {
    pub(super) token: Token,
    pub(super) member: MemberId,
    /// What it will want, and when; ascending.
    pub(super) to_come: VecDeque<(Instant, Command)>,
    outbox: VecDeque<Waiting>,
    cursor: Cursor,
    names: Dice,
    /// What each place held when it was shown.
    pub(super) shown: BTreeMap<Seq, (i64, Vec<u8>)>,
    /// Commands that were acknowledged, and where they stand.
    pub(super) acked: BTreeMap<Ref, (Command, Seq)>,
    /// Letters in the order in which they were written.
    pub(super) written: Vec<Ref>,
    /// The relay knows it no longer.
    pub(super) is_out: bool,
    /// What the relay did that it must not.
    pub(super) complaints: Vec<String>,
}

/// A conversation's state.
#[derive(Debug, Default)]
struct Talk {
    welcomed: bool,
    next_n: N,
    /// Something was refused: nothing more is sent until all is answered.
    halted: bool,
    /// The last counter that was used, as far as the relay has said.
    last_n: N,
    not_before: Option<Instant>,
}

impl Phone {
    pub(super) fn new(token: Token, member: MemberId, names: Dice) -> Self {
        Self {
            token,
            member,
            to_come: VecDeque::new(),
            outbox: VecDeque::new(),
            cursor: Cursor::default(),
            names,
            shown: BTreeMap::new(),
            acked: BTreeMap::new(),
            written: Vec::new(),
            is_out: false,
            complaints: Vec::new(),
        }
    }

    /// A name that no other command has.
    fn new_ref(&mut self) -> Ref {
        let mut name = [0; 12];
        name.copy_from_slice(&self.names.bytes(12));
        Ref(name)
    }

    /// A letter to all, to be written then.
    pub(super) fn will_write(&mut self, at: Instant) {
        let entry_ref = self.new_ref();
        let post = Post {
            n: 0,
            entry_ref,
            epoch: 0,
            from: self.member,
            to: Vec::new(),
            kind: 1,
            sealed: [&entry_ref.0[..], &[0x5a; 40]].concat(),
            key: None,
            until: None,
            blob: None,
        };
        self.to_come.push_back((at, Command::Post(post)));
    }

    /// So many letters, and the rule by which they are to leave: each once, or the one of them each time.
    pub(super) fn will_plan(&mut self, at: Instant, rule: RuleText, letters: usize) {
        let schedule = self.new_ref();
        for _ in 0..letters {
            let body_ref = self.new_ref();
            let hold = Hold {
                n: 0,
                body_ref,
                epoch: 0,
                from: self.member,
                to: Vec::new(),
                kind: 1,
                sealed: [&body_ref.0[..], &[0x5a; 40]].concat(),
                schedule,
                valid_for: None,
                blob: None,
                again: None,
                replaces: None,
            };
            self.to_come.push_back((at, Command::Hold(hold)));
        }
        let plan = Plan {
            n: 0,
            entry_ref: schedule,
            from: self.member,
            to: Vec::new(),
            bank: letters > 1,
            rule,
            state: ScheduleState::Active,
            schedule: None,
            seen: None,
        };
        self.to_come.push_back((at, Command::Plan(plan)));
    }

    /// Nothing is left to send.
    pub(super) fn is_quiet(&self) -> bool {
        self.outbox.is_empty() && self.to_come.is_empty()
    }

    fn put(&mut self, command: Command) {
        if matches!(command, Command::Post(_)) {
            self.written.push(command.name());
        }
        self.outbox.push_back(Waiting { command, sent: None });
    }

    fn take_up(&mut self) {
        while let Some((_, command)) = self.to_come.pop_front_if(|(at, _)| *at <= Instant::now()) {
            self.put(command);
        }
    }

    /// Talks to a relay until the connection ends, or until then.
    pub(super) async fn talk(&mut self, mut link: PhoneEnd, weather: &Weather, end: Instant) {
        let mut talk = Talk::default();
        self.outbox.iter_mut().for_each(|waiting| waiting.sent = None);
        let cursor = (self.cursor.seq > 0).then_some(self.cursor);
        let hello = Hello { token: self.token.clone(), cursor, cursors_at: None };
        say(&link, ClientFrame::Hello(hello));
        let cut_at = match weather.strikes(70) {
            true => Instant::now() + Duration::from_millis(weather.below(90_000)),
            false => end,
        };
        let mut heard_at = Instant::now();
        while !self.is_out {
            self.take_up();
            self.send_more(&link, &mut talk);
            let deadlines = [
                Some(cut_at.min(end)),
                Some(heard_at + PATIENCE),
                self.to_come.front().map(|(at, _)| *at),
                talk.not_before.filter(|at| *at > Instant::now()),
            ];
            let deadline = deadlines.into_iter().flatten().min().unwrap_or(end);
            let message = tokio::select! {
                biased;
                message = link.incoming.recv() => message,
                () = sleep_until(deadline) => {
                    let now = Instant::now();
                    if now >= cut_at.min(end) || now >= heard_at + PATIENCE {
                        return;
                    }
                    continue;
                }
            };
            heard_at = Instant::now();
            match message {
                Some(Message::Binary(bytes)) => {
                    let (_, frame) = RelayFrame::from_bytes(&bytes).expect("a relay's frame");
                    if !self.hear(frame, &link, &mut talk, weather) {
                        return;
                    }
                }
                Some(Message::Close(_)) | None => return,
                Some(_) => {}
            }
        }
    }

    fn send_more(&mut self, link: &PhoneEnd, talk: &mut Talk) {
        let now = Instant::now();
        if talk.not_before.is_some_and(|at| at > now) || !talk.welcomed {
            return;
        }
        let sent = self.outbox.iter().filter(|waiting| waiting.sent.is_some()).count();
        if talk.halted {
            if sent > 0 {
                return;
            }
            talk.halted = false;
            talk.next_n = talk.last_n + 1;
        }
        talk.not_before = None;
        let free = AT_ONCE.saturating_sub(sent);
        for waiting in self.outbox.iter_mut().filter(|one| one.sent.is_none()).take(free) {
            waiting.sent = Some(talk.next_n);
            say(link, waiting.command.numbered(talk.next_n));
            talk.next_n += 1;
        }
    }

    /// Whether it goes on.
    fn hear(
        &mut self,
        frame: RelayFrame,
        link: &PhoneEnd,
        talk: &mut Talk,
        luck: &Weather,
    ) -> bool {
        match frame {
            RelayFrame::Welcome(welcome) => {
                if welcome.restart.is_some() {
                    self.complaints.push("a cursor that stood does not stand".to_owned());
                }
                self.cursor.generation = welcome.generation;
                (talk.welcomed, talk.last_n) = (true, welcome.last_n);
                talk.next_n = talk.last_n + 1;
            }
            RelayFrame::Posted(posted) => {
                talk.last_n = talk.last_n.max(posted.n);
                let index =
                    self.outbox.iter().position(|one| one.command.name() == posted.entry_ref);
                match index.and_then(|index| self.outbox.remove(index)) {
                    Some(done) => {
                        self.acked.insert(posted.entry_ref, (done.command, posted.seq));
                    }
                    None => self.complaints.push(format!("answered unasked: {posted:?}")),
                }
            }
            RelayFrame::Refused(refused) => return self.refused(&refused, talk),
            RelayFrame::Entries(entries) => {
                self.show(entries);
                // Now and then only what comes later is acknowledged.
                if !luck.strikes(10) {
                    let ack = Ack { seq: self.cursor.seq, tag: self.cursor.tag };
                    say(link, ClientFrame::Ack(ack));
                }
            }
            _ => {}
        }
        true
    }

    fn refused(&mut self, refused: &Refused, talk: &mut Talk) -> bool {
        if refused.code == ErrorCode::Unauthorised {
            self.is_out = true;
            return false;
        }
        let Some(n) = refused.n else { return talk.welcomed };
        let Some(index) = self.outbox.iter().position(|one| one.sent == Some(n)) else {
            self.complaints.push(format!("refused unasked: {refused:?}"));
            return true;
        };
        talk.halted = true;
        talk.last_n = refused.last_n.unwrap_or(talk.last_n);
        if let Some(retry_ms) = refused.retry_after_ms {
            talk.not_before = Some(Instant::now() + Duration::from_millis(retry_ms.into()));
        }
        let again =
            matches!(refused.code, ErrorCode::Renumber | ErrorCode::Unavailable | ErrorCode::Stale);
        if again {
            if let Some(waiting) = self.outbox.get_mut(index) {
                waiting.sent = None;
            }
        } else {
            // For good: an hour that has passed.
            self.outbox.remove(index);
        }
        true
    }

    fn show(&mut self, entries: Entries) {
        if entries.after != self.cursor.seq {
            self.complaints.push(format!("after {}, at {}", entries.after, self.cursor.seq));
            return;
        }
        for entry in entries.entries {
            match Content::from_bytes(&entry.content) {
                Ok(Content::Message(_, message)) if message.from != self.member => {
                    let entry_ref = self.new_ref();
                    self.put(Command::Report(Report {
                        n: 0,
                        entry_ref,
                        from: self.member,
                        of: message.entry_ref,
                        to: message.from,
                        rung: Rung::Played,
                        at: entry.at,
                        share: Some(100),
                    }));
                }
                Ok(_) => {}
                Err(error) => self.complaints.push(format!("unreadable: {error}")),
            }
            if self.shown.insert(entry.seq, (entry.at, entry.content)).is_some() {
                self.complaints.push(format!("{} was shown twice", entry.seq));
            }
        }
        (self.cursor.seq, self.cursor.tag) = (entries.upto, entries.tag);
    }
}

fn say(link: &PhoneEnd, frame: ClientFrame) {
    let _the_relay_has_gone = link.outgoing.send(Message::Binary(frame.to_bytes(0).into()));
}
