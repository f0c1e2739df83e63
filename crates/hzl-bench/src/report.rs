//! What was found: tables for people, figures as JSON, and targets that were met or missed.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use crate::stores::Bench;
use crate::stores::Length;
use crate::stores::repository;

/// A table of Markdown; the first column is text, the others are numbers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) header: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(title: &str, header: &[&str]) -> Self {
        Self {
            title: title.to_owned(),
            header: header.iter().map(|name| (*name).to_owned()).collect(),
            rows: vec![],
        }
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("{}\n\n| {} |\n|---|", self.title, self.header.join(" | "));
        text.push_str(&"---:|".repeat(self.header.len() - 1));
        for row in &self.rows {
            write!(text, "\n| {} |", row.join(" | ")).expect("a text grows");
        }
        text + "\n"
    }
}

/// Which side of its limit a figure has to be on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Limit {
    AtMost,
    AtLeast,
}

/// A figure with a limit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Target {
    /// Of which goal it is a part.
    pub(crate) goal: String,
    pub(crate) what: String,
    pub(crate) value: f64,
    pub(crate) side: Limit,
    pub(crate) limit: f64,
    /// The best there can be, where that was measured in the same run.
    pub(crate) floor: Option<f64>,
}

impl Target {
    pub(crate) fn at_most(goal: &str, what: impl Into<String>, value: f64, limit: f64) -> Self {
        let (goal, what) = (goal.to_owned(), what.into());
        let side = Limit::AtMost;
        Self {
            goal,
            what,
            value,
            side,
            limit,
            floor: None,
        }
    }

    pub(crate) fn at_least(goal: &str, what: impl Into<String>, value: f64, limit: f64) -> Self {
        let side = Limit::AtLeast;
        Self {
            side,
            ..Self::at_most(goal, what, value, limit)
        }
    }

    pub(crate) fn with_floor(self, floor: f64) -> Self {
        Self {
            floor: Some(floor),
            ..self
        }
    }

    pub(crate) fn is_met(&self) -> bool {
        match self.side {
            Limit::AtMost => self.value <= self.limit,
            Limit::AtLeast => self.value >= self.limit,
        }
    }

    fn row(&self) -> Vec<String> {
        let sign = match self.side {
            Limit::AtMost => "≤",
            Limit::AtLeast => "≥",
        };
        let gap = self.floor.map(|floor| self.value / floor);
        vec![
            format!("{} {}", self.goal, self.what),
            self.floor.map_or_else(|| "–".to_owned(), number),
            number(self.value),
            gap.map_or_else(|| "–".to_owned(), number),
            format!("{sign} {}", number(self.limit)),
            if self.is_met() { "yes" } else { "**no**" }.to_owned(),
        ]
    }
}

/// A part of the benchmark that has run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Section {
    pub(crate) name: String,
    /// Filled in by [`Report::add`].
    #[serde(default)]
    pub(crate) run: String,
    pub(crate) tables: Vec<Table>,
    pub(crate) targets: Vec<Target>,
    pub(crate) figures: Value,
    /// A drawing, as SVG.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) plot: Option<String>,
}

impl Section {
    pub(crate) fn new(name: &str, figures: Value) -> Self {
        let name = name.to_owned();
        let (run, tables, targets) = (String::new(), vec![], vec![]);
        Self {
            name,
            run,
            tables,
            targets,
            figures,
            plot: None,
        }
    }
}

/// All parts; those of earlier runs too, where only some were run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) sections: Vec<Section>,
    /// When, where and with which hzl this run was made.
    #[serde(skip)]
    run: String,
    /// The names of the parts that ran now.
    #[serde(skip)]
    ran: Vec<String>,
}

impl Report {
    /// Begins with what an earlier run has left in the file.
    pub(crate) fn new(bench: &Bench) -> Self {
        let earlier = fs::read_to_string(&bench.out).ok();
        let mut report = earlier
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_else(|| Self {
                sections: vec![],
                run: String::new(),
                ran: vec![],
            });
        report.run = describe(bench);
        report
    }

    pub(crate) fn add(&mut self, section: Section) {
        let name = section.name.clone();
        self.sections.retain(|earlier| earlier.name != name);
        self.sections.push(Section {
            run: self.run.clone(),
            ..section
        });
        self.ran.push(name);
    }

    fn ran(&self) -> impl Iterator<Item = &Section> {
        self.sections
            .iter()
            .filter(|section| self.ran.contains(&section.name))
    }

    pub(crate) fn has_missed(&self) -> bool {
        self.ran()
            .flat_map(|section| &section.targets)
            .any(|target| !target.is_met())
    }

    /// The targets of all sections, in the order of the goals.
    pub(crate) fn targets(&self) -> Table {
        let mut targets: Vec<&Target> = self
            .sections
            .iter()
            .flat_map(|section| &section.targets)
            .collect();
        targets.sort_by_key(|target| target.goal.clone());
        let header = ["Goal", "Floor", "hzl", "hzl / floor", "Limit", "Met"];
        let mut table = Table::new("Ratios, unless a unit is named.", &header);
        table.rows = targets.into_iter().map(Target::row).collect();
        table
    }

    #[expect(clippy::print_stdout, reason = "the report is what the program is for")]
    pub(crate) fn print(&self) {
        println!("{}\n", self.run);
        for section in self.ran() {
            println!("## {}\n", section.name);
            for table in &section.tables {
                println!("{}", table.markdown());
            }
        }
        let mut table = self.targets();
        let goals: Vec<String> = self
            .ran()
            .flat_map(|section| &section.targets)
            .map(|t| t.row()[0].clone())
            .collect();
        table.rows.retain(|row| goals.contains(&row[0]));
        println!("## targets\n\n{}", table.markdown());
    }

    pub(crate) fn save(&self, path: &Path) {
        let text = serde_json::to_string_pretty(self).expect("a report is JSON");
        fs::write(path, text)
            .unwrap_or_else(|error| panic!("{} cannot be written: {error}", path.display()));
    }
}

/// Says what is being done, to whoever waits.
#[expect(clippy::print_stderr, reason = "a long run says where it is")]
pub(crate) fn progress(what: &str) {
    eprintln!("bench: {what}");
}

/// A figure with as many digits as it deserves.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => thousands(&format!("{value:.0}")),
        size if size >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn thousands(digits: &str) -> String {
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn describe(bench: &Bench) -> String {
    let said = |program: &str, arguments: &[&str]| {
        let output = Command::new(program)
            .args(arguments)
            .current_dir(repository())
            .output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        text.unwrap_or_default()
    };
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or_default();
    let cores = cpus
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let load = read("/proc/loadavg");
    let length = match bench.length {
        Length::Quick => "quick",
        Length::Usual => "usual",
        Length::Full => "full",
    };
    format!(
        "{} UTC, commit {}, {length} run on {cores} cores ({}), Linux {}, load {} at its start",
        said("date", &["-u", "+%F %H:%M"]),
        said("git", &["rev-parse", "--short", "HEAD"]),
        model.trim_start_matches([':', ' ', '\t']),
        said("uname", &["-r"]),
        load.split(' ').next().unwrap_or_default(),
    )
}

/// A name in a table: what can be typed, up to a comma, as code.
pub(crate) fn code(name: &str) -> String {
    match name.split_once(", ") {
        Some((command, rest)) => format!("`{command}`, {rest}"),
        None => format!("`{name}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_few_digits() {
        let texts = [0.5, 3.0, 12.345, 123.4, 1234567.0].map(number);
        assert_eq!(texts, ["0.50", "3", "12.3", "123", "1,234,567"]);
    }

    #[test]
    fn a_target_has_two_sides() {
        assert!(Target::at_most("P1", "x", 2.0, 2.0).is_met());
        assert!(!Target::at_least("P1", "x", 1.9, 2.0).is_met());
    }
}
