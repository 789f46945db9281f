//! The verdict on a journal: pure, so that it can be shown to find what it is there to find.

use std::collections::{BTreeMap, BTreeSet};

/// What the journal tells against the relay.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Complaint {
    /// Acknowledged, and not shown by a device that has read all.
    Lost(String),
    /// The same, behind all that was shown: the log ends before it.
    CutOff(String),
    /// Shown more than once to one device in one reading.
    Doubled(String),
    /// Shown with another text than was sent.
    Altered(String),
    /// Shown, and sent by nobody.
    Foreign(String),
    /// Two places of one letter: acknowledged or shown there, and elsewhere before.
    Moved(String),
    /// Shown after what its writer sent later, or what stands later in the log.
    Disordered(String),
    /// Neither acknowledged nor reported unsent at the end.
    Forgotten(String),
}

/// What came of it all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Letters sent, each counted once.
    pub sent: usize,
    /// Of those, how many were acknowledged.
    pub acked: usize,
    /// Of those not acknowledged, how many some device was shown.
    pub unacked_and_shown: usize,
    /// Readings to the end of the log.
    pub readings: usize,
    /// All that is wrong, sorted.
    pub complaints: BTreeSet<Complaint>,
}

impl Verdict {
    /// How many acknowledged letters are lost.
    #[must_use]
    pub fn lost(&self) -> usize {
        let lost = |of: &&Complaint| matches!(of, Complaint::Lost(_) | Complaint::CutOff(_));
        self.complaints.iter().filter(lost).count()
    }
}

/// Judges a journal, see [`crate::journal`].
///
/// # Panics
///
/// If a line is none of a journal's.
#[must_use]
pub fn check(journal: &str) -> Verdict {
    let mut checker = Checker::default();
    for line in journal.lines() {
        let mut words = line.splitn(2, ' ');
        let (verb, rest) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let parts: Vec<_> = rest.splitn(3, ' ').collect();
        match (verb, &parts[..]) {
            ("sent", [device, name, text]) => checker.sent(device, name, text),
            ("acked", [name, seq]) => checker.acked(name, number(seq)),
            ("unsent", [name]) => checker.unsent(name),
            ("reading", [_, after]) => checker.reading(number(after)),
            ("shown", [seq, name, text]) => checker.shown(number(seq), name, text),
            ("all", _) => checker.read_all(),
            _ => panic!("not a line of a journal: {line:?}"),
        }
    }
    checker.verdict()
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

/// A letter as its writer knows it.
struct Sent<'a> {
    device: &'a str,
    text: &'a str,
    /// Among those of its device.
    order: usize,
    acked: bool,
    unsent: bool,
    shown: bool,
}

#[derive(Default)]
struct Checker<'a> {
    sent: BTreeMap<&'a str, Sent<'a>>,
    of_device: BTreeMap<&'a str, usize>,
    /// Where each letter was first said to stand.
    places: BTreeMap<&'a str, u64>,
    acked: BTreeMap<u64, &'a str>,
    reading: Reading<'a>,
    readings: usize,
    complaints: BTreeSet<Complaint>,
}

/// What one device is shown from its cursor on.
#[derive(Default)]
struct Reading<'a> {
    after: u64,
    last: u64,
    names: BTreeSet<&'a str>,
    newest_of: BTreeMap<&'a str, usize>,
}

impl<'a> Checker<'a> {
    fn complain(&mut self, complaint: fn(String) -> Complaint, name: &str) {
        self.complaints.insert(complaint(name.to_owned()));
    }

    fn sent(&mut self, device: &'a str, name: &'a str, text: &'a str) {
        let count = self.of_device.entry(device).or_default();
        self.sent.entry(name).or_insert_with(|| {
            *count += 1;
            Sent { device, text, order: *count, acked: false, unsent: false, shown: false }
        });
    }

    fn acked(&mut self, name: &'a str, seq: u64) {
        match self.sent.get_mut(name) {
            Some(sent) => sent.acked = true,
            None => self.complain(Complaint::Foreign, name),
        }
        self.stands(name, seq);
        self.acked.insert(seq, name);
    }

    fn unsent(&mut self, name: &str) {
        if let Some(sent) = self.sent.get_mut(name) {
            sent.unsent = true;
        }
    }

    fn stands(&mut self, name: &'a str, seq: u64) {
        if *self.places.entry(name).or_insert(seq) != seq {
            self.complain(Complaint::Moved, name);
        }
    }

    fn reading(&mut self, after: u64) {
        self.reading = Reading { after, last: after, ..Reading::default() };
    }

    fn shown(&mut self, seq: u64, name: &'a str, text: &str) {
        if !self.reading.names.insert(name) {
            return self.complain(Complaint::Doubled, name);
        }
        self.stands(name, seq);
        let Some(sent) = self.sent.get_mut(name) else {
            return self.complain(Complaint::Foreign, name);
        };
        sent.shown = true;
        let altered = sent.text != text;
        let newest = self.reading.newest_of.entry(sent.device).or_default();
        let disordered = seq <= self.reading.last || sent.order < *newest;
        (*newest, self.reading.last) = (sent.order.max(*newest), self.reading.last.max(seq));
        if altered {
            self.complain(Complaint::Altered, name);
        }
        if disordered {
            self.complain(Complaint::Disordered, name);
        }
    }

    fn read_all(&mut self) {
        self.readings += 1;
        let owed = self.acked.range(self.reading.after + 1..);
        let lost = owed.filter(|(_, name)| !self.reading.names.contains(*name));
        let lost: Vec<_> = lost.map(|(seq, name)| (*seq, *name)).collect();
        for (seq, name) in lost {
            let behind = seq > self.reading.last;
            self.complain(if behind { Complaint::CutOff } else { Complaint::Lost }, name);
        }
    }

    fn verdict(mut self) -> Verdict {
        let forgotten = self.sent.iter().filter(|(_, sent)| !sent.acked && !sent.unsent);
        let forgotten: Vec<_> = forgotten.map(|(name, _)| *name).collect();
        for name in forgotten {
            self.complain(Complaint::Forgotten, name);
        }
        let count =
            |fits: fn(&Sent<'_>) -> bool| self.sent.values().filter(|sent| fits(sent)).count();
        Verdict {
            sent: self.sent.len(),
            acked: count(|sent| sent.acked),
            unacked_and_shown: count(|sent| !sent.acked && sent.shown),
            readings: self.readings,
            complaints: self.complaints,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two letters of phone 1, both acknowledged, then what some device was shown.
    fn after_two(rest: &str) -> Vec<Complaint> {
        let two = "sent 1 aa one\nacked aa 5\nsent 1 bb two\nacked bb 6\n";
        check(&format!("{two}{rest}")).complaints.into_iter().collect()
    }

    fn complaint(of: fn(String) -> Complaint, name: &str) -> Vec<Complaint> {
        vec![of(name.to_owned())]
    }

    #[test]
    fn all_in_order_and_once_is_no_complaint() {
        let whole = "reading 2 0\nshown 5 aa one\nshown 6 bb two\nall\n";
        let verdict =
            check(&format!("sent 1 aa one\nacked aa 5\nsent 1 bb two\nunsent bb\n{whole}"));

        assert_eq!(after_two(whole), []);
        assert_eq!((verdict.sent, verdict.acked, verdict.unacked_and_shown), (2, 1, 1));
        assert_eq!((verdict.readings, verdict.complaints.len()), (1, 0));
    }

    #[test]
    fn what_was_acknowledged_and_is_not_shown_is_lost() {
        let lost = after_two("reading 2 0\nshown 6 bb two\nall\n");

        assert_eq!(lost, complaint(Complaint::Lost, "aa"));
        let cut_off = after_two("reading 2 0\nshown 5 aa one\nall\n");
        assert_eq!(cut_off, complaint(Complaint::CutOff, "bb"));
        assert_eq!(after_two("reading 2 5\nshown 6 bb two\nall\n"), [], "it was read before");
        assert_eq!(after_two("reading 2 0\nshown 5 aa one\n"), [], "the reading was cut short");
    }

    #[test]
    fn a_letter_shown_twice_is_doubled() {
        let twice = after_two("reading 2 0\nshown 5 aa one\nshown 5 aa one\nshown 6 bb two\nall\n");

        assert_eq!(twice, complaint(Complaint::Doubled, "aa"));
        let two = "reading 2 0\nshown 5 aa one\nreading 3 0\nshown 5 aa one\n";
        assert_eq!(after_two(two), [], "once to each device");
    }

    #[test]
    fn another_text_or_an_unknown_letter_is_noticed() {
        let altered = after_two("reading 2 0\nshown 5 aa on3\n");
        let foreign = after_two("reading 2 0\nshown 5 aa one\nshown 7 cc three\n");

        assert_eq!(altered, complaint(Complaint::Altered, "aa"));
        assert_eq!(foreign, complaint(Complaint::Foreign, "cc"));
    }

    #[test]
    fn another_order_is_noticed() {
        let swapped = after_two("reading 2 0\nshown 6 bb two\nshown 5 aa one\nall\n");
        let inverted = check(
            "sent 1 aa one\nsent 1 bb two\nacked bb 5\nacked aa 6\n\
             reading 2 0\nshown 5 bb two\nshown 6 aa one\nall\n",
        );

        assert_eq!(swapped, complaint(Complaint::Disordered, "aa"));
        assert!(inverted.complaints.contains(&Complaint::Disordered("aa".into())));
    }

    #[test]
    fn a_letter_at_another_place_than_before_is_noticed() {
        let moved = after_two("reading 2 0\nshown 5 aa one\nshown 7 bb two\nall\n");
        let acked_twice = after_two("acked bb 9\n");

        assert_eq!(moved, complaint(Complaint::Moved, "bb"));
        assert_eq!(acked_twice, complaint(Complaint::Moved, "bb"));
    }

    #[test]
    fn a_letter_of_which_nobody_knows_is_forgotten() {
        let forgotten = after_two("sent 1 cc three\n");

        assert_eq!(forgotten, complaint(Complaint::Forgotten, "cc"));
        assert_eq!(after_two("sent 1 cc three\nunsent cc\n"), []);
        assert_eq!(after_two("sent 1 cc three\nunsent cc\nsent 1 cc three\nacked cc 7\n"), []);
    }
}
