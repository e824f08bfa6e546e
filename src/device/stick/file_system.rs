//! What is on a device that cannot be mounted, by its first bytes: its owner is to know what to do.

/// How much of a device is looked at: the farthest mark is that of Btrfs.
pub const HEAD_BYTES: usize = 68 * 1024;

/// A place in the first bytes, what stands there, and whose it is.
type Mark = (usize, &'static [u8], &'static str);

/// Each by the description of its format: offsets as util-linux's libblkid has them.
const MARKS: &[Mark] = &[
    (3, b"NTFS    ", "NTFS"),
    (3, b"-FVE-FS-", "a volume that BitLocker has encrypted"),
    (0, b"LUKS\xba\xbe", "a volume that LUKS has encrypted"),
    (3, b"EXFAT   ", "exFAT, which this system cannot read (or it is damaged)"),
    (82, b"FAT32   ", "a FAT that is damaged"),
    (54, b"FAT16   ", "a FAT that is damaged"),
    (54, b"FAT12   ", "a FAT that is damaged"),
    (1_080, b"\x53\xef", "ext2, ext3 or ext4 that is damaged"),
    (32, b"NXSB", "APFS"),
    (1_024, b"H+\x00\x04", "HFS+ (Mac OS Extended)"),
    (1_024, b"HX\x00\x05", "HFS+ (Mac OS Extended)"),
    (0, b"XFSB", "XFS"),
    (65_600, b"_BHRfS_M", "Btrfs"),
    (1_024, b"\x10\x20\xf5\xf2", "F2FS"),
    (32_769, b"CD001", "the image of a CD or DVD"),
    (32_769, b"BEA01", "UDF"),
    (0, b"hsqs", "SquashFS"),
    (536, b"LVM2 001", "a part of an LVM volume"),
    (4_086, b"SWAPSPACE2", "swap space"),
    (512, b"EFI PART", "a partition table (GPT) without a partition that can be read"),
    // On a medium of larger sectors.
    (4_096, b"EFI PART", "a partition table (GPT) without a partition that can be read"),
];

/// What a device holds, from its first [`HEAD_BYTES`].
pub fn found(head: &[u8]) -> &'static str {
    let stands = |(at, mark, _): &&Mark| head.get(*at..at + mark.len()) == Some(*mark);
    if let Some((_, _, what)) = MARKS.iter().find(stands) {
        return what;
    }
    if head.is_empty() {
        return "no medium in it";
    }
    if head.iter().all(|byte| *byte == 0) {
        return "no file system: it is not formatted";
    }
    // Four entries of 16 bytes before the mark; the type of an unused one is 0.
    let types = [450, 466, 482, 498].map(|at| head.get(at).copied().unwrap_or_default());
    if head.get(510..512) == Some(b"\x55\xaa") && types.iter().any(|kind| *kind != 0) {
        return "a partition table (MBR) without a partition that can be read";
    }
    "a file system that is not known here"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_is_found_where_its_format_has_it() {
        for (at, mark, what) in MARKS {
            let mut head = vec![0; HEAD_BYTES];
            head[*at..at + mark.len()].copy_from_slice(mark);
            assert_eq!(found(&head), *what);
            assert!(at + mark.len() <= HEAD_BYTES);
        }
    }

    #[test]
    fn what_has_no_mark_is_named_too() {
        assert!(found(&[0; HEAD_BYTES]).contains("not formatted"));
        assert!(found(&[0xff; HEAD_BYTES]).contains("not known"));
        assert!(found(&[]).contains("no medium"));
        let mut mbr = vec![0; HEAD_BYTES];
        (mbr[450], mbr[510], mbr[511]) = (0x83, 0x55, 0xaa);
        assert!(found(&mbr).contains("MBR"));
    }
}
