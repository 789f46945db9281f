//! A family of the programme with its phones, and an account of all that it did.

use std::path::Path;

use anyhow::Context;
use jiashu_proto::entry::Rung;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::cast::{Family, Member, Part};
use super::phone::{Heard, Phone};
use super::script::Act;

/// A family and what became of it.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) family: Family,
    /// When it was enrolled.
    enrolled: Timestamp,
    phones: Vec<Used>,
    planned: Option<Timestamp>,
    pauses: Vec<Value>,
    contacts: Vec<Value>,
}

/// A phone, and what was heard on it that the relay does not know yet.
#[derive(Debug)]
struct Used {
    device: String,
    phone: Phone,
    untold: Vec<(Heard, Timestamp)>,
    has_written: bool,
    /// When the relay was told that somebody said or heard something on it.
    used: Vec<Timestamp>,
}

impl Life {
    /// All phones of the family join by their cards.
    pub(super) async fn begin(
        family: Family,
        enrolled: Timestamp,
        cards: &[Value],
        homes: &Path,
    ) -> anyhow::Result<Self> {
        let mut life = Self {
            family,
            enrolled,
            phones: Vec::new(),
            planned: None,
            pauses: Vec::new(),
            contacts: Vec::new(),
        };
        for card in cards {
            let text = |key| card.get(key).and_then(Value::as_str).unwrap_or_default();
            if text("case_code") != life.family.case_code {
                continue;
            }
            let device = text("device").to_owned();
            let home = homes.join(format!("{}-{device}", life.family.case_code));
            let phone = Phone::join(home, text("link")).await?;
            life.phones.push(Used {
                device,
                phone,
                untold: Vec::new(),
                has_written: false,
                used: Vec::new(),
            });
        }
        Ok(life)
    }

    /// Does these, one after the other, all at that time.
    pub(super) async fn act(&mut self, acts: &[Act], now: Timestamp) -> anyhow::Result<()> {
        let mut to_reach = Vec::new();
        for act in acts {
            match act {
                Act::Plan => {
                    let parent = self.family.of(Part::Parent).next().context("no parent")?.number;
                    let place = self.phone_of(parent)?;
                    self.used(place)?.phone.confirm(parent).await?;
                    self.planned = Some(now);
                }
                Act::Write { from, to } => {
                    let place = self.phone_of(*from)?;
                    let text = format!("{}, {}", self.name(*to), now.strftime("%-d.%-m."));
                    let used = self.used(place)?;
                    used.phone.write(*from, *to, &text)?;
                    used.has_written = true;
                    to_reach.push(place);
                }
                Act::Hear { by, online } => {
                    let place = self.phone_of(*by)?;
                    if *online && !to_reach.contains(&place) {
                        self.reach(place, now).await?;
                        to_reach.push(place);
                    }
                    let rung = if self.is_child(*by) { Rung::Shown } else { Rung::Opened };
                    let used = self.used(place)?;
                    let heard = used.phone.hear(*by, rung)?;
                    used.untold.extend(heard.into_iter().map(|heard| (heard, now)));
                }
                Act::Reach { by } => to_reach.push(self.phone_of(*by)?),
                Act::Pause { first, last, reason } => self.pauses.push(json!({
                    "first": first.to_string(), "last": last.to_string(), "reason": reason
                })),
            }
        }
        to_reach.sort_unstable();
        to_reach.dedup();
        for place in to_reach {
            self.reach(place, now).await?;
        }
        Ok(())
    }

    /// The phone reaches the relay, which knows then what was heard on it.
    async fn reach(&mut self, place: usize, now: Timestamp) -> anyhow::Result<()> {
        let used = self.used(place)?;
        used.phone.reach().await?;
        let told = std::mem::take(&mut used.untold);
        if std::mem::take(&mut used.has_written) || !told.is_empty() {
            used.used.push(now);
        }
        for (Heard { from, by }, heard_at) in told {
            let (child, way) = match (self.is_child(from), self.is_child(by)) {
                (false, true) => (by, "home"),
                (true, false) => (from, "away"),
                _ => continue,
            };
            self.contacts.push(json!({
                "child": child, "way": way,
                "heard_at": heard_at.to_string(), "came_at": now.to_string(),
            }));
        }
        Ok(())
    }

    fn used(&mut self, place: usize) -> anyhow::Result<&mut Used> {
        self.phones.get_mut(place).context("no such phone")
    }

    fn phone_of(&self, member: u32) -> anyhow::Result<usize> {
        let device = self.family.members.iter().find(|one| one.number == member);
        let device = device.map(|member| member.device.as_str());
        let place = self.phones.iter().position(|used| Some(used.device.as_str()) == device);
        place.with_context(|| format!("{} has no phone for {member}", self.family.case_code))
    }

    fn is_child(&self, member: u32) -> bool {
        self.family.of(Part::Child).any(|child| child.number == member)
    }

    fn name(&self, member: u32) -> &str {
        let found = self.family.members.iter().find(|one| one.number == member);
        found.map_or("", |member| &member.name)
    }

    /// What it did, for who checks the figures.
    pub(super) fn account(&self) -> Value {
        let Family { case_code, site, kind, .. } = &self.family;
        let plan = kind.plan.zip(self.planned);
        let plan = plan.map(
            |((days, at), since)| json!({ "days": days, "at": at, "since": since.to_string() }),
        );
        let children: Vec<_> = self.family.of(Part::Child).map(|child| child.number).collect();
        let is_shared = |device: &str| {
            let of = |member: &&Member| member.device == device;
            self.family.of(Part::Child).any(|child| child.device == device)
                && self.family.members.iter().filter(of).count() > 1
        };
        let phones: Vec<_> = self
            .phones
            .iter()
            .map(|Used { device, used, .. }| {
                let used: Vec<_> = used.iter().map(Timestamp::to_string).collect();
                json!({ "device": device, "shared": is_shared(device), "used": used })
            })
            .collect();
        json!({
            "case_code": case_code, "site": site.code, "zone": site.zone, "children": children,
            "counted_since": self.family.is_counted().then(|| self.enrolled.to_string()),
            "plan": plan, "pauses": self.pauses, "contacts": self.contacts, "phones": phones,
        })
    }
}
