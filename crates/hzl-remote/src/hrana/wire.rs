//! The JSON of Hrana 2 over HTTP, as far as it is used. A foreign format: changes follow the
//! protocol (`hrana-2-spec`), never our wishes.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de::Visitor;

use super::Statement;
use super::Value;
use crate::bounded;

/// One request of a pipeline.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Request<'a> {
    Execute { stmt: Stmt<'a> },
    Batch { batch: Batch<'a> },
    Close,
}

#[derive(Debug, Serialize)]
pub(crate) struct Stmt<'a> {
    sql: &'a str,
    args: &'a [Value],
    want_rows: bool,
}

#[derive(Debug, Serialize)]
pub(crate) struct Batch<'a> {
    steps: Vec<Step<'a>>,
}

#[derive(Debug, Serialize)]
struct Step<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Condition>,
    stmt: Stmt<'a>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Condition {
    /// The step of that index ran and succeeded.
    Ok { step: usize },
}

impl<'a> Request<'a> {
    pub(crate) fn execute(statement: &'a Statement) -> Self {
        Self::Execute {
            stmt: Stmt::new(statement),
        }
    }

    /// A batch in which each step depends on the one before.
    pub(crate) fn batch(statements: &'a [Statement]) -> Self {
        let steps = statements
            .iter()
            .enumerate()
            .map(|(index, statement)| Step {
                condition: index.checked_sub(1).map(|step| Condition::Ok { step }),
                stmt: Stmt::new(statement),
            })
            .collect();
        Self::Batch {
            batch: Batch { steps },
        }
    }
}

impl<'a> Stmt<'a> {
    fn new(statement: &'a Statement) -> Self {
        Self {
            sql: &statement.sql,
            args: &statement.args,
            want_rows: statement.want_rows,
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(tag = "type", rename_all = "snake_case")]
        enum Sent<'a> {
            Null,
            /// As text: JSON numbers lose precision above 2⁵³ in many implementations.
            Integer {
                value: String,
            },
            Float {
                value: f64,
            },
            Text {
                value: &'a str,
            },
            Blob {
                base64: String,
            },
        }
        match self {
            Self::Null => Sent::Null,
            Self::Integer(value) => Sent::Integer {
                value: value.to_string(),
            },
            Self::Real(value) if value.is_finite() => Sent::Float { value: *value },
            Self::Real(_) => Sent::Null,
            Self::Text(value) => Sent::Text { value },
            Self::Blob(bytes) => Sent::Blob {
                base64: BASE64_STANDARD_NO_PAD.encode(bytes),
            },
        }
        .serialize(serializer)
    }
}

/// Returns the body of a request.
pub(crate) fn pipeline(requests: &[Request<'_>]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Pipeline<'a> {
        requests: &'a [Request<'a>],
    }
    serde_json::to_vec(&Pipeline { requests }).expect("strings and numbers are valid JSON")
}

/// The result of one request of a pipeline.
#[derive(Debug, Deserialize)]
#[serde(try_from = "AnyResult")]
pub(crate) enum Result {
    Ok { response: Response },
    Error { error: Error },
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "AnyResponse")]
pub(crate) enum Response {
    Execute { result: Rows },
    Batch { result: BatchResult },
    Other,
}

#[derive(Debug)]
pub(crate) struct BatchResult {
    pub(crate) step_results: Vec<Option<Rows>>,
    pub(crate) step_errors: Vec<Option<Error>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Error {
    pub(crate) message: String,
    pub(crate) code: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Rows {
    cols: Vec<Column>,
    rows: Vec<Vec<Received>>,
    #[serde(default)]
    affected_row_count: u64,
}

#[derive(Debug, Deserialize)]
struct Column {
    name: Option<String>,
}

// What the `type` beside them says about the fields is looked at afterwards: an enum that is told by such a tag
// is first read into a tree by serde, which took a sixth of the instructions of a push.

#[derive(Deserialize)]
struct AnyResult {
    #[serde(rename = "type")]
    kind: ResultKind,
    response: Option<Response>,
    error: Option<Error>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ResultKind {
    Ok,
    Error,
}

#[derive(Deserialize)]
struct AnyResponse {
    #[serde(rename = "type")]
    kind: String,
    result: Option<AnyRows>,
}

/// The rows of a statement, or what became of a batch.
#[derive(Deserialize)]
struct AnyRows {
    cols: Option<Vec<Column>>,
    rows: Option<Vec<Vec<Received>>>,
    #[serde(default)]
    affected_row_count: u64,
    step_results: Option<Vec<Option<Rows>>>,
    step_errors: Option<Vec<Option<Error>>>,
}

impl TryFrom<AnyResult> for Result {
    type Error = &'static str;

    fn try_from(any: AnyResult) -> std::result::Result<Self, &'static str> {
        match (any.kind, any.response, any.error) {
            (ResultKind::Ok, Some(response), _) => Ok(Self::Ok { response }),
            (ResultKind::Error, _, Some(error)) => Ok(Self::Error { error }),
            _ => Err("a result without what its type says"),
        }
    }
}

impl TryFrom<AnyResponse> for Response {
    type Error = &'static str;

    fn try_from(any: AnyResponse) -> std::result::Result<Self, &'static str> {
        let found = match (any.kind.as_str(), any.result) {
            ("execute", Some(any)) => any.rows().map(|result| Self::Execute { result }),
            ("batch", Some(any)) => any.batch().map(|result| Self::Batch { result }),
            ("execute" | "batch", None) => None,
            _ => Some(Self::Other),
        };
        found.ok_or("a response without what its type says")
    }
}

impl AnyRows {
    fn rows(self) -> Option<Rows> {
        Some(Rows {
            cols: self.cols?,
            rows: self.rows?,
            affected_row_count: self.affected_row_count,
        })
    }

    fn batch(self) -> Option<BatchResult> {
        Some(BatchResult {
            step_results: self.step_results?,
            step_errors: self.step_errors?,
        })
    }
}

#[derive(Debug, Deserialize)]
struct Received {
    #[serde(rename = "type")]
    kind: Kind,
    value: Option<Scalar>,
    base64: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Null,
    Integer,
    Float,
    Text,
    Blob,
}

/// A text or a number.
#[derive(Debug)]
enum Scalar {
    Text(String),
    Number(f64),
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Scalar;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a text or a number")
            }

            fn visit_str<E>(self, text: &str) -> std::result::Result<Scalar, E> {
                Ok(Scalar::Text(text.to_owned()))
            }

            fn visit_f64<E>(self, number: f64) -> std::result::Result<Scalar, E> {
                Ok(Scalar::Number(number))
            }

            fn visit_i64<E>(self, number: i64) -> std::result::Result<Scalar, E> {
                Ok(Scalar::Number(number as f64))
            }

            fn visit_u64<E>(self, number: u64) -> std::result::Result<Scalar, E> {
                Ok(Scalar::Number(number as f64))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// Reads the body of a reply.
pub(crate) fn results(body: &[u8]) -> serde_json::Result<Vec<Result>> {
    #[derive(Deserialize)]
    struct Reply {
        results: Vec<Result>,
    }
    Ok(bounded::from_slice::<Reply>(body)?.results)
}

impl Rows {
    /// Turns wire values into values, or says what is wrong with them.
    pub(crate) fn decode(self) -> std::result::Result<super::Rows, &'static str> {
        let width = self.cols.len();
        let decode_row = |row: Vec<Received>| {
            if row.len() == width {
                row.into_iter().map(Received::decode).collect()
            } else {
                Err("it has a row whose length is not the number of columns")
            }
        };
        Ok(super::Rows {
            rows: self
                .rows
                .into_iter()
                .map(decode_row)
                .collect::<std::result::Result<_, _>>()?,
            columns: self
                .cols
                .into_iter()
                .map(|column| column.name.unwrap_or_default())
                .collect(),
            affected_row_count: self.affected_row_count,
        })
    }
}

impl Received {
    fn decode(self) -> std::result::Result<Value, &'static str> {
        Ok(match (self.kind, self.value, self.base64) {
            (Kind::Null, _, _) | (Kind::Float, None, _) => Value::Null,
            (Kind::Integer, Some(Scalar::Text(value)), _) => Value::Integer(
                value
                    .parse()
                    .map_err(|_| "it has an integer that is none")?,
            ),
            (Kind::Float, Some(Scalar::Number(value)), _) => Value::Real(value),
            (Kind::Text, Some(Scalar::Text(value)), _) => Value::Text(value),
            // Some servers pad, some do not; both are meant to be accepted.
            (Kind::Blob, _, Some(base64)) => Value::Blob(
                BASE64_STANDARD_NO_PAD
                    .decode(base64.trim_end_matches('='))
                    .map_err(|_| "it has a blob that is not base64")?,
            ),
            _ => return Err("it has a value that is not of its type"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(requests: &[Request<'_>]) -> String {
        String::from_utf8(pipeline(requests)).expect("JSON is UTF-8")
    }

    #[test]
    fn statements_are_sent_in_this_form() {
        let select = Statement::new(
            "select ?1, ?2",
            vec![Value::Integer(i64::MIN), "ä\"\n".into()],
        );
        let insert = Statement::without_rows(
            "insert into t values (?, ?, ?, ?)",
            vec![
                Value::Null,
                Value::Real(1.5),
                Value::Real(f64::INFINITY),
                Value::Blob(vec![255, 254]),
            ],
        );
        assert_eq!(
            sent(&[
                Request::execute(&select),
                Request::execute(&insert),
                Request::Close
            ]),
            concat!(
                r#"{"requests":["#,
                r#"{"type":"execute","stmt":{"sql":"select ?1, ?2","args":["#,
                r#"{"type":"integer","value":"-9223372036854775808"},"#,
                r#"{"type":"text","value":"ä\"\n"}],"want_rows":true}},"#,
                r#"{"type":"execute","stmt":{"sql":"insert into t values (?, ?, ?, ?)","args":["#,
                r#"{"type":"null"},{"type":"float","value":1.5},{"type":"null"},"#,
                r#"{"type":"blob","base64":"//4"}],"want_rows":false}},"#,
                r#"{"type":"close"}]}"#,
            )
        );
    }

    #[test]
    fn each_step_of_a_batch_depends_on_the_one_before() {
        let steps = ["begin", "commit"].map(|sql| Statement::without_rows(sql, vec![]));
        assert_eq!(
            sent(&[Request::batch(&steps)]),
            concat!(
                r#"{"requests":[{"type":"batch","batch":{"steps":["#,
                r#"{"stmt":{"sql":"begin","args":[],"want_rows":false}},"#,
                r#"{"condition":{"type":"ok","step":0},"#,
                r#""stmt":{"sql":"commit","args":[],"want_rows":false}}]}}]}"#,
            )
        );
    }

    #[test]
    fn a_reply_of_sqld_is_understood() {
        let body = concat!(
            r#"{"baton":null,"base_url":null,"results":[{"type":"ok","response":{"type":"execute","#,
            r#""result":{"cols":[{"name":"a","decltype":"TEXT"},{"name":null,"decltype":null},"#,
            r#"{"name":"c"},{"name":"d"},{"name":"e"},{"name":"f"}],"rows":[["#,
            r#"{"type":"text","value":"x"},{"type":"null"},{"type":"integer","value":"9007199254740993"},"#,
            r#"{"type":"float","value":-0.5},{"type":"float","value":null},{"type":"blob","base64":"AQI="}]],"#,
            r#""affected_row_count":3,"last_insert_rowid":"1","replication_index":"4","rows_read":1,"#,
            r#""rows_written":0,"query_duration_ms":0.05}}},"#,
            r#"{"type":"error","error":{"message":"SQLite error: no such table: x","code":"SQLITE_UNKNOWN"}},"#,
            r#"{"type":"ok","response":{"type":"close"}}]}"#,
        );
        let mut results = results(body.as_bytes()).expect("a good reply").into_iter();
        let Some(Result::Ok {
            response: Response::Execute { result },
        }) = results.next()
        else {
            panic!("the first result is rows")
        };
        let rows = result.decode().expect("good values");
        assert_eq!(rows.columns, ["a", "", "c", "d", "e", "f"]);
        assert_eq!(
            rows.rows,
            [vec![
                Value::Text("x".to_owned()),
                Value::Null,
                Value::Integer(9_007_199_254_740_993),
                Value::Real(-0.5),
                Value::Null,
                Value::Blob(vec![1, 2]),
            ]]
        );
        assert_eq!(rows.affected_row_count, 3);
        let Some(Result::Error { error }) = results.next() else {
            panic!("the second result is an error")
        };
        assert_eq!(error.code.as_deref(), Some("SQLITE_UNKNOWN"));
        assert!(matches!(
            results.next(),
            Some(Result::Ok {
                response: Response::Other
            })
        ));
        assert!(results.next().is_none());
    }

    #[test]
    fn the_order_of_keys_does_not_matter() {
        let body = concat!(
            r#"{"results":[{"response":{"result":{"rows":[[{"value":7,"type":"float"}]],"cols":[{"name":"a"}]},"#,
            r#""type":"execute"},"type":"ok"}]}"#,
        );
        let mut results = results(body.as_bytes()).expect("a good reply");
        let Some(Result::Ok {
            response: Response::Execute { result },
        }) = results.pop()
        else {
            panic!("the result is rows")
        };
        let rows = result.decode().expect("good values");
        assert_eq!(rows.rows, [vec![Value::Real(7.0)]]);
    }

    #[test]
    fn a_batch_reply_is_understood() {
        let body = concat!(
            r#"{"baton":null,"base_url":null,"results":[{"type":"ok","response":{"type":"batch","result":{"#,
            r#""step_results":[{"cols":[],"rows":[],"affected_row_count":0,"last_insert_rowid":null},null,null],"#,
            r#""step_errors":[null,{"message":"Parse error","code":"BATCH_STEP_ERROR"},null]}}}]}"#,
        );
        let results = results(body.as_bytes()).expect("a good reply");
        let [
            Result::Ok {
                response: Response::Batch { result },
            },
        ] = results.as_slice()
        else {
            panic!("one batch result")
        };
        assert!(matches!(
            result.step_results.as_slice(),
            [Some(_), None, None]
        ));
        assert!(matches!(
            result.step_errors.as_slice(),
            [None, Some(_), None]
        ));
    }

    #[test]
    fn replies_that_make_no_sense_are_refused() {
        for body in [
            "",
            "[]",
            "{}",
            r#"{"results":1}"#,
            r#"{"results":[{"type":"maybe"}]}"#,
            r#"{"results":[{"type":"ok","error":{"message":"m","code":null}}]}"#,
            r#"{"results":[{"type":"ok","response":{"type":"execute"}}]}"#,
            r#"{"results":[{"type":"ok","response":{"type":"batch","result":{"cols":[],"rows":[]}}}]}"#,
            "<html>",
        ] {
            assert!(results(body.as_bytes()).is_err(), "{body}");
        }
        for row in [
            r#"[{"type":"integer","value":"1.5"}]"#,
            r#"[{"type":"integer","value":1}]"#,
            r#"[{"type":"text"}]"#,
            r#"[{"type":"float","value":"1.5"}]"#,
            r#"[{"type":"blob","base64":"?"}]"#,
            r#"[{"type":"blob","value":"AQI"}]"#,
            r#"[{"type":"null"},{"type":"null"}]"#,
            "[]",
        ] {
            let rows: Rows =
                serde_json::from_str(&format!(r#"{{"cols":[{{"name":"a"}}],"rows":[{row}]}}"#))
                    .expect("the shape is right");
            assert!(rows.decode().is_err(), "{row}");
        }
    }
}
