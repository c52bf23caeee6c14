//! A stream's blocks in pre-written files.
//!
//! Owns the segment that is being written, and takes the next one from a [`SegmentSupply`] that a
//! housekeeping thread keeps filled. Writes are `WRITE_FIXED` from the registered arena, durable as
//! the start-up probe found best.
//!
//! Does not make or free segments: see `file_store`.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::device::{DeviceInfo, DeviceWrite, DeviceWritten, FlushMode, LogDevice};
use super::file_store::PreparedSegment;
use super::pace::leave_half;
use super::{FaultDevice, FileStore, LogError};
use crate::ring::{Completion, CoreRing, WriteRequest};

/// Segments that are ready before they are needed. Filled by housekeeping, emptied by a core.
#[derive(Debug, Default)]
pub struct SegmentSupply {
    ready: Mutex<VecDeque<PreparedSegment>>,
}

impl SegmentSupply {
    /// An empty supply.
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Adds a segment. Segments are used in the order in which they were added.
    pub fn add(&self, segment: PreparedSegment) {
        self.ready().push_back(segment);
    }

    /// How many are ready.
    pub fn count(&self) -> usize {
        self.ready().len()
    }

    /// For who makes the next one: leaves the device to the core, unless it has none left to turn
    /// to. What waits is worse than what is slow.
    pub fn pause(&self, took: Duration) {
        if self.count() > 0 {
            leave_half(took);
        }
    }

    fn take(&self) -> Option<PreparedSegment> {
        self.ready().pop_front()
    }

    fn ready(&self) -> MutexGuard<'_, VecDeque<PreparedSegment>> {
        // Pushing and popping cannot leave a queue half changed.
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file log as one core sees it.
#[derive(Debug)]
pub struct FileDevice {
    store: Arc<FileStore>,
    stream: u16,
    info: DeviceInfo,
    supply: Arc<SegmentSupply>,
    current: Option<CurrentSegment>,
}

#[derive(Debug)]
struct CurrentSegment {
    segment: u32,
    file: Rc<OwnedFd>,
}

/// What a device of a store needs to know.
#[derive(Clone, Debug)]
pub struct FileDeviceShape {
    /// Whose blocks.
    pub stream: u16,
    /// How they become durable.
    pub flush: FlushMode,
    /// Where the next segment comes from.
    pub supply: Arc<SegmentSupply>,
}

impl FileDevice {
    /// A device without a segment yet.
    pub fn new(store: Arc<FileStore>, shape: FileDeviceShape) -> Self {
        Self {
            info: store.info(shape.flush),
            store,
            stream: shape.stream,
            supply: shape.supply,
            current: None,
        }
    }

    fn turn_to(&mut self, prepared: PreparedSegment) -> u32 {
        let segment = prepared.segment;
        // Writes in flight keep the file of the segment before open.
        self.current =
            Some(CurrentSegment { segment, file: Rc::new(OwnedFd::from(prepared.file)) });
        segment
    }
}

impl FileStore {
    /// The device of one stream, with the faults that the store's URL asks for.
    pub fn device(self: &Arc<Self>, shape: FileDeviceShape) -> Box<dyn LogDevice> {
        let stream = shape.stream;
        let device = Box::new(FileDevice::new(Arc::clone(self), shape));
        match self.url().faults {
            Some(plan) => Box::new(FaultDevice::new(device, Arc::clone(self), stream, plan)),
            None => device,
        }
    }
}

impl LogDevice for FileDevice {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn resume_segment(&mut self, segment: u32) -> Result<(), LogError> {
        let prepared = self.store.open_segment(self.stream, segment)?;
        self.turn_to(prepared);
        Ok(())
    }

    fn begin_segment(&mut self) -> Result<Option<u32>, LogError> {
        let prepared = self.supply.take();
        Ok(prepared.map(|prepared| self.turn_to(prepared)))
    }

    fn write(&mut self, ring: &mut CoreRing, write: DeviceWrite) -> Result<(), LogError> {
        let current = self.current.as_ref().expect("a segment was begun");
        assert_eq!(write.address.segment, current.segment);
        let size_bytes = u64::try_from(write.slot.bytes().len()).expect("fits");
        assert!(write.address.offset_bytes + size_bytes <= self.info.segment_bytes);
        ring.write(WriteRequest {
            file: Rc::clone(&current.file),
            offset_bytes: write.address.offset_bytes,
            slot: write.slot,
            durability: self.info.flush.durability(),
            token: write.token,
        })?;
        Ok(())
    }

    fn complete(
        &mut self,
        _ring: &mut CoreRing,
        completion: Completion,
        done: &mut Vec<DeviceWritten>,
    ) -> Result<Option<Completion>, LogError> {
        let Completion::Written { token, slot, result } = completion else {
            return Ok(Some(completion));
        };
        done.push(DeviceWritten { token, slot, result });
        Ok(None)
    }

    fn shut_down(&mut self) -> Result<(), LogError> {
        Ok(())
    }
}
