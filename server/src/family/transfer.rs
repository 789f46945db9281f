//! How a family comes to be another site's, or another programme's.

use jiashu_proto::entry::{Consent, Content, PLACEMENT_KEY, Placement, Seq};
use jiashu_proto::frame::Enrol;
use jiashu_proto::id::{Millis, Scope};
use jiashu_roster::Roster;

use super::consent::agreed;
use super::contact::look;
use super::enrolment::{case_entry, case_key};
use super::ledger::{BOOKS, Stayed, left};
use super::tasks::{Task, TaskKind};
use crate::notify::outbox::{About, Mail, Recipient, id_of};
use crate::programme::{OfferFact, OfferState, Taken, entry, offer_key};
use crate::store::{Batch, Change, DueItem, NewEntry, Precondition};

/// It is at another site of its programme from now on. `None` where it is there already.
#[must_use]
pub fn decide_move((place, standing): &(Seq, Placement), site: &str, now: Millis) -> Option<Batch> {
    if standing.site.as_deref() == Some(site) {
        return None;
    }
    let placement = Placement { site: Some(site.to_owned()), since: now, ..standing.clone() };
    Some(Batch {
        requires: vec![Precondition::FactAt(PLACEMENT_KEY.into(), Some(*place))],
        entries: vec![NewEntry::of(&Content::Placement(placement))],
        changes: vec![Stayed::of(*place, standing.since, standing.site.clone()), look(now)],
        ..Batch::new(now)
    })
}

/// The case of the programme that takes the family. What was agreed on with the other stays there.
#[must_use]
pub fn moved_case(case: Enrol, taken: &Taken) -> NewEntry {
    let Taken { case_code, site } = taken.clone();
    let (consents, proposal) = (Vec::new(), Vec::new());
    case_entry(&Enrol { case_code, site, replaces: None, consents, proposal, ..case })
}

/// In the programme that had it the offer is taken, and the case names no family any more; `place` is the offer's and
/// `case_place` the case's: who takes back, or lets the family begin anew, is before this or after it.
#[must_use]
pub fn offer_taken(offer: OfferFact, place: Seq, case_place: Seq, now: Millis) -> Batch {
    let taken = OfferFact { state: OfferState::Taken, ..offer };
    let (offer, case) = (offer_key(taken.family), case_key(&taken.case_code));
    Batch {
        requires: vec![
            Precondition::FactAt(offer.clone(), Some(place)),
            Precondition::FactAt(case.clone(), Some(case_place)),
        ],
        entries: vec![entry(offer, &taken), entry(case, &taken)],
        changes: vec![Change::ClearDue(DueItem::Enrolment(taken.case_code))],
        ..Batch::new(now)
    }
}

/// In the family: it is the other programme's, to which nobody has agreed yet that contact is counted. Letters go on, and
/// who asked for help is told to the new staff.
#[must_use]
pub fn decide_handover(
    family: Scope,
    (place, standing): &(Seq, Placement),
    placement: Placement,
    roster: &Roster,
    consents: &[(Seq, Consent)],
    tasks: &[Task],
    now: Millis,
) -> Batch {
    let is_counted =
        |consent: &Consent| consent.counting_on.is_some() || consent.counting_assent_on.is_some();
    let anew = consents.iter().map(|(_, consent)| consent).filter(|consent| is_counted(consent));
    let anew = anew.map(|consent| Consent {
        counting_on: None,
        counting_assent_on: None,
        counting_terms: None,
        ..consent.clone()
    });
    let (mut batch, _) = agreed(anew.collect(), roster, consents, now);
    // Whatever else has come to an end.
    batch.changes.extend(BOOKS.map(|book| Change::StrikeBook(book.to_owned())));
    batch.requires.push(Precondition::FactAt(PLACEMENT_KEY.into(), Some(*place)));
    batch.changes.push(left(standing.programme, &standing.case_code));
    batch.entries.push(NewEntry::of(&Content::Placement(placement)));
    for task in tasks.iter().filter(|task| task.kind == TaskKind::Help && task.is_open()) {
        let parts = [&family.0.to_be_bytes()[..], &task.member.0.to_be_bytes(), &now.to_be_bytes()];
        let mail = Mail::new(Recipient::Responsible, About::Help(task.member), now);
        batch.changes.extend(mail.put(id_of(&parts), now));
    }
    batch
}

#[cfg(test)]
mod tests {
    use jiashu_proto::id::{DeviceId, MemberId};

    use super::*;

    fn placement() -> Placement {
        let site = Some("tianshui".to_owned());
        Placement { programme: Scope(70), case_code: "GS-001".into(), site, since: 40, care: None }
    }

    #[test]
    fn a_family_that_moves_is_remembered_where_it_was() {
        let batch = decide_move(&(7, placement()), "soroca", 50).unwrap();

        assert_eq!(batch.requires, [Precondition::FactAt("placement".into(), Some(7))]);
        let moved = Placement { site: Some("soroca".into()), since: 50, ..placement() };
        assert_eq!(batch.entries, [NewEntry::of(&Content::Placement(moved))]);
        let Some(Change::Count { row, look: None }) = batch.changes.first() else {
            panic!("{batch:?}")
        };
        let stayed = Stayed { from: 40, site: Some("tianshui".into()) };
        assert_eq!(Stayed::read(row), Some(stayed));
        assert_eq!(decide_move(&(7, placement()), "tianshui", 50), None);
    }

    #[test]
    fn who_goes_to_another_programme_is_not_counted_and_still_takes_part() {
        let day = || Some("2026-11-01".to_owned());
        let lili = Consent {
            consent_on: day(),
            assent_on: day(),
            counting_on: day(),
            counting_assent_on: day(),
            ..Consent::none(MemberId(3))
        };
        let spec = jiashu_tests::FamilySpec {
            consents: vec![lili.clone()],
            ..jiashu_tests::FamilySpec::li()
        };
        let (enrol, _) = spec.draw("GS-001", 0);
        let mut roster = Roster::new();
        let _ = roster.append(&enrol.link, None).unwrap();
        let open = Task::open(TaskKind::Help, MemberId(3), 45);
        let done =
            Task { done_by: Some(DeviceId(1)), ..Task::open(TaskKind::Help, MemberId(2), 44) };
        let to = Placement { programme: Scope(71), since: 50, ..placement() };
        let tasks = [open, done];

        let batch = decide_handover(
            Scope(9),
            &(7, placement()),
            to.clone(),
            &roster,
            &[(5, lili.clone())],
            &tasks,
            50,
        );

        assert!(batch.requires.contains(&Precondition::FactAt("placement".into(), Some(7))));
        assert!(batch.requires.contains(&Precondition::FactAt("consent/3".into(), Some(5))));
        let consent = Consent { counting_on: None, counting_assent_on: None, ..lili };
        let entries = [Content::Consent(consent), Content::Placement(to)];
        assert_eq!(batch.entries, entries.map(|content| NewEntry::of(&content)));
        for change in [Change::SetActive(true), Change::SetCounted(None), look(50)] {
            assert!(batch.changes.contains(&change), "{change:?}");
        }
        for book in super::super::ledger::BOOKS {
            assert!(batch.changes.contains(&Change::StrikeBook(book.to_owned())), "{book}");
        }
        let is_mail = |change: &&Change| matches!(change, Change::SetDue(DueItem::Mail(_), _));
        assert_eq!(batch.changes.iter().filter(is_mail).count(), 1, "of the call that is open");
    }

    #[test]
    fn an_offer_that_is_taken_leaves_no_case() {
        let offer = OfferFact {
            family: Scope(9),
            case_code: "GS-001".into(),
            to: Scope(71),
            by: DeviceId(1),
            at: 40,
            state: OfferState::Open,
        };

        let batch = offer_taken(offer, 7, 3, 50);

        let offer = Precondition::FactAt("offer/0000000000000009".into(), Some(7));
        let case = Precondition::FactAt("case/GS-001".into(), Some(3));
        assert_eq!(batch.requires, [offer, case]);
        let left = batch.entries.iter().find(|entry| entry.key.as_deref() == Some("case/GS-001"));
        assert!(super::super::enrolment::read_case(&left.unwrap().content).is_err());
    }
}
