//! Making the SDK's client from the settings of a store.
//!
//! The SDK sends nothing twice: what may be, we know better. Checksums beyond those that S3 demands
//! are left out, since older compatible servers refuse them.

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{
    Builder, Credentials, RequestChecksumCalculation, ResponseChecksumValidation,
    StalledStreamProtectionConfig,
};

use super::builder::Settings;

/// Signed for by compatible servers where nobody says otherwise.
const USUAL_REGION: &str = "us-east-1";

/// The client of a store. Sends requests of its own only if credentials or the region are to be
/// found.
pub(super) async fn connect(settings: &Settings) -> Client {
    let region = settings.region.clone().or_else(|| {
        let is_elsewhere = settings.endpoint.is_some() && std::env::var_os("AWS_REGION").is_none();
        is_elsewhere.then(|| USUAL_REGION.to_owned())
    });
    let mut builder = match (&settings.credentials, &region) {
        (Some(_), Some(_)) => Builder::new().behavior_version(BehaviorVersion::latest()),
        _ => Builder::from(&found(region.clone()).await),
    };
    if let Some(region) = region {
        builder = builder.region(Region::new(region));
    }
    if let Some(given) = &settings.credentials {
        builder = builder.credentials_provider(Credentials::new(
            &given.access_key_id,
            &given.secret_access_key,
            None,
            None,
            "keyedcache",
        ));
    }
    if let Some(endpoint) = &settings.endpoint {
        builder = builder.endpoint_url(endpoint);
    }
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(settings.attempt_timeout())
        .operation_attempt_timeout(settings.attempt_timeout())
        .operation_timeout(settings.operation_timeout)
        .build();
    let config = builder
        .force_path_style(settings.path_style)
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .build();
    Client::from_conf(config)
}

/// The same client, sending nothing twice.
pub(super) fn without_retries(client: &Client) -> Client {
    let config = client.config().to_builder().retry_config(RetryConfig::disabled());
    Client::from_conf(config.build())
}

/// What the SDK finds in the environment, in profiles, or from the machine's role.
async fn found(region: Option<String>) -> SdkConfig {
    let loader = aws_config::defaults(BehaviorVersion::latest());
    match region {
        Some(region) => loader.region(Region::new(region)).load().await,
        None => loader.load().await,
    }
}
