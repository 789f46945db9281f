//! `withdraw`: takes back that somebody takes part, or that contact is counted; and `who-sees`: what others see at all.

use jiashu_proto::entry::{Agreed, Consent, Content, PLACEMENT_KEY, Placement, Terms};
use jiashu_proto::frame::Agreement;
use jiashu_proto::id::{MemberId, Role};
use serde_json::json;

use super::{Context, View};
use crate::args::family::{WithdrawArgs, WithdrawWhat};
use crate::clock::{now, now_ms};
use crate::error::{CliError, ExitCode, Result};
use crate::say::{self, People};
use crate::state::fact;
use crate::state::outbox::{self, Fate};
use crate::sync::draft;
use crate::voice::sending;

pub(super) async fn run(context: &mut Context<'_>, args: &WithdrawArgs) -> Result<()> {
    let mut view = View::open_to_write(&context.home)?;
    let (from, of) = parties(&view, args)?;
    let names = view.people.names(&of);
    let (question, what) = match args.what {
        WithdrawWhat::TakingPart => (
            format!(
                "No letter of the whole family moves then, until staff record another consent. Take back that {names} takes part?"
            ),
            Agreement::TakingPart,
        ),
        WithdrawWhat::Counting => (
            format!(
                "What was counted of the family is erased then; its letters go on. Take back that contact of {names} is counted?"
            ),
            Agreement::Counting,
        ),
    };
    if !args.yes {
        Context::confirm(&question, "nothing was taken back")?;
    }
    let on = view.people.tz().to_datetime(now()).date().to_string();
    let tx = view.state.begin()?;
    let written = draft::withdraw(&tx, from, of.clone(), what, on, now_ms())?;
    tx.commit()?;
    let exchanged = sending::deliver(&context.home, context.ca(), &[written]).await;
    let fate = outbox::fate(view.state.db(), written)?;
    if let Some(Fate::Refused(code)) = &fate {
        return Err(CliError::new(ExitCode::Refused, format!("the relay refused it ({code})")));
    }
    if context.globals.json {
        let of: Vec<_> = of.iter().map(|member| member.0).collect();
        let queued = fate == Some(Fate::Waits);
        let what = args.what.word();
        context.json(&json!({ "withdrawn": what, "of": of, "queued": queued }))?;
    } else if fate == Some(Fate::Waits) {
        writeln!(context.out, "It waits on this phone until the relay can be reached.")?;
    } else {
        match args.what {
            WithdrawWhat::TakingPart => {
                writeln!(context.out, "Taken back: no letter moves any more.")?
            }
            WithdrawWhat::Counting => {
                writeln!(
                    context.out,
                    "Taken back: nothing is counted any more, and what was is erased."
                )?;
            }
        }
    }
    match exchanged {
        Err(error) if error.code != ExitCode::Offline => Err(error),
        _ => Ok(()),
    }
}

/// Who says so, and of which children: an adult of all or of those named, a child of itself.
fn parties(view: &View, args: &WithdrawArgs) -> Result<(MemberId, Vec<MemberId>)> {
    let people = &view.people;
    let adult = people.served().iter().copied().find(|member| people.is_adult(*member));
    let from = match (&args.speaker, adult) {
        (Some(named), _) => people.speaker(Some(named))?,
        (None, Some(adult)) => adult,
        (None, None) => people.speaker(None)?,
    };
    if people.role(from) == Some(Role::Child) {
        if !args.of.is_empty() && people.addressees(&args.of)? != [from] {
            let text = "a child says so for itself: for others a parent or caregiver does";
            return Err(CliError::new(ExitCode::BadInput, text));
        }
        return Ok((from, vec![from]));
    }
    let agreements = Agreements::of(view)?;
    let of: Vec<_> = if args.of.is_empty() {
        children(people).filter(|child| !agreements.is_own_word(*child)).collect()
    } else {
        people.addressees(&args.of)?
    };
    if of.iter().any(|member| people.role(*member) != Some(Role::Child)) {
        return Err(CliError::new(ExitCode::BadInput, "an agreement is of a child"));
    }
    if of.is_empty() || of.iter().any(|child| agreements.is_own_word(*child)) {
        let text = "a child of its age says so for itself, on a phone that serves it";
        return Err(CliError::new(ExitCode::BadInput, text));
    }
    Ok((from, of))
}

/// What is agreed to of each child, and who is told of it, as this phone knows.
struct Agreements {
    placement: Option<Placement>,
    consents: Vec<Consent>,
    today: String,
    /// Whether contact of the whole family is counted.
    counted: bool,
}

impl Agreements {
    fn of(view: &View) -> Result<Self> {
        let (db, people) = (view.state.db(), &view.people);
        let placement = fact::find(db, PLACEMENT_KEY)?.and_then(|fact| match fact.content {
            Content::Placement(placement) => Some(placement),
            _ => None,
        });
        let consents = fact::with_prefix(db, "consent/")?;
        let consents: Vec<Consent> = consents
            .into_iter()
            .filter_map(|fact| match fact.content {
                Content::Consent(consent) => Some(consent),
                _ => None,
            })
            .collect();
        let today = people.tz().to_datetime(now()).date().to_string();
        let counted = children(people).all(|child| {
            let consent = consents.iter().find(|consent| consent.member == child);
            consent.is_some_and(|consent| consent.is_counted(&today))
        });
        Ok(Self { placement, consents, today, counted })
    }

    /// Whether the child's own word is enough today.
    fn is_own_word(&self, child: MemberId) -> bool {
        let consent = self.consents.iter().find(|consent| consent.member == child);
        consent.is_some_and(|consent| consent.is_own_word(&self.today))
    }

    fn json(&self, people: &People) -> serde_json::Value {
        let Self { placement, consents, today, counted } = self;
        let of_child = |one: &&Consent| people.role(one.member) == Some(Role::Child);
        let child = |one: &Consent| {
            json!({
                "member": one.member.0,
                "taking_part": one.taking_part(today).name(),
                "counting": one.counting(today).name(),
                "ends_on": one.ends_on(today),
                "own_word_from": one.own_word_from(),
            })
        };
        json!({
            "counted": counted,
            "children": consents.iter().filter(of_child).map(child).collect::<Vec<_>>(),
            "programme": placement.as_ref().map(|one| one.programme.to_string()),
            "case_code": placement.as_ref().map(|one| &one.case_code),
            "site": placement.as_ref().and_then(|one| one.site.as_ref()),
            "since": placement.as_ref().map(|one| say::day(one.since)),
        })
    }
}

fn children(people: &People) -> impl Iterator<Item = MemberId> + '_ {
    let children = people.roles().iter().filter(|(_, role)| **role == Role::Child);
    children.map(|(child, _)| *child)
}

/// What is agreed to, and who is told of it.
pub(super) fn described(view: &View) -> Result<serde_json::Value> {
    Ok(Agreements::of(view)?.json(&view.people))
}

/// What others see of the family.
pub(super) async fn who_sees(context: &mut Context<'_>) -> Result<()> {
    context.exchange_or_go_on().await?;
    let view = View::open(&context.home)?;
    let people = &view.people;
    let agreements = Agreements::of(&view)?;
    if context.globals.json {
        return context.json(&agreements.json(people));
    }
    let Agreements { placement, consents, today, counted } = agreements;
    tell(context, counted, placement.as_ref())?;
    for child in children(people) {
        let name = people.name(child);
        let none = Consent::none(child);
        let consent = consents.iter().find(|consent| consent.member == child).unwrap_or(&none);
        let part = in_words(consent.taking_part(&today), consent.terms.as_deref());
        let counting = in_words(consent.counting(&today), consent.counting_terms.as_deref());
        writeln!(context.out, "{name}: taking part {part}; counting {counting}.")?;
        if consent.is_own_word(&today) {
            writeln!(context.out, "{name} agrees and takes back without anybody else.")?;
        }
    }
    Ok(())
}

/// What is recorded of an agreement.
fn in_words(agreed: Agreed, terms: Option<&Terms>) -> String {
    let what = match agreed {
        Agreed::NotYet => return "is not agreed to".to_owned(),
        Agreed::Refused => return "was refused".to_owned(),
        Agreed::Withdrawn => return "was taken back".to_owned(),
        Agreed::Given => "is agreed to",
        Agreed::Expired => "was agreed to, and that is over",
    };
    let Some(terms) = terms else { return what.to_owned() };
    let mut parts = Vec::new();
    if let Some(version) = terms.version {
        let language = terms.language.as_deref().map(say::one_line).unwrap_or_default();
        parts.push(format!("by text {version} {language}").trim_end().to_owned());
    }
    parts.extend(terms.how.map(|how| how.name().to_owned()));
    if terms.witnessed == Some(true) {
        parts.push("before a witness".to_owned());
    }
    parts.extend(terms.until.as_ref().map(|until| format!("until {}", say::one_line(until))));
    if parts.is_empty() { what.to_owned() } else { format!("{what} ({})", parts.join(", ")) }
}

fn tell(context: &mut Context<'_>, counted: bool, placement: Option<&Placement>) -> Result<()> {
    let out = &mut context.out;
    writeln!(out, "What you write and say, and your names, only your family's phones can open.")?;
    writeln!(out)?;
    writeln!(
        out,
        "The relay sees who of you (by number) wrote to whom, when, and how long it was."
    )?;
    let Some(Placement { case_code, site, since, .. }) = placement else { return Ok(()) };
    let site = site.as_ref().map(|site| format!(" at {}", say::one_line(site)));
    writeln!(
        out,
        "The staff of your programme know you as {}{} since {}. They see your roles, time zones, languages,\n\
         plan and pauses, and which consents are recorded: never a name, never a word.",
        say::one_line(case_code),
        site.unwrap_or_default(),
        say::day(*since)
    )?;
    writeln!(out)?;
    if counted {
        writeln!(
            out,
            "That contact is counted was agreed to: they also see on which days you heard each other, how\n\
             often you meant to, and which phones are used. To take it back: jiashu withdraw counting"
        )?;
    } else {
        writeln!(
            out,
            "Contact is not counted: when and how often you hear each other they do not see."
        )?;
    }
    writeln!(out, "To take back that you take part at all: jiashu withdraw taking-part")?;
    Ok(())
}
