//! A hit on S3 against a bare `get_object` of the same object through the same client, of servers at
//! several distances.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Builder, Credentials, Region, RequestChecksumCalculation,
    ResponseChecksumValidation, StalledStreamProtectionConfig,
};
use keyedcache::store::S3Store;
use keyedcache::{Cache, Key, cache_key};
use keyedcache_benches::{Contest, print_target};
use keyedcache_tests::s3::{ACCESS_KEY, BUCKET, Fault, Rule, S3Server, SECRET_KEY};

const ROUNDS: usize = 30;
const HITS: u32 = 10;

/// How long the server takes before it does anything. S3 takes ten milliseconds at best, a compatible
/// server next door one or two; none is what the processor has to do and nothing else, of a server,
/// too, that shares it.
const FAR: [Duration; 5] = [
    Duration::from_millis(10),
    Duration::from_millis(5),
    Duration::from_millis(2),
    Duration::from_millis(1),
    Duration::ZERO,
];

/// Which hits contend.
const HIT: [(&str, &str); 3] = [
    ("hit", "hit"),
    ("first", "hit, not read in the last minute"),
    ("remembering", "hit, generations remembered"),
];

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let server = S3Server::start();
    let client = client_of(&server);
    let cache_on = |remember: Duration| -> Result<Cache, Failure> {
        let store = S3Store::builder(BUCKET).prefix("app").remember_generations(remember);
        Ok(Cache::builder().store(Arc::new(store.build_with(client.clone())?)).build()?)
    };
    let (asking, remembering) = (cache_on(Duration::ZERO)?, cache_on(Duration::from_hours(1))?);
    let key = || cache_key!("page", 1);
    asking.set(key(), &vec![7_u8; 1_024]).wait()?;
    // As many as are hit, each once.
    let calls = u32::try_from(FAR.len() * (ROUNDS + 1))? * HITS;
    for n in 0..calls {
        asking.set(cache_key!("other", n), &vec![7_u8; 1_024]).wait()?;
    }
    let mut others = 0..calls;
    let name = server.names().into_iter().find(|name| name.as_bytes().ends_with(b".kc"));
    let name = name.ok_or("nothing was stored")?;

    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let bare = || {
        let got = runtime.block_on(async {
            let got = client.get_object().bucket(BUCKET).key(&name).send().await?;
            Ok::<_, Failure>(got.body.collect().await?.into_bytes())
        });
        assert!(got.is_ok_and(|body| body.len() > 1_024), "the object is there");
    };
    let hit = |cache: &Cache, key: Key| {
        let value: Vec<u8> = cache.get(key).wait().expect("it is cached");
        assert_eq!(value.len(), 1_024);
    };
    for far in FAR {
        if !far.is_zero() {
            server.add_fault(Rule::always(Fault::Delay(far)));
        }
        let outcome = Contest::new()
            .enter("bare", || milliseconds(bare))
            .enter("hit", || milliseconds(|| hit(&asking, key())))
            .enter("first", || {
                milliseconds(|| hit(&asking, cache_key!("other", others.next().expect("enough"))))
            })
            .enter("remembering", || milliseconds(|| hit(&remembering, key())))
            .run(ROUNDS);
        server.mend();
        println!("\n1 kB, a server that takes {far:?} on the same machine, ms\n");
        println!("{:38} {:8.3}", "bare `get_object`", outcome.median("bare"));
        for (name, shown) in HIT {
            println!("{shown:38} {:8.3}", outcome.median(name));
        }
        for (name, shown) in HIT {
            let shown = format!("{shown} / bare, {far:?}");
            print_target(&shown, outcome.ratio(name, "bare"), 1.2);
        }
    }
    Ok(())
}

/// Milliseconds each of some calls takes.
fn milliseconds(mut call: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..HITS {
        call();
    }
    start.elapsed().as_secs_f64() * 1_000.0 / f64::from(HITS)
}

/// The client that both use, as the store would make it.
fn client_of(server: &S3Server) -> Client {
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "bench"))
        .endpoint_url(server.endpoint())
        .force_path_style(true)
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .build();
    Client::from_conf(config)
}
