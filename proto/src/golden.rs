//! Golden bytes: what each frame and entry looks like on the wire, for ever.
//!
//! `proto/vectors/frames.json` maps a name to the hex of a frame; a browser is checked against the
//! same file. `JIASHU_WRITE_VECTORS=1 cargo test -p jiashu-proto` writes it anew, which is right
//! only for a frame that never left this machine.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::entry::{
    Adjust, Care, Consent, ContactPlan, Content, Cursor, Fired, How, IntendedRule, Leaving,
    LinkFact, MemberFact, Message, Notice, Noticed, Nudge, Nudged, Pause, PauseReason, Placement,
    Proposal, Receipt, RequestFact, RuleText, Rung, Schedule, ScheduleState, SuspendedFor,
    Suspension, SuspensionReason, Terms, Tombstone, WrapsFact, kind,
};
use crate::error::ErrorCode;
use crate::frame::*;
use crate::id::{CodeHash, DeviceId, InviteId, LinkHash, MemberId, Ref, Scope, Token, TokenHash};

const AT: i64 = 1_795_500_000_000;

fn rule() -> RuleText {
    RuleText::new("2027-03-28T19:30:00", "Asia/Shanghai", Some("FREQ=WEEKLY;BYDAY=SU,WE"))
}

fn card() -> Card {
    Card { invite: InviteId(1), code_hash: CodeHash([7; 32]), blob: vec![1, 2, 3] }
}

fn client_frames() -> Vec<(&'static str, u8, ClientFrame)> {
    let token = Token { scope: Scope(u64::MAX), device: DeviceId(2), secret: [9; 16] };
    let (entry_ref, from, to) = (Ref([1; 12]), MemberId(1), vec![MemberId(2), MemberId(3)]);
    let post = Post {
        n: 1,
        entry_ref,
        epoch: 4,
        from,
        to: vec![],
        kind: 1,
        sealed: vec![0xaa; 20],
        key: None,
        until: None,
        blob: None,
    };
    vec![
        (
            "hello, first",
            0,
            ClientFrame::Hello(Hello { token: token.clone(), cursor: None, cursors_at: None }),
        ),
        (
            "hello, lane 3",
            3,
            ClientFrame::Hello(Hello {
                token,
                cursor: Some(Cursor { generation: 5, seq: 300, tag: 0xdead_beef }),
                cursors_at: Some(AT),
            }),
        ),
        ("post", 0, ClientFrame::Post(post.clone())),
        (
            "post, a fact for some with an end",
            0,
            ClientFrame::Post(Post {
                to: to.clone(),
                key: Some("name/2".into()),
                until: Some(AT),
                blob: Some(Ref([8; 12])),
                ..post
            }),
        ),
        ("ack", 0, ClientFrame::Ack(Ack { seq: 301, tag: 17 })),
        (
            "report",
            0,
            ClientFrame::Report(Report {
                n: 2,
                entry_ref,
                from,
                of: Ref([2; 12]),
                to: MemberId(2),
                rung: Rung::Shown,
                at: AT,
                share: None,
            }),
        ),
        (
            "hold",
            0,
            ClientFrame::Hold(Hold {
                n: 3,
                body_ref: entry_ref,
                epoch: 4,
                from,
                to: to.clone(),
                kind: 1,
                sealed: vec![0xbb; 20],
                schedule: Ref([3; 12]),
                valid_for: Some(7_200_000),
                blob: None,
                again: None,
                replaces: None,
            }),
        ),
        (
            "hold, sealed again",
            0,
            ClientFrame::Hold(Hold {
                n: 3,
                body_ref: entry_ref,
                epoch: 5,
                from,
                to: to.clone(),
                kind: 1,
                sealed: vec![0xbb; 20],
                schedule: Ref([3; 12]),
                valid_for: None,
                blob: None,
                again: Some(Ref([4; 12])),
                replaces: None,
            }),
        ),
        (
            "hold, in the place of another",
            0,
            ClientFrame::Hold(Hold {
                n: 3,
                body_ref: entry_ref,
                epoch: 5,
                from,
                to: to.clone(),
                kind: 1,
                sealed: vec![0xbb; 20],
                schedule: Ref([3; 12]),
                valid_for: None,
                blob: None,
                again: None,
                replaces: Some(Ref([5; 12])),
            }),
        ),
        (
            "plan",
            0,
            ClientFrame::Plan(Plan {
                n: 4,
                entry_ref: Ref([3; 12]),
                from,
                to: to.clone(),
                rule: rule(),
                state: ScheduleState::Active,
                schedule: None,
                bank: false,
                seen: None,
            }),
        ),
        (
            "plan, a change of a letter bank with more dates and fewer",
            0,
            ClientFrame::Plan(Plan {
                n: 4,
                entry_ref: Ref([6; 12]),
                from,
                to,
                rule: RuleText {
                    also: vec!["2027-04-01T18:00:00".into()],
                    except: vec!["2027-04-04T19:30:00".into()],
                    ..rule()
                },
                state: ScheduleState::Paused,
                schedule: Some(Ref([3; 12])),
                bank: true,
                seen: Some(2),
            }),
        ),
        (
            "preview",
            0,
            ClientFrame::Preview(Preview {
                rule: rule(),
                zones: vec!["Asia/Shanghai".into(), "Europe/Rome".into()],
                count: 8,
                after: Some(AT),
            }),
        ),
        (
            "give back",
            0,
            ClientFrame::GiveBack(GiveBack { schedule: Ref([3; 12]), after: Some(Ref([5; 12])) }),
        ),
        (
            "turn",
            0,
            ClientFrame::Turn(Turn {
                n: 5,
                entry_ref,
                link: vec![1],
                wraps: vec![2],
                cards: vec![card()],
            }),
        ),
        ("look", 0, ClientFrame::Look(Look { scope: Scope(7), code: [4; 16] })),
        (
            "join",
            0,
            ClientFrame::Join(Join {
                scope: Scope(7),
                code: [4; 16],
                link: vec![1],
                wraps: vec![2],
            }),
        ),
        ("beat", 0, ClientFrame::Beat(Beat {})),
        (
            "setup",
            0,
            ClientFrame::Setup(Setup {
                code: [4; 16],
                programme: Scope(9),
                token_hash: TokenHash([5; 32]),
            }),
        ),
        (
            "enrol",
            0,
            ClientFrame::Enrol(Enrol {
                case_code: "GS-001".into(),
                family: Scope(7),
                link: vec![1],
                cards: vec![card()],
                members: vec![member()],
                consents: vec![consent()],
                replaces: None,
                site: None,
                proposal: vec![],
                care: None,
            }),
        ),
        (
            "enrol, a new chain",
            0,
            ClientFrame::Enrol(Enrol {
                case_code: "GS-001".into(),
                family: Scope(8),
                link: vec![1],
                cards: vec![],
                members: vec![],
                consents: vec![],
                replaces: Some(Scope(7)),
                site: None,
                proposal: vec![],
                care: None,
            }),
        ),
        (
            "enrol at a site",
            0,
            ClientFrame::Enrol(Enrol {
                case_code: "GS-001".into(),
                family: Scope(8),
                link: vec![1],
                cards: vec![],
                members: vec![],
                consents: vec![],
                replaces: None,
                site: Some("tianshui".into()),
                proposal: vec![IntendedRule { rule: rule(), tolerance_min: None }],
                care: None,
            }),
        ),
        (
            "enrol, children with their grandparents",
            0,
            ClientFrame::Enrol(Enrol {
                case_code: "GS-001".into(),
                family: Scope(8),
                link: vec![1],
                cards: vec![],
                members: vec![],
                consents: vec![],
                replaces: None,
                site: None,
                proposal: vec![],
                care: Some(Care::Grandparents),
            }),
        ),
        (
            "intend",
            0,
            ClientFrame::Intend(Intend {
                n: 9,
                entry_ref: Ref([8; 12]),
                from: MemberId(1),
                rules: vec![IntendedRule { rule: rule(), tolerance_min: Some(720) }],
                seen: Some(300),
            }),
        ),
        (
            "withdraw",
            0,
            ClientFrame::Withdraw(Withdraw {
                n: 10,
                entry_ref: Ref([9; 12]),
                from: MemberId(2),
                of: vec![MemberId(3)],
                what: Agreement::Counting,
                on: "2027-01-31".into(),
            }),
        ),
        (
            "ask_for_help",
            0,
            ClientFrame::AskForHelp(AskForHelp {
                n: 11,
                entry_ref: Ref([9; 12]),
                from: MemberId(3),
            }),
        ),
        (
            "reach",
            0,
            ClientFrame::Reach(Reach {
                n: 12,
                entry_ref: Ref([9; 12]),
                from: MemberId(1),
                email: Some("ana@example.org".into()),
            }),
        ),
        (
            "reach_no_more",
            0,
            ClientFrame::Reach(Reach {
                n: 13,
                entry_ref: Ref([9; 12]),
                from: MemberId(1),
                email: None,
            }),
        ),
        (
            "leave",
            0,
            ClientFrame::Leave(Leave {
                n: 14,
                entry_ref: Ref([9; 12]),
                from: MemberId(1),
                what: LeaveWhat::InTime,
            }),
        ),
        ("void", 0, ClientFrame::Void(Void { case_code: "GS-001".into(), to_close: to_close() })),
        (
            "reissue",
            0,
            ClientFrame::Reissue(Reissue {
                case_code: "GS-001".into(),
                members: vec![MemberId(2), MemberId(3)],
                code_hash: CodeHash([7; 32]),
                expires_at: AT,
            }),
        ),
        (
            "request",
            0,
            ClientFrame::Request(Request {
                scope: Scope(7),
                code: [4; 16],
                sign_pub: [5; 65],
                hpke_pub: [6; 65],
                code_hash: CodeHash([7; 32]),
            }),
        ),
        (
            "hand in",
            0,
            ClientFrame::HandIn(HandIn {
                scope: Scope(7),
                links: vec![vec![2].into(), vec![3].into()],
                wraps: vec![4],
            }),
        ),
        (
            "record consent",
            0,
            ClientFrame::RecordConsent(RecordConsent {
                case_code: "GS-001".into(),
                consent: consent(),
            }),
        ),
    ]
}

fn to_close() -> ToClose {
    ToClose { devices: vec![DeviceId(2)], invites: vec![InviteId(3), InviteId(4)] }
}

fn consent_by_a_text() -> Content {
    let terms = Terms {
        version: Some(3),
        language: Some("ro".into()),
        how: Some(How::OralWithWitness),
        witnessed: Some(true),
        until: Some("2027-11-01".into()),
    };
    Content::Consent(Consent {
        counting_terms: Some(Box::new(terms.clone())),
        terms: Some(Box::new(terms)),
        ..consent()
    })
}

fn consent_of_a_childs_own_word() -> Content {
    Content::Consent(Consent {
        guardian_withdrawn_on: Some("2026-11-03".into()),
        counting_guardian_withdrawn_on: Some("2026-11-04".into()),
        born_in: Some("2011-05".into()),
        own_word_age: Some(14),
        ..consent()
    })
}

fn leaving() -> Content {
    let until = Some(AT);
    Content::Leaving(Leaving { by: MemberId(1), until, agreed: vec![MemberId(1)] })
}

fn request() -> Content {
    Content::Request(RequestFact {
        members: vec![MemberId(2), MemberId(3)],
        sign_pub: [5; 65],
        hpke_pub: [6; 65],
        code_hash: CodeHash([7; 32]),
        expires_at: AT,
    })
}

fn member() -> MemberFact {
    MemberFact { member: MemberId(3), zone: "Asia/Shanghai".into(), language: "zh-Hans".into() }
}

fn cared_for() -> Content {
    Content::Placement(Placement {
        programme: Scope(7),
        case_code: "GS-001".into(),
        site: None,
        since: AT,
        care: Some(Care::BoardingSchool),
    })
}

fn consent() -> Consent {
    Consent {
        consent_on: Some("2026-11-01".into()),
        assent_on: Some("2026-11-02".into()),
        ..Consent::none(MemberId(3))
    }
}

/// Of contact; among the contents of a newer relay.
fn of_contact() -> Vec<Content> {
    let rules = vec![
        IntendedRule { rule: rule(), tolerance_min: None },
        IntendedRule { rule: rule(), tolerance_min: Some(720) },
    ];
    vec![
        Content::Consent(Consent {
            counting_on: Some("2026-11-01".into()),
            counting_assent_on: Some("2026-11-02".into()),
            ..consent()
        }),
        Content::Consent(Consent { counting_withdrawn_on: Some("2027-01-31".into()), ..consent() }),
        Content::Plan(ContactPlan { by: MemberId(1), rules: rules.clone() }),
        Content::Proposal(Proposal { staff: DeviceId(1), rules }),
        Content::Pause(Pause {
            number: 1,
            first: "2027-02-01".into(),
            last: "2027-02-20".into(),
            reason: PauseReason::ParentHome,
            staff: DeviceId(1),
            withdrawn: false,
        }),
        Content::Placement(Placement {
            programme: Scope(7),
            case_code: "GS-001".into(),
            site: Some("tianshui".into()),
            since: AT,
            care: None,
        }),
        Content::Nudge(Nudge { child: MemberId(3), whom: Nudged::Caregivers }),
        Content::Suspension(Suspension {
            member: MemberId(1),
            times: vec![
                SuspendedFor {
                    from: AT,
                    until: Some(AT + 1),
                    reason: SuspensionReason::CourtOrder,
                    staff: DeviceId(1),
                },
                SuspendedFor {
                    from: AT + 2,
                    until: None,
                    reason: SuspensionReason::OwnWish,
                    staff: DeviceId(2),
                },
            ],
        }),
    ]
}

fn contents() -> Vec<Content> {
    let message = Message {
        device: DeviceId(1),
        from: MemberId(1),
        entry_ref: Ref([1; 12]),
        epoch: 4,
        to: vec![],
        sealed: vec![0xaa; 20],
        key: None,
        until: None,
        blob: None,
        fired: None,
    };
    let fired = Message {
        to: vec![MemberId(3)],
        until: Some(AT + 1),
        fired: Some(Fired {
            body_ref: Ref([2; 12]),
            schedule: Ref([3; 12]),
            planned: "2027-03-28T02:30:00".into(),
            due_at: AT,
            adjust: Some(Adjust::Gap),
            valid_for: Some(1),
            version: 2,
        }),
        ..message.clone()
    };
    vec![
        Content::Message(1, message),
        Content::Message(4, fired),
        Content::Link(LinkFact { link: vec![1, 2] }),
        Content::Wraps(WrapsFact { number: 2, wraps: vec![3] }),
        Content::Receipt(Receipt {
            device: DeviceId(2),
            from: MemberId(3),
            of: Ref([1; 12]),
            to: MemberId(1),
            rung: Rung::Opened,
            at: AT,
            share: None,
        }),
        Content::Schedule(Schedule {
            id: Ref([3; 12]),
            device: DeviceId(1),
            from: MemberId(1),
            to: vec![MemberId(3)],
            rule: rule(),
            state: ScheduleState::Active,
            bank: true,
            version: 2,
        }),
        Content::Member(member()),
        Content::Consent(consent()),
        Content::Notice(Notice {
            to: MemberId(1),
            what: Noticed::Low,
            schedule: Some(Ref([3; 12])),
            planned: Some("2027-03-28T19:30:00".into()),
            due_at: Some(AT),
            of: None,
            members: Vec::new(),
            left: Some(2),
        }),
        Content::Tombstone(Tombstone {
            from: MemberId(1),
            entry_ref: Ref([1; 12]),
            to: vec![MemberId(3)],
            until: AT,
            due_at: None,
        }),
    ]
}

fn relay_frames() -> Vec<(&'static str, u8, RelayFrame)> {
    let entries = contents()
        .iter()
        .zip(1..)
        .map(|(content, step)| WireEntry {
            seq: 300 + step * step,
            at: AT - 5 * step.cast_signed(),
            content: content.to_bytes(),
        })
        .collect();
    vec![
        (
            "welcome",
            0,
            RelayFrame::Welcome(Welcome { now: AT, last_n: 41, generation: 5, restart: None }),
        ),
        (
            "welcome, another log",
            3,
            RelayFrame::Welcome(Welcome { now: AT, last_n: 0, generation: 6, restart: Some(true) }),
        ),
        (
            "entries of every kind",
            0,
            RelayFrame::Entries(Entries { after: 300, upto: 400, tag: 17, floor: 0, entries }),
        ),
        (
            "entries of contact",
            0,
            RelayFrame::Entries(Entries {
                after: 0,
                upto: 8,
                tag: 17,
                floor: 0,
                entries: (1..)
                    .zip(of_contact())
                    .map(|(seq, content)| WireEntry { seq, at: AT, content: content.to_bytes() })
                    .collect(),
            }),
        ),
        (
            "entries, a request",
            0,
            RelayFrame::Entries(Entries {
                after: 0,
                upto: 1,
                tag: 17,
                floor: 0,
                entries: vec![WireEntry { seq: 1, at: AT, content: request().to_bytes() }],
            }),
        ),
        (
            "entries, consent by a text",
            0,
            RelayFrame::Entries(Entries {
                after: 0,
                upto: 1,
                tag: 17,
                floor: 0,
                entries: vec![WireEntry {
                    seq: 1,
                    at: AT,
                    content: consent_by_a_text().to_bytes(),
                }],
            }),
        ),
        (
            "entries, consent by a child's own word",
            0,
            RelayFrame::Entries(Entries {
                after: 0,
                upto: 1,
                tag: 17,
                floor: 0,
                entries: vec![WireEntry {
                    seq: 1,
                    at: AT,
                    content: consent_of_a_childs_own_word().to_bytes(),
                }],
            }),
        ),
        (
            "entries, who looks after the children",
            0,
            RelayFrame::Entries(Entries {
                after: 0,
                upto: 1,
                tag: 17,
                floor: 0,
                entries: vec![WireEntry { seq: 1, at: AT, content: cared_for().to_bytes() }],
            }),
        ),
        (
            "entries, a family leaves",
            0,
            RelayFrame::Entries(Entries {
                after: 0,
                upto: 1,
                tag: 17,
                floor: 0,
                entries: vec![WireEntry { seq: 1, at: AT, content: leaving().to_bytes() }],
            }),
        ),
        (
            "posted",
            0,
            RelayFrame::Posted(Posted { n: 1, entry_ref: Ref([1; 12]), seq: 301, at: AT }),
        ),
        (
            "refused, renumber",
            0,
            RelayFrame::Refused(Refused {
                code: ErrorCode::Renumber,
                text: "the next n is 42".into(),
                n: Some(1),
                retry_after_ms: None,
                last_n: Some(41),
                to_close: None,
            }),
        ),
        (
            "refused, turn first",
            0,
            RelayFrame::Refused(Refused {
                code: ErrorCode::TurnFirst,
                text: "close these first".into(),
                n: Some(1),
                retry_after_ms: None,
                last_n: None,
                to_close: Some(to_close()),
            }),
        ),
        (
            "cursors",
            0,
            RelayFrame::Cursors(Cursors {
                reached: vec![Reached { device: DeviceId(2), seq: 301, at: AT }],
            }),
        ),
        (
            "invited",
            0,
            RelayFrame::Invited(Invited {
                invite: InviteId(1),
                blob: vec![1],
                links: vec![vec![2].into(), vec![3].into()],
                wraps: Some(vec![4].into()),
                expires_at: AT,
            }),
        ),
        ("joined", 0, RelayFrame::Joined(Joined { device: DeviceId(2), seq: 9 })),
        ("staffed", 0, RelayFrame::Staffed(Staffed { programme: Scope(9), number: DeviceId(1) })),
        (
            "enrolled",
            0,
            RelayFrame::Enrolled(Enrolled {
                case_code: "GS-001".into(),
                family: Scope(7),
                active: true,
            }),
        ),
        (
            "requested",
            0,
            RelayFrame::Requested(Requested {
                first_link: LinkHash([8; 32]),
                members: vec![MemberId(2), MemberId(3)],
                expires_at: AT,
            }),
        ),
        ("handed in", 0, RelayFrame::HandedIn(HandedIn { epoch: 9 })),
        ("beaten", 0, RelayFrame::Beaten(Beaten { now: AT })),
    ]
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_frame_has_its_golden_bytes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/frames.json");
    let client = client_frames();
    let relay = relay_frames();
    let made: BTreeMap<String, String> = client
        .iter()
        .map(|(name, lane, frame)| (name, frame.to_bytes(*lane)))
        .chain(relay.iter().map(|(name, lane, frame)| (name, frame.to_bytes(*lane))))
        .map(|(name, bytes)| ((*name).to_owned(), hex(&bytes)))
        .collect();
    if std::env::var_os("JIASHU_WRITE_VECTORS").is_some() {
        std::fs::write(path, serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
    }

    let golden: BTreeMap<String, String> =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();

    assert_eq!(made, golden);
}

#[test]
fn every_frame_reads_back() {
    for (name, lane, frame) in client_frames() {
        assert_eq!(ClientFrame::from_bytes(&frame.to_bytes(lane)), Ok((lane, frame)), "{name}");
    }
    for (name, lane, frame) in relay_frames() {
        assert_eq!(RelayFrame::from_bytes(&frame.to_bytes(lane)), Ok((lane, frame)), "{name}");
    }
    for content in contents().into_iter().chain(of_contact()).chain([
        request(),
        leaving(),
        cared_for(),
        consent_by_a_text(),
        consent_of_a_childs_own_word(),
    ]) {
        assert_eq!(Content::from_bytes(&content.to_bytes()).unwrap(), content);
    }
}

#[test]
fn a_cut_frame_is_refused_at_every_length() {
    for (name, lane, frame) in client_frames() {
        let bytes = frame.to_bytes(lane);
        for length in 0..bytes.len() {
            let cut = ClientFrame::from_bytes(&bytes[..length]);
            assert_eq!(cut, Err(FrameError::Malformed), "{name} cut to {length}");
        }
    }
}

#[test]
fn bytes_after_a_frame_are_refused_or_the_next_frame() {
    let beat = ClientFrame::Beat(Beat {}).to_bytes(0);
    let two = [beat.clone(), beat.clone()].concat();

    assert_eq!(ClientFrame::from_bytes(&two), Err(FrameError::TrailingBytes));
    let mut rest = two.as_slice();
    assert!(ClientFrame::read_from(&mut rest).is_ok());
    assert_eq!(rest, beat);
}

#[test]
fn a_newer_peers_extra_fields_are_passed_over() {
    // beat with a field, and a fourth item behind the lane
    let newer = [0x84, 0x0a, 0x81, 0x01, 0x00, 0x18, 0x2a];

    assert_eq!(ClientFrame::from_bytes(&newer), Ok((0, ClientFrame::Beat(Beat {}))));
}

#[test]
fn a_frame_of_an_unknown_kind_is_known_as_such() {
    let newer = [0x82, 0x19, 0x03, 0xe7, 0x81, 0x01];

    assert_eq!(ClientFrame::from_bytes(&newer), Ok((0, ClientFrame::Unknown(999))));
}

#[test]
fn deep_nesting_and_huge_lengths_are_refused_without_harm() {
    let deep = [&[0x82, 0x0a][..], &[0x81; 60_000]].concat();
    let huge_array = [0x82, 0x02, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    let huge_bytes = [0x82, 0x02, 0x81, 0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

    assert_eq!(ClientFrame::from_bytes(&deep), Err(FrameError::Malformed));
    assert_eq!(ClientFrame::from_bytes(&huge_array), Err(FrameError::Malformed));
    assert_eq!(ClientFrame::from_bytes(&huge_bytes), Err(FrameError::Malformed));
}

#[test]
fn an_unknown_kind_of_entry_is_kept_as_unknown() {
    let newer = [0x18, 0xc8, 0x82, 0x01, 0x02];

    assert_eq!(Content::from_bytes(&newer).unwrap(), Content::Unknown(200));
    assert_eq!(Content::Unknown(kind::LINK).key(), None);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = ClientFrame::from_bytes(&bytes);
        let _ = RelayFrame::from_bytes(&bytes);
        let _ = Content::from_bytes(&bytes);
    }

    #[test]
    fn a_damaged_frame_never_panics(
        which in 0usize..12,
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let (client, relay) = (client_frames(), relay_frames());
        for mut bytes in [client[which % client.len()].2.to_bytes(0), relay[which % relay.len()].2.to_bytes(0)] {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = ClientFrame::from_bytes(&bytes);
            let _ = RelayFrame::from_bytes(&bytes);
        }
    }

    #[test]
    fn a_post_reads_back(
        n in any::<u64>(), entry_ref in any::<[u8; 12]>(), epoch in any::<u32>(),
        from in any::<u32>(), to in proptest::collection::vec(any::<u32>(), 0..8),
        kind in any::<u32>(), sealed in proptest::collection::vec(any::<u8>(), 0..300),
        key in proptest::option::of(".{0,20}"), until in proptest::option::of(any::<i64>()),
        lane in any::<u8>(),
    ) {
        let post = ClientFrame::Post(Post {
            n, entry_ref: Ref(entry_ref), epoch, from: MemberId(from),
            to: to.into_iter().map(MemberId).collect(), kind, sealed, key, until, blob: None,
        });

        prop_assert_eq!(ClientFrame::from_bytes(&post.to_bytes(lane)), Ok((lane, post)));
    }
}
