//! Reads sent again as the SDK signed them a moment ago: for the processor, to make and sign a request
//! is several times the work of sending it, and each hit asks for the same generations.
//!
//! - Each is a request of its own, sent after its caller came, over the client's own connections. Only
//!   its signature is older, by a minute at most; servers take one for a quarter of an hour.
//! - Only an object, or that there is none, is an answer. After anything else the SDK asks anew; and
//!   where a server refuses, or says nothing, for a while everything, whatever is the matter:
//!   credentials that have ended, a server that is busy, or one that takes no request twice.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_s3::config::http::HttpRequest;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{ConfigBag, HttpClient as _, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::client::http::{
    HttpConnector as _, HttpConnectorSettings, SharedHttpConnector,
};
use parking_lot::Mutex;

use super::client::{Bucket, Got};
use super::requests::Operation;
use crate::runtime;

/// For how long a request is sent again.
const USABLE: Duration = Duration::from_mins(1);

/// For how long nothing is, after one was in vain.
const IN_VAIN: Duration = Duration::from_mins(1);

/// How many requests are kept at most, of one to three kilobytes each.
const MOST: usize = 1_000;

/// The reads of one bucket that can be sent again, by the names of the objects.
#[derive(Default)]
pub(super) struct Signed(Mutex<Lately>);

#[derive(Default)]
struct Lately {
    reads: HashMap<String, Ready>,
    in_vain: Option<Instant>,
}

/// A signed request, and what it was sent by.
struct Ready {
    request: HttpRequest,
    by: SharedHttpConnector,
    signed: Instant,
}

impl Signed {
    /// The read of an object, if one was signed lately.
    fn ready(&self, name: &str, now: Instant) -> Option<(HttpRequest, SharedHttpConnector)> {
        let lately = self.0.lock();
        if lately.in_vain.is_some_and(|at| now.duration_since(at) < IN_VAIN) {
            return None;
        }
        let read = lately.reads.get(name)?;
        let is_usable = now.duration_since(read.signed) < USABLE;
        is_usable.then(|| Some((read.request.try_clone()?, read.by.clone())))?
    }

    /// Keeps the read that found an object.
    pub(super) fn keep(&self, name: &str, noted: &Note) {
        let Some(read) = noted.0.lock().take() else { return };
        let mut lately = self.0.lock();
        // What is asked for often is soon back, and most of what is not was of no use.
        if lately.reads.len() >= MOST {
            lately.reads.clear();
        }
        lately.reads.insert(name.to_owned(), read);
    }

    fn was_in_vain(&self, now: Instant) {
        let mut lately = self.0.lock();
        lately.reads.clear();
        lately.in_vain = Some(now);
    }
}

impl Bucket {
    /// Reads an object as it was read lately; `None` if it was not, or that gives no answer.
    pub(super) async fn get_again(&self, name: &str) -> Option<Got> {
        let (request, by) = self.signed.ready(name, Instant::now())?;
        self.requests.count(Operation::Get);
        match self.answer_of(request, &by).await {
            Ok(got) => Some(got),
            Err(NoAnswer::BrokeOff) => None,
            Err(NoAnswer::InVain) => {
                self.signed.was_in_vain(Instant::now());
                None
            }
        }
    }

    async fn answer_of(
        &self,
        request: HttpRequest,
        by: &SharedHttpConnector,
    ) -> Result<Got, NoAnswer> {
        let listen = self.listen();
        let answer = runtime::timeout(self.settings.attempt_timeout(), by.call(request)).await;
        let answer = answer.ok_or(NoAnswer::InVain)?.map_err(|_| NoAnswer::BrokeOff)?;
        listen.hear(answer.headers().get("date"));
        let status = answer.status().as_u16();
        let etag = answer.headers().get("etag").unwrap_or_default().into();
        let body = ByteStream::new(answer.into_body()).collect();
        let body = runtime::timeout(self.settings.operation_timeout, body).await;
        let body = body.ok_or(NoAnswer::InVain)?.map_err(|_| NoAnswer::BrokeOff)?.into_bytes();
        match status {
            200 => Ok(Got::Found { etag, body }),
            // And not that there is no bucket.
            404 if body.windows(9).any(|code| code == b"NoSuchKey") => Ok(Got::Absent),
            _ => Err(NoAnswer::InVain),
        }
    }
}

/// Why a request that was sent again has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NoAnswer {
    /// The connection broke, as idle ones do when the server closes them: that says nothing of the
    /// request.
    BrokeOff,
    /// It was refused, or too long in coming.
    InVain,
}

/// Notes a request as it is sent.
#[derive(Clone, Default)]
pub(super) struct Note(Arc<Mutex<Option<Ready>>>);

/// Without the request, which bears a signature.
impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Note").finish_non_exhaustive()
    }
}

impl Intercept for Note {
    fn name(&self) -> &'static str {
        "keyedcache-signed-request"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let (Some(client), Some(request)) =
            (components.http_client(), context.request().try_clone())
        else {
            return Ok(());
        };
        // The connections that the SDK has made with these settings, and no others.
        let mut settings = HttpConnectorSettings::builder();
        if let Some(timeouts) = config.load::<TimeoutConfig>() {
            settings.set_connect_timeout(timeouts.connect_timeout());
            settings.set_read_timeout(timeouts.read_timeout());
        }
        let by = client.http_connector(&settings.build(), components);
        *self.0.lock() = Some(Ready { request, by, signed: Instant::now() });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
    use aws_smithy_runtime_api::client::result::ConnectorError;

    use super::*;

    #[derive(Debug)]
    struct Nowhere;

    impl HttpConnector for Nowhere {
        fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
            HttpConnectorFuture::ready(Err(ConnectorError::io("nowhere".into())))
        }
    }

    fn keep(signed: &Signed, name: &str, at: Instant) {
        let by = SharedHttpConnector::new(Nowhere);
        let read = Ready { request: HttpRequest::empty(), by, signed: at };
        signed.keep(name, &Note(Arc::new(Mutex::new(Some(read)))));
    }

    #[test]
    fn read_is_sent_again_for_a_minute() {
        let (reads, now) = (Signed::default(), Instant::now());
        keep(&reads, "a", now);
        assert!(reads.ready("a", now + USABLE / 2).is_some());
        assert!(reads.ready("a", now + USABLE).is_none());
        assert!(reads.ready("b", now).is_none());
    }

    #[test]
    fn nothing_is_sent_again_for_a_while_after_one_was_in_vain() {
        let (reads, now) = (Signed::default(), Instant::now());
        keep(&reads, "a", now);
        reads.was_in_vain(now);
        keep(&reads, "a", now + IN_VAIN / 2);
        assert!(reads.ready("a", now + IN_VAIN / 2).is_none());
        assert!(reads.ready("a", now + IN_VAIN).is_some());
    }

    #[test]
    fn reads_do_not_pile_up() {
        let (reads, now) = (Signed::default(), Instant::now());
        for n in 0..3 * MOST {
            keep(&reads, &n.to_string(), now);
            assert!(reads.0.lock().reads.len() <= MOST);
        }
        assert!(reads.ready(&(3 * MOST - 1).to_string(), now).is_some());
    }
}
