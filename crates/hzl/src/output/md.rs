//! Text for people, built from pieces that are escaped here, so that no command can forget it.

use comfy_table::ContentArrangement;
use comfy_table::Table;
use comfy_table::presets;

use super::escape;

/// Builds the text of one answer.
#[derive(Debug)]
pub(crate) struct Md {
    text: String,
    color: bool,
    columns: u16,
}

/// What a piece of text expresses. Shown as a colour where colours are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Warning,
    Bad,
    Heading,
    Faint,
}

impl Md {
    /// Starts an empty text for lines of this width.
    pub(crate) fn new(color: bool, columns: u16) -> Self {
        Self {
            text: String::new(),
            color,
            columns,
        }
    }

    /// Returns the text.
    pub(crate) fn finish(self) -> String {
        self.text
    }

    /// Adds a line.
    pub(crate) fn line(&mut self, text: &str) {
        let line = escape::inline(text);
        self.push(&line);
    }

    /// Adds an empty line.
    pub(crate) fn gap(&mut self) {
        self.push("");
    }

    /// Adds a line that says what was done.
    pub(crate) fn ok(&mut self, text: &str) {
        self.marked(Tone::Good, "✓", text);
    }

    /// Adds a line that says what to look at.
    pub(crate) fn warning(&mut self, text: &str) {
        self.marked(Tone::Warning, "⚠", text);
    }

    /// Adds a line that says what is wrong.
    pub(crate) fn bad(&mut self, text: &str) {
        self.marked(Tone::Bad, "✗", text);
    }

    /// Adds a heading.
    pub(crate) fn heading(&mut self, text: &str) {
        let line = self.toned(Tone::Heading, &escape::inline(text));
        self.push(&line);
    }

    /// Adds a line with a name and a value.
    pub(crate) fn field(&mut self, name: &str, value: &str) {
        let name = self.toned(Tone::Faint, &format!("{}:", escape::inline(name)));
        let line = format!("{name} {}", escape::inline(value));
        self.push(&line);
    }

    /// Adds a longer text below its name, indented.
    pub(crate) fn block(&mut self, name: &str, text: &str) {
        let name = self.toned(Tone::Faint, &format!("{}:", escape::inline(name)));
        self.push(&name);
        for line in escape::lines(text) {
            let line = format!("  {line}");
            self.push(line.trim_end());
        }
    }

    /// Adds a table that fits the terminal. Long cells are wrapped.
    pub(crate) fn table(&mut self, header: &[&str], rows: &[Vec<String>]) {
        let mut table = Table::new();
        table
            .load_style(presets::UTF8_HORIZONTAL_ONLY)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(self.columns)
            .set_header(header.iter().copied());
        for row in rows {
            table.add_row(row.iter().map(|cell| escape::inline(cell)));
        }
        for line in table.lines() {
            self.push(line.trim_end());
        }
    }

    fn marked(&mut self, tone: Tone, mark: &str, text: &str) {
        let line = format!("{} {}", self.toned(tone, mark), escape::inline(text));
        self.push(&line);
    }

    /// Adds a line that is already escaped.
    fn push(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn toned(&self, tone: Tone, text: &str) -> String {
        if !self.color {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Warning => "33",
            Tone::Bad => "31",
            Tone::Heading => "1",
            Tone::Faint => "2",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(color: bool, columns: u16, build: impl FnOnce(&mut Md)) -> String {
        let mut md = Md::new(color, columns);
        build(&mut md);
        md.finish()
    }

    #[test]
    fn every_piece_is_escaped() {
        let evil = "\u{1b}]0;evil\u{7}";
        let text = built(false, 40, |md| {
            md.line(evil);
            md.ok(evil);
            md.warning(evil);
            md.bad(evil);
            md.heading(evil);
            md.field(evil, evil);
            md.block(evil, evil);
            md.table(&["a"], &[vec![evil.to_owned()]]);
        });
        assert!(!text.contains(['\u{1b}', '\u{7}']), "{text}");
    }

    #[test]
    fn a_block_is_indented_so_that_it_cannot_pass_for_our_own_lines() {
        let text = built(false, 40, |md| md.block("Comment", "x\n✓ Done\n\ny"));
        assert_eq!(text, "Comment:\n  x\n  ✓ Done\n\n  y\n");
    }

    #[test]
    fn a_table_fits_the_terminal() {
        let long = "a rather long title that does not fit into one narrow line".to_owned();
        let rows = vec![vec!["01ABC".to_owned(), long]];
        let text = built(false, 30, |md| md.table(&["id", "title"], &rows));
        assert!(
            text.lines().all(|line| line.chars().count() <= 30),
            "{text}"
        );
        assert!(text.contains("01ABC"));
    }

    #[test]
    fn colours_are_added_after_escaping() {
        let text = built(true, 40, |md| md.ok("done"));
        assert_eq!(text, "\u{1b}[32m✓\u{1b}[0m done\n");
    }
}
