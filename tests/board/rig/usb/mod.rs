//! USB cameras and microphones: devices of the rig's own, which the board imports over TCP as if they were plugged into it
//! (USB/IP), so that the kernel's real drivers drive them.

pub mod camera;
mod descriptors;
mod device;
pub mod microphone;
pub mod numbered;
pub mod tone;
mod wire;

use std::io::{self, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use self::camera::{Camera, Transfer};
use self::descriptors::Functions;
use self::device::{Device, Faults, Make};
use self::microphone::Microphone;
use super::Board;

/// The kernel's controller of imported devices.
const CONTROLLER: &str = "/sys/devices/platform/vhci_hcd.0";
/// How often it is seen whether something is due. A frame of 30 a second lasts 33 ms, and a packet of audio 5.
const PACE: Duration = Duration::from_millis(4);

/// A USB device, plugged in or not. Dropping it pulls it out.
pub struct UsbDevice {
    tcp_port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    make: Make,
    began: Instant,
    plugged: Mutex<Plugged>,
    /// The wire to the machine that it is plugged into.
    wire: Mutex<Option<TcpStream>>,
}

/// The device since it was plugged in.
struct Plugged {
    /// How often it has been: what is left of an earlier time does not answer.
    times: u32,
    device: Device,
}

impl UsbDevice {
    /// A camera. Those of the same number are alike but for the grey below their frames.
    pub fn camera(transfer: Transfer) -> UsbDevice {
        UsbDevice::new(Some(transfer), false, "Test Camera", 0)
    }

    /// Another one of the same make and serial number, as cheap ones have it. Its frames alone tell it from the first.
    pub fn second_camera(transfer: Transfer) -> UsbDevice {
        UsbDevice::new(Some(transfer), false, "Test Camera", 1)
    }

    pub fn microphone() -> UsbDevice {
        UsbDevice::new(None, true, "Test Microphone", 0)
    }

    /// A camera with a microphone in it.
    pub fn camera_with_microphone() -> UsbDevice {
        UsbDevice::new(Some(Transfer::Bulk), true, "Test Webcam", 0)
    }

    fn new(
        camera: Option<Transfer>,
        microphone: bool,
        product: &'static str,
        which: usize,
    ) -> UsbDevice {
        let functions = Functions { camera, microphone };
        let make = Make { functions, product, serial: "4711", which };
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let tcp_port = listener.local_addr().expect("its address").port();
        let shared = Arc::new(Shared {
            make,
            began: Instant::now(),
            plugged: Mutex::new(Plugged { times: 0, device: Device::new(make, Faults::default()) }),
            wire: Mutex::default(),
        });
        let of_listener = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = of_listener.clone();
                // A machine that lets go of it ends this.
                thread::spawn(move || shared.serve(client));
            }
        });
        UsbDevice { tcp_port, shared }
    }

    /// Pulls it out.
    pub fn pull(&self) {
        if let Some(wire) = lock(&self.shared.wire).take() {
            let _ = wire.shutdown(Shutdown::Both);
        }
    }

    /// Changes what is wrong with it.
    pub fn faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut lock(&self.shared.plugged).device.faults);
    }

    /// Looks at its camera.
    pub fn of_camera<T>(&self, look: impl FnOnce(&Camera) -> T) -> T {
        look(lock(&self.shared.plugged).device.camera.as_ref().expect("it has a camera"))
    }

    /// Looks at its microphone.
    pub fn of_microphone<T>(&self, look: impl FnOnce(&Microphone) -> T) -> T {
        look(lock(&self.shared.plugged).device.microphone.as_ref().expect("it has a microphone"))
    }
}

impl Drop for UsbDevice {
    fn drop(&mut self) {
        self.pull();
    }
}

/// A scenario that has failed still pulls its devices out.
fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Is the device of a machine until it is pulled out, or the machine lets go.
    fn serve(self: &Arc<Self>, client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        wire::read_import(&mut &client)?;
        let times = self.power_on();
        *lock(&self.wire) = Some(client.try_clone()?);
        (&client).write_all(&wire::imported(&descriptors::device()))?;
        let is_plugged = Arc::new(AtomicBool::new(true));
        let (shared, of_pace, still) = (self.clone(), client.try_clone()?, is_plugged.clone());
        let pace = thread::spawn(move || {
            while still.load(Ordering::SeqCst) {
                thread::sleep(PACE);
                if shared.answers(times, &of_pace, Device::deliver).is_err() {
                    return;
                }
            }
        });
        while let Ok(command) = wire::read_command(&mut &client) {
            if self.answers(times, &client, |device, now| device.take(command, now)).is_err() {
                break;
            }
        }
        is_plugged.store(false, Ordering::SeqCst);
        let _ = client.shutdown(Shutdown::Both);
        let _ = pace.join();
        Ok(())
    }

    /// It forgets what it was set to.
    fn power_on(&self) -> u32 {
        let mut plugged = lock(&self.plugged);
        plugged.device = Device::new(self.make, plugged.device.faults);
        plugged.times += 1;
        plugged.times
    }

    /// Sends what the device answers. One at a time, so that answers keep their order.
    fn answers(
        &self,
        times: u32,
        mut wire: &TcpStream,
        act: impl FnOnce(&mut Device, Duration) -> Vec<u8>,
    ) -> io::Result<()> {
        let mut plugged = lock(&self.plugged);
        if plugged.times != times {
            return Err(io::ErrorKind::NotConnected.into());
        }
        let answers = act(&mut plugged.device, self.began.elapsed());
        if answers.is_empty() { Ok(()) } else { wire.write_all(&answers) }
    }
}

impl Board {
    /// Gives the board USB ports for devices of the rig's, and the drivers of cameras and microphones.
    #[track_caller]
    pub fn has_usb_ports(&mut self) {
        self.sh(&format!(
            "modprobe -a vhci-hcd uvcvideo snd-usb-audio && [ -e {CONTROLLER}/attach ]"
        ));
    }

    /// Plugs a device into one of those ports, from 0 on; gives the board's time of it.
    #[track_caller]
    pub fn plug_in(&mut self, device: &UsbDevice, port: u32) -> Duration {
        let (tcp_port, bus_id) = (device.tcp_port, wire::BUS_ID);
        let zeros = 32 - bus_id.len();
        // The kernel needs a moment until the port is free again.
        let at = self.sh(&format!(
            r#"bash -c 'exec 3<>/dev/tcp/10.0.2.2/{tcp_port} || exit 1
            {{ printf "\1\21\200\3\0\0\0\0"; printf {bus_id}; head -c {zeros} /dev/zero; }} >&3
            [ "$(head -c 320 <&3 | wc -c)" = 320 ] || exit 2
            for try in {{1..300}}; do
                if echo "{port} 3 65538 3" 2>/dev/null >{CONTROLLER}/attach; then
                    read now rest </proc/uptime; echo $now; exit 0
                fi
                sleep 0.1
            done; exit 3'"#
        ));
        Duration::from_secs_f64(at.trim().parse().expect("seconds"))
    }

    /// What the kernel calls one of those ports, and so does the box: such as `3-1`.
    #[track_caller]
    pub fn usb_port(&mut self, port: u32) -> String {
        let bus = self.sh(&format!(
            "for bus in {CONTROLLER}/usb[0-9]*; do [ \"$(cat $bus/speed)\" = 480 ] && cat $bus/busnum; done; :"
        ));
        format!("{}-{}", bus.trim(), port + 1)
    }
}

mod tests {
    use std::io::Read;

    use super::wire::kernel;
    use super::*;

    #[test]
    fn a_device_is_imported_asked_pulled_out_and_plugged_in_again_as_new() {
        let device = UsbDevice::camera(Transfer::Bulk);
        for _ in 0..2 {
            let mut wire = TcpStream::connect(("127.0.0.1", device.tcp_port)).expect("it listens");
            wire.write_all(&kernel::import()).expect("writes");
            let mut answer = [0; kernel::IMPORTED_BYTES];
            wire.read_exact(&mut answer).expect("an answer");
            assert_eq!(answer[..8], [1, 0x11, 0, 3, 0, 0, 0, 0]);
            let brightness = |code, is_in: bool, data: &[u8]| {
                let kind = if is_in { 0xA1 } else { 0x21 };
                wire::Command::Submit(wire::Submit {
                    seqnum: 1,
                    is_in,
                    endpoint: 0,
                    length: 2,
                    setup: [kind, code, 0, 2, 0, 2, 2, 0],
                    data: data.to_vec(),
                    packets: Vec::new(),
                })
            };
            let mut ask = |code, is_in, data: &[u8]| {
                let command = kernel::command(&brightness(code, is_in, data));
                wire.write_all(&command).expect("writes");
                kernel::read_ended(&mut wire, is_in).expect("an answer")
            };
            assert_eq!(ask(0x81, true, &[]).data, [0, 0], "as new");
            assert_eq!(ask(0x01, false, &[9, 0]).status, 0);
            assert_eq!(device.of_camera(|camera| camera.value("brightness")), 9);
            device.pull();
            assert_eq!(wire.read(&mut [0; 8]).unwrap_or(0), 0);
        }
    }
}
