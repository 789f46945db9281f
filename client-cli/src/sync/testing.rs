//! A family and its log for tests: what an honest relay would send, made with the real seals.

use std::collections::BTreeMap;

use jiashu_proto::entry::{Content, Cursor, Fired, LinkFact, Message, MessageKind, Seq, WrapsFact};
use jiashu_proto::frame::{Entries, RelayFrame, Welcome, WireEntry};
use jiashu_proto::id::{
    DeviceId, Epoch, InviteId, LinkHash, MemberId, Millis, N, Ref, Role, Scope,
};
use jiashu_proto::text::Text;
use jiashu_roster::{Op, Roster, occurrence_ref, token_hash};
use jiashu_seal::{
    BodyFields, Draft, FamilyKey, KeyPairs, NewLink, Signer, random, write_first_link, write_link,
};
use tempfile::TempDir;

use super::Engine;
use crate::home::Home;
use crate::state::State;
use crate::state::lane::Lane;

/// The mother, on device 1.
pub(crate) const MAMA: MemberId = MemberId(1);
/// The grandmother, on device 2, which she shares with the child.
pub(crate) const NAINAI: MemberId = MemberId(2);
/// The child.
pub(crate) const LILI: MemberId = MemberId(3);
/// The mother's phone.
pub(crate) const PHONE: DeviceId = DeviceId(1);
/// The phone of the household.
pub(crate) const HOUSE: DeviceId = DeviceId(2);
/// What the relay's log calls its present life.
pub(crate) const GENERATION: u32 = 7;
/// A time that tests agree on.
pub(crate) const NOON: Millis = 1_800_000_000_000;

/// A family whose two phones have joined, and its log.
pub(crate) struct World {
    pub(crate) roster: Roster,
    pub(crate) keys: BTreeMap<Epoch, FamilyKey>,
    pub(crate) devices: BTreeMap<DeviceId, KeyPairs>,
    pub(crate) log: Vec<WireEntry>,
    pub(crate) refs: Vec<Ref>,
    invites: BTreeMap<InviteId, KeyPairs>,
    homes: Vec<TempDir>,
}

impl World {
    pub(crate) fn new() -> Self {
        let invites: BTreeMap<_, _> =
            [1, 2].map(|number| (InviteId(number), KeyPairs::generate())).into();
        let mut ops = vec![
            Op::AddMember { member: MAMA, role: Role::Parent },
            Op::AddMember { member: NAINAI, role: Role::Caregiver },
            Op::AddMember { member: LILI, role: Role::Child },
        ];
        for ((invite, keys), members) in invites.iter().zip([vec![MAMA], vec![NAINAI, LILI]]) {
            ops.push(Op::AddInvite {
                invite: *invite,
                sign_pub: keys.sign.public(),
                hpke_pub: keys.hpke.public(),
                members,
                expires_at: NOON,
            });
        }
        let first = write_first_link(ops).unwrap();
        let mut world = Self {
            roster: first.roster,
            keys: BTreeMap::new(),
            devices: BTreeMap::new(),
            log: Vec::new(),
            refs: Vec::new(),
            invites,
            homes: Vec::new(),
        };
        world.push(&Content::Link(LinkFact { link: first.link }));
        world.join(InviteId(1));
        world.join(InviteId(2));
        world
    }

    /// A phone joins by an invite that a link brought, with these keys.
    pub(crate) fn let_in(&mut self, invite: InviteId, keys: KeyPairs) {
        self.invites.insert(invite, keys);
        self.join(invite);
    }

    fn join(&mut self, invite: InviteId) {
        let keys = KeyPairs::generate();
        let device = self.roster.next_device();
        let join = Op::Join {
            device,
            sign_pub: keys.sign.public(),
            hpke_pub: keys.hpke.public(),
            token_hash: token_hash(&random()),
        };
        let signer = Signer::Invite(invite, &self.invites[&invite].sign);
        let new = write_link(&self.roster, signer, vec![join], self.key().as_ref()).unwrap();
        self.devices.insert(device, keys);
        self.take(&new);
    }

    pub(crate) fn key(&self) -> Option<FamilyKey> {
        self.keys.get(&self.roster.number()).cloned()
    }

    /// A link that this device could write now.
    pub(crate) fn link_by(&self, device: DeviceId, ops: Vec<Op>) -> NewLink {
        let signer = Signer::Device(device, &self.devices[&device].sign);
        write_link(&self.roster, signer, ops, self.key().as_ref()).unwrap()
    }

    /// The relay takes a link: it stands in the log, its wraps behind it.
    pub(crate) fn take(&mut self, new: &NewLink) {
        self.take_link(new);
        self.take_wraps(new);
    }

    pub(crate) fn take_link(&mut self, new: &NewLink) {
        self.push(&Content::Link(LinkFact { link: new.link.clone() }));
        self.roster = new.roster.clone();
        self.keys.insert(new.roster.number(), new.key.clone());
    }

    pub(crate) fn take_wraps(&mut self, new: &NewLink) {
        let (number, wraps) = (new.roster.number(), new.wraps.clone());
        self.push(&Content::Wraps(WrapsFact { number, wraps }));
    }

    /// The next entry of the log. Its place.
    pub(crate) fn push(&mut self, content: &Content) -> Seq {
        let seq = self.log.len() as Seq + 1;
        let at = NOON + seq.cast_signed() * 1000;
        self.log.push(WireEntry { seq, at, content: content.to_bytes() });
        seq
    }

    /// A letter as that device would seal it now, not yet in the log.
    pub(crate) fn sealed(&self, device: DeviceId, from: MemberId, text: &str) -> Message {
        let epoch = self.roster.number();
        let fields = self.fields(device, from, None);
        let text =
            Text { written_at: NOON, content: text.into(), ring: None, voice: None, picture: None }
                .to_bytes();
        let draft = Draft::new(fields, text);
        let link = self.roster.hash_of(epoch).unwrap();
        Message {
            device,
            from,
            entry_ref: draft.body_ref(),
            epoch,
            to: Vec::new(),
            sealed: draft.seal(&self.keys[&epoch], link).unwrap(),
            key: None,
            until: None,
            blob: None,
            fired: None,
        }
    }

    /// As [`World::sealed`], but held, and fired by a schedule for that planned time.
    pub(crate) fn fired(&self, device: DeviceId, from: MemberId, planned: &str) -> Message {
        let (epoch, schedule) = (self.roster.number(), Ref([9; 12]));
        let fields = self.fields(device, from, Some(schedule));
        let text = Text {
            written_at: NOON,
            content: "planned".into(),
            ring: None,
            voice: None,
            picture: None,
        }
        .to_bytes();
        let draft = Draft::new(fields, text);
        let body_ref = draft.body_ref();
        let link = self.roster.hash_of(epoch).unwrap();
        let fired = Fired {
            body_ref,
            schedule,
            planned: planned.into(),
            due_at: NOON,
            adjust: None,
            valid_for: None,
            version: 0,
        };
        Message {
            entry_ref: occurrence_ref(body_ref, schedule, planned).unwrap(),
            sealed: draft.seal(&self.keys[&epoch], link).unwrap(),
            fired: Some(fired),
            ..self.sealed(device, from, "")
        }
    }

    fn fields(&self, device: DeviceId, from: MemberId, schedule: Option<Ref>) -> BodyFields {
        let kind = MessageKind::Text.number();
        BodyFields { device, from, kind, to: Vec::new(), key: None, until: None, schedule }
    }

    /// A letter comes into the log. Its place.
    pub(crate) fn letter(&mut self, device: DeviceId, from: MemberId, text: &str) -> Seq {
        let message = self.sealed(device, from, text);
        self.push_message(message)
    }

    pub(crate) fn push_message(&mut self, message: Message) -> Seq {
        self.refs.push(message.entry_ref);
        self.push(&Content::Message(MessageKind::Text.number(), message))
    }

    /// What the relay would send to a device that has read up to `after`.
    pub(crate) fn entries(&self, after: Seq) -> RelayFrame {
        let entries: Vec<_> = self.log.iter().filter(|entry| entry.seq > after).cloned().collect();
        let upto = self.log.len() as Seq;
        RelayFrame::Entries(Entries { after, upto, tag: tag_of(upto), floor: 0, entries })
    }

    /// Hash of the link that let the device in.
    fn join_hash(&self, device: DeviceId) -> LinkHash {
        let joined = self.roster.devices().get(&device).map(|device| device.joined);
        joined.and_then(|number| self.roster.hash_of(number)).unwrap_or(LinkHash::NONE)
    }

    /// A device that has joined and read nothing yet.
    pub(crate) fn engine(&mut self, device: DeviceId) -> Engine {
        let dir = tempfile::tempdir().unwrap();
        let state = State::create(&Home::find(Some(dir.path())).unwrap()).unwrap();
        self.homes.push(dir);
        let lane = Lane {
            origin: "http://127.0.0.1:1".parse().unwrap(),
            scope: Scope(5),
            code: [0; 16],
            secret: [0; 16],
            keys: self.devices[&device].clone(),
            device: Some(device),
            join_frame: None,
            join_hash: self.join_hash(device),
            cursor: None,
            log_epoch: 0,
            last_n: 0,
            cursors_at: None,
            broken: None,
            waits: None,
            retry_at: None,
            synced_at: None,
            ended: None,
        };
        lane.store(state.db()).unwrap();
        Engine::open(state).unwrap()
    }

    /// The device that joined last, as the next process of its home finds it.
    pub(crate) fn reopened(&self) -> Engine {
        let home = Home::find(Some(self.homes.last().unwrap().path())).unwrap();
        Engine::open(State::open(&home).unwrap()).unwrap()
    }

    /// A device that has joined and read all there is.
    pub(crate) fn synced(&mut self, device: DeviceId) -> Engine {
        let mut engine = self.engine(device);
        welcome(&mut engine, 0);
        engine.apply(self.entries(0), NOON).unwrap();
        engine
    }
}

/// The tag of a place, as this world's relay would have drawn it.
pub(crate) fn tag_of(seq: Seq) -> u32 {
    u32::try_from(seq).unwrap() * 11
}

/// A new connection: hello, and its welcome.
pub(crate) fn welcome(engine: &mut Engine, last_n: N) {
    engine.hello();
    let restart = None;
    let welcome = Welcome { now: NOON, last_n, generation: GENERATION, restart };
    engine.apply(RelayFrame::Welcome(welcome), NOON).unwrap();
}

/// The cursor of a device that has read up to `seq`.
pub(crate) fn cursor(seq: Seq) -> Option<Cursor> {
    Some(Cursor { generation: GENERATION, seq, tag: tag_of(seq) })
}
