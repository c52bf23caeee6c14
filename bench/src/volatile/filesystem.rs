//! What the kernel asks, put to the medium.
//!
//! Owns the words of FUSE and nothing else. A write says how its file was opened and whether it
//! asked to be durable itself (`O_SYNC`, `O_DSYNC`, `RWF_DSYNC`): then its range is flushed before
//! it is answered.

use std::ffi::OsStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fuser::{
    Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner,
    OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty,
    ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};

use super::contents::{Contents, PAGE_BYTES};
use super::medium::Medium;
use super::tree::{Kind, Node, Owner, ROOT, Refusal, Tree};

/// Nobody else changes it, so the kernel may remember.
const REMEMBERED: Duration = Duration::from_mins(1);
/// Size that it claims to have, blocks.
const BLOCKS_COUNT: u64 = 16 << 20;
/// The same, in a type of the interface.
const BLOCK_BYTES: u32 = 4096;
/// Longest name, bytes.
const NAME_BYTES_MAX: u32 = 255;
/// Of one write to the kernel, so that it need not be told apart.
const NO_HANDLE: FileHandle = FileHandle(0);
const GENERATION: Generation = Generation(0);

/// See the module.
#[derive(Debug)]
pub(super) struct Mounted {
    medium: Arc<Medium>,
}

impl Mounted {
    /// The medium as a filesystem.
    pub(super) const fn over(medium: Arc<Medium>) -> Self {
        Self { medium }
    }

    fn attributes(&self, number: u64) -> Result<FileAttr, Refusal> {
        self.medium.with(|tree| Ok(attributes(number, tree.node(number)?)))
    }

    fn make(
        &self,
        (folder, name): (INodeNo, &OsStr),
        kind: Kind,
        (request, mode): (&Request, u32),
        opened: bool,
    ) -> Result<FileAttr, Refusal> {
        let owner = Owner { uid: request.uid(), gid: request.gid(), mode: permissions(mode) };
        self.medium.with(|tree| {
            let number = tree.make((folder.0, name), (kind, owner), SystemTime::now())?;
            if opened {
                tree.open(number)?;
            }
            Ok(attributes(number, tree.node(number)?))
        })
    }

    fn write_durably(
        &self,
        file: u64,
        (offset, data): (u64, &[u8]),
        flags: OpenFlags,
    ) -> Result<(), Refusal> {
        self.medium.with(|tree| {
            tree.with_contents(file, |contents| contents.write(offset, data))?;
            tree.node_mut(file)?.modified_at = SystemTime::now();
            Ok(())
        })?;
        // O_SYNC has the bit of O_DSYNC in it.
        if flags.0 & libc::O_DSYNC != 0 {
            let end = offset.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
            self.medium.flush_range(file, offset..end)?;
        }
        Ok(())
    }

    fn change(&self, number: u64, wanted: &Change) -> Result<FileAttr, Refusal> {
        self.medium.with(|tree| {
            if let Some(size_bytes) = wanted.size_bytes {
                tree.with_contents(number, |contents| contents.resize(size_bytes))?;
            }
            let node = tree.node_mut(number)?;
            let Owner { uid, gid, mode } = node.owner;
            node.owner = Owner {
                uid: wanted.uid.unwrap_or(uid),
                gid: wanted.gid.unwrap_or(gid),
                mode: wanted.mode.map_or(mode, permissions),
            };
            node.modified_at = wanted.modified_at.unwrap_or_else(SystemTime::now);
            Ok(attributes(number, node))
        })
    }

    fn list(&self, folder: u64) -> Result<Vec<(u64, FileType, std::ffi::OsString)>, Refusal> {
        self.medium.with(|tree| {
            let names = tree.names(folder)?.iter();
            let mut listed = names
                .map(|(name, number)| Ok((*number, kind_of(tree.node(*number)?), name.clone())))
                .collect::<Result<Vec<_>, Refusal>>()?;
            listed.sort_unstable_by_key(|entry| entry.0);
            Ok(listed)
        })
    }
}

/// What is to become of a node.
struct Change {
    size_bytes: Option<u64>,
    mode: Option<u32>,
    uid: Option<u32>,
    gid: Option<u32>,
    modified_at: Option<SystemTime>,
}

impl Filesystem for Mounted {
    fn lookup(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = self.medium.with(|tree| {
            let number = tree.find(parent.0, name)?;
            Ok(attributes(number, tree.node(number)?))
        });
        answer_entry(found, reply);
    }

    fn getattr(
        &self,
        _request: &Request,
        ino: INodeNo,
        _handle: Option<FileHandle>,
        reply: ReplyAttr,
    ) {
        answer_attributes(self.attributes(ino.0), reply);
    }

    fn setattr(
        &self,
        _request: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _handle: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<fuser::BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let modified_at = mtime.map(|time| match time {
            TimeOrNow::SpecificTime(time) => time,
            TimeOrNow::Now => SystemTime::now(),
        });
        let change = Change { size_bytes: size, mode, uid, gid, modified_at };
        answer_attributes(self.change(ino.0, &change), reply);
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        reply: ReplyEntry,
    ) {
        let kind = Kind::Folder(std::collections::BTreeMap::new());
        answer_entry(self.make((parent, name), kind, (request, mode), false), reply);
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        let kind = Kind::File(Contents::default());
        match self.make((parent, name), kind, (request, mode), true) {
            Ok(attributes) => {
                let flags = FopenFlags::empty();
                reply.created(&REMEMBERED, &attributes, GENERATION, NO_HANDLE, flags);
            }
            Err(refusal) => reply.error(errno(refusal)),
        }
    }

    fn unlink(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer(self.medium.with(|tree| tree.remove(parent.0, name)), reply);
    }

    fn rmdir(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer(self.medium.with(|tree| tree.remove(parent.0, name)), reply);
    }

    fn rename(
        &self,
        _request: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let keeps = flags.contains(RenameFlags::RENAME_NOREPLACE);
        if !(flags - RenameFlags::RENAME_NOREPLACE).is_empty() {
            return reply.error(Errno::EINVAL);
        }
        let renamed = self.medium.with(|tree: &mut Tree| {
            if keeps && tree.find(newparent.0, newname).is_ok() {
                return Err(Refusal::Exists);
            }
            tree.rename((parent.0, name), (newparent.0, newname))
        });
        answer(renamed, reply);
    }

    fn open(&self, _request: &Request, ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        match self.medium.with(|tree| tree.open(ino.0)) {
            Ok(()) => reply.opened(NO_HANDLE, FopenFlags::FOPEN_KEEP_CACHE),
            Err(refusal) => reply.error(errno(refusal)),
        }
    }

    fn release(
        &self,
        _request: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        answer(
            self.medium.with(|tree| {
                tree.close(ino.0);
                Ok(())
            }),
            reply,
        );
    }

    fn read(
        &self,
        _request: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let length = usize::try_from(size).unwrap_or(PAGE_BYTES);
        let read = |contents: &mut Contents| contents.read(offset, length);
        match self.medium.with(|tree| tree.with_contents(ino.0, read)) {
            Ok(bytes) => reply.data(&bytes),
            Err(refusal) => reply.error(errno(refusal)),
        }
    }

    fn write(
        &self,
        _request: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.write_durably(ino.0, (offset, data), flags) {
            Ok(()) => reply.written(u32::try_from(data.len()).unwrap_or(u32::MAX)),
            Err(refusal) => reply.error(errno(refusal)),
        }
    }

    fn flush(
        &self,
        _request: &Request,
        _ino: INodeNo,
        _handle: FileHandle,
        _lock_owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        // A close, which makes nothing durable.
        reply.ok();
    }

    fn fsync(
        &self,
        _request: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        _datasync: bool,
        reply: ReplyEmpty,
    ) {
        answer(self.medium.flush(ino.0), reply);
    }

    fn fsyncdir(
        &self,
        _request: &Request,
        _ino: INodeNo,
        _handle: FileHandle,
        _datasync: bool,
        reply: ReplyEmpty,
    ) {
        answer(self.medium.with(|_| Ok(())), reply);
    }

    fn fallocate(
        &self,
        _request: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let end = offset.saturating_add(length);
        match mode {
            0 => answer(
                self.medium.with(|tree| tree.with_contents(ino.0, |contents| contents.grow(end))),
                reply,
            ),
            libc::FALLOC_FL_KEEP_SIZE => reply.ok(),
            _ => reply.error(Errno::EOPNOTSUPP),
        }
    }

    fn readdir(
        &self,
        _request: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let listed = match self.list(ino.0) {
            Ok(listed) => listed,
            Err(refusal) => return reply.error(errno(refusal)),
        };
        // A place in the list is the number of the entry before it: names may go meanwhile.
        let own = [(1, FileType::Directory, ".".into()), (2, FileType::Directory, "..".into())];
        for (place, kind, name) in own.into_iter().chain(listed) {
            let number = if place <= 2 { ROOT.max(ino.0) } else { place };
            if place > offset && reply.add(INodeNo(number), place, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _request: &Request, _ino: INodeNo, reply: ReplyStatfs) {
        let (blocks, files) = (BLOCKS_COUNT, BLOCKS_COUNT);
        reply.statfs(
            blocks,
            blocks,
            blocks,
            files,
            files,
            BLOCK_BYTES,
            NAME_BYTES_MAX,
            BLOCK_BYTES,
        );
    }
}

fn answer_entry(found: Result<FileAttr, Refusal>, reply: ReplyEntry) {
    match found {
        Ok(attributes) => reply.entry(&REMEMBERED, &attributes, GENERATION),
        Err(refusal) => reply.error(errno(refusal)),
    }
}

fn answer_attributes(found: Result<FileAttr, Refusal>, reply: ReplyAttr) {
    match found {
        Ok(attributes) => reply.attr(&REMEMBERED, &attributes),
        Err(refusal) => reply.error(errno(refusal)),
    }
}

fn answer(done: Result<(), Refusal>, reply: ReplyEmpty) {
    match done {
        Ok(()) => reply.ok(),
        Err(refusal) => reply.error(errno(refusal)),
    }
}

const fn errno(refusal: Refusal) -> Errno {
    match refusal {
        Refusal::Missing => Errno::ENOENT,
        Refusal::Exists => Errno::EEXIST,
        Refusal::NotFolder => Errno::ENOTDIR,
        Refusal::IsFolder => Errno::EISDIR,
        Refusal::NotEmpty => Errno::ENOTEMPTY,
        Refusal::Full => Errno::ENOSPC,
        Refusal::Dead => Errno::EIO,
    }
}

fn permissions(mode: u32) -> u16 {
    u16::try_from(mode & 0o7777).expect("twelve bits")
}

const fn kind_of(node: &Node) -> FileType {
    match node.kind {
        Kind::File(_) => FileType::RegularFile,
        Kind::Folder(_) => FileType::Directory,
    }
}

fn attributes(number: u64, node: &Node) -> FileAttr {
    let (size, nlink) = match &node.kind {
        Kind::File(contents) => (contents.size_bytes(), 1),
        Kind::Folder(_) => (0, 2),
    };
    FileAttr {
        ino: INodeNo(number),
        size,
        blocks: size.div_ceil(512),
        atime: node.modified_at,
        mtime: node.modified_at,
        ctime: node.modified_at,
        crtime: node.modified_at,
        kind: kind_of(node),
        perm: node.owner.mode,
        nlink,
        uid: node.owner.uid,
        gid: node.owner.gid,
        rdev: 0,
        blksize: BLOCK_BYTES,
        flags: 0,
    }
}
