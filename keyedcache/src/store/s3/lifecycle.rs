//! The lifecycle rule that has the bucket delete what nobody asks for any more, without a request.
//!
//! It is for records alone: a generation that went would make everything stamped with it missing.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, ExpirationStatus, LifecycleExpiration, LifecycleRule,
    LifecycleRuleFilter,
};

use super::S3Store;
use super::inner::{Inner, operation};
use crate::error::{Error, ErrorKind};
use crate::store::Pending;

/// A rule by which the bucket deletes records some days after they were written.
///
/// It is shown as the JSON that AWS's tools take.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct S3LifecycleRule {
    /// What it is called in the bucket's configuration.
    pub id: String,
    /// What the names of the objects begin with.
    pub prefix: String,
    /// After how many days they go.
    pub days: i32,
}

impl fmt::Display for S3LifecycleRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, prefix, days } = self;
        write!(
            f,
            "{{\"ID\":\"{id}\",\"Status\":\"Enabled\",\"Filter\":{{\"Prefix\":\"{prefix}\"}},\
             \"Expiration\":{{\"Days\":{days}}}}}"
        )
    }
}

impl S3Store {
    /// The rule that deletes records once the longest timeout, its stale time included, is over for
    /// certain: S3 counts in days, and rounds up.
    #[must_use]
    pub fn lifecycle_rule(&self, longest_timeout: Duration) -> S3LifecycleRule {
        const DAY: u64 = 24 * 60 * 60;
        let days = longest_timeout.as_secs().div_ceil(DAY).saturating_add(1);
        let prefix = self.0.names.records();
        S3LifecycleRule {
            id: format!("keyedcache:{prefix}"),
            days: i32::try_from(days).unwrap_or(i32::MAX),
            prefix,
        }
    }

    /// The rule of this store as the bucket has it, if it has one. One request.
    #[must_use]
    pub fn lifecycle_rule_set(&self) -> Pending<'_, Option<S3LifecycleRule>> {
        operation(&self.0, |inner| async move {
            let id = format!("keyedcache:{}", inner.names.records());
            let rules = inner.lifecycle_rules().await?;
            Ok(rules.into_iter().find(|rule| rule.id() == Some(&id)).and_then(|rule| {
                let prefix = rule.filter()?.prefix()?.to_owned();
                Some(S3LifecycleRule { id, prefix, days: rule.expiration()?.days()? })
            }))
        })
    }

    /// Gives the bucket this rule, in place of the one of this store that it has; its other rules stay.
    ///
    /// Two requests, which need `s3:GetLifecycleConfiguration` and `s3:PutLifecycleConfiguration`.
    /// Between them, what somebody else changes in the configuration is lost.
    #[must_use]
    pub fn set_lifecycle_rule(&self, rule: &S3LifecycleRule) -> Pending<'_, ()> {
        let rule = rule.clone();
        operation(&self.0, move |inner| inner.set_lifecycle_rule(rule))
    }
}

impl Inner {
    async fn lifecycle_rules(&self) -> Result<Vec<LifecycleRule>, Error> {
        let client = self.bucket.client("read the lifecycle").await.map_err(|fault| fault.error)?;
        let request =
            client.get_bucket_lifecycle_configuration().bucket(&self.bucket.settings.bucket);
        match request.send().await {
            Ok(answer) => Ok(answer.rules.unwrap_or_default()),
            Err(error) => {
                use aws_sdk_s3::error::ProvideErrorMetadata;
                let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
                if code == Some("NoSuchLifecycleConfiguration") {
                    return Ok(Vec::new());
                }
                Err(self.bucket.fault("read the lifecycle", &error).error)
            }
        }
    }

    async fn set_lifecycle_rule(self: Arc<Self>, rule: S3LifecycleRule) -> Result<(), Error> {
        let mut rules = self.lifecycle_rules().await?;
        rules.retain(|other| other.id() != Some(&rule.id));
        let built = LifecycleRule::builder()
            .id(&rule.id)
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix(&rule.prefix).build())
            .expiration(LifecycleExpiration::builder().days(rule.days).build())
            .build();
        let configuration = built.and_then(|rule| {
            rules.push(rule);
            BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build()
        });
        let configuration = configuration.map_err(|error| {
            let what = "the rule is not complete";
            self.error(ErrorKind::Config, "set the lifecycle", what).with_source(error)
        })?;
        let client = self.bucket.client("set the lifecycle").await.map_err(|fault| fault.error)?;
        let request = client
            .put_bucket_lifecycle_configuration()
            .bucket(&self.bucket.settings.bucket)
            .lifecycle_configuration(configuration);
        let sent = request.send().await;
        sent.map(|_| ()).map_err(|error| self.bucket.fault("set the lifecycle", &error).error)
    }
}
