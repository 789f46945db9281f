//! What every store must do: the only list of cases, one test for each and each store.
//!
//! A store names an async function that makes it an empty [`Home`]; a case opens the store there, and
//! again where the promise is about what outlasts it. What one store alone promises is tested
//! beside it.

use std::sync::Arc;

use jiashu_proto::entry::{Cursor, Seq};
use jiashu_proto::frame::ToClose;
use jiashu_proto::id::{CodeHash, DeviceId, InviteId, MemberId, Millis, N, Ref, Scope, TokenHash};

use super::{
    Author, Batch, Change, Committed, NewEntry, Page, PageLimit, Precondition, Record, ScopeKind,
    Store, StoreError, Ticket,
};

pub(crate) mod access;
pub(crate) mod commit;
pub(crate) mod cursors;
pub(crate) mod erased;
pub(crate) mod facts;
pub(crate) mod ledger;
pub(crate) mod log;
pub(crate) mod many;
pub(crate) mod retention;
pub(crate) mod waiting;
pub(crate) mod whole;

/// Makes one test per case for the store whose home that async function makes; attributes go to each test.
/// Or does all cases in turn, and that in between.
macro_rules! store_conformance {
    (in turn on $home:expr, then $then:expr) => {
        store_conformance! { @cases in_turn [$home, $then] }
    };
    ($(#[$attribute:meta])* $home:path) => {
        store_conformance! { @cases each [[$(#[$attribute])*] $home] }
    };
    (@cases $what:ident $args:tt) => {
        store_conformance! { @$what $args
            commit::the_first_commit_makes_the_scope,
            commit::a_scope_that_was_never_made_takes_nothing,
            commit::a_second_create_is_stale,
            commit::places_count_from_one_without_gaps,
            commit::a_repeat_answers_with_the_same_place,
            commit::a_repeat_is_answered_whatever_has_changed_since,
            commit::a_repeat_is_answered_after_reopening,
            commit::a_gap_or_a_used_number_must_renumber,
            commit::only_the_last_refs_are_remembered,
            commit::each_precondition_names_itself,
            commit::the_first_broken_precondition_is_named,
            commit::a_refused_batch_writes_nothing,
            commit::a_commit_wakes_its_scope,
            commit::everything_is_there_after_reopening,
            log::pages_join_on,
            log::what_was_just_written_reads_as_after_reopening,
            log::a_page_holds_at_least_one_record,
            log::a_cursor_of_another_log_is_refused,
            log::scopes_are_apart,
            log::a_page_says_who_was_suspended_when_it_was_read,
            facts::a_fact_supersedes_and_keeps_the_place,
            facts::a_fact_may_supersede_within_its_batch,
            facts::a_rank_not_above_is_not_written,
            facts::rank_zero_always_supersedes,
            facts::facts_are_sorted_and_found_by_prefix,
            facts::a_fact_is_written_only_over_the_version_seen,
            facts::a_fact_that_is_dropped_is_gone_and_its_place_stays,
            facts::a_fact_below_the_floor_may_be_dropped,
            facts::one_fact_is_found_by_its_key,
            ledger::a_row_stands_until_one_of_a_higher_version_comes,
            ledger::books_are_apart_and_their_rows_ascend,
            ledger::rows_are_counted_by_who_relies_on_them,
            ledger::what_is_struck_may_be_entered_anew,
            ledger::a_refused_batch_enters_nothing,
            ledger::rows_are_there_after_reopening,
            access::a_seat_counts_its_own_commands,
            access::a_revoked_seat_writes_nothing,
            access::turns_and_members_are_kept,
            access::an_invite_is_used_once_and_its_card_goes,
            access::a_closed_invite_keeps_no_card,
            access::an_invite_without_a_code_gets_its_card_later,
            access::what_is_to_be_closed_is_kept_until_it_is,
            access::tickets_are_set_over_those_seen,
            access::a_superseded_scope_takes_no_command_and_has_nothing_open,
            waiting::held_bodies_keep_their_order,
            waiting::a_body_of_one_schedule_does_not_replace_anothers,
            waiting::held_bodies_are_dropped_one_by_one_or_by_schedule,
            waiting::only_so_many_bodies_are_held,
            waiting::what_is_due_comes_the_earliest_first,
            waiting::an_item_is_due_once,
            waiting::as_many_schedules_run_as_have_an_occurrence_to_come,
            waiting::of_two_that_fire_one_wins,
            waiting::an_exchanged_body_takes_the_place_of_the_old_one,
            waiting::what_a_schedule_holds_is_checked_to_the_byte,
            waiting::an_occurrence_keeps_for_when_it_was_planned,
            waiting::all_occurrences_are_gone_through_page_by_page,
            waiting::an_end_is_due_by_the_place_of_the_first_entry,
            waiting::what_fires_is_looked_at_together,
            cursors::a_cursor_never_moves_back,
            cursors::a_cursor_keeps_its_first_time,
            cursors::cursors_are_there_after_closing,
            retention::what_is_old_goes_and_facts_stay,
            retention::as_old_as_the_retention_is_not_too_old,
            retention::a_cursor_below_the_floor_reads_on,
            retention::a_superseded_place_holds_until_it_is_old,
            retention::a_fact_below_the_floor_goes_when_it_is_superseded,
            retention::so_many_are_forgotten_at_once,
            retention::the_head_keeps_its_tag_and_nothing_else,
            retention::one_young_entry_keeps_what_stands_behind_it,
            whole::what_is_restored_is_what_was_there,
            whole::what_was_restored_goes_on,
            whole::a_snapshot_of_nothing_is_none,
            erased::what_is_erased_is_gone_and_its_neighbours_stay,
            erased::what_is_erased_takes_nothing_and_is_never_made_anew,
            erased::what_came_about_since_goes_when_it_is_erased_again,
            erased::in_one_group_nothing_outlasts_it,
            many::commits_of_many_devices_get_every_place_once,
            many::refused_batches_disturb_no_neighbour,
            many::a_reader_sees_what_was_answered,
            many::any_batches_do_what_the_model_does,
        }
    };
    (@in_turn [$home:expr, $then:expr] $($part:ident::$case:ident,)*) => {
        $({
            $crate::store::conformance::$part::$case($home).await;
            $then;
        })*
    };
    (@each [$attributes:tt $home:path] $($part:ident::$case:ident,)*) => {
        $(store_conformance! { @one $attributes $home, $part $case })*
    };
    (@one [$(#[$attribute:meta])*] $home:path, $part:ident $case:ident) => {
        $(#[$attribute])*
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            $crate::store::conformance::$part::$case(&$home().await).await;
        }
    };
}
pub(crate) use store_conformance;

/// Where a store keeps what it keeps, between being closed and opened again.
#[async_trait::async_trait]
pub(crate) trait Home: Send + Sync {
    /// Opens the store there. The one before must have been closed or dropped.
    async fn open(&self) -> Arc<dyn Store>;
}

/// The scope of most cases; above `i64::MAX`, as half of all families' are.
pub(crate) const FAMILY: Scope = Scope(0xfedc_ba98_7654_3210);

/// The device of most cases.
pub(crate) const PHONE: DeviceId = DeviceId(1);

/// When nothing else is said.
pub(crate) const NOW: Millis = 1_800_000_000_000;

/// A page that holds whatever a case writes.
pub(crate) const ALL: PageLimit = PageLimit { entries: 100_000, bytes: usize::MAX };

/// A ref told apart from others by its number.
pub(crate) fn a_ref(number: u32) -> Ref {
    let mut bytes = [7; 12];
    bytes[4..8].copy_from_slice(&number.to_be_bytes());
    Ref(bytes)
}

pub(crate) fn entry(content: &[u8]) -> NewEntry {
    NewEntry { key: None, rank: 0, content: content.to_vec() }
}

pub(crate) fn fact(key: &str, rank: u8, content: &[u8]) -> NewEntry {
    NewEntry { key: Some(key.to_owned()), rank, content: content.to_vec() }
}

pub(crate) fn seat(device: DeviceId) -> Change {
    Change::AddSeat { device, token_hash: TokenHash([1; 32]), members: Vec::new() }
}

pub(crate) fn to_close(devices: &[u32], invites: &[u32]) -> ToClose {
    ToClose {
        devices: devices.iter().copied().map(DeviceId).collect(),
        invites: invites.iter().copied().map(InviteId).collect(),
    }
}

pub(crate) fn ticket(code: u8) -> Ticket {
    let members = vec![MemberId(1)];
    Ticket { code_hash: CodeHash([code; 32]), members, expires_at: NOW + 1, used: None }
}

/// Makes the scope, with these devices.
pub(crate) fn founding(devices: impl IntoIterator<Item = DeviceId>) -> Batch {
    let mut changes = vec![Change::Create(ScopeKind::Family)];
    changes.extend(devices.into_iter().map(seat));
    Batch { requires: vec![Precondition::Absent], changes, ..Batch::new(NOW) }
}

/// The relay's own step that adds these.
pub(crate) fn entries(entries: Vec<NewEntry>) -> Batch {
    Batch { entries, ..Batch::new(NOW) }
}

pub(crate) fn changes(changes: Vec<Change>) -> Batch {
    Batch { changes, ..Batch::new(NOW) }
}

pub(crate) fn requires(requires: Vec<Precondition>) -> Batch {
    Batch { requires, ..Batch::new(NOW) }
}

/// A device's message; its ref follows from device and `n`.
pub(crate) fn message(device: DeviceId, n: N, content: &[u8]) -> Batch {
    let number = u32::try_from(n).unwrap() + device.0 * 1_000_000;
    let author = Some(Author { device, n, entry_ref: a_ref(number) });
    Batch { author, entries: vec![entry(content)], ..Batch::new(NOW) }
}

/// A store with a family of one phone.
pub(crate) async fn with_phone(home: &dyn Home) -> Arc<dyn Store> {
    let store = home.open().await;
    commit(&*store, founding([PHONE])).await;
    store
}

/// Commits to the family what must succeed.
pub(crate) async fn commit(store: &dyn Store, batch: Batch) -> Committed {
    store.commit(FAMILY, batch).await.unwrap()
}

/// Commits to the family what must be refused.
pub(crate) async fn refused(store: &dyn Store, batch: Batch) -> StoreError {
    store.commit(FAMILY, batch).await.unwrap_err()
}

/// The precondition that a batch fails by.
pub(crate) async fn broken(store: &dyn Store, batch: Batch) -> Precondition {
    match refused(store, batch).await {
        StoreError::Stale { precondition } => precondition,
        other => panic!("not stale: {other}"),
    }
}

/// The cursor before the family's first place.
pub(crate) async fn start(store: &dyn Store) -> Cursor {
    let state = store.state(FAMILY).await.unwrap().unwrap();
    Cursor { generation: state.generation, ..Cursor::default() }
}

/// The family's whole log.
pub(crate) async fn whole_log(store: &dyn Store) -> Page {
    store.read_after(FAMILY, start(store).await, ALL).await.unwrap()
}

pub(crate) fn seqs(records: &[Record]) -> Vec<Seq> {
    records.iter().map(|record| record.seq).collect()
}
