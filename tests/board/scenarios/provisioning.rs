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
