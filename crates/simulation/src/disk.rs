//! A disk that forgets what was not synced.
//!
//! A write is seen by every later read, and is on the platter only after a sync of its file. At a crash, of the writes
//! that were not synced each sector of 512 bytes is kept or lost by the dice, each for itself: writes reorder and tear.
//! The name of a new, renamed or removed file is on the platter only after a sync of the folder. A synced byte is never
//! lost. Space is limited, and running out of it changes nothing.
//!
//! Source: what POSIX leaves open, as catalogued in Pillai et al., "All File Systems Are Not Created Equal" (OSDI 2014).

use std::collections::BTreeMap;

use crate::Random;

/// Bytes that reach the platter whole or not at all.
pub const SECTOR: usize = 512;

/// Why the disk did not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskError {
    /// No file has this name.
    NotFound,
    /// No space is left; nothing was written.
    Full,
    /// The machine lost power during or before this; nothing works until [`SimDisk::restart`].
    Crashed,
}

/// A folder of files on a simulated disk.
#[derive(Clone, Debug)]
pub struct SimDisk {
    random: Random,
    /// What reads see.
    names: BTreeMap<String, usize>,
    /// What the platter has.
    durable_names: BTreeMap<String, usize>,
    files: Vec<File>,
    capacity: usize,
    /// How many more operations work.
    fuse: Option<u64>,
    crashed: bool,
    operations: u64,
}

#[derive(Clone, Debug, Default)]
struct File {
    content: Vec<u8>,
    durable: Vec<u8>,
}

// === impl SimDisk ===

impl SimDisk {
    /// An empty disk of endless size.
    pub fn new(random: Random) -> Self {
        Self {
            random,
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            files: Vec::new(),
            capacity: usize::MAX,
            fuse: None,
            crashed: false,
            operations: 0,
        }
    }

    /// Gives the disk other dice, so that copies of one disk fail differently.
    pub const fn set_random(&mut self, random: Random) {
        self.random = random;
    }

    /// Limits the bytes of all files together; more are answered with [`DiskError::Full`].
    pub const fn set_capacity(&mut self, bytes: usize) {
        self.capacity = bytes;
    }

    /// Bytes of all files together.
    pub fn used(&self) -> usize {
        self.names.values().filter_map(|id| self.files.get(*id)).map(|file| file.content.len()).sum()
    }

    /// Loses power in the middle of the operation after `operations` more: what it would write is partly written.
    pub const fn crash_after(&mut self, operations: u64) {
        self.fuse = Some(operations);
    }

    /// How many operations were tried since the disk was made; a crash can be set at each of them.
    pub const fn operations(&self) -> u64 {
        self.operations
    }

    /// Whether power is lost.
    pub const fn is_crashed(&self) -> bool {
        self.crashed
    }

    /// Loses power now.
    pub const fn crash(&mut self) {
        self.crashed = true;
    }

    /// Brings the disk back after a crash, with what the platter has and what the dice kept of the rest.
    pub fn restart(&mut self) {
        if self.random.chance(0.5) {
            // The folder may have been written by itself.
            self.durable_names.clone_from(&self.names);
        }
        self.names.clone_from(&self.durable_names);
        for file in &mut self.files {
            file.lose_power(&mut self.random);
        }
        self.fuse = None;
        self.crashed = false;
    }

    /// The names of the files there are, sorted.
    pub fn list(&self) -> Vec<String> {
        self.names.keys().cloned().collect()
    }

    /// A file's content.
    ///
    /// # Errors
    /// Not found, crashed.
    pub fn read(&mut self, name: &str) -> Result<Vec<u8>, DiskError> {
        self.live()?;
        self.file(name).map(|file| file.content.clone())
    }

    /// Writes `bytes` at `offset`; makes the file if it is not there, and fills a gap with zeros.
    ///
    /// # Errors
    /// Full, crashed.
    pub fn write(&mut self, name: &str, offset: usize, bytes: &[u8]) -> Result<(), DiskError> {
        let cut = self.burn();
        if self.crashed && cut.is_none() {
            return Err(DiskError::Crashed);
        }
        let len =
            self.names.get(name).and_then(|id| self.files.get(*id)).map_or(0, |file| file.content.len());
        let grown = (offset + bytes.len()).saturating_sub(len);
        if self.used().saturating_add(grown) > self.capacity {
            return Err(DiskError::Full);
        }
        let id = self.names.get(name).copied().unwrap_or_else(|| self.create(name));
        let part = cut.map_or(bytes.len(), |mut random| random.index(bytes.len() + 1));
        if let (Some(file), Some(part)) = (self.files.get_mut(id), bytes.get(..part)) {
            file.put(offset, part);
        }
        self.live()
    }

    /// Writes `bytes` at the file's end.
    ///
    /// # Errors
    /// Full, crashed.
    pub fn append(&mut self, name: &str, bytes: &[u8]) -> Result<(), DiskError> {
        let end =
            self.names.get(name).and_then(|id| self.files.get(*id)).map_or(0, |file| file.content.len());
        self.write(name, end, bytes)
    }

    /// Cuts a file.
    ///
    /// # Errors
    /// Not found, crashed.
    pub fn truncate(&mut self, name: &str, len: usize) -> Result<(), DiskError> {
        self.step()?;
        self.file(name).map(|file| file.content.truncate(len))
    }

    /// Puts a file's content on the platter, and its name if it is new.
    ///
    /// # Errors
    /// Not found, crashed; then some of it may be there.
    pub fn sync(&mut self, name: &str) -> Result<(), DiskError> {
        self.step()?;
        self.file(name).map(|file| file.durable.clone_from(&file.content))
    }

    /// Puts the names of the files on the platter.
    ///
    /// # Errors
    /// Crashed.
    pub fn sync_folder(&mut self) -> Result<(), DiskError> {
        self.step()?;
        self.durable_names.clone_from(&self.names);
        Ok(())
    }

    /// Gives a file another name, in place of a file that has it.
    ///
    /// # Errors
    /// Not found, crashed.
    pub fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        self.step()?;
        let id = self.names.remove(from).ok_or(DiskError::NotFound)?;
        self.names.insert(to.to_owned(), id);
        Ok(())
    }

    /// Removes a file.
    ///
    /// # Errors
    /// Not found, crashed.
    pub fn remove(&mut self, name: &str) -> Result<(), DiskError> {
        self.step()?;
        self.names.remove(name).map(|_| ()).ok_or(DiskError::NotFound)
    }

    /// Changes one byte of a file on the platter and in what is read, as a failing disk does.
    ///
    /// # Errors
    /// Not found, or the file is shorter.
    pub fn flip(&mut self, name: &str, at: usize, mask: u8) -> Result<(), DiskError> {
        let file = self.file(name)?;
        for bytes in [&mut file.content, &mut file.durable] {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= mask;
            }
        }
        if at < file.content.len() { Ok(()) } else { Err(DiskError::NotFound) }
    }

    fn create(&mut self, name: &str) -> usize {
        self.files.push(File::default());
        let id = self.files.len() - 1;
        self.names.insert(name.to_owned(), id);
        id
    }

    fn file(&mut self, name: &str) -> Result<&mut File, DiskError> {
        let id = self.names.get(name).ok_or(DiskError::NotFound)?;
        self.files.get_mut(*id).ok_or(DiskError::NotFound)
    }

    fn live(&self) -> Result<(), DiskError> {
        if self.crashed { Err(DiskError::Crashed) } else { Ok(()) }
    }

    /// Counts an operation that does nothing at all when power is lost at it.
    fn step(&mut self) -> Result<(), DiskError> {
        self.burn();
        self.live()
    }

    /// Counts an operation. When power is lost at this one, gives the dice for how much of it is done.
    fn burn(&mut self) -> Option<Random> {
        self.operations += 1;
        match self.fuse.as_mut() {
            Some(0) if !self.crashed => {
                self.crashed = true;
                Some(self.random.fork())
            }
            Some(left) => {
                *left = left.saturating_sub(1);
                None
            }
            None => None,
        }
    }
}

// === impl File ===

impl File {
    fn put(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if self.content.len() < end {
            self.content.resize(end, 0);
        }
        if let Some(place) = self.content.get_mut(offset..end) {
            place.copy_from_slice(bytes);
        }
    }

    /// Keeps of every sector that was not synced the old or the new content; what lies beyond the old end and is lost
    /// reads as zeros, or is not there.
    fn lose_power(&mut self, random: &mut Random) {
        if self.content == self.durable {
            return;
        }
        let (shorter, longer) = sort(self.content.len(), self.durable.len());
        let len = match random.below(3) {
            0 => self.durable.len(),
            1 => self.content.len(),
            _ => shorter + random.index(longer - shorter + 1),
        };
        let mut kept = vec![0; len];
        for (index, sector) in kept.chunks_mut(SECTOR).enumerate() {
            let from = if random.chance(0.5) { &self.content } else { &self.durable };
            let start = index * SECTOR;
            let end = (start + sector.len()).min(from.len());
            if let (Some(old), Some(place)) =
                (from.get(start..end), sector.get_mut(..end.saturating_sub(start)))
            {
                place.copy_from_slice(old);
            }
        }
        self.content.clone_from(&kept);
        self.durable = kept;
    }
}

fn sort(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::for_seeds;

    #[test]
    fn what_was_synced_survives_and_what_was_not_may_tear() {
        let (mut whole, mut gone, mut torn) = (0, 0, 0);
        for_seeds("disk", 300, |seed| {
            let mut disk = SimDisk::new(Random::new(seed));
            disk.write("f", 0, &[1; 4 * SECTOR]).unwrap();
            disk.sync("f").unwrap();
            disk.sync_folder().unwrap();
            disk.write("f", SECTOR, &[2; 2 * SECTOR]).unwrap();
            disk.crash();
            assert_eq!(disk.read("f"), Err(DiskError::Crashed));
            disk.restart();
            let content = disk.read("f").unwrap();
            assert_eq!(content.len(), 4 * SECTOR);
            assert!(content[..SECTOR].iter().chain(&content[3 * SECTOR..]).all(|byte| *byte == 1));
            match (content[SECTOR], content[2 * SECTOR]) {
                (2, 2) => whole += 1,
                (1, 1) => gone += 1,
                _ => torn += 1,
            }
        });
        assert!(whole > 20 && gone > 20 && torn > 20, "{whole} {gone} {torn}");
    }

    #[test]
    fn a_new_name_needs_the_folders_sync() {
        let mut lost = 0;
        for_seeds("names", 50, |seed| {
            let mut disk = SimDisk::new(Random::new(seed));
            disk.append("old", b"x").unwrap();
            disk.sync("old").unwrap();
            disk.sync_folder().unwrap();
            disk.rename("old", "new").unwrap();
            disk.crash();
            disk.restart();
            let names = disk.list();
            assert!(names == ["old"] || names == ["new"], "{names:?}");
            lost += usize::from(names == ["old"]);
        });
        assert!((5..45).contains(&lost), "{lost}");
    }

    #[test]
    fn a_full_disk_changes_nothing() {
        let mut disk = SimDisk::new(Random::new(0));
        disk.set_capacity(10);
        disk.append("f", &[1; 8]).unwrap();
        assert_eq!(disk.append("f", &[2; 3]), Err(DiskError::Full));
        assert_eq!(disk.write("f", 0, &[3; 8]), Ok(()), "overwriting needs no space");
        assert_eq!((disk.used(), disk.read("f").unwrap()), (8, vec![3; 8]));
        disk.remove("f").unwrap();
        assert_eq!((disk.used(), disk.read("f")), (0, Err(DiskError::NotFound)));
    }

    #[test]
    fn power_is_lost_at_the_operation_that_was_named() {
        let mut disk = SimDisk::new(Random::new(3));
        disk.crash_after(2);
        disk.append("f", b"one").unwrap();
        disk.sync("f").unwrap();
        assert_eq!(disk.append("f", b"two"), Err(DiskError::Crashed));
        assert_eq!(disk.sync_folder(), Err(DiskError::Crashed), "and nothing works after it");
        assert_eq!(disk.operations(), 4);
    }
}
