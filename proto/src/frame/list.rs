//! Lists of frames and entries have a bound before they are read: an item of one byte on the wire
//! may take fifty in memory, and whoever sends a list need not be known.

use minicbor::{Decode, Decoder};

use crate::bounds;

/// A list of at most [`bounds::MAX_LIST`] items.
pub(crate) fn decode<'b, C, T: Decode<'b, C>>(
    d: &mut Decoder<'b>,
    context: &mut C,
) -> Result<Vec<T>, minicbor::decode::Error> {
    at_most(bounds::MAX_LIST, d, context)
}

/// The links of a roster: at most [`bounds::MAX_LINKS`].
pub(crate) fn decode_links<'b, C, T: Decode<'b, C>>(
    d: &mut Decoder<'b>,
    context: &mut C,
) -> Result<Vec<T>, minicbor::decode::Error> {
    at_most(bounds::MAX_LINKS, d, context)
}

fn at_most<'b, C, T: Decode<'b, C>>(
    most: usize,
    d: &mut Decoder<'b>,
    context: &mut C,
) -> Result<Vec<T>, minicbor::decode::Error> {
    let mut items = Vec::new();
    for item in d.array_iter_with(context)? {
        if items.len() == most {
            return Err(minicbor::decode::Error::message("the list is too long"));
        }
        items.push(item?);
    }
    Ok(items)
}

/// A list that is mostly empty, and then is not written.
pub(crate) mod sparse {
    use minicbor::encode::Write;
    use minicbor::{Decode, Decoder, Encode, Encoder};

    pub(crate) use crate::sparse::{is_nil, nil};

    pub(crate) fn encode<T: Encode<C>, C, W: Write>(
        list: &Vec<T>,
        e: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        list.encode(e, context)
    }

    pub(crate) fn decode<'b, T: Decode<'b, C>, C>(
        d: &mut Decoder<'b>,
        context: &mut C,
    ) -> Result<Vec<T>, minicbor::decode::Error> {
        super::decode(d, context)
    }
}
