//! Where servers are and how one logs in, as a URL says it.
//!
//! No message and no `Debug` holds a user name or a password, or a piece of a URL that may.

use std::fmt;
use std::path::PathBuf;

use redis::{
    ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo,
};

use crate::error::{Error, ErrorKind};
use crate::store::percent::decoded;

const PORT: u16 = 6379;

const SENTINEL_PORT: u16 = 26379;

const SCHEMES: [&str; 7] = [
    "redis",
    "rediss",
    "redis+unix",
    "redis+cluster",
    "rediss+cluster",
    "redis+sentinel",
    "rediss+sentinel",
];

/// The largest number of a database that a server can be configured to have.
const LARGEST_DATABASE: u32 = i32::MAX as u32;

/// Where servers are and how one logs in. Shown without the latter.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisAddress {
    places: Vec<Place>,
    is_tls: bool,
    is_cluster: bool,
    /// What is asked for at these places, if they are sentinels'.
    watched: Option<Watched>,
    user: Option<String>,
    password: Option<String>,
    database: u32,
}

/// What sentinels watch over, and how one logs in to them.
#[derive(Clone, PartialEq, Eq)]
struct Watched {
    service: String,
    user: Option<String>,
    password: Option<String>,
}

/// Where one server is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Place {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

impl RedisAddress {
    /// What `scheme://place` means, without the options of a query.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words of our own.
    pub(crate) fn parse(scheme: &str, place: &str) -> Result<Self, String> {
        let rest = place
            .strip_prefix("//")
            .ok_or_else(|| format!("`//` is missing; write {}", example(scheme)))?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((login, hosts)) => (Some(login), hosts),
            None => (None, authority),
        };
        let mut address = Self {
            places: Vec::new(),
            is_tls: scheme.starts_with("rediss"),
            is_cluster: scheme.ends_with("+cluster"),
            watched: None,
            user: None,
            password: None,
            database: 0,
        };
        if let Some(login) = login {
            address.log_in(login)?;
        }
        if scheme == "redis+unix" {
            address.socket(hosts, path)?;
        } else {
            address.hosts(hosts, scheme)?;
            let path = path.trim_start_matches('/');
            let database = if is_sentinels(scheme) { address.watch(path, scheme)? } else { path };
            if !database.is_empty() {
                address.database = number(database)?;
            }
        }
        Ok(address)
    }

    /// The same for another database.
    pub(crate) fn with_database(mut self, database: u32) -> Self {
        self.database = database;
        self
    }

    /// Whether the servers have such a database, as far as can be told: a cluster has only 0.
    pub(super) fn has_its_database(&self) -> bool {
        self.database == 0 || !self.is_cluster
    }

    /// The same for one server alone, at this place.
    pub(super) fn only(&self, place: Place) -> Self {
        Self { places: vec![place], is_cluster: false, ..self.clone() }
    }

    /// Where the servers are that it names.
    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }

    /// The same with a user and a password for the sentinels.
    ///
    /// # Errors
    ///
    /// If it names none.
    pub(crate) fn with_sentinel_login(
        mut self,
        user: Option<String>,
        password: Option<String>,
    ) -> Result<Self, String> {
        if user.is_some() && password.is_none() {
            return Err("a user of the sentinels is named without a password".to_owned());
        }
        let watched = self.watched.as_mut();
        let watched = watched.ok_or("what logs in to sentinels is for `redis+sentinel:` only")?;
        (watched.user, watched.password) = (user, password);
        Ok(self)
    }

    /// Takes the name of what sentinels watch over from the path; what is left of that.
    fn watch<'a>(&mut self, path: &'a str, scheme: &str) -> Result<&'a str, String> {
        let (service, database) = path.split_once('/').unwrap_or((path, ""));
        // What sentinels take for a name.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        if service.is_empty() || !service.chars().all(is_plain) {
            return Err(format!(
                "the name that the sentinels know the primary by is missing or is none; write {}",
                example(scheme)
            ));
        }
        let service = service.to_owned();
        self.watched = Some(Watched { service, user: None, password: None });
        Ok(database)
    }

    fn log_in(&mut self, login: &str) -> Result<(), String> {
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let plain = |text: &str| {
            let text = decoded(text)
                .map_err(|wrong| format!("in the user name or the password, {wrong}"))?;
            Ok::<_, String>(Some(text).filter(|text| !text.is_empty()))
        };
        (self.user, self.password) = (plain(user)?, plain(password)?);
        if self.user.is_some() && self.password.is_none() {
            return Err("a user is named without a password; write `user:password@` or \
                        `:password@`"
                .to_owned());
        }
        Ok(())
    }

    fn socket(&mut self, hosts: &str, path: &str) -> Result<(), String> {
        if !hosts.is_empty() {
            return Err("a socket has no host; write `redis+unix:///run/redis.sock`".to_owned());
        }
        let path = decoded(path).map_err(|wrong| format!("in the path, {wrong}"))?;
        if path.len() < 2 || path.contains('\0') {
            return Err("the path of the socket is missing; write `redis+unix:///run/redis.sock`"
                .to_owned());
        }
        self.places.push(Place::Unix(PathBuf::from(path)));
        Ok(())
    }

    fn hosts(&mut self, hosts: &str, scheme: &str) -> Result<(), String> {
        let usual = if is_sentinels(scheme) { SENTINEL_PORT } else { PORT };
        for host in hosts.split(',') {
            let (host, port) = split_port(host, usual)?;
            let host = decoded(host).map_err(|wrong| format!("in a host, {wrong}"))?;
            let is_plain = |c: char| c.is_alphanumeric() || "-._:".contains(c);
            if host.is_empty() || !host.chars().all(is_plain) {
                return Err(format!("a host is missing or is none; write {}", example(scheme)));
            }
            self.places.push(Place::Tcp { host, port });
        }
        Ok(())
    }

    /// What the library is told, for each place.
    pub(super) fn infos(&self) -> Result<Vec<ConnectionInfo>, redis::RedisError> {
        self.places.iter().map(|place| self.info(place)).collect()
    }

    /// What the library is told, for a server at this place.
    pub(super) fn info(&self, place: &Place) -> Result<ConnectionInfo, redis::RedisError> {
        let login = RedisConnectionInfo::default()
            .set_protocol(ProtocolVersion::RESP3)
            .set_db(i64::from(self.database));
        self.connecting(place, login, self.user.as_ref(), self.password.as_ref())
    }

    /// The name that sentinels know the primary by, and what the library is told, for each sentinel.
    pub(super) fn sentinels(
        &self,
    ) -> Option<(&str, Result<Vec<ConnectionInfo>, redis::RedisError>)> {
        let Watched { service, user, password } = self.watched.as_ref()?;
        let info = |place| {
            let login = RedisConnectionInfo::default();
            self.connecting(place, login, user.as_ref(), password.as_ref())
        };
        Some((service, self.places.iter().map(info).collect()))
    }

    fn connecting(
        &self,
        place: &Place,
        mut login: RedisConnectionInfo,
        user: Option<&String>,
        password: Option<&String>,
    ) -> Result<ConnectionInfo, redis::RedisError> {
        login = login.set_skip_set_lib_name();
        if let Some(user) = user {
            login = login.set_username(user);
        }
        if let Some(password) = password {
            login = login.set_password(password);
        }
        let place = match place {
            Place::Unix(path) => ConnectionAddr::Unix(path.clone()),
            Place::Tcp { host, port } if self.is_tls => ConnectionAddr::TcpTls {
                host: host.clone(),
                port: *port,
                insecure: false,
                tls_params: None,
            },
            Place::Tcp { host, port } => ConnectionAddr::Tcp(host.clone(), *port),
        };
        let tcp = redis::io::tcp::TcpSettings::default().set_nodelay(true);
        Ok(place.into_connection_info()?.set_redis_settings(login).set_tcp_settings(tcp))
    }

    /// Whether the servers are a cluster's, which says itself where all of them are.
    pub(super) fn is_cluster(&self) -> bool {
        self.is_cluster
    }

    /// Whether connections to it are encrypted.
    pub(super) fn is_tls(&self) -> bool {
        self.is_tls
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// `redis://host:6379/0`: where it is, and nobody's name or password.
impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [Place::Unix(path)] = self.places.as_slice() {
            return write!(f, "redis+unix://{}?db={}", path.display(), self.database);
        }
        f.write_str(if self.is_tls { "rediss" } else { "redis" })?;
        f.write_str(match (&self.watched, self.is_cluster) {
            (Some(_), _) => "+sentinel://",
            (None, true) => "+cluster://",
            (None, false) => "://",
        })?;
        for (number, place) in self.places.iter().enumerate() {
            write!(f, "{}{place}", if number == 0 { "" } else { "," })?;
        }
        if let Some(Watched { service, .. }) = &self.watched {
            write!(f, "/{service}")?;
        }
        if self.is_cluster { Ok(()) } else { write!(f, "/{}", self.database) }
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisAddress({self})")
    }
}

/// The address of a whole URL, whose query may name a database.
pub(super) fn from_url(url: &str) -> Result<RedisAddress, Error> {
    let parsed = || {
        let (scheme, rest) = url.trim().split_once(':').ok_or("it has no scheme")?;
        let scheme = scheme.to_ascii_lowercase();
        if !SCHEMES.contains(&scheme.as_str()) {
            return Err(format!("its scheme is none of `{}`", SCHEMES.join("`, `")));
        }
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut address = RedisAddress::parse(&scheme, place)?;
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let Some(database) = option.strip_prefix("db=") else {
                return Err("it has an option; here only `db` is known".to_owned());
            };
            address = address.with_database(number(database)?);
        }
        Ok(address)
    };
    parsed().map_err(|wrong| Error::new(ErrorKind::Config, "configure", wrong).with("url", "redis"))
}

fn number(text: &str) -> Result<u32, String> {
    let number = text.parse::<u32>().ok().filter(|number| *number <= LARGEST_DATABASE);
    number.ok_or_else(|| "the database is not a whole number".to_owned())
}

/// Host and port; a host of colons stands in brackets.
fn split_port(host: &str, usual: u16) -> Result<(&str, u16), String> {
    let wrong = || "a port is not a number from 1 to 65535".to_owned();
    let port = |text: &str| text.parse().ok().filter(|port| *port != 0).ok_or_else(wrong);
    if let Some(rest) = host.strip_prefix('[') {
        let Some((host, rest)) = rest.split_once(']') else {
            return Err("a `[` is not closed".to_owned());
        };
        return match rest.strip_prefix(':') {
            Some(text) => Ok((host, port(text)?)),
            None if rest.is_empty() => Ok((host, usual)),
            None => Err(wrong()),
        };
    }
    match host.split_once(':') {
        Some((host, text)) => Ok((host, port(text)?)),
        None => Ok((host, usual)),
    }
}

/// Whether the places of a URL of this scheme are sentinels'.
fn is_sentinels(scheme: &str) -> bool {
    scheme.ends_with("+sentinel")
}

fn example(scheme: &str) -> &'static str {
    match scheme {
        "rediss" => "`rediss://host:6379/0`",
        "redis+unix" => "`redis+unix:///run/redis.sock`",
        "redis+cluster" => "`redis+cluster://host:6379,other:6379`",
        "rediss+cluster" => "`rediss+cluster://host:6379,other:6379`",
        "redis+sentinel" => "`redis+sentinel://host:26379,other:26379/name/0`",
        "rediss+sentinel" => "`rediss+sentinel://host:26379,other:26379/name/0`",
        _ => "`redis://host:6379/0`",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_shown_without_what_logs_in() {
        for (url, shown) in [
            ("redis://localhost", "redis://localhost:6379/0"),
            ("redis://a:1,b:2/3", "redis://a:1,b:2/3"),
            ("REDIS://user:p%40ss@a", "redis://a:6379/0"),
            ("rediss://:secret@a:6380/1", "rediss://a:6380/1"),
            ("redis://p@ss:w@a", "redis://a:6379/0"),
            ("redis://[::1]:7000?db=4", "redis://[::1]:7000/4"),
            ("redis+unix:///run/redis.sock?db=2", "redis+unix:///run/redis.sock?db=2"),
            ("redis+cluster://:secret@a,[::1]:2/0", "redis+cluster://a:6379,[::1]:2"),
            ("rediss+cluster://a", "rediss+cluster://a:6379"),
            ("redis+sentinel://u:p@a,b:7/main", "redis+sentinel://a:26379,b:7/main/0"),
            ("rediss+sentinel://a/main/3", "rediss+sentinel://a:26379/main/3"),
        ] {
            let address = from_url(url).unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(format!("{address:?}"), format!("RedisAddress({shown})"));
        }
    }

    #[test]
    fn user_and_password_are_decoded() {
        let address = from_url("redis://user:p%40s%3As@a").unwrap();
        assert_eq!(
            (address.user.as_deref(), address.password.as_deref()),
            (Some("user"), Some("p@s:s"))
        );
        let address = from_url("redis://:pass@a").unwrap();
        assert_eq!((address.user, address.password.as_deref()), (None, Some("pass")));
    }

    #[test]
    fn sentinels_have_a_login_of_their_own() {
        let address = from_url("redis+sentinel://:servers@a/main").unwrap();
        let info = |address: &RedisAddress| {
            let (service, infos) = address.sentinels().unwrap();
            assert_eq!(service, "main");
            infos.unwrap()[0].redis_settings().clone()
        };
        assert_eq!(info(&address).password(), None);
        let (user, password) = (Some("eye".to_owned()), Some("sentinels".to_owned()));
        let address = address.with_sentinel_login(user, password).unwrap();
        assert_eq!(info(&address).password(), Some("sentinels"));
        assert_eq!(info(&address).username(), Some("eye"));
        assert!(!format!("{address} {address:?}").contains("sentinels"));
        let plain = from_url("redis://a").unwrap();
        plain.clone().with_sentinel_login(None, Some("p".to_owned())).unwrap_err();
        address.with_sentinel_login(Some("eye".to_owned()), None).unwrap_err();
    }

    #[test]
    fn what_is_wrong_is_said_without_the_url() {
        for url in [
            "secret",
            "redis:secret",
            "redis://",
            "redis://secret@a",
            "redis://a:secret",
            "redis://a/secret",
            "redis://a?secret=1",
            "redis://a?db=secret",
            "redis://sec%zzret:x@a",
            "redis://[secret",
            "redis://a,,secret",
            "redis+unix://secret/x",
            "redis+unix://",
            "http://secret",
            "redis+cluster://",
            "redis+sentinel://:secret@a",
            "redis+sentinel://a/sec:ret",
            "redis+sentinel://a/main/secret",
        ] {
            let error = from_url(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{url}");
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
    }
}
