//! Stub until the compressors land.
/// Compression.
#[derive(Clone, Copy, Debug, Default)]
pub struct Compression;
