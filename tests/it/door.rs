//! The door: who may knock, how loud, and for how long.

use jiashu_proto::error::close;
use jiashu_proto::frame::{Beat, ClientFrame, RelayFrame};
use jiashu_tests::http::{self, Response};
use jiashu_tests::raw::read_all;
use jiashu_tests::{RawSocket, TestRelay};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use crate::scene::{CASE, Scene, bytes};

fn beat() -> Vec<u8> {
    bytes(&[ClientFrame::Beat(Beat {})])
}

/// The status of a round with these headers; `None` if the relay just hangs up.
async fn round_with(relay: &TestRelay, headers: &[(&str, &str)]) -> Option<u16> {
    let request = http::request("POST", "/1", headers, &beat());
    relay.raw().exchange(&request).await.map(|response| response.status)
}

async fn upgrade_with(relay: &TestRelay, headers: &[(&'static str, &str)]) -> Result<(), u16> {
    let stream = TcpStream::connect(relay.address()).await.unwrap();
    RawSocket::over(stream, headers).await.map(drop)
}

#[tokio::test]
async fn a_page_of_somebody_elses_may_not_use_a_phones_connection() {
    let settings = [
        ("JIASHU_PUBLIC_URL", "https://relay.example"),
        ("JIASHU_ORIGINS", "https://app.example,https://page.example"),
    ];
    let relay = TestRelay::with(&settings).await;

    for origin in ["https://evil.example", "null", "https://app.example.evil.example", ""] {
        let headers = [("origin", origin)];
        assert_eq!(round_with(&relay, &headers).await, Some(403), "{origin}");
        assert_eq!(upgrade_with(&relay, &headers).await, Err(403), "{origin}");
    }
    for origin in ["https://relay.example", "https://app.example", "https://page.example"] {
        let headers = [("origin", origin)];
        assert_eq!(round_with(&relay, &headers).await, Some(200), "{origin}");
        assert_eq!(upgrade_with(&relay, &headers).await, Ok(()), "{origin}");
    }
    // The page that the relay itself hands out, at whatever name it was asked for: here `relay`.
    let own = ("origin", "http://relay");
    assert_eq!(round_with(&relay, &[own]).await, Some(200));
    assert_eq!(round_with(&relay, &[own, ("sec-fetch-site", "cross-site")]).await, Some(403));
    let told = [("origin", "http://proxied"), ("sec-fetch-site", "same-origin")];
    assert_eq!(round_with(&relay, &told).await, Some(200));
    assert_eq!(round_with(&relay, &[]).await, Some(200), "the command line sends none");
    assert_eq!(upgrade_with(&relay, &[]).await, Ok(()));
}

#[tokio::test]
async fn a_request_has_at_most_32_headers() {
    let relay = TestRelay::start().await;
    // host, connection and content-length are there already
    let headers = vec![("x-more", "1"); 30];

    assert_eq!(round_with(&relay, &headers[..29]).await, Some(200));
    assert!(matches!(round_with(&relay, &headers).await, None | Some(431)));
    assert_eq!(round_with(&relay, &[]).await, Some(200));
}

#[tokio::test]
async fn a_requests_head_is_at_most_8_kib() {
    let relay = TestRelay::start().await;
    let head_of = |length: usize| {
        let bare = http::request("POST", "/1", &[("x", "")], &beat()).len() - beat().len();
        "x".repeat(length - bare)
    };

    let (largest, larger) = (head_of(8 * 1024), head_of(8 * 1024 + 1));

    assert_eq!(round_with(&relay, &[("x", &largest)]).await, Some(200));
    assert!(matches!(round_with(&relay, &[("x", &larger)]).await, None | Some(431)));
    assert_eq!(round_with(&relay, &[]).await, Some(200));
}

#[tokio::test]
async fn who_upgrades_and_says_nothing_is_not_waited_for() {
    let relay = TestRelay::with(&[("JIASHU_FIRST_FRAME_MS", "300")]).await;
    let mut silent = relay.open().await;
    let mut polite = relay.open().await;
    polite.send(ClientFrame::Beat(Beat {})).await;

    let (closed, _) = silent.closed().await;
    let answered = polite.next().await;
    polite.send(ClientFrame::Beat(Beat {})).await;

    assert_eq!(closed, close::TOO_SLOW_TO_START);
    assert!(matches!(answered, (0, RelayFrame::Beaten(_))));
    assert!(matches!(polite.next().await, (0, RelayFrame::Beaten(_))), "who spoke may stay");
}

#[tokio::test]
async fn who_sends_half_a_head_is_not_waited_for() {
    let relay = TestRelay::with(&[("JIASHU_HANDSHAKE_MS", "300")]).await;
    let mut slow = TcpStream::connect(relay.address()).await.unwrap();
    slow.write_all(b"POST /1 HTTP/1.1\r\nhost: rel").await.unwrap();

    let mut answer = Vec::new();
    let ended = timeout(jiashu_tests::DEADLINE, slow.read_to_end(&mut answer)).await;

    assert!(ended.is_ok(), "the relay hangs up");
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn health_and_figures_name_nobody() {
    let mut scene = Scene::li().await;
    let [mother, home] = &mut scene.phones;
    mother.post("吃饭了吗").await;
    home.sync().await;
    let wrong = jiashu_proto::id::Token { secret: [7; 16], ..mother.token.clone() };
    scene.relay.raw().one(jiashu_tests::programme::hello(&wrong)).await;
    let raw = scene.relay.raw();

    let (health, metrics) = (raw.get("/healthz").await, raw.get("/metrics").await);

    assert_eq!((health.status, &health.body[..]), (200, &b"ok\n"[..]));
    assert_eq!(metrics.status, 200);
    let figures = String::from_utf8(metrics.body).unwrap();
    assert!(figures.contains("jiashu_commands_total 1"), "{figures}");
    assert!(figures.contains("jiashu_refused_total{code=\"unauthorised\"} 1"), "{figures}");
    let (family, programme) = (scene.family.scope(), scene.programme.token.scope);
    let secrets = [mother.token.secret, home.token.secret, scene.programme.token.secret]
        .map(|secret| secret.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let private = [CASE, "127.0.0.1", "Li Na", "奶奶", "小明", "Europe/Rome", "吃饭了吗"];
    for word in private.into_iter().chain(secrets.iter().map(String::as_str)) {
        assert!(!figures.contains(word), "{word} stands in the figures");
        assert!(!scene.relay.log().contains(word), "{word} stands in the log");
    }
    for scope in [family, programme] {
        assert!(!figures.contains(&scope.to_string()), "{figures}");
    }
}

/// A relay that speaks TLS by a certificate of its own, and what trusts that.
async fn relay_with_tls(more: &[(&str, &str)]) -> (TestRelay, TlsConnector, tempfile::TempDir) {
    let made = rcgen::generate_simple_self_signed(["relay.example".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let settings =
        [("JIASHU_TLS_CERT", cert.to_str().unwrap()), ("JIASHU_TLS_KEY", key.to_str().unwrap())];
    let relay = TestRelay::with(&[&settings, more].concat()).await;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(made.cert.der().to_vec())).unwrap();
    let provider = std::sync::Arc::new(crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (relay, TlsConnector::from(std::sync::Arc::new(config)), folder)
}

async fn connect(relay: &TestRelay, tls: &TlsConnector) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(relay.address()).await.unwrap();
    tls.connect(ServerName::try_from("relay.example").unwrap(), stream).await.unwrap()
}

#[tokio::test]
async fn a_relay_with_a_certificate_speaks_tls_alone() {
    let (relay, tls, _folder) = relay_with_tls(&[]).await;
    let request = http::request("POST", "/1", &[], &beat());

    let round = http::exchange(connect(&relay, &tls).await, &request).await;
    let mut socket = RawSocket::over(connect(&relay, &tls).await, &[]).await.unwrap();
    socket.send(ClientFrame::Beat(Beat {})).await;
    let beaten = socket.next().await;
    let plain = relay.raw().exchange(&request).await;

    let Some(Response { status: 200, body, .. }) = round else { panic!("{round:?}") };
    assert!(matches!(read_all(&body)[..], [(0, RelayFrame::Beaten(_))]));
    assert!(matches!(beaten, (0, RelayFrame::Beaten(_))));
    assert_eq!(plain, None, "http without TLS is hung up on");
    assert!(relay.setup_link().unwrap().starts_with("https://"));
}

#[tokio::test]
async fn who_never_begins_tls_is_not_waited_for() {
    let (relay, tls, _folder) = relay_with_tls(&[("JIASHU_HANDSHAKE_MS", "500")]).await;
    let mut silent = TcpStream::connect(relay.address()).await.unwrap();

    let ended = timeout(jiashu_tests::DEADLINE, silent.read_to_end(&mut Vec::new())).await;

    assert!(ended.is_ok(), "the relay hangs up");
    connect(&relay, &tls).await;
}

#[tokio::test]
async fn a_coordinator_is_told_how_to_go_on() {
    let relay = TestRelay::start().await;

    let answer = relay.raw().get("/setup").await;

    assert_eq!(answer.status, 200);
    assert!(String::from_utf8(answer.body).unwrap().contains("jiashu ngo setup"));
}
