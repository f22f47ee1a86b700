use keyedcache::cached;

struct Repo;

#[cached(timeout = 60)]
impl Repo {
    #[cached(skip(self))]
    fn find(&self, id: u64) -> u64 {
        id
    }
}

fn main() {
    Repo.find(3);
    let _ = Repo::find_key(3);
}
