//! Carries a workflow out once: its events and its result are one transaction.
//!
//! A key made by `--auto-op-id` stands for the input and for the state the operation left its source
//! in. So who asks again gets the answer again, until something else happens to the source.

use std::borrow::Cow;
use std::marker::PhantomData;

use hzl_core::ids::TaskId;
use hzl_store::batch::Batch;
use hzl_store::ledger::Ledger;
use hzl_store::workflow;
use hzl_store::workflow::Earlier;
use hzl_store::workflow::OperationKey;
use schemars::JsonSchema;
use schemars::Schema;
use schemars::SchemaGenerator;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::context::Context;
use crate::error::CommandError;
use crate::error::Kind;
use crate::output::Answer;
use crate::output::Md;

/// How many hexadecimal digits of a digest are in a key.
const KEY_DIGITS: usize = 24;

/// What identifies an operation.
#[derive(Clone, Copy, Debug)]
pub(super) enum Key<'a> {
    /// Nothing: it is carried out whenever it is asked for.
    None,
    /// What the caller says.
    Given(&'a str),
    /// Input and source.
    Made(&'a TaskId),
}

impl<'a> Key<'a> {
    /// Reads `--op-id` and `--auto-op-id`.
    pub(super) fn of(
        op_id: Option<&'a str>,
        auto: bool,
        source: &'a TaskId,
    ) -> Result<Self, CommandError> {
        match (op_id, auto) {
            (Some(_), true) => Err(CommandError::new(
                Kind::Input,
                "--op-id and --auto-op-id exclude each other",
            )),
            (Some(op_id), false) => Self::given(op_id),
            (None, true) => Ok(Self::Made(source)),
            (None, false) => Ok(Self::None),
        }
    }

    /// Takes a key from the caller.
    pub(super) fn given(op_id: &'a str) -> Result<Self, CommandError> {
        match op_id.trim() {
            "" => Err(CommandError::new(Kind::Input, "--op-id is empty")),
            op_id => Ok(Self::Given(op_id)),
        }
    }
}

/// An operation to carry out.
#[derive(Debug)]
pub(super) struct Operation<'a> {
    pub(super) workflow: &'static str,
    pub(super) key: Key<'a>,
    /// Everything that decides what is done.
    pub(super) input: Value,
}

/// What an operation did, now or when it was carried out; `T` is what the workflow says of it.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Report<T> {
    result: Map<String, Value>,
    #[serde(skip)]
    text: fn(&Map<String, Value>, &mut Md),
    #[serde(skip)]
    kind: PhantomData<T>,
}

/// What is stored of an operation and printed.
#[derive(Debug, JsonSchema, Serialize)]
struct Outcome<T> {
    #[serde(flatten)]
    done: T,
    idempotency: Idempotency,
}

#[derive(Debug, JsonSchema, Serialize)]
struct Idempotency {
    op_id: Option<String>,
    scope: String,
    auto_generated: bool,
    /// The operation was carried out before, and nothing was changed now.
    replayed: bool,
    table_available: bool,
}

impl<T: JsonSchema> JsonSchema for Report<T> {
    fn schema_name() -> Cow<'static, str> {
        Outcome::<T>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Outcome::<T>::json_schema(generator)
    }
}

impl<T: Serialize + JsonSchema> Answer for Report<T> {
    fn md(&self, md: &mut Md) {
        (self.text)(&self.result, md);
        if self.result["idempotency"]["replayed"] == true {
            md.line("This was done before; nothing was changed now.");
        }
    }
}

impl<T> Report<T> {
    /// The id of the task that the operation has led to.
    pub(super) fn selected(&self) -> Option<&str> {
        self.result.get("selected")?.get("task_id")?.as_str()
    }
}

impl Operation<'_> {
    /// Tells whether the key that was given is in use already.
    pub(super) fn is_known(&self, ledger: &Ledger) -> Result<bool, CommandError> {
        let Key::Given(op_id) = self.key else {
            return Ok(false);
        };
        let input_hash = self.input_hash();
        let key = self.key(op_id, &input_hash);
        let earlier = workflow::find(&ledger.files().events, key, ledger.now())?;
        Ok(!matches!(earlier, Earlier::Nothing))
    }

    /// Carries the operation out, unless it was before, and prints its result.
    pub(super) fn run<T: Serialize + JsonSchema>(
        &self,
        ctx: &mut Context,
        ledger: &mut Ledger,
        text: fn(&Map<String, Value>, &mut Md),
        work: impl FnOnce(&mut Batch<'_>) -> Result<T, CommandError>,
    ) -> Result<(), CommandError> {
        let report = self.carry_out(ctx, ledger, text, work)?;
        ctx.output.answer(&report)
    }

    /// Carries the operation out, unless it was before.
    pub(super) fn carry_out<T: Serialize + JsonSchema>(
        &self,
        ctx: &mut Context,
        ledger: &mut Ledger,
        text: fn(&Map<String, Value>, &mut Md),
        work: impl FnOnce(&mut Batch<'_>) -> Result<T, CommandError>,
    ) -> Result<Report<T>, CommandError> {
        let result = ctx.transact(ledger, |batch| self.once(batch, work))?;
        Ok(Report {
            result,
            text,
            kind: PhantomData,
        })
    }

    fn once<T: Serialize + JsonSchema>(
        &self,
        batch: &mut Batch<'_>,
        work: impl FnOnce(&mut Batch<'_>) -> Result<T, CommandError>,
    ) -> Result<Map<String, Value>, CommandError> {
        let input_hash = self.input_hash();
        if let Some(op_id) = self.op_id(batch, &input_hash)? {
            let key = self.key(&op_id, &input_hash);
            match workflow::find(batch.log(), key, batch.now())? {
                Earlier::Nothing => {}
                Earlier::Completed(result) => return Ok(self.replayed(result, op_id)),
                Earlier::Different => {
                    let message = format!("operation `{op_id}` exists with other input");
                    return Err(CommandError::new(Kind::General, message)
                        .detail("op_id", op_id)
                        .hint("use another --op-id for another operation"));
                }
                Earlier::Processing(since) => {
                    let message = format!("operation `{op_id}` is running since {since}");
                    return Err(CommandError::new(Kind::General, message)
                        .detail("op_id", op_id)
                        .hint("try again later; after 30 minutes it is carried out anew"));
                }
            }
        }
        let result = work(batch)?;
        let op_id = self.op_id(batch, &input_hash)?;
        let outcome = Outcome {
            done: result,
            idempotency: self.idempotency(op_id.clone(), false),
        };
        let result = object(&outcome);
        if let Some(op_id) = &op_id {
            let stored = Value::Object(result.clone());
            let key = self.key(op_id, &input_hash);
            workflow::record(batch.log(), key, &stored, batch.now())?;
        }
        Ok(result)
    }

    /// The key as of now: one that is made changes with the source.
    fn op_id(&self, batch: &Batch<'_>, input_hash: &str) -> Result<Option<String>, CommandError> {
        Ok(match self.key {
            Key::None => None,
            Key::Given(op_id) => Some(op_id.to_owned()),
            Key::Made(source) => {
                let last = workflow::find_last_event(batch.log(), source)?;
                let digest = workflow::digest(&json!([input_hash, last]));
                let digits: String = digest.chars().take(KEY_DIGITS).collect();
                Some(format!("wf_{}_{digits}", self.workflow))
            }
        })
    }

    fn key<'k>(&self, op_id: &'k str, input_hash: &'k str) -> OperationKey<'k> {
        OperationKey {
            op_id,
            workflow: self.workflow,
            input_hash,
        }
    }

    fn input_hash(&self) -> String {
        workflow::digest(&json!({ "scope": self.scope(), "input": self.input }))
    }

    fn scope(&self) -> String {
        format!("workflow:{}", self.workflow)
    }

    /// The result as it was stored, with what holds now.
    fn replayed(&self, result: Value, op_id: String) -> Map<String, Value> {
        let mut result = match result {
            Value::Object(result) => result,
            other => Map::from_iter([("result".to_owned(), other)]),
        };
        let idempotency = object(&self.idempotency(Some(op_id), true));
        result.insert("idempotency".to_owned(), Value::Object(idempotency));
        result
    }

    fn idempotency(&self, op_id: Option<String>, replayed: bool) -> Idempotency {
        Idempotency {
            op_id,
            scope: self.scope(),
            auto_generated: matches!(self.key, Key::Made(_)),
            replayed,
            table_available: true,
        }
    }
}

fn object(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(object)) => object,
        other => unreachable!("results are objects: {other:?}"),
    }
}

/// Names a task of a result for people.
pub(super) fn name(task: &Value) -> String {
    let text = |key: &str| task[key].as_str().unwrap_or_default();
    format!("{} ({})", text("title"), text("task_id"))
}
