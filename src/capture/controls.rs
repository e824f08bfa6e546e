//! Hardware controls of cameras and sound cards: listed, set, and restored from the settings.
//!
//! A driver may hang in any of it, so it is called on a thread that may wait. Controls are set beside a
//! running capture, by a descriptor of their own.

mod camera;
mod card;
mod setting;
mod tool;

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use self::{camera::Camera, card::Card, setting::Driver};
pub use setting::{WasReset, WasSet};

use super::{
    discovery::{SoundCard, VideoNode, nodes_held_open, sound_cards, video_nodes},
    request::{CameraSource, MicrophoneSource},
};
use crate::{
    board::{CameraDevice, MicrophoneDevice},
    device_controls::{ControlSettings, ControlValue, ControlsOf, DeviceControls},
};

/// Why controls cannot be listed or set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlsError {
    /// the device is not there
    #[error("{0} is not connected")]
    NotConnected(String),
    /// in words
    #[error("{0}")]
    Refused(String),
}

/// What profile and settings ask for as sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlledSources {
    /// As a camera.
    pub camera: CameraSource,
    /// As a microphone.
    pub microphone: MicrophoneSource,
}

/// The device whose controls are meant.
#[derive(Debug, Clone, Copy)]
pub struct WhichDevice<'a> {
    /// Which sort of device.
    pub of: ControlsOf,
    /// Which would be used where none is named.
    pub sources: &'a ControlledSources,
    /// Its name in the settings.
    pub named: Option<&'a str>,
}

/// The controls of a device.
///
/// # Errors
/// [`ControlsError`].
pub fn device_controls(which: WhichDevice<'_>) -> Result<DeviceControls, ControlsError> {
    let Open { device, name, mut driver } = which.open()?;
    let controls = driver.describe().map_err(|error| refused(&name, &error))?;
    Ok(DeviceControls { of: which.of, device, name, controls })
}

/// Gives a control its default, or another value that prevails, on every device that the name fits; of
/// the first of them the outcome is given. Of the tables, which are devices as the settings name
/// them, it gives those that are of this device, the one that prevails last.
pub fn reset_device_control(
    which: WhichDevice<'_>,
    control: &str,
    to: Option<&ControlValue>,
    tables: &[String],
) -> WasReset {
    // Without a name the one device is meant that is captured from.
    let at_most = if which.named.is_some() { usize::MAX } else { 1 };
    let (tables, opened) = which.open_and_fit(tables, at_most);
    let reset =
        |Open { device, name, mut driver }: Open| match setting::set(&mut *driver, control, to) {
            Ok((control, outcome)) => {
                Ok(WasSet { device, name, control, outcome, tables: Vec::new() })
            }
            Err(why) => Err(format!("{name} {why}")),
        };
    let outcome = opened.map_err(|error| error.to_string()).and_then(|(first, others)| {
        let outcome = reset(first);
        for why in others.into_iter().filter_map(|other| reset(other).err()) {
            tracing::warn!("{why}");
        }
        outcome
    });
    WasReset { tables, outcome }
}

/// Those of the tables that are called as a device that cannot be asked now.
pub fn tables_of_absent_device(which: WhichDevice<'_>, tables: &[String]) -> Vec<String> {
    match which.of {
        ControlsOf::Camera => {
            let wanted =
                which.wanted(CameraDevice::of_controls, which.camera(), &which.sources.camera);
            wanted.map_or(Vec::new(), |wanted| {
                fitting(tables, CameraDevice::of_controls, |table| *table == wanted)
            })
        }
        ControlsOf::Microphone => {
            let source = &which.sources.microphone;
            let wanted = which.wanted(MicrophoneDevice::of_controls, which.microphone(), source);
            wanted.map_or(Vec::new(), |wanted| {
                fitting(tables, MicrophoneDevice::of_controls, |table| *table == wanted)
            })
        }
    }
}

/// Sets a control of a device, or gives it its default. Of the tables, which are devices as the settings
/// name them, it gives those that are of this device, with its own name, the one that prevails last.
///
/// # Errors
/// [`ControlsError`] with what is allowed.
pub fn set_device_control(
    which: WhichDevice<'_>,
    control: &str,
    value: Option<&ControlValue>,
    tables: &[String],
) -> Result<WasSet, ControlsError> {
    let (tables, opened) = which.open_and_fit(tables, 1);
    let (Open { device, name, mut driver }, _) = opened?;
    match setting::set(&mut *driver, control, value) {
        Ok((control, outcome)) => {
            let tables = with_own(which.of, tables, &device);
            Ok(WasSet { device, name, control, outcome, tables })
        }
        Err(why) => Err(ControlsError::Refused(format!("{name} {why}"))),
    }
}

/// Sets the controls of all devices of a sort that are there to what the settings say. Gives the names of
/// those that are not there.
pub fn restore_device_controls(of: ControlsOf, settings: &ControlSettings) -> Vec<String> {
    let root = Path::new("/");
    match of {
        ControlsOf::Camera => {
            let mut nodes = video_nodes(root);
            nodes.retain(VideoNode::may_be_camera);
            restore(&tables(settings, CameraDevice::of_controls), &nodes)
        }
        ControlsOf::Microphone => {
            restore(&tables(settings, MicrophoneDevice::of_controls), &sound_cards(root))
        }
    }
}

fn restore<D: Device>(tables: &[Table<'_, D::Wanted>], devices: &[D]) -> Vec<String> {
    for device in devices {
        let wanted = wanted(tables, |table| device.fits(table));
        if wanted.is_empty() {
            continue;
        }
        let name = device.product();
        let restored = match device.open() {
            Ok(Some(mut driver)) => setting::restore(&mut *driver, &wanted),
            // The second node of a camera, for metadata.
            Ok(None) => continue,
            Err(error) => {
                tracing::warn!(%error, "the controls of {name} are not restored");
                continue;
            }
        };
        if restored.changed > 0 {
            tracing::info!("{name}: {} controls set as the settings say", restored.changed);
        }
        for why in restored.refused {
            tracing::warn!("{name}: {why}");
        }
    }
    let is_missing = |(_, table, _): &&Table<'_, D::Wanted>| !devices.iter().any(|d| d.fits(table));
    tables.iter().filter(is_missing).map(|(name, ..)| (*name).clone()).collect()
}

/// A device that may have controls.
trait Device {
    /// What it may be called in the settings.
    type Wanted: Breadth;
    fn fits(&self, wanted: &Self::Wanted) -> bool;
    /// A name that survives replugging, if there is one, and means no other one of `all`.
    fn name_among(&self, all: &[Self]) -> String
    where
        Self: Sized;
    /// The product's name.
    fn product(&self) -> &str;
    /// Opens it for its controls; `None` where it is the node of something else.
    fn open(&self) -> std::io::Result<Option<Box<dyn Driver>>>;
}

/// How many devices a name fits.
trait Breadth {
    /// The higher, the fewer.
    fn rank(&self) -> u8;
}

impl Breadth for CameraDevice {
    fn rank(&self) -> u8 {
        match self {
            CameraDevice::Auto => 0,
            CameraDevice::Driver(_) => 1,
            CameraDevice::Name(_) => 2,
            CameraDevice::Usb(_) => 3,
            CameraDevice::Path(_) => 4,
        }
    }
}

impl Breadth for MicrophoneDevice {
    fn rank(&self) -> u8 {
        match self {
            MicrophoneDevice::Auto => 0,
            MicrophoneDevice::Name(_) => 1,
            MicrophoneDevice::Usb(_) => 2,
            MicrophoneDevice::Alsa(_) => 3,
        }
    }
}

impl Device for VideoNode {
    type Wanted = CameraDevice;

    fn fits(&self, wanted: &CameraDevice) -> bool {
        self.is(wanted)
    }

    fn name_among(&self, all: &[VideoNode]) -> String {
        match self.device(all) {
            // Its name says less than what it is plugged into.
            CameraDevice::Name(_) => self.stable_name(),
            device => device.to_string(),
        }
    }

    fn product(&self) -> &str {
        &self.name
    }

    fn open(&self) -> std::io::Result<Option<Box<dyn Driver>>> {
        Ok(Camera::open(&self.node)?.map(|camera| Box::new(camera) as Box<dyn Driver>))
    }
}

impl Device for SoundCard {
    type Wanted = MicrophoneDevice;

    fn fits(&self, wanted: &MicrophoneDevice) -> bool {
        self.is(wanted)
    }

    fn name_among(&self, all: &[SoundCard]) -> String {
        self.device(all)
    }

    fn product(&self) -> &str {
        &self.name
    }

    fn open(&self) -> std::io::Result<Option<Box<dyn Driver>>> {
        Ok(Some(Box::new(Card::of(&self.id))))
    }
}

/// The controls of a device by its name in the settings, and which devices that may be.
type Table<'a, W> = (&'a String, W, &'a BTreeMap<String, ControlValue>);

/// The tables of the settings, the one that fits most devices first: others override it.
fn tables<W: Breadth, E>(
    settings: &ControlSettings,
    parse: fn(&str) -> Result<W, E>,
) -> Vec<Table<'_, W>> {
    let tables = settings.iter();
    let tables = tables.filter_map(|(name, controls)| Some((name, parse(name).ok()?, controls)));
    let mut tables: Vec<Table<'_, W>> = tables.collect();
    tables.sort_by_key(|(_, device, _)| device.rank());
    tables
}

/// The names of tables that are of one device, the one that prevails last.
fn fitting<W: Breadth, E>(
    tables: &[String],
    parse: fn(&str) -> Result<W, E>,
    is_it: impl Fn(&W) -> bool,
) -> Vec<String> {
    let tables = tables.iter().filter_map(|name| Some((name, parse(name).ok()?)));
    let mut tables: Vec<_> = tables.filter(|(_, device)| is_it(device)).collect();
    tables.sort_by_key(|(_, device)| device.rank());
    tables.into_iter().map(|(name, _)| name.clone()).collect()
}

/// The tables of a device, and one of its own name.
fn with_own(of: ControlsOf, mut tables: Vec<String>, device: &str) -> Vec<String> {
    if !tables.iter().any(|table| table == device) {
        tables.push(device.to_owned());
        // As the settings have them, in which the later of two that fit as many devices prevails.
        tables.sort();
    }
    match of {
        ControlsOf::Camera => fitting(&tables, CameraDevice::of_controls, |_| true),
        ControlsOf::Microphone => fitting(&tables, MicrophoneDevice::of_controls, |_| true),
    }
}

/// What the tables say of one device.
fn wanted<W>(
    tables: &[Table<'_, W>],
    is_it: impl Fn(&W) -> bool,
) -> BTreeMap<String, ControlValue> {
    let of_it = tables.iter().filter(|(_, device, _)| is_it(device));
    let controls = of_it.flat_map(|(_, _, controls)| controls.iter());
    controls.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// A device that is open for its controls.
struct Open {
    device: String,
    name: String,
    driver: Box<dyn Driver>,
}

/// The first device that could be opened, and the further ones; or why there is none.
type Opened = Result<(Open, Vec<Open>), ControlsError>;

impl WhichDevice<'_> {
    /// The first that fits and can be opened.
    fn open(&self) -> Result<Open, ControlsError> {
        self.open_and_fit(&[], 1).1.map(|(first, _)| first)
    }

    /// The same and the further ones, up to so many in all; and those of the tables that are of the
    /// first.
    fn open_and_fit(&self, tables: &[String], at_most: usize) -> (Vec<String>, Opened) {
        let root = Path::new("/");
        match self.of {
            ControlsOf::Camera => {
                let wanted =
                    self.wanted(CameraDevice::of_controls, self.camera(), &self.sources.camera);
                let mut nodes = video_nodes(root);
                nodes.retain(VideoNode::may_be_camera);
                // The one that is captured from, before others.
                let held = nodes_held_open();
                nodes.sort_by_key(|node| !held.contains(&node.node));
                self.opened(&nodes, wanted, tables, CameraDevice::of_controls, at_most)
            }
            ControlsOf::Microphone => {
                let source = &self.sources.microphone;
                let wanted = self.wanted(MicrophoneDevice::of_controls, self.microphone(), source);
                let mut cards = sound_cards(root);
                let held = nodes_held_open();
                let records = |node: &PathBuf, card: &SoundCard| {
                    let name = node.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                    let of_card = name.strip_prefix(&format!("pcmC{}D", card.number));
                    of_card.is_some_and(|rest| rest.ends_with('c'))
                };
                cards.sort_by_key(|card| !held.iter().any(|node| records(node, card)));
                self.opened(&cards, wanted, tables, MicrophoneDevice::of_controls, at_most)
            }
        }
    }

    fn camera(&self) -> Option<&CameraDevice> {
        match &self.sources.camera {
            CameraSource::V4l2 { device, .. } | CameraSource::Hdmi { device, .. } => Some(device),
            _ => None,
        }
    }

    fn microphone(&self) -> Option<&MicrophoneDevice> {
        match &self.sources.microphone {
            MicrophoneSource::Alsa { device } => Some(device),
            _ => None,
        }
    }

    fn wanted<W: Clone>(
        &self,
        parse: fn(&str) -> Result<W, &'static str>,
        asked_for: Option<&W>,
        source: &dyn fmt::Display,
    ) -> Result<W, ControlsError> {
        let word = self.of.word();
        let refused = ControlsError::Refused;
        match (self.named, asked_for) {
            (Some(name), _) => {
                parse(name).map_err(|why| refused(format!("the name of the {word} {why}")))
            }
            (None, Some(device)) => Ok(device.clone()),
            (None, None) => Err(refused(format!(
                "the {word} is {source}, which has no controls here: only those of the kernel's own \
                 drivers have"
            ))),
        }
    }

    fn opened<D: Device>(
        &self,
        devices: &[D],
        wanted: Result<D::Wanted, ControlsError>,
        tables: &[String],
        parse: fn(&str) -> Result<D::Wanted, &'static str>,
        at_most: usize,
    ) -> (Vec<String>, Opened)
    where
        D::Wanted: fmt::Display + PartialEq,
    {
        let wanted = match wanted {
            Ok(wanted) => wanted,
            Err(error) => return (Vec::new(), Err(error)),
        };
        let (mut failure, mut opened) = (None, Vec::new());
        let of_it = |device: &D| fitting(tables, parse, |table| device.fits(table));
        for device in devices.iter().filter(|device| device.fits(&wanted)) {
            if opened.len() >= at_most {
                break;
            }
            let name = device.product().to_owned();
            match device.open() {
                Ok(Some(driver)) => {
                    let open = Open { device: device.name_among(devices), name, driver };
                    opened.push((of_it(device), open));
                }
                Ok(None) => {}
                Err(error) => {
                    failure =
                        failure.or_else(|| Some((of_it(device), Err(refused(&name, &error)))));
                }
            }
        }
        let mut opened = opened.into_iter();
        match (opened.next(), failure) {
            (Some((of_first, first)), _) => {
                (of_first, Ok((first, opened.map(|(_, other)| other).collect())))
            }
            (None, Some(failure)) => failure,
            (None, None) => {
                let not_there = format!("the {} ({wanted})", self.of.word());
                let of_it = fitting(tables, parse, |table| *table == wanted);
                (of_it, Err(ControlsError::NotConnected(not_there)))
            }
        }
    }
}

fn refused(name: &str, error: &std::io::Error) -> ControlsError {
    ControlsError::Refused(format!("{name} cannot be asked for its controls: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(of: &[(&str, &[(&str, i32)])]) -> ControlSettings {
        let controls = |controls: &[(&str, i32)]| {
            let one =
                |(name, value): &(&str, i32)| ((*name).to_owned(), ControlValue::Number(*value));
            controls.iter().map(one).collect()
        };
        of.iter().map(|(name, of)| ((*name).to_owned(), controls(of))).collect()
    }

    #[test]
    fn what_is_set_for_one_camera_comes_before_what_is_set_for_many() {
        let settings = settings(&[
            ("/dev/v4l/by-id/usb-a", &[("gain", 5)]),
            ("auto", &[("gain", 1), ("hue", 1), ("gamma", 1), ("zoom", 1)]),
            ("driver:uvcvideo", &[("gain", 2), ("hue", 2), ("gamma", 2)]),
            ("name:c920", &[("gain", 3), ("hue", 3)]),
            ("video0", &[("gain", 9)]),
        ]);
        let tables = tables(&settings, CameraDevice::of_controls);
        let of = |is_it: fn(&CameraDevice) -> bool| {
            let wanted = wanted(&tables, is_it);
            wanted.into_iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>()
        };
        assert_eq!(of(|_| true), ["gain 5", "gamma 2", "hue 3", "zoom 1"]);
        let other = of(|device| matches!(device, CameraDevice::Auto | CameraDevice::Name(_)));
        assert_eq!(other, ["gain 3", "gamma 1", "hue 3", "zoom 1"]);
        assert!(of(|_| false).is_empty());
    }

    struct Webcam {
        opens: bool,
    }

    impl Driver for Webcam {
        fn describe(&mut self) -> std::io::Result<Vec<crate::device_controls::Control>> {
            Ok(Vec::new())
        }

        fn write(&mut self, _: &str, _: i32) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Device for Webcam {
        type Wanted = CameraDevice;

        fn fits(&self, wanted: &CameraDevice) -> bool {
            let names = ["auto", "driver:uvcvideo", "name:c920", "usb:1-1.3", "/dev/v4l/by-id/a"];
            names.iter().any(|name| CameraDevice::of_controls(name).as_ref() == Ok(wanted))
        }

        fn name_among(&self, _: &[Webcam]) -> String {
            "/dev/v4l/by-id/a".to_owned()
        }

        fn product(&self) -> &str {
            "C920"
        }

        fn open(&self) -> std::io::Result<Option<Box<dyn Driver>>> {
            match self.opens {
                true => Ok(Some(Box::new(Webcam { opens: true }))),
                false => Err(std::io::ErrorKind::PermissionDenied.into()),
            }
        }
    }

    #[test]
    fn a_reset_finds_all_tables_of_a_device_whatever_they_call_it() {
        let sources = ControlledSources {
            camera: CameraSource::TestPattern,
            microphone: MicrophoneSource::Tone,
        };
        let tables =
            ["usb:1-1.3", "usb:2-2", "auto", "video0", "name:c920", "driver:uvcvideo", "name:b"]
                .map(str::to_owned);
        let found = |named: &str, devices: &[Webcam]| {
            let of = ControlsOf::Camera;
            let which = WhichDevice { of, sources: &sources, named: Some(named) };
            let wanted = which.wanted(CameraDevice::of_controls, None, &sources.camera);
            let parse = CameraDevice::of_controls;
            let (found, opened) = which.opened(devices, wanted, &tables, parse, usize::MAX);
            let names = |(first, others): (Open, Vec<Open>)| {
                std::iter::once(first).chain(others).map(|open| open.name).collect::<Vec<_>>()
            };
            (found.join(" "), opened.map(names).map_err(|error| error.to_string()))
        };
        let all = "auto driver:uvcvideo name:c920 usb:1-1.3".to_owned();
        let there = found("driver:uvcvideo", &[Webcam { opens: true }]);
        assert_eq!(there, (all.clone(), Ok(vec!["C920".to_owned()])));
        let two = [false, true, true].map(|opens| Webcam { opens });
        let names = vec!["C920".to_owned(); 2];
        assert_eq!(found("driver:uvcvideo", &two), (all.clone(), Ok(names)), "one is in use");
        let locked = "C920 cannot be asked for its controls: permission denied";
        assert_eq!(found("auto", &[Webcam { opens: false }]), (all, Err(locked.to_owned())));
        let absent = "the camera (usb:2-2) is not connected";
        assert_eq!(found("usb:2-2", &[]), ("usb:2-2".to_owned(), Err(absent.to_owned())));
        assert!(found("video0", &[]).1.is_err_and(|why| why.starts_with("the name of the camera")));
    }

    #[test]
    fn a_device_that_is_not_there_and_one_without_controls_are_different_answers() {
        let sources = ControlledSources {
            camera: CameraSource::TestPattern,
            microphone: MicrophoneSource::Tone,
        };
        for (of, absent) in
            [(ControlsOf::Camera, "usb:99-9"), (ControlsOf::Microphone, "plughw:CARD=Nobody")]
        {
            let which = |named| WhichDevice { of, sources: &sources, named };
            let word = of.word();
            let not_there = ControlsError::NotConnected(format!("the {word} ({absent})"));
            assert_eq!(device_controls(which(Some(absent))), Err(not_there));
            let none = device_controls(which(None)).unwrap_err();
            assert!(none.to_string().contains("which has no controls here"), "{none}");
            let unclear = device_controls(which(Some("usb:x"))).unwrap_err().to_string();
            assert!(unclear.starts_with(&format!("the name of the {word} must be")), "{unclear}");
            let absent_all = settings(&[(absent, &[("gain", 5)])]);
            assert_eq!(restore_device_controls(of, &absent_all), [absent]);
        }
    }
}
