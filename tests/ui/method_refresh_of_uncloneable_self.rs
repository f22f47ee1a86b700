use keyedcache::cached;

struct Repo;

#[cached]
impl Repo {
    #[cached(timeout = 60, stale = 60, skip(self))]
    fn find(&self, id: u64) -> u64 {
        id
    }
}

fn main() {
    Repo.find(3);
}
