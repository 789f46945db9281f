//! What of a family's row puts it in its place on a list: read where it stands, and nothing kept. Staff's questions look
//! at the rows of all families and show few.

use std::marker::PhantomData;

use jiashu_contact::standing::{Standing, of_family};
use jiashu_proto::entry::Care;
use jiashu_proto::id::{DeviceId, MemberId, Millis, Role};
use minicbor::Decode;
use minicbor::decode::{Decoder, Error};

use super::rows::{ChildRow, ChildWeek};
use super::uses::Uses;
use crate::family::tasks::{Task, TaskKind};

/// A [`FamilyRow`](super::rows::FamilyRow) at a glance. It reads just where that does: what is not kept is looked at, too.
#[derive(Debug, Decode)]
#[cbor(array)]
pub struct Glance<'a> {
    /// The programme's own code for it.
    #[b(0)]
    pub case_code: &'a str,
    /// The code of its site.
    #[b(1)]
    pub site: Option<&'a str>,
    #[n(2)]
    _active: bool,
    #[n(3)]
    counted: bool,
    #[n(4)]
    children: Children,
    #[n(5)]
    _next: Option<Millis>,
    #[b(6)]
    _home_zone: Option<&'a str>,
    #[b(7)]
    _away_zone: Option<&'a str>,
    #[n(8)]
    _phones: Each<Phone>,
    #[n(9)]
    _as_of: Millis,
    /// What staff are asked to do for it.
    #[cbor(n(10), default)]
    pub tasks: Vec<Task>,
    #[cbor(b(12), default)]
    _agreed_until: Option<&'a str>,
    #[cbor(n(13), default)]
    _leaves_at: Option<Millis>,
    #[cbor(b(14), default)]
    _zone: Option<&'a str>,
    #[cbor(b(15), default)]
    _pauses: Each<(&'a str, &'a str)>,
}

impl<'a> Glance<'a> {
    /// `None` if it does not read.
    #[must_use]
    pub fn from_bytes(value: &'a [u8]) -> Option<Self> {
        minicbor::decode(value).ok()
    }

    /// Whether somebody of the family asks for help.
    #[must_use]
    pub fn asks_for_help(&self) -> bool {
        self.tasks.iter().any(|task| task.kind == TaskKind::Help)
    }

    /// How the family stands: as the child of whom that is worst.
    #[must_use]
    pub fn standing(&self) -> Standing {
        of_family(self.children.standing).unwrap_or(Standing::NotActive)
    }

    /// When both had last heard each other, of the child for whom that is longest ago; of one that never was, since when
    /// it is counted. In ms.
    #[must_use]
    pub fn longest_ago(&self) -> Millis {
        let children = &self.children;
        let longest_ago = if self.counted { children.longest_ago } else { children.since };
        longest_ago.unwrap_or(Millis::MAX)
    }
}

/// A [`WeekRow`](super::rows::WeekRow) whose texts are not copied. It reads just where that does.
#[derive(Debug, Decode)]
#[cbor(array)]
pub struct WeekGlance<'a> {
    /// The code of the site where it was.
    #[b(0)]
    pub site: Option<&'a str>,
    /// The clock at home, IANA.
    #[b(1)]
    pub home_zone: Option<&'a str>,
    /// The clock of the first parent.
    #[b(2)]
    pub away_zone: Option<&'a str>,
    /// Its children that were counted.
    #[n(3)]
    pub children: Vec<ChildWeek>,
    /// Phones of the household.
    #[n(4)]
    pub shared_phones: u32,
    /// Of these, the idle ones.
    #[n(5)]
    pub idle_phones: u32,
    /// Whether the week has closed.
    #[n(6)]
    pub closed: bool,
    #[n(7)]
    _as_of: Millis,
    /// In which hours phones of the household were used.
    #[cbor(n(9), default)]
    pub uses: Uses,
    /// Who looked after its children.
    #[n(10)]
    pub care: Option<Care>,
}

impl<'a> WeekGlance<'a> {
    /// `None` if it does not read.
    #[must_use]
    pub fn from_bytes(value: &'a [u8]) -> Option<Self> {
        minicbor::decode(value).ok()
    }
}

/// Of all children together.
#[derive(Debug, Default)]
struct Children {
    standing: Option<Standing>,
    longest_ago: Option<Millis>,
    since: Option<Millis>,
}

impl<'b, C> Decode<'b, C> for Children {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, Error> {
        let mut all = Self::default();
        for child in d.array_iter_with::<C, ChildRow>(ctx)? {
            let child = child?;
            all.standing = of_family(all.standing.into_iter().chain([child.standing]));
            let least = |so_far: &mut Option<Millis>, at: Option<Millis>| {
                let at = at.unwrap_or(Millis::MAX);
                *so_far = Some(so_far.map_or(at, |least| least.min(at)));
            };
            least(&mut all.longest_ago, child.two_way_at.or(child.since));
            least(&mut all.since, child.since);
        }
        Ok(all)
    }
}

/// As a [`PhoneRow`](super::rows::PhoneRow).
#[derive(Debug, Decode)]
#[cbor(array)]
struct Phone {
    #[n(0)]
    _device: DeviceId,
    #[n(1)]
    _serves: Each<(MemberId, Role)>,
    #[n(2)]
    _used_at: Option<Millis>,
}

/// A list each of whose parts reads.
#[derive(Debug)]
struct Each<T>(PhantomData<T>);

impl<T> Default for Each<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<'b, C, T: Decode<'b, C>> Decode<'b, C> for Each<T> {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, Error> {
        for one in d.array_iter_with::<C, T>(ctx)? {
            one?;
        }
        Ok(Self(PhantomData))
    }
}
