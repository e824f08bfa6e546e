//! What the word before the cursor may become.

use std::collections::BTreeMap;

use crate::config::schema::{Kind, SettingPath};
use crate::console::command::Argument;
use crate::console::table::COMMANDS;
use crate::device_controls::ControlsOf;

/// What arguments may name.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) settings: Vec<String>,
    pub(super) destinations: Vec<String>,
    /// Hardware controls, as far as they are known.
    pub(super) controls: BTreeMap<ControlsOf, Vec<String>>,
    /// What there is to choose from for some settings, such as devices.
    pub(super) values: Vec<(&'static str, Vec<String>)>,
}

/// What the last word of a line may become.
#[derive(Debug, Default)]
pub(super) struct Choices<'a> {
    /// What is shown before each choice.
    before: &'static str,
    /// The word as far as it is typed; each choice begins with it.
    word: &'a str,
    choices: Vec<String>,
}

impl Names {
    /// The choices after what was typed.
    pub(super) fn choices<'a>(&self, typed: &'a str) -> Choices<'a> {
        for entry in COMMANDS {
            let argument = typed.strip_prefix(entry.name).and_then(|rest| rest.strip_prefix(' '));
            match (entry.argument, argument) {
                (Argument::None, Some(word))
                    if entry.arguments.contains('|') && !entry.arguments.starts_with('[') =>
                {
                    return Choices::of(word, entry.arguments.split('|'));
                }
                (_, None) | (Argument::None, _) => {}
                (Argument::Setting, Some(words)) if entry.name == "set" && words.contains(' ') => {
                    let (name, value) = words.split_once(' ').unwrap_or_default();
                    return Choices::of(value.trim_start(), self.values_of(name));
                }
                (_, Some(word)) if word.contains(' ') => return Choices::default(),
                (Argument::Setting, Some(word)) => return Choices::of(word, &self.settings),
                (Argument::Destination, Some(word)) => {
                    return Choices::of(word, &self.destinations);
                }
                (Argument::Control(of), Some(word)) => {
                    return Choices::of(word, self.controls.get(&of).into_iter().flatten());
                }
            }
        }
        let commands = COMMANDS.iter().map(|entry| entry.name);
        match typed.strip_prefix("help ") {
            Some(word) => Choices { before: "help ", ..Choices::of(word, commands) },
            None => Choices::of(typed, commands),
        }
    }
}

impl Names {
    /// What a setting may be, as far as that is known beforehand.
    fn values_of(&self, name: &str) -> Vec<String> {
        if let Some((_, values)) = self.values.iter().find(|(of, _)| *of == name) {
            return values.clone();
        }
        match name.parse::<SettingPath>().map(|path| path.setting().kind) {
            Ok(Kind::Flag) => ["true", "false"].map(str::to_owned).to_vec(),
            Ok(Kind::Choice(words)) => words.iter().map(|word| (*word).to_owned()).collect(),
            _ => Vec::new(),
        }
    }
}

impl<'a> Choices<'a> {
    fn of(word: &'a str, names: impl IntoIterator<Item: AsRef<str>>) -> Choices<'a> {
        let names = names.into_iter().map(|name| name.as_ref().to_owned());
        let choices = names.filter(|name| name.starts_with(word)).collect();
        Choices { before: "", word, choices }
    }

    /// Whether the word can become several.
    pub(super) fn are_several(&self) -> bool {
        self.choices.len() > 1
    }

    /// What is certain to follow the word: all choices go on with it. A blank ends the only one.
    pub(super) fn rest(&self, at_end: bool) -> String {
        let Some(first) = self.choices.first() else { return String::new() };
        let common = self.choices.iter().fold(first.len(), |common, choice| {
            first.bytes().zip(choice.bytes()).take(common).take_while(|(a, b)| a == b).count()
        });
        let mut rest = first[self.word.len()..common].to_owned();
        if !self.are_several() && at_end && !rest.is_empty() {
            rest.push(' ');
        }
        rest
    }

    /// All of them, in one line.
    pub(super) fn shown(&self) -> String {
        let shown: Vec<String> =
            self.choices.iter().map(|choice| format!("{}{choice}", self.before)).collect();
        shown.join("  ")
    }
}
