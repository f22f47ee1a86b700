use keyedcache::cached;

struct Repo;

#[cached]
impl Repo {
    #[cached(ttl = 60, skip(self))]
    fn find(&self, id: u64) -> u64 {
        id
    }

    #[cached(skip(self, name))]
    fn find_by_name(&self, id: u64) -> &str {
        ""
    }

    #[cached(skip(self))]
    fn fine(&self, id: u64) -> u64 {
        id
    }
}

fn main() {
    Repo.find(3);
    Repo.find_by_name(3);
    let _ = (Repo::find_key(3), Repo::fine_key(3));
}
