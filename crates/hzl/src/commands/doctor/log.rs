//! Whether the log is what was written. Reading all of it takes long, so it is read once.

use hzl_store::Access;
use hzl_store::Error;
use hzl_store::Note;
use hzl_store::StorePaths;
use hzl_store::filesystem::FileSystem;
use hzl_store::ledger::Ledger;
use hzl_store::loss;
use hzl_store::query::health;
use hzl_store::sum;

use super::Check;
use super::repair::Repairs;

pub(super) const REPAIR: &str = "hzl doctor --fix";
pub(super) const SAVE: &str = "Keep the damaged file beside, and save all events that can be read; a synced ledger gets the rest from the cloud";

/// How many damaged rows a message names.
const NAMED_ROWS: usize = 10;

/// What reading the whole log has shown.
pub(super) enum Examined {
    /// This is wrong with it.
    Damaged(String),
    /// Nothing is; of so many events that is not known.
    Sound { without_sum: u64 },
}

/// Opens the ledger and reads its log. If repairs are wanted, a log that is damaged is made sound first.
pub(super) fn open(
    paths: &StorePaths,
    repairs: &mut Repairs,
) -> hzl_store::Result<(Ledger, hzl_store::Result<Examined>)> {
    if repairs.wanted {
        for path in paths.files() {
            repairs.make_usable(&path);
        }
    }
    let is_damage = |error: &Error| {
        let (Error::Corrupt { path, .. } | Error::NotADatabase { path, .. }) = error else {
            return false;
        };
        path.file_name() == paths.events.file_name()
    };
    let opened = open_and_examine(paths);
    let is_damaged = match &opened {
        Ok((_, Ok(examined))) => matches!(examined, Examined::Damaged(_)),
        Ok((_, Err(error))) | Err(error) => is_damage(error),
    };
    if is_damaged && repairs.wanted {
        // Nobody here may have it open meanwhile.
        drop(opened);
        repairs.salvage(paths)?;
        return open_and_examine(paths);
    }
    match opened {
        Ok((_, Err(error))) if !is_damaged => Err(error),
        opened => opened,
    }
}

fn open_and_examine(
    paths: &StorePaths,
) -> hzl_store::Result<(Ledger, hzl_store::Result<Examined>)> {
    let ledger = Ledger::open(paths, Access::Existing)?;
    let examined = examine(&ledger);
    Ok((ledger, examined))
}

/// Its structure first, then every event.
fn examine(ledger: &Ledger) -> hzl_store::Result<Examined> {
    let log = &ledger.files().events;
    if let Some(first) = health::list_damage(log)?.first() {
        return Ok(Examined::Damaged(format!(
            "the event log is damaged: {first}"
        )));
    }
    let checked = sum::check(log)?;
    if !checked.has_damage() {
        return Ok(Examined::Sound {
            without_sum: checked.without_sum,
        });
    }
    let (changed, missing) = (checked.changed.len(), checked.missing.len());
    let rows: Vec<String> = [checked.changed, checked.missing]
        .iter()
        .flatten()
        .take(NAMED_ROWS)
        .map(i64::to_string)
        .collect();
    Ok(Examined::Damaged(format!(
        "the event log is damaged: {changed} events are not what was written, {missing} are gone (rows {})",
        rows.join(", ")
    )))
}

/// Judges what was found.
pub(super) fn check(
    ledger: &mut Ledger,
    examined: Examined,
    repairs: &mut Repairs,
) -> hzl_store::Result<Check> {
    let without = match examined {
        Examined::Damaged(damage) => return Ok(Check::fail(damage).action(REPAIR, SAVE)),
        Examined::Sound { without_sum } => without_sum,
    };
    if without > 0 && repairs.wanted {
        let filled = ledger.fill_sums()?;
        repairs.did("database", format!("{filled} events have a checksum now"));
    }
    if ledger.files().notes.contains(&Note::Replica) {
        return Ok(Check::warn(
            "HZL 3.2.0 kept this log as a replica: do not let that program sync it any more",
        ));
    }
    if let Some(warning) = FileSystem::of(&ledger.files().paths.events).warning() {
        return Ok(Check::warn(warning));
    }
    if without > 0 && !repairs.wanted {
        let message = format!("{without} events have no checksum: HZL 3.2.0 has written them");
        return Ok(Check::pass().says(message).action(
            REPAIR,
            "Give them one, so that damage of them will be found",
        ));
    }
    Ok(Check::pass())
}

/// Whether the log has gone back behind what was seen of it. What the cloud has is here by now.
pub(super) fn check_loss(
    ledger: &Ledger,
    repairs: &mut Repairs,
) -> hzl_store::Result<Option<Check>> {
    let files = ledger.files();
    let Some(lost) = loss::find(&files.events, &files.cache)? else {
        return Ok(None);
    };
    if repairs.wanted {
        loss::forget(&files.cache)?;
        let message = format!(
            "event {lost}, and perhaps others before it, are neither here nor in a cloud: the log goes on without them"
        );
        repairs.did("database", message);
        return Ok(None);
    }
    let message = format!(
        "the log has lost events: {lost} was here. Its -wal was deleted, or an older copy was put in its place"
    );
    Ok(Some(
        Check::fail(message)
            .action(
                "hzl restore <file> --force",
                "Bring back a backup that has more, or put the right files back",
            )
            .action(REPAIR, "Or go on without these events"),
    ))
}
