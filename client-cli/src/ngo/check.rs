//! Every row of the families' list is checked before anything is written. Pure: bytes and a date
//! give families, and what is to be said about the rest.

use std::collections::{BTreeSet, HashMap};

use jiashu_proto::bounds;
use jiashu_proto::entry::{Care, Terms, own_word_from};
use jiashu_proto::id::{MemberId, Role};
use jiff::civil::Date;

pub(super) use self::shared::{SharedPhone, shared_phones};
use super::cell::{self, Planned, Settled};
use super::sheet::{self, Column, Finding, Row};

/// Bytes of an invite's blob beside the names: keys, pin, seal and CBOR heads, rounded up.
const CARD_OVERHEAD: usize = 400;

/// Bytes of CBOR around one name on a card, at most.
const NAME_OVERHEAD: usize = 8;

/// A person, as one row says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Line of the file.
    pub(super) row: usize,
    /// Number in the family.
    pub(super) number: MemberId,
    /// What they are in it.
    pub(super) role: Role,
    /// Stays on this machine and on the cards.
    pub(super) name: String,
    /// IANA.
    pub(super) zone: String,
    /// BCP 47.
    pub(super) language: String,
    /// Label of their phone in the family, if they have one.
    pub(super) device: Option<String>,
    /// Name of a phone that several families share.
    pub(super) shared_device: Option<String>,
    /// Of a child the guardian's.
    pub(super) consent_on: Option<String>,
    /// The child's own.
    pub(super) assent_on: Option<String>,
    /// Day of birth; stays here.
    pub(super) born_on: Option<Date>,
    /// Month of birth of a child, where the programme has a jurisdiction.
    pub(super) born_in: Option<String>,
    /// To counting; of a child the guardian's.
    pub(super) counting_on: Option<String>,
    /// The child's own to counting.
    pub(super) counting_assent_on: Option<String>,
    /// By what consent was given, to both.
    pub(super) terms: Option<Terms>,
    /// Code of the site, as this row says.
    site: Option<String>,
    /// When the family means to hear each other, as this row says.
    plan: Option<Planned>,
    /// Who looks after the family's children, as this row says.
    care: Option<Care>,
}

/// A family without a fault; its members are numbered from 1 without a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Family {
    /// The programme's own code.
    pub(super) case_code: String,
    /// By number.
    pub(super) members: Vec<Member>,
    /// Code of its site.
    pub(super) site: Option<String>,
    /// When it means to hear each other.
    pub(super) plan: Option<Planned>,
    /// Who looks after its children.
    pub(super) care: Option<Care>,
}

/// One phone of a family: whom it serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Phone<'a> {
    /// Its label.
    pub(super) label: &'a str,
    /// By number; never empty.
    pub(super) members: Vec<&'a Member>,
}

impl Family {
    /// The family's phones, each with those who share it, in the order of their first members.
    #[must_use]
    pub(super) fn phones(&self) -> Vec<Phone<'_>> {
        let mut phones: Vec<Phone<'_>> = Vec::new();
        for member in &self.members {
            let Some(label) = member.device.as_deref() else { continue };
            match phones.iter_mut().find(|phone| phone.label == label) {
                Some(phone) => phone.members.push(member),
                None => phones.push(Phone { label, members: vec![member] }),
            }
        }
        phones
    }
}

/// What the list holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Checked {
    /// Those without a fault, in the order of the list.
    pub(super) families: Vec<Family>,
    /// What is wrong, by row.
    pub(super) faults: Vec<Finding>,
    /// What is to be known, by row; nothing of it stops an enrolment.
    pub(super) warnings: Vec<Finding>,
    /// How many families have a fault; a row without a case code that can be read counts as one.
    pub(super) faulty: usize,
    /// Whether something stands anywhere that is judged by what the programme has.
    asks: bool,
}

impl Checked {
    /// Whether a site or a day of birth stands anywhere, in families with a fault too.
    #[must_use]
    pub(super) fn asks_what_is_settled(&self) -> bool {
        self.asks
    }
}

/// Checks the whole list, but for what the programme has. `today` is the latest date that has begun anywhere.
#[must_use]
pub(super) fn check(bytes: &[u8], today: Date) -> Checked {
    check_by(bytes, today, &Settled::default())
}

/// The same, in a programme that has this.
#[must_use]
pub(super) fn check_by(bytes: &[u8], today: Date, settled: &Settled) -> Checked {
    let rows = match sheet::read(bytes) {
        Ok(rows) => rows,
        Err(faults) => return Checked { faults, ..Checked::default() },
    };
    let stands = |column: Column| rows.iter().any(|row| !row.cell(column).trim().is_empty());
    let asks = stands(Column::Site) || stands(Column::BornOn);
    let mut checked = Checked { asks, ..Checked::default() };
    let readings: Vec<_> =
        rows.iter().map(|row| Reading::of(row, today, settled, &mut checked)).collect();
    let groups = group(readings);
    for group in &groups {
        check_group(group, &mut checked);
    }
    differ::case_codes(&groups, &mut checked.faults);
    differ::children(&groups, &mut checked.faults);
    sort_out(groups, &mut checked);
    checked
}

/// What could be read of one row.
struct Reading {
    line: usize,
    case_code: Option<String>,
    number: Option<u32>,
    /// Only if the whole row is good.
    member: Option<Member>,
}

/// The rows of one case code, or one row without.
type Group = Vec<Reading>;

fn group(readings: Vec<Reading>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for reading in readings {
        let next = groups.len();
        let place =
            reading.case_code.clone().map_or(next, |code| *places.entry(code).or_insert(next));
        match groups.get_mut(place) {
            Some(group) => group.push(reading),
            None => groups.push(vec![reading]),
        }
    }
    groups
}

impl Reading {
    fn of(row: &Row, today: Date, settled: &Settled, checked: &mut Checked) -> Self {
        let before = checked.faults.len();
        let mut cells = Cells { row, faults: &mut checked.faults };
        if let Some(reason) = &row.misshapen {
            cells.fault(Column::ALL[0], reason.clone());
        }
        let case_code = cells.needed(Column::CaseCode, cell::case_code);
        let number = cells.needed(Column::Member, cell::member);
        let role = cells.needed(Column::Role, cell::role);
        let name = cells.needed(Column::Name, cell::name);
        let zone = cells.needed(Column::TimeZone, cell::time_zone);
        let language = cells.needed(Column::Language, cell::language);
        let device = cells.optional(Column::Device, cell::name);
        let shared_device = cells.optional(Column::SharedDevice, cell::name);
        let date = |text: &str| cell::date(text, today);
        let consent_on = cells.optional(Column::ConsentOn, date);
        let assent_on = cells.optional(Column::AssentOn, date);
        let born_on = cells.optional(Column::BornOn, |text| cell::born(text, today));
        let counting_on = cells.optional(Column::CountingOn, date);
        let counting_assent_on = cells.optional(Column::CountingAssentOn, date);
        let terms = terms(&mut cells, today);
        let site = cells.optional(Column::Site, |text| known_site(text, settled.sites.as_deref()));
        let plan = cells.optional(Column::Plan, cell::plan);
        let care = cells.optional(Column::Care, cell::care);
        let no_consent = row.cell(Column::ConsentOn).trim().is_empty() && row.misshapen.is_none();
        let age = settled.own_word_age.filter(|_| role == Some(Role::Child));
        let born_in = age.and(born_on).map(cell::month);
        let from = born_in.as_deref().zip(age).and_then(|(born, age)| own_word_from(born, age));
        let is_own_word = assent_on.is_some() && from.is_some_and(|from| from <= today.to_string());
        if role == Some(Role::Child) && no_consent && !is_own_word {
            let reason = "missing consent: the guardian's consent date is missing";
            cells.fault(Column::ConsentOn, reason.into());
        }
        let good = checked.faults.len() == before;
        for fault in checked.faults.iter_mut().skip(before) {
            fault.case_code.clone_from(&case_code);
        }
        let member = match (number, role, name, zone, language) {
            (Some(number), Some(role), Some(name), Some(zone), Some(language)) if good => {
                let (number, row, spoken) = (MemberId(number), row.line, Some(language.clone()));
                let member = Member {
                    row,
                    number,
                    role,
                    name,
                    zone,
                    language,
                    device,
                    shared_device,
                    consent_on,
                    assent_on,
                    born_on,
                    born_in,
                    counting_on,
                    counting_assent_on,
                    terms: terms.map(|terms| Terms { language: spoken, ..terms }),
                    site,
                    plan,
                    care,
                };
                Some(member)
            }
            _ => None,
        };
        Self { line: row.line, case_code, number, member }
    }

    fn finding(&self, column: Column, reason: impl Into<String>) -> Finding {
        let mut finding = Finding::new(self.line, column, reason.into());
        finding.case_code.clone_from(&self.case_code);
        finding
    }
}

/// By what consent was given, as this row says.
fn terms(cells: &mut Cells<'_>, today: Date) -> Option<Terms> {
    let terms = Terms {
        version: cells.optional(Column::ConsentText, cell::version),
        language: None,
        how: cells.optional(Column::ConsentHow, cell::how),
        witnessed: cells.optional(Column::ConsentWitness, cell::yes_or_no),
        until: cells.optional(Column::ConsentUntil, |text| cell::until(text, today)),
    };
    Some(terms).filter(|terms| *terms != Terms::default())
}

/// A site that the programme has, where that is known.
fn known_site(text: &str, sites: Option<&[String]>) -> Result<String, String> {
    let code = cell::site(text)?;
    match sites {
        Some([]) => Err("unknown site: the programme has none yet, see jiashu ngo site add".into()),
        Some(sites) if !sites.contains(&code) => {
            Err(format!("unknown site: the programme has {}", sites.join(", ")))
        }
        _ => Ok(code),
    }
}

/// Takes cells off a row and notes what is wrong with them.
struct Cells<'a> {
    row: &'a Row,
    faults: &'a mut Vec<Finding>,
}

impl Cells<'_> {
    fn fault(&mut self, column: Column, reason: String) {
        self.faults.push(Finding::new(self.row.line, column, reason));
    }

    fn needed<T>(
        &mut self,
        column: Column,
        judge: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        // Of a row with too few cells, that alone is said.
        if self.row.cell(column).trim().is_empty() && self.row.misshapen.is_none() {
            self.fault(column, "the cell is empty".into());
        }
        self.optional(column, judge)
    }

    fn optional<T>(
        &mut self,
        column: Column,
        judge: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let raw = self.row.cell(column);
        let text = raw.trim();
        // Both: a tab is one of the signs, and what is kept begins behind the blanks.
        let judged = cell::no_formula(raw)
            .and_then(|()| cell::no_formula(text))
            .and_then(|()| if text.is_empty() { Ok(None) } else { judge(text).map(Some) });
        judged.unwrap_or_else(|reason| {
            self.fault(column, reason);
            None
        })
    }
}

fn check_group(group: &Group, checked: &mut Checked) {
    let mut faults = check_numbers(group);
    let members: Vec<_> = group.iter().filter_map(|reading| reading.member.as_ref()).collect();
    if let Some(first) = group.first() {
        if group.len() > bounds::MAX_MEMBERS {
            let reason = format!("the family has more than {} members", bounds::MAX_MEMBERS);
            faults.push(first.finding(Column::Member, reason));
        } else if members.len() == group.len() {
            // Of half a family, nothing can be said to be missing.
            faults.extend(check_family(first, &members));
            faults.extend(agreed(group, Column::Site, |member| member.site.as_ref()).err());
            faults.extend(agreed(group, Column::Plan, |member| member.plan.as_ref()).err());
            faults.extend(agreed(group, Column::Care, |member| member.care.as_ref()).err());
        }
    }
    checked.faults.append(&mut faults);
    for reading in group {
        checked.warnings.extend(reading.member.iter().flat_map(|member| warn(reading, member)));
    }
}

/// Numbers occur once, and count from 1 without a gap.
fn check_numbers(group: &Group) -> Vec<Finding> {
    let mut faults = Vec::new();
    let mut seen: HashMap<u32, usize> = HashMap::new();
    for reading in group.iter().filter(|reading| reading.case_code.is_some()) {
        let Some(number) = reading.number else { continue };
        if let Some(line) = seen.get(&number) {
            let reason = format!(
                "member {number} of this case code stands in row {line} already: \
                 two families need two codes"
            );
            faults.push(reading.finding(Column::Member, reason));
        } else {
            seen.insert(number, reading.line);
        }
    }
    let all_read = group.iter().all(|reading| reading.number.is_some());
    let numbers: BTreeSet<_> = seen.keys().copied().collect();
    let gap = numbers.iter().zip(1..).find(|(number, expected)| *number != expected);
    if let (true, Some((number, expected))) = (all_read, gap) {
        let after = group.iter().find(|reading| reading.number == Some(*number));
        let reason =
            format!("member {number}, but no member {expected}: number them without a gap");
        faults.extend(after.map(|reading| reading.finding(Column::Member, reason)));
    }
    faults
}

fn check_family(first: &Reading, members: &[&Member]) -> Vec<Finding> {
    let mut faults = Vec::new();
    let mut fault = |column, reason: &str| faults.push(first.finding(column, reason));
    if !members.iter().any(|member| member.role == Role::Child) {
        fault(Column::Role, "the family has no child");
    }
    if !members.iter().any(|member| member.role.is_adult()) {
        fault(Column::Role, "the family has no parent or caregiver");
    } else if !members.iter().any(|member| member.role.is_adult() && member.device.is_some()) {
        fault(Column::Device, "no parent or caregiver of the family has a phone");
    }
    let phones: BTreeSet<_> =
        members.iter().filter_map(|member| member.device.as_deref()).collect();
    if phones.len() > bounds::MAX_INVITES {
        fault(Column::Device, &format!("the family has more than {} phones", bounds::MAX_INVITES));
    }
    let names: usize = members.iter().map(|member| member.name.len() + NAME_OVERHEAD).sum();
    let label = phones.iter().map(|label| label.len()).max().unwrap_or(0);
    if names + label + CARD_OVERHEAD > bounds::MAX_CARD {
        fault(Column::Name, "the names of the family are too long together for a card");
    }
    for label in phones {
        let shared: BTreeSet<_> = members
            .iter()
            .filter(|member| member.device.as_deref() == Some(label))
            .filter_map(|member| member.shared_device.as_deref())
            .collect();
        if shared.len() > 1 {
            fault(
                Column::SharedDevice,
                &format!("the phone \"{label}\" has two names as a shared one"),
            );
        }
    }
    faults
}

fn warn(reading: &Reading, member: &Member) -> Option<Finding> {
    match member.role {
        Role::Child if member.assent_on.is_none() => Some(reading.finding(
            Column::AssentOn,
            "the child's assent is missing: no letter moves until `jiashu ngo consent` records it",
        )),
        Role::Child => None,
        _ if member.consent_on.is_none() => {
            Some(reading.finding(Column::ConsentOn, "no consent of this adult is recorded"))
        }
        _ if member.assent_on.is_some() => {
            Some(reading.finding(Column::AssentOn, "passed over: only a child gives assent"))
        }
        _ => None,
    }
}

/// What all rows of a family say alike that say something; else what is wrong.
fn agreed<T: Clone + PartialEq>(
    group: &Group,
    column: Column,
    of: impl Fn(&Member) -> Option<&T>,
) -> Result<Option<T>, Finding> {
    let mut said: Option<(&T, usize)> = None;
    for reading in group {
        let Some(value) = reading.member.as_ref().and_then(&of) else { continue };
        match said {
            Some((earlier, line)) if earlier != value => {
                let reason = format!("row {line} of this family says something else");
                return Err(reading.finding(column, reason));
            }
            Some(_) => {}
            None => said = Some((value, reading.line)),
        }
    }
    Ok(said.map(|(value, _)| value.clone()))
}

fn sort_out(groups: Vec<Group>, checked: &mut Checked) {
    checked.faults.sort_by_key(|finding| finding.row);
    checked.warnings.sort_by_key(|finding| finding.row);
    let faulty: BTreeSet<_> = checked.faults.iter().filter_map(|it| it.case_code.clone()).collect();
    for group in groups {
        let case_code = group.first().and_then(|reading| reading.case_code.clone());
        match case_code.filter(|code| !faulty.contains(code)) {
            Some(case_code) => {
                let site = agreed(&group, Column::Site, |member| member.site.as_ref());
                let plan = agreed(&group, Column::Plan, |member| member.plan.as_ref());
                let care = agreed(&group, Column::Care, |member| member.care.as_ref());
                let mut members: Vec<_> =
                    group.into_iter().filter_map(|reading| reading.member).collect();
                members.sort_by_key(|member| member.number);
                let (site, plan) = (site.ok().flatten(), plan.ok().flatten());
                let care = care.ok().flatten();
                checked.families.push(Family { case_code, members, site, plan, care });
            }
            None => checked.faulty += 1,
        }
    }
    checked.warnings.retain(|it| it.case_code.as_ref().is_none_or(|code| !faulty.contains(code)));
}

mod differ;

mod shared;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;
