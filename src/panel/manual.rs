//! The owner's table of lights, made from the same data that drives them.

use std::fmt::Write as _;

use super::indication::{Attention, Because, Fault, Indication};
use super::pattern::{Lights, lights};

/// One line of the owner's table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What is shown.
    pub indication: Indication,
    /// What the LIVE light does, in words.
    pub live: String,
    /// What the STATUS light does.
    pub status: String,
    /// What the only light of a board with one does.
    pub single: String,
    /// What it means.
    pub meaning: &'static str,
    /// What to do about it.
    pub what_to_do: &'static str,
}

/// The table, every indication once.
pub fn table() -> Vec<Row> {
    Indication::ALL.into_iter().map(row).collect()
}

/// The table as Markdown, as it stands in the README.
pub fn table_markdown() -> String {
    let mut text = String::from(
        "| State | LIVE light | STATUS light | Single light | Meaning | What to do |\n\
         |---|---|---|---|---|---|\n",
    );
    for row in table() {
        let name = row.indication.name();
        let Row { live, status, single, meaning, what_to_do, .. } = row;
        // Writing to a String cannot fail.
        let _ =
            writeln!(text, "| {name} | {live} | {status} | {single} | {meaning} | {what_to_do} |");
    }
    text
}

/// What an indication means, in a sentence.
pub fn meaning(indication: Indication) -> &'static str {
    explain(indication).0
}

/// What to do about it.
pub fn what_to_do(indication: Indication) -> &'static str {
    explain(indication).1
}

fn row(indication: Indication) -> Row {
    let Lights { live, status, single } = lights(indication);
    let (meaning, what_to_do) = explain(indication);
    let (live, status, single) = if indication.is_momentary() {
        let turned = format!("{}, over what it shows", moment(indication));
        ("unchanged".to_owned(), turned.clone(), turned)
    } else {
        (live.describe(), status.describe(), single.describe())
    };
    Row { indication, live, status, single, meaning, what_to_do }
}

fn moment(indication: Indication) -> &'static str {
    match indication {
        Indication::Pressed => "one blip",
        Indication::Already => "two blips",
        Indication::StickWorking => "eight blips",
        Indication::StickAccepted => "three long blips",
        Indication::StickRefused => "flickers for four seconds",
        Indication::ResetBegun => "blinks for ten seconds",
        Indication::ResetArmed => "flickers very fast for five seconds",
        _ => "flickers for a second",
    }
}

fn explain(indication: Indication) -> (&'static str, &'static str) {
    match indication {
        Indication::Starting => ("The box is starting.", "Wait."),
        Indication::NeedsSetup => {
            ("No destination with a stream key is set.", "Set one by USB stick or console.")
        }
        Indication::Ready => ("Ready; nothing is sent.", "Press to go live."),
        Indication::ReadyWarning => (
            "Ready, but the box is too hot, or short of power, memory or storage.",
            "Type `status` at the console: it says what to do. A press goes live all the same.",
        ),
        Indication::NoNetwork => (
            "There is no network; a press goes live as soon as there is one.",
            "Check cable or Wi-Fi; type `network` at the console.",
        ),
        Indication::Connecting => {
            ("Going live: no destination has accepted the stream yet.", "Wait, or hold to stop.")
        }
        Indication::Live { attention } => match attention {
            Attention::None => ("Live at every destination.", "Hold for 2 seconds to stop."),
            Attention::Camera => {
                ("Live, but the camera is lost; a still image is sent.", "Check the camera.")
            }
            Attention::Microphone => {
                ("Live, but the microphone is lost; silence is sent.", "Check the microphone.")
            }
            Attention::Destination => (
                "Live, but a destination does not accept the stream.",
                "Type `status` at the console.",
            ),
            Attention::Warning => (
                "Live, but the box is overloaded, too hot, or short of power, memory or storage.",
                "Type `status` at the console: it says what to do.",
            ),
        },
        Indication::Retrying { because } => match because {
            Because::NoNetwork => (
                "Interrupted: there is no network; the box is live again by itself when there is one.",
                "Check cable or Wi-Fi; type `network` at the console.",
            ),
            Because::Network => (
                "Interrupted: no destination can be reached; the box tries again by itself.",
                "Check the network.",
            ),
            Because::Busy => (
                "Interrupted: the server has an earlier connection with this key, or one of another encoder.",
                "Wait up to two minutes; look for a second encoder with the same key.",
            ),
            Because::Refused => (
                "Interrupted: the server refuses the stream, or closes each time without a reason.",
                "Check address and stream key.",
            ),
            Because::Certificate => (
                "Interrupted: the server's certificate is not accepted.",
                "Give the box a network with a time server and without a login page; check the address.",
            ),
        },
        Indication::Stopping => ("The broadcast is being ended.", "Wait two seconds at most."),
        Indication::Fault(fault) => match fault {
            Fault::Camera => ("No usable camera.", "Connect the camera."),
            Fault::Microphone => ("No usable microphone.", "Connect the microphone."),
            Fault::Encoder => (
                "The encoder has failed.",
                "Press to try again; type `status` at the console; switch the box off and on.",
            ),
            Fault::Internal => (
                "A defect of the box itself.",
                "Note what `status` shows and switch the box off and on.",
            ),
        },
        Indication::Pressed => ("The button press was detected.", "Nothing."),
        Indication::Already => ("Already live, or already stopped.", "Nothing."),
        Indication::Refused => {
            ("Not possible now.", "Look at the light again; type `status` at the console.")
        }
        Indication::StickWorking => ("A USB stick is being read.", "Leave it in."),
        Indication::StickAccepted => {
            ("The settings of the stick are applied.", "Pull the stick out; it is safe to remove.")
        }
        Indication::ResetBegun => (
            "The reset button is held, or the button has been held since power-up.",
            "Keep holding for a factory reset; release to cancel.",
        ),
        Indication::ResetArmed => (
            "Releasing the button now erases all settings and keys.",
            "Release for the factory reset; keep holding to cancel.",
        ),
        Indication::StickRefused => (
            "The stick was refused; nothing was changed.",
            "Pull it out; it is safe to remove. Read firstmile-result.txt on it.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_indication_has_one_line_of_its_own() {
        let table = table();
        assert_eq!(table.len(), Indication::ALL.len());
        let names: HashSet<_> = table.iter().map(|row| row.indication.name()).collect();
        assert_eq!(names.len(), table.len());
        assert!(table.iter().all(|row| !row.meaning.is_empty() && !row.what_to_do.is_empty()));
    }

    #[test]
    fn no_two_lines_describe_the_same_lights() {
        let table = table();
        let single: HashSet<_> = table.iter().map(|row| &row.single).collect();
        assert_eq!(single.len(), table.len());
        let two: HashSet<_> = table.iter().map(|row| (&row.live, &row.status)).collect();
        assert_eq!(two.len(), table.len());
    }

    #[test]
    fn the_words_count_what_the_light_does() {
        let words = |i| lights(i).single.describe();
        assert_eq!(words(Indication::Fault(Fault::Camera)), "three short flashes, pause");
        assert_eq!(words(Indication::Fault(Fault::Internal)), "six short flashes, pause");
        assert_eq!(words(Indication::Connecting), "two short flashes, pause");
        assert_eq!(words(Indication::NeedsSetup), "two long flashes, pause");
        assert_eq!(words(Indication::Ready), "a short flash every 3 seconds");
        assert_eq!(words(Indication::ReadyWarning), "two short flashes every 3 seconds");
        assert_eq!(
            words(Indication::Live { attention: Attention::Microphone }),
            "lit, with two short winks"
        );
        assert_eq!(
            words(Indication::Retrying { because: Because::Refused }),
            "one long flash, then two short flashes, pause"
        );
        assert_eq!(words(Indication::NoNetwork), "three long flashes, pause");
        assert_eq!(
            words(Indication::Retrying { because: Because::NoNetwork }),
            "three long flashes, then one short flash, pause"
        );
    }

    #[test]
    fn the_markdown_has_one_row_for_each_line_and_six_columns() {
        let text = table_markdown();
        assert_eq!(text.lines().count(), Indication::ALL.len() + 2);
        assert!(text.lines().all(|line| line.matches('|').count() == 7), "{text}");
    }
}
