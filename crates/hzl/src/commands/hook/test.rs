//! `hzl hook test`

use hzl_remote::hooks;
use hzl_remote::hooks::Post;
use hzl_remote::hooks::PrivateHooks;
use hzl_store::source::Clock as _;
use hzl_store::source::SystemClock;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Map;
use serde_json::json;

use crate::config::Hook;
use crate::context::Context;
use crate::error::CommandError;
use crate::error::Kind;
use crate::output::Answer;
use crate::output::Md;
use crate::secret;

/// Send a test to every hook that is set
///
/// Nothing is queued and no task is touched. The exit code is 1 unless all of them arrive.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hzl hook test
  hzl hook test --trigger on_done")]
pub(crate) struct Args {
    /// Only the hook on this, such as on_done
    #[arg(long, value_name = "TRIGGER")]
    pub(crate) trigger: Option<String>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Tested {
    hooks: Vec<Item>,
}

#[derive(Debug, JsonSchema, Serialize)]
struct Item {
    hook: &'static str,
    url: String,
    delivered: bool,
    error: Option<String>,
}

/// Sends the tests.
pub(crate) fn run(args: &Args, ctx: &mut Context) -> Result<(), CommandError> {
    let hooks: Vec<Hook> = ctx.hooks()?;
    let wanted = |hook: &&Hook| {
        let trigger = args.trigger.as_deref();
        trigger.is_none_or(|trigger| trigger == hook.trigger)
    };
    let private = ctx.config()?.private_hooks;
    let sent = hooks.iter().filter(wanted).map(|hook| send(hook, private));
    let items: Vec<Item> = sent.collect();
    if items.is_empty() {
        return Err(CommandError::new(Kind::NotFound, "no such hook is set")
            .hint("set hooks.on_done.url in the config file")
            .hint("hzl config"));
    }
    let all = items.iter().all(|item| item.delivered);
    ctx.output.answer(&Tested { hooks: items })?;
    if all {
        Ok(())
    } else {
        Err(CommandError::already_shown(Kind::General))
    }
}

fn send(hook: &Hook, private: PrivateHooks) -> Item {
    let target = hook.target();
    let now = SystemClock.now();
    let mut payload: Map<_, _> = target.body.unwrap_or_default();
    payload.insert("trigger".to_owned(), json!(hook.trigger));
    payload.insert("test".to_owned(), json!(true));
    payload.insert("timestamp".to_owned(), json!(now.to_string()));
    let headers: Vec<(String, String)> = hook
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.expose().to_owned()))
        .collect();
    let sent = hooks::deliver(&Post {
        url: &hook.url,
        headers: &headers,
        body: &json!(payload).to_string(),
        delivery_id: &format!("test.{}.{}", now.millis(), hook.trigger),
        secret: hook.secret.as_ref(),
        private,
    });
    Item {
        hook: hook.trigger,
        url: secret::bare_url(&hook.url),
        delivered: sent.is_ok(),
        error: sent.err().map(|error| error.to_string()),
    }
}

impl Answer for Tested {
    fn md(&self, md: &mut Md) {
        for item in &self.hooks {
            match &item.error {
                None => md.ok(&format!("{} {}", item.hook, item.url)),
                Some(error) => md.bad(&format!("{} {}: {error}", item.hook, item.url)),
            }
        }
    }
}
