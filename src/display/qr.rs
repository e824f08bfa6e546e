//! A QR code that fits beside a few words.

use qrcodegen::{QrCode, QrCodeEcc, QrSegment, Version};

/// What a box without destinations needs on a stick: the least of a settings file, for whoever reads it with
/// a telephone and has no manual at hand.
pub const SETTINGS_TEXT: &str = "version=1\n[[destination]]\nname=\"a\"\nurl=\"\"\nkey=\"\"\n";

/// Modules of two pixels, and three pixels of margin at each side, are all of the display's height.
const VERSION_MAX: u8 = 3;

/// A code, and whether it is that of a manual.
#[derive(Debug, Clone)]
pub struct Code {
    /// Modules in a row.
    pub size: i32,
    /// Row by row, whether a module is dark.
    modules: Vec<bool>,
    /// It holds the address of a manual, and not the least of a settings file.
    pub is_manual: bool,
}

impl Code {
    /// The code of that address, or of the least of a settings file.
    pub fn new(manual: Option<&str>) -> Code {
        let code = |text: &str| {
            let segments = QrSegment::make_segments(text);
            let (least, most) = (Version::new(1), Version::new(VERSION_MAX));
            let low = QrCodeEcc::Low;
            QrCode::encode_segments_advanced(&segments, low, least, most, None, true).ok()
        };
        let of_manual = manual.and_then(code);
        let is_manual = of_manual.is_some();
        let Some(code) = of_manual.or_else(|| code(SETTINGS_TEXT)) else {
            return Code { size: 0, modules: Vec::new(), is_manual };
        };
        let size = code.size();
        let places = (0..size).flat_map(|y| (0..size).map(move |x| (x, y)));
        let modules = places.map(|(x, y)| code.get_module(x, y)).collect();
        Code { size, modules, is_manual }
    }

    /// The dark modules: column and row.
    pub fn dark(&self) -> impl Iterator<Item = (i32, i32)> {
        let rows = (0..).zip(self.modules.chunks(self.size.unsigned_abs().max(1) as usize));
        rows.flat_map(|(y, row)| {
            let columns = (0..).zip(row).filter(|(_, is_dark)| **is_dark);
            columns.map(move |(x, _)| (x, y))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::DISPLAY_MANUAL_BYTES_MAX;

    #[test]
    fn the_longest_address_that_a_profile_may_have_fits() {
        let longest = "https://example.org/manual/".to_owned() + &"a".repeat(99);
        let (fits, not) =
            (&longest[..DISPLAY_MANUAL_BYTES_MAX], &longest[..=DISPLAY_MANUAL_BYTES_MAX]);
        assert!(Code::new(Some(fits)).is_manual);
        let instead = Code::new(Some(not));
        assert!(!instead.is_manual && instead.size == 29, "the settings in its place");
        let code = Code::new(None);
        assert_eq!(
            (code.size, code.dark().next()),
            (29, Some((0, 0))),
            "a finder pattern's corner"
        );
        assert!(code.dark().all(|(x, y)| (0..29).contains(&x) && (0..29).contains(&y)));
    }
}
