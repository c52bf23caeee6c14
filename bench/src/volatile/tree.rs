//! Names and what they stand for: folders, files, their owners.
//!
//! Names (made, renamed, removed), modes and owners are durable at once, as if every folder were
//! flushed by itself: what is tried here is contents. Owns the bound on memory. Pure: knows no
//! kernel, and no clock but the one it is told.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::time::SystemTime;

use rand::Rng;

use super::contents::{Contents, PAGE_BYTES, Toll};

/// Of the folder that is mounted.
pub(crate) const ROOT: u64 = 1;
/// Behind what a listing needs for itself.
const FIRST: u64 = 16;
/// Pages in memory, durable and cached: 4 GiB.
const PAGES_MAX: usize = (4 << 30) / PAGE_BYTES;

/// Why something cannot be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Missing,
    Exists,
    NotFolder,
    IsFolder,
    NotEmpty,
    Full,
    /// The power has failed.
    Dead,
}

/// Whose a thing is, and who may use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Permission bits.
    pub(crate) mode: u16,
}

/// A file or a folder.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) owner: Owner,
    pub(crate) modified_at: SystemTime,
    pub(crate) kind: Kind,
    named: bool,
    opens_count: u64,
}

/// What a node is.
#[derive(Debug)]
pub(crate) enum Kind {
    File(Contents),
    Folder(BTreeMap<OsString, u64>),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: BTreeMap<u64, Node>,
    next: u64,
    pages_count: usize,
}

impl Tree {
    /// One empty folder, for everybody.
    pub(crate) fn new(now: SystemTime) -> Self {
        let owner = Owner { uid: 0, gid: 0, mode: 0o777 };
        let kind = Kind::Folder(BTreeMap::new());
        let root = Node { owner, modified_at: now, kind, named: true, opens_count: 0 };
        Self { nodes: [(ROOT, root)].into(), next: FIRST, pages_count: 0 }
    }

    /// A node by its number.
    pub(crate) fn node(&self, number: u64) -> Result<&Node, Refusal> {
        self.nodes.get(&number).ok_or(Refusal::Missing)
    }

    /// A node by its number, to change owner or time.
    pub(crate) fn node_mut(&mut self, number: u64) -> Result<&mut Node, Refusal> {
        self.nodes.get_mut(&number).ok_or(Refusal::Missing)
    }

    /// What a name in a folder stands for.
    pub(crate) fn find(&self, folder: u64, name: &OsStr) -> Result<u64, Refusal> {
        self.names(folder)?.get(name).copied().ok_or(Refusal::Missing)
    }

    /// The names in a folder.
    pub(crate) fn names(&self, folder: u64) -> Result<&BTreeMap<OsString, u64>, Refusal> {
        match &self.node(folder)?.kind {
            Kind::Folder(names) => Ok(names),
            Kind::File(_) => Err(Refusal::NotFolder),
        }
    }

    fn names_mut(&mut self, folder: u64) -> Result<&mut BTreeMap<OsString, u64>, Refusal> {
        match &mut self.node_mut(folder)?.kind {
            Kind::Folder(names) => Ok(names),
            Kind::File(_) => Err(Refusal::NotFolder),
        }
    }

    /// Makes an empty file or folder under a name that is free.
    pub(crate) fn make(
        &mut self,
        (folder, name): (u64, &OsStr),
        node: (Kind, Owner),
        now: SystemTime,
    ) -> Result<u64, Refusal> {
        let number = self.next;
        let names = self.names_mut(folder)?;
        if names.contains_key(name) {
            return Err(Refusal::Exists);
        }
        names.insert(name.to_owned(), number);
        let (kind, owner) = node;
        let node = Node { owner, modified_at: now, kind, named: true, opens_count: 0 };
        self.nodes.insert(number, node);
        self.next += 1;
        Ok(number)
    }

    /// Takes a name away; its file goes when nobody has it open any more.
    pub(crate) fn remove(&mut self, folder: u64, name: &OsStr) -> Result<(), Refusal> {
        let number = self.find(folder, name)?;
        if matches!(&self.node(number)?.kind, Kind::Folder(names) if !names.is_empty()) {
            return Err(Refusal::NotEmpty);
        }
        self.names_mut(folder)?.remove(name);
        self.node_mut(number)?.named = false;
        self.drop_unused(number);
        Ok(())
    }

    /// Moves a name, over another if that is there.
    pub(crate) fn rename(
        &mut self,
        (folder, name): (u64, &OsStr),
        (new_folder, new_name): (u64, &OsStr),
    ) -> Result<(), Refusal> {
        let number = self.find(folder, name)?;
        match self.find(new_folder, new_name) {
            Ok(same) if same == number => return Ok(()),
            Ok(_) => self.remove(new_folder, new_name)?,
            Err(Refusal::Missing) => {}
            Err(refusal) => return Err(refusal),
        }
        self.names_mut(folder)?.remove(name);
        self.names_mut(new_folder)?.insert(new_name.to_owned(), number);
        Ok(())
    }

    /// Somebody has it open.
    pub(crate) fn open(&mut self, number: u64) -> Result<(), Refusal> {
        self.node_mut(number)?.opens_count += 1;
        Ok(())
    }

    /// And closes it.
    pub(crate) fn close(&mut self, number: u64) {
        if let Ok(node) = self.node_mut(number) {
            node.opens_count = node.opens_count.saturating_sub(1);
        }
        self.drop_unused(number);
    }

    fn drop_unused(&mut self, number: u64) {
        let unused = |node: &Node| !node.named && node.opens_count == 0;
        if self.nodes.get(&number).is_some_and(unused)
            && let Some(Node { kind: Kind::File(contents), .. }) = self.nodes.remove(&number)
        {
            self.pages_count -= contents.pages_count();
        }
    }

    /// Does something to a file's contents, within the bound on memory.
    pub(crate) fn with_contents<T>(
        &mut self,
        number: u64,
        work: impl FnOnce(&mut Contents) -> T,
    ) -> Result<T, Refusal> {
        if self.pages_count > PAGES_MAX {
            return Err(Refusal::Full);
        }
        let node = self.nodes.get_mut(&number).ok_or(Refusal::Missing)?;
        let Kind::File(contents) = &mut node.kind else { return Err(Refusal::IsFolder) };
        let before = contents.pages_count();
        let done = work(contents);
        self.pages_count = self.pages_count + contents.pages_count() - before;
        Ok(done)
    }

    /// Everything that was written is durable, whether or not it was flushed.
    pub(crate) fn settle(&mut self) {
        for contents in self.nodes.values_mut().filter_map(contents_of) {
            let flush = contents.flush();
            contents.flushed(flush);
        }
        self.recount();
    }

    /// What is left when the power has failed: files that have no name are gone, pages that were
    /// not flushed by the coin.
    pub(crate) fn lose_power(&mut self, coin: &mut impl Rng) -> Toll {
        self.nodes.retain(|_, node| node.named);
        let mut toll = Toll::default();
        for node in self.nodes.values_mut() {
            node.opens_count = 0;
            if let Some(contents) = contents_of(node) {
                toll.add(contents.lose_power(coin));
            }
        }
        self.recount();
        toll
    }

    fn recount(&mut self) {
        let contents = self.nodes.values_mut().filter_map(contents_of);
        self.pages_count = contents.map(|contents| contents.pages_count()).sum();
    }
}

fn contents_of(node: &mut Node) -> Option<&mut Contents> {
    match &mut node.kind {
        Kind::File(contents) => Some(contents),
        Kind::Folder(_) => None,
    }
}
