//! What a USB device says of itself: descriptors of a camera (USB Video Class 1.1), of a microphone (USB Audio Class 1.0), and of
//! both in one device.
//!
//! Pure.

use super::camera::{INTERVALS_100_NS, SIZES, Transfer};

/// The endpoint of the camera's frames, and that of the microphone's audio.
pub const VIDEO_ENDPOINT: u8 = 1;
pub const AUDIO_ENDPOINT: u8 = 2;
/// The unit of a camera with its controls, and that of a microphone.
pub const PROCESSING_UNIT: u8 = 2;
pub const FEATURE_UNIT: u8 = 2;
/// Bytes of a packet of frames, and of one of audio.
pub const VIDEO_PACKET_BYTES: u16 = 1024;
pub const AUDIO_PACKET_BYTES: u16 = 960;

const IN: u8 = 0x80;
const DEVICE: u8 = 1;
const CONFIGURATION: u8 = 2;
const STRING: u8 = 3;
const INTERFACE: u8 = 4;
const ENDPOINT: u8 = 5;
const ASSOCIATION: u8 = 11;
const OF_CLASS: u8 = 0x24;
const OF_CLASS_ENDPOINT: u8 = 0x25;
const AUDIO: u8 = 0x01;
const VIDEO: u8 = 0x0E;
const CONTROL: u8 = 1;
const STREAMING: u8 = 2;
/// The number that pid.codes keeps for tests.
const VENDOR: u16 = 0x1209;
const PRODUCT: u16 = 0x0001;
/// The form in which the kernel knows YUYV.
const YUY2: [u8; 16] = *b"YUY2\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71";

/// What is in a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Functions {
    pub camera: Option<Transfer>,
    pub microphone: bool,
}

impl Functions {
    /// The first interface of the microphone; that of a camera is 0.
    pub fn audio_interface(&self) -> u8 {
        if self.camera.is_some() { 2 } else { 0 }
    }
}

/// A descriptor of this type: its length comes before it.
fn descriptor(kind: u8, rest: &[u8]) -> Vec<u8> {
    let length = u8::try_from(rest.len() + 2).expect("descriptors are short");
    [&[length, kind], rest].concat()
}

fn interface(number: u8, alternate: u8, endpoints: u8, class: u8, subclass: u8) -> Vec<u8> {
    descriptor(INTERFACE, &[number, alternate, endpoints, class, subclass, 0, 0])
}

/// The descriptor of the device.
pub fn device() -> Vec<u8> {
    const USB_2: u16 = 0x0200;
    // Its interfaces say what they are, in groups.
    let (class, subclass, protocol, packet, configurations) = (0xEF, 2, 1, 64, 1);
    let mut rest = USB_2.to_le_bytes().to_vec();
    rest.extend([class, subclass, protocol, packet]);
    for number in [VENDOR, PRODUCT, 0x0100] {
        rest.extend(number.to_le_bytes());
    }
    rest.extend([1, 2, 3, configurations]);
    descriptor(DEVICE, &rest)
}

/// A text of the device; the first is the list of languages.
pub fn string(text: Option<&str>) -> Vec<u8> {
    const US_ENGLISH: u16 = 0x0409;
    let words = text.map_or(vec![US_ENGLISH], |text| text.encode_utf16().collect());
    descriptor(STRING, &words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>())
}

/// All that belongs to its one configuration.
pub fn configuration(functions: &Functions) -> Vec<u8> {
    let mut all = Vec::new();
    let mut interfaces = 0;
    if let Some(transfer) = functions.camera {
        let collection = 3;
        all.extend(descriptor(ASSOCIATION, &[interfaces, 2, VIDEO, collection, 0, 0]));
        all.extend(camera(interfaces, transfer));
        interfaces += 2;
    }
    if functions.microphone {
        all.extend(descriptor(ASSOCIATION, &[interfaces, 2, AUDIO, CONTROL, 0, 0]));
        all.extend(microphone(interfaces));
        interfaces += 2;
    }
    let total = u16::try_from(9 + all.len()).expect("configurations are short");
    let (powered_by_the_bus, milliamps) = (0x80, 100 / 2);
    let mut rest = total.to_le_bytes().to_vec();
    rest.extend([interfaces, 1, 0, powered_by_the_bus, milliamps]);
    [descriptor(CONFIGURATION, &rest), all].concat()
}

/// A header of class descriptors, whose length it has within it.
fn headed(header: impl Fn(u16) -> Vec<u8>, others: &[Vec<u8>]) -> Vec<u8> {
    let others = others.concat();
    let total = header(0).len() + others.len();
    [header(u16::try_from(total).expect("they are short")), others].concat()
}

fn camera(first: u8, transfer: Transfer) -> Vec<u8> {
    const VERSION: u16 = 0x0110;
    const CLOCK_HZ: u32 = 48_000_000;
    let (lens, output) = (1, 3);
    let header = |total: u16| {
        let mut rest = vec![1];
        rest.extend(VERSION.to_le_bytes());
        rest.extend(total.to_le_bytes());
        rest.extend(CLOCK_HZ.to_le_bytes());
        rest.extend([1, first + 1]);
        descriptor(OF_CLASS, &rest)
    };
    // A sensor without controls of its own; brightness and contrast; a stream.
    let terminal = [2, lens, 0x01, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0];
    let processing = [5, PROCESSING_UNIT, lens, 0, 0, 2, 0b11, 0, 0, 0];
    let stream = [3, output, 0x01, 0x01, 0, PROCESSING_UNIT, 0];
    let of_control = [&terminal[..], &processing[..], &stream[..]];
    let of_control = of_control.map(|rest| descriptor(OF_CLASS, rest));

    let endpoint = IN | VIDEO_ENDPOINT;
    let inputs = |total: u16| {
        let mut rest = vec![1, 2];
        rest.extend(total.to_le_bytes());
        rest.extend([endpoint, 0, output, 0, 0, 0, 1, 0, 0]);
        descriptor(OF_CLASS, &rest)
    };
    let count = SIZES.len() as u8;
    let mut raw = vec![4, 1, count];
    raw.extend(YUY2);
    raw.extend([16, 1, 0, 0, 0, 0]);
    let compressed = [6, 2, count, 1, 1, 0, 0, 0, 0];
    // sRGB with BT.601's matrix, as nearly all webcams.
    let colours = descriptor(OF_CLASS, &[13, 1, 1, 4]);
    let mut formats = vec![descriptor(OF_CLASS, &raw)];
    formats.extend(frames(5));
    formats.push(colours.clone());
    formats.push(descriptor(OF_CLASS, &compressed));
    formats.extend(frames(7));
    formats.push(colours);

    let streaming =
        |alternate, endpoints| interface(first + 1, alternate, endpoints, VIDEO, STREAMING);
    let mut all = interface(first, 0, 0, VIDEO, CONTROL);
    all.extend(headed(header, &of_control));
    let formats = headed(inputs, &formats);
    match transfer {
        Transfer::Bulk => {
            const PACKET: [u8; 2] = 512_u16.to_le_bytes();
            all.extend(streaming(0, 1));
            all.extend(formats);
            all.extend(descriptor(ENDPOINT, &[endpoint, 2, PACKET[0], PACKET[1], 0]));
        }
        Transfer::Isochronous => {
            const PACKET: [u8; 2] = VIDEO_PACKET_BYTES.to_le_bytes();
            const ASYNCHRONOUS: u8 = 0b0101;
            all.extend(streaming(0, 0));
            all.extend(formats);
            all.extend(streaming(1, 1));
            all.extend(descriptor(ENDPOINT, &[endpoint, ASYNCHRONOUS, PACKET[0], PACKET[1], 1]));
        }
    }
    all
}

/// The sizes of a format, each with all rates.
fn frames(subtype: u8) -> impl Iterator<Item = Vec<u8>> {
    SIZES.into_iter().zip(1..).map(move |((width, height), index)| {
        let mut rest = vec![subtype, index, 0];
        rest.extend(width.to_le_bytes());
        rest.extend(height.to_le_bytes());
        let bytes = u32::from(width) * u32::from(height) * 2;
        for number in [bytes * 8, bytes * 8 * 30, bytes, INTERVALS_100_NS[0]] {
            rest.extend(number.to_le_bytes());
        }
        rest.push(INTERVALS_100_NS.len() as u8);
        rest.extend(INTERVALS_100_NS.iter().flat_map(|interval| interval.to_le_bytes()));
        descriptor(OF_CLASS, &rest)
    })
}

fn microphone(first: u8) -> Vec<u8> {
    const PACKET: [u8; 2] = AUDIO_PACKET_BYTES.to_le_bytes();
    const RATE: [u8; 4] = super::microphone::RATE_HZ.to_le_bytes();
    const EVERY_MILLISECOND: u8 = 4;
    const ASYNCHRONOUS: u8 = 0b0101;
    const FULL_PACKETS: u8 = 0x80;
    let (input, output) = (1, 3);
    let header = |total: u16| {
        let total = total.to_le_bytes();
        descriptor(OF_CLASS, &[1, 0x00, 0x01, total[0], total[1], 1, first + 1])
    };
    // A stereo microphone; mute and volume of both channels together; a stream.
    let terminal = [2, input, 0x01, 0x02, 0, 2, 0b11, 0, 0, 0];
    let feature = [6, FEATURE_UNIT, input, 1, 0b11, 0, 0, 0];
    let stream = [3, output, 0x01, 0x01, 0, FEATURE_UNIT, 0];
    let of_control = [&terminal[..], &feature[..], &stream[..]];
    let of_control = of_control.map(|rest| descriptor(OF_CLASS, rest));

    let mut all = interface(first, 0, 0, AUDIO, CONTROL);
    all.extend(headed(header, &of_control));
    all.extend(interface(first + 1, 0, 0, AUDIO, STREAMING));
    all.extend(interface(first + 1, 1, 1, AUDIO, STREAMING));
    all.extend(descriptor(OF_CLASS, &[1, output, 1, 0x01, 0x00]));
    all.extend(descriptor(OF_CLASS, &[2, 1, 2, 2, 16, 1, RATE[0], RATE[1], RATE[2]]));
    let address = IN | AUDIO_ENDPOINT;
    let endpoint = [address, ASYNCHRONOUS, PACKET[0], PACKET[1], EVERY_MILLISECOND, 0, 0];
    all.extend(descriptor(ENDPOINT, &endpoint));
    all.extend(descriptor(OF_CLASS_ENDPOINT, &[1, FULL_PACKETS, 0, 0, 0]));
    all
}

const ALL: [Functions; 4] = [
    Functions { camera: Some(Transfer::Bulk), microphone: false },
    Functions { camera: Some(Transfer::Isochronous), microphone: false },
    Functions { camera: None, microphone: true },
    Functions { camera: Some(Transfer::Bulk), microphone: true },
];

/// Each descriptor of a configuration.
fn split(mut all: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while let Some(length) = all.first() {
        let (one, rest) = all.split_at(usize::from(*length));
        found.push(one);
        all = rest;
    }
    found
}

#[test]
fn the_lengths_of_a_configuration_and_of_each_part_of_it_add_up() {
    for functions in ALL {
        let all = configuration(&functions);
        assert_eq!(usize::from(u16::from_le_bytes([all[2], all[3]])), all.len());
        let parts = split(&all);
        let interfaces: Vec<u8> =
            parts.iter().filter(|part| part[1] == INTERFACE).map(|part| part[2]).collect();
        let last = interfaces.iter().max().expect("it has some");
        assert_eq!(all[4], last + 1, "{interfaces:?}");
        // The class descriptors that follow an interface are as long as their header says.
        for (at, header) in parts.iter().enumerate().skip(1) {
            let own = match (parts[at - 1], *header) {
                ([_, INTERFACE, _, _, _, VIDEO, CONTROL, ..], [_, OF_CLASS, ..]) => &header[5..7],
                ([_, INTERFACE, _, _, _, VIDEO, STREAMING, ..], [_, OF_CLASS, ..]) => &header[4..6],
                ([_, INTERFACE, _, _, _, AUDIO, CONTROL, ..], [_, OF_CLASS, ..]) => &header[5..7],
                _ => continue,
            };
            let of_class = parts[at..].iter().take_while(|part| part[1] == OF_CLASS);
            let length: usize = of_class.map(|part| part.len()).sum();
            assert_eq!(usize::from(u16::from_le_bytes([own[0], own[1]])), length, "{header:?}");
        }
    }
}

#[test]
fn a_device_has_three_texts_and_says_in_its_interfaces_what_it_is() {
    assert_eq!(device().len(), 18);
    assert_eq!(string(None), [4, STRING, 9, 4]);
    assert_eq!(string(Some("A1")), [6, STRING, b'A', 0, b'1', 0]);
}
