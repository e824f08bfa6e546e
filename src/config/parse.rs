//! From the text of a file to a [`Partial`], or every mistake of the file.

use std::collections::BTreeMap;
use std::ops::Range;

use zeroize::Zeroizing;

use super::box_file::BoxFile;
use super::partial::Partial;
use super::schema::{DESTINATION, FILE, Form, Kind, STICK, SettingPath, Text, VERSION, Value};
use super::text::{self, Encoding};
use crate::device_controls::{self, ControlName, ControlsOf};
use crate::limits::DESTINATIONS_MAX;
use crate::rtmp::url::{Ingest, Scheme, ServerUrl};
use crate::selection::{CameraDevice, MicrophoneDevice};
use crate::typed_toml::{Document, Found, Mistake, Mistakes, Place};

/// Everything that is wrong with a settings file, in the order of the file.
pub type ConfigErrors = Mistakes;

// What the table of settings cannot say about a file.
const NOT_TEXT: &str = "the file is not text; save it again with the encoding UTF-8";
const NOT_UTF_8: &str =
    "this character is not text in UTF-8; save the file again with the encoding UTF-8";
const NO_NAME: &str = "the destination has no name; write name = \"…\" below this line";
const SAME_NAME: &str = "another destination of this file has the same name";

/// What the manual writes where the owner's own belongs, by the names of the settings.
const PLACEHOLDERS: [(&str, &str); 2] =
    [("wifi.ssid", "name of the network"), ("wifi.passphrase", "its password")];

/// Why settings cannot be stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// unencrypted RTMP without consent
    #[error(
        "rtmp:// shows the stream key to everybody on the way; use the rtmps:// address, or write \
         allow_plain = true next to it"
    )]
    PlainRefused,
    /// what would be stored does not read back
    #[error("{0}")]
    Mistakes(Mistakes),
}

/// Reads a settings file. `file` names it in the errors.
///
/// # Errors
/// Everything that is wrong with the file, up to the bound of [`Mistakes`]; a file is accepted as a
/// whole or not at all.
pub fn parse(file: &str, text: &str) -> Result<Partial, ConfigErrors> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut document = FILE.read(file, text);
    refuse_what_only_others_write(&mut document);
    read(text, document).map(|read| read.partial)
}

/// Reads what the box itself has written.
pub(super) fn parse_stored(file: &str, text: &str) -> Result<Partial, ConfigErrors> {
    read(text, FILE.read(file, text)).map(|read| read.partial)
}

/// The same from raw bytes, in any encoding that editors use.
///
/// # Errors
/// As [`parse`], and when the bytes are not text.
pub fn parse_bytes(file: &str, bytes: &[u8]) -> Result<Partial, ConfigErrors> {
    parse(file, &decoded(file, bytes)?.0)
}

impl Partial {
    /// Whether what would be stored reads back as this.
    ///
    /// # Errors
    /// What is wrong with the settings as a whole, such as `rtmp://` without consent.
    pub fn check(&self) -> Result<(), Problem> {
        let is_plain = |name| {
            let address = |key| match self.get(Some(name), key) {
                Some(Value::Text(Text::Address(address))) => Some(address),
                _ => None,
            };
            let consent = self.get(Some(name), "destination.allow_plain");
            let addresses = ["destination.url", "destination.backup_url"].into_iter();
            addresses.filter_map(address).any(is_plain) && consent != Some(&Value::Flag(true))
        };
        if self.destinations().iter().any(|name| is_plain(name)) {
            return Err(Problem::PlainRefused);
        }
        parse_stored("settings", &self.render()).map(|_| ()).map_err(Problem::Mistakes)
    }
}

fn is_plain(address: &ServerUrl) -> bool {
    address.scheme == Scheme::Rtmp
}

/// The text of a file's bytes.
pub(super) fn decoded(
    file: &str,
    bytes: &[u8],
) -> Result<(Zeroizing<String>, Encoding), ConfigErrors> {
    let refused = |(line, column), problem: &str| {
        let place = Place { file: file.into(), line, column };
        Mistakes::new(
            file,
            vec![Mistake { place, key: String::new(), problem: problem.to_owned() }],
        )
    };
    let (text, encoding) = text::decode(bytes).ok_or_else(|| refused((1, 1), NOT_TEXT))?;
    if let Some(other) = text::other_format(&text) {
        return Err(refused((1, 1), other));
    }
    match text::unclear(&text, encoding) {
        Some(place) => Err(refused(place, NOT_UTF_8)),
        None => Ok((text, encoding)),
    }
}

/// What a stick's file says in addition to its settings.
pub(super) struct Read {
    pub partial: Partial,
    pub erase_key: bool,
    /// What it says applies alone.
    pub replace: bool,
    /// Where the values of secrets, and addresses that hold one, stand in the text.
    pub secrets: Vec<Range<usize>>,
    /// The secrets that an earlier import has erased.
    pub blank: Vec<SettingPath>,
    /// The files that it names.
    pub files: Vec<BoxFile>,
}

/// Reads a stick's file, which alone may say what becomes of its keys.
pub(super) fn read_stick(file: &str, text: &str) -> Result<Read, ConfigErrors> {
    let mut document = STICK.read(file, text);
    refuse_what_only_others_write(&mut document);
    read(text, document)
}

/// The box's own file is not refused for these: it would lose all that it says.
fn refuse_what_only_others_write(document: &mut Document<Form>) {
    refuse_placeholders(document);
    refuse_impossible_devices(document);
}

/// A table of controls whose name can be no device's would never have an effect.
fn refuse_impossible_devices(document: &mut Document<Form>) {
    let mut refused: BTreeMap<(&str, String), (Place, String)> = BTreeMap::new();
    for found in &document.found {
        let Some(name) = control_name(found) else { continue };
        let device = &name.device;
        let why = match name.of {
            ControlsOf::Camera => CameraDevice::of_controls(device).err(),
            ControlsOf::Microphone => MicrophoneDevice::of_controls(device).err(),
        };
        if let (Some(why), true) = (why, SettingPath::of_control(name.clone()).is_ok()) {
            let problem = format!("{device:?} {why}");
            let table = (found.entry.name, device.clone());
            refused.entry(table).or_insert((found.place.clone(), problem));
        }
    }
    for ((name, _), (place, problem)) in refused {
        document.report(place, name, problem);
    }
}

fn refuse_placeholders(document: &mut Document<Form>) {
    let is_placeholder = |found: &Found<Form>| match &found.value {
        Some(Value::Text(value)) => PLACEHOLDERS.iter().any(|(name, placeholder)| {
            found.entry.name == *name && value.stored().is_some_and(|text| *text == *placeholder)
        }),
        _ => false,
    };
    let found: Vec<_> = document.found.iter().filter(|found| is_placeholder(found)).collect();
    let found: Vec<_> = found.iter().map(|f| (f.place.clone(), f.entry.name)).collect();
    for (place, name) in found {
        document.report(place, name, "this is the placeholder of the manual; write your own");
    }
}

fn read(text: &str, mut document: Document<Form>) -> Result<Read, ConfigErrors> {
    check_version(&mut document);
    let is_set = |name: &str| {
        let value = document.get(name).and_then(|found| found.value.as_ref());
        value == Some(&Value::Flag(true))
    };
    let (erase_key, replace) = (is_set("erase_key"), is_set("replace"));
    let is_secret = |found: &&Found<Form>| {
        let in_address = matches!(
            &found.value, Some(Value::Text(Text::Address(url))) if url.holds_secret()
        );
        found.entry.kind.is_secret() || in_address
    };
    let secrets = document.found.iter().filter(is_secret);
    let secrets = secrets.map(|found| found.span.clone()).collect();
    let blank = if erase_key { allow_erased(text, &mut document) } else { Vec::new() };
    let files = document.found.iter().filter_map(|found| match &found.value {
        Some(Value::Text(Text::Path(path))) => {
            let (place, setting) = (found.place.clone(), found.entry.name);
            Some(BoxFile { place, setting, path: path.clone() })
        }
        _ => None,
    });
    let files = files.collect();
    let mut partial = Partial::default();
    read_controls(&mut document, &mut partial);
    let of_box = |found: &&Found<Form>| found.item.is_none() && found.open.is_none();
    for found in document.found.iter().filter(of_box) {
        if let (false, Some(value)) = (found.entry.section().is_empty(), &found.value) {
            partial.put(SettingPath::of(None, found.entry), value.clone());
        }
    }
    for item in 0..document.items.len() {
        read_destination(&mut document, item, &mut partial);
    }
    match document.mistakes.is_empty() {
        true => Ok(Read { partial, erase_key, replace, secrets, blank, files }),
        false => Err(Mistakes::new(&document.file, document.mistakes)),
    }
}

/// What a file says of hardware controls. Whether a device has them shows when it is there.
fn read_controls(document: &mut Document<Form>, partial: &mut Partial) {
    let mut refused = Vec::new();
    for found in &document.found {
        let Some(name) = control_name(found) else { continue };
        match (SettingPath::of_control(name), &found.value) {
            (Ok(path), Some(value)) => partial.put(path, value.clone()),
            (Ok(_), None) => {}
            (Err(error), _) => refused.push((found.place.clone(), found.entry.name, error)),
        }
    }
    for (place, name, error) in refused {
        document.report(place, name, error);
    }
}

/// The control that something in a file is about, if it is about one.
fn control_name(found: &Found<Form>) -> Option<ControlName> {
    let (device, control) = found.open.clone()?;
    let of = ControlsOf::ALL.into_iter().find(|of| of.section() == found.entry.name)?;
    // The names that drivers had once are taken as well.
    Some(ControlName { of, device, control: device_controls::canonical_name(&control) })
}

/// What a file of another version says is anybody's guess, so nothing else is reported.
fn check_version(document: &mut Document<Form>) {
    match document.get("version") {
        None => {
            let place = document.beginning();
            let problem = format!("the file must begin with the line version = {VERSION}");
            document.report_missing(place, "version", problem);
        }
        Some(Found { value: Some(_), .. }) => {}
        Some(Found { place, .. }) => {
            let place = place.clone();
            document.mistakes.clear();
            document.found.clear();
            document.items.clear();
            let problem = "this version of a settings file is not understood";
            document.report(place, "version", format!("{problem}; {VERSION} is"));
        }
    }
}

/// A secret, or an address that held one, that is blank was erased by an earlier import. Gives those
/// that were.
fn allow_erased(text: &str, document: &mut Document<Form>) -> Vec<SettingPath> {
    let is_blank = |found: &&Found<Form>| {
        let value = text.get(found.span.clone()).unwrap_or_default();
        let may_be_erased =
            found.entry.kind.is_secret() || found.entry.kind == Kind::Text(Form::Address);
        may_be_erased
            && value.starts_with(['"', '\''])
            && value.trim_matches(['"', '\'']).trim().is_empty()
    };
    let (found, mistakes) = (&document.found, &mut document.mistakes);
    let erased: Vec<&Found<Form>> = found.iter().filter(is_blank).collect();
    mistakes.retain(|mistake| !erased.iter().any(|found| found.place == mistake.place));
    let name = |item: usize| {
        let of_item = |f: &&Found<Form>| f.item == Some(item);
        let name = found.iter().filter(of_item).find(|f| f.entry.name == "destination.name");
        match name.and_then(|name| name.value.as_ref()) {
            Some(Value::Text(Text::Line(name))) => Some(name.as_str()),
            _ => None,
        }
    };
    let paths = erased.iter().map(|f| SettingPath::of(f.item.and_then(name), f.entry));
    paths.collect()
}

fn read_destination(document: &mut Document<Form>, item: usize, partial: &mut Partial) {
    let own: Vec<_> = document.found.iter().filter(|f| f.item == Some(item)).cloned().collect();
    let of = |name: &str| own.iter().find(|found| found.entry.name == name);
    let value = |name: &str| of(name).and_then(|found| found.value.as_ref());
    let place = document.items[item].place.clone();
    if item == DESTINATIONS_MAX {
        let too_many = format!("there are more than {DESTINATIONS_MAX} destinations");
        document.report(place.clone(), DESTINATION, too_many);
    }
    if value("destination.allow_plain") != Some(&Value::Flag(true)) {
        for found in &own {
            if matches!(&found.value, Some(Value::Text(Text::Address(url))) if is_plain(url)) {
                let (place, name) = (found.place.clone(), found.entry.name);
                document.report_missing(place, name, Problem::PlainRefused);
            }
        }
    }
    if let (Some(url), Some(key)) = (of("destination.url"), value("destination.key"))
        && let Some(Value::Text(Text::Address(server))) = &url.value
        && let Value::Text(Text::Key(key)) = key
        && let Err(why) = Ingest::from_server_and_key(server.clone(), key.clone())
    {
        document.report(url.place.clone(), "destination.url", why);
    }
    let name = match (of("destination.name"), value("destination.name")) {
        (Some(found), Some(Value::Text(Text::Line(name)))) => {
            if partial.destinations().contains(name) {
                document.report(found.place.clone(), "destination.name", SAME_NAME);
                return;
            }
            name
        }
        (None, _) => {
            return document.report_missing(place, "destination.name", NO_NAME);
        }
        _ => return,
    };
    // A mistake is reported already where there are too many.
    if partial.add_destination(name).is_ok() {
        for found in own.iter().filter(|found| found.entry.name != "destination.name") {
            if let Some(value) = &found.value {
                partial.put(SettingPath::of(Some(name), found.entry), value.clone());
            }
        }
    }
}
