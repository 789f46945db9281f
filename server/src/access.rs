//! A token becomes a device and whom it serves. Nothing behind this sees a token.

use jiashu_proto::entry::Generation;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::{DeviceId, N, Scope, Token};
use jiashu_roster::token_hash;
use subtle::ConstantTimeEq;

use crate::family::{Refusal, Sender, erased, new_chain};
use crate::store::{ScopeKind, ScopeState, Store, StoreError};

/// Who speaks on a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// A device of a family.
    Device(Sender),
    /// A member of staff of a programme.
    Staff(DeviceId),
}

/// A lane that has said who it is.
#[derive(Clone, Debug)]
pub struct Access {
    /// The family or programme.
    pub scope: Scope,
    /// Who it is there.
    pub who: Who,
    /// Life of the scope's log, as of then.
    pub generation: Generation,
    /// The last counter that it had used by then.
    pub last_n: N,
}

impl Access {
    /// The number of the device or member of staff.
    #[must_use]
    pub fn seat(&self) -> DeviceId {
        match &self.who {
            Who::Device(sender) => sender.device,
            Who::Staff(number) => *number,
        }
    }

    /// Looks whether it is still let in, and whether it serves the same members.
    ///
    /// # Errors
    ///
    /// [`AccessError`].
    pub async fn look_again(&self, store: &dyn Store) -> Result<bool, AccessError> {
        let state = store.state(self.scope).await?.ok_or(AccessError::Unauthorised)?;
        let seat = state.seats.get(&self.seat()).filter(|seat| !seat.revoked);
        // What every frame of a connected phone meets, and takes no memory.
        if let (Some(seat), Who::Device(sender)) = (seat, &self.who)
            && !state.superseded
            && seat.members == sender.members
            && state.kind == ScopeKind::Family
        {
            return Ok(true);
        }
        seated(&state, self.scope, self.seat()).map(|access| access.who == self.who)
    }
}

/// Why nobody is let in.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The token does not hold; the same for an unknown family, a wrong secret, a revoked device.
    #[error("the token does not hold")]
    Unauthorised,
    /// The token held until the family began anew.
    #[error("the family began anew")]
    NewChain,
    /// All of the family was deleted.
    #[error("the family was deleted")]
    Erased,
    /// It could not be looked up.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AccessError {
    /// What the client is told.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Unauthorised => Refusal::new(
                ErrorCode::Unauthorised,
                "this phone is not, or no longer, part of the family: ask for a new card",
            ),
            Self::NewChain => new_chain(),
            Self::Erased => erased(),
            Self::Store(error) => {
                tracing::error!(error = error as &dyn std::error::Error, "cannot look who it is");
                Refusal::new(ErrorCode::Unavailable, "try again later")
            }
        }
    }
}

/// Looks up whose token it is. The secret is compared in constant time.
///
/// # Errors
///
/// [`AccessError`].
pub async fn authenticate(store: &dyn Store, token: &Token) -> Result<Access, AccessError> {
    let hash = token_hash(&token.secret);
    let state = store.state(token.scope).await?.ok_or(AccessError::Unauthorised)?;
    if state.erased_at.is_some() {
        // Nothing is left to tell a token by: whoever knows the number is told.
        return Err(AccessError::Erased);
    }
    let seat = state.seats.get(&token.device).ok_or(AccessError::Unauthorised)?;
    if bool::from(seat.token_hash.0.ct_eq(&hash.0)) {
        seated(&state, token.scope, token.device)
    } else {
        Err(AccessError::Unauthorised)
    }
}

/// Looks up a seat again, which was let in before: it may serve others now, or be revoked.
///
/// # Errors
///
/// [`AccessError`].
pub async fn look(
    store: &dyn Store,
    scope: Scope,
    device: DeviceId,
) -> Result<Access, AccessError> {
    let state = store.state(scope).await?.ok_or(AccessError::Unauthorised)?;
    seated(&state, scope, device)
}

fn seated(state: &ScopeState, scope: Scope, device: DeviceId) -> Result<Access, AccessError> {
    if state.erased_at.is_some() {
        return Err(AccessError::Erased);
    }
    let seat = state.seats.get(&device).filter(|seat| !seat.revoked);
    let seat = seat.ok_or(AccessError::Unauthorised)?;
    let members = seat.members.clone();
    if state.superseded {
        return Err(AccessError::NewChain);
    }
    let who = match state.kind {
        ScopeKind::Family => Who::Device(Sender { device, members }),
        ScopeKind::Programme => Who::Staff(device),
        ScopeKind::Relay => return Err(AccessError::Unauthorised),
    };
    Ok(Access { scope, who, generation: state.generation, last_n: seat.last_n })
}
