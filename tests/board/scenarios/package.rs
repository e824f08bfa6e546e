//! Another version of the package keeps what the owner has set.
//!
//! With: `dpkg`, systemd.

use std::process::Command;
use std::time::Duration;

use firstmile::panel::Indication;

use crate::rig::server::Server;
use crate::rig::stick::Stick;
use crate::rig::{Board, KEY, ready_or_skip};
use crate::support::{Folder, run};

/// The package under test, labelled with another version.
fn package(version: &str) -> Vec<u8> {
    let folder = Folder::new("package");
    let package = std::env::var_os("FIRSTMILE_BOARD_PACKAGE").expect("the package");
    let (tree, built) = (folder.path().join("tree"), folder.path().join("firstmile.deb"));
    let dpkg = |arguments: &[&std::ffi::OsStr]| {
        run(Command::new("dpkg-deb").args(arguments), Duration::from_secs(120)).ok();
    };
    dpkg(&["-R".as_ref(), &package, tree.as_ref()]);
    let control = tree.join("DEBIAN/control");
    let text = std::fs::read_to_string(&control).expect("its control file");
    let line = text.lines().find(|line| line.starts_with("Version: ")).expect("a version");
    std::fs::write(&control, text.replace(line, &format!("Version: {version}"))).expect("writes");
    dpkg(&[
        "--root-owner-group".as_ref(),
        "-Zgzip".as_ref(),
        "-b".as_ref(),
        tree.as_ref(),
        built.as_ref(),
    ]);
    std::fs::read(built).expect("the package")
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn upgrades_and_downgrades_keep_the_settings() {
    let Some(ready) = ready_or_skip() else { return };
    let server = Server::start();
    let mut board = Board::fresh(&ready);
    board.provision(&server);
    board.types("set box.name stage\r", "box.name is set");
    let stick = Stick::empty();
    stick.put("newer.deb", &package("99.0-1"));
    stick.put("older.deb", &package("0.0.1-1"));
    board.plug(&stick);
    board
        .sh("until [ -b /dev/sda ]; do sleep 0.5; done; udevadm settle; mkdir -p /run/stick; mount -o ro /dev/sda /run/stick");
    for (name, version) in [("newer", "99.0-1"), ("older", "0.0.1-1")] {
        let installed =
            board.try_sh(&format!("dpkg -i --force-downgrade /run/stick/{name}.deb 2>&1"));
        assert_eq!(installed.code, 0, "{}", installed.text);
        let now = board.sh("dpkg-query -W -f '${Version} ${db:Status-Status}' firstmile");
        assert_eq!(now, format!("{version} installed"));
        board.sh("systemctl is-active firstmile || systemctl start firstmile");
        board.until("ready");
        board.until_lights(Indication::Ready);
        let shown = board.asks("show");
        assert!(shown.contains("stage"), "{shown}");
        assert!(shown.contains(&format!("set, {} characters", KEY.len())), "{shown}");
    }
    board.goes_live();
    server.receives(40_000);
    board.stops();
    server.only_stream();
}
