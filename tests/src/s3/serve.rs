//! The server itself: connections, faults, and S3's operations on the bucket.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use md5::{Digest as _, Md5};
use s3s::auth::SimpleAuth;
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject,
    ETag, ETagCondition, Error, GetBucketLifecycleConfigurationInput,
    GetBucketLifecycleConfigurationOutput, GetObjectInput, GetObjectOutput, ListObjectsV2Input,
    ListObjectsV2Output, Object, PutBucketLifecycleConfigurationInput,
    PutBucketLifecycleConfigurationOutput, PutObjectInput, PutObjectOutput, Range, StreamingBlob,
    Timestamp,
};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3, S3Request, S3Response, S3Result, s3_error};
use tokio::sync::oneshot;
use tokio::time::Sleep;

use super::bucket::{Condition, Stored, system_time};
use super::{ACCESS_KEY, Fault, Operation, SECRET_KEY, Shared, invocations};

type Answer = Response<BoxBody<Bytes, Broken>>;

/// The connection is to break.
#[derive(Debug)]
struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection breaks, as the test wants it")
    }
}

impl std::error::Error for Broken {}

/// Serves until the other end is dropped.
pub(super) fn run(listener: TcpListener, shared: &Arc<Shared>, ended: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("s3-server")
        .enable_all()
        .build()
        .expect("the operating system gives a poller");
    runtime.block_on(async {
        tokio::select! {
            accepted = accept(listener, shared) => accepted.expect("connections are accepted"),
            _ = ended => {}
        }
    });
    runtime.shutdown_background();
}

async fn accept(listener: TcpListener, shared: &Arc<Shared>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let mut builder = S3ServiceBuilder::new(Objects(Arc::clone(shared)));
    builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
    // The server's clock is whatever the test says, and clients sign by what it says.
    let mut config = S3Config::default();
    config.presigned_url_max_skew_time_secs = u32::MAX;
    builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
    let service = builder.build();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (shared, service) = (Arc::clone(shared), service.clone());
        let answer =
            service_fn(move |request| answer(Arc::clone(&shared), service.clone(), request));
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), answer);
        // It fails when a fault breaks it, or the client does.
        tokio::spawn(async move { drop(connection.await) });
    }
}

async fn answer(
    shared: Arc<Shared>,
    service: S3Service,
    request: Request<Incoming>,
) -> Result<Answer, Broken> {
    let (path, query) = (request.uri().path().to_owned(), request.uri().query());
    let operation = Operation::of(request.method(), &path, query);
    shared.counters.count(operation);
    let invocation = request.headers().get(invocations::NAME);
    let is_admitted = invocation.is_none_or(|name| shared.invocations.admit(name.as_bytes()));
    if !is_admitted {
        return Ok(dated(&shared, refusal(403, "RequestExpired")));
    }
    let fault = shared.faults.of(operation, &path);
    match fault {
        Some(Fault::LoseRequest) => return Err(Broken),
        Some(Fault::Status(status, code)) => {
            // A server reads what it refuses, else the client sees a broken connection.
            let _ = request.into_body().collect().await;
            return Ok(dated(&shared, refusal(status, code)));
        }
        Some(Fault::Delay(time)) => {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
            let request = Request::from_parts(parts, Body::from(body));
            // It takes place even if who asked has gone meanwhile.
            let late = tokio::spawn(async move {
                tokio::time::sleep(time).await;
                service.call(request).await
            });
            let answer = late.await.map_err(|_| Broken)?.map_err(|_| Broken)?;
            return Ok(dated(&shared, answer.map(whole)));
        }
        Some(Fault::LateStatus(..) | Fault::LoseAnswer | Fault::CutBody) | None => {}
    }
    let wants_md5 =
        operation == Operation::DeleteMany && shared.bucket.wants_md5.load(Ordering::SeqCst);
    let request = if wants_md5 {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
        if !is_checked_by_md5(&parts.headers, &body) {
            return Ok(dated(&shared, refusal(400, "InvalidRequest")));
        }
        Request::from_parts(parts, Body::from(body))
    } else {
        request.map(Body::from)
    };
    let answer = service.call(request).await.map_err(|_| Broken)?;
    match fault {
        Some(Fault::LateStatus(status, code)) => Ok(dated(&shared, refusal(status, code))),
        Some(Fault::LoseAnswer) => Err(Broken),
        Some(Fault::CutBody) => cut(answer).await.map(|answer| dated(&shared, answer)),
        _ => Ok(dated(&shared, answer.map(whole))),
    }
}

/// Whether a request says the MD5 of its body, and no checksum that came after it.
fn is_checked_by_md5(headers: &HeaderMap, body: &[u8]) -> bool {
    let has_newer = headers.keys().any(|name| name.as_str().contains("checksum"));
    let digest = base64_simd::STANDARD.encode_to_string(Md5::digest(body));
    !has_newer
        && headers.get("content-md5").is_some_and(|said| said.as_bytes() == digest.as_bytes())
}

fn whole(body: Body) -> BoxBody<Bytes, Broken> {
    body.map_err(|_| Broken).boxed()
}

fn refusal(status: u16, code: &str) -> Answer {
    let text = format!(
        "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{code}</Message></Error>"
    );
    let body = Full::new(Bytes::from(text)).map_err(|never: Infallible| match never {}).boxed();
    let mut answer = Response::builder().status(status).header(CONTENT_TYPE, "application/xml");
    if code == "PermanentRedirect" {
        answer = answer.header("x-amz-bucket-region", "eu-north-1");
    }
    answer.body(body).expect("the parts are valid")
}

/// The same answer, whose body breaks off in the middle.
async fn cut(answer: Response<Body>) -> Result<Answer, Broken> {
    let (mut parts, body) = answer.into_parts();
    let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
    parts.headers.insert("content-length", body.len().into());
    let half = Some(body.slice(..body.len() / 2));
    let pause = Box::pin(tokio::time::sleep(Duration::from_millis(50)));
    Ok(Response::from_parts(parts, Cut { half, pause }.boxed()))
}

fn dated(shared: &Shared, mut answer: Answer) -> Answer {
    let now = humantime_date(shared);
    answer.headers_mut().insert(DATE, now);
    answer
}

fn humantime_date(shared: &Shared) -> HeaderValue {
    let mut text = Vec::new();
    Timestamp::from(system_time(shared.bucket.now()))
        .format(s3s::dto::TimestampFormat::HttpDate, &mut text)
        .expect("a vector takes all that is written to it");
    HeaderValue::from_bytes(&text).expect("a date is text")
}

/// A body that breaks off, once what there is of it is on its way.
struct Cut {
    half: Option<Bytes>,
    pause: Pin<Box<Sleep>>,
}

impl hyper::body::Body for Cut {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Some(half) = self.half.take() {
            return Poll::Ready(Some(Ok(Frame::data(half))));
        }
        self.pause.as_mut().poll(context).map(|()| Some(Err(Broken)))
    }
}

/// S3's operations on the one bucket.
struct Objects(Arc<Shared>);

fn condition(absent: Option<&ETagCondition>, same: Option<ETagCondition>) -> Condition {
    let same = same.and_then(|same| match same {
        ETagCondition::ETag(etag) => Some(etag.value().to_owned()),
        ETagCondition::Any => None,
    });
    Condition { absent: absent.is_some(), same }
}

fn etag(of: &str) -> ETag {
    ETag::Strong(of.to_owned())
}

async fn collected(body: Option<StreamingBlob>) -> S3Result<Bytes> {
    let Some(body) = body else { return Ok(Bytes::new()) };
    let body = Body::from(body).collect().await.map_err(|_| s3_error!(IncompleteBody))?;
    Ok(body.to_bytes())
}

/// The part of a body that a range names.
fn part(body: &Bytes, range: Option<Range>) -> S3Result<(Bytes, Option<String>)> {
    let Some(Range::Int { first, last }) = range else { return Ok((body.clone(), None)) };
    let length = body.len() as u64;
    if first >= length {
        return Err(s3_error!(InvalidRange));
    }
    let last = last.unwrap_or(u64::MAX).min(length - 1);
    let at = |place: u64| usize::try_from(place).expect("within the body");
    Ok((body.slice(at(first)..=at(last)), Some(format!("bytes {first}-{last}/{length}"))))
}

#[async_trait]
impl S3 for Objects {
    async fn get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let asked = request.input;
        let bucket = &self.0.bucket;
        bucket.is_here(&asked.bucket)?;
        let Stored { body, etag: tag, written } =
            bucket.get(&asked.key).ok_or(s3_error!(NoSuchKey))?;
        if condition(None, asked.if_none_match).same.is_some_and(|same| same == tag) {
            return Err(s3_error!(NotModified));
        }
        let (body, content_range) = part(&body, asked.range)?;
        let length = i64::try_from(body.len()).ok();
        Ok(S3Response::new(GetObjectOutput {
            body: Some(StreamingBlob::from(Body::from(body))),
            content_length: length,
            content_range,
            e_tag: Some(etag(&tag)),
            last_modified: Some(Timestamp::from(system_time(written))),
            ..Default::default()
        }))
    }

    async fn put_object(
        &self,
        request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let asked = request.input;
        let body = collected(asked.body).await?;
        self.0.bucket.is_here(&asked.bucket)?;
        let condition = condition(asked.if_none_match.as_ref(), asked.if_match);
        let tag = self.0.bucket.put(&asked.key, body, &condition)?;
        Ok(S3Response::new(PutObjectOutput { e_tag: Some(etag(&tag)), ..Default::default() }))
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let asked = request.input;
        self.0.bucket.is_here(&asked.bucket)?;
        self.0.bucket.delete(&asked.key, &condition(None, asked.if_match))?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let asked = request.input;
        self.0.bucket.is_here(&asked.bucket)?;
        if asked.delete.objects.len() > 1_000 {
            return Err(s3_error!(MalformedXML));
        }
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for object in asked.delete.objects {
            let same = object.e_tag.map(|tag| tag.value().to_owned());
            match self.0.bucket.delete(&object.key, &Condition { absent: false, same }) {
                Ok(()) => {
                    deleted.push(DeletedObject { key: Some(object.key), ..Default::default() });
                }
                Err(error) => errors.push(Error {
                    code: Some(error.code().as_str().to_owned()),
                    key: Some(object.key),
                    ..Default::default()
                }),
            }
        }
        let quiet = asked.delete.quiet.unwrap_or(false);
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: (!quiet).then_some(deleted),
            errors: (!errors.is_empty()).then_some(errors),
            ..Default::default()
        }))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let asked = request.input;
        self.0.bucket.is_here(&asked.bucket)?;
        let most = usize::try_from(asked.max_keys.unwrap_or(1_000)).unwrap_or(0).min(1_000);
        let prefix = asked.prefix.clone().unwrap_or_default();
        let after = asked.continuation_token.or(asked.start_after).unwrap_or_default();
        let (found, is_cut) = self.0.bucket.list(&prefix, &after, most);
        let next = found.last().filter(|_| is_cut).map(|(name, _)| name.clone());
        let objects = found.into_iter().map(|(name, stored)| Object {
            // A listing has whole seconds.
            last_modified: Some(Timestamp::from(system_time(stored.written))),
            size: i64::try_from(stored.body.len()).ok(),
            e_tag: Some(etag(&stored.etag)),
            key: Some(name),
            ..Default::default()
        });
        let objects: Vec<_> = objects.collect();
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(asked.bucket),
            prefix: asked.prefix,
            max_keys: asked.max_keys,
            key_count: i32::try_from(objects.len()).ok(),
            contents: Some(objects),
            is_truncated: Some(is_cut),
            next_continuation_token: next,
            ..Default::default()
        }))
    }

    async fn get_bucket_lifecycle_configuration(
        &self,
        request: S3Request<GetBucketLifecycleConfigurationInput>,
    ) -> S3Result<S3Response<GetBucketLifecycleConfigurationOutput>> {
        self.0.bucket.is_here(&request.input.bucket)?;
        let rules = self.0.bucket.lifecycle.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let rules = rules.ok_or(s3_error!(NoSuchLifecycleConfiguration))?;
        Ok(S3Response::new(GetBucketLifecycleConfigurationOutput {
            rules: Some(rules),
            ..Default::default()
        }))
    }

    async fn put_bucket_lifecycle_configuration(
        &self,
        request: S3Request<PutBucketLifecycleConfigurationInput>,
    ) -> S3Result<S3Response<PutBucketLifecycleConfigurationOutput>> {
        let asked = request.input;
        self.0.bucket.is_here(&asked.bucket)?;
        let rules = asked.lifecycle_configuration.map(|configuration| configuration.rules);
        *self.0.bucket.lifecycle.lock().unwrap_or_else(PoisonError::into_inner) = rules;
        Ok(S3Response::new(PutBucketLifecycleConfigurationOutput::default()))
    }
}
