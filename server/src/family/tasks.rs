//! What staff are asked to do for a family: somebody asked for help, or what is intended was missed again and again.
//!
//! A task stands in the family's ledger. That of missed contact comes and goes with what was missed; that of a call for
//! help ends when somebody of the staff says that it was seen to.

use std::collections::BTreeMap;

use jiashu_contact::escalation::Step;
use jiashu_proto::id::{DeviceId, MemberId, Millis};
use minicbor::{Decode, Encode};

use crate::store::{Change, LedgerRow};

/// The book of tasks.
pub const TASKS: &str = "tasks";

/// Why somebody of the staff is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum TaskKind {
    /// Somebody asked for help.
    #[n(1)]
    Help,
    /// Contact was missed so often in a row as the programme's thresholds say.
    #[n(2)]
    Missed,
}

impl TaskKind {
    /// Both, the more urgent first.
    pub const ALL: [Self; 2] = [Self::Help, Self::Missed];

    /// The word that is typed, and in `--json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Help => "help",
            Self::Missed => "missed",
        }
    }

    /// The kind of that word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Something to be done, or done.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Task {
    /// Why.
    #[n(0)]
    pub kind: TaskKind,
    /// Who asked, or which child was not heard.
    #[n(1)]
    pub member: MemberId,
    /// Since when, in ms.
    #[n(2)]
    pub opened_at: Millis,
    /// Who of the staff said that it was seen to; absent: nobody yet.
    #[n(3)]
    pub done_by: Option<DeviceId>,
}

impl Task {
    /// One that waits from now on.
    #[must_use]
    pub fn open(kind: TaskKind, member: MemberId, now: Millis) -> Self {
        Self { kind, member, opened_at: now, done_by: None }
    }

    /// Whether nobody has seen to it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.done_by.is_none()
    }

    fn name(&self) -> Vec<u8> {
        let kind = TaskKind::ALL.iter().position(|kind| *kind == self.kind).unwrap_or_default();
        let kind = u8::try_from(kind).unwrap_or(u8::MAX);
        [&[kind], &self.member.0.to_be_bytes()[..]].concat()
    }

    /// That it stands so from then on: one that was opened later over an earlier, what was done over what was not.
    #[must_use]
    pub fn enter(&self) -> Change {
        let opened = u64::try_from(self.opened_at).unwrap_or(0);
        Change::Enter(LedgerRow {
            book: TASKS.to_owned(),
            name: self.name(),
            version: (opened, u64::from(!self.is_open())),
            value: minicbor::to_vec(self).expect("writing to memory cannot fail"),
        })
    }

    /// What a row of the book says; `None` if it does not read.
    #[must_use]
    pub fn read(row: &LedgerRow) -> Option<Self> {
        minicbor::decode(&row.value).ok()
    }
}

/// The tasks of missed contact that come and go, where those `standing` are all there are.
#[must_use]
pub fn follow(standing: &[Task], steps: &BTreeMap<MemberId, Step>, now: Millis) -> Vec<Change> {
    let missed = || standing.iter().filter(|task| task.kind == TaskKind::Missed);
    let asks = |member: &MemberId| steps.get(member) == Some(&Step::Staff);
    let rests = |task: &Task| !task.is_open() && steps.get(&task.member) == Some(&Step::Rests);
    let over = missed().filter(|task| !asks(&task.member) && !rests(task));
    let over = over.map(|task| Change::Strike(TASKS.to_owned(), task.name()));
    let new =
        steps.keys().filter(|member| asks(member) && !missed().any(|task| task.member == **member));
    let new = new.map(|member| Task::open(TaskKind::Missed, *member, now).enter());
    over.chain(new).collect()
}

/// Those that are open once the changes of [`follow`] are made.
#[must_use]
pub fn open_after(standing: &[Task], steps: &BTreeMap<MemberId, Step>, now: Millis) -> Vec<Task> {
    let asks = |member: &MemberId| steps.get(member) == Some(&Step::Staff);
    let stays = |task: &&Task| task.kind == TaskKind::Help || asks(&task.member);
    let mut tasks: Vec<Task> = standing.iter().filter(stays).cloned().collect();
    for member in steps.keys().filter(|member| asks(member)) {
        if !tasks.iter().any(|task| task.kind == TaskKind::Missed && task.member == *member) {
            tasks.push(Task::open(TaskKind::Missed, *member, now));
        }
    }
    tasks.retain(Task::is_open);
    tasks.sort_by_key(|task| (task.kind, task.member));
    tasks
}

#[cfg(test)]
mod tests {
    use super::*;

    const LILI: MemberId = MemberId(3);
    const BAO: MemberId = MemberId(4);

    fn steps(lili: Step, bao: Step) -> BTreeMap<MemberId, Step> {
        BTreeMap::from([(LILI, lili), (BAO, bao)])
    }

    #[test]
    fn a_task_of_missed_contact_comes_once_and_goes_with_it() {
        let missed = [Task::open(TaskKind::Missed, LILI, 5)];

        assert_eq!(follow(&[], &steps(Step::Staff, Step::Parents), 5), [missed[0].enter()]);
        assert_eq!(open_after(&[], &steps(Step::Staff, Step::Parents), 5), missed);
        // It is there already, and keeps its time.
        assert_eq!(follow(&missed, &steps(Step::Staff, Step::Nobody), 9), []);
        let over = follow(&missed, &steps(Step::Nobody, Step::Nobody), 9);
        assert_eq!(over, [Change::Strike(TASKS.into(), missed[0].name())]);
        assert_eq!(open_after(&missed, &steps(Step::Nobody, Step::Nobody), 9), []);
    }

    #[test]
    fn one_that_was_seen_to_does_not_come_back_before_there_was_contact() {
        let done = [Task { done_by: Some(DeviceId(2)), ..Task::open(TaskKind::Missed, LILI, 5) }];

        assert_eq!(follow(&done, &steps(Step::Staff, Step::Nobody), 9), []);
        assert_eq!(open_after(&done, &steps(Step::Staff, Step::Nobody), 9), []);
        // A pause asks nobody, and is no contact.
        assert_eq!(follow(&done, &steps(Step::Rests, Step::Nobody), 9), []);
        assert_eq!(open_after(&done, &steps(Step::Rests, Step::Nobody), 9), []);
        let open = [Task { done_by: None, ..done[0].clone() }];
        let over = [Change::Strike(TASKS.into(), open[0].name())];
        assert_eq!(follow(&open, &steps(Step::Rests, Step::Nobody), 9), over);
        assert_eq!(follow(&done, &steps(Step::Nobody, Step::Nobody), 9), over);
    }

    #[test]
    fn a_call_for_help_outlives_contact() {
        let help = [Task::open(TaskKind::Help, LILI, 5)];

        assert_eq!(follow(&help, &steps(Step::Nobody, Step::Nobody), 9), []);
        assert_eq!(open_after(&help, &BTreeMap::new(), 9), help);
    }

    #[test]
    fn what_was_done_stands_over_what_was_not_until_it_is_opened_anew() {
        let version = |task: &Task| match task.enter() {
            Change::Enter(row) => row.version,
            _ => panic!("a row"),
        };
        let open = Task::open(TaskKind::Help, LILI, 5);
        let done = Task { done_by: Some(DeviceId(1)), ..open.clone() };
        let again = Task::open(TaskKind::Help, LILI, 6);

        assert!(version(&open) < version(&done) && version(&done) < version(&again));
    }
}
