//! Replies for programs at a serial line: blocks of `key: value`.
//!
//! A block is `ACK` or `NACK`, or `EVENT` where nobody asked, the reply's values one a line, and an empty line. A value inside
//! another one is named by both, with a dot; the entries of a list are counted from 1.

use serde_json::Value;

use super::reply::Reply;
use crate::sanitize;

impl Reply {
    /// For programs at the serial line: `ACK` or `NACK`, lines of `key: value`, an empty line.
    pub fn render_machine(&self) -> Vec<String> {
        render(self)
    }
}

fn render(reply: &Reply) -> Vec<String> {
    let first = match reply {
        Reply::Changed(_) | Reply::Measured(_) => "EVENT",
        reply if reply.is_error() => "NACK",
        _ => "ACK",
    };
    let mut lines = vec![first.to_owned()];
    // Replies are structs, strings and finite numbers, which serde_json takes without failing.
    let mut value = serde_json::to_value(reply).unwrap_or_default();
    if let Some(kind) = value.as_object_mut().and_then(|fields| fields.remove("reply")) {
        flatten("reply", &kind, &mut lines);
    }
    flatten("", &value, &mut lines);
    lines.push(String::new());
    lines
}

fn flatten(name: &str, value: &Value, lines: &mut Vec<String>) {
    let inner =
        |part: &str| if name.is_empty() { part.to_owned() } else { format!("{name}.{part}") };
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(field, value)| flatten(&inner(field), value, lines));
        }
        Value::Array(entries) => {
            for (n, entry) in entries.iter().enumerate() {
                flatten(&inner(&(n + 1).to_string()), entry, lines);
            }
        }
        Value::Null => {}
        Value::String(text) => {
            lines.push(format!("{name}: {}", sanitize::line(text)));
        }
        other => lines.push(format!("{name}: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{Change, Checked, CheckedServer, Phase};

    #[test]
    fn whatever_is_shown_cannot_steer_a_terminal_or_hide_a_part() {
        let text = "stage\u{1b}[2J\u{202e}left\u{2028}or\u{200b}right\u{9b}";
        let reply = Reply::text([text]);
        for lines in [reply.render_text(), reply.render_machine()] {
            assert!(lines.iter().all(|line| !line.chars().any(sanitize::is_hidden)), "{lines:?}");
            assert!(lines.iter().any(|line| line.contains("stage [2Jleft orright ")), "{lines:?}");
        }
    }

    #[test]
    fn a_block_says_yes_or_no_then_its_values_then_nothing() {
        let checked = Reply::Checked(Checked {
            name: "a".to_owned(),
            servers: vec![CheckedServer {
                server: "rtmps://s/live".to_owned(),
                phases: vec![Phase { name: "tcp", took_ms: 12 }],
                failure: Some("no".to_owned()),
            }],
        });
        let block = render(&checked);
        assert_eq!(
            block,
            [
                "NACK",
                "reply: checked",
                "name: a",
                "servers.1.failure: no",
                "servers.1.phases.1.name: tcp",
                "servers.1.phases.1.took_ms: 12",
                "servers.1.server: rtmps://s/live",
                "",
            ]
        );
        assert_eq!(render(&Reply::text(["done"])), ["ACK", "reply: text", "lines.1: done", ""]);
    }

    #[test]
    fn words_of_a_server_cannot_forge_a_line_or_a_block() {
        let change = Change::Note { message: "x\r\n\r\nACK\r\nmode: live".to_owned() };
        let block = render(&Reply::Changed(change));
        assert_eq!(block.last().map(String::as_str), Some(""));
        assert_eq!(block.iter().filter(|line| line.is_empty()).count(), 1);
        assert!(block.iter().all(|line| !line.contains(['\r', '\n'])));
        assert_eq!(block.iter().filter(|line| line.starts_with("mode")).count(), 0);
    }
}
