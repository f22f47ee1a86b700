//! Every mistake, with the whole message it is told by.

use super::{file_message, url_message};

/// Long phrases of the messages, by the name that stands for them below.
const PHRASES: [(&str, &str); 5] = [
    ("{a duration}", "a duration such as `30` (seconds), `5m`, `1h 30m` or `250ms`"),
    ("{a size}", "a size such as `65536` (bytes), `64MiB` or `2GB`"),
    (
        "{memory's options}",
        "`codec`, `compress_min`, `compressor`, `early`, `enabled`, `jitter`, `lease`, \
         `lease_max`, `max_size`, `near`, `prefix`, `single_flight`, `stale`, `stale_if_error`, \
         `store_timeout`, `timeout`, `version` and `wait`",
    ),
    (
        "{disk's options}",
        "`codec`, `compress_min`, `compressor`, `early`, `enabled`, `jitter`, `lease`, \
         `lease_max`, `near`, `prefix`, `single_flight`, `size_limit`, `stale`, \
         `stale_if_error`, `store_timeout`, `timeout`, `version` and `wait`",
    ),
    (
        "{every option}",
        "`codec`, `compress_min`, `compressor`, `concurrency`, `connect_timeout`, `db`, `early`, \
         `enabled`, `endpoint`, `generations`, `jitter`, `lease`, `lease_max`, `max_size`, `near`, \
         `near_trust`, `on_failover`, `path_style`, `prefix`, `read_replicas`, `region`, \
         `sentinel_password`, `sentinel_user`, `single_flight`, `size_limit`, `stale`, \
         `stale_if_error`, `store_timeout`, `timeout`, `version` and `wait`",
    ),
];

/// The schemes of this build.
fn available() -> String {
    let all = [
        (cfg!(feature = "disk"), "`disk:`"),
        (true, "`memory:`"),
        (true, "`null:`"),
        (cfg!(feature = "redis"), "`redis:`"),
        (cfg!(feature = "redis"), "`redis+cluster:`"),
        (cfg!(feature = "redis"), "`redis+sentinel:`"),
        (cfg!(feature = "redis"), "`redis+unix:`"),
        (cfg!(feature = "redis-tls"), "`rediss:`"),
        (cfg!(feature = "redis-tls"), "`rediss+cluster:`"),
        (cfg!(feature = "redis-tls"), "`rediss+sentinel:`"),
        (cfg!(feature = "s3"), "`s3:`"),
    ];
    let mut there: Vec<_> =
        all.into_iter().filter_map(|(is_there, name)| is_there.then_some(name)).collect();
    let last = there.pop().expect("memory is always there");
    format!("{} and {last}", there.join(", "))
}

fn each_is_told(cases: &[(&str, &str)], message: impl Fn(&str) -> String) {
    for (input, told) in cases {
        let told = PHRASES
            .iter()
            .fold(told.replace("{available}", &available()), |told, (name, phrase)| {
                told.replace(name, phrase)
            });
        assert_eq!(message(input), told, "{input}");
    }
}

#[test]
fn a_wrong_scheme_is_told_without_the_rest_of_the_url() {
    each_is_told(
        &[
            (
                "",
                "cache URL: it does not begin with a scheme, such as `memory:` or `disk:/var/cache/app`",
            ),
            (
                "memory",
                "cache URL: it does not begin with a scheme, such as `memory:` or `disk:/var/cache/app`; did you mean `memory:…`?",
            ),
            (
                "/var/cache/app",
                "cache URL: it does not begin with a scheme, such as `memory:` or `disk:/var/cache/app`; did you mean `disk:` and this path?",
            ),
            (
                "redis//user:secret@host",
                "cache URL: it does not begin with a scheme, such as `memory:` or `disk:/var/cache/app`; did you mean `redis://…`?",
            ),
            (
                "disk/var/cache",
                "cache URL: it does not begin with a scheme, such as `memory:` or `disk:/var/cache/app`; did you mean `disk:…`?",
            ),
            (
                "memry:",
                "cache URL: unknown scheme `memry:`; did you mean `memory`? available are {available}",
            ),
            ("file:/x", "cache URL: unknown scheme `file:`; available are {available}"),
            ("user:secret@host", "cache URL: unknown scheme; available are {available}"),
            (
                "reddis://user:secret@host/0",
                "cache URL: unknown scheme `reddis:`; did you mean `redis`? available are {available}",
            ),
        ],
        url_message,
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a case a mistake")]
fn a_wrong_option_is_named_with_what_it_takes() {
    each_is_told(
        &[
            ("memory:stuff", "url `memory:…`: this store has no path; options follow a `?`"),
            ("null://host", "url `null:…`: this store has no path; options follow a `?`"),
            (
                "memory:?timout=5m",
                "url `memory:`: unknown option `timout`; did you mean `timeout`? known are {memory's options}",
            ),
            (
                "memory:?ttl=5",
                "url `memory:`: unknown option `ttl`; did you mean `timeout`? known are {memory's options}",
            ),
            (
                "memory:?password=hunter2",
                "url `memory:…`: unknown option `password`; known are {memory's options}",
            ),
            (
                "memory:?secret_access_key=hunter2",
                "url `memory:…`: unknown option `secret_access_key`; known are {memory's options}",
            ),
            ("memory:?hunter2@x", "url `memory:…`: unknown option; known are {memory's options}"),
            (
                "memory:?colour=blue",
                "url `memory:`: unknown option `colour`; known are {memory's options}",
            ),
            (
                "memory:?size_limit=1GB",
                "url `memory:`: `size_limit` is no option of this store; did you mean `max_size`? known are {memory's options}",
            ),
            (
                "memory:?timeout",
                "url `memory:`: `timeout` has no value; it takes {a duration}, or `never`",
            ),
            (
                "memory:?timeout=soon",
                "url `memory:`: `timeout` takes {a duration}, or `never`, not `soon`",
            ),
            (
                "memory:?timeout=-5",
                "url `memory:`: `timeout` takes {a duration}, or `never`, not `-5`: it cannot be negative",
            ),
            (
                "memory:?timeout=5x&timeout=6",
                "2 mistakes:\n  url `memory:`: `timeout` takes {a duration}, or `never`, not `5x`\n  url `memory:`: `timeout` is given twice",
            ),
            ("memory:?timeout=5&timeout=6", "url `memory:`: `timeout` is given twice"),
            ("memory:?stale=never", "url `memory:`: `stale` takes {a duration}, not `never`"),
            (
                "memory:?lease=0",
                "url `memory:`: `lease` takes {a duration}, not `0`: it must be longer than zero",
            ),
            ("memory:?lease=5m&lease_max=1m", "url `memory:`: `lease` is longer than `lease_max`"),
            ("memory:?jitter=1.5", "url `memory:`: `jitter` takes a number from 0 to 1, not `1.5`"),
            ("memory:?early=-1", "url `memory:`: `early` takes a number from 0 up, not `-1`"),
            ("memory:?early=NaN", "url `memory:`: `early` takes a number from 0 up, not `NaN`"),
            (
                "memory:?near=many",
                "url `memory:`: `near` takes a whole number of values, not `many`",
            ),
            (
                "memory:?near=99999999999999999999",
                "url `memory:`: `near` takes a whole number of values, not `99999999999999999999`: it is too large",
            ),
            (
                "memory:?version=4294967296",
                "url `memory:`: `version` takes a whole number below 4294967296, not `4294967296`: it is too large",
            ),
            (
                "memory:?max_size=64M",
                "url `memory:`: `max_size` takes {a size}, not `64M`: write `MB` or `MiB`, not `M`",
            ),
            (
                "memory:?max_size=0",
                "url `memory:`: `max_size` takes {a size}, not `0`: it must be more than zero",
            ),
            (
                "memory:?prefix=",
                "url `memory:`: `prefix` takes up to 64 bytes of text without `:`, white space and `*?[]{}%\\`: it is empty",
            ),
            (
                "memory:?prefix=a:b",
                "url `memory:`: `prefix` takes up to 64 bytes of text without `:`, white space and `*?[]{}%\\`: `:` separates the prefix from the key",
            ),
            (
                "memory:?prefix=a%20b",
                "url `memory:`: `prefix` takes up to 64 bytes of text without `:`, white space and `*?[]{}%\\`, not `a b`: it has a character that keys cannot hold",
            ),
            (
                "memory:?codec=yaml",
                "url `memory:`: `codec` takes `msgpack`, `json` or `bincode`, not `yaml`",
            ),
            (
                "memory:?compressor=gzip",
                "url `memory:`: `compressor` takes `none`, `zstd` or `lz4`, not `gzip`",
            ),
            (
                "memory:?single_flight=maybe",
                "url `memory:`: `single_flight` takes `cluster`, `process` or `off`, not `maybe`",
            ),
            ("memory:?enabled=yes", "url `memory:`: `enabled` takes `true` or `false`, not `yes`"),
            (
                "memory:?timeout=%zz",
                "url `memory:`: in `timeout`, `%` is not followed by two hexadecimal digits; write `%25` for a percent sign",
            ),
            ("memory:?prefix=%ff", "url `memory:`: in `prefix`, the percent escapes are not UTF-8"),
            ("memory:#x", "url `memory:`: a `#` must be written `%23`"),
            (
                "memory:?timout=5m&stale=x",
                "2 mistakes:\n  url `memory:`: unknown option `timout`; did you mean `timeout`? known are {memory's options}\n  url `memory:`: `stale` takes {a duration}, not `x`",
            ),
        ],
        url_message,
    );
}

#[test]
#[cfg(not(any(feature = "bincode", feature = "lz4")))]
fn what_a_build_lacks_is_told_by_its_feature() {
    each_is_told(
        &[(
            "memory:?codec=bincode&compressor=lz4",
            "2 mistakes:\n  url `memory:`: `codec`: `bincode` needs the feature `bincode` of keyedcache, which this build lacks\n  url `memory:`: `compressor`: `lz4` needs the feature `lz4` of keyedcache, which this build lacks",
        )],
        url_message,
    );
}

#[test]
#[cfg(not(feature = "disk"))]
fn a_disk_without_its_feature_is_told_so() {
    let told =
        "url `disk:…`: `disk:` needs the feature `disk` of keyedcache, which this build lacks";
    each_is_told(&[("disk:/var/cache/app", told)], url_message);
}

#[test]
#[cfg(feature = "disk")]
fn a_wrong_path_is_told_with_how_to_write_it() {
    each_is_told(
        &[
            ("disk:", "url `disk:…`: the path is missing; write `disk:/var/cache/app`"),
            (
                "disk://host/path",
                "url `disk:…`: a disk store has no host; write `disk:/absolute/path` or `disk:relative/path`",
            ),
            (
                "disk:/a%2",
                "url `disk:…`: in the path, `%` is not followed by two hexadecimal digits; write `%25` for a percent sign",
            ),
            ("disk:/a%00b", "url `disk:…`: the path holds a zero byte"),
            ("disk:/var/cache?timeout=5m#x", "url `disk:/var/cache`: a `#` must be written `%23`"),
            (
                "disk:/var/cache?max_size=1GB",
                "url `disk:/var/cache`: `max_size` is no option of this store; did you mean `size_limit`? known are {disk's options}",
            ),
            (
                "disk:/home/me@work?timeout=soon",
                "url `disk:…`: `timeout` takes {a duration}, or `never`",
            ),
            (
                "disk:/var/cache/app?timeout=5x",
                "url `disk:/var/cache/app`: `timeout` takes {a duration}, or `never`, not `5x`",
            ),
        ],
        url_message,
    );
}

#[test]
fn a_mistake_in_a_file_is_told_with_its_line_and_table() {
    each_is_told(
        &[
            (
                "[default]\nurl = \"memory:\"\ntimout = 5\n",
                "etc/app.toml:3: [default] unknown option `timout`; did you mean `timeout`? known are {memory's options}",
            ),
            (
                "[default]\nurl = \"memory:?timeout=5\"\ntimeout = 5\n",
                "etc/app.toml:3: [default] `timeout` is given twice: in the query of `url`, and as a key",
            ),
            (
                "[default]\ntimeout = 5\n",
                "etc/app.toml:1: [default] `url` is missing, such as `url = \"memory:\"`",
            ),
            (
                "url = \"redis://user:secret@host\"\n",
                "etc/app.toml:1: `url` is no table; each cache is one, such as `[default]`",
            ),
            (
                "[default]\nurl = \"redis://user:secret@host",
                "etc/app.toml:2: not TOML: invalid basic string, expected `\"`",
            ),
            (
                "[default]\nurl = 5\n",
                "etc/app.toml:2: [default] `url` takes text in quotes, or a list of such: `[\"…\", \"…\"]`",
            ),
            (
                "[default]\nurl = \"memory:\"\ntimeout = [5]\ntags = [5]\n",
                "2 mistakes:\n  etc/app.toml:3: [default] `timeout` takes one value, not a TOML array\n  etc/app.toml:4: [default] unknown option `tags`; known are {memory's options}",
            ),
            (
                "[\"user:secret@host\"]\nurl = \"memory:\"\n",
                "etc/app.toml:1: the name of a cache takes letters, digits, `_` and `-`",
            ),
            (
                "[[default]]\nurl = \"memory:\"\n",
                "etc/app.toml:1: `default` is no table; each cache is one, such as `[default]`",
            ),
            (
                "[default]\nurl = \"memory:\"\n[default]\n",
                "etc/app.toml:3: not TOML: duplicate key",
            ),
            (
                "[default]\nurl = \"reddis://user:secret@host\"\npassword = \"hunter2\"\nwait = true\n",
                "3 mistakes:\n  etc/app.toml:2: [default] url: unknown scheme `reddis:`; did you mean `redis`? available are {available}\n  etc/app.toml:3: [default] unknown option `password`; known are {every option}\n  etc/app.toml:4: [default] `wait` takes {a duration}, not `true`",
            ),
            (
                "[a]\nurl = \"memory:\"\nlease = 10\nlease_max = 5",
                "etc/app.toml:1: [a] `lease` is longer than `lease_max`",
            ),
        ],
        file_message,
    );
}

#[test]
#[cfg(feature = "disk")]
fn all_mistakes_of_a_file_are_told_in_the_order_of_its_lines() {
    each_is_told(
        &[(
            "[b]\nurl = \"memory:\"\ntimeout = 1.5\nlease = 0\n\n[a]\nurl = \"disk:cache?jitter=2\"\nversion = -1\nprefix = \"pass:word\"",
            "5 mistakes:\n  etc/app.toml:3: [b] `timeout` takes {a duration}, or `never`, not `1.5`: a unit is missing\n  etc/app.toml:4: [b] `lease` takes {a duration}, not `0`: it must be longer than zero\n  etc/app.toml:7: [a] url: `jitter` takes a number from 0 to 1, not `2`\n  etc/app.toml:8: [a] `version` takes a whole number below 4294967296, not `-1`\n  etc/app.toml:9: [a] `prefix` takes up to 64 bytes of text without `:`, white space and `*?[]{}%\\`: `:` separates the prefix from the key",
        )],
        file_message,
    );
}

#[test]
#[cfg(not(feature = "redis"))]
fn redis_needs_its_feature() {
    each_is_told(
        &[
            (
                "redis://user:secret@host",
                "url `redis:…`: `redis:` needs the feature `redis` of keyedcache, which this build lacks",
            ),
            (
                "rediss://h",
                "url `rediss:…`: `rediss:` needs the feature `redis-tls` of keyedcache, which this build lacks",
            ),
        ],
        url_message,
    );
}

#[test]
#[cfg(feature = "redis")]
fn a_wrong_redis_url_is_told_without_what_logs_in() {
    each_is_told(
        &[
            ("redis:host", "url `redis:…`: `//` is missing; write `redis://host:6379/0`"),
            (
                "redis://user:secret@host:port",
                "url `redis:…`: a port is not a number from 1 to 65535",
            ),
            (
                "redis://secret@host",
                "url `redis:…`: a user is named without a password; write `user:password@` or `:password@`",
            ),
            (
                "redis+sentinel://:secret@host",
                "url `redis+sentinel:…`: the name that the sentinels know the primary by is missing or is none; write `redis+sentinel://host:26379,other:26379/name/0`",
            ),
            (
                "redis://:secret@host?sentinel_password=secret",
                "url `redis:…`: what logs in to sentinels is for `redis+sentinel:` only",
            ),
            (
                "redis+sentinel://:secret@host/main?sentinel_user=secret",
                "url `redis+sentinel:…`: a user of the sentinels is named without a password",
            ),
            ("redis://:secret@host/one", "url `redis:…`: the database is not a whole number"),
            (
                "redis+unix:relative.sock",
                "url `redis+unix:…`: `//` is missing; write `redis+unix:///run/redis.sock`",
            ),
            (
                "redis://:secret@host?near_trust=0&concurrency=0",
                "2 mistakes:\n  url `redis:…`: `near_trust` takes {a duration}: it must be longer than zero\n  url `redis:…`: `concurrency` takes a whole number over zero",
            ),
        ],
        url_message,
    );
}

#[test]
#[cfg(not(feature = "s3"))]
fn s3_needs_its_feature() {
    each_is_told(
        &[(
            "s3://key:secret@bucket",
            "url `s3:…`: `s3:` needs the feature `s3` of keyedcache, which this build lacks",
        )],
        url_message,
    );
}

#[test]
#[cfg(feature = "s3")]
fn a_wrong_s3_url_is_told_without_what_logs_in() {
    each_is_told(
        &[
            ("s3:bucket", "url `s3:…`: `//` is missing; write `s3://bucket/prefix`"),
            (
                "s3://key:secret@/prefix",
                "url `s3:…`: the bucket is missing; write `s3://bucket/prefix`",
            ),
            (
                "s3://secret@bucket",
                "url `s3:…`: an access key is `key:secret@`, both with `/`, `+` and `@` escaped",
            ),
            (
                "s3://key:secret@bucket?path_style=1&generations=x",
                "2 mistakes:\n  url `s3:…`: `path_style` takes `true` or `false`\n  url `s3:…`: `generations` takes {a duration}",
            ),
            (
                "memory:?region=eu-west-1",
                "url `memory:`: `region` is no option of this store; known are {memory's options}",
            ),
        ],
        url_message,
    );
}
