//! That somebody of the staff saw or rang a family: who, on which day and how, in code words. A row for each family in its
//! programme's ledger, which goes with the family.

use jiashu_api::family as api;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::{DeviceId, Scope};
use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::Offset;
use minicbor::{Decode, Encode};

use super::audit::Asked;
use super::staff::{Staff, allow_family};
use crate::clock::timestamp;
use crate::contact::{self, enrolled_at, placement};
use crate::execute::{ATTEMPTS, Failure};
use crate::family::{Refusal, no_such_case};
use crate::relay::Relay;
use crate::store::{Batch, Change, LedgerRow, LedgerVersion, Store, StoreError};

/// The book of when each family was visited or rung.
pub const VISITS: &str = "visits";

/// So many of a family are kept, the last ones: one a week for five years.
const KEPT: usize = 260;

/// So many are shown.
const SHOWN: usize = 24;

/// Years after which nobody records one any more.
const YEARS_BACK: i64 = 10;

/// How somebody of the staff met a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
enum How {
    /// At home, or elsewhere in person.
    #[n(1)]
    Visit,
    /// By telephone.
    #[n(2)]
    Call,
}

impl How {
    const ALL: [Self; 2] = [Self::Visit, Self::Call];

    fn name(self) -> &'static str {
        match self {
            Self::Visit => "visit",
            Self::Call => "call",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|how| how.name() == name)
    }
}

/// Notes that somebody of the staff met a family. One that stands already is not noted twice; what is older than the last
/// that are kept is not kept.
///
/// # Errors
///
/// [`Failure`]; [`ErrorCode::Malformed`] for a day that is still to come there, or lies before the family was enrolled.
pub async fn record(
    relay: &Relay,
    staff: &Staff,
    case_code: &str,
    wish: &api::Visit,
) -> Result<(), Failure> {
    let how = How::from_name(&wish.how)
        .ok_or_else(|| Refusal::new(ErrorCode::Malformed, "how is visit or call"))?;
    let on = wish.on.map(|on| format!(" {on}")).unwrap_or_default();
    let asked = Asked::of("visit", case_code).saying(format!("{}{on}", how.name()));
    let family = allow_family(relay, staff, case_code, asked).await?;
    let on = day(relay, family, wish.on).await?;
    let visit = Visit { on: on.to_string(), how, by: staff.number };
    let (store, programme) = (&*relay.store, staff.programme);
    for _ in 0..ATTEMPTS {
        let standing = Standing::of(store, programme, family).await?;
        let after = standing.and([visit.clone()]);
        let changes = vec![after.enter(family)];
        store.commit(programme, Batch { changes, ..Batch::new(relay.clock.now()) }).await?;
        // Of two who write at once the second changes nothing, and follows with the next version.
        if Standing::of(store, programme, family).await?.visits == after.visits {
            return still_here(relay, programme, family).await;
        }
    }
    Err(Refusal::new(ErrorCode::Unavailable, "others were writing: try again").into())
}

/// The day that is meant, as it is on the family's clock.
async fn day(relay: &Relay, family: Scope, on: Option<Date>) -> Result<Date, Failure> {
    let today = contact::today(relay, family).await?;
    let on = on.unwrap_or(today);
    let enrolled_at = enrolled_at(&*relay.store, family).await?;
    let enrolled_at = timestamp(enrolled_at);
    // As early as it was anywhere: whoever enrolled it may have been elsewhere.
    let enrolled_on = Offset::constant(-12).to_datetime(enrolled_at).date();
    let first = enrolled_on.max(today.saturating_sub(YEARS_BACK.years()));
    if on < first || today < on {
        let text =
            format!("a day from {first}, not before the family was enrolled, to today, {today}");
        return Err(Refusal::new(ErrorCode::Malformed, &text).into());
    }
    Ok(on)
}

/// Nothing stays of a family that went, or began anew, while it was written.
async fn still_here(relay: &Relay, programme: Scope, family: Scope) -> Result<(), Failure> {
    let store = &*relay.store;
    let home = placement(store, family).await?.map(|placement| placement.programme);
    let is_over = store.state(family).await?.is_none_or(|state| state.superseded);
    if home == Some(programme) && !is_over {
        return Ok(());
    }
    let changes = vec![strike(family)];
    store.commit(programme, Batch { changes, ..Batch::new(relay.clock.now()) }).await?;
    Err(no_such_case().into())
}

/// Those of a family that are shown, the newest first.
///
/// # Errors
///
/// [`StoreError`].
pub async fn of_family(
    store: &dyn Store,
    programme: Scope,
    family: Scope,
) -> Result<Vec<api::Visited>, StoreError> {
    let visits = Standing::of(store, programme, family).await?.visits;
    let shown = visits.into_iter().rev().take(SHOWN);
    let listed =
        |Visit { on, how, by }| api::Visited { on, how: how.name().to_owned(), staff: by.0 };
    Ok(shown.map(listed).collect())
}

/// What was noted of a family goes.
#[must_use]
pub fn strike(family: Scope) -> Change {
    Change::Strike(VISITS.to_owned(), family.0.to_be_bytes().to_vec())
}

/// What was noted of a family stands with the one that it became when it began anew.
///
/// # Errors
///
/// [`StoreError`].
pub async fn hand_over(
    store: &dyn Store,
    programme: Scope,
    old: Scope,
    new: Scope,
) -> Result<Vec<Change>, StoreError> {
    let before = Standing::of(store, programme, old).await?.visits;
    if before.is_empty() {
        return Ok(Vec::new());
    }
    let after = Standing::of(store, programme, new).await?.and(before);
    Ok(vec![after.enter(new), strike(old)])
}

/// One of them. Ordered by day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(array)]
struct Visit {
    /// `YYYY-MM-DD`.
    #[n(0)]
    on: String,
    #[n(1)]
    how: How,
    /// Who, by the number in the programme.
    #[n(2)]
    by: DeviceId,
}

/// Those of a family as they stand: the row's version, and they from the oldest on.
#[derive(Default)]
struct Standing {
    version: LedgerVersion,
    visits: Vec<Visit>,
}

impl Standing {
    async fn of(store: &dyn Store, programme: Scope, family: Scope) -> Result<Self, StoreError> {
        let row = store.row(programme, VISITS, &family.0.to_be_bytes()).await?;
        let read = |row: LedgerRow| Self {
            version: row.version,
            visits: minicbor::decode(&row.value).unwrap_or_default(),
        };
        Ok(row.map(read).unwrap_or_default())
    }

    /// These and those, each once, the last of them.
    fn and(mut self, more: impl IntoIterator<Item = Visit>) -> Self {
        self.visits.extend(more);
        self.visits.sort_unstable();
        self.visits.dedup();
        self.visits.drain(..self.visits.len().saturating_sub(KEPT));
        self
    }

    /// In the place of what stood.
    fn enter(&self, family: Scope) -> Change {
        Change::Enter(LedgerRow {
            book: VISITS.to_owned(),
            name: family.0.to_be_bytes().to_vec(),
            version: (self.version.0.saturating_add(1), 0),
            value: minicbor::to_vec(&self.visits).expect("writing to memory cannot fail"),
        })
    }
}

#[cfg(test)]
mod tests {
    use jiashu_proto::frame::{ClientFrame, Enrol};
    use jiashu_tests::FamilySpec;

    use super::*;
    use crate::contact::tests::{PROGRAMME, Weeks};
    use crate::execute;

    async fn staff(weeks: &Weeks, number: u32) -> Staff {
        Staff {
            number: DeviceId(number),
            ..Staff::load(&*weeks.relay.store, PROGRAMME, DeviceId(1)).await.unwrap()
        }
    }

    async fn met(weeks: &Weeks, by: u32, how: &str, on: Option<&str>) -> Result<(), ErrorCode> {
        let on = on.map(|on| on.parse().unwrap());
        let wish = api::Visit { how: how.to_owned(), on };
        let staff = staff(weeks, by).await;
        record(&weeks.relay, &staff, "GS-001", &wish).await.map_err(|failure| match failure {
            Failure::Refused(no) => no.code,
            other => panic!("{other:?}"),
        })
    }

    async fn shown(weeks: &Weeks) -> Vec<String> {
        let visits = of_family(&*weeks.relay.store, PROGRAMME, weeks.family).await.unwrap();
        visits.iter().map(|one| format!("{} {} {}", one.on, one.how, one.staff)).collect()
    }

    #[tokio::test]
    async fn who_met_a_family_and_how_is_shown_with_the_newest_first() {
        let weeks = Weeks::begin().await;
        weeks.until("2026-11-20T23:30").await;

        met(&weeks, 1, "call", None).await.unwrap();
        met(&weeks, 2, "visit", Some("2026-11-04")).await.unwrap();
        met(&weeks, 1, "visit", Some("2026-11-04")).await.unwrap();
        met(&weeks, 2, "visit", Some("2026-11-04")).await.unwrap();

        // On the family's clock it is the 20th still, at Greenwich too; the same one twice is one.
        let all = ["2026-11-20 call 1", "2026-11-04 visit 2", "2026-11-04 visit 1"];
        assert_eq!(shown(&weeks).await, all);
    }

    #[tokio::test]
    async fn nobody_was_met_tomorrow_or_before_the_family_was_there() {
        let weeks = Weeks::begin().await;
        weeks.until("2026-11-20T01:00").await;
        let refused = Err(ErrorCode::Malformed);

        for on in ["2026-11-21", "2026-10-31", "1970-01-01", "9999-12-31"] {
            assert_eq!(met(&weeks, 1, "visit", Some(on)).await, refused, "{on}");
        }
        assert_eq!(met(&weeks, 1, "letter", None).await, refused);
        // In Gansu it is the 20th, at Greenwich the 19th.
        for on in ["2026-11-20", "2026-11-02"] {
            assert_eq!(met(&weeks, 1, "visit", Some(on)).await, Ok(()), "{on}");
        }
    }

    #[tokio::test]
    async fn all_who_note_at_once_are_kept() {
        let weeks = Weeks::begin().await;

        let (one, two, three) = tokio::join!(
            met(&weeks, 1, "call", None),
            met(&weeks, 2, "call", None),
            met(&weeks, 3, "call", None)
        );

        assert_eq!((one, two, three), (Ok(()), Ok(()), Ok(())));
        assert_eq!(shown(&weeks).await.len(), 3);
    }

    #[tokio::test]
    async fn the_last_are_kept_and_the_last_of_these_are_shown() {
        let visits = (0..u32::try_from(KEPT).unwrap() + 5).map(|number| Visit {
            on: format!("2026-{:02}-{:02}", 1 + number / 28, 1 + number % 28),
            how: How::Call,
            by: DeviceId(1),
        });

        let kept = Standing::default().and(visits).visits;

        assert_eq!((kept.len(), &*kept[0].on), (KEPT, "2026-01-06"));
        let weeks = Weeks::begin().await;
        let changes = vec![Standing { visits: kept, ..Standing::default() }.enter(weeks.family)];
        weeks.relay.store.commit(PROGRAMME, Batch { changes, ..Batch::new(0) }).await.unwrap();
        assert_eq!(shown(&weeks).await.len(), SHOWN);
    }

    #[tokio::test]
    async fn when_it_was_met_stays_with_a_family_that_begins_anew() {
        let mut weeks = Weeks::begin().await;
        met(&weeks, 1, "visit", None).await.unwrap();
        let old = weeks.family;
        let drawn = FamilySpec::li().draw("GS-001", weeks.relay.clock.now()).0;
        weeks.family = drawn.family;

        let again = ClientFrame::Enrol(Enrol { replaces: Some(old), ..drawn });
        for _ in 0..2 {
            let again = again.clone();
            execute::staff::command(&weeks.relay, PROGRAMME, DeviceId(1), again).await.unwrap();
        }

        assert_eq!(shown(&weeks).await, ["2026-11-02 visit 1"]);
        met(&weeks, 1, "call", None).await.unwrap();
        assert_eq!(shown(&weeks).await.len(), 2);
        let left = weeks.relay.store.book(PROGRAMME, VISITS).await.unwrap();
        assert_eq!(left.len(), 1, "nothing stays under the old number");
    }
}
