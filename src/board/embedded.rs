//! The profiles in the binary.

/// Name and text of every profile in `board/`, by name (build.rs).
const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/boards.rs"));

/// The names of the embedded profiles.
pub fn names() -> impl Iterator<Item = &'static str> {
    EMBEDDED.iter().map(|(name, _)| *name)
}

/// The text of an embedded profile, by its name or its file name (`sim`, `sim.toml`). It is the
/// resolver for [`Profile::load`](crate::board::Profile::load) when there are no files next to the
/// binary.
pub fn embedded(name: &str) -> Option<String> {
    let name = name.strip_suffix(".toml").unwrap_or(name);
    EMBEDDED.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned())
}
