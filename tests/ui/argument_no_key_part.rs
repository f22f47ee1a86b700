use keyedcache::cached;

struct Connection;

#[cached]
fn f(x: u8, connection: &Connection) -> u8 {
    let Connection = connection;
    x
}

fn main() {
    f(1, &Connection);
}
