//! How old a child is, no more precisely than reports tell it.

use jiashu_proto::entry::own_word_from;
use jiff::civil::Date;
use minicbor::{Decode, Encode};

/// Years of age, of which a report tells no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum AgeBand {
    /// Not yet 3.
    #[n(0)]
    UpTo2,
    /// 3 to 5.
    #[n(1)]
    UpTo5,
    /// 6 to 8.
    #[n(2)]
    UpTo8,
    /// 9 to 11.
    #[n(3)]
    UpTo11,
    /// 12 to 14.
    #[n(4)]
    UpTo14,
    /// 15 to 17.
    #[n(5)]
    UpTo17,
    /// Of age.
    #[n(6)]
    Adult,
}

impl AgeBand {
    /// All of them, the youngest first.
    pub const ALL: [Self; 7] = [
        Self::UpTo2,
        Self::UpTo5,
        Self::UpTo8,
        Self::UpTo11,
        Self::UpTo14,
        Self::UpTo17,
        Self::Adult,
    ];

    /// Of a child that was born in that month, `YYYY-MM`, on a day. The day of birth is not known: a birthday counts from
    /// the first of the month after it. `None` if the text is no month.
    #[must_use]
    pub fn of(born_in: &str, on: Date) -> Option<Self> {
        let on = on.to_string();
        let has_been = |age| own_word_from(born_in, age).map(|from| from <= on);
        has_been(0)?;
        let until = [3, 6, 9, 12, 15, 18].into_iter().filter(|age| has_been(*age) == Some(true));
        Self::ALL.get(until.count()).copied()
    }

    /// The word in `--json` and in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UpTo2 => "0-2",
            Self::UpTo5 => "3-5",
            Self::UpTo8 => "6-8",
            Self::UpTo11 => "9-11",
            Self::UpTo14 => "12-14",
            Self::UpTo17 => "15-17",
            Self::Adult => "18+",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_birthday_counts_from_the_month_after_it() {
        let cases = [
            ("2023-11", "2026-11-30", Some("0-2")),
            ("2023-11", "2026-12-01", Some("3-5")),
            ("2014-12", "2026-12-31", Some("9-11")),
            ("2014-12", "2027-01-01", Some("12-14")),
            ("2008-10", "2026-11-01", Some("18+")),
            ("2026-12", "2026-11-01", Some("0-2")),
            ("2014", "2026-11-01", None),
        ];
        for (born_in, on, expected) in cases {
            let band = AgeBand::of(born_in, on.parse().unwrap()).map(AgeBand::name);
            assert_eq!(band, expected, "{born_in} on {on}");
        }
    }
}
