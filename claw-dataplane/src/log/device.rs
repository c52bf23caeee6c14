//! What a log device is: the seam behind which files, block devices and queues of our own lie.
//!
//! Owns the trait and the words. A device knows addresses, never blocks: it writes bytes to a
//! segment at an offset and says when they are durable. Submission takes the ring, and every
//! completion is offered back, so that a device may use any operation of the ring: registered
//! writes here, sockets for a network device.
//!
//! Deliberately absent: reading (recovery maps what it reads), order (see `commit`), superblocks
//! (written where blocking is allowed, see `superblock`).

use std::fmt;
use std::io;

use super::LogError;
use crate::buffer::{FreeSlot, InFlightSlot};
use crate::ring::{Completion, CoreRing, WriteDurability};

/// A place on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceAddress {
    /// Which segment.
    pub segment: u32,
    /// Where in it.
    pub offset_bytes: u64,
}

impl fmt::Display for DeviceAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "segment {} offset {}", self.segment, self.offset_bytes)
    }
}

/// How a device is asked to make a write durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushMode {
    /// `RWF_DSYNC` on the write.
    DataSync,
    /// A flush linked behind the write.
    LinkedSync,
}

impl FlushMode {
    /// The same, in the ring's words.
    pub fn durability(self) -> WriteDurability {
        match self {
            Self::DataSync => WriteDurability::DataSync,
            Self::LinkedSync => WriteDurability::LinkedSync,
        }
    }

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::DataSync => "RWF_DSYNC",
            Self::LinkedSync => "linked fsync",
        }
    }
}

/// Whether writes go around the page cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CachePath {
    /// `O_DIRECT`.
    Direct,
    /// Through the page cache, since the filesystem refuses `O_DIRECT`. Durable all the same.
    PageCache,
}

/// What a device says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// As given on the command line.
    pub url: String,
    /// Smallest unit the device writes whole.
    pub logical_block_bytes: u32,
    /// Size of a segment.
    pub segment_bytes: u64,
    /// How writes reach it.
    pub cache_path: CachePath,
    /// How they are made durable.
    pub flush: FlushMode,
}

/// A block on its way.
#[derive(Debug)]
pub struct DeviceWrite {
    /// Where to; the segment is the one begun or resumed last.
    pub address: DeviceAddress,
    /// The block.
    pub slot: InFlightSlot,
    /// Comes back with [`DeviceWritten`].
    pub token: u64,
}

/// A block that arrived, or did not.
#[derive(Debug)]
pub struct DeviceWritten {
    /// Of the [`DeviceWrite`].
    pub token: u64,
    /// The slot, empty again.
    pub slot: FreeSlot,
    /// Bytes that are durable. Fewer than asked for is a failure, for the caller to see.
    pub result: io::Result<u32>,
}

/// Where one stream's blocks go. One per core, driven on that core.
pub trait LogDevice: fmt::Debug {
    /// What it is.
    fn info(&self) -> &DeviceInfo;

    /// Goes on in a segment that already holds blocks.
    fn resume_segment(&mut self, segment: u32) -> Result<(), LogError>;

    /// Turns to a prepared segment, if one is ready.
    fn begin_segment(&mut self) -> Result<Option<u32>, LogError>;

    /// Starts a write.
    fn write(&mut self, ring: &mut CoreRing, write: DeviceWrite) -> Result<(), LogError>;

    /// Is offered every completion of the ring; gives back those that are not its own, and adds the
    /// writes that ended to `done`.
    fn complete(
        &mut self,
        ring: &mut CoreRing,
        completion: Completion,
        done: &mut Vec<DeviceWritten>,
    ) -> Result<Option<Completion>, LogError>;

    /// Called once when nothing is in flight and the process ends well.
    fn shut_down(&mut self) -> Result<(), LogError>;
}
