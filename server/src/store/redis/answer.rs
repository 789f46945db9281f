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
    let each = array(value)?.into_iter().map(bytes);
    each.map(|one| one?.ok_or(Damaged("an answer with a hole"))).collect()
}

/// A field and its value, or a member and its score.
pub(super) type Pair = (Vec<u8>, Vec<u8>);

/// Pairs: of a hash its fields, of a sorted set its members with their scores.
pub(super) fn pairs(value: Value) -> Result<Vec<Pair>, Damaged> {
    let flat = all_bytes(value)?;
    let (pairs, rest) = flat.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Damaged("an answer that is no pairs"));
    }
    Ok(pairs.iter().map(|[one, other]| (one.clone(), other.clone())).collect())
}

/// A number.
pub(super) fn number(value: &Value) -> Result<u64, Damaged> {
    match value {
        Value::Int(number) => u64::try_from(*number).map_err(|_| Damaged("a number")),
        _ => Err(Damaged("an answer that is no number")),
    }
}
