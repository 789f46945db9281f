//! Whole enrolments against a relay that remembers what it was sent, and can lose an answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{ClientFrame, Enrolled, Refused, RelayFrame, Welcome};
use jiashu_proto::id::{DeviceId, Scope};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::*;
use crate::ngo::staff::StaffFile;

/// What the relay knows.
#[derive(Default)]
struct Known {
    families: BTreeMap<String, Scope>,
    refuses: Option<String>,
    /// Rounds with commands that are done, but whose answers are lost.
    loses: u32,
    enrolments: Vec<Vec<u8>>,
}

struct Relay {
    known: Arc<Mutex<Known>>,
    dir: tempfile::TempDir,
    globals: Globals,
    serving: JoinSet<()>,
}

impl Relay {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let known = Arc::new(Mutex::new(Known::default()));
        let mut serving = JoinSet::new();
        let shared = Arc::clone(&known);
        serving.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                answer_round(stream, &shared).await;
            }
        });
        let dir = tempfile::tempdir().unwrap();
        let home = Some(dir.path().join("home"));
        let globals = Globals { home, json: true, ..Globals::default() };
        let mut staff = StaffFile::draw(&origin, "setup".into(), None);
        staff.number = Some(DeviceId(1).0);
        staff.write(&globals).unwrap();
        Self { known, dir, globals, serving }
    }

    async fn enrol(&self, list: &str) -> Result<Value> {
        let path = self.dir.path().join("families.csv");
        std::fs::write(&path, list).unwrap();
        let out = self.dir.path().join("cards");
        let args = EnrolArgs {
            list: path,
            out: Some(out),
            skip_bad: true,
            dry_run: false,
            again: Vec::new(),
        };
        let mut answer = Vec::new();
        run(&args, &self.globals, &mut answer).await?;
        Ok(serde_json::from_slice(&answer).unwrap())
    }

    fn invites(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("cards/invites.json")).unwrap()
    }
}

async fn answer_round(mut stream: TcpStream, known: &Mutex<Known>) {
    let (mut asked, mut buffer) = (Vec::new(), vec![0; 65536]);
    let body = loop {
        let len = stream.read(&mut buffer).await.unwrap();
        asked.extend_from_slice(&buffer[..len]);
        let Some(end) = asked.windows(4).position(|it| it == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&asked[..end]).unwrap();
        let length: usize = head.split_once("content-length: ").unwrap().1.parse().unwrap();
        if asked.len() == end + 4 + length {
            break &asked[end + 4..];
        }
    };
    let Some(answer) = answers(body, &mut known.lock().unwrap()) else { return };
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
    stream.write_all(&[head.as_bytes(), &answer].concat()).await.unwrap();
}

fn answers(mut body: &[u8], known: &mut Known) -> Option<Vec<u8>> {
    let mut answer = Vec::new();
    let mut commands = 0;
    while !body.is_empty() {
        let (_, frame) = ClientFrame::read_from(&mut body).unwrap();
        let relay = match frame {
            ClientFrame::Hello(_) => {
                RelayFrame::Welcome(Welcome { now: 1, last_n: 0, generation: 1, restart: None })
            }
            ClientFrame::Enrol(enrol) if known.refuses.as_ref() == Some(&enrol.case_code) => {
                let (code, text) = (ErrorCode::BadLink, "no".into());
                RelayFrame::Refused(Refused {
                    code,
                    text,
                    n: None,
                    retry_after_ms: None,
                    last_n: None,
                    to_close: None,
                })
            }
            ClientFrame::Enrol(enrol) => {
                commands += 1;
                let case_code = enrol.case_code.clone();
                let family = *known.families.entry(case_code.clone()).or_insert(enrol.family);
                known.enrolments.push(ClientFrame::Enrol(enrol).to_bytes(0));
                RelayFrame::Enrolled(Enrolled { case_code, family, active: false })
            }
            other => panic!("not for this relay: {other:?}"),
        };
        relay.write_to(0, &mut answer);
    }
    let lost = commands > 0 && known.loses > 0;
    known.loses -= u32::from(lost);
    (!lost).then_some(answer)
}

fn list(families: std::ops::RangeInclusive<u32>) -> String {
    let mut list = String::from(
        "case_code,member,role,name,time_zone,language,device,shared_device,consent_on,assent_on\n",
    );
    for number in families {
        list += &format!("LI-{number},1,parent,王芳,Europe/Rome,it,妈妈,,2026-05-01,\n");
        list += &format!("LI-{number},2,child,莉莉,Asia/Shanghai,zh,,,2026-05-03,\n");
    }
    list
}

#[tokio::test]
async fn a_rerun_changes_nothing_and_adds_what_is_new() {
    let relay = Relay::start().await;
    let first = relay.enrol(&list(1..=20)).await.unwrap();
    let invites = relay.invites();

    let again = relay.enrol(&list(1..=20)).await.unwrap();
    let unchanged = relay.invites();
    let more = relay.enrol(&list(1..=21)).await.unwrap();

    assert_eq!((&first["families"], &first["already"]), (&20.into(), &0.into()));
    assert_eq!((&again["families"], &again["already"]), (&20.into(), &20.into()));
    assert_eq!((&more["families"], &more["already"]), (&21.into(), &20.into()));
    assert_eq!(unchanged, invites);
    assert!(relay.invites().starts_with(invites.trim_end_matches(&[']', '\n'][..])));
    assert_eq!(first["not_active"].as_array().unwrap().len(), 20);
    let known = relay.known.lock().unwrap();
    assert_eq!(known.enrolments[..20], known.enrolments[20..40], "byte for byte");
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_with_the_same_bytes() {
    let relay = Relay::start().await;
    relay.known.lock().unwrap().loses = 1;

    let answer = relay.enrol(&list(1..=2)).await.unwrap();

    assert_eq!(answer["families"], 2);
    assert_eq!(answer["elsewhere"], Value::Array(vec![]));
    let known = relay.known.lock().unwrap();
    assert_eq!(known.enrolments[..2], known.enrolments[2..]);
}

#[tokio::test]
async fn a_family_known_by_other_cards_is_left_out_of_the_folder() {
    let relay = Relay::start().await;
    relay.known.lock().unwrap().families.insert("LI-1".into(), Scope(1));

    let answer = relay.enrol(&list(1..=2)).await.unwrap();

    assert_eq!(answer["elsewhere"], Value::Array(vec!["LI-1".into()]));
    assert_eq!(answer["families"], 1);
    assert!(!relay.invites().contains("LI-1") && relay.invites().contains("LI-2"));
}

#[tokio::test]
async fn a_refused_family_fails_the_run_and_the_others_stand() {
    let relay = Relay::start().await;
    relay.known.lock().unwrap().refuses = Some("LI-2".into());

    let refused = relay.enrol(&list(1..=3)).await.unwrap_err();
    relay.known.lock().unwrap().refuses = None;
    let answer = relay.enrol(&list(1..=3)).await.unwrap();

    assert_eq!(refused.code, ExitCode::Refused);
    assert_eq!((&answer["families"], &answer["already"]), (&3.into(), &2.into()));
}

#[tokio::test]
async fn changed_rows_are_told_and_the_cards_stay_as_printed() {
    let relay = Relay::start().await;
    relay.enrol(&list(1..=2)).await.unwrap();
    let invites = relay.invites();

    let renamed = list(1..=2).replacen("莉莉", "丽丽", 1);
    let answer = relay.enrol(&renamed).await.unwrap();

    assert_eq!(answer["changed"], Value::Array(vec!["LI-1".into()]));
    assert_eq!(relay.invites(), invites);
}

#[tokio::test]
async fn nothing_is_written_while_the_list_has_faults_or_the_relay_is_away() {
    let mut relay = Relay::start().await;

    let faulty = relay.enrol(&list(1..=1).replace("Europe/Rome", "Rom")).await.unwrap_err();
    relay.serving.shutdown().await;
    let away = relay.enrol(&list(1..=1)).await.unwrap_err();

    assert_eq!((faulty.code, away.code), (ExitCode::BadInput, ExitCode::Offline));
    assert!(!relay.dir.path().join("cards").exists());
}
