//! Hardware controls of cameras and sound cards: listed, set, and restored from the settings.
//!
//! A driver may hang in any of it, so it is called on a thread that may wait. Controls are set beside a
//! running capture, by a descriptor of their own.

mod camera;
mod card;
mod setting;
mod tool;

use std::{collections::BTreeMap, fmt, path::Path};

use self::{camera::Camera, card::Card, setting::Driver};
pub use setting::WasSet;

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

/// Sets a control of a device, or gives it its default.
///
/// # Errors
/// [`ControlsError`] with what is allowed.
pub fn set_device_control(
    which: WhichDevice<'_>,
    control: &str,
    value: Option<&ControlValue>,
) -> Result<WasSet, ControlsError> {
    let Open { device, name, mut driver } = which.open()?;
    match setting::set(&mut *driver, control, value) {
        Ok((control, outcome)) => Ok(WasSet { device, name, control, outcome }),
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
            restore(&tables(settings, CameraDevice::parse), &nodes)
        }
        ControlsOf::Microphone => {
            restore(&tables(settings, MicrophoneDevice::parse), &sound_cards(root))
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
    /// A name that survives replugging, if there is one.
    fn stable_name(&self) -> String;
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

    fn stable_name(&self) -> String {
        VideoNode::stable_name(self)
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

    fn stable_name(&self) -> String {
        self.alsa_name()
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

impl WhichDevice<'_> {
    /// The first that fits and can be opened.
    fn open(&self) -> Result<Open, ControlsError> {
        let root = Path::new("/");
        match self.of {
            ControlsOf::Camera => {
                let asked_for = match &self.sources.camera {
                    CameraSource::V4l2 { device, .. } | CameraSource::Hdmi { device, .. } => {
                        Some(device)
                    }
                    _ => None,
                };
                let source = &self.sources.camera;
                let wanted = self.wanted(CameraDevice::parse, asked_for, source)?;
                let mut nodes = video_nodes(root);
                nodes.retain(VideoNode::may_be_camera);
                // The one that is captured from, before others.
                let held = nodes_held_open();
                nodes.sort_by_key(|node| !held.contains(&node.node));
                self.first(&nodes, &wanted)
            }
            ControlsOf::Microphone => {
                let asked_for = match &self.sources.microphone {
                    MicrophoneSource::Alsa { device } => Some(device),
                    _ => None,
                };
                let source = &self.sources.microphone;
                let wanted = self.wanted(MicrophoneDevice::parse, asked_for, source)?;
                self.first(&sound_cards(root), &wanted)
            }
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

    fn first<D: Device>(&self, devices: &[D], wanted: &D::Wanted) -> Result<Open, ControlsError>
    where
        D::Wanted: fmt::Display,
    {
        let mut failure = None;
        for device in devices.iter().filter(|device| device.fits(wanted)) {
            let name = device.product().to_owned();
            match device.open() {
                Ok(Some(driver)) => {
                    return Ok(Open { device: device.stable_name(), name, driver });
                }
                Ok(None) => {}
                Err(error) => failure = failure.or_else(|| Some(refused(&name, &error))),
            }
        }
        let not_there =
            || ControlsError::NotConnected(format!("the {} ({wanted})", self.of.word()));
        Err(failure.unwrap_or_else(not_there))
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
            ("not a camera", &[("gain", 9)]),
        ]);
        let tables = tables(&settings, CameraDevice::parse);
        let of = |is_it: fn(&CameraDevice) -> bool| {
            let wanted = wanted(&tables, is_it);
            wanted.into_iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>()
        };
        assert_eq!(of(|_| true), ["gain 5", "gamma 2", "hue 3", "zoom 1"]);
        let other = of(|device| matches!(device, CameraDevice::Auto | CameraDevice::Name(_)));
        assert_eq!(other, ["gain 3", "gamma 1", "hue 3", "zoom 1"]);
        assert!(of(|_| false).is_empty());
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
