//! A small DHIS2 of a test's own: it takes data value sets as the developer guide of DHIS2 has it ("Data values": import
//! parameters, CSV data value format, deletions), by code, and keeps them. Not DHIS2, of which there is none in a test.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Data element, period, organisation unit.
pub type Key = (String, String, String);

/// A server that ends with this.
#[derive(Debug)]
pub struct TestDhis2 {
    /// Its address, up to where `/api` begins.
    pub url: String,
    kept: Arc<Mutex<Kept>>,
    serving: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Kept {
    login: String,
    units: BTreeSet<String>,
    values: BTreeMap<Key, String>,
    asked: Vec<String>,
}

impl Drop for TestDhis2 {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl TestDhis2 {
    /// One that knows this login, `user:password`, and these organisation units, by code. Data elements are those whose
    /// code begins with `JIASHU_`.
    ///
    /// # Panics
    ///
    /// If it cannot listen.
    pub async fn start(login: &str, units: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/dhis", listener.local_addr().expect("it listens"));
        let kept = Arc::new(Mutex::new(Kept {
            login: login.to_owned(),
            units: units.iter().map(|unit| (*unit).to_owned()).collect(),
            ..Kept::default()
        }));
        let shared = Arc::clone(&kept);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = Arc::clone(&shared);
                tokio::spawn(async move { serve(stream, &kept).await });
            }
        });
        Self { url, kept, serving }
    }

    /// What is stored.
    ///
    /// # Panics
    ///
    /// If the server did.
    #[must_use]
    pub fn values(&self) -> BTreeMap<Key, String> {
        self.kept.lock().expect("it did not panic").values.clone()
    }

    /// The paths that were asked for, with what stands behind the question mark.
    ///
    /// # Panics
    ///
    /// If the server did.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.kept.lock().expect("it did not panic").asked.clone()
    }
}

async fn serve(mut stream: TcpStream, kept: &Mutex<Kept>) {
    let mut request = Vec::new();
    let (head, body) = loop {
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).await.unwrap_or(0);
        if count == 0 {
            return;
        }
        request.extend_from_slice(&piece[..count]);
        let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&request[..end]).into_owned();
        let length: usize =
            header(&head, "content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        if request.len() >= end + 4 + length {
            break (head, request[end + 4..end + 4 + length].to_vec());
        }
    };
    let (status, answer) = kept.lock().expect("it did not panic").answer(&head, &body);
    let answer = answer.to_string();
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        answer.len()
    );
    let _ = stream.write_all(&[head.as_bytes(), answer.as_bytes()].concat()).await;
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// A value as it was sent.
struct Sent {
    key: Key,
    value: Option<String>,
    deleted: bool,
}

impl Kept {
    fn answer(&mut self, head: &str, body: &[u8]) -> (u16, Value) {
        let mut line = head.lines().next().unwrap_or_default().split(' ');
        let (method, target) = (line.next().unwrap_or_default(), line.next().unwrap_or_default());
        self.asked.push(target.to_owned());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let basic = format!("Basic {}", STANDARD.encode(&self.login));
        if header(head, "authorization") != Some(&basic) {
            return (401, json!({ "httpStatus": "Unauthorized" }));
        }
        if (method, path) != ("POST", "/dhis/api/dataValueSets") {
            return (404, json!({ "httpStatus": "Not Found" }));
        }
        let asks: BTreeMap<_, _> =
            query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        if asks.get("idScheme") != Some(&"CODE") {
            return (409, json!({ "httpStatus": "Conflict", "message": "ids are codes here" }));
        }
        let sent = match header(head, "content-type") {
            Some("application/json") => from_json(body),
            Some("application/csv") => from_csv(body),
            _ => return (415, json!({ "httpStatus": "Unsupported Media Type" })),
        };
        let Some(sent) = sent else { return (400, json!({ "httpStatus": "Bad Request" })) };
        self.import(sent, asks.get("dryRun") == Some(&"true"))
    }

    /// What of it this server does not know, or cannot take.
    fn problem(&self, sent: &Sent) -> Option<String> {
        let (element, period, unit) = &sent.key;
        let is_number =
            |value: &&String| value.parse::<u64>().is_ok_and(|it| it.to_string() == **value);
        let known = [
            (element, element.starts_with("JIASHU_")),
            (period, is_period(period)),
            (unit, self.units.contains(unit)),
            (element, sent.deleted || sent.value.as_ref().filter(is_number).is_some()),
        ];
        known.into_iter().find(|(_, known)| !known).map(|(what, _)| what.clone())
    }

    /// As DHIS2 does with the strategy `CREATE_AND_UPDATE`: what has no value and is not there is passed over.
    fn import(&mut self, sent: Vec<Sent>, dry_run: bool) -> (u16, Value) {
        let (mut imported, mut updated, mut ignored, mut deleted) = (0, 0, 0, 0);
        let mut conflicts = Vec::new();
        let mut values = self.values.clone();
        for one in sent {
            if let Some(problem) = self.problem(&one) {
                let value = "not found, not accessible or no number";
                conflicts.push(json!({ "object": problem, "value": value }));
                ignored += 1;
                continue;
            }
            let Sent { key, value, deleted: gone } = one;
            let stood = match value.filter(|_| !gone) {
                Some(value) => values.insert(key, value),
                None => values.remove(&key),
            };
            let count = match (gone, stood) {
                (false, None) => &mut imported,
                (false, Some(_)) => &mut updated,
                (true, None) => &mut ignored,
                (true, Some(_)) => &mut deleted,
            };
            *count += 1;
        }
        if !dry_run {
            self.values = values;
        }
        let (code, status) = if conflicts.is_empty() { (200, "SUCCESS") } else { (409, "WARNING") };
        let count = json!({
            "imported": imported, "updated": updated, "ignored": ignored, "deleted": deleted
        });
        let summary = json!({
            "responseType": "ImportSummary",
            "status": status,
            "importCount": count,
            "conflicts": conflicts,
        });
        (code, json!({ "httpStatusCode": code, "status": status, "response": summary }))
    }
}

fn is_period(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once('W') {
        Some((year, week)) => {
            year.len() == 4 && digits(year) && digits(week) && !week.starts_with('0')
        }
        None => text.len() == 6 && digits(text),
    }
}

fn from_json(body: &[u8]) -> Option<Vec<Sent>> {
    let set: Value = serde_json::from_slice(body).ok()?;
    let text = |value: &Value, key: &str| value[key].as_str().map(str::to_owned);
    let sent = |value: &Value| {
        Some(Sent {
            key: (text(value, "dataElement")?, text(value, "period")?, text(value, "orgUnit")?),
            value: text(value, "value"),
            deleted: value["deleted"].as_bool().unwrap_or(false),
        })
    };
    set["dataValues"].as_array()?.iter().map(sent).collect()
}

/// By the places of the columns, as DHIS2 does; the first line is passed over.
fn from_csv(body: &[u8]) -> Option<Vec<Sent>> {
    let text = std::str::from_utf8(body).ok()?;
    let sent = |line: &str| {
        let cells: Vec<_> = line.split(',').collect();
        let cell = |place: usize| cells.get(place).map(|cell| (*cell).to_owned());
        Some(Sent {
            key: (cell(0)?, cell(1)?, cell(2)?),
            value: cell(5).filter(|value| !value.is_empty()),
            deleted: cell(10).as_deref() == Some("true"),
        })
    };
    text.lines().skip(1).map(sent).collect()
}
