//! Large writes beside a log: in pieces, each flushed before the next is begun, with pauses.
//!
//! Everything that is flushed at once keeps a device busy at once: a segment of 64 MiB for 40 ms
//! and more, and each commit that comes meanwhile waits behind it. In pieces no commit waits longer
//! than for one of them, and after each the device is left to the commits for as long as it took.
//!
//! Does not know what is written. Whoever nobody waits for passes [`at_once`].

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};

/// Bytes between two flushes: a fraction of a millisecond for a device of 1 GB/s.
pub const PIECE_BYTES: usize = 256 << 10;
/// A device that stalls is not waited out twice over.
const PAUSE_MAX: Duration = Duration::from_millis(20);

/// Told how long a piece took, before the next is begun; not after the last one.
pub type Pause<'a> = &'a mut dyn FnMut(Duration);

/// Nobody waits for the device: at start, or when a core has run out of segments.
pub fn at_once(_took: Duration) {}

/// Leaves the device to others for as long as the piece took.
pub fn leave_half(took: Duration) {
    std::thread::sleep(took.min(PAUSE_MAX));
}

/// Writes `bytes` at `offset_bytes`, each piece durable before the next is begun.
pub fn write_durably(
    file: &File,
    bytes: &[u8],
    offset_bytes: u64,
    pause: Pause<'_>,
) -> io::Result<()> {
    let mut at = offset_bytes;
    let mut pieces = bytes.chunks(PIECE_BYTES).peekable();
    while let Some(piece) = pieces.next() {
        let start = Instant::now();
        file.write_all_at(piece, at)?;
        file.sync_data()?;
        at += u64::try_from(piece.len()).expect("a piece's length");
        if pieces.peek().is_some() {
            pause(start.elapsed());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_follow_one_another_and_each_is_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        let bytes: Vec<u8> = (0..=255).cycle().take(2 * PIECE_BYTES + 7).collect();
        let mut pieces_count = 0;
        write_durably(&file, &bytes, 5, &mut |_| pieces_count += 1).unwrap();
        assert_eq!(pieces_count, 2, "between three pieces");
        let written = std::fs::read(&path).unwrap();
        assert_eq!(written[..5], [0; 5]);
        assert!(written[5..] == bytes[..], "every byte is where it belongs");
        write_durably(&file, &[], 0, &mut |_| panic!("there is no piece")).unwrap();
    }
}
