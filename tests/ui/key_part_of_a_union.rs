use keyedcache::KeyPart;

#[derive(KeyPart)]
union Number {
    a: u32,
    b: f32,
}

fn main() {}
