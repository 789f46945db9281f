//! From which age a child's own word is enough to agree, by the law of where it lives.
//!
//! The ages are those at which a child alone may agree to that data about it is used. None of these laws was made for a
//! programme like ours, and whether a child may take part is also a question of parental authority: a programme asks
//! its own lawyer before it relies on one.

use minicbor::{Decode, Encode};

/// The age from which everybody's own word is enough, and what holds where no jurisdiction is said.
pub const OF_AGE: u8 = 18;

/// Where children live whose law a programme goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Jurisdiction {
    /// China.
    #[n(1)]
    China,
    /// Romania.
    #[n(2)]
    Romania,
    /// Moldova.
    #[n(3)]
    Moldova,
    /// Latvia.
    #[n(4)]
    Latvia,
    /// Italy.
    #[n(5)]
    Italy,
}

impl Jurisdiction {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::China, Self::Romania, Self::Moldova, Self::Latvia, Self::Italy];

    /// The code: ISO 3166-1, in small letters.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::China => "cn",
            Self::Romania => "ro",
            Self::Moldova => "md",
            Self::Latvia => "lv",
            Self::Italy => "it",
        }
    }

    /// The one of that code.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// From which age, in years, a child's own word is enough without its guardian's; below it both are needed.
    ///
    /// Sources: China, Personal Information Protection Law, article 31 (below 14 the guardian agrees). Italy, decreto
    /// legislativo 196/2003, article 2-quinquies, put in by 101/2018. Latvia, Personal Data Processing Law, section 33.
    /// Romania, article 8(1) of the GDPR, from which law 190/2018 does not depart. Of Moldova nothing is sure: law
    /// 133/2011 names no age, and of what law 195/2024, in force since 23 August 2026, says of children we have not read
    /// the text; so both are needed until the child is of age.
    #[must_use]
    pub fn own_word_age(self) -> u8 {
        match self {
            Self::China | Self::Italy => 14,
            Self::Latvia => 13,
            Self::Romania => 16,
            Self::Moldova => OF_AGE,
        }
    }
}

/// The civil date from which on the word of a child that was born in that month, `YYYY-MM`, is enough by itself.
///
/// The day of birth is not known, so it is the first of the month after the birthday: up to a month late, and never
/// early. `None` if the text is no month.
#[must_use]
pub fn own_word_from(born_in: &str, age: u8) -> Option<String> {
    let (year, month) = born_in.split_once('-')?;
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if year.len() != 4 || month.len() != 2 || !is_number(year) || !is_number(month) {
        return None;
    }
    let (year, month): (u32, u32) = (year.parse().ok()?, month.parse().ok()?);
    if !(1..=12).contains(&month) {
        return None;
    }
    let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    Some(format!("{:04}-{month:02}-01", year + u32::from(age)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_one_jurisdictions() {
        for one in Jurisdiction::ALL {
            assert_eq!(Jurisdiction::from_name(one.name()), Some(one));
            assert!((13..=OF_AGE).contains(&one.own_word_age()), "{one:?}");
        }
        assert_eq!(Jurisdiction::from_name("fr"), None);
    }

    #[test]
    fn the_own_word_is_enough_from_the_month_after_the_birthday() {
        let cases = [
            ("2012-11", 14, Some("2026-12-01")),
            ("2012-12", 14, Some("2027-01-01")),
            ("2012-01", 13, Some("2025-02-01")),
            ("2012-13", 14, None),
            ("2012-00", 14, None),
            ("2012-1", 14, None),
            ("12-01", 14, None),
            ("2012-11-03", 14, None),
            ("+012-11", 14, None),
            ("", 14, None),
        ];

        for (born_in, age, expected) in cases {
            assert_eq!(own_word_from(born_in, age).as_deref(), expected, "{born_in}");
        }
    }
}
