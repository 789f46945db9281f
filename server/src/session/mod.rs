//! A conversation: frames in, frames out. A WebSocket carries it live (`live`), a `POST /1` one
//! round of it (`round`); both are this session.
//!
//! Delivering is reading on from a lane's cursor, and only the device's ack moves it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiashu_proto::bounds;
use jiashu_proto::entry::Cursor;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{
    Ack, Beaten, ClientFrame, Cursors, GiveBack, Hello, Lane, Preview, Refused, RelayFrame, Welcome,
};
use jiashu_proto::id::{DeviceId, N, Scope};
use tokio::time::Instant;

use crate::access::{self, Access, AccessError, Who};
use crate::execute::{self, Failure, door};
use crate::family::Refusal;
use crate::hub::Mailbox;
use crate::limits::guests::Ticket;
use crate::limits::pace::TooFast;
use crate::relay::Relay;
use crate::store::{PageLimit, StoreError};

mod lane;

mod in_hand;

pub mod live;

pub mod round;

use in_hand::InHand;
use lane::OpenLane;

/// What goes back, in order.
pub(crate) type Answers = Vec<(Lane, RelayFrame)>;

/// One connection, or one round.
#[derive(Debug)]
pub(crate) struct Session {
    relay: Arc<Relay>,
    mailbox: Option<Arc<Mailbox>>,
    /// Its place at the door.
    ticket: Arc<Ticket>,
    /// Boxed: a map's node has room for eleven, and most connections have one.
    lanes: BTreeMap<Lane, Box<OpenLane>>,
    /// Frames not yet written.
    answers: Answers,
    /// Commands not yet done.
    in_hand: Vec<InHand>,
    /// Whether some token did not hold.
    turned_away: bool,
}

impl Session {
    /// A session that nobody has said hello on. With a mailbox it is told when logs grow.
    pub(crate) fn new(
        relay: Arc<Relay>,
        ticket: Arc<Ticket>,
        mailbox: Option<Arc<Mailbox>>,
    ) -> Self {
        let (lanes, answers, in_hand) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { relay, mailbox, ticket, lanes, answers, in_hand, turned_away: false }
    }

    /// Whether nobody has shown a token that holds.
    pub(crate) fn is_strangers(&self) -> bool {
        !self.ticket.has_come_in()
    }

    /// Whether nobody is left on it.
    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Whether nobody is on it because a token did not hold.
    pub(crate) fn is_turned_away(&self) -> bool {
        self.turned_away && self.is_empty()
    }

    /// Takes what is to be written.
    pub(crate) fn take_answers(&mut self) -> Answers {
        std::mem::take(&mut self.answers)
    }

    fn answer(&mut self, lane: Lane, frame: RelayFrame) {
        if let RelayFrame::Refused(refused) = &frame {
            self.relay.metrics.refuse(refused.code);
            self.turned_away |= ends_lane(refused.code);
        }
        self.answers.push((lane, frame));
    }

    fn refuse(&mut self, lane: Lane, refusal: Refusal) {
        let refused = Failure::Refused(refusal).answer(None);
        self.answer(lane, RelayFrame::Refused(refused));
    }

    /// Refuses what could not be read as a frame.
    pub(crate) fn refuse_malformed(&mut self, error: jiashu_proto::frame::FrameError) {
        let code = match error {
            jiashu_proto::frame::FrameError::TooLarge => ErrorCode::TooLarge,
            _ => ErrorCode::Malformed,
        };
        self.refuse(0, Refusal::new(code, error.to_string()));
    }

    /// Does what one frame asks, or takes it in hand: [`Session::finish`] after the last.
    pub(crate) async fn handle(&mut self, lane: Lane, frame: ClientFrame) {
        let may_wait = in_hand::may_wait(&frame) || matches!(frame, ClientFrame::Ack(_));
        if !may_wait || self.is_hand_full() {
            self.finish().await;
        }
        // Who talks without a pause must not put off the wake that says it is out.
        if !matches!(frame, ClientFrame::Hello(_)) {
            match self.is_let_in(lane).await {
                Ok(true) => {}
                Ok(false) => return,
                // A command's author is looked at once more where it is written; an ack is given nothing.
                Err(_) if may_wait || execute::name_of(&frame).is_some() => {}
                Err(failure) => return self.reply(lane, Err(failure)),
            }
        }
        if knocks(&frame)
            && let Err(too_fast) = self.relay.limits.pace.knock(self.ticket.address())
        {
            return self.slow_down(lane, None, too_fast);
        }
        match frame {
            ClientFrame::Ack(ack) => self.ack(lane, ack).await,
            // Boxed: what it takes to do it would be kept for every quiet connection.
            frame => Box::pin(self.do_command(lane, frame)).await,
        }
    }

    async fn do_command(&mut self, lane: Lane, frame: ClientFrame) {
        match frame {
            ClientFrame::Hello(hello) => self.hello(lane, hello).await,
            ClientFrame::Ack(ack) => self.ack(lane, ack).await,
            ClientFrame::Beat(_) => {
                let now = self.relay.clock.now();
                self.answer(lane, RelayFrame::Beaten(Beaten { now }));
            }
            ClientFrame::Look(look) => {
                let done = door::look(&self.relay, &look).await;
                self.reply(lane, done.map(RelayFrame::Invited));
            }
            ClientFrame::Join(join) => {
                let done = door::join(&self.relay, join).await;
                self.reply(lane, done.map(RelayFrame::Joined));
            }
            ClientFrame::Request(request) => {
                let done = door::request(&self.relay, &request).await;
                self.reply(lane, done.map(RelayFrame::Requested));
            }
            ClientFrame::HandIn(hand_in) => {
                let voucher = self.voucher(lane, hand_in.scope);
                let done = door::hand_in(&self.relay, hand_in, voucher).await;
                self.reply(lane, done.map(RelayFrame::HandedIn));
            }
            ClientFrame::Setup(setup) => {
                let done = crate::setup::use_link(&self.relay, &setup).await;
                self.reply(lane, done.map(RelayFrame::Staffed));
            }
            ClientFrame::Enrol(_)
            | ClientFrame::RecordConsent(_)
            | ClientFrame::Void(_)
            | ClientFrame::Reissue(_) => {
                self.staff_command(lane, frame).await;
            }
            ClientFrame::Preview(asked) => self.preview(lane, &asked),
            ClientFrame::GiveBack(asked) => self.give_back(lane, asked).await,
            ClientFrame::Unknown(_) => {
                let text = "this relay does not know that kind of frame";
                self.refuse(lane, Refusal::new(ErrorCode::UnknownKind, text));
            }
            command => self.device_command(lane, command).await,
        }
    }

    fn reply(&mut self, lane: Lane, done: Result<RelayFrame, Failure>) {
        let frame = done.unwrap_or_else(|failure| RelayFrame::Refused(failure.answer(None)));
        self.answer(lane, frame);
    }

    async fn device_command(&mut self, lane: Lane, command: ClientFrame) {
        let Some(Who::Device(sender)) = self.lanes.get(&lane).map(|lane| &lane.access.who) else {
            return self.refuse(lane, hello_first());
        };
        let (sender, scope) = (sender.clone(), self.scope_of(lane));
        if let Some((n, _)) = execute::name_of(&command) {
            let turns = matches!(command, ClientFrame::Turn(_));
            if let Err(too_fast) = self.relay.limits.pace.post(scope, sender.device, turns) {
                self.finish().await;
                return self.slow_down(lane, Some(n), too_fast);
            }
        }
        if in_hand::may_wait(&command) {
            return self.take_in_hand(InHand { lane, scope, sender, command });
        }
        self.finish().await;
        let done = execute::command(&self.relay, scope, &sender, command).await;
        self.answer_command(lane, done);
    }

    fn preview(&mut self, lane: Lane, asked: &Preview) {
        if !self.lanes.contains_key(&lane) {
            return self.refuse(lane, hello_first());
        }
        let done = execute::previewed(asked, self.relay.clock.now());
        self.reply(lane, done.map(RelayFrame::Previewed));
    }

    async fn give_back(&mut self, lane: Lane, asked: GiveBack) {
        let Some(Who::Device(sender)) = self.lanes.get(&lane).map(|lane| &lane.access.who) else {
            return self.refuse(lane, hello_first());
        };
        let (sender, scope) = (sender.clone(), self.scope_of(lane));
        if let Err(too_fast) = self.relay.limits.pace.post(scope, sender.device, false) {
            return self.slow_down(lane, None, too_fast);
        }
        let done = execute::given_back(&self.relay, scope, &sender, asked).await;
        self.reply(lane, done.map(RelayFrame::GivenBack));
    }

    /// Refuses what comes too fast. A command keeps its counter for the next try.
    fn slow_down(&mut self, lane: Lane, n: Option<N>, too_fast: TooFast) {
        self.relay.limits.refuse(too_fast.limit, &self.relay.metrics);
        let text = "too much at once: wait, and send it again".to_owned();
        let retry_after_ms = Some(too_fast.retry_after_ms);
        let code = ErrorCode::SlowDown;
        let refused = Refused { code, text, n, retry_after_ms, last_n: None, to_close: None };
        self.answer(lane, RelayFrame::Refused(refused));
    }

    async fn staff_command(&mut self, lane: Lane, command: ClientFrame) {
        let Some(Who::Staff(number)) = self.lanes.get(&lane).map(|lane| &lane.access.who) else {
            return self.refuse(lane, hello_first());
        };
        let (number, programme) = (*number, self.scope_of(lane));
        if let Err(too_fast) = self.relay.limits.pace.post(programme, number, false) {
            return self.slow_down(lane, None, too_fast);
        }
        let done = Box::pin(execute::staff::command(&self.relay, programme, number, command)).await;
        self.reply(lane, done.map(RelayFrame::Enrolled));
    }

    /// The live device of that family that is on the lane.
    fn voucher(&self, lane: Lane, family: Scope) -> Option<DeviceId> {
        let open = self.lanes.get(&lane).filter(|open| open.access.scope == family)?;
        match &open.access.who {
            Who::Device(sender) => Some(sender.device),
            Who::Staff(_) => None,
        }
    }

    fn scope_of(&self, lane: Lane) -> Scope {
        self.lanes.get(&lane).map_or(Scope::RELAY, |lane| lane.access.scope)
    }

    async fn hello(&mut self, lane: Lane, hello: Hello) {
        if usize::from(lane) >= bounds::MAX_LANES {
            let text = "a connection carries at most 64 lanes";
            return self.refuse(lane, Refusal::new(ErrorCode::Full, text));
        }
        self.close_lane(lane);
        let access = match access::authenticate(&*self.relay.store, &hello.token).await {
            Ok(access) => access,
            Err(error) => return self.refuse(lane, error.refusal()),
        };
        self.ticket.come_in();
        // Registered before the log is read, so that nothing comes in between unseen.
        if let Some(mailbox) = &self.mailbox {
            self.relay.hub.register(access.scope, access.seat(), mailbox, lane);
        }
        self.open_lane(lane, access, &hello).await;
    }

    async fn open_lane(&mut self, lane: Lane, access: Access, hello: &Hello) {
        let (generation, last_n) = (access.generation, access.last_n);
        let open = Box::new(OpenLane::new(access, hello));
        let holds = match &open.access.who {
            Who::Device(_) => open.cursor_holds(&*self.relay.store).await,
            Who::Staff(_) => Ok(true),
        };
        let now = self.relay.clock.now();
        self.lanes.insert(lane, open);
        let holds = match holds {
            Ok(holds) => holds,
            Err(error) => {
                self.close_lane(lane);
                let failure = Failure::from(error);
                return self.answer(lane, RelayFrame::Refused(failure.answer(None)));
            }
        };
        let restart = (!holds).then_some(true);
        let Some(open) = self.lanes.get_mut(&lane) else { return };
        if !holds {
            open.restart();
        }
        let reached = open.acked();
        self.answer(lane, RelayFrame::Welcome(Welcome { now, last_n, generation, restart }));
        self.note_cursor(lane, reached);
    }

    /// What the device has is noted, and its family's other phones may be told.
    fn note_cursor(&mut self, lane: Lane, reached: Cursor) {
        let Some(open) = self.lanes.get(&lane) else { return };
        if !matches!(open.access.who, Who::Device(_)) || reached.seq == 0 {
            return;
        }
        let (scope, device) = (open.access.scope, open.access.seat());
        self.relay.store.note_cursor(scope, device, reached.seq, self.relay.clock.now());
        self.relay.hub.cursor_moved(scope, device);
    }

    async fn ack(&mut self, lane: Lane, ack: Ack) {
        let Some(open) = self.lanes.get_mut(&lane) else {
            return self.refuse(lane, hello_first());
        };
        if open.ack(ack) {
            let reached = open.acked();
            self.note_cursor(lane, reached);
            return;
        }
        // Not a place that this session sent: the client dropped a frame and says where it stands.
        match open.stand_at(&*self.relay.store, ack).await {
            Ok(true) => {}
            Ok(false) => Box::pin(self.restart(lane)).await,
            Err(error) => {
                let failure = Failure::from(error);
                self.answer(lane, RelayFrame::Refused(failure.answer(None)));
            }
        }
    }

    /// The lane reads its log again from the start; the client drops what it has by its ref.
    async fn restart(&mut self, lane: Lane) {
        let now = self.relay.clock.now();
        let Some(open) = self.lanes.get_mut(&lane) else { return };
        // As of now: the counter and the generation may have moved since the hello.
        let (scope, seat) = (open.access.scope, open.access.seat());
        if let Ok(access) = access::look(&*self.relay.store, scope, seat).await {
            open.access = access;
        }
        open.restart();
        let welcome = Welcome {
            now,
            last_n: open.access.last_n,
            generation: open.access.generation,
            restart: Some(true),
        };
        self.answer(lane, RelayFrame::Welcome(welcome));
    }

    /// Adds what the lane's log holds beyond its cursor, as much as it may have unread.
    pub(crate) async fn pump(&mut self, lane: Lane) {
        loop {
            match self.is_let_in(lane).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(failure) => return self.reply(lane, Err(failure)),
            }
            let room = self.room(lane);
            let Some(open) = self.lanes.get_mut(&lane) else { return };
            let now = self.relay.clock.now();
            match open.next_entries(&*self.relay.store, room, now).await {
                Ok(None) => return,
                Ok(Some(entries)) => {
                    self.relay.metrics.delivered.inc_by(entries.entries.len() as u64);
                    self.answer(lane, RelayFrame::Entries(entries));
                    if !self.may_have_more(lane) {
                        return;
                    }
                }
                Err(StoreError::OtherLog) => Box::pin(self.restart(lane)).await,
                Err(error) => {
                    let failure = Failure::from(error);
                    return self.answer(lane, RelayFrame::Refused(failure.answer(None)));
                }
            }
        }
    }

    /// What may be sent on this lane before the client has read something. On a connection all
    /// lanes share it; a round has no acks, and one page for each.
    fn room(&self, lane: Lane) -> Option<PageLimit> {
        let is_live = self.mailbox.is_some();
        let counted = self.lanes.iter().filter(|(other, _)| is_live || **other == lane);
        let (entries, bytes) = counted
            .map(|(_, open)| open.unread())
            .fold((0, 0), |sum: (usize, usize), unread| (sum.0 + unread.0, sum.1 + unread.1));
        let limits = &self.relay.config.limits;
        let limit = PageLimit {
            entries: limits.unread_entries.checked_sub(entries)?,
            bytes: limits.unread_bytes.checked_sub(bytes)?,
        };
        (limit.entries > 0 && limit.bytes > 0).then_some(limit)
    }

    /// Something was acked on `lane`, so there is room: for all lanes that wait for it, the others
    /// first, as this one has just had some.
    pub(crate) async fn pump_waiting(&mut self, lane: Lane) {
        let (before, behind): (Vec<_>, Vec<_>) =
            self.lane_numbers().into_iter().partition(|other| *other <= lane);
        for other in behind.into_iter().chain(before) {
            if self.may_have_more(other) {
                self.pump(other).await;
            }
        }
    }

    /// Whether some lane's cursor is to be moved past what its device wrote.
    pub(crate) fn owes(&self) -> bool {
        self.lanes.values().any(|open| open.owes())
    }

    /// Moves the lane's cursor past what its device wrote, if that is owed and there is room.
    pub(crate) fn pay(&mut self, lane: Lane) {
        if self.room(lane).is_none() {
            return;
        }
        if let Some(entries) = self.lanes.get_mut(&lane).and_then(|open| open.pay()) {
            self.answer(lane, RelayFrame::Entries(entries));
        }
    }

    /// Whether the lane's last look at its log stopped before the head.
    pub(crate) fn may_have_more(&self, lane: Lane) -> bool {
        self.lanes.get(&lane).is_some_and(|lane| !lane.is_at_head())
    }

    /// Looks whether who is on the lane is still let in, and serves whom it served: the roster may
    /// have turned, or staff have voided it. Every look at a lane begins so; a lane on which nobody
    /// said hello goes on. Whether it goes on; where that is not to be had, nothing is given out.
    async fn is_let_in(&mut self, lane: Lane) -> Result<bool, Failure> {
        let Some(open) = self.lanes.get(&lane) else { return Ok(true) };
        match open.access.look_again(&*self.relay.store).await {
            Ok(serves_the_same) => {
                if !serves_the_same {
                    Box::pin(self.restart(lane)).await;
                }
                Ok(true)
            }
            Err(AccessError::Store(error)) => Err(error.into()),
            Err(out) => {
                self.refuse(lane, out.refusal());
                self.close_lane(lane);
                Ok(false)
            }
        }
    }

    /// How far the family's other devices have read, if the client does not know it yet.
    pub(crate) async fn tell_cursors(&mut self, lane: Lane) {
        let Some(open) = self.lanes.get_mut(&lane) else { return };
        if !matches!(open.access.who, Who::Device(_)) {
            return;
        }
        let (own, known) = (open.access.seat(), open.cursors_at);
        // A hint: what cannot be read now is told another time.
        let Ok(mut reached) = self.relay.store.cursors(open.access.scope).await else { return };
        reached.retain(|other| other.device != own && known.is_none_or(|at| other.at > at));
        if let Some(latest) = reached.iter().map(|other| other.at).max() {
            open.cursors_at = Some(latest);
            self.answer(lane, RelayFrame::Cursors(Cursors { reached }));
        }
    }

    /// The lanes that are open.
    pub(crate) fn lane_numbers(&self) -> Vec<Lane> {
        self.lanes.keys().copied().collect()
    }

    /// Since when some lane has had something to read and its client acked none of it.
    pub(crate) fn unread_since(&self) -> Option<Instant> {
        self.lanes.values().filter_map(|open| open.unread_since()).min()
    }

    /// Ends a lane; the connection goes on with the others.
    pub(crate) fn close_lane(&mut self, lane: Lane) {
        if let (Some(open), Some(mailbox)) = (self.lanes.remove(&lane), &self.mailbox) {
            self.relay.hub.unregister(open.access.scope, mailbox, lane);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for lane in self.lane_numbers() {
            self.close_lane(lane);
        }
    }
}

/// Whether who is answered so has no place here any more.
fn ends_lane(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::Unauthorised | ErrorCode::NewChain | ErrorCode::Erased)
}

/// Whether it costs the relay work and needs no hello.
fn knocks(frame: &ClientFrame) -> bool {
    matches!(
        frame,
        ClientFrame::Look(_)
            | ClientFrame::Join(_)
            | ClientFrame::Setup(_)
            | ClientFrame::Request(_)
            | ClientFrame::HandIn(_)
    )
}

fn hello_first() -> Refusal {
    Refusal::new(ErrorCode::HelloFirst, "say hello on this lane first, as who may do that")
}
