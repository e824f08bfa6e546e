//! From a profile's text, and those that it inherits from, to a [`Profile`].

use super::embedded::{embedded, names};
use super::error::ProfileError;
use super::keys::Keys;
use super::profile::Profile;
use super::table::{Form, PROFILE, Text};
use crate::limits::BOARD_INHERIT_DEPTH_MAX;
use crate::typed_toml::{Document, Mistakes, Value};

impl Profile {
    /// An embedded profile, with or without `.toml`.
    ///
    /// # Errors
    /// [`ProfileError::UnknownName`] when there is none of that name.
    pub fn named(name: &str) -> Result<Profile, ProfileError> {
        let name = name.strip_suffix(".toml").unwrap_or(name);
        match embedded(name) {
            Some(text) => Profile::load(&text, name, embedded),
            None => Err(ProfileError::UnknownName {
                name: name.to_owned(),
                known: names().collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// A profile from its text. `name` is its file name with or without `.toml`; `resolver` gives
    /// the text of a file that `inherit` names.
    ///
    /// # Errors
    /// Everything that is wrong in the text and in what it inherits, with file, line and key.
    pub fn load(
        text: &str,
        name: &str,
        resolver: impl Fn(&str) -> Option<String>,
    ) -> Result<Profile, ProfileError> {
        let name = name.strip_suffix(".toml").unwrap_or(name);
        let mut document = PROFILE.read(&format!("{name}.toml"), text);
        add_parents(&mut document, &resolver);
        let file = document.file.clone();
        let keys = Keys::new(document);
        let profile = keys.profile(name);
        keys.check_lines(&profile);
        keys.check_pins(&profile);
        keys.check_all_used();
        let mistakes = keys.into_mistakes();
        match mistakes.is_empty() {
            true => Ok(profile),
            false => Err(ProfileError::Mistakes(Mistakes::new(&file, mistakes))),
        }
    }
}

/// Follows `inherit` to its end; the nearer file wins.
fn add_parents(document: &mut Document<Form>, resolver: &impl Fn(&str) -> Option<String>) {
    let mut chain = vec![document.file.to_string()];
    let mut next = document.get("inherit").cloned();
    while let Some(inherit) = next.take() {
        let Some(Value::Text(Text::Line(parent))) = inherit.value else {
            document.is_broken = true;
            return;
        };
        let is_circle = chain.contains(&parent) || chain.len() > BOARD_INHERIT_DEPTH_MAX;
        chain.push(parent.clone());
        let text = if is_circle { None } else { resolver(&parent) };
        let Some(text) = text else {
            let problem = match is_circle {
                true => format!("goes round in a circle: {}", chain.join(" → ")),
                false => format!("names {parent}, which does not exist"),
            };
            document.report(inherit.place, "inherit", problem);
            // What seems to be missing may be there.
            document.is_broken = true;
            return;
        };
        let parent = PROFILE.read(&parent, &text);
        next = parent.get("inherit").cloned();
        document.mistakes.extend(parent.mistakes);
        document.is_broken |= parent.is_broken;
        for found in parent.found {
            let is_own = PROFILE.head.iter().any(|own| own.name == found.entry.name);
            if !is_own && document.get(found.entry.name).is_none() {
                document.found.push(found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_name_of_several_lines_is_reported_in_one() {
        for name in [r"a\n\nb.toml", r"a\r\nb.toml", r"a\u2028b.toml", r"\u001b[31mb.toml"] {
            let text = format!("inherit = \"{name}\"\n");
            let error = Profile::load(&text, "own", |_| None).expect_err("no such file");
            let message = error.to_string();
            let line = message.lines().next().expect("a line");
            assert!(line.starts_with("own.toml:1:11: inherit: names "), "{message:?}");
            assert!(line.ends_with("b.toml, which does not exist"), "{message:?}");
            assert!(!line.contains(char::is_control), "{message:?}");
        }
    }

    #[test]
    fn what_describes_one_file_is_not_handed_down() {
        let parent = "compatible = [\"a\"]\ndescription = \"x\"\n[video]\nfps = 25\n";
        let text = "inherit = \"a.toml\"\n[video]\nwidth = 640\n";
        let mut child = PROFILE.read("b.toml", text);
        add_parents(&mut child, &|_| Some(parent.to_owned()));
        let found: BTreeMap<_, _> =
            child.found.iter().map(|f| (f.entry.name, (&*f.place.file, f.place.line))).collect();
        let expected = [
            ("inherit", ("b.toml", 1)),
            ("video.fps", ("a.toml", 4)),
            ("video.width", ("b.toml", 3)),
        ];
        assert_eq!(found, expected.into());
    }
}
