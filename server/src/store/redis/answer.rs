//! Answers of Redis, read strictly: one that is not of the kind asked for is an error, never a value. Pure.

use redis::Value;

use super::layout::Damaged;

/// Bytes, or nothing.
pub(super) fn bytes(value: Value) -> Result<Option<Vec<u8>>, Damaged> {
    match value {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::SimpleString(text) => Ok(Some(text.into_bytes())),
        _ => Err(Damaged("an answer that is no bytes")),
    }
}

/// Several.
pub(super) fn array(value: Value) -> Result<Vec<Value>, Damaged> {
    match value {
        Value::Array(values) | Value::Set(values) => Ok(values),
        _ => Err(Damaged("an answer that is no list")),
    }
}

/// Several, each bytes.
pub(super) fn all_bytes(value: Value) -> Result<Vec<Vec<u8>>, Damaged> {
    array(value)?.into_iter().map(present).collect()
}

fn present(value: Value) -> Result<Vec<u8>, Damaged> {
    bytes(value)?.ok_or(Damaged("an answer with a hole"))
}

/// A field and its value, or a member and its score.
pub(super) type Pair = (Vec<u8>, Vec<u8>);

/// Pairs: of a hash its fields, of a sorted set its members with their scores.
pub(super) fn pairs(value: Value) -> Result<Vec<Pair>, Damaged> {
    each_pair(value)?.collect()
}

/// The same, one after the other: of 100,000 none is kept longer than it is looked at.
pub(super) fn each_pair(
    value: Value,
) -> Result<impl Iterator<Item = Result<Pair, Damaged>>, Damaged> {
    let mut flat = array(value)?.into_iter();
    if flat.len() % 2 != 0 {
        return Err(Damaged("an answer that is no pairs"));
    }
    Ok(std::iter::from_fn(move || {
        let (one, other) = (flat.next()?, flat.next()?);
        Some(present(one).and_then(|one| Ok((one, present(other)?))))
    }))
}

/// A number.
pub(super) fn number(value: &Value) -> Result<u64, Damaged> {
    match value {
        Value::Int(number) => u64::try_from(*number).map_err(|_| Damaged("a number")),
        _ => Err(Damaged("an answer that is no number")),
    }
}
