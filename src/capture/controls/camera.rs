//! The controls of one camera, by Video4Linux2.

use std::{io, path::Path};

use linuxvideo::{
    CapabilityFlags, Device,
    controls::{Cid, ControlDesc, ControlFlags, CtrlType},
};

use super::setting::{Driver, entry_name};
use crate::{
    device_controls::{Allowed, Control, canonical_name, is_name},
    limits::{CONTROL_CHOICES_MAX, CONTROLS_MAX},
};

/// A camera that is open for its controls.
pub struct Camera {
    device: Device,
    /// What its driver calls the controls that were described, by their names.
    ids: Vec<(String, Cid)>,
}

impl Camera {
    /// Opens a node; `None` for one that delivers no video.
    pub fn open(node: &Path) -> io::Result<Option<Camera>> {
        let device = Device::open(node)?;
        let capabilities = device.capabilities()?.device_capabilities();
        let video = CapabilityFlags::VIDEO_CAPTURE | CapabilityFlags::VIDEO_CAPTURE_MPLANE;
        Ok(capabilities.intersects(video).then_some(Camera { device, ids: Vec::new() }))
    }

    /// What a control may be; `None` for one that is no setting, such as a button, or one that has no
    /// single number of 32 bits.
    fn allowed(&self, control: &ControlDesc) -> Option<Allowed> {
        let (min, max) = (control.minimum(), control.maximum());
        match control.control_type() {
            CtrlType::BOOLEAN => Some(Allowed::Flag),
            CtrlType::INTEGER => Some(Allowed::Number { min, max, step: control.step().max(1) }),
            // Of a menu of numbers the driver gives the positions alone.
            CtrlType::INTEGER_MENU => Some(Allowed::Number { min, max, step: 1 }),
            CtrlType::BITMASK if max > 0 => Some(Allowed::Number { min: 0, max, step: 1 }),
            CtrlType::MENU if min >= 0 && max.checked_sub(min)? < CONTROL_CHOICES_MAX => {
                let entries = self.device.enumerate_menu(control).filter_map(Result::ok);
                let entry = |entry: linuxvideo::controls::TextMenuItem| {
                    let index = i32::try_from(entry.index()).ok()?;
                    Some((entry_name(entry.name(), index), index))
                };
                let (words, indexes) = entries.filter_map(entry).unzip();
                Some(Allowed::Choice { words, indexes })
            }
            _ => None,
        }
    }

    fn control(&self, described: &ControlDesc) -> Option<Control> {
        let flags = described.flags();
        let is_no_setting = ControlFlags::DISABLED
            | ControlFlags::READ_ONLY
            | ControlFlags::WRITE_ONLY
            | ControlFlags::HAS_PAYLOAD;
        let name = canonical_name(described.name());
        if flags.intersects(is_no_setting) || !is_name(&name) {
            return None;
        }
        let allowed = self.allowed(described)?;
        let value = self.device.read_control_raw(described.id()).ok();
        Some(Control {
            name,
            value: value.and_then(|raw| allowed.value(raw)),
            default: allowed.value(described.default_value()),
            allowed,
            active: !flags.intersects(ControlFlags::INACTIVE | ControlFlags::GRABBED),
        })
    }
}

impl Driver for Camera {
    fn describe(&mut self) -> io::Result<Vec<Control>> {
        let (mut controls, mut ids): (Vec<Control>, Vec<(String, Cid)>) = Default::default();
        for described in self.device.controls().take(CONTROLS_MAX) {
            let described = match described {
                Ok(described) => described,
                // What comes after it cannot be known; what came before it works.
                Err(error) if !controls.is_empty() => {
                    tracing::debug!(%error, "not all controls are known");
                    break;
                }
                // It has none at all.
                Err(error) if error.raw_os_error() == Some(NO_SUCH_REQUEST) => break,
                Err(error) => return Err(error),
            };
            let control = self.control(&described);
            let is_known = |control: &Control| ids.iter().any(|(name, _)| *name == control.name);
            if let Some(control) = control.filter(|control| !is_known(control)) {
                ids.push((control.name.clone(), described.id()));
                controls.push(control);
            }
        }
        self.ids = ids;
        Ok(controls)
    }

    fn write(&mut self, name: &str, raw: i32) -> io::Result<()> {
        match self.ids.iter().find(|(known, _)| known == name) {
            Some((_, id)) => self.device.write_control_raw(*id, raw),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// `ENOTTY`: the driver has no controls.
const NO_SUCH_REQUEST: i32 = nix::errno::Errno::ENOTTY as i32;
