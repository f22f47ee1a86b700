//! Caches that the environment configures, in processes of their own.

use std::fs;

use keyedcache::{Cache, CacheTtl, ErrorKind, cache_get, cache_key, cache_set, cache_ttl, cached};
use keyedcache_tests::child::{Child, role};

use crate::ground::MINUTE;

#[cached(timeout = 60, cache = "sessions")]
fn session(id: u32) -> u32 {
    id
}

#[test]
fn a_file_configures_the_default_and_named_caches() {
    if role().is_some() {
        cache_set(cache_key!("a"), &1).wait().unwrap();
        assert!(
            matches!(cache_ttl(cache_key!("a")).wait(), Ok(CacheTtl::Left(left)) if left > MINUTE && left <= 2 * MINUTE)
        );
        let sessions = Cache::named("sessions").unwrap();
        assert_eq!(session(7), 7);
        assert_eq!(sessions.stats().saved, 1);
        assert!(sessions.get::<i32>(cache_key!("a")).wait().is_err());
        assert!(!Cache::named("off").unwrap().is_enabled());
        let error = Cache::named("unknown").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        let said = error.to_string();
        assert!(said.contains("`unknown`") && said.contains("sessions"), "{said}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (file, disk) = (folder.path().join("caches.toml"), folder.path().join("cache"));
    let contents = format!(
        "[default]\nurl = \"memory:\"\ntimeout = \"2m\"\n\n\
         [sessions]\nurl = \"disk:{}\"\nprefix = \"sessions\"\n\n\
         [off]\nurl = \"memory:\"\nenabled = false\n",
        disk.display()
    );
    fs::write(&file, contents).unwrap();
    let test = "configured::a_file_configures_the_default_and_named_caches";
    let file = file.display().to_string();
    Child::in_role_with(test, "child", &[("KEYEDCACHE_CONFIG", &file)]).finish();
    let left = Cache::builder().url(&format!("disk:{}", disk.display())).prefix("sessions").build();
    assert_eq!(left.unwrap().clear().wait().unwrap(), 1);
}

#[test]
fn the_urls_options_are_the_caches() {
    if role().is_some() {
        cache_set(cache_key!("a"), &"x".repeat(4_000)).wait().unwrap();
        assert_eq!(cache_get::<String>(cache_key!("a")).wait().unwrap().len(), 4_000);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let disk = format!("disk:{}", folder.path().display());
    let url = format!("{disk}?prefix=shop&version=3&codec=json&compressor=zstd&compress_min=2KiB");
    Child::in_role("configured::the_urls_options_are_the_caches", "child", &url).finish();

    let store = keyedcache::store::DiskStore::open(folder.path()).unwrap();
    let key = keyedcache::store::StoredKey::new("shop:3:a");
    let loaded =
        keyedcache_tests::drive::block_on(keyedcache::store::Store::load(&store, &[key], &[]));
    let record =
        loaded.unwrap().slots[0].record.clone().expect("it is under the prefix and version");
    let (header, payload) = record.open().unwrap();
    assert_eq!(header.codec, keyedcache::record::CodecId::JSON);
    assert_eq!(header.compressor, keyedcache::record::CompressorId::ZSTD);
    assert!(payload.len() < 1_000);
}
