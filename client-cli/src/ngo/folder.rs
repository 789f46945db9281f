//! The folder of cards: `invites.json` with the links, which is deleted after printing, and
//! `enrolment.json` with what was sent, which holds neither link nor name and is kept.
//!
//! Both are on disk before anything is sent. A re-run finds the bytes of each family there and
//! sends the same again, so the relay knows it for a repeat and printed cards stay good.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiashu_proto::frame::{ClientFrame, Enrol};
use serde::{Deserialize, Serialize};

use super::disk;
use super::draw::{Drawn, PrintedCard};
use super::page;
use super::staff::Staff;
use crate::error::{CliError, ExitCode, Result};
use crate::home::{make_private_dir, private_file};

const VERSION: u32 = 1;

/// What `enrolment.json` holds.
#[derive(Debug, Serialize, Deserialize)]
struct PlanFile {
    version: u32,
    relay: String,
    programme: String,
    families: Vec<PlannedFamily>,
}

/// A family that was drawn.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PlannedFamily {
    /// The programme's own code.
    pub(super) case_code: String,
    /// The bytes of its frame, in base64.
    frame: String,
    /// [`super::draw::fingerprint`] of its rows.
    pub(super) rows: String,
    /// Whether the relay has said that it is enrolled.
    pub(super) enrolled: bool,
}

impl PlannedFamily {
    /// What is sent, byte for byte as the first time.
    pub(super) fn frame(&self) -> Result<(Vec<u8>, Enrol)> {
        let bytes = STANDARD.decode(&self.frame).unwrap_or_default();
        match ClientFrame::from_bytes(&bytes) {
            Ok((_, ClientFrame::Enrol(enrol))) if enrol.case_code == self.case_code => {
                Ok((bytes, enrol))
            }
            _ => {
                let text = format!("enrolment.json is broken at {}", self.case_code);
                Err(CliError::new(ExitCode::BadInput, text))
            }
        }
    }
}

/// The folder, held by this process alone.
#[derive(Debug)]
pub(super) struct Folder {
    dir: PathBuf,
    plan: PlanFile,
    cards: Vec<PrintedCard>,
    _lock: File,
}

impl Folder {
    /// Opens the folder, or makes one for this user alone.
    pub(super) fn open(dir: &Path, staff: &Staff) -> Result<Self> {
        let bad = |text: String| CliError::new(ExitCode::BadInput, text);
        make_private_dir(dir)
            .map_err(|error| bad(format!("cannot use the folder {}: {error}", dir.display())))?;
        let lock = private_file(&dir.join(".lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(error.into()),
            Err(TryLockError::WouldBlock) => {
                return Err(bad(format!("another enrolment is at work in {}", dir.display())));
            }
        }
        let (relay, programme) = (staff.origin.to_string(), staff.token.scope.to_string());
        let plan: Option<PlanFile> = disk::read_json(&dir.join("enrolment.json"))?;
        let cards: Option<Vec<PrintedCard>> = disk::read_json(&invites_path(dir))?;
        let other = |why: &str| bad(format!("{} {why}: name another by --out", dir.display()));
        let plan = match plan {
            Some(plan) if plan.version != VERSION => return Err(other("is of a newer version")),
            Some(plan) if (&plan.relay, &plan.programme) != (&relay, &programme) => {
                return Err(other("holds the cards of another programme"));
            }
            Some(plan) => plan,
            None if cards.as_ref().is_some_and(|cards| !cards.is_empty()) => {
                return Err(other("holds cards, but not the enrolment.json beside them"));
            }
            None => PlanFile { version: VERSION, relay, programme, families: Vec::new() },
        };
        let mut folder =
            Self { dir: dir.to_owned(), plan, cards: cards.unwrap_or_default(), _lock: lock };
        folder.forget_what_has_no_cards();
        Ok(folder)
    }

    /// A family that was never confirmed and whose links are deleted is of no use: drawn again, it
    /// is either new to the relay or known there as enrolled from elsewhere.
    fn forget_what_has_no_cards(&mut self) {
        let cards = &self.cards;
        let has_cards = |code: &str| cards.iter().any(|card| card.case_code == code);
        self.plan.families.retain(|family| family.enrolled || has_cards(&family.case_code));
    }

    /// The family of that code, if it was drawn.
    pub(super) fn find(&self, case_code: &str) -> Option<&PlannedFamily> {
        self.plan.families.iter().find(|family| family.case_code == case_code)
    }

    /// Adds a family; nothing is on disk before [`Folder::save`].
    pub(super) fn add(&mut self, drawn: Drawn, rows: String) {
        let case_code = drawn.enrol.case_code.clone();
        let frame = STANDARD.encode(ClientFrame::Enrol(drawn.enrol).to_bytes(0));
        self.plan.families.push(PlannedFamily { case_code, frame, rows, enrolled: false });
        self.cards.extend(drawn.cards);
    }

    /// The relay knows the family as ours.
    pub(super) fn confirm(&mut self, case_code: &str) {
        for family in self.plan.families.iter_mut().filter(|it| it.case_code == case_code) {
            family.enrolled = true;
        }
    }

    /// The relay does not know the family as ours: its cards would open nothing.
    pub(super) fn drop_family(&mut self, case_code: &str) {
        self.plan.families.retain(|family| family.case_code != case_code);
        self.cards.retain(|card| card.case_code != case_code);
    }

    /// Writes both files, the links first: what may be sent can always be printed.
    pub(super) fn save(&self) -> Result<()> {
        if self.has_cards() || self.invites().exists() {
            disk::write_json(&self.invites(), &self.cards)?;
        }
        disk::write_json(&self.dir.join("enrolment.json"), &self.plan)
    }

    /// Writes the page to print, with the cards of all families that the relay has confirmed.
    pub(super) fn write_page(&self) -> Result<()> {
        let confirmed =
            |card: &&PrintedCard| self.find(&card.case_code).is_some_and(|it| it.enrolled);
        let cards: Vec<_> = self.cards.iter().filter(confirmed).collect();
        if cards.is_empty() && !self.page().exists() {
            return Ok(());
        }
        disk::write(&self.page(), page::render(&cards).as_bytes())
    }

    /// Codes of families that were drawn in an earlier run and never confirmed.
    pub(super) fn unconfirmed(&self) -> Vec<&str> {
        let open = self.plan.families.iter().filter(|family| !family.enrolled);
        open.map(|family| &*family.case_code).collect()
    }

    /// Whether a link of that family is still here.
    pub(super) fn has_cards_of(&self, case_code: &str) -> bool {
        self.cards.iter().any(|card| card.case_code == case_code)
    }

    /// Whether any link is still here.
    pub(super) fn has_cards(&self) -> bool {
        !self.cards.is_empty()
    }

    /// How many cards these families have here.
    pub(super) fn count_cards(&self, of: impl Fn(&str) -> bool) -> usize {
        self.cards.iter().filter(|card| of(&card.case_code)).count()
    }

    /// Where the links are.
    pub(super) fn invites(&self) -> PathBuf {
        invites_path(&self.dir)
    }

    /// Where the page to print is.
    pub(super) fn page(&self) -> PathBuf {
        self.dir.join("cards.html")
    }
}

fn invites_path(dir: &Path) -> PathBuf {
    dir.join("invites.json")
}

#[cfg(test)]
mod tests {
    use jiashu_proto::id::{DeviceId, Scope, Token};
    use jiff::civil::date;

    use super::*;
    use crate::ngo::check::check;
    use crate::ngo::draw::draw;

    fn staff(programme: u64) -> Staff {
        let token = Token { scope: Scope(programme), device: DeviceId(1), secret: [1; 16] };
        Staff { origin: "https://relay.example.org".parse().unwrap(), token }
    }

    fn drawn(case_code: &str) -> Drawn {
        let list = format!(
            "case_code,member,role,name,time_zone,language,device,shared_device,consent_on,assent_on\n\
             {case_code},1,parent,KanaryName,Europe/Rome,it,KanaryPhone,,,\n\
             {case_code},2,child,KanaryLili,Asia/Shanghai,zh,,,2026-05-03,\n"
        );
        let checked = check(list.as_bytes(), date(2026, 11, 24));
        draw(&checked.families[0], &staff(7).origin, 1_800_000_000_000, None).unwrap()
    }

    #[test]
    fn a_rerun_sends_the_same_bytes_and_keeps_the_links() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = Folder::open(dir.path(), &staff(7)).unwrap();
        first.add(drawn("A"), "rows".into());
        first.save().unwrap();
        let (bytes, enrol) = first.find("A").unwrap().frame().unwrap();
        let invites = std::fs::read(first.invites()).unwrap();
        drop(first);

        let again = Folder::open(dir.path(), &staff(7)).unwrap();
        again.save().unwrap();

        assert_eq!(again.find("A").unwrap().frame().unwrap(), (bytes, enrol));
        assert_eq!(std::fs::read(again.invites()).unwrap(), invites);
    }

    #[test]
    fn what_is_kept_after_printing_holds_neither_link_nor_name() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = Folder::open(dir.path(), &staff(7)).unwrap();
        let drawn = drawn("A");
        let link = drawn.cards[0].link.clone();
        folder.add(drawn, "rows".into());
        folder.save().unwrap();

        let kept = std::fs::read_to_string(dir.path().join("enrolment.json")).unwrap();
        let invites = std::fs::read_to_string(folder.invites()).unwrap();

        assert!(!kept.contains("Kanary") && !kept.contains(&link));
        assert!(invites.contains("Kanary") && invites.contains(&link), "the search finds them");
    }

    #[test]
    fn a_family_is_forgotten_only_if_neither_confirmed_nor_printable() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = Folder::open(dir.path(), &staff(7)).unwrap();
        folder.add(drawn("A"), "rows".into());
        folder.add(drawn("B"), "rows".into());
        folder.confirm("A");
        folder.save().unwrap();
        std::fs::remove_file(folder.invites()).unwrap();
        drop(folder);

        let again = Folder::open(dir.path(), &staff(7)).unwrap();

        assert!(again.find("A").unwrap().enrolled);
        assert!(again.find("B").is_none());
    }

    #[test]
    fn a_folder_of_another_programme_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = Folder::open(dir.path(), &staff(7)).unwrap();
        folder.add(drawn("A"), "rows".into());
        folder.save().unwrap();

        let busy = Folder::open(dir.path(), &staff(7)).unwrap_err();
        drop(folder);
        let other = Folder::open(dir.path(), &staff(8)).unwrap_err();
        std::fs::remove_file(dir.path().join("enrolment.json")).unwrap();
        let halved = Folder::open(dir.path(), &staff(7)).unwrap_err();

        assert!(busy.message.contains("another enrolment is at work"), "{busy}");
        assert!(other.message.contains("another programme"), "{other}");
        assert!(halved.message.contains("not the enrolment.json"), "{halved}");
    }
}
