//! What a failed request means: whether it took place, whether it may be sent again, and what to tell
//! a person.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::error::{Error, ErrorKind};

/// Why a request has no answer.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) outcome: Outcome,
    pub(super) error: Error,
}

/// What is known of a request that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The server refused it for now; it did not take place.
    Busy,
    /// It may have taken place.
    Unknown,
    /// It did not take place, and would not if it was sent again.
    Refused,
    /// The server does not know this kind of request.
    Unsupported,
}

/// What the server answered instead of doing what it was asked to.
#[derive(Debug)]
pub(super) enum Denial {
    /// There is no such object.
    Absent,
    /// The precondition does not hold, or somebody else is writing.
    Precondition,
    /// A conditional read: the object is still the one that was seen.
    Unchanged,
    /// Anything else.
    Fault(Fault),
}

/// What is being asked, of whom: for messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) operation: &'static str,
    pub(super) bucket: &'a str,
    pub(super) store: &'a str,
}

impl Asked<'_> {
    /// Reads an error of the SDK.
    pub(super) fn denial<E>(self, error: &SdkError<E, HttpResponse>) -> Denial
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
        match (status, code) {
            (Some(304), _) => return Denial::Unchanged,
            (Some(404), Some("NoSuchBucket")) => {}
            (Some(404 | 416), _) => return Denial::Absent,
            (Some(412), _) => return Denial::Precondition,
            (Some(409), Some("ConditionalRequestConflict" | "OperationAborted") | None) => {
                return Denial::Precondition;
            }
            _ => {}
        }
        let outcome = match (status, code) {
            (Some(503 | 429), _) | (_, Some("SlowDown" | "RequestTimeTooSkewed")) => Outcome::Busy,
            (Some(501), _) | (_, Some("NotImplemented")) => Outcome::Unsupported,
            (Some(500..), _) => Outcome::Unknown,
            (Some(_), _) => Outcome::Refused,
            (None, _) if is_without_request(error) => Outcome::Refused,
            (None, _) => Outcome::Unknown,
        };
        let told = self.message(status, code, error);
        Denial::Fault(Fault { outcome, error: told })
    }

    fn message<E>(
        self,
        status: Option<u16>,
        code: Option<&str>,
        error: &SdkError<E, HttpResponse>,
    ) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let bucket = self.bucket;
        let header = |name| error.raw_response().and_then(|response| response.headers().get(name));
        let (kind, message) = match (status, code) {
            (_, Some("NoSuchBucket")) => {
                (ErrorKind::Config, format!("the bucket `{bucket}` does not exist"))
            }
            (_, Some("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "NotSignedUp")) => (
                ErrorKind::Config,
                "the server does not accept the credentials: access key or secret is wrong"
                    .to_owned(),
            ),
            (_, Some("ExpiredToken" | "InvalidToken")) => {
                (ErrorKind::Config, "the credentials have expired or are not valid".to_owned())
            }
            (Some(301 | 307), _)
            | (
                _,
                Some(
                    "PermanentRedirect"
                    | "AuthorizationHeaderMalformed"
                    | "IllegalLocationConstraintException",
                ),
            ) => {
                let region = header("x-amz-bucket-region").map_or_else(
                    || "another region".to_owned(),
                    |region| format!("region `{region}`"),
                );
                (
                    ErrorKind::Config,
                    format!("the bucket `{bucket}` is in {region}; set it by `region`"),
                )
            }
            (Some(401 | 403), _) => (
                ErrorKind::Config,
                format!(
                    "access to the bucket `{bucket}` is denied; `s3:GetObject`, `s3:PutObject`, \
                     `s3:DeleteObject` and `s3:ListBucket` must be granted"
                ),
            ),
            (Some(503 | 429), _) => {
                (ErrorKind::Unavailable, "the server asks to slow down".to_owned())
            }
            (Some(status), code) => {
                let code = code.unwrap_or("no code");
                (ErrorKind::Unavailable, format!("the server answered {status} ({code})"))
            }
            (None, _) if matches!(error, SdkError::TimeoutError(_)) => {
                (ErrorKind::Timeout, "the server did not answer in time".to_owned())
            }
            (None, _) if is_without_request(error) => (ErrorKind::Config, without_request(error)),
            (None, _) => {
                (ErrorKind::Unavailable, "the server cannot be reached, or broke off".to_owned())
            }
        };
        let told = Error::new(kind, self.operation, message).with("store", self.store);
        told.with_source(DisplayErrorContext(error).to_string())
    }
}

/// Whether nothing was sent. That nobody gave credentials the SDK tells as if sending had failed.
fn is_without_request<E: std::error::Error + 'static>(error: &SdkError<E, HttpResponse>) -> bool {
    match error {
        SdkError::ConstructionFailure(_) => true,
        SdkError::DispatchFailure(failure) => {
            failure.is_other() && DisplayErrorContext(error).to_string().contains("redential")
        }
        _ => false,
    }
}

/// Why no request could be made: most often nobody gave credentials.
fn without_request<E: std::error::Error + 'static>(error: &SdkError<E, HttpResponse>) -> String {
    let said = DisplayErrorContext(error).to_string();
    let what = if said.contains("redential") && said.contains("feature") {
        "the profile logs in by SSO, which needs the feature `s3-sso` of keyedcache"
    } else if said.contains("redential") {
        "no credentials were found: give them, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    } else if said.contains("egion") {
        "no region is set: give `region`, or set AWS_REGION"
    } else {
        "no request could be made"
    };
    what.to_owned()
}
