//! What an operator may set: defaults, then a file, then `JIASHU_*` variables, then checked.
//!
//! This alone reads the environment. `jiashu-server config` prints every key with its default.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use confique::Config as _;
use jiashu_proto::id::Millis;

mod limits;

pub use limits::Limits;

/// The store that needs nothing installed.
pub const EMBEDDED: &str = "embedded";

/// Every key, its default and its unit.
#[derive(Clone, Debug, confique::Config)]
pub struct Config {
    /// Where the relay listens. Keep it on localhost behind a proxy that speaks TLS, or set
    /// `tls_cert` and `tls_key` and listen for the world.
    #[config(env = "JIASHU_LISTEN", default = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// The folder that holds everything: the store, and on first start the setup link.
    #[config(env = "JIASHU_DATA", default = "jiashu-data")]
    pub data: PathBuf,

    /// Where letters are kept: `embedded`, in the folder of `data`; or, for several relays at one Redis,
    /// `redis://HOST:PORT`, `redis+unix:///PATH`, `redis+sentinel://HOST:PORT,HOST:PORT/NAME` for the
    /// master that its sentinels name, or `redis-cluster://HOST:PORT,HOST:PORT` for a cluster, by some of its
    /// nodes; `USER:PASSWORD@` before the hosts; `rediss` for `redis` speaks TLS.
    #[config(env = "JIASHU_STORE", default = "embedded")]
    pub store: String,

    /// Use a Redis that may lose letters which it has acknowledged.
    #[config(env = "JIASHU_ACCEPT_LOSS", default = false)]
    pub accept_loss: bool,

    /// PEM file of whom to trust as that Redis over TLS. Default: whom the system trusts.
    #[config(env = "JIASHU_STORE_CA")]
    pub store_ca: Option<PathBuf>,

    /// So many replicas of Redis must have a letter before it is acknowledged: 1 where it may fail over.
    #[config(env = "JIASHU_REPLICAS", default = 0)]
    pub replicas: u8,

    /// Where voice notes are kept, sealed: a folder, or `s3://BUCKET/PREFIX` with the usual variables (`AWS_ENDPOINT`,
    /// `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`), if the relay was built with the feature `s3`.
    /// Relays that share a store share it too. Default: the folder `blobs` in that of `data`.
    #[config(env = "JIASHU_BLOBS")]
    pub blobs: Option<String>,

    /// What links begin with, as phones see the relay: `https://relay.example`. Default: the
    /// address it listens on.
    #[config(env = "JIASHU_PUBLIC_URL")]
    pub public_url: Option<String>,

    /// PEM file of the certificate chain. With `tls_key` the relay speaks TLS itself.
    #[config(env = "JIASHU_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,

    /// PEM file of the certificate's private key.
    #[config(env = "JIASHU_TLS_KEY")]
    pub tls_key: Option<PathBuf>,

    /// Web pages of others that may open a WebSocket, as `https://relay.example`; the relay's own page always may, and so may
    /// requests without an Origin header (the command line). Default: `public_url` alone.
    #[config(env = "JIASHU_ORIGINS", default = [], parse_env = confique::env::parse::list_by_comma)]
    pub origins: Vec<String>,

    /// Where e-mail to staff and parents goes: `none`; `smtp://USER:PASSWORD@HOST:PORT`, which speaks TLS by STARTTLS
    /// unless the host is this machine; `smtps` for a server that speaks TLS from the first byte; `folder:PATH`, a file
    /// each. What is not plain in a user or password is written as `%40`.
    #[config(env = "JIASHU_MAIL", default = "none")]
    pub mail: String,

    /// Whom that e-mail is from: `NAME <ADDRESS>`, or an address.
    #[config(env = "JIASHU_MAIL_FROM", default = "Jiashu <jiashu@localhost>")]
    pub mail_from: String,

    /// PEM file of whom to trust as that mail server, beside whom browsers trust.
    #[config(env = "JIASHU_MAIL_CA")]
    pub mail_ca: Option<PathBuf>,

    /// How long a mail server may take for one e-mail, in ms: 100 to ten minutes.
    #[config(env = "JIASHU_MAIL_TIMEOUT_MS", default = 60_000)]
    pub mail_timeout_ms: u64,

    /// How long after a failure an e-mail is tried again, in ms: 100 to an hour. After further ones it is longer, up to
    /// six hundred times that.
    #[config(env = "JIASHU_MAIL_RETRY_MS", default = 60_000)]
    pub mail_retry_ms: u64,

    /// How the log looks: `text` or `json`.
    #[config(env = "JIASHU_LOG_FORMAT", default = "text")]
    pub log_format: String,

    /// What is logged, as `info` or `jiashu_server=debug`.
    #[config(env = "JIASHU_LOG", default = "info")]
    pub log: String,

    /// How often a quiet WebSocket is pinged, in ms. The log is looked at as often, lest a lost
    /// wake hide an entry.
    #[config(env = "JIASHU_HEARTBEAT_MS", default = 240_000)]
    pub heartbeat_ms: u64,

    /// How many days entries are kept that are no facts (letters, above all), fetched or not: 7 to
    /// 400. Plans, names, receipts and the roster stay.
    #[config(env = "JIASHU_RETENTION_DAYS", default = 90)]
    pub retention_days: u32,

    /// How many days voice notes are kept after they were sent, or after their hour: 30 to 400.
    #[config(env = "JIASHU_BLOB_DAYS", default = 90)]
    pub blob_days: u32,

    /// How many days after one parent or caregiver asked for it a family is deleted; until then any of them may take it
    /// back: 1 to 30.
    #[config(env = "JIASHU_LEAVING_DAYS", default = 7)]
    pub leaving_days: u32,

    /// How many minutes after a family was deleted the store cleans its files of it (a deleted row may stand in their log
    /// until then): 0 to 1200.
    #[config(env = "JIASHU_CLEAN_MINUTES", default = 60)]
    pub clean_minutes: u32,

    /// How much and how long.
    #[config(nested)]
    pub limits: Limits,
}

/// A value that the relay cannot run with.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file or a variable cannot be read.
    #[error("cannot read the configuration")]
    Unreadable(#[from] confique::Error),
    /// A key has a wrong value.
    #[error("{key}: {reason}")]
    Wrong {
        /// Which key.
        key: &'static str,
        /// What it should be.
        reason: &'static str,
    },
}

impl Config {
    /// Reads defaults, the file if one is given, and the environment, in this order of growing
    /// weight.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], naming the key.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let mut builder = Self::builder().env();
        if let Some(file) = file {
            builder = builder.file(file);
        }
        let config = builder.load()?;
        config.checked()
    }

    /// All defaults, for tests and as a base.
    ///
    /// # Panics
    ///
    /// Never: every key has a default or is optional.
    #[must_use]
    pub fn defaults() -> Self {
        use confique::Layer as _;
        let layer = <Self as confique::Config>::Layer::default_values();
        Self::from_layer(layer).expect("every key has a default or is optional")
    }

    /// Whether other relays may use the same store.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.store != EMBEDDED
    }

    /// Refuses what cannot work, by key.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Wrong`].
    pub fn checked(self) -> Result<Self, ConfigError> {
        let wrong = |key, reason| Err(ConfigError::Wrong { key, reason });
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            return wrong("tls_cert, tls_key", "set both or none");
        }
        if !["text", "json"].contains(&self.log_format.as_str()) {
            return wrong("log_format", "is text or json");
        }
        if self.public_url.as_ref().is_some_and(|url| !is_origin(url)) {
            return wrong("public_url", "is https://HOST or http://HOST, without a path");
        }
        if !(100..=86_400_000).contains(&self.heartbeat_ms) {
            return wrong("heartbeat_ms", "is 100 ms to a day");
        }
        if !(7..=400).contains(&self.retention_days) {
            return wrong("retention_days", "is 7 to 400");
        }
        if !(30..=400).contains(&self.blob_days) {
            return wrong("blob_days", "is 30 to 400");
        }
        if !(1..=30).contains(&self.leaving_days) {
            return wrong("leaving_days", "is 1 to 30");
        }
        if self.clean_minutes > 1_200 {
            return wrong("clean_minutes", "is 0 to 1200");
        }
        if !(100..=600_000).contains(&self.mail_timeout_ms) {
            return wrong("mail_timeout_ms", "is 100 ms to ten minutes");
        }
        if !(100..=3_600_000).contains(&self.mail_retry_ms) {
            return wrong("mail_retry_ms", "is 100 ms to an hour");
        }
        self.limits.check()?;
        Ok(self)
    }

    /// Every key with its comment and default, as a file to start from.
    #[must_use]
    pub fn template() -> String {
        confique::toml::template::<Self>(confique::toml::FormatOptions::default())
    }

    /// Whether a page from there may open a WebSocket.
    #[must_use]
    pub fn allows_origin(&self, origin: &str) -> bool {
        let own = self.public_url.as_deref().map(|url| url.trim_end_matches('/'));
        own == Some(origin) || self.origins.iter().any(|allowed| allowed == origin)
    }

    pub(crate) fn retention_ms(&self) -> Millis {
        Millis::from(self.retention_days) * 24 * 60 * 60 * 1000
    }

    pub(crate) fn blob_keep_ms(&self) -> Millis {
        Millis::from(self.blob_days) * 24 * 60 * 60 * 1000
    }

    pub(crate) fn leaving_ms(&self) -> Millis {
        Millis::from(self.leaving_days) * 24 * 60 * 60 * 1000
    }

    pub(crate) fn clean_ms(&self) -> Millis {
        Millis::from(self.clean_minutes) * 60 * 1000
    }

    pub(crate) fn mail_timeout(&self) -> Duration {
        Duration::from_millis(self.mail_timeout_ms)
    }

    pub(crate) fn heartbeat(&self) -> Duration {
        Duration::from_millis(self.heartbeat_ms)
    }
}

fn is_origin(url: &str) -> bool {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    host.is_some_and(|host| {
        let host = host.strip_suffix('/').unwrap_or(host);
        !host.is_empty() && !host.contains(['/', '?', '#', '@', ' '])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_in_the_template() {
        let config = Config::defaults().checked().unwrap();

        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert!(Config::template().contains("127.0.0.1:8080"));
    }

    #[test]
    fn a_wrong_value_is_named_by_its_key() {
        let base = Config::defaults;
        let cases: Vec<(&str, Config)> = vec![
            ("tls_cert", Config { tls_cert: Some("cert.pem".into()), ..base() }),
            ("log_format", Config { log_format: "xml".into(), ..base() }),
            ("public_url", Config { public_url: Some("https://host/path".into()), ..base() }),
            ("public_url", Config { public_url: Some("relay.example".into()), ..base() }),
            ("heartbeat_ms", Config { heartbeat_ms: 0, ..base() }),
            ("retention_days", Config { retention_days: 6, ..base() }),
            ("retention_days", Config { retention_days: 401, ..base() }),
            ("blob_days", Config { blob_days: 29, ..base() }),
            ("blob_days", Config { blob_days: 401, ..base() }),
            ("leaving_days", Config { leaving_days: 0, ..base() }),
            ("leaving_days", Config { leaving_days: 31, ..base() }),
            ("clean_minutes", Config { clean_minutes: 1_201, ..base() }),
            ("mail_timeout_ms", Config { mail_timeout_ms: 99, ..base() }),
            ("mail_timeout_ms", Config { mail_timeout_ms: 600_001, ..base() }),
            ("mail_retry_ms", Config { mail_retry_ms: 99, ..base() }),
            ("mail_retry_ms", Config { mail_retry_ms: 3_600_001, ..base() }),
        ];

        for (key, config) in cases {
            let error = config.checked().unwrap_err().to_string();
            assert!(error.starts_with(key), "{error}");
        }
    }

    #[test]
    fn letters_are_kept_a_week_to_a_year_and_a_bit() {
        for retention_days in [7, 90, 400] {
            assert!(Config { retention_days, ..Config::defaults() }.checked().is_ok());
        }
    }

    #[test]
    fn only_listed_pages_may_open_a_socket() {
        let config = Config {
            public_url: Some("https://relay.example".into()),
            origins: vec!["https://app.example".into()],
            ..Config::defaults()
        };

        assert!(config.allows_origin("https://relay.example"));
        assert!(config.allows_origin("https://app.example"));
        assert!(!config.allows_origin("https://evil.example"));
        assert!(!config.allows_origin("null"));
    }
}
