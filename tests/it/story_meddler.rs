//! A relay that lies: it passes rounds on to the true one, hears what is said, and may change what
//! is answered. What it shows is made of true bytes, so every lie but the one told is right.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use jiashu_proto::frame::{ClientFrame, RelayFrame};
use jiashu_proto::id::{DeviceId, LinkHash};
use jiashu_roster::{Link, Wraps};
use jiashu_seal::{BodyFields, FamilyKey, KeyPairs, open_body, unwrap_key};
use jiashu_tests::Raw;
use jiashu_tests::raw::read_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Makes another answer of the true one.
type Lie = Box<dyn FnMut(Vec<RelayFrame>) -> Vec<u8> + Send>;

/// Passes on something else than was said.
type Twist = Box<dyn FnMut(ClientFrame) -> ClientFrame + Send>;

#[derive(Default)]
struct Ways {
    heard: Vec<ClientFrame>,
    lie: Option<Lie>,
    twist: Option<Twist>,
    told: Vec<RelayFrame>,
}

/// A meddler in front of a relay; it ends with its owner.
pub(crate) struct Meddler {
    address: SocketAddr,
    ways: Arc<Mutex<Ways>>,
    serving: JoinHandle<()>,
}

impl Drop for Meddler {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Meddler {
    /// One that is honest so far.
    pub(crate) async fn before(relay: Raw) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let ways = Arc::new(Mutex::new(Ways::default()));
        let serving = tokio::spawn(serve(listener, relay, Arc::clone(&ways)));
        Self { address, ways, serving }
    }

    /// The link, leading here.
    pub(crate) fn link(&self, link: &str) -> String {
        let (_, path) = link.split_once("/join#").expect("a join link");
        format!("http://{}/join#{path}", self.address)
    }

    /// From now on it answers so.
    pub(crate) fn lie(&self, mut lie: impl FnMut(RelayFrame) -> RelayFrame + Send + 'static) {
        self.answer_with(move |frames| {
            frames.into_iter().flat_map(|frame| lie(frame).to_bytes(0)).collect()
        });
    }

    /// From now on it answers with these bytes.
    pub(crate) fn answer_with(&self, lie: impl FnMut(Vec<RelayFrame>) -> Vec<u8> + Send + 'static) {
        self.ways.lock().unwrap().lie = Some(Box::new(lie));
    }

    /// From now on it passes on something else than was said.
    pub(crate) fn twist(&self, twist: impl FnMut(ClientFrame) -> ClientFrame + Send + 'static) {
        self.ways.lock().unwrap().twist = Some(Box::new(twist));
    }

    /// From now on it passes on what is true.
    pub(crate) fn be_honest(&self) {
        let mut ways = self.ways.lock().unwrap();
        (ways.lie, ways.twist) = (None, None);
    }

    /// What the true relay has answered since the last question.
    pub(crate) fn take_told(&self) -> Vec<RelayFrame> {
        std::mem::take(&mut self.ways.lock().unwrap().told)
    }

    /// The words for the frames that it has heard since the last question.
    pub(crate) fn take_heard(&self) -> Vec<&'static str> {
        self.take_frames().iter().map(ClientFrame::name).collect()
    }

    /// The frames that it has heard since the last question.
    pub(crate) fn take_frames(&self) -> Vec<ClientFrame> {
        std::mem::take(&mut self.ways.lock().unwrap().heard)
    }
}

async fn serve(listener: TcpListener, relay: Raw, ways: Arc<Mutex<Ways>>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(answer(stream, relay, Arc::clone(&ways)));
    }
}

async fn answer(mut stream: TcpStream, relay: Raw, ways: Arc<Mutex<Ways>>) {
    let Some(body) = read_request(&mut stream).await else { return };
    let body = hear(&body, &mut ways.lock().unwrap());
    let answer = relay.post(&body).await.body;
    let frames: Vec<_> = read_all(&answer).into_iter().map(|(_, frame)| frame).collect();
    let answer = {
        let mut ways = ways.lock().unwrap();
        ways.told.extend(frames.iter().cloned());
        ways.lie.as_mut().map_or(answer, |lie| lie(frames))
    };
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
    let _ = stream.write_all(&[head.as_bytes(), &answer].concat()).await;
}

/// What is passed on of a body.
fn hear(mut body: &[u8], ways: &mut Ways) -> Vec<u8> {
    let mut passed_on = Vec::new();
    while !body.is_empty() {
        let (lane, frame) = ClientFrame::read_from(&mut body).expect("a client says whole frames");
        let said = match &mut ways.twist {
            Some(twist) => twist(frame.clone()),
            None => frame.clone(),
        };
        said.write_to(lane, &mut passed_on);
        ways.heard.push(frame);
    }
    passed_on
}

/// Somebody whom the relay wants to slip in, and a family key of the relay's own making.
#[derive(Clone, Debug)]
pub(crate) struct Ghost {
    pub(crate) keys: KeyPairs,
    pub(crate) key: FamilyKey,
}

impl Ghost {
    pub(crate) fn new() -> Self {
        Self { keys: KeyPairs::generate(), key: FamilyKey::generate() }
    }

    /// Fails if any of what a phone said is sealed to the ghost: a wrap that it opens, a body under
    /// the relay's key.
    pub(crate) fn opens_nothing_of(&self, said: &[ClientFrame], shown: &[LinkHash]) {
        for frame in said {
            match frame {
                ClientFrame::Turn(turn) => self.opens_no_wrap(&turn.link, &turn.wraps),
                ClientFrame::HandIn(hand_in) => {
                    self.opens_no_wrap(hand_in.links.last().unwrap(), &hand_in.wraps);
                }
                ClientFrame::Post(post) => {
                    let fields = |device| BodyFields {
                        device,
                        from: post.from,
                        kind: post.kind,
                        to: post.to.clone(),
                        key: post.key.clone(),
                        until: None,
                        schedule: None,
                    };
                    for (link, device) in shown.iter().flat_map(|link| [(link, 1), (link, 2)]) {
                        let fields = fields(DeviceId(device));
                        let opened =
                            open_body(&self.key, *link, post.entry_ref, &fields, &post.sealed);
                        assert!(opened.is_err(), "a letter is sealed under the relay's own key");
                    }
                }
                _ => {}
            }
        }
    }

    fn opens_no_wrap(&self, link: &[u8], wraps: &[u8]) {
        let prev = Link::parse(link).unwrap().read().unwrap().prev;
        for wrap in Wraps::parse(wraps).unwrap().iter() {
            let opened = unwrap_key(&wrap.sealed, &self.keys.hpke, prev);
            assert!(opened.is_err(), "the family's key is wrapped to a ghost");
        }
    }
}

/// The body of a request whose length its head names.
async fn read_request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    loop {
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
        let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
        if request.len() >= end + 4 + length {
            return Some(request.split_off(end + 4));
        }
    }
}
