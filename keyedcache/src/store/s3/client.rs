//! Requests to one bucket: each sent once, counted, timed, and with what it says of the server's
//! clock heard.
//!
//! No write is ever sent twice here: whether that is safe only the caller knows. Everything here runs
//! on the crate's background runtime.

use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::{ByteStream, DateTime, DateTimeFormat};
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use bytes::Bytes;
use tokio::sync::OnceCell;

use super::builder::Settings;
use super::connect::{connect, without_retries};
use super::content_md5::ContentMd5;
use super::fault::{Asked, Denial, Fault, Outcome};
use super::requests::{Operation, Requests};
use super::signed::{Note, Signed};
use super::skew::ServerClock;
use crate::clock::Moment;
use crate::error::{Error, ErrorKind};
use crate::runtime;

/// What tells one content of an object from another.
pub(super) type ETag = Arc<str>;

/// The bucket of one store.
pub(super) struct Bucket {
    pub(super) settings: Settings,
    pub(super) clock: Arc<ServerClock>,
    pub(super) requests: Requests,
    pub(super) signed: Signed,
    client: OnceCell<Client>,
}

/// What a read found.
#[derive(Debug)]
pub(super) enum Got {
    Found {
        etag: ETag,
        body: Bytes,
    },
    Absent,
    /// It is the one that was seen.
    Unchanged,
}

/// What must be so for a write to take place.
#[derive(Clone, Debug)]
pub(super) enum Only {
    Always,
    IfAbsent,
    IfSame(ETag),
}

impl Only {
    /// If what stands there is still what was found.
    pub(super) fn if_still(found: Option<&ETag>) -> Self {
        found.map_or(Self::IfAbsent, |etag| Self::IfSame(Arc::clone(etag)))
    }
}

/// What became of a write that was answered.
#[derive(Debug)]
pub(super) enum Put {
    Done(ETag),
    /// Its condition does not hold.
    Refused,
}

/// One page of a listing.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) objects: Vec<Listed>,
    pub(super) next: Option<String>,
}

/// An object as a listing tells of it.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) etag: ETag,
    pub(super) size: u64,
    pub(super) written: Moment,
}

impl Bucket {
    pub(super) fn new(settings: Settings, client: Option<Client>) -> Self {
        Self {
            clock: Arc::new(ServerClock::new(settings.clock.clone())),
            requests: Requests::default(),
            signed: Signed::default(),
            client: OnceCell::new_with(client.map(|client| without_retries(&client))),
            settings,
        }
    }

    /// Reads an object, or its first bytes, unless it is still the one that was seen.
    pub(super) async fn get(
        &self,
        name: &str,
        first: Option<u64>,
        unless: Option<&ETag>,
    ) -> Result<Got, Fault> {
        let is_whole = first.is_none() && unless.is_none();
        if is_whole && let Some(got) = self.get_again(name).await {
            return Ok(got);
        }
        let client = self.client("load").await?;
        self.requests.count(Operation::Get);
        let request = client
            .get_object()
            .bucket(&self.settings.bucket)
            .key(name)
            .set_range(first.map(|bytes| format!("bytes=0-{}", bytes - 1)))
            .set_if_none_match(unless.map(ToString::to_string));
        let note = Note::default();
        let mut request = request.customize().interceptor(self.listen());
        if is_whole {
            request = request.interceptor(note.clone());
        }
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => {
                return match self.asked("load").denial(&error) {
                    // A range of an object without bytes cannot be told from no object at all;
                    // nobody but a stranger writes such.
                    Denial::Absent => Ok(Got::Absent),
                    Denial::Unchanged => Ok(Got::Unchanged),
                    Denial::Precondition => Err(self.strange("load")),
                    Denial::Fault(fault) => Err(fault),
                };
            }
        };
        self.signed.keep(name, &note);
        let etag = answer.e_tag.as_deref().unwrap_or_default().into();
        match runtime::timeout(self.settings.operation_timeout, answer.body.collect()).await {
            Some(Ok(body)) => Ok(Got::Found { etag, body: body.into_bytes() }),
            Some(Err(error)) => Err(self.broke_off("the answer was cut off").caused_by(error)),
            None => Err(self.broke_off("the answer did not come in time")),
        }
    }

    /// Writes an object if the condition holds.
    pub(super) async fn put(&self, name: &str, body: Bytes, only: &Only) -> Result<Put, Fault> {
        let client = self.client("save").await?;
        self.requests.count(Operation::Put);
        let kind = if body.first() == Some(&b'{') {
            "application/json"
        } else {
            "application/octet-stream"
        };
        let request = client
            .put_object()
            .bucket(&self.settings.bucket)
            .key(name)
            .content_type(kind)
            .body(ByteStream::from(body));
        let request = match only {
            Only::Always => request,
            Only::IfAbsent => request.if_none_match("*"),
            Only::IfSame(etag) => request.if_match(&**etag),
        };
        match request.customize().interceptor(self.listen()).send().await {
            Ok(answer) => Ok(Put::Done(answer.e_tag.unwrap_or_default().into())),
            Err(error) => match self.asked("save").denial(&error) {
                // Nothing was asked for that might not hold: somebody else was writing.
                Denial::Precondition if matches!(only, Only::Always) => Err(self.conflict("save")),
                Denial::Absent | Denial::Precondition => Ok(Put::Refused),
                Denial::Unchanged => Err(self.strange("save")),
                Denial::Fault(fault) => Err(fault),
            },
        }
    }

    /// Deletes an object, if it is still the one that was seen; whether the condition held.
    pub(super) async fn delete(&self, name: &str, only: Option<&ETag>) -> Result<bool, Fault> {
        let client = self.client("delete").await?;
        self.requests.count(Operation::Delete);
        let request = client
            .delete_object()
            .bucket(&self.settings.bucket)
            .key(name)
            .set_if_match(only.map(ToString::to_string));
        match request.customize().interceptor(self.listen()).send().await {
            Ok(_) => Ok(true),
            Err(error) => match self.asked("delete").denial(&error) {
                Denial::Absent if only.is_none() => Ok(true),
                Denial::Precondition if only.is_none() => Err(self.conflict("delete")),
                Denial::Absent | Denial::Precondition => Ok(false),
                Denial::Unchanged => Err(self.strange("delete")),
                Denial::Fault(fault) => Err(fault),
            },
        }
    }

    /// Deletes up to 1,000 objects, each if it is still the one that was seen; the names of those
    /// that were not deleted. Servers check the request by what the SDK sends with it, or by MD5.
    pub(super) async fn delete_many(
        &self,
        objects: &[(String, Option<ETag>)],
        by_md5: bool,
    ) -> Result<Vec<String>, Fault> {
        let client = self.client("delete").await?;
        self.requests.count(Operation::DeleteMany);
        let identifiers = objects.iter().map(|(name, etag)| {
            let etag = etag.as_deref().map(str::to_owned);
            ObjectIdentifier::builder().key(name).set_e_tag(etag).build()
        });
        let objects = identifiers.collect::<Result<Vec<_>, _>>();
        let delete = objects
            .and_then(|objects| Delete::builder().set_objects(Some(objects)).quiet(true).build());
        let delete = delete.map_err(|error| self.strange("delete").caused_by(error))?;
        let request = client.delete_objects().bucket(&self.settings.bucket).delete(delete);
        let mut request = request.customize().interceptor(self.listen());
        if by_md5 {
            request = request.interceptor(ContentMd5);
        }
        match request.send().await {
            Ok(answer) => {
                let errors = answer.errors.unwrap_or_default();
                Ok(errors.into_iter().filter_map(|error| error.key).collect())
            }
            Err(error) => Err(self.fault("delete", &error)),
        }
    }

    /// One page of the objects whose names begin so.
    pub(super) async fn list(
        &self,
        prefix: &str,
        from: Option<&str>,
        at_most: usize,
    ) -> Result<Listing, Fault> {
        let client = self.client("scan").await?;
        self.requests.count(Operation::List);
        let request = client
            .list_objects_v2()
            .bucket(&self.settings.bucket)
            .prefix(prefix)
            .max_keys(i32::try_from(at_most.clamp(1, 1_000)).unwrap_or(1_000))
            .set_start_after(from.map(str::to_owned));
        let answer = match request.customize().interceptor(self.listen()).send().await {
            Ok(answer) => answer,
            Err(error) => return Err(self.fault("scan", &error)),
        };
        let is_cut = answer.is_truncated.unwrap_or(false);
        let listed = answer.contents.unwrap_or_default().into_iter().filter_map(|object| {
            let written = object.last_modified?.secs();
            Some(Listed {
                name: object.key?,
                etag: object.e_tag?.into(),
                size: u64::try_from(object.size?).ok()?,
                written: Moment::from_micros(
                    u64::try_from(written).ok()?.saturating_mul(1_000_000),
                ),
            })
        });
        let objects: Vec<_> = listed.collect();
        let next = objects.last().filter(|_| is_cut).map(|object| object.name.clone());
        Ok(Listing { objects, next })
    }

    /// The client, made at first need: finding credentials may take requests of its own.
    pub(super) async fn client(&self, operation: &'static str) -> Result<&Client, Fault> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let at_most = self.settings.operation_timeout;
        // Large, and needed once.
        let made = Box::pin(self.client.get_or_init(|| connect(&self.settings)));
        let made = runtime::timeout(at_most, made);
        made.await.ok_or_else(|| {
            let message = "credentials and region were not found in time";
            let error = Error::new(ErrorKind::Config, operation, message);
            Fault { outcome: Outcome::Refused, error: error.with("store", &self.settings.name) }
        })
    }

    /// Reads an error of any other request than those above.
    pub(super) fn fault<E>(
        &self,
        operation: &'static str,
        error: &aws_sdk_s3::error::SdkError<E, aws_sdk_s3::config::http::HttpResponse>,
    ) -> Fault
    where
        E: aws_sdk_s3::error::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        match self.asked(operation).denial(error) {
            Denial::Fault(fault) => fault,
            Denial::Absent | Denial::Precondition | Denial::Unchanged => self.strange(operation),
        }
    }

    /// What hears the server's clock from one answer.
    pub(super) fn listen(&self) -> Listen {
        Listen { clock: Arc::clone(&self.clock), asked: self.clock.own_now() }
    }

    fn asked(&self, operation: &'static str) -> Asked<'_> {
        Asked { operation, bucket: &self.settings.bucket, store: &self.settings.name }
    }

    fn conflict(&self, operation: &'static str) -> Fault {
        let message = "others write the same object";
        let error = Error::new(ErrorKind::Unavailable, operation, message);
        Fault { outcome: Outcome::Busy, error: error.with("store", &self.settings.name) }
    }

    fn strange(&self, operation: &'static str) -> Fault {
        let message = "the server answered as no S3 server does";
        let error = Error::new(ErrorKind::Unavailable, operation, message);
        Fault { outcome: Outcome::Unknown, error: error.with("store", &self.settings.name) }
    }

    fn broke_off(&self, message: &'static str) -> Fault {
        let error = Error::new(ErrorKind::Unavailable, "load", message);
        Fault { outcome: Outcome::Unknown, error: error.with("store", &self.settings.name) }
    }
}

impl Fault {
    fn caused_by(self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { error: self.error.with_source(source), ..self }
    }
}

/// Hears the server's clock.
#[derive(Debug)]
pub(super) struct Listen {
    clock: Arc<ServerClock>,
    asked: Moment,
}

impl Listen {
    /// Hears the `Date` of the answer.
    pub(super) fn hear(&self, date: Option<&str>) {
        // What has no date, or one that cannot be read, tells no time.
        let date = date.and_then(|date| DateTime::from_str(date, DateTimeFormat::HttpDate).ok());
        if let Some(second) = date.and_then(|date| u64::try_from(date.secs()).ok()) {
            self.clock.heard(second, self.asked);
        }
    }
}

impl Intercept for Listen {
    fn name(&self) -> &'static str {
        "keyedcache-server-clock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.hear(context.response().headers().get("date"));
        Ok(())
    }
}
