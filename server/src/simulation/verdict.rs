//! What must hold of a family's log, and of what its phones were shown, however the dice fell.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiashu_proto::entry::{Content, Message, Seq};
use jiashu_proto::id::Ref;
use tokio::time::Instant;

use super::phone::{Command, Phone};
use crate::family::delivery::is_for;
use crate::store::Record;

/// Between the moment that a device is revoked and the writing of the last that may reach it (P14), and
/// what two reads of the store may take here.
const OUT_WITHIN: Duration = Duration::from_secs(2 + 3);

/// When a phone was taken out: where the log ended then, and the time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Revoked {
    pub(super) head: Seq,
    pub(super) at: Instant,
}

/// One family at the end.
#[derive(Debug)]
pub(super) struct Family<'a> {
    /// Its whole log.
    pub(super) log: Vec<Record>,
    pub(super) head: Seq,
    /// When its batches were written, by the places of their first entries.
    pub(super) written: BTreeMap<Seq, Instant>,
    pub(super) phones: &'a [Phone],
    /// Of the last of its phones.
    pub(super) revoked: Option<Revoked>,
}

#[derive(Default)]
struct Complaints(Vec<String>);

impl Complaints {
    fn unless(&mut self, holds: bool, text: impl FnOnce() -> String) {
        if !holds {
            self.0.push(text());
        }
    }
}

/// All that is wrong.
pub(super) fn judge(family: &Family<'_>) -> Vec<String> {
    let mut complaints = Complaints::default();
    let contents: BTreeMap<Seq, Content> = family
        .log
        .iter()
        .filter_map(|record| Some((record.seq, Content::from_bytes(&record.content).ok()?)))
        .collect();
    let letters: Vec<(Seq, &Message)> = contents
        .iter()
        .filter_map(|(seq, content)| match content {
            Content::Message(_, message) => Some((*seq, message)),
            _ => None,
        })
        .collect();
    complaints.unless(contents.len() == family.log.len(), || "unreadable entries".to_owned());
    let last = family.log.last().map_or(0, |record| record.seq);
    complaints.unless(last <= family.head, || format!("{last} beyond the head {}", family.head));
    let names: BTreeSet<Ref> = letters.iter().map(|(_, letter)| letter.entry_ref).collect();
    complaints.unless(names.len() == letters.len(), || "a letter stands twice (P2)".to_owned());
    for phone in family.phones {
        judge_acknowledged(phone, &contents, &mut complaints);
        judge_order(phone, &letters, &mut complaints);
        judge_shown(phone, family, &contents, &mut complaints);
        complaints.0.extend(phone.complaints.iter().cloned());
        complaints.unless(phone.is_out || phone.is_quiet(), || "an outbox is not empty".to_owned());
    }
    judge_schedules(family.phones, &letters, &mut complaints);
    if let (Some(revoked), Some(phone)) = (family.revoked, family.phones.last()) {
        complaints.unless(phone.is_out, || "a revoked phone goes on (P14)".to_owned());
        let wrote_since = letters.iter().any(|(seq, letter)| {
            letter.device == phone.token.device && *seq > revoked.head && letter.fired.is_none()
        });
        complaints.unless(!wrote_since, || "a revoked phone has written (P14)".to_owned());
        let shown_since = phone.shown.keys().any(|seq| {
            let written = family.written.range(..=*seq).next_back();
            written.is_some_and(|(_, at)| *at > revoked.at + OUT_WITHIN)
        });
        complaints.unless(!shown_since, || "a revoked phone was shown more (P14)".to_owned());
    }
    complaints.0
}

/// What was acknowledged stands where it was said to (P1).
fn judge_acknowledged(
    phone: &Phone,
    contents: &BTreeMap<Seq, Content>,
    complaints: &mut Complaints,
) {
    for (name, (command, seq)) in &phone.acked {
        let stands = match (command, contents.get(seq)) {
            (Command::Post(_), Some(Content::Message(_, letter))) => letter.entry_ref == *name,
            (Command::Report(report), Some(Content::Receipt(receipt))) => receipt.of == report.of,
            // An end of the schedule takes its place.
            (Command::Plan(_), _) => *seq > 0,
            (Command::Hold(_), _) => *seq == 0,
            _ => false,
        };
        complaints.unless(stands, || format!("{name:?} was acknowledged and is not at {seq} (P1)"));
    }
}

/// A phone's letters stand in the order in which it wrote them.
fn judge_order(phone: &Phone, letters: &[(Seq, &Message)], complaints: &mut Complaints) {
    let order: BTreeMap<Ref, usize> =
        phone.written.iter().enumerate().map(|(index, name)| (*name, index)).collect();
    let stand: Vec<_> =
        letters.iter().filter_map(|(_, letter)| order.get(&letter.entry_ref)).collect();
    complaints.unless(stand.is_sorted(), || format!("out of order: {stand:?}"));
}

/// Each phone was shown all that is for it, as it stands, and nothing else.
fn judge_shown(
    phone: &Phone,
    family: &Family<'_>,
    contents: &BTreeMap<Seq, Content>,
    complaints: &mut Complaints,
) {
    for record in &family.log {
        let Some(content) = contents.get(&record.seq) else { continue };
        let has_it = match (phone.shown.get(&record.seq), content) {
            (Some((at, shown)), _) => *at == record.at && *shown == record.content,
            (None, Content::Message(_, letter)) => {
                phone.is_out || phone.acked.contains_key(&letter.entry_ref)
            }
            (None, Content::Receipt(receipt)) => {
                phone.is_out || receipt.device == phone.token.device
            }
            (None, _) => phone.is_out,
        };
        complaints.unless(has_it || !is_for(content, &[phone.member]), || {
            format!("{} lacks {} of {}: {content:?}", phone.token.device, record.seq, family.head)
        });
    }
    for (seq, (_, bytes)) in &phone.shown {
        let Ok(content) = Content::from_bytes(bytes) else { continue };
        // A fact may have been superseded since; a letter stays.
        let stands = contents.contains_key(seq) || content.key().is_some();
        complaints.unless(stands, || format!("{seq} was shown and is nowhere: {content:?}"));
        let is_for = is_for(&content, &[phone.member]);
        complaints.unless(is_for, || format!("{seq} was shown to another: {content:?}"));
    }
}

/// Every occurrence fires once, in its order, with the next letter of its bank (P9).
fn judge_schedules(phones: &[Phone], letters: &[(Seq, &Message)], complaints: &mut Complaints) {
    let mut fired: BTreeMap<Ref, Vec<(&str, Ref)>> = BTreeMap::new();
    for (_, letter) in letters {
        if let Some(release) = &letter.fired {
            let of_schedule = fired.entry(release.schedule).or_default();
            of_schedule.push((&release.planned, release.body_ref));
        }
    }
    for (schedule, of_schedule) in &fired {
        let ascends = of_schedule.is_sorted_by(|one, next| one.0 < next.0);
        complaints.unless(ascends, || format!("{schedule:?} fired twice (P9): {of_schedule:?}"));
    }
    for phone in phones {
        for (name, (command, _)) in &phone.acked {
            let Command::Plan(plan) = command else { continue };
            let all = fired.get(name).map_or(&[][..], Vec::as_slice);
            let bodies: BTreeSet<Ref> = all.iter().map(|(_, body)| *body).collect();
            let is_right = match (plan.bank, &plan.rule.rrule) {
                (true, _) => !all.is_empty() && bodies.len() == all.len(),
                (false, Some(_)) => !all.is_empty() && bodies.len() == 1,
                (false, None) => all.len() == 1,
            };
            complaints.unless(is_right, || format!("{plan:?} fired {all:?} (P9)"));
        }
    }
}
