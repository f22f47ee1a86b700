//! Where a store is, as a URL says it: `//bucket/folder`, or `//key:secret@bucket/folder`.

use std::fmt;

use super::builder::S3StoreBuilder;
use crate::store::percent::decoded;

/// A bucket, the folder in it, and the access key if the URL has one, which is never printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Address {
    bucket: String,
    folder: String,
    credentials: Option<S3Credentials>,
}

/// An access key. Its `Debug` tells nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct S3Credentials {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: String,
}

impl fmt::Debug for S3Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("S3Credentials(not shown)")
    }
}

impl fmt::Display for S3Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.folder.is_empty() { "" } else { "/" };
        write!(f, "s3://{}{slash}{}", self.bucket, self.folder)
    }
}

impl S3Address {
    /// Reads what stands between `s3:` and `?`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words that repeat none of it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = text
            .strip_prefix("//")
            .ok_or_else(|| "`//` is missing; write `s3://bucket/prefix`".to_owned())?;
        let (host, folder) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, bucket) = match host.rsplit_once('@') {
            Some((login, bucket)) => (Some(login), bucket),
            None => (None, host),
        };
        if bucket.is_empty() {
            return Err("the bucket is missing; write `s3://bucket/prefix`".to_owned());
        }
        let part = |text: &str| decoded(text).map_err(|wrong| format!("in the address, {wrong}"));
        let credentials = login.map(|login| {
            let (key, secret) = login.split_once(':').unwrap_or((login, ""));
            if key.is_empty() || secret.is_empty() {
                return Err(
                    "an access key is `key:secret@`, both with `/`, `+` and `@` escaped".to_owned()
                );
            }
            Ok(S3Credentials { access_key_id: part(key)?, secret_access_key: part(secret)? })
        });
        Ok(Self {
            bucket: part(bucket)?,
            folder: part(folder)?.trim_matches('/').to_owned(),
            credentials: credentials.transpose()?,
        })
    }

    pub(super) fn builder(self) -> S3StoreBuilder {
        S3StoreBuilder::new(&self.bucket).prefix(self.folder).given_credentials(self.credentials)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_a_bucket_a_folder_and_what_logs_in() {
        for (text, shown) in [
            ("//reports", "s3://reports"),
            ("//reports/", "s3://reports"),
            ("//reports/a/b/", "s3://reports/a/b"),
            ("//AKID:s%2Fecret@reports/a", "s3://reports/a"),
        ] {
            let address = S3Address::parse(text).unwrap();
            assert_eq!(address.to_string(), shown);
            assert!(!format!("{address:?}").contains("ecret"), "{address:?}");
        }
        let address = S3Address::parse("//AKID:s%2Fecret%2B@reports").unwrap();
        assert_eq!(address.credentials.unwrap().secret_access_key, "s/ecret+");
    }

    #[test]
    fn what_is_wrong_is_told_without_repeating_any_of_it() {
        for text in [
            "reports",
            "/reports",
            "//",
            "///a",
            "//hunter2@b",
            "//k:hunter2@",
            "//:hunter2@b",
            "//hunter2%@b",
        ] {
            let wrong = S3Address::parse(text).unwrap_err();
            assert!(!wrong.contains("hunter2"), "{wrong}");
        }
    }
}
