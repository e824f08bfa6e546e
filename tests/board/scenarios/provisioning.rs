//! Settings come over the serial line or by a stick, whole or not at all.

use firstmile::panel::Indication;

use crate::rig::server::Server;
use crate::rig::stick::Stick;
use crate::rig::{Board, KEY, ready_or_skip};

/// A stick as an owner writes it.
fn settings(server: &Server) -> String {
    format!(
        "version = 1\r\nerase_key = true\r\n[[destination]]\r\nname = \"tube\"\r\nurl = \"{}\"\r\n\
         key = \"{KEY}\"\r\nca_file = \"/etc/firstmile/authority.pem\"\r\n",
        server.url()
    )
}

#[test]
fn a_stick_provisions_the_box_and_loses_its_key() {
    let Some(ready) = ready_or_skip() else { return };
    let server = Server::start();
    let mut board = Board::fresh(&ready);
    board.trust(&server);
    let stick = Stick::with_settings(&settings(&server));
    board.plug(&stick);
    board.until("ready");
    board.until_lights(Indication::Ready);
    board.sh("until ! systemctl -q is-active 'firstmile-import@*'; do sleep 0.5; done; sync");
    board.unplug(&stick);
    let told = stick.read("firstmile-result.txt");
    assert!(told.contains("accepted") && !told.contains(KEY), "{told}");
    assert!(!stick.read("firstmile.toml").contains(KEY), "the stick still has the key");
    board.goes_live();
    server.receives(50_000);
    board.stops();
    server.only_programme();
}

// Shows F29.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_hostile_stick_is_refused_and_changes_nothing_while_live() {
    let Some(ready) = ready_or_skip() else { return };
    let server = Server::start();
    let mut board = Board::fresh(&ready);
    board.provision(&server);
    board.goes_live();
    let shown = board.asks("show destination");
    let long = vec![b'#'; 200 * 1024];
    let escapes = b"version = 1\n\x1b]0;owned\x07[[destination]]\nname = \"\x1b[2Jx\"\n";
    let mut fat = std::fs::read(Stick::with_settings("version = 1\n").image()).expect("a stick");
    fat[512..40_000].fill(0xFF); // the allocation table is gone
    let sticks = [
        Stick::with_settings(
            "version = 1\n[[destination]]\nname = \"tube\"\nurl = \"gopher://x\"\n",
        ),
        Stick::with_settings(&String::from_utf8_lossy(escapes)),
        Stick::with_settings(&String::from_utf8_lossy(&long)),
        Stick::raw(&fat),
        Stick::raw(&[0x5A; 4096]),
    ];
    for stick in &sticks {
        board.plug(stick);
        board.sh("for n in 1 2 3 4 5 6 7 8 9 10; do [ -b /dev/sda ] && break; sleep 0.5; done; \
             udevadm settle; until ! systemctl -q is-active 'firstmile-import@*'; do sleep 0.5; done");
        board.unplug(stick);
        board.until("live");
    }
    // The last two have no folder to write a result into.
    for stick in &sticks[..3] {
        let told = stick.read("firstmile-result.txt");
        assert!(told.contains("refused") && told.contains("firstmile.toml"), "{told}");
    }
    server.receives(30_000);
    let after = board.asks("show destination");
    assert_eq!(shown, after, "a stick changed a setting");
    assert!(!board.console.said().contains('\x07'), "an escape sequence reached the console");
    board.stops();
    server.only_programme();
}
