use keyedcache::cached;

struct Counter(u64);

#[cached]
impl Counter {
    #[cached(timeout = 60)]
    fn next(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }

    #[cached(timeout = 60)]
    fn next_boxed(self: Box<&mut Self>) -> u64 {
        self.0
    }
}

fn main() {
    Counter(1).next();
}
