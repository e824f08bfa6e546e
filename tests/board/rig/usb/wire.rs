//! USB over TCP as Linux has it (USB/IP 1.1.1, `Documentation/usb/usbip_protocol.rst` of the kernel): what a kernel asks of a
//! device that it has imported, and the answers.
//!
//! Pure.

use std::io::{self, Read};

/// The name by which the one device of a port is imported.
pub const BUS_ID: &str = "1-1";
/// What the kernel calls a stalled endpoint, a transfer that went wrong on the wire, and one that was withdrawn.
pub const STALLED: i32 = -32;
pub const FAILED: i32 = -71;
pub const WITHDRAWN: i32 = -104;

const VERSION: u16 = 0x0111;
const IMPORT: u16 = 0x8003;
const IMPORTED: u16 = 0x0003;
const BUS_ID_BYTES: usize = 32;
const PATH_BYTES: usize = 256;

const SUBMIT: u32 = 1;
const UNLINK: u32 = 2;
const SUBMITTED: u32 = 3;
const UNLINKED: u32 = 4;
pub const HEADER_BYTES: usize = 48;
const PACKET_BYTES: usize = 16;
/// More than any driver asks for; protects the rig from bytes that are no command.
const TRANSFER_BYTES_MAX: usize = 4 * 1024 * 1024;
const PACKETS_MAX: usize = 1024;

/// What a kernel asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Submit(Submit),
    /// Withdraws a transfer.
    Unlink {
        seqnum: u32,
        of: u32,
    },
}

/// A transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submit {
    pub seqnum: u32,
    /// To the machine, rather than to the device.
    pub is_in: bool,
    pub endpoint: u8,
    /// Bytes at most.
    pub length: usize,
    /// The setup packet of a control transfer.
    pub setup: [u8; 8],
    /// What goes to the device.
    pub data: Vec<u8>,
    /// Where each packet of an isochronous transfer lies, and its bytes at most; no packets in any other.
    pub packets: Vec<(u32, u32)>,
}

/// Reads the request to import the device of this port.
///
/// # Errors
/// What was sent instead.
pub fn read_import(from: &mut impl Read) -> io::Result<()> {
    let mut request = [0; 8 + BUS_ID_BYTES];
    from.read_exact(&mut request)?;
    let (code, bus_id) = (u16::from_be_bytes([request[2], request[3]]), &request[8..]);
    let is_ours = bus_id.starts_with(BUS_ID.as_bytes()) && bus_id[BUS_ID.len()] == 0;
    if code == IMPORT && is_ours { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// The answer: a high-speed device with this descriptor.
pub fn imported(device: &[u8]) -> Vec<u8> {
    const HIGH_SPEED: u32 = 3;
    let mut answer = Vec::new();
    answer.extend(VERSION.to_be_bytes());
    answer.extend(IMPORTED.to_be_bytes());
    answer.extend(0_u32.to_be_bytes());
    answer.extend(padded("/rig/1-1", PATH_BYTES));
    answer.extend(padded(BUS_ID, BUS_ID_BYTES));
    for number in [1, 2, HIGH_SPEED] {
        answer.extend(number.to_be_bytes());
    }
    // Vendor, product and version are little-endian in the descriptor and big-endian here.
    for at in [8, 10, 12] {
        answer.extend([device[at + 1], device[at]]);
    }
    let (class, no_configuration_yet, interfaces) = (&device[4..7], 0, 0);
    answer.extend(class);
    answer.extend([no_configuration_yet, device[17], interfaces]);
    answer
}

fn padded(text: &str, length: usize) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(length, 0);
    bytes
}

/// Reads the next command of an imported device.
///
/// # Errors
/// When the machine has let go of the device, or sends no command.
pub fn read_command(from: &mut impl Read) -> io::Result<Command> {
    let mut header = [0; HEADER_BYTES];
    from.read_exact(&mut header)?;
    let word = |at: usize| {
        u32::from_be_bytes([
            header[4 * at],
            header[4 * at + 1],
            header[4 * at + 2],
            header[4 * at + 3],
        ])
    };
    let (kind, seqnum, is_in) = (word(0), word(1), word(3) == 1);
    if kind == UNLINK {
        return Ok(Command::Unlink { seqnum, of: word(5) });
    }
    let length = word(6) as usize;
    // Where there are none it is 0, or -1.
    let count = if word(8) == u32::MAX { 0 } else { word(8) as usize };
    if kind != SUBMIT || length > TRANSFER_BYTES_MAX || count > PACKETS_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut data = vec![0; if is_in { 0 } else { length }];
    from.read_exact(&mut data)?;
    let mut packets = Vec::new();
    for _ in 0..count {
        let mut packet = [0; PACKET_BYTES];
        from.read_exact(&mut packet)?;
        let word =
            |at: usize| packet[at..at + 4].iter().fold(0, |all, byte| all << 8 | u32::from(*byte));
        packets.push((word(0), word(4)));
    }
    let endpoint = word(4) as u8;
    let setup = header[40..48].try_into().expect("eight bytes");
    Ok(Command::Submit(Submit { seqnum, is_in, endpoint, length, setup, data, packets }))
}

/// The answer to a control or bulk transfer: how it ended, and what goes to the machine.
pub fn submitted(submit: &Submit, ended: Result<&[u8], i32>) -> Vec<u8> {
    let (status, data) = ended.map_or_else(|status| (status, &[][..]), |data| (0, data));
    let data = &data[..data.len().min(submit.length)];
    let taken = if submit.is_in || status != 0 { data.len() } else { submit.length };
    let mut answer = answer(submit, status, taken, 0);
    if submit.is_in {
        answer.extend(data);
    }
    answer
}

/// The answer to an isochronous transfer: what each packet brings to the machine.
pub fn submitted_packets(submit: &Submit, packets: &[Vec<u8>]) -> Vec<u8> {
    let all = packets.iter().map(Vec::len).sum();
    let mut answer = answer(submit, 0, all, submit.packets.len());
    answer.extend(packets.iter().flatten());
    for (at, (offset, length)) in submit.packets.iter().enumerate() {
        let actual = packets.get(at).map_or(0, Vec::len);
        for number in [*offset, *length, actual as u32, 0] {
            answer.extend(number.to_be_bytes());
        }
    }
    answer
}

fn answer(submit: &Submit, status: i32, actual: usize, packets: usize) -> Vec<u8> {
    let mut answer = Vec::with_capacity(HEADER_BYTES + actual + packets * PACKET_BYTES);
    let (start_frame, errors) = (0, 0);
    let numbers = [SUBMITTED, submit.seqnum, 0, 0, 0, status as u32, actual as u32, start_frame];
    for number in numbers.into_iter().chain([packets as u32, errors, 0, 0]) {
        answer.extend(number.to_be_bytes());
    }
    answer
}

/// The answer to a withdrawal; one that came too late has no effect.
pub fn unlinked(seqnum: u32, was_waiting: bool) -> Vec<u8> {
    let status = if was_waiting { WITHDRAWN } else { 0 };
    let mut answer = Vec::with_capacity(HEADER_BYTES);
    for number in [UNLINKED, seqnum, 0, 0, 0, status as u32] {
        answer.extend(number.to_be_bytes());
    }
    answer.resize(HEADER_BYTES, 0);
    answer
}

/// The kernel's side, for tests.
pub mod kernel {
    use super::*;

    /// A request to import.
    pub fn import() -> Vec<u8> {
        let mut request = Vec::new();
        request.extend(VERSION.to_be_bytes());
        request.extend(IMPORT.to_be_bytes());
        request.extend(0_u32.to_be_bytes());
        request.extend(padded(BUS_ID, BUS_ID_BYTES));
        request
    }

    /// Bytes of the answer.
    pub const IMPORTED_BYTES: usize = 8 + PATH_BYTES + BUS_ID_BYTES + 24;

    /// A command.
    pub fn command(command: &Command) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut put = |numbers: &[u32]| {
            numbers.iter().for_each(|number| bytes.extend(number.to_be_bytes()));
        };
        let submit = match command {
            Command::Unlink { seqnum, of } => {
                put(&[UNLINK, *seqnum, 0, 0, 0, *of, 0, 0, 0, 0, 0, 0]);
                return bytes;
            }
            Command::Submit(submit) => submit,
        };
        let direction = u32::from(submit.is_in);
        put(&[SUBMIT, submit.seqnum, 0, direction, submit.endpoint.into(), 0]);
        put(&[submit.length as u32, 0, submit.packets.len() as u32, 0]);
        bytes.extend(submit.setup);
        bytes.extend(&submit.data);
        for (offset, length) in &submit.packets {
            for number in [*offset, *length, 0, 0] {
                bytes.extend(number.to_be_bytes());
            }
        }
        bytes
    }

    /// How a transfer ended, and what came; of an isochronous one, how much came in each packet.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Ended {
        pub seqnum: u32,
        pub status: i32,
        pub data: Vec<u8>,
        pub packets: Vec<u32>,
    }

    /// Reads the answer to a transfer, to the machine or to the device, or to a withdrawal.
    pub fn read_ended(from: &mut impl Read, is_in: bool) -> io::Result<Ended> {
        let mut header = [0; HEADER_BYTES];
        from.read_exact(&mut header)?;
        let word = |at: usize| u32::from_be_bytes(header[4 * at..][..4].try_into().expect("four"));
        let (mut data, mut packets) = (Vec::new(), Vec::new());
        if word(0) == SUBMITTED && is_in {
            data.resize(word(6) as usize, 0);
            from.read_exact(&mut data)?;
            for _ in 0..word(8) {
                let mut packet = [0; PACKET_BYTES];
                from.read_exact(&mut packet)?;
                packets.push(u32::from_be_bytes(packet[8..12].try_into().expect("four")));
            }
        }
        Ok(Ended { seqnum: word(1), status: word(5) as i32, data, packets })
    }
}

#[test]
fn a_command_is_read_as_the_kernel_wrote_it() {
    let bulk = Submit {
        seqnum: 7,
        is_in: true,
        endpoint: 1,
        length: 16_384,
        setup: [0; 8],
        data: Vec::new(),
        packets: Vec::new(),
    };
    let control = Submit {
        is_in: false,
        endpoint: 0,
        length: 2,
        setup: [0x21, 1, 0, 2, 0, 2, 2, 0],
        data: vec![5, 6],
        ..bulk.clone()
    };
    let isochronous = Submit { packets: vec![(0, 960), (960, 960)], length: 1920, ..bulk.clone() };
    let unlink = Command::Unlink { seqnum: 8, of: 7 };
    for command in [bulk, control, isochronous].map(Command::Submit).into_iter().chain([unlink]) {
        let bytes = kernel::command(&command);
        assert_eq!(read_command(&mut &bytes[..]).expect("a command"), command);
        for length in 0..bytes.len() {
            assert!(read_command(&mut &bytes[..length]).is_err(), "cut to {length}: {command:?}");
        }
    }
    assert!(read_command(&mut &[0xFF; 64][..]).is_err());
}

#[test]
fn packets_that_bring_less_than_they_may_are_sent_without_gaps_and_keep_their_places() {
    let packets = vec![(0, 4), (4, 4), (8, 4)];
    let submit = Submit {
        seqnum: 3,
        is_in: true,
        endpoint: 2,
        length: 12,
        setup: [0; 8],
        data: Vec::new(),
        packets,
    };
    let bytes = submitted_packets(&submit, &[vec![1, 2], vec![], vec![3, 4, 5, 6]]);
    let ended = kernel::read_ended(&mut &bytes[..], true).expect("an answer");
    assert_eq!((ended.status, ended.data), (0, vec![1, 2, 3, 4, 5, 6]));
    assert_eq!(ended.packets, [2, 0, 4]);
    assert_eq!(bytes[bytes.len() - PACKET_BYTES..][..8], [0, 0, 0, 8, 0, 0, 0, 4]);
}
