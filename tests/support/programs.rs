//! What the tests need that does not come with the source.

/// The programs that tests ask for, and the Debian package that brings each: what `.ci/setup test` does
/// not install is missing on the build server.
pub const PROGRAMS: &[(&str, &str)] = &[
    ("blockdev", "util-linux"),
    ("curl", "curl"),
    ("debugfs", "e2fsprogs"),
    ("ffmpeg", "ffmpeg"),
    ("ffprobe", "ffmpeg"),
    ("losetup", "mount"),
    ("mkfs.btrfs", "btrfs-progs"),
    ("mkfs.ext4", "e2fsprogs"),
    ("mkfs.ntfs", "ntfs-3g"),
    ("mkswap", "util-linux"),
    ("openssl", "openssl"),
    ("sfdisk", "fdisk"),
    ("unshare", "util-linux"),
];
