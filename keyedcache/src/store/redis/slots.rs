//! The slot a name falls to in a cluster: the CRC16 of its hash tag, or of the whole.

/// How many there are.
pub(super) const SLOTS: u16 = 16384;

/// The slot of a name.
pub(super) fn slot(name: &str) -> u16 {
    crc16(tag(name).as_bytes()) % SLOTS
}

/// What stands between the first `{` and the next `}`, if that is something; else the whole name.
fn tag(name: &str) -> &str {
    let inner = name.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
    inner.map(|(tag, _)| tag).filter(|tag| !tag.is_empty()).unwrap_or(name)
}

/// CRC-16/XMODEM, as the Redis Cluster specification asks for.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| (crc << 8) ^ TABLE[usize::from((crc >> 8) as u8 ^ byte)])
}

const TABLE: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::cast_possible_truncation)] // it is below 256
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        // As `CLUSTER KEYSLOT` says.
        for (name, expected) in
            [("", 0), ("foo", 12182), ("somekey", 11058), ("foo{hash_tag}", 2515)]
        {
            assert_eq!(slot(name), expected, "{name}");
        }
    }

    #[test]
    fn slot_is_that_of_the_hash_tag() {
        assert_eq!(slot("{user1000}.following"), slot("user1000"));
        assert_eq!(slot("foo{}{bar}"), crc16(b"foo{}{bar}") % SLOTS);
        assert_eq!(slot("foo{{bar}}zap"), slot("{bar"));
        assert_eq!(slot("foo{bar}{zap}"), slot("bar"));
        assert_eq!(slot("foo{bar"), crc16(b"foo{bar") % SLOTS);
    }
}
