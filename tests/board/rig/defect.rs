//! Real defects in the program as it is shipped, which has no door for them: a debugger on the board leads one thread
//! to a place in the program that panics.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::{Folder, run};

use super::Board;

const TOOL_TIMEOUT: Duration = Duration::from_secs(300);
/// What the compiler calls when a sum does not fit. It takes the place in the source and does not return.
const PANICS: &str = "panic_const_add_overflow";
/// Where `cargo` leaves the program before the package's copy is stripped.
const BUILT: &str = "target/aarch64-unknown-linux-gnu/release/firstmile";

/// The address, within the program, of instructions that call a panic with its place in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defect(u64);

impl Defect {
    /// Looks for one in the program of the package under test, by the symbols of the build that the package was made of.
    pub fn find() -> Defect {
        let built = Path::new(env!("CARGO_MANIFEST_DIR")).join(BUILT);
        assert_eq!(build_id(&built), build_id(&packaged().1), "the package is of another build");
        let mut list = Command::new("aarch64-linux-gnu-objdump");
        list.args(["-d", "--no-show-raw-insn", "--section=.text"]).arg(built);
        let listing = run(&mut list, TOOL_TIMEOUT).ok().stdout;
        call(&listing).expect("overflow checks are on")
    }
}

/// The program in the package, and the folder that keeps it.
fn packaged() -> (Folder, PathBuf) {
    let folder = Folder::new("program");
    let package = env::var_os("FIRSTMILE_BOARD_PACKAGE").expect("the package");
    run(Command::new("dpkg-deb").arg("-x").arg(package).arg(folder.path()), TOOL_TIMEOUT).ok();
    let program = folder.path().join("usr/bin/firstmile");
    (folder, program)
}

fn build_id(program: &Path) -> String {
    let notes =
        run(Command::new("aarch64-linux-gnu-readelf").arg("-n").arg(program), TOOL_TIMEOUT).ok();
    let id = notes.stdout.lines().find(|line| line.contains("Build ID")).map(str::to_owned);
    id.unwrap_or_else(|| panic!("{} has no build id", program.display()))
}

/// The first call of the panic whose place is loaded right before it.
fn call(listing: &str) -> Option<Defect> {
    let lines: Vec<&str> = listing.lines().collect();
    let found = lines.windows(3).find(|three| {
        let has = |n: usize, words: &[&str]| words.iter().all(|word| three[n].contains(word));
        has(0, &["\tadrp\tx0,"]) && has(1, &["\tadd\tx0, x0,"]) && has(2, &["\tbl\t", PANICS])
    })?;
    let address = found[0].split(':').next()?.trim();
    u64::from_str_radix(address, 16).ok().map(Defect)
}

impl Board {
    /// The names of the threads of the box's program, each once.
    pub fn thread_names(&mut self, process: &str) -> Vec<String> {
        let names = self.sh(&format!("cat /proc/{process}/task/*/comm | sort -u"));
        names.lines().map(str::to_owned).collect()
    }

    /// Lets a thread of this name go on at the defect; `false` if there is none, or each ended before the debugger came.
    #[track_caller]
    pub fn panics(&mut self, process: &str, name: &str, Defect(address): Defect) -> bool {
        // One that waits in the kernel: it holds none of the locks that the panic itself needs.
        let output = self.sh(&format!(
            "base=$(grep -m 1 bin/firstmile /proc/{process}/maps | cut -d - -f 1); \
             for n in 1 2 3 4 5 6 7 8; do for each in $(grep -l -x '{name}' /proc/{process}/task/*/comm 2>/dev/null); do \
             grep -q running ${{each%comm}}syscall && continue; thread=${{each%/comm}}; \
             gdb -nx -batch -iex 'set auto-solib-add off' -p ${{thread##*/}} -ex \"set \\$pc = 0x$base + {address}\" \
             -ex detach 2>&1 | tee /dev/shm/gdb; grep -q detached /dev/shm/gdb && break 2; done; done; rm -f /dev/shm/gdb"
        ));
        output.contains("detached")
    }
}

#[test]
fn a_call_is_found_with_its_place() {
    let listing = "  10:\tadrp\tx0, 1000 <x>\n  14:\tbl\t50 <other>\n  18:\tadrp\tx0, 2000 <y>\n  \
                   1c:\tadd\tx0, x0, #0x10\n  20:\tbl\t90 <_ZN24panic_const_add_overflow17hE>\n";
    assert_eq!(call(listing), Some(Defect(0x18)));
    assert_eq!(call("  20:\tbl\t90 <_ZN24panic_const_add_overflow17hE>\n"), None);
}
