use keyedcache::cached;

#[cached(scope(user_id, z), skip(connection))]
fn f(userid: u8, connection: &u8) -> u8 {
    userid + connection
}

#[cached(scope)]
fn g(x: u8) -> u8 {
    x
}

fn main() {
    f(1, &2);
    g(1);
}
