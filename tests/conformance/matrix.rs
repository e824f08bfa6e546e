//! The matrix: cells by probe and server, read from and written to the documentation.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs;
use std::path::{Path, PathBuf};

use crate::probes::Probe;

/// Which servers there are, in the order of the columns.
pub const SERVERS: [&str; 6] = [
    "nginx-rtmp",
    "nginx-rtmp, TLS",
    "ffmpeg",
    "Node-Media-Server",
    "Node-Media-Server, TLS",
    "rtmp-rs",
];

/// What a probe of a server shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    Ok,
    /// What our client makes of it.
    Named(String),
    NotApplicable,
    /// What must not be, whatever the documentation says.
    Defect(String),
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Ok => f.write_str("ok"),
            Cell::Named(name) => f.write_str(name),
            Cell::NotApplicable => f.write_str("n.a."),
            Cell::Defect(what) => write!(f, "DEFECT: {what}"),
        }
    }
}

/// A cell as it is written: its word, and what a reader should know of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    pub word: String,
    pub remark: String,
}

/// What stands in the documentation: cells by row and column.
#[derive(Debug, PartialEq, Eq)]
pub struct Matrix {
    cells: BTreeMap<(usize, usize), Written>,
}

pub fn column_of(server: &str) -> usize {
    SERVERS.iter().position(|name| *name == server).expect("a server of the matrix")
}

impl Matrix {
    /// Reads the first table of the page and the numbered remarks behind it.
    pub fn parse(page: &str) -> Matrix {
        let remarks: BTreeMap<&str, &str> = page
            .lines()
            .filter_map(|line| line.split_once(". "))
            .filter(|(number, _)| number.parse::<u32>().is_ok())
            .collect();
        let mut cells = BTreeMap::new();
        for line in page.lines().filter(|line| line.starts_with('|')) {
            let mut fields = line.trim_matches('|').split('|').map(str::trim);
            let label = fields.next().unwrap_or_default();
            let row = Probe::ALL.iter().position(|(_, name)| *name == label);
            for (column, field) in fields.enumerate() {
                let Some(row) = row else { break };
                let (word, number) = field.split_once(" <sup>").unwrap_or((field, ""));
                let remark = remarks.get(number.trim_end_matches("</sup>")).unwrap_or(&"");
                let written = Written { word: word.to_owned(), remark: (*remark).to_owned() };
                cells.insert((row, column), written);
            }
        }
        Matrix { cells }
    }

    pub fn column(&self, column: usize) -> Vec<Written> {
        let rows = 0..Probe::ALL.len();
        rows.map(|row| self.cells.get(&(row, column)).cloned().unwrap_or_default()).collect()
    }

    pub fn set_column(&mut self, column: usize, cells: Vec<Written>) {
        for (row, cell) in cells.into_iter().enumerate() {
            self.cells.insert((row, column), cell);
        }
    }

    /// The table, and below it the remarks in the order of their first use.
    pub fn render(&self) -> String {
        let mut remarks: Vec<&str> = Vec::new();
        let mut text = format!("| probe | {} |\n|---|{}\n", SERVERS.join(" | "), "---|".repeat(6));
        for (row, (_, label)) in Probe::ALL.iter().enumerate() {
            let _ = write!(text, "| {label} |");
            for column in 0..SERVERS.len() {
                let written = self.cells.get(&(row, column)).cloned().unwrap_or_default();
                let _ = write!(text, " {}", written.word);
                if let Some(remark) = self.cells.get(&(row, column)).map(|cell| &*cell.remark)
                    && !remark.is_empty()
                {
                    let known = remarks.iter().position(|other| *other == remark);
                    let number = known.unwrap_or_else(|| {
                        remarks.push(remark);
                        remarks.len() - 1
                    });
                    let _ = write!(text, " <sup>{}</sup>", number + 1);
                }
                text.push_str(" |");
            }
            text.push('\n');
        }
        text.push('\n');
        for (at, remark) in remarks.iter().enumerate() {
            let _ = writeln!(text, "{}. {remark}", at + 1);
        }
        text
    }
}

const BEGIN: &str = "<!-- matrix: begin (written by `make conformance`) -->\n";
const END: &str = "<!-- matrix: end -->";

/// The page of the documentation with the matrix in it.
pub struct Page {
    path: PathBuf,
    before: String,
    pub made: String,
    after: String,
}

impl Page {
    pub fn read() -> Page {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/conformance.md");
        let text = fs::read_to_string(&path).expect("docs/conformance.md");
        let (before, rest) = text.split_once(BEGIN).expect("the matrix's beginning");
        let (made, after) = rest.split_once(END).expect("the matrix's end");
        let (before, made, after) = (before.to_owned(), made.to_owned(), after.to_owned());
        Page { path, before, made, after }
    }

    pub fn write(&self, matrix: &Matrix) {
        let (before, made, after) = (&self.before, matrix.render(), &self.after);
        fs::write(&self.path, format!("{before}{BEGIN}{made}{END}{after}")).expect("writes");
    }
}
