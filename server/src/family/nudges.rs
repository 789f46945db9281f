//! Whom a family's phones prompt when contact was missed: facts that the relay writes, and that end by themselves.

use std::collections::BTreeMap;

use jiashu_contact::escalation::Step;
use jiashu_proto::entry::{Content, Nudge, Nudged, Seq, nudge_key};
use jiashu_proto::id::MemberId;

use crate::store::{NewEntry, Precondition};

/// What changes of a family's nudges.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Nudges {
    /// That nobody else wrote them meanwhile.
    pub requires: Vec<Precondition>,
    /// Facts that say so.
    pub entries: Vec<NewEntry>,
    /// Children of whom somebody is prompted that was not before.
    pub begun: Vec<MemberId>,
}

/// What is to be written where those stand, by place.
#[must_use]
pub fn follow(standing: &[(Seq, Nudge)], steps: &BTreeMap<MemberId, Step>) -> Nudges {
    let mut nudges = Nudges::default();
    for (child, step) in steps {
        let stands = standing.iter().find(|(_, nudge)| nudge.child == *child);
        let was = stands.map_or(Nudged::Nobody, |(_, nudge)| nudge.whom);
        let whom = prompted(*step);
        if whom == was {
            continue;
        }
        let seen = stands.map(|(seq, _)| *seq);
        nudges.requires.push(Precondition::FactAt(nudge_key(*child), seen));
        nudges.entries.push(NewEntry::of(&Content::Nudge(Nudge { child: *child, whom })));
        if was == Nudged::Nobody {
            nudges.begun.push(*child);
        }
    }
    nudges
}

fn prompted(step: Step) -> Nudged {
    match step {
        Step::Rests | Step::Nobody => Nudged::Nobody,
        Step::Parents => Nudged::Parents,
        Step::Caregivers | Step::Staff => Nudged::Caregivers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LILI: MemberId = MemberId(3);

    fn stands(whom: Nudged) -> Vec<(Seq, Nudge)> {
        vec![(9, Nudge { child: LILI, whom })]
    }

    #[test]
    fn a_nudge_is_written_when_it_changes_and_begins_once() {
        let of =
            |standing: &[(Seq, Nudge)], step| follow(standing, &BTreeMap::from([(LILI, step)]));

        assert_eq!(of(&[], Step::Nobody), Nudges::default());
        let first = of(&[], Step::Parents);
        assert_eq!(first.requires, [Precondition::FactAt("nudge/3".into(), None)]);
        assert_eq!(first.begun, [LILI]);
        assert_eq!(of(&stands(Nudged::Parents), Step::Parents), Nudges::default());
        let further = of(&stands(Nudged::Parents), Step::Caregivers);
        assert_eq!((further.entries.len(), further.begun), (1, vec![]));
        assert_eq!(of(&stands(Nudged::Caregivers), Step::Staff), Nudges::default());
        let over = of(&stands(Nudged::Caregivers), Step::Nobody);
        let ended = NewEntry::of(&Content::Nudge(Nudge { child: LILI, whom: Nudged::Nobody }));
        assert_eq!((over.entries, over.begun), (vec![ended], vec![]));
        assert_eq!(of(&stands(Nudged::Nobody), Step::Parents).begun, [LILI]);
    }
}
