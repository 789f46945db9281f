//! How a family stands, as a row of its programme's ledger. Numbers, days and times: no name, nothing that was said.

use jiashu_contact::age::AgeBand;
use jiashu_contact::days::days_since;
use jiashu_contact::figures::Band;
use jiashu_contact::plan::Pause;
use jiashu_contact::standing::Standing;
use jiashu_contact::week::Week;
use jiashu_proto::entry::Care;
use jiashu_proto::id::{DeviceId, MemberId, Millis, Role};
use jiff::tz::TimeZone;
use minicbor::{Decode, Encode};

use super::uses::Uses;
use crate::clock::timestamp;
use crate::family::tasks::Task;
use crate::store::{Change, LedgerRow};

/// The book of what each family's figures say of a week, by its number.
#[must_use]
pub fn week_book(week: Week) -> String {
    format!("week/{week}")
}

/// The book that says when rows of weeks that have closed were entered or struck last: a row a week by its text, and one
/// without a name for what was struck, from whichever weeks. So who keeps a week in memory knows whether it is still so.
pub const CHANGED: &str = "weeks-changed";

/// Rows of that week that have closed are entered; without a week: rows of some are struck.
#[must_use]
pub fn changed(week: Option<Week>, now: Millis) -> Change {
    let name = week.map(|week| week.to_string().into_bytes()).unwrap_or_default();
    let version = (u64::try_from(now).unwrap_or(0), 0);
    Change::Enter(LedgerRow { book: CHANGED.to_owned(), name, version, value: Vec::new() })
}

/// What a family's figures say of a week. Once it has closed they stay as they are.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct WeekRow {
    /// The code of the site where it was.
    #[n(0)]
    pub site: Option<String>,
    /// The clock at home, IANA.
    #[n(1)]
    pub home_zone: Option<String>,
    /// The clock of the first parent.
    #[n(2)]
    pub away_zone: Option<String>,
    /// Its children that were counted, ascending.
    #[n(3)]
    pub children: Vec<ChildWeek>,
    /// Phones of the household that are in, and had joined by its end.
    #[n(4)]
    pub shared_phones: u32,
    /// Of these, those on which nothing was said or heard for 42 days since counting began and they joined.
    #[n(5)]
    pub idle_phones: u32,
    /// Whether the week has closed.
    #[n(6)]
    pub closed: bool,
    /// When this was reckoned, in ms.
    #[n(7)]
    pub as_of: Millis,
    /// In which hours of that week phones of the household were used; of a row of an older relay none is known.
    #[cbor(n(9), default)]
    pub uses: Uses,
    /// Who looked after its children; absent where staff did not say, and in a row of an older relay.
    #[n(10)]
    pub care: Option<Care>,
}

/// What a child's figures say of a week.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ChildWeek {
    /// Its number in the family.
    #[n(0)]
    pub member: MemberId,
    /// Of the plan, in that week, as far as it is decided.
    #[n(1)]
    pub expected: u32,
    /// Of these, kept.
    #[n(2)]
    pub kept: u32,
    /// Of these, kept by each way by itself.
    #[n(3)]
    pub both_ways: u32,
    /// How often a parent was heard at home.
    #[n(4)]
    pub home: u32,
    /// How often the child was heard by a parent.
    #[n(5)]
    pub away: u32,
    /// Of these two, what was heard in a week that had closed.
    #[n(6)]
    pub late: u32,
    /// On how many days something was heard.
    #[n(7)]
    pub days: u32,
    /// The longest time without anything, in whole hours.
    #[n(8)]
    pub longest_gap_h: u32,
    /// How it stood at the end.
    #[cbor(n(9), with = "by_place")]
    pub standing: Standing,
    /// How often there was contact in the 28 days up to the end.
    #[cbor(n(10), with = "by_place")]
    pub band: Band,
    /// How old it was at the end; absent where no month of birth is recorded.
    #[n(11)]
    pub age: Option<AgeBand>,
    /// What joins the gaps of one week and the next; absent in a row of an older relay.
    #[n(12)]
    pub edges: Option<Edges>,
}

/// How long nothing was heard of a child at the edges of a week, in whole minutes. In a week without any contact both are as
/// long as it was counted in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Edges {
    /// Up to the first contact.
    #[n(0)]
    pub first_min: u32,
    /// Since the last contact.
    #[n(1)]
    pub last_min: u32,
}

impl WeekRow {
    /// As it stands in the ledger.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        minicbor::to_vec(self).expect("writing to memory cannot fail")
    }

    /// What [`WeekRow::to_bytes`] wrote; `None` if it does not read.
    #[must_use]
    pub fn from_bytes(value: &[u8]) -> Option<Self> {
        minicbor::decode(value).ok()
    }

    /// Of a row of [`week_book`]; `None` if it does not read.
    #[must_use]
    pub fn read(row: &LedgerRow) -> Option<Self> {
        Self::from_bytes(&row.value)
    }
}

/// The book of how each family stands now, by its number.
pub const FAMILIES: &str = "families";

/// How a family stands.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct FamilyRow {
    /// The programme's own code for it.
    #[n(0)]
    pub case_code: String,
    /// The code of its site.
    #[n(1)]
    pub site: Option<String>,
    /// Whether letters move.
    #[n(2)]
    pub active: bool,
    /// Whether contact is counted; if not, nothing of what follows says anything.
    #[n(3)]
    pub counted: bool,
    /// Its children, ascending.
    #[n(4)]
    pub children: Vec<ChildRow>,
    /// When contact is intended next, in ms.
    #[n(5)]
    pub next: Option<Millis>,
    /// The clock at home, IANA.
    #[n(6)]
    pub home_zone: Option<String>,
    /// The clock of the first parent.
    #[n(7)]
    pub away_zone: Option<String>,
    /// The phones that are in, ascending.
    #[n(8)]
    pub phones: Vec<PhoneRow>,
    /// When this was reckoned, in ms.
    #[n(9)]
    pub as_of: Millis,
    /// What staff are asked to do for it, the most urgent first.
    #[cbor(n(10), default)]
    pub tasks: Vec<Task>,
    /// The civil date from which on something that is agreed to holds no more.
    #[cbor(n(12), default)]
    pub agreed_until: Option<String>,
    /// When all of it is deleted, in ms, if nobody takes that back before.
    #[cbor(n(13), default)]
    pub leaves_at: Option<Millis>,
    /// The clock that its days are of, that of its site, IANA; absent: that at home.
    #[cbor(n(14), default)]
    pub zone: Option<String>,
    /// The pauses since a child was last heard, or heard a parent, each by its first and its last day: these do not count.
    #[cbor(n(15), default)]
    pub pauses: Vec<(String, String)>,
}

/// How a child stands.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ChildRow {
    /// Its number in the family.
    #[n(0)]
    pub member: MemberId,
    /// How.
    #[cbor(n(1), with = "by_place")]
    pub standing: Standing,
    /// How often there was contact lately.
    #[cbor(n(2), with = "by_place")]
    pub band: Band,
    /// Missed one after the other.
    #[n(3)]
    pub missed_in_a_row: u32,
    /// Since when it is counted, in ms.
    #[n(4)]
    pub since: Option<Millis>,
    /// When both had last heard each other.
    #[n(5)]
    pub two_way_at: Option<Millis>,
    /// When it last heard a parent.
    #[n(6)]
    pub home_at: Option<Millis>,
    /// When a parent last heard it.
    #[n(7)]
    pub away_at: Option<Millis>,
}

/// A phone that is in.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct PhoneRow {
    /// Its number in the family.
    #[n(0)]
    pub device: DeviceId,
    /// Whom it serves, and what they are.
    #[n(1)]
    pub serves: Vec<(MemberId, Role)>,
    /// When somebody last said or heard something on it, in ms.
    #[n(2)]
    pub used_at: Option<Millis>,
}

impl PhoneRow {
    /// Whether a child and an adult, or several children, use it: the phone of a household.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.serves.len() > 1 && self.serves.iter().any(|(_, role)| *role == Role::Child)
    }
}

impl FamilyRow {
    /// As it stands in the ledger.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        minicbor::to_vec(self).expect("writing to memory cannot fail")
    }

    /// What [`FamilyRow::to_bytes`] wrote; `None` if it does not read. What an older relay entered of a family whose
    /// counting had lapsed is not read either.
    #[must_use]
    pub fn from_bytes(value: &[u8]) -> Option<Self> {
        let mut read: Self = minicbor::decode(value).ok()?;
        if !read.counted {
            for child in &mut read.children {
                child.band = Band::None;
                (child.two_way_at, child.home_at, child.away_at) = (None, None, None);
            }
            read.phones.iter_mut().for_each(|phone| phone.used_at = None);
        }
        Some(read)
    }

    /// Of a row of [`FAMILIES`]; `None` if it does not read.
    #[must_use]
    pub fn read(row: &LedgerRow) -> Option<Self> {
        Self::from_bytes(&row.value)
    }

    /// How many days ago something was then, as standings count them: on the clock of its site, without those of pauses.
    pub fn days(&self, now: Millis) -> impl Fn(Millis) -> u32 {
        let zone = self.zone.as_deref().or(self.home_zone.as_deref()).and_then(super::reckon::zone);
        let (zone, now) = (zone.unwrap_or(TimeZone::UTC), timestamp(now));
        let pause = |(first, last): &(String, String)| {
            Some(Pause { first: first.parse().ok()?, last: last.parse().ok()? })
        };
        let pauses: Vec<_> = self.pauses.iter().filter_map(pause).collect();
        move |at| days_since(timestamp(at), now, &pauses, &zone)
    }

    /// How the family stands: as the child of whom that is worst.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let children = self.children.iter().map(|child| child.standing);
        jiashu_contact::standing::of_family(children).unwrap_or(Standing::NotActive)
    }
}

/// A word that has its place in a list, by that place: the words of a newer relay do not read.
mod by_place {
    use jiashu_contact::figures::Band;
    use jiashu_contact::standing::Standing;
    use minicbor::encode::Write;
    use minicbor::{Decoder, Encoder};

    pub(super) trait Placed: Copy + PartialEq + 'static {
        const ALL: &'static [Self];
    }

    impl Placed for Standing {
        const ALL: &'static [Self] = &Standing::ALL;
    }

    impl Placed for Band {
        const ALL: &'static [Self] = &Band::ALL;
    }

    pub(super) fn encode<T: Placed, C, W: Write>(
        word: &T,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        let place = T::ALL.iter().position(|one| one == word).unwrap_or_default();
        e.u8(u8::try_from(place).unwrap_or(u8::MAX))?;
        Ok(())
    }

    pub(super) fn decode<T: Placed, C>(
        d: &mut Decoder<'_>,
        _: &mut C,
    ) -> Result<T, minicbor::decode::Error> {
        let place = usize::from(d.u8()?);
        T::ALL.get(place).copied().ok_or_else(|| minicbor::decode::Error::message("no such word"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_reads_back_and_stands_as_its_worst_child() {
        let child = |member, standing| ChildRow {
            member: MemberId(member),
            standing,
            band: Band::Weekly,
            missed_in_a_row: 2,
            since: Some(5),
            two_way_at: None,
            home_at: Some(7),
            away_at: None,
        };
        let phone = PhoneRow {
            device: DeviceId(2),
            serves: vec![(MemberId(2), Role::Caregiver), (MemberId(3), Role::Child)],
            used_at: Some(9),
        };
        let row = FamilyRow {
            case_code: "GS-001".into(),
            site: None,
            active: true,
            counted: true,
            children: vec![child(3, Standing::OnTrack), child(4, Standing::AtRisk)],
            next: Some(8),
            home_zone: Some("Asia/Shanghai".into()),
            away_zone: None,
            phones: vec![phone],
            as_of: 10,
            tasks: Vec::new(),
            agreed_until: None,
            leaves_at: None,
            zone: None,
            pauses: Vec::new(),
        };

        let value = row.to_bytes();
        assert!(value.len() < 80, "{} bytes a family", value.len());
        let stored = LedgerRow { book: FAMILIES.into(), name: Vec::new(), version: (1, 1), value };
        let read = FamilyRow::read(&stored).unwrap();
        assert_eq!(read, row);
        assert_eq!(read.standing(), Standing::AtRisk);
        assert!(read.phones[0].is_shared());
    }

    #[test]
    fn a_week_reads_back_small_and_so_does_one_of_an_older_relay() {
        let child = ChildWeek {
            member: MemberId(3),
            expected: 7,
            kept: 5,
            both_ways: 3,
            home: 5,
            away: 4,
            late: 0,
            days: 5,
            longest_gap_h: 50,
            standing: Standing::OnTrack,
            band: Band::Weekly,
            age: Some(AgeBand::UpTo8),
            edges: Some(Edges { first_min: 1_170, last_min: 1_710 }),
        };
        let row = WeekRow {
            site: Some("tianshui".into()),
            home_zone: Some("Asia/Shanghai".into()),
            away_zone: Some("Europe/Rome".into()),
            children: vec![child.clone()],
            shared_phones: 1,
            idle_phones: 0,
            closed: true,
            as_of: 1_795_500_000_000,
            uses: Uses::of([20, 44, 68, 116, 164].into_iter()),
            care: Some(Care::Grandparents),
        };
        let value = row.to_bytes();
        assert!(value.len() < 100, "{} bytes a week", value.len());
        assert_eq!(WeekRow::from_bytes(&value), Some(row.clone()));

        // Relays wrote it so before there were ages, edges, hours and who looks after children: without these at the end of
        // each array.
        let before = ChildWeek { age: None, edges: None, ..child };
        let before = WeekRow { children: vec![before], uses: Uses::default(), care: None, ..row };
        let older = before.to_bytes();
        assert_eq!((older[0], older[1 + 9 + 14 + 12 + 1]), (0x88, 0x8b));
        assert_eq!(WeekRow::from_bytes(&older), Some(before));
    }
}
