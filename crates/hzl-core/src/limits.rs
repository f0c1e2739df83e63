//! Every numeric limit, once.
//!
//! Lengths are counted in Unicode scalar values. The numbers are those of HZL 3.2.0, which counted
//! UTF-16 units: whatever it accepted is accepted here.

/// Title of a task.
pub const TITLE_CHARS: usize = 128;
/// Description of a task or project.
pub const DESCRIPTION_CHARS: usize = 16_384;
/// One link.
pub const LINK_CHARS: usize = 2_048;
/// One tag.
pub const TAG_CHARS: usize = 64;
/// Reason of a status change.
pub const REASON_CHARS: usize = 1_024;
/// One comment.
pub const COMMENT_CHARS: usize = 16_384;
/// Name of a checkpoint.
pub const CHECKPOINT_NAME_CHARS: usize = 256;
/// Data of a checkpoint, serialised.
pub const CHECKPOINT_DATA_CHARS: usize = 16_384;
/// Name of an agent, a task id, any other identifier.
pub const IDENTIFIER_CHARS: usize = 255;
/// Name of a project.
pub const PROJECT_NAME_CHARS: usize = 255;
/// Items in tags, links or dependencies.
pub const LIST_ITEMS: usize = 100;
/// Keys of a task's metadata.
pub const METADATA_KEYS: usize = 50;
/// A task's metadata, serialised.
pub const METADATA_CHARS: usize = 65_536;
/// Highest priority; 0 is the lowest.
pub const PRIORITY_MAX: u8 = 3;
/// Highest progress, in per cent.
pub const PROGRESS_MAX: u8 = 100;
/// Longest lease and stale override, in minutes: ten years. HZL 3.2.0 had no bound and overflowed.
pub const MINUTES_MAX: u32 = 5_256_000;
/// Deepest JSON value in metadata or checkpoint data.
pub const JSON_DEPTH: usize = 64;
/// Largest payload of one event, in bytes, that is written, sent or taken over.
pub const EVENT_BYTES: usize = 1_048_576;
/// Deepest payload of one event that is sent or taken over: what a later version may wrap around the
/// deepest value has room, and every JSON parser can still read it (serde_json stops at 127).
pub const EVENT_DEPTH: usize = JSON_DEPTH + 16;
