//! What a device writes: letters, schedules, receipts, links and cards.

use jiashu_proto::entry::{MessageKind, RuleText, Rung, ScheduleState};
use jiashu_proto::frame::{
    Card as CardFrame, ClientFrame, HandIn, Hold, Plan, Post, Posted, RelayFrame, Report, Turn,
};
use jiashu_proto::id::{Epoch, MemberId, Millis, Ref};
use jiashu_proto::text::{Picture, Text};
use jiashu_roster::Op;
use jiashu_seal::{
    BodyFields, DeviceCard, Draft, KeyPairs, NewLink, SealError, Signer, random, write_link,
};

use crate::device::RawDevice;
use crate::family::{add_invite, seal_card};
use crate::joining::Way;

/// When everything in tests is written, in ms.
pub(crate) const WRITTEN_AT: Millis = 1_790_000_000_000;

impl RawDevice {
    /// A letter with the next counter, sealed under the newest key it knows; not sent.
    ///
    /// # Panics
    ///
    /// If it has no key.
    #[must_use]
    pub fn letter(&self, text: &str, to: &[u32]) -> Post {
        let fields = self.fields(to, None);
        let (epoch, entry_ref, sealed) = self.seal(Draft::new(fields.clone(), sealed_text(text)));
        Post {
            n: self.n + 1,
            entry_ref,
            epoch,
            from: fields.from,
            to: fields.to,
            kind: fields.kind,
            sealed,
            key: None,
            until: None,
            blob: None,
        }
    }

    /// The same letter under the newest key: same counter, same ref.
    ///
    /// # Panics
    ///
    /// If it has no key.
    #[must_use]
    pub fn seal_again(&self, post: &Post, text: &str) -> Post {
        let to: Vec<_> = post.to.iter().map(|member| member.0).collect();
        let fields = self.fields(&to, None);
        let draft = Draft::from_stored(post.entry_ref, fields, sealed_text(text));
        let (epoch, _, sealed) = self.seal(draft);
        Post { epoch, sealed, ..post.clone() }
    }

    fn fields(&self, to: &[u32], schedule: Option<Ref>) -> BodyFields {
        self.fields_of(MessageKind::Text, to, schedule)
    }

    pub(crate) fn fields_of(
        &self,
        kind: MessageKind,
        to: &[u32],
        schedule: Option<Ref>,
    ) -> BodyFields {
        BodyFields {
            device: self.number(),
            from: self.member(),
            kind: kind.number(),
            to: to.iter().copied().map(MemberId).collect(),
            key: None,
            until: None,
            schedule,
        }
    }

    /// Epoch, ref and sealed body under the newest key.
    pub(crate) fn seal(&self, draft: Draft) -> (Epoch, Ref, Vec<u8>) {
        let (epoch, key) = self.log.key().expect("it has read the newest key");
        let link = self.log.roster.hash_of(epoch).expect("the key came with its link");
        (epoch, draft.body_ref(), draft.seal(key, link).unwrap())
    }

    /// Posts a letter to all.
    ///
    /// # Panics
    ///
    /// If it is refused.
    pub async fn post(&mut self, text: &str) -> Posted {
        let letter = self.letter(text, &[]);
        self.command(ClientFrame::Post(letter)).await.expect("the letter is taken")
    }

    /// Posts so many letters, called by their number, in one round.
    ///
    /// # Panics
    ///
    /// If one is refused.
    pub async fn post_many(&mut self, count: u64) {
        let before = self.n;
        let letters = (1..=count).map(|step| {
            let letter = self.letter(&format!("letter {}", before + step), &[]);
            ClientFrame::Post(Post { n: before + step, ..letter })
        });
        let answers = self.ask(letters.collect()).await;
        let posted = answers.iter().filter(|answer| matches!(answer, RelayFrame::Posted(_)));
        assert_eq!(posted.count() as u64, count, "{answers:?}");
        self.n = before + count;
    }

    /// A letter that waits for a schedule; not sent.
    #[must_use]
    pub fn held_letter(&self, text: &str, to: &[u32], schedule: Ref) -> Hold {
        self.held(self.fields(to, Some(schedule)), sealed_text(text), schedule)
    }

    /// The same of a picture.
    #[must_use]
    pub fn held_picture(&self, picture: Picture, to: &[u32], schedule: Ref) -> Hold {
        let fields = self.fields_of(MessageKind::Picture, to, Some(schedule));
        self.held(fields, Text::of_picture(WRITTEN_AT, picture).to_bytes(), schedule)
    }

    fn held(&self, fields: BodyFields, text: Vec<u8>, schedule: Ref) -> Hold {
        let (epoch, body_ref, sealed) = self.seal(Draft::new(fields.clone(), text));
        Hold {
            n: self.n + 1,
            body_ref,
            epoch,
            from: fields.from,
            to: fields.to,
            kind: fields.kind,
            sealed,
            schedule,
            valid_for: None,
            blob: None,
            again: None,
            replaces: None,
        }
    }

    /// A held letter under the newest key, for the same device, as a command of its own.
    #[must_use]
    pub fn hold_again(&self, hold: &Hold, text: &str) -> Hold {
        let to: Vec<_> = hold.to.iter().map(|member| member.0).collect();
        let fields = self.fields(&to, Some(hold.schedule));
        let draft = Draft::from_stored(hold.body_ref, fields, sealed_text(text));
        let (epoch, _, sealed) = self.seal(draft);
        Hold { n: self.n + 1, epoch, sealed, again: Some(Ref(random())), ..hold.clone() }
    }

    /// A new schedule of that id; not sent.
    #[must_use]
    pub fn plan(&self, id: Ref, to: &[u32], rule: RuleText) -> Plan {
        Plan {
            n: self.n + 1,
            entry_ref: id,
            from: self.member(),
            to: to.iter().copied().map(MemberId).collect(),
            rule,
            state: ScheduleState::Active,
            schedule: None,
            bank: false,
            seen: None,
        }
    }

    /// Holds a letter and plans when it goes; the schedule's id.
    ///
    /// # Panics
    ///
    /// If either is refused.
    pub async fn schedule(&mut self, text: &str, to: &[u32], rule: RuleText) -> Ref {
        let id = Ref(random());
        let hold = self.held_letter(text, to, id);
        self.command(ClientFrame::Hold(hold)).await.expect("the letter is held");
        let plan = self.plan(id, to, rule);
        self.command(ClientFrame::Plan(plan)).await.expect("the schedule is taken");
        id
    }

    /// A receipt for a letter of `to`; not sent.
    #[must_use]
    pub fn report(&self, of: Ref, to: u32, rung: Rung) -> Report {
        Report {
            n: self.n + 1,
            entry_ref: Ref(random()),
            from: self.member(),
            of,
            to: MemberId(to),
            rung,
            at: WRITTEN_AT,
            share: None,
        }
    }

    /// A link with these ops after the chain that it knows.
    ///
    /// # Errors
    ///
    /// [`SealError`], if such a link could not follow.
    pub fn link(&self, ops: Vec<Op>) -> Result<NewLink, SealError> {
        let key = self.log.key().map(|(_, key)| key);
        let signer = Signer::Device(self.number(), &self.keys.sign);
        write_link(&self.log.roster, signer, ops, key)
    }

    /// The command that hands in a link; not sent.
    #[must_use]
    pub fn turn(&self, new: &NewLink, cards: Vec<CardFrame>) -> Turn {
        let (link, wraps) = (new.link.clone(), new.wraps.clone());
        Turn { n: self.n + 1, entry_ref: Ref(random()), link, wraps, cards }
    }

    /// The links after the first `known`, as they are handed in to a relay that lost them.
    #[must_use]
    pub fn hand_in(&self, known: usize) -> HandIn {
        let links = self.log.links().into_iter().skip(known).map(Into::into).collect();
        HandIn { scope: self.token.scope, links, wraps: self.log.wraps() }
    }

    /// Writes a link with these ops and reads it back.
    ///
    /// # Panics
    ///
    /// If it is refused.
    pub async fn write(&mut self, ops: Vec<Op>) -> Posted {
        let new = self.link(ops).expect("the link follows");
        let turn = self.turn(&new, Vec::new());
        let posted = self.command(ClientFrame::Turn(turn)).await.expect("the link is taken");
        self.sync().await;
        posted
    }

    /// A link that makes an invite, its card, and the way that the card opens.
    #[must_use]
    pub fn draw_invite(&self, members: &[u32], expires_at: Millis) -> (NewLink, CardFrame, Way) {
        let (keys, invite) = (KeyPairs::generate(), self.log.roster.next_invite());
        let members = members.iter().copied().map(MemberId).collect();
        let new = self.link(vec![add_invite(invite, &keys, members, expires_at)]).unwrap();
        let names = self.log.roster.members().keys().map(|member| (*member, member.to_string()));
        let card = DeviceCard { pin: new.hash, keys, names: names.collect(), device_name: None };
        let (card, secret) = seal_card(invite, card);
        (new, card, Way { raw: self.raw, scope: self.token.scope, secret })
    }

    /// Makes an invite and reads its link back.
    ///
    /// # Panics
    ///
    /// If it is refused.
    pub async fn invite(&mut self, members: &[u32], expires_at: Millis) -> Way {
        let (new, card, way) = self.draw_invite(members, expires_at);
        let turn = self.turn(&new, vec![card]);
        self.command(ClientFrame::Turn(turn)).await.expect("the link is taken");
        self.sync().await;
        way
    }
}

/// The bytes inside a letter's seal.
fn sealed_text(text: &str) -> Vec<u8> {
    Text { written_at: WRITTEN_AT, content: text.into(), ring: None, voice: None, picture: None }
        .to_bytes()
}
