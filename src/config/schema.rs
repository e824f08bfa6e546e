//! The table of settings: what exists, what it may be, what it means.
//!
//! Files, the console's `set` and `show`, and the manual are all read from [`SETTINGS`].

pub(super) mod form;
mod path;
mod table;

pub use self::form::{Form, Text};
pub use self::path::{PathError, SettingPath};
pub use self::table::{
    Audio, Camera, DESTINATION, Destination, Microphone, Overlay, SETTINGS, Setting, VERSION,
    Values, Video, Wifi, Wired,
};
pub(super) use self::table::{FILE, STICK};
pub use crate::typed_toml::{Applies, Decimal, Fallback, ValueError};

/// What a setting's value is.
pub type Kind = crate::typed_toml::Kind<Form>;
/// A value of a setting.
pub type Value = crate::typed_toml::Value<Text>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_takes_its_ends_and_nothing_beyond() {
        let mut checked = 0;
        for setting in SETTINGS.entries() {
            if let Kind::Number { min, max, step, .. } = setting.kind {
                for taken in [min, max] {
                    let value = setting.kind.read(&taken.to_string());
                    assert_eq!(value, Ok(Value::Number(taken)), "{}", setting.name);
                }
                for refused in [i64::from(min) - 1, i64::from(max) + 1, -1, i64::MAX] {
                    let error = setting.kind.read(&refused.to_string()).unwrap_err();
                    assert!(error.to_string().contains(&format!("from {min} to {max}")));
                }
                assert!(step == 1 || setting.kind.read(&(min + 1).to_string()).is_err());
                checked += 1;
            }
            if let Kind::Decimal { min, max, decimals, .. } = setting.kind {
                let [low, high] = [min, max].map(|scaled| Decimal { scaled, decimals });
                for taken in [low, high, Decimal { scaled: 0, decimals }] {
                    let value = setting.kind.read(&taken.to_string());
                    assert_eq!(value, Ok(Value::Decimal(taken)), "{}", setting.name);
                }
                for scaled in [min - 1, max + 1, i32::MIN, i32::MAX] {
                    let refused = Decimal { scaled, decimals }.to_string();
                    let error = setting.kind.read(&refused).unwrap_err();
                    assert!(error.to_string().contains(&format!("from {low} to {high}")));
                }
                checked += 1;
            }
        }
        assert_eq!(checked, 14);
    }

    #[test]
    fn fallbacks_are_values_or_words_for_people() {
        for setting in SETTINGS.entries() {
            match (setting.fallback, setting.kind) {
                (Fallback::Value(value), kind) => {
                    assert!(kind.read(value).is_ok(), "{}", setting.name);
                }
                (Fallback::Words(_), Kind::Flag | Kind::Choice(_)) => {
                    panic!("{} is something in any case", setting.name)
                }
                (Fallback::Words(words), _) => assert!(words.contains(' ') || words == "none"),
            }
        }
    }

    #[test]
    fn names_and_texts_keep_to_what_can_be_typed_and_shown() {
        for good in ["yt", "main-2_b", &"n".repeat(64)] {
            assert!(Kind::Text(Form::Name).read(good).is_ok(), "{good}");
        }
        for bad in ["", "my church", "a.b", "é", &"n".repeat(65)] {
            let refused = Err(ValueError::must_be(Form::Name));
            assert_eq!(Kind::Text(Form::Name).read(bad), refused, "{bad}");
        }
        assert!(Kind::Text(Form::Label).read("St. Mary's, Bühne 2").is_ok());
        for bad in ["", " x", "a\nb", "a\u{1b}[0m"] {
            assert!(Kind::Text(Form::Label).read(bad).is_err(), "{bad:?}");
        }
    }
}
