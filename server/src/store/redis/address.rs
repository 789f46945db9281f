//! What an operator writes as the store's address, and whom to ask there.

use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    Client, ConnectionAddr, IntoConnectionInfo as _, ProtocolVersion, TlsCertificates, TlsMode,
};
use tokio::sync::Mutex;

use super::link::{ANSWER_WITHIN, CLUSTER_ANSWERS_WITHIN, CONNECT_WITHIN, Failure, Pushed};

/// How often a cluster's client tries another node, or the same again, before it says that it cannot.
const TRIES: u32 = 3;

/// The longest that it waits between two tries, in ms.
const WAIT_MS: u64 = 300;

/// Where the servers are.
pub(super) enum Source {
    /// One, at an address that stays.
    Direct(Box<Client>),
    /// One, where the sentinels say.
    Sentinel(Box<Mutex<SentinelClient>>),
    /// Many that share the buckets.
    Cluster(Cluster),
}

/// Nodes of a cluster that are asked for the others.
pub(super) struct Cluster {
    nodes: Vec<String>,
    certificates: Option<TlsCertificates>,
}

impl Source {
    /// Of `redis://…`, `redis+unix://…`, `redis+sentinel://…`, `redis-cluster://…`; `rediss` for `redis` over TLS,
    /// where `ca`, PEM, is trusted, else whom the system trusts.
    pub(super) fn parse(url: &str, ca: Option<&[u8]>) -> Result<Self, Failure> {
        let certificates =
            ca.map(|ca| TlsCertificates { client_tls: None, root_cert: Some(ca.to_vec()) });
        if let Some((scheme, rest)) = url.split_once("+sentinel://") {
            let sentinel = sentinel(scheme == "rediss", rest, certificates)?;
            return Ok(Self::Sentinel(Box::new(Mutex::new(sentinel))));
        }
        if let Some((scheme, rest)) = url.split_once("-cluster://") {
            return Cluster::parse(scheme, rest, certificates).map(Self::Cluster);
        }
        let client = match certificates {
            Some(certificates) => Client::build_with_tls(url, certificates)?,
            None => Client::open(url)?,
        };
        Ok(Self::Direct(Box::new(client)))
    }
}

impl Cluster {
    /// `USER:PASSWORD@HOST:PORT,HOST:PORT`.
    fn parse(
        scheme: &str,
        rest: &str,
        certificates: Option<TlsCertificates>,
    ) -> Result<Self, Failure> {
        let rest = rest.trim_end_matches('/');
        let (secret, hosts) = rest.rsplit_once('@').unwrap_or(("", rest));
        let at = if secret.is_empty() { "" } else { "@" };
        let nodes: Vec<_> =
            hosts.split(',').map(|host| format!("{scheme}://{secret}{at}{host}")).collect();
        let wrong =
            "nodes of a cluster are written redis-cluster://USER:PASSWORD@HOST:PORT,HOST:PORT";
        // A client that cannot be made is told at once, and not at the first letter.
        let cluster = Self { nodes, certificates };
        cluster.client().map_err(|_| Failure::Address(wrong))?;
        Ok(cluster)
    }

    fn builder(&self) -> ClusterClientBuilder {
        let builder = ClusterClientBuilder::new(self.nodes.iter().map(String::as_str))
            .connection_timeout(CONNECT_WITHIN)
            .response_timeout(ANSWER_WITHIN)
            .overall_response_timeout(Some(CLUSTER_ANSWERS_WITHIN))
            .retries(TRIES)
            .max_retry_wait(WAIT_MS)
            .min_retry_wait(10);
        match &self.certificates {
            Some(certificates) => builder.certs(certificates.clone()),
            None => builder,
        }
    }

    pub(super) fn client(&self) -> Result<ClusterClient, Failure> {
        Ok(self.builder().build()?)
    }

    /// One whose servers may push.
    pub(super) fn listening_client(&self, to: Pushed) -> Result<ClusterClient, Failure> {
        Ok(self.builder().use_protocol(ProtocolVersion::RESP3).push_sender(to).build()?)
    }
}

/// The sentinels of `HOST:PORT,HOST:PORT/NAME`, perhaps with the master's `USER:PASSWORD@` before.
fn sentinel(
    secure: bool,
    rest: &str,
    certificates: Option<TlsCertificates>,
) -> Result<SentinelClient, Failure> {
    let wrong =
        || Failure::Address("sentinels are written redis+sentinel://HOST:PORT,HOST:PORT/NAME");
    let (place, name) =
        rest.rsplit_once('/').filter(|(_, name)| !name.is_empty()).ok_or_else(wrong)?;
    let (secret, hosts) = match place.rsplit_once('@') {
        Some((secret, hosts)) => (Some(secret), hosts),
        None => (None, place),
    };
    let address = |text: &str| {
        let (host, port) = text.rsplit_once(':')?;
        Some(ConnectionAddr::Tcp(host.to_owned(), port.parse().ok()?))
    };
    let sentinels: Option<Vec<_>> = hosts.split(',').map(address).collect();
    let sentinels = sentinels.ok_or_else(wrong)?;
    let mut builder = SentinelClientBuilder::new(sentinels, name, SentinelServerType::Master)?;
    if secure {
        builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
        builder = builder.set_client_to_sentinel_tls_mode(TlsMode::Secure);
    }
    if let Some(certificates) = certificates {
        builder = builder.set_client_to_redis_certificates(certificates.clone());
        builder = builder.set_client_to_sentinel_certificates(certificates);
    }
    if let Some(secret) = secret {
        // As in every other address: a password may hold what an address may not.
        let at = if secret.contains(':') { "" } else { ":" };
        let info =
            format!("redis://{at}{secret}@host").into_connection_info().map_err(|_| wrong())?;
        let settings = info.redis_settings();
        if let Some(password) = settings.password() {
            builder = builder.set_client_to_redis_password(password);
        }
        if let Some(user) = settings.username() {
            builder = builder.set_client_to_redis_username(user);
        }
    }
    Ok(builder.build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_of_one_of_four_kinds_or_refused() {
        let is = |url: &str| match Source::parse(url, None) {
            Ok(Source::Direct(_)) => "direct",
            Ok(Source::Sentinel(_)) => "sentinel",
            Ok(Source::Cluster(_)) => "cluster",
            Err(_) => "refused",
        };

        for (url, kind) in [
            ("redis://host:6379", "direct"),
            ("redis://:p%40ss@host:6379", "direct"),
            ("redis+unix:///tmp/socket", "direct"),
            ("redis+sentinel://a:1,b:2/main", "sentinel"),
            ("redis+sentinel://user:p%2Fss@a:1/main", "sentinel"),
            ("redis+sentinel://a:1", "refused"),
            ("redis+sentinel://a/main", "refused"),
            ("redis-cluster://a:1,b:2", "cluster"),
            ("redis-cluster://:secret@a:1,b:2/", "cluster"),
            ("rediss-cluster://a:1", "cluster"),
            ("redis-cluster://", "refused"),
            ("postgres://host", "refused"),
        ] {
            assert_eq!(is(url), kind, "{url}");
        }
    }
}
