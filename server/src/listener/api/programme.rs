//! The programme's figures: `?weeks=12&until=2026W47`, and filters.

use axum::Router;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use axum::routing::get;

use super::json;
use crate::listener::problem::{No, malformed};
use crate::listener::routes::Door;
use crate::ngo::overview::{Query, overview};
use crate::ngo::staff::Staff;

pub(super) fn routes() -> Router<Door> {
    Router::new().route("/api/v1/programme", get(programme))
}

async fn programme(State(door): State<Door>, staff: Staff, uri: Uri) -> Result<Response, No> {
    let query = asked(uri.query().unwrap_or_default())?;
    Ok(json(&overview(&door.relay, &staff, &query).await?))
}

fn asked(text: &str) -> Result<Query, No> {
    let mut query = Query::default();
    let mut known = Vec::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or_else(|| malformed("?key=value&key=value"))?;
        if known.contains(&key) {
            return Err(malformed("no key stands twice"));
        }
        known.push(key);
        let value = decoded(value).ok_or_else(|| malformed("a value is text in UTF-8"))?;
        let filters = &mut query.filters;
        match key {
            "weeks" => {
                let weeks = value.parse().map_err(|_| malformed("1 to 53 weeks"))?;
                query.weeks = Some(weeks);
            }
            "until" => {
                let until = value.parse().map_err(|_| malformed("a week is written 2026W48"))?;
                query.until = Some(until);
            }
            "worker" => {
                let number = value.parse();
                let number = number.map_err(|_| malformed("the number of a member of staff"))?;
                filters.worker = Some(number);
            }
            "site" => filters.site = Some(value),
            "corridor" => filters.corridor = Some(value),
            "age" => filters.age = Some(value),
            "care" => filters.care = Some(value),
            "standing" => filters.standing = Some(value),
            _ => {
                let text =
                    "asked for by weeks, until, site, worker, corridor, age, care and standing";
                return Err(malformed(text));
            }
        }
    }
    Ok(query)
}

/// With `%3E` for what no address holds. `None` where that is no text.
fn decoded(value: &str) -> Option<String> {
    let mut bytes = value.bytes();
    let mut text = Vec::with_capacity(value.len());
    while let Some(byte) = bytes.next() {
        text.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(text).ok().filter(|text| !text.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_read_strictly() {
        let text =
            "weeks=4&until=2026W47&site=a.b&worker=2&corridor=Europe%2FRome%3EEtc/GMT%2b3&age=18+";
        let Ok(query) = asked(text) else { panic!("{text}") };
        let filters = &query.filters;
        assert_eq!((query.weeks, query.until), (Some(4), "2026W47".parse().ok()));
        assert_eq!((filters.site.as_deref(), filters.worker), (Some("a.b"), Some(2)));
        assert_eq!(filters.corridor.as_deref(), Some("Europe/Rome>Etc/GMT+3"));
        assert_eq!(filters.age.as_deref(), Some("18+"));
        assert!(asked("").is_ok());
        for bad in [
            "weeks",
            "weeks=x",
            "until=2026",
            "worker=-1",
            "other=1",
            "site=a&site=b",
            "site=%",
            "site=%4",
            "site=%zz",
            "site=%+1",
            "site=%ff",
            "site=%00",
        ] {
            assert!(asked(bad).is_err(), "{bad}");
        }
    }
}
