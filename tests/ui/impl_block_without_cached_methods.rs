use keyedcache::cached;

struct Repo;

#[cached]
impl Repo {
    fn find(&self) -> u8 {
        3
    }
}

fn main() {
    Repo.find();
}
