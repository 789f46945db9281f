//! In which hours of a week the phones of a household were used.

use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder};

/// Hours of a week.
pub const HOURS: usize = 7 * 24;

/// How often, by hour of the week from 0, Monday's first, on the clock of the site; hours without are left out. Ascending.
///
/// As it stands in the ledger each hour takes two bytes. At most 255 are told of an hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uses(Vec<(u8, u8)>);

impl Uses {
    /// Of the hour of each use, in any order; what is no hour of a week is passed over.
    #[must_use]
    pub fn of(hours: impl Iterator<Item = usize>) -> Self {
        let mut counts = [0_u8; HOURS];
        for hour in hours {
            if let Some(count) = counts.get_mut(hour) {
                *count = count.saturating_add(1);
            }
        }
        let hours = (0_u8..).zip(counts);
        Self(hours.filter(|(_, count)| *count > 0).collect())
    }

    /// Each hour in which they were used, and how often.
    #[must_use]
    pub fn hours(&self) -> &[(u8, u8)] {
        &self.0
    }
}

impl<C> Encode<C> for Uses {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        let bytes: Vec<u8> = self.0.iter().flat_map(|(hour, count)| [*hour, *count]).collect();
        e.bytes(&bytes)?.ok()
    }

    fn is_nil(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'b, C> Decode<'b, C> for Uses {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let bytes = d.bytes()?;
        let (pairs, rest) = bytes.as_chunks::<2>();
        let are_hours = pairs.iter().all(|[hour, _]| usize::from(*hour) < HOURS)
            && pairs.is_sorted_by(|[one, _], [next, _]| one < next);
        if !rest.is_empty() || !are_hours {
            return Err(minicbor::decode::Error::message("no hours of a week"));
        }
        Ok(Self(pairs.iter().map(|[hour, count]| (*hour, *count)).collect()))
    }

    fn nil() -> Option<Self> {
        Some(Self::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_counted_and_read_back() {
        let uses = Uses::of([167, 0, 19, 19, 168, 999].into_iter());
        assert_eq!(uses.hours(), [(0, 1), (19, 2), (167, 1)]);
        assert_eq!(Uses::of([5; 300].into_iter()).hours(), [(5, 255)]);

        let bytes = minicbor::to_vec(&uses).unwrap();
        assert_eq!(bytes.len(), 7);
        assert_eq!(minicbor::decode::<Uses>(&bytes).unwrap(), uses);
        for bad in [&[168_u8, 1][..], &[3, 1, 3, 1], &[4, 1, 3, 1], &[3]] {
            let bytes = minicbor::to_vec(minicbor::bytes::ByteVec::from(bad.to_vec())).unwrap();
            assert!(minicbor::decode::<Uses>(&bytes).is_err(), "{bad:?}");
        }
    }
}
