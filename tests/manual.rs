//! What the README says of the lights is what the lights do.

use std::path::Path;

use firstmile::panel::manual::table_markdown;

const BEGIN: &str = "<!-- lights: begin (generated from src/panel, checked by a test) -->\n";
const END: &str = "<!-- lights: end -->";

#[test]
fn the_readme_s_table_of_lights_is_the_one_that_drives_them() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).expect("README.md");
    let (before, rest) = readme.split_once(BEGIN).expect("README.md marks the table's begin");
    let (table, after) = rest.split_once(END).expect("README.md marks the table's end");
    let right = table_markdown();
    if table != right && std::env::var_os("FIRSTMILE_BLESS").is_some() {
        let blessed = [before, BEGIN, &right, END, after].concat();
        std::fs::write(&path, blessed).expect("README.md can be written");
        return;
    }
    assert_eq!(table, right, "FIRSTMILE_BLESS=1 writes the table anew");
}
