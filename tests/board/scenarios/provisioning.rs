//! Settings come over the serial line or by a stick, whole or not at all.
//!
//! With: a PL011 serial port, USB storage, FAT, exFAT and ext4.

use firstmile::panel::{Attention, Indication};

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
    let stick = Stick::partitioned();
    stick.put("firstmile.toml", settings(&server).as_bytes());
    let output = board.offer(&stick);
    assert!(output.contains("settings applied"), "{output}");
    board.until("ready");
    board.until_lights(Indication::Ready);
    let result = stick.read("firstmile-result.txt");
    assert!(result.contains("accepted") && !result.contains(KEY), "{result}");
    assert!(!stick.read("firstmile.toml").contains(KEY), "the stick still has the key");
    board.goes_live();
    server.receives(50_000);
    board.stops();
    server.only_stream();
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn sticks_of_exfat_and_ext4_are_read_too() {
    let Some(ready) = ready_or_skip() else { return };
    let mut board = Board::fresh(&ready);
    for tool in ["mkfs.exfat", "mkfs.ext4"] {
        let stick = Stick::formatted_by(tool);
        let output = board.offer(&stick);
        assert!(output.contains("nothing to do"), "{output}");
        let settings = format!("version = 1\n[box]\nname = \"{tool}\"\n");
        board.on_computer(&stick, &format!("printf '{settings}' >firstmile.toml"));
        let output = board.offer(&stick);
        assert!(output.contains("settings applied"), "{output}");
        assert!(board.asks("show box.name").contains(tool));
        let result = board.on_computer(&stick, "cat firstmile-result.txt");
        assert!(result.contains("accepted"), "{result}");
    }
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
    let torn = format!("version = 1\n{}[box]\nname = \"torn\"\n", "# much to read\n".repeat(2_000));
    let mut torn = std::fs::read(Stick::with_settings(&torn).image()).expect("a stick");
    torn[512..16_384].fill(0xFF); // the allocation table is gone
    let sticks = [
        Stick::with_settings(
            "version = 1\n[[destination]]\nname = \"tube\"\nurl = \"gopher://x\"\n",
        ),
        Stick::with_settings(&String::from_utf8_lossy(escapes)),
        Stick::with_settings(&String::from_utf8_lossy(&long)),
    ];
    for stick in &sticks {
        let output = board.offer(stick);
        assert!(output.contains("firstmile: ") && output.contains("firstmile.toml"), "{output}");
        assert!(
            !output.contains("sda1"),
            "a stick without partitions is looked at twice: {output}"
        );
        board.until("live");
        let result = stick.read("firstmile-result.txt");
        assert!(result.contains("refused") && result.contains("firstmile.toml"), "{result}");
    }
    let output = board.offer(&Stick::raw(&torn));
    assert!(output.contains("the stick cannot be read"), "{output}");
    // Without a file system it is nobody's business.
    let (output, other) = (board.imports(), Stick::raw(&[0x5A; 4096]));
    board.plug(&other);
    board.sh("until [ -b /dev/sda ]; do sleep 0.5; done; udevadm settle; sleep 3");
    board.unplug(&other);
    assert_eq!(board.imports(), output);
    board.until("live");
    board.until_lights(Indication::Live { attention: Attention::None });
    server.receives(30_000);
    let after = board.asks("show destination");
    assert_eq!(shown, after, "a stick changed a setting");
    assert!(!board.console.output().contains('\x07'), "an escape sequence reached the console");
    board.stops();
    server.only_stream();
}
