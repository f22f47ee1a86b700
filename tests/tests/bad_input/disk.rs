//! Folders that cannot be written, are full, or go away.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use keyedcache::{
    Cache, ErrorKind, cache_clear, cache_contains, cache_get, cache_key, cache_require, cache_set,
    cache_stats,
};
use keyedcache_tests::child::{Child, hear, role, say};
use keyedcache_tests::tmpfs::Tmpfs;

use crate::subject::{assert_functions_answer, double};

fn url(folder: &Path) -> String {
    format!("disk:{}", folder.display())
}

#[test]
fn on_a_full_disk_room_is_made_and_what_cannot_fit_is_told() {
    let test = "disk::on_a_full_disk_room_is_made_and_what_cannot_fit_is_told";
    if role().is_some() {
        let block = "x".repeat(64 << 10);
        for number in 0..300 {
            // 19 MiB on a disk of 4, with a limit of 1 GiB: the oldest make room.
            cache_set(cache_key!("block", number), &block).wait().unwrap();
            let stored = cache_get::<String>(cache_key!("block", number)).wait();
            assert!(stored.is_ok_and(|text| text == block), "{number}");
        }
        assert_functions_answer();
        let error = cache_set(cache_key!("large"), &"x".repeat(8 << 20)).wait().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Full, "{error}");
        assert!(
            error.to_string().contains("room") && error.to_string().contains("key large"),
            "{error}"
        );
        assert_functions_answer();
        cache_clear().wait().unwrap();
        assert!(!cache_contains(cache_key!("block", 299)).wait());
        cache_set(cache_key!("small"), &2).wait().unwrap();
        assert_eq!(cache_get::<i32>(cache_key!("small")).wait().ok(), Some(2));
        assert_functions_answer();
        return;
    }
    let Some(mount) = Tmpfs::mount("size=4m") else { return };
    Child::in_role(test, "writer", &url(mount.path())).finish();
}

#[test]
fn a_file_system_without_any_room_is_an_error_at_opening_and_functions_compute() {
    let test = "disk::a_file_system_without_any_room_is_an_error_at_opening_and_functions_compute";
    if role().is_some() {
        assert_functions_answer();
        let error = cache_require().wait().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Full | ErrorKind::Unavailable), "{error}");
        assert!(cache_set(cache_key!("a"), &1).wait().is_err());
        return;
    }
    let Some(mount) = Tmpfs::mount("size=64k") else { return };
    fs::write(mount.path().join("ballast"), vec![1; 60 << 10]).unwrap();
    Child::in_role(test, "writer", &url(&mount.path().join("cache"))).finish();
}

#[test]
fn a_read_only_folder_is_an_error_that_names_it_and_functions_compute() {
    let test = "disk::a_read_only_folder_is_an_error_that_names_it_and_functions_compute";
    if let Some(folder) = role() {
        assert_functions_answer();
        let error = cache_require().wait().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains(&folder), "{error}");
        assert!(cache_set(cache_key!("a"), &1).wait().is_err());
        assert!(cache_get::<i32>(cache_key!("a")).wait().is_err());
        return;
    }
    let Some(mount) = Tmpfs::mount("size=16m") else { return };
    let folder = mount.path().join("cache");
    // With a store in it already, so that only writing is refused.
    let before = "disk::a_folder_is_filled";
    Child::in_role(before, "fill", &url(&folder)).finish();
    mount.remount("ro");
    let role = folder.display().to_string();
    Child::in_role(test, &role, &url(&folder)).finish();
}

#[test]
fn a_folder_is_filled() {
    if role().is_some() {
        cache_set(cache_key!("a"), &1).wait().unwrap();
    }
}

#[test]
fn a_file_in_the_folders_place_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cache");
    fs::write(&file, "mine").unwrap();
    let error = Cache::from_url(&url(&file)).unwrap_err();
    assert!(error.to_string().contains(&file.display().to_string()), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn a_folder_of_other_files_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.txt"), "years of work").unwrap();
    let opened = Cache::from_url(&url(folder.path()));
    if let Ok(cache) = opened {
        cache.set(cache_key!("a"), &1).wait().unwrap();
        cache.clear().wait().unwrap();
    }
    assert_eq!(fs::read_to_string(folder.path().join("thesis.txt")).unwrap(), "years of work");
}

#[test]
fn a_folder_that_is_removed_under_a_running_process_costs_no_answer() {
    let test = "disk::a_folder_that_is_removed_under_a_running_process_costs_no_answer";
    if role().is_some() {
        assert_functions_answer();
        cache_set(cache_key!("a"), &1).wait().unwrap();
        say("filled");
        hear().expect("the word to go on");
        for _ in 0..3 {
            assert_functions_answer();
            assert_eq!(double::refresh(5).wait(), 10);
            // Served from what is still open, or a clear error: never a panic, never a hang.
            let _ = cache_set(cache_key!("b"), &1).wait();
            let _ = cache_get::<i32>(cache_key!("b")).wait();
            let _ = cache_require().wait();
            let _ = cache_clear().wait();
            let _ = cache_stats();
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let mut process = Child::in_role(test, "user", &url(&cache));
    process.expect("filled");
    fs::remove_dir_all(&cache).unwrap();
    process.say("removed");
    process.finish();
    // Whoever comes next starts afresh.
    Child::in_role("disk::a_folder_is_filled", "fill", &url(&cache)).finish();
}

#[test]
fn damaged_files_are_an_error_or_an_empty_cache_and_functions_compute() {
    let test = "disk::damaged_files_are_an_error_or_an_empty_cache_and_functions_compute";
    if role().is_some() {
        assert_functions_answer();
        let _ = cache_get::<i32>(cache_key!("a")).wait();
        let _ = cache_set(cache_key!("a"), &2).wait();
        let _ = cache_require().wait();
        assert_functions_answer();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    Child::in_role("disk::a_folder_is_filled", "fill", &url(&cache)).finish();
    let files = || fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path());
    for damage in
        [|file: &Path| fs::write(file, b""), |file: &Path| fs::write(file, vec![0x5a; 70_000])]
    {
        for file in files().filter(|file| file.is_file()).collect::<Vec<_>>() {
            if file.is_file() {
                println!("damaging {}", file.display());
                damage(&file).unwrap();
                Child::in_role(test, "user", &url(&cache)).finish();
            }
        }
    }
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o700)).unwrap();
}
