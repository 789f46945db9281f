//! What was measured, as a table for a person and as JSON for a machine.

use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

/// One figure.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// What, under what load.
    pub(crate) figure: String,
    /// As "KiB".
    pub(crate) unit: &'static str,
    /// Of the relay: the median.
    pub(crate) relay: Option<f64>,
    /// Of the peer in the same run.
    pub(crate) peer: Option<f64>,
    /// What must be reached and what is aimed at.
    pub(crate) bar: Option<Bar>,
    /// Each run, in its order, of the relay and of the peer.
    pub(crate) runs: [Vec<f64>; 2],
}

/// What a figure is held against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bar {
    pub(crate) must: f64,
    pub(crate) aim: f64,
}

/// All of a run.
#[derive(Debug)]
pub(crate) struct Report {
    /// The two columns.
    systems: [String; 2],
    notes: Vec<String>,
    rows: Vec<Row>,
}

impl Report {
    /// Nothing yet, of these.
    pub(crate) fn new(relay: &str, peer: &str) -> Self {
        Self { systems: [relay, peer].map(Into::into), notes: Vec::new(), rows: Vec::new() }
    }

    /// A line that stands above the table.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        eprintln!("{note}");
        self.notes.push(note);
    }

    /// A figure and what it is held against, from the runs of the relay and of the peer.
    pub(crate) fn add(
        &mut self,
        figure: impl Into<String>,
        unit: &'static str,
        runs: [Vec<f64>; 2],
        bar: Option<(f64, f64)>,
    ) {
        let [relay, peer] = [median(&runs[0]), median(&runs[1])];
        let bar = bar.map(|(must, aim)| Bar { must, aim });
        let row = Row { figure: figure.into(), unit, relay, peer, bar, runs };
        eprintln!("  {}", line(&row));
        self.rows.push(row);
    }

    /// The table.
    pub(crate) fn table(&self) -> String {
        let head = format!(
            "{:<58} {:>10} {:>10} {:>8} {:>8}  unit",
            "figure", self.systems[0], self.systems[1], "must", "aim"
        );
        let rule = "-".repeat(head.len());
        let notes = self.notes.iter().map(|note| format!("# {note}"));
        let rows = self.rows.iter().map(line);
        notes.chain([head, rule]).chain(rows).collect::<Vec<_>>().join("\n")
    }

    /// Writes all, each run too.
    pub(crate) fn write_json(&self, path: &Path) -> Result<()> {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                json!({
                    "figure": row.figure,
                    "unit": row.unit,
                    "relay": row.relay,
                    "peer": row.peer,
                    "must": row.bar.map(|bar| bar.must),
                    "aim": row.bar.map(|bar| bar.aim),
                    "relay_runs": row.runs[0],
                    "peer_runs": row.runs[1],
                })
            })
            .collect();
        let all = json!({ "systems": self.systems, "notes": self.notes, "figures": rows });
        Ok(std::fs::write(path, serde_json::to_vec_pretty(&all)?)?)
    }
}

fn line(row: &Row) -> String {
    let number = |number: Option<f64>| number.map_or_else(|| "–".to_owned(), shown);
    format!(
        "{:<58} {:>10} {:>10} {:>8} {:>8}  {}",
        row.figure,
        number(row.relay),
        number(row.peer),
        number(row.bar.map(|bar| bar.must)),
        number(row.bar.map(|bar| bar.aim)),
        row.unit
    )
}

fn shown(number: f64) -> String {
    if number >= 100.0 || number.fract() == 0.0 {
        format!("{number:.0}")
    } else {
        format!("{number:.2}")
    }
}

/// The middle one; of two middle ones the lower.
fn median(runs: &[f64]) -> Option<f64> {
    let mut sorted = runs.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_a_run_that_took_place() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.0));
    }
}
