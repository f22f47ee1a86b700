use keyedcache::cached;

struct Connection;

#[cached(timeout = 60, hard_timeout = "2s", skip(connection))]
fn f(x: u8, connection: &Connection) -> Result<u8, keyedcache::Error> {
    let Connection = connection;
    Ok(x)
}

fn main() {
    let _ = f(1, &Connection);
}
