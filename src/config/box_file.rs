//! Files of the box that settings name.

use std::path::PathBuf;

use crate::typed_toml::{Mistake, Place};

/// A file of the box that a stick names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoxFile {
    /// Where the stick names it.
    pub place: Place,
    /// The setting.
    pub setting: &'static str,
    /// The file.
    pub path: PathBuf,
}

impl BoxFile {
    /// What is wrong where there is no such file on the box.
    pub fn missing(&self) -> String {
        let problem = format!(
            "there is no file {} on the box; files are not copied from a stick and are named with \
             their whole path on the box",
            self.path.display()
        );
        Mistake { place: self.place.clone(), key: self.setting.to_owned(), problem }.to_string()
    }
}
