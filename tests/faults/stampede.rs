//! P11: after an outage everybody comes back by himself, and not all in one second.
//!
//! Two thousand clients with the command line's own rule for coming back (`jiashu_cli::reconnect`)
//! over real sockets; the relay is killed and started again.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt, stream};
use jiashu_cli::reconnect::{Ended, FIRST_RETRY, Reconnect};
use jiashu_proto::frame::RelayFrame;
use jiashu_tests::dice::Dice;
use jiashu_tests::redis::TestRedis;
use jiashu_tests::{FamilySpec, Programme, Raw, TestRelay};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Families, each with one phone that has two connections.
const FAMILIES: usize = 1_000;

/// All that are cut at once.
const CLIENTS: usize = 2 * FAMILIES;

/// Of one subscriber's address: a village shares some.
const OF_ADDRESS: usize = 20;

/// How long the relay is gone.
const OUTAGE: Duration = Duration::from_secs(5);

/// Ten times the promise.
const ALL_BACK: Duration = Duration::from_secs(900);

/// How long a try may take: as long as the command line gives it.
const UPGRADE: Duration = Duration::from_secs(15);

/// What one client saw.
enum Seen {
    /// It is welcome.
    Back,
    /// It tries again, as it had planned for then.
    Try { client: usize, at: Instant },
}

type Socket = WebSocketStream<TcpStream>;

/// One phone, as far as being connected goes.
struct Client {
    number: usize,
    raw: Raw,
    hello: Vec<u8>,
    dice: Dice,
    seen: mpsc::UnboundedSender<Seen>,
}

impl Client {
    async fn run(mut self) {
        let mut reconnect = Reconnect::new();
        loop {
            let ended = match timeout(UPGRADE, self.connect()).await {
                Ok(Ok(socket)) => {
                    let _ = self.seen.send(Seen::Back);
                    stay(socket).await
                }
                Ok(Err(ended)) => ended,
                Err(_) => Ended::Failed,
            };
            let roll = self.dice.below(1 << 30) as f64 / f64::from(1 << 30);
            let at = Instant::now() + reconnect.after(ended, roll).time;
            tokio::time::sleep_until(at.into()).await;
            if self.seen.send(Seen::Try { client: self.number, at }).is_err() {
                return;
            }
        }
    }

    /// A socket on which it was welcomed.
    async fn connect(&self) -> Result<Socket, Ended> {
        let stream = self.raw.connect().await.map_err(|_| Ended::Failed)?;
        let request = "ws://relay/1".into_client_request().unwrap();
        let config = WebSocketConfig::default().read_buffer_size(1024).write_buffer_size(0);
        let upgraded = client_async_with_config(request, stream, Some(config)).await;
        let (mut socket, _) = upgraded.map_err(|error| match error {
            Error::Http(response) => {
                let after = response.headers().get("retry-after");
                let after = after.and_then(|after| after.to_str().ok()?.parse().ok());
                after.map_or(Ended::Failed, |s| Ended::ComeBack(Duration::from_secs(s)))
            }
            _ => Ended::Failed,
        })?;
        let hello = Message::binary(self.hello.clone());
        socket.send(hello).await.map_err(|_| Ended::Cut)?;
        match socket.next().await {
            Some(Ok(Message::Binary(bytes))) => match RelayFrame::from_bytes(&bytes) {
                Ok((0, RelayFrame::Welcome(_))) => Ok(socket),
                other => panic!("a hello is answered by a welcome, not {other:?}"),
            },
            _ => Err(Ended::Cut),
        }
    }
}

/// Until it is cut.
async fn stay(mut socket: Socket) -> Ended {
    while let Some(Ok(_)) = socket.next().await {}
    Ended::Cut
}

/// The hello of a phone in each of so many families.
async fn hellos(relay: &TestRelay) -> Vec<Vec<u8>> {
    let programme = Programme::of(relay).await;
    let spec = FamilySpec::li().with_phones(&[&[1]]);
    let join = async |case: usize| {
        let family = programme.enrol(&format!("VILLAGE-{case}"), &spec).await;
        family.join(0).await.hello().to_bytes(0)
    };
    stream::iter(0..FAMILIES).map(join).buffer_unordered(8).collect().await
}

/// Waits for so many to be welcome, noting who tries when.
async fn all_back(seen: &mut mpsc::UnboundedReceiver<Seen>) -> Vec<(usize, Instant)> {
    let (mut back, mut tries) = (0, Vec::new());
    let all = async {
        while back < CLIENTS {
            match seen.recv().await.expect("the clients live on") {
                Seen::Back => back += 1,
                Seen::Try { client, at } => tries.push((client, at)),
            }
        }
    };
    assert!(timeout(ALL_BACK, all).await.is_ok(), "{back} of {CLIENTS} are connected");
    tries
}

pub(crate) async fn two_thousand_come_back_by_themselves_and_not_in_one_second() {
    come_back(TestRelay::start().await, None).await;
}

pub(crate) async fn two_thousand_come_back_when_redis_was_gone_too() {
    let redis = TestRedis::start().await;
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::on(folder.path(), &redis.settings()).await;
    come_back(relay, Some(redis)).await;
}

/// All are cut at once when the relay, and the Redis that it has, are killed.
async fn come_back(mut relay: TestRelay, mut redis: Option<TestRedis>) {
    let hellos = hellos(&relay).await;
    let (tell, mut seen) = mpsc::unbounded_channel();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..CLIENTS {
        let address = u32::from(Ipv4Addr::new(127, 0, 2, 1));
        let address = Ipv4Addr::from(address + u32::try_from(number / OF_ADDRESS).unwrap());
        tasks.spawn(
            Client {
                number,
                raw: relay.raw().from(address),
                hello: hellos[number / 2].clone(),
                dice: Dice::new(number as u64),
                seen: tell.clone(),
            }
            .run(),
        );
    }
    all_back(&mut seen).await;

    let cut = Instant::now();
    relay.kill9();
    if let Some(redis) = &mut redis {
        redis.kill9();
    }
    tokio::time::sleep(OUTAGE).await;
    if let Some(redis) = &mut redis {
        redis.restart().await;
    }
    relay.restart().await;
    let tries = all_back(&mut seen).await;

    let took = cut.elapsed();
    let mut first: Vec<Option<Duration>> = vec![None; CLIENTS];
    let mut seconds = vec![0_usize; 1 + usize::try_from(took.as_secs()).unwrap() + 60];
    for (client, at) in &tries {
        let after = at.saturating_duration_since(cut);
        first[*client].get_or_insert(after);
        seconds[usize::try_from(after.as_secs()).unwrap()] += 1;
    }
    let most = seconds.iter().max().unwrap();
    eprintln!(
        "P11{}: {CLIENTS} back after {took:?}; {} tries, at most {most} in a second",
        if redis.is_some() { ", Redis" } else { "" },
        tries.len()
    );
    assert!(first.iter().all(Option::is_some), "each of them was cut");
    // As long again for a busy machine to notice the cut.
    let late = FIRST_RETRY * 2;
    assert!(first.iter().flatten().all(|after| *after < late), "first tries come within 15 s");
    let in_second =
        |second| first.iter().flatten().filter(|after| after.as_secs() == second).count();
    assert!((1..14).all(|second| in_second(second) > CLIENTS / 60), "and are spread over them");
    assert!(most * 10 <= tries.len(), "{most} of {} tries in one second", tries.len());
    tasks.shutdown().await;
}
