//! Figures in a table, and whether they are good enough.

use std::fmt;
use std::process::ExitCode;

/// A median, with the least and the most.
pub struct Spread {
    pub median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    /// Of at least one number; of none, not a number.
    pub fn of(figures: impl Iterator<Item = f64>) -> Spread {
        let mut sorted: Vec<f64> = figures.collect();
        sorted.sort_by(f64::total_cmp);
        let at = |place: usize| sorted.get(place).copied().unwrap_or(f64::NAN);
        Spread {
            median: (at(sorted.len().saturating_sub(1) / 2) + at(sorted.len() / 2)) / 2.0,
            least: at(0),
            most: at(sorted.len().saturating_sub(1)),
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.median.is_nan() {
            return f.write_str("-");
        }
        let digits = if self.median < 10.0 { 2 } else { 0 };
        write!(f, "{:.*} ({:.*}-{:.*})", digits, self.median, digits, self.least, digits, self.most)
    }
}

/// One line of a table.
pub fn line(cells: &[&str]) {
    let (first, rest) = cells.split_first().expect("a line has a name");
    let rest: String = rest.iter().map(|cell| format!(" {cell:>20}")).collect();
    println!("{first:<12}{rest}");
}

/// What was to be reached, and what was.
#[derive(Default)]
pub struct Goals(Vec<(String, f64, f64)>);

impl Goals {
    pub fn at_most(&mut self, what: &str, found: f64, limit: f64) {
        self.0.push((what.to_owned(), found, limit));
    }

    pub fn print(&self) -> ExitCode {
        println!("\nGoals");
        for (what, found, limit) in &self.0 {
            let word = if found <= limit { "holds" } else { "MISSED" };
            println!("{word:<7} {what}: {found:.2}, at most {limit}");
        }
        let all_hold = self.0.iter().all(|(_, found, limit)| found <= limit);
        if all_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
