//! What is measured with: the programs, and stores of any size, made once and copied.

use std::env;
use std::fs;
use std::fs::File;
use std::io::BufWriter;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use hzl_store::schema::cache::PROJECTION_VERSION;
use hzl_store::schema::events::SUPPORTED;
use hzl_testkit::made_up;
use hzl_testkit::made_up::Shape;
use rustix::fs::Advice;
use rustix::fs::fadvise;

use crate::machine::Machine;
use crate::options::Options;
use crate::report;
use crate::timing::Contestant;

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Quick,
    Usual,
    Full,
}

/// The programs, and where files go.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) hzl: PathBuf,
    pub(crate) length: Length,
    pub(crate) out: PathBuf,
    programs: PathBuf,
    root: PathBuf,
}

impl Bench {
    pub(crate) fn new(options: &Options) -> Self {
        let own = env::current_exe().expect("a program knows its path");
        let programs = own
            .parent()
            .expect("a program is in a directory")
            .to_owned();
        let root = repository().join("target/bench");
        fs::create_dir_all(&root).expect("target/ is writable");
        // It is started in other directories.
        let hzl = fs::canonicalize(options.hzl.clone().unwrap_or_else(|| programs.join("hzl")))
            .expect("hzl was built, or is where --hzl says");
        let yardsticks = ["nop", "nop-musl", "floor"].map(|name| program(&programs, name));
        for program in [&hzl].into_iter().chain(&yardsticks) {
            drop_cached_pages(program);
        }
        Self {
            hzl,
            length: match (options.quick, options.full) {
                (true, _) => Length::Quick,
                (_, true) => Length::Full,
                _ => Length::Usual,
            },
            out: options
                .out
                .clone()
                .unwrap_or_else(|| root.join("report.json")),
            programs,
            root,
        }
    }

    /// One of three, by the length of the run.
    pub(crate) fn choose<T>(&self, quick: T, usual: T, full: T) -> T {
        match self.length {
            Length::Quick => quick,
            Length::Usual => usual,
            Length::Full => full,
        }
    }

    /// The sizes of the stores, in tasks.
    pub(crate) fn sizes(&self) -> &'static [u64] {
        self.choose(
            &[1000, 10_000],
            &[1000, 10_000, 100_000],
            &[1000, 10_000, 100_000],
        )
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        program(&self.programs, name)
    }

    /// The empty program: what every line-up begins with.
    pub(crate) fn nop(&self) -> Contestant<'static> {
        let path = self.program("nop");
        Contestant::new("nop", None, move |_| Command::new(&path))
    }

    /// The empty program as hzl is linked, if `scripts/bench` has built it.
    pub(crate) fn nop_musl(&self) -> Option<Contestant<'static>> {
        let path = self.program("nop-musl");
        let contestant = Contestant::new("nop, with musl", None, {
            let path = path.clone();
            move |_| Command::new(&path)
        });
        path.exists().then_some(contestant)
    }

    pub(crate) fn floor(&self, arguments: &[&str], path: &Path) -> Command {
        let mut command = Command::new(self.program("floor"));
        command.args(arguments).arg(path);
        command
    }

    /// Runs a yardstick once, before the measurement.
    pub(crate) fn prepare(&self, arguments: &[&str], path: &Path) {
        let status = self
            .floor(arguments, path)
            .status()
            .expect("the yardsticks were built");
        assert!(status.success(), "{arguments:?} failed");
    }

    /// A directory or file for this run; what an earlier run left there is gone.
    pub(crate) fn fresh(&self, name: &str) -> PathBuf {
        let path = self.root.join("work").join(name);
        drop(fs::remove_dir_all(&path));
        drop(fs::remove_file(&path));
        fs::create_dir_all(self.root.join("work")).expect("target/ is writable");
        path
    }

    /// An empty home.
    pub(crate) fn empty(&self, name: &str) -> Machine {
        let machine = Machine::new(&self.hzl, self.fresh(name));
        machine.clear();
        machine
    }

    /// The export of so many tasks; made if it is not there.
    pub(crate) fn export(&self, tasks: u64, shape: Shape) -> PathBuf {
        let path = self.root.join(format!(
            "exports/v{}-{shape:?}-{tasks}.ndjson",
            made_up::VERSION
        ));
        if !path.exists() {
            fs::create_dir_all(self.root.join("exports")).expect("target/ is writable");
            let part = path.with_extension("part");
            let mut file = BufWriter::new(File::create(&part).expect("target/ is writable"));
            made_up::write(tasks, shape, &mut file).expect("target/ is writable");
            file.flush().expect("target/ is writable");
            fs::rename(&part, &path).expect("a file can be renamed");
        }
        path
    }

    /// How many events the export of so many tasks has.
    pub(crate) fn events(&self, tasks: u64, shape: Shape) -> f64 {
        let bytes = fs::read(self.export(tasks, shape)).expect("the export is there");
        bytes.iter().filter(|byte| **byte == b'\n').count() as f64
    }

    /// A machine with a store of so many tasks of its own, ready for use.
    pub(crate) fn machine(&self, name: &str, tasks: u64, shape: Shape) -> Machine {
        let stored = self.imported(tasks, shape);
        // A store this large is used where it is: what a run adds to it is next to nothing.
        if tasks > 200_000 {
            stored.read_through();
            stored.json(&["task", "list", "--limit", "1"]);
            return stored;
        }
        let machine = self.empty(&format!("{name}-{tasks}"));
        machine.copy_from(&stored);
        machine.json(&["task", "list", "--limit", "1"]);
        machine
    }

    /// The store that all copies are made of; imported if it is not there.
    fn imported(&self, tasks: u64, shape: Shape) -> Machine {
        let format = format!(
            "{}.{}-{PROJECTION_VERSION}",
            SUPPORTED.major(),
            SUPPORTED.minor()
        );
        let name = format!("stores/v{}-{format}-{shape:?}-{tasks}", made_up::VERSION);
        let machine = Machine::new(&self.hzl, self.root.join(name));
        if !machine.directory().join("complete").exists() {
            report::progress(&format!("making a store of {tasks} tasks …"));
            machine.clear();
            let export = self.export(tasks, shape);
            machine.json(&["import", &export.to_string_lossy()]);
            // Whoever reads first brings the projections after the log.
            machine.json(&["task", "list", "--limit", "1"]);
            fs::write(machine.directory().join("complete"), "").expect("target/ is writable");
        }
        machine
    }
}

fn program(programs: &Path, name: &str) -> PathBuf {
    programs.join(format!("hzl-bench-{name}"))
}

/// Makes the kernel read a program from the disk when it is started next, as after a start of the machine: how whoever
/// wrote the file cut it into pieces would otherwise decide over a fifth of what a short command takes.
fn drop_cached_pages(program: &Path) {
    let Ok(file) = File::open(program) else {
        return;
    };
    file.sync_all().expect("a program can be synced");
    fadvise(&file, 0, None, Advice::DontNeed).expect("the kernel takes advice");
}

/// The root of the repository that the benchmark was built in.
pub(crate) fn repository() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize()
        .expect("the repository is where it was built")
}
