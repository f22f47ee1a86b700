//! The settings of an S3 store, and what makes them valid.

use std::sync::Arc;
use std::time::Duration;

use super::S3Store;
use super::address::S3Credentials;
use super::client::Bucket;
use super::inner::Inner;
use super::name::{LONGEST_FOLDER, Names};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind};
use crate::record::MAX_PAYLOAD;

/// What a header, its stamp and its tags may take beside the largest payload.
const HEADER_ROOM: usize = 1 << 20;

/// What a store was built with.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// The store's, in messages.
    pub(super) name: String,
    pub(super) bucket: String,
    pub(super) folder: String,
    pub(super) region: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) path_style: bool,
    pub(super) credentials: Option<S3Credentials>,
    pub(super) operation_timeout: Duration,
    pub(super) attempt_timeout: Option<Duration>,
    pub(super) remember_generations: Duration,
    pub(super) max_record: usize,
    pub(super) clock: Clock,
}

impl Settings {
    /// How long one request may take.
    pub(super) fn attempt_timeout(&self) -> Duration {
        self.attempt_timeout.unwrap_or(self.operation_timeout * 2 / 5)
    }
}

/// Settings of an [`S3Store`].
#[derive(Clone, Debug)]
#[must_use]
pub struct S3StoreBuilder(Settings);

impl S3StoreBuilder {
    pub(super) fn new(bucket: &str) -> Self {
        Self(Settings {
            name: String::new(),
            bucket: bucket.to_owned(),
            folder: String::new(),
            region: None,
            endpoint: None,
            path_style: false,
            credentials: None,
            operation_timeout: super::STORE_TIMEOUT,
            attempt_timeout: None,
            remember_generations: Duration::ZERO,
            max_record: MAX_PAYLOAD + HEADER_ROOM,
            clock: Clock::system(),
        })
    }

    /// What the names of all objects begin with, before a `/`; nothing by default. At most 511 bytes.
    ///
    /// It is a place in the bucket, and not the cache's own prefix, which follows it.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.0.folder = prefix.into();
        self
    }

    /// Where the bucket is; by default what the environment or the profile of the SDK says, and
    /// `us-east-1` with an [endpoint](Self::endpoint).
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.0.region = Some(region.into());
        self
    }

    /// The URL of an S3-compatible server, such as `http://localhost:9000`; by default AWS.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.0.endpoint = Some(endpoint.into());
        self
    }

    /// Whether the bucket stands in the path of requests, and not in the host's name, as many
    /// compatible servers want it; it does not by default.
    pub fn path_style(mut self, path_style: bool) -> Self {
        self.0.path_style = path_style;
        self
    }

    /// An access key; by default what the SDK finds, in this order, in the environment, in a profile,
    /// by a web identity token, or from the role of the container or machine. Profiles that log in by
    /// SSO need the feature `s3-sso`. For anything else there is [`build_with`](Self::build_with).
    /// Never printed.
    pub fn credentials(
        mut self,
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<String>,
    ) -> Self {
        self.0.credentials = Some(S3Credentials {
            access_key_id: access_key_id.into(),
            secret_access_key: secret_access_key.into(),
        });
        self
    }

    pub(super) fn given_credentials(mut self, credentials: Option<S3Credentials>) -> Self {
        self.0.credentials = credentials;
        self
    }

    /// How long an operation may take, with all its requests; 5 s by default. Requests that are busy
    /// or broke off are tried again within it, those that would be harmful to repeat apart.
    pub fn operation_timeout(mut self, timeout: Duration) -> Self {
        self.0.operation_timeout = timeout;
        self
    }

    /// How long one request may take until its answer begins; two fifths of the operation's time by
    /// default.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.0.attempt_timeout = Some(timeout);
        self
    }

    /// For how long generations that were read are remembered in this process; zero by default.
    ///
    /// At zero, each read asks for the generation of each of its scopes, a small `GetObject` each, and
    /// what was invalidated is never served. With more, hits cost one request instead of one and one
    /// for each scope, and what others invalidate is served for up to so long after; what this
    /// process invalidates itself is not.
    pub fn remember_generations(mut self, remember: Duration) -> Self {
        self.0.remember_generations = remember;
        self
    }

    /// How many bytes a record may have, its header included; 65 MiB by default.
    pub fn max_record(mut self, bytes: usize) -> Self {
        self.0.max_record = bytes;
        self
    }

    /// What its times are measured by between two answers of the server, which correct it; by default
    /// the system's clock.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.0.clock = clock;
        self
    }

    /// The store. Nothing is sent before the first operation.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the bucket's name is none, the prefix is too long or holds what no
    /// name should, the endpoint is no `http` or `https` URL, or a timeout is zero.
    pub fn build(self) -> Result<S3Store, Error> {
        self.build_on(None)
    }

    /// The store that sends its requests by this client: for credentials, proxies or certificates that
    /// no setting here is for.
    ///
    /// The client's own settings hold, and those made here of region, endpoint, path style, credentials
    /// and the time of an attempt do not. Its retries are switched off, since what may be sent again is
    /// known here only. Give it `RequestChecksumCalculation::WhenRequired` for compatible servers.
    ///
    /// What was read within the last minute is read again by the request that the client made and
    /// signed then, over the client's HTTP client, and past its interceptors.
    ///
    /// # Errors
    ///
    /// As of [`build`](Self::build).
    pub fn build_with(self, client: aws_sdk_s3::Client) -> Result<S3Store, Error> {
        self.build_on(Some(client))
    }

    fn build_on(self, client: Option<aws_sdk_s3::Client>) -> Result<S3Store, Error> {
        let mut settings = self.0;
        check(&settings)?;
        let names = Names::in_folder(&settings.folder);
        settings.name = format!("s3://{}/{}", settings.bucket, names.folder());
        settings.name.truncate(settings.name.trim_end_matches('/').len());
        Ok(S3Store(Arc::new(Inner::new(Bucket::new(settings, client), names))))
    }
}

fn check(settings: &Settings) -> Result<(), Error> {
    let bucket = &settings.bucket;
    let of_bucket = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if !(3..=255).contains(&bucket.len()) || !bucket.bytes().all(of_bucket) {
        return Err(refusal(
            "a bucket has a name of 3 letters or more: letters, digits, `.`, `-`, `_`",
        ));
    }
    let of_folder = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.=".contains(&byte);
    let folder = settings.folder.trim_matches('/');
    let parts = || folder.split('/').filter(|_| !folder.is_empty());
    if folder.len() >= LONGEST_FOLDER
        || !folder.bytes().all(of_folder)
        || parts().any(|part| matches!(part, "" | "." | ".."))
    {
        return Err(refusal(
            "the prefix in a bucket has up to 511 bytes: letters, digits, `-`, `_`, `.`, `=`, and \
             `/` between parts",
        ));
    }
    if let Some(endpoint) = &settings.endpoint {
        let host = endpoint.strip_prefix("http://").or_else(|| endpoint.strip_prefix("https://"));
        let is_host = |host: &str| {
            !host.is_empty()
                && !host.contains(['@', '?', '#'])
                && !host.contains(char::is_whitespace)
        };
        if !host.is_some_and(is_host) {
            return Err(refusal(
                "an endpoint is a URL such as `http://localhost:9000`, without credentials",
            ));
        }
    }
    if settings.operation_timeout.is_zero() || settings.attempt_timeout().is_zero() {
        return Err(refusal("a timeout is longer than zero"));
    }
    Ok(())
}

fn refusal(why: &'static str) -> Error {
    Error::new(ErrorKind::Config, "build an S3 store", why)
}
