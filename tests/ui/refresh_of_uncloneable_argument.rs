use keyedcache::cached;

struct Connection;

#[cached(timeout = 5, stale = 5, skip(connection))]
fn f(x: u8, connection: &Connection) -> u8 {
    let Connection = connection;
    x
}

fn main() {
    f(1, &Connection);
}
