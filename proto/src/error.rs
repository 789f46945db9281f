//! What the relay may answer instead: only what a client can act on, never an internal cause.

use minicbor::{Decode, Decoder, Encode};

/// Why a command was not done. Each says in its comment what a client does then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode)]
#[cbor(index_only)]
#[non_exhaustive]
pub enum ErrorCode {
    /// Not a frame of this protocol: a bug, report it.
    #[n(1)]
    Malformed,
    /// A kind that this relay does not know: go without it, or ask the operator to update.
    #[n(2)]
    UnknownKind,
    /// Over a limit of size: shorten.
    #[n(3)]
    TooLarge,
    /// The token is wrong or the device was removed: ask the family for a new card.
    #[n(4)]
    Unauthorised,
    /// Taking part is not yet recorded: keep it in the outbox and try later.
    #[n(5)]
    NotActive,
    /// The key changed: read on, seal again under the new key, same n and ref.
    #[n(6)]
    EpochOld,
    /// What the command was built on has changed: read on, decide again.
    #[n(7)]
    Stale,
    /// The counter is not the next: take `last` + 1 and on for all that is unanswered.
    #[n(8)]
    Renumber,
    /// This device, or this member, may not do that.
    #[n(9)]
    NotAllowed,
    /// The invite is wrong, used or expired (one answer for all): ask for a new one.
    #[n(10)]
    Invite,
    /// Too many: wait for `retry_after_ms`.
    #[n(11)]
    SlowDown,
    /// The relay cannot write just now: keep it and try again.
    #[n(12)]
    Unavailable,
    /// The roster link fails a check; the text says which.
    #[n(13)]
    BadLink,
    /// The rule of a schedule is refused; the text says why.
    #[n(14)]
    BadRule,
    /// A limit of number is reached (devices, invites, schedules): end one first.
    #[n(15)]
    Full,
    /// Something of that name or number is there already.
    #[n(16)]
    Exists,
    /// There is no such thing.
    #[n(17)]
    Unknown,
    /// The lane has not said hello.
    #[n(18)]
    HelloFirst,
    /// Something is to be closed first (`to_close` says what): a parent's or caregiver's phone writes ops
    /// 4 and 5 for it, then the same command goes again; any other waits.
    #[n(19)]
    TurnFirst,
    /// The family began a new chain: show it in red, keep what is here; a new card is needed.
    #[n(20)]
    NewChain,
    /// The stored bytes that it names are not all there: store them, then the same command goes again.
    #[n(21)]
    StoreFirst,
    /// All of the family was deleted: say so, and ask no more. What is on this phone stays there.
    #[n(22)]
    Erased,
    /// A reason that this version does not know: show the text, keep the command.
    #[n(0)]
    Newer,
}

/// The codes that this version knows, by their number on the wire.
const KNOWN: [ErrorCode; 22] = [
    ErrorCode::Malformed,
    ErrorCode::UnknownKind,
    ErrorCode::TooLarge,
    ErrorCode::Unauthorised,
    ErrorCode::NotActive,
    ErrorCode::EpochOld,
    ErrorCode::Stale,
    ErrorCode::Renumber,
    ErrorCode::NotAllowed,
    ErrorCode::Invite,
    ErrorCode::SlowDown,
    ErrorCode::Unavailable,
    ErrorCode::BadLink,
    ErrorCode::BadRule,
    ErrorCode::Full,
    ErrorCode::Exists,
    ErrorCode::Unknown,
    ErrorCode::HelloFirst,
    ErrorCode::TurnFirst,
    ErrorCode::NewChain,
    ErrorCode::StoreFirst,
    ErrorCode::Erased,
];

impl<'b, C> Decode<'b, C> for ErrorCode {
    /// A newer relay's code is [`ErrorCode::Newer`], so that its refusal is still one.
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let index = usize::try_from(d.u32()?).unwrap_or(usize::MAX);
        let known = index.checked_sub(1).and_then(|index| KNOWN.get(index));
        Ok(known.copied().unwrap_or(Self::Newer))
    }
}

impl ErrorCode {
    /// The word in `--json` and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownKind => "unknown_kind",
            Self::TooLarge => "too_large",
            Self::Unauthorised => "unauthorised",
            Self::NotActive => "not_active",
            Self::EpochOld => "epoch_old",
            Self::Stale => "stale",
            Self::Renumber => "renumber",
            Self::NotAllowed => "not_allowed",
            Self::Invite => "invite",
            Self::SlowDown => "slow_down",
            Self::Unavailable => "unavailable",
            Self::BadLink => "bad_link",
            Self::BadRule => "bad_rule",
            Self::Full => "full",
            Self::Exists => "exists",
            Self::Unknown => "unknown",
            Self::HelloFirst => "hello_first",
            Self::TurnFirst => "turn_first",
            Self::NewChain => "new_chain",
            Self::StoreFirst => "store_first",
            Self::Erased => "erased",
            Self::Newer => "newer",
        }
    }
}

/// Why the relay closes a WebSocket: RFC 6455 7.4.1, and its range for applications (7.4.2).
pub mod close {
    /// What came is no WebSocket frame that a client may send.
    pub const PROTOCOL: u16 = 1002;
    /// A text, or the reason of a close, is not UTF-8.
    pub const NOT_UTF8: u16 = 1007;
    /// A text message: the protocol is binary.
    pub const BINARY_ONLY: u16 = 1003;
    /// A message in too many fragments, or over too long a time.
    pub const MISCONDUCT: u16 = 1008;
    /// A message over the limit of size.
    pub const TOO_LARGE: u16 = 1009;
    /// A newer connection of the same device took over.
    pub const REPLACED: u16 = 4001;
    /// The token does not hold.
    pub const UNAUTHORISED: u16 = 4003;
    /// No first frame in time.
    pub const TOO_SLOW_TO_START: u16 = 4008;
    /// Nothing was read from this connection for too long.
    pub const NO_PROGRESS: u16 = 4009;
    /// The relay restarts; the reason is the number of ms to wait.
    pub const RESTART: u16 = 1012;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_and_a_newer_one_is_known_as_such() {
        for code in KNOWN {
            let bytes = minicbor::to_vec(code).unwrap();
            assert_eq!(minicbor::decode::<ErrorCode>(&bytes).unwrap(), code);
        }

        assert_eq!(minicbor::decode::<ErrorCode>(&[0x18, 0x63]).unwrap(), ErrorCode::Newer);
    }
}
