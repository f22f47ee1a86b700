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

/// The largest number of a database that a server can be configured to have.
const LARGEST_DATABASE: u32 = i32::MAX as u32;

/// Where servers are and how one logs in. Shown without the latter.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisAddress {
    places: Vec<Place>,
    is_tls: bool,
    user: Option<String>,
    password: Option<String>,
    database: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
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
            is_tls: scheme == "rediss",
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
            let database = path.trim_start_matches('/');
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
        for host in hosts.split(',') {
            let (host, port) = split_port(host)?;
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

    fn info(&self, place: &Place) -> Result<ConnectionInfo, redis::RedisError> {
        let mut login = RedisConnectionInfo::default()
            .set_protocol(ProtocolVersion::RESP3)
            .set_db(i64::from(self.database))
            .set_skip_set_lib_name();
        if let Some(user) = &self.user {
            login = login.set_username(user);
        }
        if let Some(password) = &self.password {
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

    /// Whether connections to it are encrypted.
    pub(super) fn is_tls(&self) -> bool {
        self.is_tls
    }
}

/// `redis://host:6379/0`: where it is, and nobody's name or password.
impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [Place::Unix(path)] = self.places.as_slice() {
            return write!(f, "redis+unix://{}?db={}", path.display(), self.database);
        }
        f.write_str(if self.is_tls { "rediss://" } else { "redis://" })?;
        for (number, place) in self.places.iter().enumerate() {
            if let Place::Tcp { host, port } = place {
                let comma = if number == 0 { "" } else { "," };
                let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
                write!(f, "{comma}{open}{host}{close}:{port}")?;
            }
        }
        write!(f, "/{}", self.database)
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
        if !["redis", "rediss", "redis+unix"].contains(&scheme.as_str()) {
            return Err("its scheme is none of `redis`, `rediss` and `redis+unix`".to_owned());
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
fn split_port(host: &str) -> Result<(&str, u16), String> {
    let wrong = || "a port is not a number from 1 to 65535".to_owned();
    let port = |text: &str| text.parse().ok().filter(|port| *port != 0).ok_or_else(wrong);
    if let Some(rest) = host.strip_prefix('[') {
        let Some((host, rest)) = rest.split_once(']') else {
            return Err("a `[` is not closed".to_owned());
        };
        return match rest.strip_prefix(':') {
            Some(text) => Ok((host, port(text)?)),
            None if rest.is_empty() => Ok((host, PORT)),
            None => Err(wrong()),
        };
    }
    match host.split_once(':') {
        Some((host, text)) => Ok((host, port(text)?)),
        None => Ok((host, PORT)),
    }
}

fn example(scheme: &str) -> &'static str {
    match scheme {
        "rediss" => "`rediss://host:6379/0`",
        "redis+unix" => "`redis+unix:///run/redis.sock`",
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
        ] {
            let error = from_url(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{url}");
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
    }
}
