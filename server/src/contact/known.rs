//! What there is to know of a family's contact, and what of it counts.

use std::collections::BTreeMap;

use jiashu_contact::ledger::{Contact, between};
use jiashu_contact::plan::{Intended as InForce, Pause as Days, Plan};
use jiashu_contact::week::Week;
use jiashu_proto::entry::{Consent, Pause, Placement, Suspension};
use jiashu_proto::id::{DeviceId, Epoch, MemberId, Millis, Ref, Role};
use jiashu_roster::Roster;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::stays::{Stay, Stays};
use crate::clock::timestamp;
use crate::family::contact::StandingPlan;
use crate::family::ledger::{Heard, Intended, Sent, Stayed};

/// What there is to know.
#[derive(Debug)]
pub struct Known {
    /// In whose figures it is.
    pub placement: Placement,
    /// Whether letters move.
    pub active: bool,
    /// Since when contact is counted, in ms; absent while it is not.
    pub counted_since: Option<Millis>,
    /// Who is in the family, and their phones.
    pub roster: Roster,
    /// When each link of the roster came, in ms, by its number.
    pub linked_at: BTreeMap<Epoch, Millis>,
    /// Of members, IANA.
    pub zones: BTreeMap<MemberId, String>,
    /// What is recorded of taking part and counting.
    pub consents: Vec<Consent>,
    /// All of them, those that were taken back too.
    pub pauses: Vec<Pause>,
    /// Who was suspended, and when.
    pub suspensions: Vec<Suspension>,
    /// What is intended.
    pub plan: Option<StandingPlan>,
    /// What was intended before.
    pub past: Vec<Intended>,
    /// At which sites of the programme it was before.
    pub stayed: Vec<Stayed>,
    /// What went, by its ref.
    pub sent: BTreeMap<Ref, Sent>,
    /// What was heard, and by whom.
    pub heard: Vec<(Ref, MemberId, Heard)>,
    /// The last week that has closed.
    pub closed: Option<Week>,
}

/// A contact, and whether it came after the week in which it was heard had closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counted {
    /// As it counts.
    pub contact: Contact,
    /// Whether it counts when it came.
    pub late: bool,
    /// Of which kind the message was.
    pub kind: u32,
}

impl Known {
    pub(super) fn role(&self, member: MemberId) -> Option<Role> {
        self.roster.members().get(&member).copied()
    }

    /// The children, in order.
    pub fn children(&self) -> impl Iterator<Item = MemberId> + '_ {
        self.of_role(Role::Child)
    }

    fn of_role(&self, role: Role) -> impl Iterator<Item = MemberId> + '_ {
        let members = self.roster.members().iter();
        members.filter(move |(_, found)| **found == role).map(|(member, _)| *member)
    }

    /// The clock of whoever of that role comes first.
    #[must_use]
    pub fn zone_of(&self, role: Role) -> Option<&str> {
        self.of_role(role).find_map(|member| self.zones.get(&member)).map(String::as_str)
    }

    /// Where it was, and where it is: on the clocks of the sites, by their codes, else on that of the first child.
    #[must_use]
    pub fn stays(&self, zones: &BTreeMap<String, String>) -> Stays {
        let stay = |from: Millis, site: &Option<String>| {
            let of_site = site.as_ref().and_then(|site| zones.get(site)).map(String::as_str);
            let zone = of_site.or(self.zone_of(Role::Child)).and_then(super::reckon::zone);
            let zone = zone.unwrap_or(TimeZone::UTC);
            Stay { from: timestamp(from), site: site.clone(), zone }
        };
        let past = self.stayed.iter().map(|Stayed { from, site }| stay(*from, site)).collect();
        Stays::new(past, stay(self.placement.since, &self.placement.site))
    }

    /// Every contact between a child and a parent, each message once, in any order.
    ///
    /// When it was heard is what the phone says, but not before it was sent, nor after the relay was told. Of what came
    /// after its week had closed, when it came. None while contact is not counted, though what was counted may still be
    /// there.
    #[must_use]
    pub fn contacts(&self, stays: &Stays) -> Vec<Counted> {
        if self.counted_since.is_none() {
            return Vec::new();
        }
        let mut first: BTreeMap<(Ref, MemberId), Counted> = BTreeMap::new();
        for (message, by, heard) in &self.heard {
            let Some(sent) = self.sent.get(message) else { continue };
            let roles = self.role(sent.from).zip(self.role(*by));
            let between =
                roles.and_then(|(author, hearer)| between((sent.from, author), (*by, hearer)));
            let Some((child, way)) = between else { continue };
            let came = timestamp(heard.at);
            let heard_at = timestamp(heard.claimed.clamp(sent.at.min(heard.at), heard.at));
            let late = stays.closes(stays.week_at(heard_at)) <= came;
            let heard_at = if late { came } else { heard_at };
            let (contact, kind) = (Contact { heard_at, child, way }, sent.kind);
            let counted = Counted { contact, late, kind };
            let earliest = first.entry((*message, child)).or_insert(counted);
            *earliest = (*earliest).min(counted);
        }
        first.into_values().collect()
    }

    /// When each phone that is in was last used to say or hear something up to then, in ms; `None` if it never was, and
    /// while contact is not counted.
    #[must_use]
    pub fn used(&self, until: Millis) -> BTreeMap<DeviceId, Option<Millis>> {
        let devices = self.roster.devices().keys();
        let mut used: BTreeMap<_, _> = devices.map(|device| (*device, None)).collect();
        for (device, at) in self.each_use().filter(|(_, at)| *at <= until) {
            if let Some(last) = used.get_mut(&device) {
                *last = (*last).max(Some(at));
            }
        }
        used
    }

    /// When each phone was used to say or hear something, as the relay was told; none while contact is not counted.
    fn each_use(&self) -> impl Iterator<Item = (DeviceId, Millis)> {
        let sent = self.sent.values().map(|sent| (sent.device, sent.at));
        let heard = self.heard.iter().map(|(_, _, heard)| (heard.device, heard.at));
        sent.chain(heard).filter(|_| self.counted_since.is_some())
    }

    /// When one of these phones was used from then until then, that instant excluded.
    pub fn uses<'a>(
        &'a self,
        phones: &'a [DeviceId],
        (from, until): (Timestamp, Timestamp),
    ) -> impl Iterator<Item = Timestamp> + 'a {
        let uses = self.each_use().filter(|(device, _)| phones.contains(device));
        uses.map(|(_, at)| timestamp(at)).filter(move |at| from <= *at && *at < until)
    }

    /// When a phone that is in joined.
    #[must_use]
    pub fn joined(&self, device: DeviceId) -> Option<Timestamp> {
        let link = self.roster.devices().get(&device)?.joined;
        self.linked_at.get(&link).copied().map(timestamp)
    }

    /// What is intended and was, each as long as it held, without the days of pauses, and without those on which no parent
    /// could write.
    #[must_use]
    pub fn plan(&self, now: Timestamp, zone: &TimeZone) -> Plan {
        let mut plan = Plan::default();
        for Intended { from, until, rules } in &self.past {
            let (from, until) = (timestamp(*from), timestamp(*until));
            plan.rules.extend(rules.iter().filter_map(|rule| InForce::of(rule, from, until)));
        }
        if let Some(StandingPlan { at, plan: standing, .. }) = &self.plan {
            let (from, until) = (timestamp(*at), Timestamp::MAX);
            let rules = standing.rules.iter();
            plan.rules.extend(rules.filter_map(|rule| InForce::of(rule, from, until)));
        }
        plan.pauses = self.pauses.iter().filter_map(Days::of).collect();
        let silenced = self.silenced(now).into_iter();
        let day = |at: Timestamp| zone.to_datetime(at).date();
        let days = |(from, until)| Days { first: day(from), last: day(until) };
        plan.pauses.extend(silenced.map(days));
        plan
    }

    /// When every parent was suspended; one that lasts, for a year from now.
    fn silenced(&self, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        let ahead = now.saturating_add(SignedDuration::from_hours(366 * 24)).unwrap_or(now);
        let times = |parent: MemberId| -> Vec<(Timestamp, Timestamp)> {
            let of = self.suspensions.iter().filter(|one| one.member == parent);
            let times = of.flat_map(|one| &one.times);
            times.map(|time| (timestamp(time.from), time.until.map_or(ahead, timestamp))).collect()
        };
        let both = |one: Vec<(Timestamp, Timestamp)>, other: Vec<(Timestamp, Timestamp)>| {
            let pairs =
                one.iter().flat_map(|a| other.iter().map(move |b| (a.0.max(b.0), a.1.min(b.1))));
            pairs.filter(|(from, until)| from < until).collect()
        };
        self.of_role(Role::Parent).map(times).reduce(both).unwrap_or_default()
    }

    /// Every week since the family was enrolled, wherever that was, in which a row of it may stand.
    pub fn all_weeks(&self, now: Millis) -> impl Iterator<Item = Week> {
        let began = self.linked_at.values().next().copied().unwrap_or_default();
        let first = Week::at(timestamp(began), &TimeZone::UTC).before();
        let last = Week::at(timestamp(now), &TimeZone::UTC).next();
        std::iter::successors(Some(first), |week| Some(week.next()))
            .take_while(move |week| *week <= last)
    }

    /// Those contacts that its figures count, in order.
    #[must_use]
    pub fn counted(&self, stays: &Stays, now: Millis) -> Vec<Counted> {
        let is_counted = |counted: &Counted| {
            let heard_at = counted.contact.heard_at;
            let ends = stays.ends(stays.week_at(heard_at));
            heard_at <= timestamp(now) && self.since().is_some_and(|since| since < ends)
        };
        let mut counted: Vec<_> = self.contacts(stays).into_iter().filter(is_counted).collect();
        counted.sort_unstable();
        counted
    }

    /// In which month a child was born, where that is recorded.
    #[must_use]
    pub fn born_in(&self, child: MemberId) -> Option<&str> {
        let of_child = self.consents.iter().find(|consent| consent.member == child);
        of_child?.born_in.as_deref()
    }

    /// Since when its children are counted: all at once, as a family is counted that agrees as a whole, and no child joins
    /// later. Not since the days that they agreed on: who records that weeks later finds nothing of these weeks, and who
    /// renews it begins nothing anew.
    #[must_use]
    pub fn since(&self) -> Option<Timestamp> {
        self.counted_since.filter(|_| self.active).map(timestamp)
    }
}
