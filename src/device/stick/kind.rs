//! Which file system that is read a device has, by its first bytes, and how it is mounted.
//!
//! Whoever made a stick wrote its metadata. What the kernel does with it is therefore decided here:
//! every option that the metadata could set otherwise is named.

use std::ops::Range;

/// A file system that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// FAT12, FAT16 or FAT32.
    Fat,
    /// exFAT.
    ExFat,
    /// ext2, ext3 or ext4.
    Ext(Ext),
}

/// What the superblock of an ext4 says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ext {
    /// It was not unmounted: files may be there that only its journal knows.
    pub is_dirty: bool,
    /// To write to it involves nothing but this device, and nothing is waited for.
    pub is_simple: bool,
}

/// What a device has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A file system that is read.
    Readable(FileSystem),
    /// One that is refused, and why.
    Refused(&'static str),
}

/// What a device has whose first bytes these are. The kernel looks closer.
pub fn find(head: &[u8]) -> Option<Found> {
    let has = |at: usize, bytes: &[u8]| head.get(at..).is_some_and(|rest| rest.starts_with(bytes));
    if has(3, b"EXFAT   ") {
        return Some(Found::Readable(FileSystem::ExFat));
    }
    if let Some(superblock) = head.get(1_024..2_048).filter(|s| s[56..58] == [0x53, 0xef]) {
        return Some(ext(superblock));
    }
    if has(3, b"NTFS    ") || has(3, b"-FVE-FS-") {
        return None;
    }
    // A boot sector: the jump of its first instruction, and its last two bytes.
    let is_fat = matches!(head, [0xeb | 0xe9, ..]) && has(510, &[0x55, 0xaa]);
    is_fat.then_some(Found::Readable(FileSystem::Fat))
}

/// Where the root folder of a FAT begins, and the part of it that lies in one piece, in bytes of the device
/// (struct fat_boot_sector in linux/msdos_fs.h). The kernel passes over what it cannot read of a folder as if
/// nothing were there, so that a stick that fails would look like one without the file.
pub fn fat_root(head: &[u8]) -> Option<Range<u64>> {
    const ENTRY_BYTES: u64 = 32;
    let byte = |at: usize| head.get(at).map(|byte| u64::from(*byte));
    let short = |at: usize| Some(byte(at)? | byte(at + 1)? << 8);
    let long = |at: usize| Some(short(at)? | short(at + 2)? << 16);
    let (sector, cluster) = (short(11)?, short(11)? * byte(13)?);
    let table = if short(22)? == 0 { long(36)? } else { short(22)? };
    let tables_end = sector * (short(14)? + byte(16)? * table);
    let (begin, length) = match short(17)? {
        // FAT32: clusters are counted from 2.
        0 => (tables_end + cluster * long(44)?.checked_sub(2)?, cluster),
        entries => (tables_end, entries * ENTRY_BYTES),
    };
    Some(begin..begin + length)
}

/// Reads a superblock (struct ext4_super_block in the kernel's fs/ext4/ext4.h).
fn ext(superblock: &[u8]) -> Found {
    const HAS_JOURNAL: u32 = 0x4;
    const RECOVER: u32 = 0x4;
    const JOURNAL_DEVICE: u32 = 0x8;
    const MULTIPLE_MOUNT_PROTECTION: u32 = 0x100;
    const ORPHAN_PRESENT: u32 = 0x1_0000;
    let number = |at: usize| {
        let four = superblock.get(at..at + 4).and_then(|four| four.try_into().ok());
        four.map_or(0, u32::from_le_bytes)
    };
    let (compatible, incompatible, read_only) = (number(92), number(96), number(100));
    if incompatible & JOURNAL_DEVICE != 0 {
        return Found::Refused("the journal of another device");
    }
    // Applied by the kernel before ours; no stick has them unless somebody means something by it.
    if superblock[512..576].iter().any(|byte| *byte != 0) {
        return Found::Refused("ext4 with mount options of its own");
    }
    let (journal_inode, journal_device, last_orphan) = (number(224), number(228), number(232));
    let own_journal = compatible & HAS_JOURNAL == 0 || journal_inode != 0 && journal_device == 0;
    Found::Readable(FileSystem::Ext(Ext {
        is_dirty: incompatible & RECOVER != 0
            || last_orphan != 0
            || read_only & ORPHAN_PRESENT != 0,
        is_simple: own_journal && incompatible & MULTIPLE_MOUNT_PROTECTION == 0,
    }))
}

impl FileSystem {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            FileSystem::Fat => "FAT",
            FileSystem::ExFat => "exFAT",
            FileSystem::Ext(_) => "ext4",
        }
    }

    /// The kernel's name for it.
    pub fn kind(self) -> &'static str {
        match self {
            FileSystem::Fat => "vfat",
            FileSystem::ExFat => "exfat",
            FileSystem::Ext(_) => "ext4",
        }
    }

    /// Options to look at it. A fault of it never ends the kernel, and it is not written: its journal
    /// is not replayed.
    pub fn options_to_read(self) -> &'static str {
        match self {
            FileSystem::Fat | FileSystem::ExFat => "errors=remount-ro",
            FileSystem::Ext(_) => "errors=remount-ro,noload",
        }
    }

    /// Options to write to it.
    pub fn options_to_write(self) -> &'static str {
        "errors=remount-ro"
    }

    /// Whether the kernel may write to it even when it is mounted read-only: to delete files that had
    /// no name any more, or to note an error.
    pub fn is_written_when_read(self) -> bool {
        matches!(self, FileSystem::Ext(_))
    }

    /// Whether it may have files that cannot be looked at without writing to it.
    pub fn is_dirty(self) -> bool {
        matches!(self, FileSystem::Ext(Ext { is_dirty: true, .. }))
    }

    /// Whether to write to it involves nothing but this device.
    pub fn is_simple(self) -> bool {
        !matches!(self, FileSystem::Ext(Ext { is_simple: false, .. }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first bytes of a device with this at some place.
    fn head(parts: &[(usize, &[u8])]) -> Vec<u8> {
        let mut head = vec![0; 4_096];
        for (at, bytes) in parts {
            head[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        head
    }

    fn ext_with(parts: &[(usize, &[u8])]) -> Option<Found> {
        let mut all = vec![(56, &b"\x53\xef"[..]), (92, &[0x4, 0, 0, 0]), (224, &[8, 0, 0, 0])];
        all.extend_from_slice(parts);
        all.iter_mut().for_each(|(at, _)| *at += 1_024);
        find(&head(&all))
    }

    #[test]
    fn a_device_is_known_by_its_first_bytes_and_by_no_trial() {
        let fat = [(0, &[0xeb, 0x3c, 0x90][..]), (510, &[0x55, 0xaa])];
        assert_eq!(find(&head(&fat)), Some(Found::Readable(FileSystem::Fat)));
        let exfat = [fat[0], (3, b"EXFAT   "), fat[1]];
        assert_eq!(find(&head(&exfat)), Some(Found::Readable(FileSystem::ExFat)));
        let ntfs = [fat[0], (3, b"NTFS    "), fat[1]];
        assert_eq!(find(&head(&ntfs)), None);
        assert_eq!(find(&head(&[])), None);
        assert_eq!(find(b"short"), None);
    }

    #[test]
    fn the_root_folder_of_a_fat_is_where_its_boot_sector_says() {
        // 512 bytes a sector, 4 sectors a cluster, 1 reserved, 2 tables of 9 sectors, 512 entries.
        let fat16: [(usize, &[u8]); 6] =
            [(11, &[0, 2]), (13, &[4]), (14, &[1, 0]), (16, &[2]), (17, &[0, 2]), (22, &[9, 0])];
        assert_eq!(fat_root(&head(&fat16)), Some(19 * 512..19 * 512 + 512 * 32));
        // 8 sectors a cluster, 32 reserved, 2 tables of 100 sectors, the root in cluster 3.
        let fat32: [(usize, &[u8]); 6] =
            [(11, &[0, 2]), (13, &[8]), (14, &[32, 0]), (16, &[2]), (36, &[100]), (44, &[3])];
        let begin = (32 + 200 + 8) * 512;
        assert_eq!(fat_root(&head(&fat32)), Some(begin..begin + 8 * 512));
        assert!(fat_root(&[0xff; 512]).is_some(), "no sum is too large");
        assert_eq!(fat_root(&[0; 512]), None, "no such cluster");
        assert_eq!(fat_root(&[]), None);
    }

    #[test]
    fn a_superblock_says_whether_reading_or_writing_has_further_effects() {
        let ext = |is_dirty, is_simple| {
            Some(Found::Readable(FileSystem::Ext(Ext { is_dirty, is_simple })))
        };
        assert_eq!(ext_with(&[]), ext(false, true));
        assert_eq!(ext_with(&[(92, &[0; 4]), (224, &[0; 4])]), ext(false, true), "no journal");
        assert_eq!(ext_with(&[(96, &[0x4, 0, 0, 0])]), ext(true, true), "a journal to be replayed");
        assert_eq!(ext_with(&[(232, &[13, 0, 0, 0])]), ext(true, true), "a file to be deleted");
        assert_eq!(ext_with(&[(102, &[1, 0])]), ext(true, true), "the same in the newer form");
        let elsewhere: [(usize, &[u8]); 2] = [(224, &[0; 4]), (228, &[1, 8, 0, 0])];
        assert_eq!(ext_with(&elsewhere), ext(false, false), "a journal on /dev/sda1");
        assert_eq!(ext_with(&[(97, &[1])]), ext(false, false), "waits for other machines");
        assert!(matches!(ext_with(&[(512, b"errors=panic")]), Some(Found::Refused(_))));
        assert!(matches!(ext_with(&[(96, &[0x8, 0, 0, 0])]), Some(Found::Refused(_))));
    }

    #[test]
    fn no_metadata_decides_what_a_fault_does() {
        let dirty = FileSystem::Ext(Ext { is_dirty: true, is_simple: true });
        for file_system in [FileSystem::Fat, FileSystem::ExFat, dirty] {
            for options in [file_system.options_to_read(), file_system.options_to_write()] {
                assert!(options.split(',').any(|option| option == "errors=remount-ro"));
            }
        }
        assert!(dirty.options_to_read().contains("noload"), "the journal is not replayed");
    }
}
