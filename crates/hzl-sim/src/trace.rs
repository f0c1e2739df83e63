//! What happened, line by line: all of it as one number, and as text if somebody wants to read it.

/// A trace of a simulation.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    digest: u64,
    lines: Option<Vec<String>>,
}

impl Trace {
    /// A trace that keeps its lines.
    #[must_use]
    pub fn kept() -> Self {
        Self {
            lines: Some(vec![]),
            ..Self::default()
        }
    }

    /// Adds a line.
    pub(crate) fn add(&mut self, line: &dyn Fn() -> String) {
        let line = line();
        // FNV-1a: the same lines in the same order, and nothing more, is what it has to tell.
        for byte in line.bytes().chain([b'\n']) {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
        if let Some(lines) = &mut self.lines {
            lines.push(line);
        }
    }

    /// One number for all lines.
    #[must_use]
    pub const fn digest(&self) -> u64 {
        self.digest
    }

    /// The lines, if they were kept.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }
}
