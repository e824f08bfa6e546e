//! Pipelines as data: which elements, in which order, with which properties.
//!
//! A pipeline is started by parsing the text that [`PipelineDescription`] renders to, and that text
//! is what `tests/pipelines/` reviews.

use std::fmt;

/// A pipeline: chains of elements that run side by side.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PipelineDescription {
    chains: Vec<Vec<Link>>,
}

/// An element with its properties, or verbatim text: the caps between two elements, a reference to a
/// named element, or elements from a board profile.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Link {
    Element { factory: String, properties: Vec<(String, String)> },
    Text(String),
}

impl PipelineDescription {
    /// The elements by their factory names, in order.
    pub fn elements(&self) -> impl Iterator<Item = &str> {
        self.chains.iter().flatten().filter_map(|link| match link {
            Link::Element { factory, .. } => Some(factory.as_str()),
            Link::Text(_) => None,
        })
    }

    /// The properties that are set: element, property, value.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.chains.iter().flatten().flat_map(|link| {
            let (factory, properties) = match link {
                Link::Element { factory, properties } => (factory.as_str(), properties.as_slice()),
                Link::Text(_) => ("", &[][..]),
            };
            properties.iter().map(move |(name, value)| (factory, name.as_str(), value.as_str()))
        })
    }

    /// Adds a chain of elements.
    pub(in crate::capture) fn chain(mut self, chain: Chain) -> PipelineDescription {
        self.chains.push(chain.0);
        self
    }
}

impl fmt::Display for PipelineDescription {
    /// `gst-launch` notation, one element a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, chain) in self.chains.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            for (j, link) in chain.iter().enumerate() {
                f.write_str(if j == 0 { "" } else { "  ! " })?;
                match link {
                    Link::Element { factory, properties } => {
                        f.write_str(factory)?;
                        for (name, value) in properties {
                            write!(f, " {name}={}", quoted(value))?;
                        }
                    }
                    Link::Text(text) => f.write_str(text)?,
                }
                writeln!(f)?;
            }
        }
        Ok(())
    }
}

/// Quotes a value where that is needed (gst-launch-1.0(1), "properties").
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Elements in a row.
#[derive(Debug, Default)]
pub struct Chain(Vec<Link>);

impl Chain {
    pub fn element(self, factory: &str, properties: &[(&str, &str)]) -> Chain {
        let owned = properties.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        self.element_with(factory, owned.collect())
    }

    pub fn element_with(mut self, factory: &str, properties: Vec<(String, String)>) -> Chain {
        self.0.push(Link::Element { factory: factory.to_owned(), properties });
        self
    }

    pub fn text(mut self, text: impl Into<String>) -> Chain {
        self.0.push(Link::Text(text.into()));
        self
    }
}
