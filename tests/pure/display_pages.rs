//! The pages of the display as people see them: an image each in docs/display, four times as large.
//!
//! `FIRSTMILE_BLESS=1 cargo test --test pure display_pages` writes them; look at them before you commit.

use core::net::{IpAddr, Ipv4Addr};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::time::Duration;

use firstmile::config;
use firstmile::display::{
    Drawing, Figures, Frame, Front, HEIGHT, Meter, Place, SETTINGS_TEXT, WIDTH,
};
use firstmile::panel::{Attention, Because, Fault, Indication};

/// How much larger the images are.
const SCALE: usize = 4;
const NOW: Duration = Duration::from_secs(10_000);
const LIVE: Indication = Indication::Live { attention: Attention::None };

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/display")
}

fn place(name: &str, is_live: bool) -> Place {
    Place { name: name.to_owned(), is_live, is_backup: false }
}

fn front(indication: Indication) -> Front {
    let is_live = matches!(indication, Indication::Live { .. });
    Front {
        name: "firstmile".to_owned(),
        address: Some(IpAddr::V4(Ipv4Addr::new(192, 168, 178, 42))),
        indication,
        moment: None,
        words: None,
        live_since: indication.is_broadcast().then(|| NOW - Duration::from_secs(4_357)),
        destinations: vec![place("youtube", is_live)],
        figures: is_live.then_some(Figures { sent_kbps: 4_012, full_kbps: 4_128, delay_ds: 1 }),
        meters: match is_live {
            true => [(-21, -12), (-24, -15)]
                .map(|(rms_dbfs, peak_dbfs)| Meter { rms_dbfs, peak_dbfs })
                .to_vec(),
            false => Vec::new(),
        },
    }
}

fn with(indication: Indication, words: &str) -> Front {
    Front { words: Some(words.to_owned()), ..front(indication) }
}

fn live(attention: Attention) -> Front {
    front(Indication::Live { attention })
}

fn retrying(because: Because, words: &str) -> Front {
    with(Indication::Retrying { because }, words)
}

fn moment(moment: Indication) -> Front {
    Front { moment: Some(moment), ..front(Indication::Ready) }
}

/// Every page, with its name.
fn pages() -> Vec<(&'static str, Front)> {
    let hot = "too hot: 81 °C at cpu-thermal, and the limit is 80 °C; give the box air, shade or a heat sink";
    let no_network = || front(Indication::NoNetwork);
    let several = ["youtube", "twitch", "facebook", "stream.example.org"];
    vec![
        ("starting", Front { address: None, ..front(Indication::Starting) }),
        ("needs-setup", Front { destinations: Vec::new(), ..front(Indication::NeedsSetup) }),
        ("needs-key", with(Indication::NeedsSetup, "destination youtube has no stream key")),
        ("ready", front(Indication::Ready)),
        (
            "ready-several",
            Front {
                destinations: several.map(|name| place(name, false)).to_vec(),
                ..front(Indication::Ready)
            },
        ),
        ("ready-warning", with(Indication::ReadyWarning, hot)),
        ("no-network", Front { address: None, ..no_network() }),
        (
            "no-network-wifi",
            Front {
                address: None,
                words: Some("Anna's iPhone: the passphrase is wrong".to_owned()),
                ..no_network()
            },
        ),
        ("connecting", front(Indication::Connecting)),
        ("live", live(Attention::None)),
        (
            "live-several",
            Front {
                destinations: several.map(|name| place(name, true)).to_vec(),
                ..live(Attention::None)
            },
        ),
        (
            "live-slow",
            Front {
                figures: Some(Figures { sent_kbps: 612, full_kbps: 4_128, delay_ds: 19 }),
                meters: vec![Meter { rms_dbfs: -18, peak_dbfs: -3 }],
                ..live(Attention::None)
            },
        ),
        ("live-no-camera", live(Attention::Camera)),
        ("live-no-microphone", live(Attention::Microphone)),
        (
            "live-destination-missing",
            Front {
                words: Some(
                    "twitch: stream key refused; please double-check your stream key".to_owned(),
                ),
                destinations: vec![place("youtube", true), place("twitch", false)],
                ..live(Attention::Destination)
            },
        ),
        ("live-warning", Front { words: Some(hot.to_owned()), ..live(Attention::Warning) }),
        ("retrying-no-network", front(Indication::Retrying { because: Because::NoNetwork })),
        (
            "retrying-network",
            retrying(Because::Network, "youtube: connection lost: connection reset by peer"),
        ),
        ("retrying-busy", retrying(Because::Busy, "youtube: stream key still in use")),
        ("retrying-refused", retrying(Because::Refused, "youtube: stream key refused")),
        (
            "retrying-certificate",
            retrying(
                Because::Certificate,
                "own: certificate not accepted: it is for another name than stream.example.org",
            ),
        ),
        ("stopping", front(Indication::Stopping)),
        (
            "fault-camera",
            with(Indication::Fault(Fault::Camera), "no camera was found at usb:1-1.3"),
        ),
        ("fault-microphone", with(Indication::Fault(Fault::Microphone), "no sound card records")),
        (
            "fault-encoder",
            with(Indication::Fault(Fault::Encoder), "the encoder delivers no key frame"),
        ),
        (
            "fault-internal",
            with(Indication::Fault(Fault::Internal), "a thread of the mixer has ended"),
        ),
        ("already", moment(Indication::Already)),
        ("not-now", moment(Indication::Refused)),
        ("stick-working", moment(Indication::StickWorking)),
        ("stick-accepted", moment(Indication::StickAccepted)),
        ("stick-refused", moment(Indication::StickRefused)),
        ("reset-begun", moment(Indication::ResetBegun)),
        ("reset-armed", moment(Indication::ResetArmed)),
    ]
}

fn drawn() -> Vec<(&'static str, Frame)> {
    let drawing = Drawing::new(None);
    let mut drawn: Vec<_> =
        pages().into_iter().map(|(name, front)| (name, drawing.draw(NOW, &front))).collect();
    let setup = Front { destinations: Vec::new(), ..front(Indication::NeedsSetup) };
    let manual = Drawing::new(Some("https://manual.example.org/box"));
    drawn.push(("needs-setup-manual", manual.draw(NOW, &setup)));
    let six = Front {
        address: Some("2001:db8:1234:5678:9abc:def0:1234:5678".parse().expect("an address")),
        ..setup
    };
    drawn.push(("needs-setup-ipv6", drawing.draw(NOW, &six)));
    drawn
}

/// The pixels of an image, a byte each.
fn enlarged(frame: &Frame) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(WIDTH * HEIGHT * SCALE * SCALE);
    for y in 0..HEIGHT * SCALE {
        let row = (0..WIDTH * SCALE).map(|x| frame.is_lit(x / SCALE, y / SCALE));
        pixels.extend(row.map(|is_lit| if is_lit { 0xff } else { 0 }));
    }
    pixels
}

fn write(path: &Path, pixels: &[u8]) {
    let file = BufWriter::new(File::create(path).expect("a file"));
    let mut encoder = png::Encoder::new(file, (WIDTH * SCALE) as u32, (HEIGHT * SCALE) as u32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let packed: Vec<u8> = pixels
        .chunks(8)
        .map(|eight| eight.iter().fold(0, |byte, pixel| byte << 1 | (pixel & 1)))
        .collect();
    encoder.write_header().expect("its head").write_image_data(&packed).expect("its pixels");
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let mut decoder = png::Decoder::new(BufReader::new(File::open(path).ok()?));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().ok()?;
    let mut pixels = vec![0; reader.output_buffer_size()?];
    reader.next_frame(&mut pixels).ok()?;
    Some(pixels)
}

#[test]
fn every_page_looks_as_its_image_in_the_documents() {
    let is_blessed = std::env::var_os("FIRSTMILE_BLESS").is_some();
    let drawn = drawn();
    for (name, frame) in &drawn {
        let (path, pixels) = (folder().join(format!("{name}.png")), enlarged(frame));
        if is_blessed {
            write(&path, &pixels);
        }
        let reviewed = read(&path);
        assert!(
            reviewed.as_ref() == Some(&pixels),
            "docs/display/{name}.png differs (FIRSTMILE_BLESS=1 writes it):\n{frame:?}"
        );
    }
    let known: BTreeSet<String> = drawn.iter().map(|(name, _)| format!("{name}.png")).collect();
    let there = fs::read_dir(folder()).expect("the folder").flatten();
    let there: BTreeSet<String> =
        there.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    assert_eq!(there, known);
}

#[test]
fn whatever_the_lights_can_show_has_a_page_of_its_own() {
    let (drawing, pages) = (Drawing::new(None), pages());
    for indication in Indication::ALL {
        // Follows from another page at once.
        if indication == Indication::Pressed {
            continue;
        }
        let shown = pages.iter().filter(|(_, front)| match indication.is_momentary() {
            true => front.moment == Some(indication),
            false => front.moment.is_none() && front.indication == indication,
        });
        assert!(shown.count() > 0, "{}", indication.name());
    }
    let different: BTreeSet<String> =
        pages.iter().map(|(_, front)| format!("{:?}", drawing.draw(NOW, front))).collect();
    assert_eq!(different.len(), pages.len(), "no two pages are alike");
}

#[test]
fn the_time_on_air_changes_its_page_alone_and_once_a_second() {
    let drawing = Drawing::new(None);
    for (name, front) in pages() {
        let is_live = matches!(front.indication, Indication::Live { .. }) && front.moment.is_none();
        let next = drawing.next_change(NOW, &front);
        assert_eq!(next.is_some(), is_live, "{name}");
        let Some(next) = next else { continue };
        assert!(next > NOW && next <= NOW + Duration::from_secs(1), "{name}");
        let before = drawing.draw(next - Duration::from_nanos(1), &front);
        assert_eq!(before, drawing.draw(NOW, &front), "{name}");
        assert_ne!(before, drawing.draw(next, &front), "{name}");
    }
}

#[test]
fn the_settings_in_the_code_are_what_a_stick_may_hold_once_they_are_filled_in() {
    let filled = SETTINGS_TEXT
        .replace("url=\"\"", "url=\"rtmps://a.example.org/live\"")
        .replace("key=\"\"", "key=\"abcd-efgh-ijkl\"");
    assert_ne!(filled, SETTINGS_TEXT);
    let parsed = config::parse("firstmile.toml", &filled).expect("settings");
    let (settings, _) =
        config::effective(&parsed, &config::Partial::default(), &config::Partial::default());
    assert_eq!(settings.lack(), None, "a box with them is ready");
}

#[test]
fn a_delay_fills_its_bar_and_a_figure_that_is_too_large_stays_beside_it() {
    let drawing = Drawing::new(None);
    let with = |figures| Front { figures: Some(figures), ..front(LIVE) };
    let lit = |front: &Front| {
        let frame = drawing.draw(NOW, front);
        // Inside of the bar of the delay.
        (30..70).filter(|x| frame.is_lit(*x, 35)).count()
    };
    let delay = |delay_ds| Figures { sent_kbps: 1, full_kbps: 2, delay_ds };
    let filled: Vec<usize> =
        [0, 10, 20, 30, u32::MAX].map(|delay_ds| lit(&with(delay(delay_ds)))).to_vec();
    assert!(filled.is_sorted() && filled[0] == 0, "{filled:?}");
    assert_eq!(filled[3], filled[4], "three seconds are all of it: {filled:?}");
    assert!(filled[1] > 0 && filled[3] == 40, "{filled:?}");
}
