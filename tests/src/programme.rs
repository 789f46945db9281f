//! An NGO's programme: its first coordinator, who enrols families.

use jiashu_proto::entry::Consent;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{ClientFrame, Enrol, Enrolled, Hello, RecordConsent, RelayFrame, Setup};
use jiashu_proto::frame::{Refused, Reissue, Staffed, ToClose, Void};
use jiashu_proto::id::{DeviceId, InviteId, MemberId, Millis, Scope, Token};
use jiashu_roster::{code_hash, token_hash};
use jiashu_seal::{InviteSecret, JoinLink, random};

use crate::family::{FamilySpec, TestFamily};
use crate::raw::Raw;
use crate::relay::TestRelay;
use crate::until::until;

/// A programme, as its coordinator's client holds it.
#[derive(Clone, Debug)]
pub struct Programme {
    raw: Raw,
    /// The coordinator's.
    pub token: Token,
}

impl Programme {
    /// Uses the relay's setup link.
    pub async fn of(relay: &TestRelay) -> Self {
        let link = relay.setup_link().expect("a relay offers its setup link until it is used");
        let (setup, token) = draw_setup(setup_code(&link));
        // A relay whose Redis has just come together may ask to be asked once more.
        until("the relay writes", async || {
            match relay.raw().one(ClientFrame::Setup(setup.clone())).await {
                RelayFrame::Staffed(Staffed { number, .. }) if number == token.device => Some(()),
                RelayFrame::Refused(Refused { code: ErrorCode::Unavailable, .. }) => None,
                other => panic!("the setup link lets the coordinator in, not {other:?}"),
            }
        })
        .await;
        Self { raw: relay.raw(), token }
    }

    /// That of a coordinator who has come in already.
    #[must_use]
    pub fn known(relay: &TestRelay, token: Token) -> Self {
        Self { raw: relay.raw(), token }
    }

    /// The same programme at a relay that has been given its store.
    #[must_use]
    pub fn at(self, relay: &TestRelay) -> Self {
        Self { raw: relay.raw(), ..self }
    }

    /// Says hello as the coordinator.
    #[must_use]
    pub fn hello(&self) -> ClientFrame {
        hello(&self.token)
    }

    /// A staff command's answer.
    ///
    /// # Errors
    ///
    /// The relay's refusal.
    pub async fn ask(&self, frame: ClientFrame) -> Result<Enrolled, Refused> {
        let answers = self.raw.ask(vec![self.hello(), frame]).await;
        match answers.into_iter().next_back() {
            Some(RelayFrame::Enrolled(enrolled)) => Ok(enrolled),
            Some(RelayFrame::Refused(refused)) => Err(refused),
            other => panic!("a staff command is answered, not {other:?}"),
        }
    }

    /// Enrols a family as it is described.
    pub async fn enrol(&self, case_code: &str, spec: &FamilySpec) -> TestFamily {
        let (enrol, secrets) = spec.draw(case_code, self.raw.now().await);
        let enrolled = self.ask(ClientFrame::Enrol(enrol.clone())).await.expect("it is enrolled");
        assert_eq!(enrolled.family, enrol.family);
        TestFamily { raw: self.raw, enrol, secrets, active: enrolled.active }
    }

    /// Sends an enrolment that may not be taken.
    ///
    /// # Errors
    ///
    /// The relay's refusal.
    pub async fn try_enrol(&self, enrol: &Enrol) -> Result<Enrolled, Refused> {
        self.ask(ClientFrame::Enrol(enrol.clone())).await
    }

    /// Voids phones and cards of a family.
    ///
    /// # Errors
    ///
    /// The relay's refusal.
    pub async fn void(
        &self,
        case_code: &str,
        devices: &[u32],
        invites: &[u32],
    ) -> Result<Enrolled, Refused> {
        let to_close = to_close(devices, invites);
        self.ask(ClientFrame::Void(Void { case_code: case_code.into(), to_close })).await
    }

    /// Lets a new phone of these members ask, by a link that is drawn here.
    ///
    /// # Errors
    ///
    /// The relay's refusal.
    pub async fn reissue(
        &self,
        case_code: &str,
        members: &[u32],
        expires_at: Millis,
    ) -> Result<InviteSecret, Refused> {
        let link = InviteSecret::generate();
        let reissue = Reissue {
            case_code: case_code.into(),
            members: members.iter().copied().map(MemberId).collect(),
            code_hash: code_hash(&link.code()),
            expires_at,
        };
        self.ask(ClientFrame::Reissue(reissue)).await.map(|_| link)
    }

    /// Records consent and assent of a member.
    ///
    /// # Errors
    ///
    /// The relay's refusal.
    pub async fn record(&self, case_code: &str, consent: Consent) -> Result<Enrolled, Refused> {
        let case_code = case_code.into();
        self.ask(ClientFrame::RecordConsent(RecordConsent { case_code, consent })).await
    }
}

/// These phones and cards.
#[must_use]
pub fn to_close(devices: &[u32], invites: &[u32]) -> ToClose {
    ToClose {
        devices: devices.iter().copied().map(DeviceId).collect(),
        invites: invites.iter().copied().map(InviteId).collect(),
    }
}

/// A hello that has read nothing yet.
#[must_use]
pub fn hello(token: &Token) -> ClientFrame {
    ClientFrame::Hello(Hello { token: token.clone(), cursor: None, cursors_at: None })
}

/// The secret in a setup link.
#[must_use]
pub fn setup_code(link: &str) -> [u8; 16] {
    // The same form as a join link, of scope 0.
    let link = JoinLink::parse(&link.replace("/setup#", "/join#")).expect("a setup link");
    assert_eq!(link.scope, Scope::RELAY);
    *link.secret.as_bytes()
}

/// A new programme and its coordinator's token, for a setup link with this code.
#[must_use]
pub fn draw_setup(code: [u8; 16]) -> (Setup, Token) {
    let (programme, secret) = (Scope(u64::from_be_bytes(random())), random());
    let token = Token { scope: programme, device: DeviceId(1), secret };
    (Setup { code, programme, token_hash: token_hash(&secret) }, token)
}

/// Both consents of a member, on a day.
#[must_use]
pub fn consent(member: u32) -> Consent {
    let day = || Some("2026-11-02".to_owned());
    Consent { consent_on: day(), assent_on: day(), ..Consent::none(MemberId(member)) }
}
