//! Writes the tables into docs/performance.md, between the marks that are there for them.

use std::fs;

use crate::report::Report;
use crate::stores::repository;

/// Replaces what stands between the marks of each section that has any, and of the targets.
pub(crate) fn write(report: &Report) {
    let path = repository().join("docs/performance.md");
    let mut page = fs::read_to_string(&path).expect("docs/performance.md is there");
    for section in &report.sections {
        let tables: Vec<String> = section
            .tables
            .iter()
            .map(|table| table.markdown())
            .collect();
        page = replaced(
            &page,
            &section.name,
            &format!("{}.\n\n{}", section.run, tables.join("\n")),
        );
        if let Some(plot) = &section.plot {
            fs::write(repository().join("docs/growth.svg"), plot).expect("docs/ is writable");
        }
    }
    page = replaced(&page, "targets", &report.targets().markdown());
    fs::write(&path, page).expect("docs/ is writable");
}

fn replaced(page: &str, name: &str, text: &str) -> String {
    let (begin, end) = (
        format!("<!-- bench: {name} -->\n"),
        format!("<!-- end: {name} -->"),
    );
    let (before, rest) = page
        .split_once(&begin)
        .unwrap_or_else(|| panic!("docs/performance.md has no {begin}"));
    let (_, after) = rest
        .split_once(&end)
        .unwrap_or_else(|| panic!("docs/performance.md has no {end}"));
    format!("{before}{begin}\n{}\n{end}{after}", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let page = "a\n<!-- bench: x -->\nold\n<!-- end: x -->\nb\n";
        let expected = "a\n<!-- bench: x -->\n\nnew\n<!-- end: x -->\nb\n";
        assert_eq!(replaced(page, "x", "new\n"), expected);
        assert_eq!(replaced(expected, "x", "new\n"), expected);
    }
}
