use keyedcache::KeyPart;

struct Pool;

#[derive(KeyPart)]
struct Repo {
    tenant: u32,
    pool: Pool,
}

fn main() {}
