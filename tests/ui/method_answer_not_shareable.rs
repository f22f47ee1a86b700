use keyedcache::cached;

struct Row;
struct Repo;

#[cached]
impl Repo {
    #[cached(skip(self))]
    fn find(&self) -> Row {
        Row
    }
}

fn main() {
    Repo.find();
}
