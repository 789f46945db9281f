//! The page for phones at the relay's door: what is handed out, to whom, and that it is handed out once.

use std::collections::BTreeSet;

use jiashu_tests::browser::tell;
use jiashu_tests::http::{Response, request};
use jiashu_tests::{TestRelay, until};
use serde_json::json;

/// All that stands at an address that stays, and its type.
const PAGES: [(&str, &str); 5] = [
    ("/", "text/html; charset=utf-8"),
    ("/join", "text/html; charset=utf-8"),
    ("/v", "text/html; charset=utf-8"),
    ("/sw.js", "text/javascript; charset=utf-8"),
    ("/manifest.webmanifest", "application/manifest+json"),
];

async fn get(relay: &TestRelay, path: &str, headers: &[(&str, &str)]) -> Response {
    let request = request("GET", path, headers, &[]);
    relay.raw().exchange(&request).await.expect("the relay answers")
}

fn header<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    let mut lines = answer.head.lines().filter_map(|line| line.split_once(": "));
    lines.find_map(|(found, value)| found.eq_ignore_ascii_case(name).then_some(value))
}

async fn text(relay: &TestRelay, path: &str) -> String {
    let answer = get(relay, path, &[]).await;
    assert_eq!(answer.status, 200, "{path}");
    String::from_utf8(answer.body).unwrap()
}

/// The files that a text names, by their addresses.
fn files_in(text: &str) -> BTreeSet<String> {
    let parts = text.split('"').filter(|part| part.starts_with("/web/") && part.contains('.'));
    parts.map(ToOwned::to_owned).collect()
}

/// Everything that the pages and the service worker name.
async fn all_files(relay: &TestRelay) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    for (page, _) in PAGES {
        files.append(&mut files_in(&text(relay, page).await));
    }
    files
}

#[tokio::test]
async fn each_page_says_what_a_browser_may_do_with_it() {
    let relay = TestRelay::start().await;

    for (page, media_type) in PAGES {
        let answer = get(&relay, page, &[]).await;

        assert_eq!((answer.status, header(&answer, "content-type")), (200, Some(media_type)));
        let policy = header(&answer, "content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{page}: {policy}");
        assert!(policy.contains("connect-src 'self' ws://relay wss://relay;"), "{page}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{page}: {policy}");
        assert!(!policy.contains("unsafe"), "{page}: {policy}");
        for (name, value) in [
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("permissions-policy", "microphone=(self), camera=(self)"),
        ] {
            assert_eq!(header(&answer, name), Some(value), "{page}");
        }
    }
}

#[tokio::test]
async fn a_card_leads_to_the_page_and_a_voice_note_to_another() {
    let relay = TestRelay::start().await;

    let [page, join, outsider] =
        [text(&relay, "/").await, text(&relay, "/join").await, text(&relay, "/v").await];

    assert_eq!(page, join);
    assert_ne!(page, outsider);
}

#[tokio::test]
async fn what_a_browser_has_is_not_sent_again() {
    let relay = TestRelay::start().await;

    for (page, _) in PAGES {
        let etag = header(&get(&relay, page, &[]).await, "etag").unwrap().to_owned();

        let again = get(&relay, page, &[("if-none-match", &etag)]).await;

        assert_eq!((again.status, again.body.len()), (304, 0), "{page}");
        assert_eq!(header(&again, "etag"), Some(&*etag), "{page}");
    }
    // The second time a browser does not even ask: no file changes under its name.
    for file in all_files(&relay).await {
        let answer = get(&relay, &file, &[]).await;
        assert_eq!(
            header(&answer, "cache-control"),
            Some("public, max-age=31536000, immutable"),
            "{file}"
        );
        assert_eq!(header(&answer, "x-content-type-options"), Some("nosniff"), "{file}");
    }
    assert_eq!(header(&get(&relay, "/", &[]).await, "cache-control"), Some("no-cache"));
    assert_eq!(header(&get(&relay, "/sw.js", &[]).await, "cache-control"), Some("max-age=86400"));
    assert_eq!(header(&get(&relay, "/sw.js", &[]).await, "service-worker-allowed"), Some("/"));
}

#[tokio::test]
async fn files_come_packed_as_the_browser_takes_them() {
    let relay = TestRelay::start().await;
    let script = files_in(&text(&relay, "/").await).into_iter().find(|file| file.ends_with(".js"));
    let script = script.unwrap();

    let mut sizes = Vec::new();
    for (takes, encoding) in
        [("gzip, deflate, br, zstd", Some("br")), ("gzip", Some("gzip")), ("identity", None)]
    {
        let answer = get(&relay, &script, &[("accept-encoding", takes)]).await;
        assert_eq!(header(&answer, "content-encoding"), encoding, "{takes}");
        assert_eq!(header(&answer, "vary"), Some("accept-encoding"), "{takes}");
        sizes.push(answer.body.len());
    }

    assert!(sizes.is_sorted() && sizes[0] < sizes[2], "{sizes:?}");
}

#[tokio::test]
async fn the_words_of_the_browsers_language_are_named_beside_the_page() {
    let relay = TestRelay::start().await;

    for (accepted, language) in [("ro-MD,ro;q=0.9,en;q=0.5", "ro"), ("zh-CN,en", "zh-Hans")] {
        let answer = get(&relay, "/", &[("accept-language", accepted)]).await;

        let link = header(&answer, "link").unwrap();
        let (address, how) = link.split_once('>').unwrap();
        assert!(address.starts_with(&format!("</web/{language}-")), "{link}");
        assert_eq!(how, "; rel=modulepreload");
        assert_eq!(get(&relay, &address[1..], &[]).await.status, 200);
    }
}

#[tokio::test]
async fn all_that_is_kept_for_a_time_without_a_line_is_there() {
    let relay = TestRelay::start().await;
    let worker = text(&relay, "/sw.js").await;
    let kept = files_in(&worker);

    for file in files_in(&text(&relay, "/").await) {
        assert!(kept.contains(&file), "{file} is not kept");
    }
    for file in &kept {
        assert_eq!(get(&relay, file, &[]).await.status, 200, "{file}");
    }
    assert!(worker.contains("\"/\"") && worker.contains("\"/manifest.webmanifest\""), "{worker}");
    for language in ["it", "lv", "ro", "zh-Hans"] {
        let file = format!("/web/{language}-");
        assert!(kept.iter().any(|kept| kept.starts_with(&file)), "{language}");
    }
}

#[tokio::test]
async fn nothing_that_is_handed_out_names_anybody_elses_address() {
    let relay = TestRelay::start().await;
    // Names of kinds of things, which nobody asks for anything.
    let names = ["http://www.w3.org/"];

    let pages = PAGES.map(|(page, _)| page.to_owned());
    for file in pages.into_iter().chain(all_files(&relay).await) {
        let answer = get(&relay, &file, &[]).await;
        let text = String::from_utf8_lossy(&answer.body);
        let text = names.iter().fold(text.into_owned(), |text, name| text.replace(name, ""));
        for scheme in ["http://", "https://", "ws://", "wss://"] {
            // A script builds its relay's own address from the scheme.
            let mut found = text.split(scheme).skip(1);
            let named = found.find(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()));
            assert_eq!(named, None, "{file}");
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let relay = TestRelay::start().await;
    let page = header(&get(&relay, "/", &[]).await, "etag").unwrap().trim_matches('"').to_owned();

    for path in
        ["/web/phone.js", "/web/..%2fsw.js", "/web/", "/favicon.ico", &format!("/web/{page}")]
    {
        assert_eq!(get(&relay, path, &[]).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn somebody_elses_page_speaks_to_no_relay() {
    let relay = TestRelay::start().await;
    let upgrade = [
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
    ];
    let foreign = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];

    let socket = get(&relay, "/1", &[&upgrade[..], &foreign[..]].concat()).await;
    let round = relay.raw().exchange(&request("POST", "/1", &foreign, &[])).await.unwrap();

    assert_eq!((socket.status, round.status), (403, 403));
}

#[tokio::test]
async fn the_page_opens_without_a_line_and_costs_nothing_the_second_time() {
    let relay = TestRelay::start().await;
    let origin = format!("http://{}", relay.address());

    let seen = tell("kept.mjs", &json!({ "origin": origin })).await;

    assert_ne!(seen["shown"], "");
}

#[tokio::test]
async fn whom_there_is_no_place_for_is_handed_the_page_all_the_same() {
    let relay = TestRelay::with(&[("JIASHU_STRANGERS_PER_ADDRESS", "1")]).await;
    let answered = async |status: u16| {
        let beat = request("POST", "/1", &[], &[0x82, 0x0a, 0x80]);
        (relay.raw().exchange(&beat).await?.status == status).then_some(())
    };
    until("the one place to be free", async || answered(200).await).await;
    let taken = tokio::net::TcpStream::connect(relay.address()).await.unwrap();
    until("the one place to be taken", async || answered(429).await).await;

    for path in ["/", "/join", "/sw.js"]
        .into_iter()
        .chain(all_files(&relay).await.iter().map(String::as_str))
    {
        assert_eq!(get(&relay, path, &[]).await.status, 200, "{path}");
    }
    assert_eq!(get(&relay, "/staff", &[]).await.status, 429);
    drop(taken);
}
