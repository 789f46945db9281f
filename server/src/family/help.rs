//! A call for help, and where somebody may be written to: both stand in the family's ledger, and in no log that a phone
//! is given.

use jiashu_proto::bounds;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{AskForHelp, Reach};
use jiashu_proto::id::{MemberId, Millis, Role};

use super::contact::look;
use super::tasks::{Task, TaskKind};
use super::{Refusal, Sender};
use crate::notify::outbox::{About, Mail, Recipient};
use crate::store::{Author, Batch, Change, LedgerRow};

/// Who presses again and again within this time is heard once, in ms.
const ONCE_IN_MS: Millis = 10 * 60 * 1000;

/// Asks for help. It is taken from everybody who is in, whether letters move or not; `standing` are the family's tasks.
///
/// # Errors
///
/// [`Refusal`] for a member whom the device does not serve.
pub fn decide_help(
    sender: &Sender,
    ask: &AskForHelp,
    standing: &[Task],
    now: Millis,
) -> Result<Batch, Refusal> {
    sender.check_serves(ask.from)?;
    let author = Author { device: sender.device, n: ask.n, entry_ref: ask.entry_ref };
    let mut batch = Batch { author: Some(author), ..Batch::new(now) };
    let is_known = |task: &Task| {
        task.kind == TaskKind::Help
            && task.member == ask.from
            && task.is_open()
            && now.saturating_sub(task.opened_at) < ONCE_IN_MS
    };
    if standing.iter().any(is_known) {
        return Ok(batch);
    }
    let task = Task::open(TaskKind::Help, ask.from, now);
    batch.changes.extend([task.enter(), look(now)]);
    let mail = Mail::new(Recipient::Responsible, About::Help(ask.from), now);
    batch.changes.extend(mail.put(ask.entry_ref, now));
    Ok(batch)
}

/// The book of where somebody may be written to.
pub const REACH: &str = "reach";

/// Says where somebody may be written to, or nowhere any more.
///
/// # Errors
///
/// [`Refusal`] for who does not answer for a child, and what is no address.
pub fn decide_reach(
    sender: &Sender,
    reach: Reach,
    role_of: impl Fn(MemberId) -> Option<Role>,
    now: Millis,
) -> Result<Batch, Refusal> {
    let Reach { n, entry_ref, from, email } = reach;
    sender.check_serves(from)?;
    if !role_of(from).is_some_and(Role::is_adult) {
        let text = "an address is a parent's or caregiver's";
        return Err(Refusal::new(ErrorCode::NotAllowed, text));
    }
    let name = from.0.to_be_bytes().to_vec();
    let change = match email {
        Some(email) => {
            check_email(&email)?;
            // Of two who say so the later one stands.
            let version = (u64::try_from(now).unwrap_or(0), n);
            Change::Enter(LedgerRow {
                book: REACH.to_owned(),
                name,
                version,
                value: email.into_bytes(),
            })
        }
        None => Change::Strike(REACH.to_owned(), name),
    };
    let author = Some(Author { device: sender.device, n, entry_ref });
    Ok(Batch { author, changes: vec![change], ..Batch::new(now) })
}

/// Of a row of [`REACH`] who may be written to, and where.
#[must_use]
pub fn read_reach(row: &LedgerRow) -> Option<(MemberId, String)> {
    let member = u32::from_be_bytes(row.name.as_slice().try_into().ok()?);
    Some((MemberId(member), String::from_utf8(row.value.clone()).ok()?))
}

/// One address, and nothing that a mail program reads as two or as a line of its own.
///
/// # Errors
///
/// [`ErrorCode::Malformed`].
pub fn check_email(text: &str) -> Result<(), Refusal> {
    let allowed = |c: char| c.is_ascii_graphic() && !"<>()[],;:\\\"".contains(c);
    let parts = text.rsplit_once('@');
    let is_one = text.len() <= bounds::MAX_EMAIL
        && text.chars().all(allowed)
        && parts.is_some_and(|(local, domain)| {
            !local.is_empty() && domain.contains('.') && !local.contains('@')
        })
        && text.parse::<lettre::Address>().is_ok();
    if is_one {
        Ok(())
    } else {
        Err(Refusal::new(ErrorCode::Malformed, "this is no address for e-mail"))
    }
}

#[cfg(test)]
mod tests {
    use jiashu_proto::id::{DeviceId, Ref};

    use super::*;

    const GRANDMA: MemberId = MemberId(2);
    const LILI: MemberId = MemberId(3);

    fn phone() -> Sender {
        Sender { device: DeviceId(2), members: vec![GRANDMA, LILI] }
    }

    fn ask(from: MemberId) -> AskForHelp {
        AskForHelp { n: 4, entry_ref: Ref([7; 12]), from }
    }

    #[test]
    fn a_call_for_help_is_a_task_and_a_mail_and_no_entry() {
        let batch = decide_help(&phone(), &ask(LILI), &[], 1_000).unwrap();

        assert!(batch.entries.is_empty() && batch.requires.is_empty());
        assert!(batch.changes.contains(&Task::open(TaskKind::Help, LILI, 1_000).enter()));
        assert_eq!(batch.changes.len(), 4);
        assert!(decide_help(&phone(), &ask(MemberId(1)), &[], 1_000).is_err());
    }

    #[test]
    fn who_presses_again_is_heard_once_and_after_a_while_again() {
        let open = Task::open(TaskKind::Help, LILI, 1_000);
        let done = Task { done_by: Some(DeviceId(1)), ..open.clone() };
        let changes = |standing: Task, now| {
            decide_help(&phone(), &ask(LILI), &[standing], now).unwrap().changes.len()
        };

        assert_eq!(changes(open.clone(), 1_000 + ONCE_IN_MS - 1), 0);
        assert_eq!(changes(open, 1_000 + ONCE_IN_MS), 4);
        assert_eq!(changes(done, 1_001), 4, "what was seen to is no answer to another call");
        assert_eq!(changes(Task::open(TaskKind::Help, GRANDMA, 1_000), 1_001), 4);
    }

    #[test]
    fn an_address_is_one_and_begins_no_header() {
        for good in ["a@b.org", "first.last+x@sub.example.org"] {
            assert!(check_email(good).is_ok(), "{good}");
        }
        let bad = [
            "",
            "a",
            "@b.org",
            "a@b",
            "a@b.org,c@d.org",
            "a b@c.org",
            "a@b.org\r\nBcc: x@y.org",
            "<a@b.org>",
            "a@b@c.org",
            "\"a\"@b.org",
            "ä@b.org",
            "a@b..org",
        ];
        for bad in bad.into_iter().map(str::to_owned).chain([format!("{}@b.org", "a".repeat(250))])
        {
            assert!(check_email(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_address_is_an_adults_own() {
        let reach = |from, email: Option<&str>| {
            let email = email.map(str::to_owned);
            let reach = Reach { n: 4, entry_ref: Ref([7; 12]), from, email };
            let role = |member| Some(if member == LILI { Role::Child } else { Role::Caregiver });
            decide_reach(&phone(), reach, role, 1_000)
        };

        let batch = reach(GRANDMA, Some("a@b.org")).unwrap();
        let [Change::Enter(row)] = &batch.changes[..] else { panic!("{batch:?}") };
        assert_eq!(read_reach(row), Some((GRANDMA, "a@b.org".to_owned())));
        let ended = Change::Strike(REACH.into(), GRANDMA.0.to_be_bytes().to_vec());
        assert_eq!(reach(GRANDMA, None).unwrap().changes, [ended]);
        assert!(reach(LILI, Some("a@b.org")).is_err());
        assert!(reach(GRANDMA, Some("no address")).is_err());
    }
}
