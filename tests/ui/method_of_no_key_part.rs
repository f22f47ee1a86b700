use keyedcache::cached;

struct Repo;

#[cached]
impl Repo {
    #[cached(timeout = 60)]
    fn find(&self, id: u64) -> u64 {
        id
    }
}

fn main() {
    Repo.find(3);
    let _ = Repo::find_invalidate_all().wait();
}
