//! What holds where an option is left out: the environment, else the config file.

use hzl_core::command::Actor;
use hzl_core::ids::EventId;
use hzl_core::ids::ProjectName;

use crate::context::Context;
use crate::error::CommandError;

impl Context {
    /// Returns who acts: the author by name, and the claim the caller acts under. The author is
    /// `given`, else `HZL_AGENT`, else `defaultAuthor`.
    ///
    /// # Errors
    ///
    /// As [`Context::config`].
    pub(crate) fn actor(
        &self,
        given: Option<&str>,
        claim: Option<&str>,
    ) -> Result<Actor, CommandError> {
        let author = match self.agent(given) {
            Some(author) => Some(author),
            None => self.config()?.default_author.clone(),
        };
        Ok(Actor {
            author: author.filter(|name| !name.is_empty()),
            agent_id: None,
            claim: claim.map(EventId::from),
            correlation_id: None,
        })
    }

    /// Returns who claims: `given`, else `HZL_AGENT`.
    pub(crate) fn agent(&self, given: Option<&str>) -> Option<String> {
        given
            .or_else(|| self.environment.text("HZL_AGENT"))
            .map(str::to_owned)
    }

    /// Returns for how many minutes a claim holds: `given`, else `leaseMinutes`.
    ///
    /// # Errors
    ///
    /// As [`Context::config`].
    pub(crate) fn lease_minutes(&self, given: Option<u32>) -> Result<Option<u32>, CommandError> {
        if given.is_some() {
            return Ok(given);
        }
        let minutes = self.config()?.lease_minutes;
        // What does not fit is too long as well, and the ledger says so.
        Ok(minutes.map(|minutes| u32::try_from(minutes).unwrap_or(u32::MAX)))
    }

    /// Returns where a task is put that has no parent: `given`, else `HZL_PROJECT`, else
    /// `defaultProject`, else the inbox.
    ///
    /// # Errors
    ///
    /// As [`Context::config`].
    pub(crate) fn project(&self, given: Option<&str>) -> Result<ProjectName, CommandError> {
        if let Some(name) = given.or_else(|| self.environment.text("HZL_PROJECT")) {
            return Ok(ProjectName::from(name));
        }
        let name = self.config()?.default_project.as_deref();
        let name = name.filter(|name| !name.is_empty());
        Ok(name.map_or_else(ProjectName::inbox, ProjectName::from))
    }
}
