//! The storage where settings are: its room, and its wear where it is an eMMC that counts it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::stat::{major, minor};
use nix::sys::statvfs::statvfs;

use super::files::{flags, text};
use crate::status::{Space, Wear};

/// Layers of device mapper that are looked through.
const LAYERS_MAX: usize = 4;

/// The room that is left to this program there.
pub fn space(folder: &Path) -> Option<Space> {
    let found = statvfs(folder).ok()?;
    let kib = |blocks: u64| blocks.saturating_mul(found.fragment_size() as u64) / 1_024;
    let (available, total) = (found.blocks_available() as u64, found.blocks() as u64);
    let space = Space { available_kib: kib(available), total_kib: kib(total) };
    (space.total_kib > 0).then_some(space)
}

/// The folder of the device that carries a folder, where it shows its wear.
pub fn device(sys: &Path, folder: &Path) -> Option<PathBuf> {
    let of = fs::metadata(folder).ok()?.dev();
    let mut node = sys.join(format!("dev/block/{}:{}", major(of), minor(of)));
    for _ in 0..LAYERS_MAX {
        // A partition is in the folder of its disk.
        let device = [node.join("device"), node.join("../device")];
        if let Some(device) = device.into_iter().find(|device| shows_wear(device)) {
            return Some(device);
        }
        // What is below, for an encrypted or a mapped partition.
        node = fs::read_dir(node.join("slaves")).ok()?.flatten().next()?.path();
    }
    None
}

fn shows_wear(device: &Path) -> bool {
    device.join("life_time").exists() || device.join("pre_eol_info").exists()
}

/// The wear of an eMMC (JESD84-B51 section 7.4, EXT_CSD 267 to 269). Of its two kinds of memory the
/// one that is more worn counts.
pub fn wear(device: &Path) -> Option<Wear> {
    let lives = text(&device.join("life_time")).unwrap_or_default();
    let used = lives.split_whitespace().filter_map(|life| {
        // 1 is up to a tenth, 10 is the last tenth, 11 is more than all of it; 0 is not counted.
        let tenths = u32::from_str_radix(life.trim_start_matches("0x"), 16).ok()?;
        (1..=11).contains(&tenths).then(|| if tenths == 11 { 101 } else { (tenths - 1) * 10 })
    });
    let used_percent = used.max();
    // 1 is normal; 2 has used 80 % of what replaces bad blocks, and 3 more.
    let reserve = flags(&device.join("pre_eol_info")).filter(|state| (1..=3).contains(state));
    if used_percent.is_none() && reserve.is_none() {
        return None;
    }
    Some(Wear { used_percent, reserve_low: reserve.is_some_and(|state| state > 1) })
}
