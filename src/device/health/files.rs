//! Small files of the kernel, each read within a bound.

use std::io::Read;
use std::path::Path;

use crate::file;
use crate::limits::{CELSIUS_MAX, CELSIUS_MIN, HEALTH_FILE_BYTES_MAX, HEALTH_HEAD_BYTES_MAX};

/// The text of a small file of the kernel.
pub fn text(path: &Path) -> Option<String> {
    let text = file::read_text(path, HEALTH_FILE_BYTES_MAX).ok()?;
    Some(text.trim().to_owned())
}

pub fn number(path: &Path) -> Option<i64> {
    text(path)?.parse().ok()
}

/// Flags in hexadecimal digits.
pub fn flags(path: &Path) -> Option<u64> {
    let text = text(path)?;
    u64::from_str_radix(text.strip_prefix("0x").unwrap_or(&text), 16).ok()
}

/// The beginning of a file that may be long.
pub fn head(path: &Path) -> String {
    let mut bytes = Vec::new();
    let read =
        file::open(path).map(|file| file.take(HEALTH_HEAD_BYTES_MAX).read_to_end(&mut bytes));
    match read {
        Ok(Ok(_)) => String::from_utf8_lossy(&bytes).into_owned(),
        _ => String::new(),
    }
}

/// A temperature of the kernel, which counts thousandths of a degree.
pub fn celsius(path: &Path) -> Option<i32> {
    let celsius = i32::try_from(number(path)?.div_euclid(1_000)).ok()?;
    (CELSIUS_MIN..=CELSIUS_MAX).contains(&celsius).then_some(celsius)
}
