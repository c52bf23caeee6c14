//! The two checksums of the log: CRC32C for speed, BLAKE3 for the chain.
//!
//! Holds no layout: callers say which bytes are covered.

use core::sync::atomic::{AtomicBool, Ordering};

/// A BLAKE3 digest.
pub type Digest = [u8; 32];

/// CRC32C (Castagnoli), as in RFC 3720 appendix B.4.
pub fn crc32c(bytes: &[u8]) -> u32 {
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes);
    u32::try_from(crc).expect("a 32-bit CRC")
}

/// [`crc32c`] of `parts` one after the other.
pub fn crc32c_parts(parts: &[&[u8]]) -> u32 {
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
    for part in parts {
        digest.update(part);
    }
    u32::try_from(digest.finalize()).expect("a 32-bit CRC")
}

/// BLAKE3 of `bytes`.
pub fn blake3(bytes: &[u8]) -> Digest {
    *::blake3::hash(bytes).as_bytes()
}

/// BLAKE3 of `parts` one after the other.
pub fn blake3_parts(parts: &[&[u8]]) -> Digest {
    let mut hasher = ::blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}

static WARMED: AtomicBool = AtomicBool::new(false);

/// Runs both once, so that feature detection is not paid inside the first commit.
pub fn warm_up() {
    if !WARMED.swap(true, Ordering::Relaxed) {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_ne!(blake3(b"claw"), [0; 32]);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn crc32c_matches_the_published_check_value() {
        assert_eq!(super::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(super::crc32c(&[0; 32]), 0x8a91_36aa); // RFC 3720, B.4
    }

    #[test]
    fn parts_are_checked_as_one() {
        let whole = [7; 300];
        let parts: [&[u8]; 3] = [&whole[..1], &whole[1..256], &whole[256..]];
        assert_eq!(super::crc32c_parts(&parts), super::crc32c(&whole));
        assert_eq!(super::blake3_parts(&parts), super::blake3(&whole));
    }
}
