use keyedcache::KeyPart;

#[derive(KeyPart)]
struct Repo {
    tenant: u32,
    #[key_part(ignore)]
    pool: u8,
}

fn main() {}
