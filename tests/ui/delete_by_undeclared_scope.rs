use keyedcache::{cache_delete_function, cached};

#[cached(scope(x))]
fn f(x: u8, y: u8) -> u8 {
    x + y
}

struct Repo;

#[cached]
impl Repo {
    #[cached]
    fn find(id: u8, _name: &str) -> u8 {
        id
    }
}

fn main() {
    let _ = cache_delete_function!(f(_, 2)).wait();
    let _ = cache_delete_function!(f(1, 2, _)).wait();
    let _ = cache_delete_function!(Repo::find(1, _)).wait();
}
