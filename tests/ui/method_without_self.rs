use keyedcache::cached;

struct Repo(u64);

impl Repo {
    #[cached]
    fn find(id: u64) -> Self {
        Self(id)
    }
}

fn main() {
    Repo::find(1);
}
