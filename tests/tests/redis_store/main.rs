//! What the Redis store does beyond what every store must: what `redis-cli` sees, what the server
//! pushes and forgets, what becomes of calls when it cannot be reached.

mod connections;
mod generations;
mod ground;
mod homes;
mod knowing;
mod pushes;
mod records;
mod waits;
