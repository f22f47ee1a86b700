#![allow(unused_imports, dead_code, unused_variables)] // without compressors little is left to test

use proptest::prelude::*;

use super::*;

fn compressors() -> Vec<Compressor> {
    vec![
        #[cfg(feature = "zstd")]
        Compressor::ZSTD,
        #[cfg(feature = "zstd")]
        Compressor::Zstd { level: 19 },
        #[cfg(feature = "lz4")]
        Compressor::Lz4,
    ]
}

fn packed(compressor: Compressor, plain: &[u8]) -> Bytes {
    let compression = Compression::new(compressor).with_min_size(0);
    let (id, packed) = compression.apply(Bytes::copy_from_slice(plain)).unwrap();
    assert_eq!(id, compressor.id());
    packed
}

fn failure(compressor: Compressor, payload: Vec<u8>) -> ErrorKind {
    decompress(compressor.id(), payload.into()).unwrap_err().kind()
}

#[test]
fn what_is_compressed_comes_back() {
    for compressor in compressors() {
        let plain = b"the same again and again, ".repeat(100);
        let packed = packed(compressor, &plain);
        assert!(packed.len() < plain.len() / 4);
        assert_eq!(decompress(compressor.id(), packed).unwrap(), plain);
    }
}

#[test]
fn what_is_compressed_comes_back_on_a_thread_that_is_about_to_end() {
    fn there_and_back() {
        for compressor in compressors() {
            let plain = [7; 2048];
            let packed = packed(compressor, &plain);
            assert_eq!(decompress(compressor.id(), packed).unwrap(), plain[..]);
        }
    }
    struct Last;
    impl Drop for Last {
        fn drop(&mut self) {
            there_and_back();
        }
    }
    thread_local!(static LAST: Last = const { Last });
    let ends = std::thread::spawn(|| {
        LAST.with(|_| ()); // before what decompresses, so that it is dropped after that
        there_and_back();
    });
    ends.join().unwrap();
}

#[test]
fn only_what_is_long_enough_and_gets_smaller_is_compressed() {
    for compressor in compressors() {
        let compression = Compression::new(compressor);
        let id = |plain: Vec<u8>| compression.apply(plain.into()).unwrap().0;
        assert_eq!(id(vec![0; 1023]), CompressorId::NONE);
        assert_eq!(id(vec![0; 1024]), compressor.id());

        let noise: Vec<u8> = (0..128_u8).flat_map(|n| *blake3::hash(&[n]).as_bytes()).collect();
        assert_eq!(id(noise), CompressorId::NONE);
        assert_eq!(compression.with_min_size(0).apply(Bytes::new()).unwrap().1, "");
    }
}

#[test]
fn largest_payload_comes_back_and_a_larger_one_is_refused() {
    for compressor in compressors() {
        let whole = packed(compressor, &vec![0; MAX_PAYLOAD]);
        assert_eq!(decompress(compressor.id(), whole).unwrap().len(), MAX_PAYLOAD);

        let over = Compression::new(compressor).apply(vec![0; MAX_PAYLOAD + 1].into());
        assert_eq!(over.unwrap_err().kind(), ErrorKind::TooLarge);
    }
}

#[test]
fn bomb_is_refused_before_it_goes_off() {
    for compressor in compressors() {
        let huge = compressor.pack(&vec![0; MAX_PAYLOAD + 1]).unwrap();
        for says in [0, 1, 1 << 20, 64 << 20, (64 << 20) + 1, u32::MAX] {
            let bomb = [&u32::to_le_bytes(says), &huge[..]].concat();
            assert_eq!(failure(compressor, bomb), ErrorKind::Decode, "{compressor:?} {says}");
        }
        let boast = [&u32::to_le_bytes(64 << 20), &[0; 16][..]].concat();
        assert_eq!(failure(compressor, boast), ErrorKind::Decode);
    }
}

#[test]
fn compressed_payload_cut_off_anywhere_is_undecodable() {
    for compressor in compressors() {
        let packed = packed(compressor, &b"some text, ".repeat(50));
        for length in 0..packed.len() {
            let cut = packed[..length].to_vec();
            assert_eq!(failure(compressor, cut), ErrorKind::Decode, "{compressor:?} {length}");
        }
    }
}

#[test]
fn unknown_compressor_is_undecodable_and_named() {
    let error = decompress(CompressorId(9), Bytes::from_static(b"....")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.to_string().contains('9'), "{error}");
}

#[cfg(not(feature = "zstd"))]
#[test]
fn compressor_whose_feature_is_off_names_it() {
    let error = decompress(CompressorId::ZSTD, Bytes::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.to_string().contains("feature `zstd`"), "{error}");
    let error = Compression::new(Compressor::ZSTD).apply(vec![0; 2000].into()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

proptest! {
    #[test]
    fn arbitrary_payloads_never_panic(
        says in prop_oneof![0_u32..5000, any::<u32>()],
        rest in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        for compressor in compressors() {
            let payload = [&says.to_le_bytes(), &rest[..]].concat();
            match decompress(compressor.id(), payload.into()) {
                Ok(plain) => prop_assert_eq!(plain.len(), says as usize),
                Err(error) => prop_assert_eq!(error.kind(), ErrorKind::Decode),
            }
        }
    }
}
