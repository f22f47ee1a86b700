//! Where the access key comes from if none is given: the SDK's usual places, asked in a process that
//! has them.

use std::fs;
use std::sync::Arc;

use keyedcache::Cache;
use keyedcache::store::S3Store;
use keyedcache_tests::child::{Child, role, say};
use keyedcache_tests::s3::{ACCESS_KEY, BUCKET, S3Server, SECRET_KEY};

const ENDPOINT: &str = "KEYEDCACHE_TESTS_ENDPOINT";

/// The child: says what is wrong, if anything.
fn require() {
    let endpoint = std::env::var(ENDPOINT).expect("the test says where");
    let store = S3Store::builder(BUCKET).prefix("app").endpoint(endpoint).path_style(true);
    let cache = Cache::builder().store(Arc::new(store.build().unwrap())).build().unwrap();
    let required = cache.require().wait();
    say(&required.err().map_or("well".to_owned(), |error| error.to_string()));
}

/// What a process says that has these variables and files of an SDK, and no others.
fn said(test: &str, server: &S3Server, variables: &[(&str, &str)], files: [&str; 2]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let [config, credentials] = ["config", "credentials"].map(|name| folder.path().join(name));
    fs::write(&config, files[0]).unwrap();
    fs::write(&credentials, files[1]).unwrap();
    let endpoint = server.endpoint();
    let mut environment = vec![
        (ENDPOINT, endpoint.as_str()),
        ("AWS_CONFIG_FILE", config.to_str().unwrap()),
        ("AWS_SHARED_CREDENTIALS_FILE", credentials.to_str().unwrap()),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    environment.extend_from_slice(variables);
    Child::in_role_with(test, "require", &environment).hear().expect("it says something")
}

#[test]
fn access_key_is_found_in_the_environment_and_in_a_profile() {
    if role().is_some() {
        return require();
    }
    let server = S3Server::start();
    let test = "credentials::access_key_is_found_in_the_environment_and_in_a_profile";
    let variables = [("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY)];
    assert_eq!(said(test, &server, &variables, ["", ""]), "well");
    let profile = |name: &str| {
        format!(
            "[{name}]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
        )
    };
    assert_eq!(said(test, &server, &[], ["", &profile("default")]), "well");
    let named = [("AWS_PROFILE", "team")];
    assert_eq!(said(test, &server, &named, ["[profile team]\n", &profile("team")]), "well");
}

#[test]
fn what_is_missing_is_named_where_no_access_key_is_found() {
    if role().is_some() {
        return require();
    }
    let server = S3Server::start();
    let test = "credentials::what_is_missing_is_named_where_no_access_key_is_found";
    let error = said(test, &server, &[], ["", ""]);
    assert!(error.contains("no credentials were found"), "{error}");
    let sso = "[default]\nsso_start_url = https://example.invalid/start\nsso_region = eu-west-1\n\
               sso_account_id = 123456789012\nsso_role_name = reader\n";
    let error = said(test, &server, &[], [sso, ""]);
    let named = if cfg!(feature = "s3-sso") {
        "no credentials were found" // nobody has logged in
    } else {
        "the feature `s3-sso`"
    };
    assert!(error.contains(named), "{error}");
}
