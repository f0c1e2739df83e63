//! Projects: a timeline of names to identities.
//!
//! A task belongs to an identity; names are given to identities by events. An old name stays an alias
//! of its identity until something new is created under it, so tasks that are created or moved
//! concurrently with a rename follow it. Aliases point to identities: no chains, no loops. A name that
//! no event ever created is a project of that name.

use std::collections::BTreeMap;

use serde_json::json;

use crate::conflict::{Conflict, ConflictKind};
use crate::event::{Payload, PlacedEvent};
use crate::ids::{EventId, ProjectIdentity, ProjectName};
use crate::order::Position;
use crate::time::Timestamp;

/// One project that an event created or deleted.
#[derive(Clone, PartialEq, Debug)]
pub struct Project {
    /// What it is.
    pub identity: ProjectIdentity,
    /// What it is called now.
    pub name: ProjectName,
    /// Free text.
    pub description: Option<String>,
    /// Cannot be renamed or deleted.
    pub is_protected: bool,
    /// Effective time of its creation.
    pub created_at: Timestamp,
    /// The event that created it; of one that was only ever deleted, that event.
    pub created_by: EventId,
    /// Deleted; a task that is neither archived nor deleted keeps it in being.
    pub is_deleted: bool,
}

/// All projects, and which name meant which of them when.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Projects {
    projects: BTreeMap<ProjectIdentity, Project>,
    /// For each name, what it meant from a position on.
    names: BTreeMap<ProjectName, Vec<(Position, ProjectIdentity)>>,
    /// Names of identities that only a rename or nothing made known.
    given_names: BTreeMap<ProjectIdentity, ProjectName>,
    conflicts: Vec<Conflict>,
}

impl Projects {
    /// Folds the project events of a log, in order.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a PlacedEvent>) -> Self {
        let mut projects = Self::default();
        for placed in events {
            projects.apply(placed);
        }
        projects
    }

    /// The projects of a timeline in which no name ever meant another project than the one called so: these say all
    /// there is to know about it, but for the events that no longer applied. See [`Projects::is_plain`].
    pub fn plain(projects: impl IntoIterator<Item = Project>) -> Self {
        let projects = projects.into_iter();
        Self {
            projects: projects.map(|it| (it.identity.clone(), it)).collect(),
            ..Self::default()
        }
    }

    /// Tells whether no name ever meant another project than the one called so: nothing was renamed.
    pub fn is_plain(&self) -> bool {
        self.names.is_empty()
    }

    /// Applies the next project event.
    pub fn apply(&mut self, placed: &PlacedEvent) {
        let payload = &placed.event.payload;
        let applied = if let Payload::ProjectCreated(created) = payload {
            self.create(&created.name, placed);
            true
        } else if let Payload::ProjectRenamed(renamed) = payload {
            self.rename(&renamed.old_name, &renamed.new_name, placed)
        } else if let Payload::ProjectDeleted(deleted) = payload {
            self.delete(&deleted.name, placed)
        } else {
            true
        };
        if !applied {
            self.list_superseded(placed);
        }
    }

    /// What the name means at a position.
    pub fn resolve_at(&self, name: &ProjectName, position: Position) -> ProjectIdentity {
        let meanings = self.names.get(name).map_or(&[][..], Vec::as_slice);
        let next = meanings.partition_point(|(from, _)| *from < position);
        match next.checked_sub(1).and_then(|at| meanings.get(at)) {
            Some((_, identity)) => identity.clone(),
            None => ProjectIdentity::from(name.as_str()),
        }
    }

    /// What the name means now.
    pub fn resolve(&self, name: &ProjectName) -> ProjectIdentity {
        match self.names.get(name).and_then(|meanings| meanings.last()) {
            Some((_, identity)) => identity.clone(),
            None => ProjectIdentity::from(name.as_str()),
        }
    }

    /// What a project is called now.
    pub fn name_of(&self, identity: &ProjectIdentity) -> ProjectName {
        self.given_names
            .get(identity)
            .cloned()
            .unwrap_or_else(|| ProjectName::from(base_name(identity)))
    }

    /// What a project was called at a position. Names given later do not matter, so what is said about
    /// an event stays as it is when the log grows.
    pub fn name_at(&self, identity: &ProjectIdentity, position: Position) -> ProjectName {
        let given = self.names.iter().flat_map(|(name, meanings)| {
            let mine = meanings.iter().filter(|(_, meant)| meant == identity);
            mine.map(move |(from, _)| (from, name))
        });
        match given.filter(|(from, _)| **from < position).max() {
            Some((_, name)) => name.clone(),
            None => ProjectName::from(base_name(identity)),
        }
    }

    /// The project of this name that was created and not deleted.
    pub fn find_live(&self, name: &ProjectName) -> Option<&Project> {
        self.projects
            .get(&self.resolve(name))
            .filter(|p| !p.is_deleted && p.name == *name)
    }

    /// Every project that was ever created or deleted, by identity.
    pub fn list(&self) -> impl Iterator<Item = &Project> {
        self.projects.values()
    }

    /// Project events that no longer applied.
    pub fn conflicts(&self) -> &[Conflict] {
        &self.conflicts
    }

    fn create(&mut self, name: &ProjectName, placed: &PlacedEvent) {
        let mut identity = self.resolve(name);
        if self.name_of(&identity) != *name {
            // The name is only an alias: this is another project.
            identity = self.next_generation(name);
            self.mean(name, &identity, placed.position);
        }
        let Payload::ProjectCreated(created) = &placed.event.payload else {
            return;
        };
        self.given_names.insert(identity.clone(), name.clone());
        match self.projects.get_mut(&identity) {
            Some(project) if !project.is_deleted => {}
            _ => {
                let project = Project {
                    identity: identity.clone(),
                    name: name.clone(),
                    description: created.description.clone(),
                    is_protected: created.is_protected.unwrap_or(false),
                    created_at: placed.effective_ts(),
                    created_by: placed.event.event_id.clone(),
                    is_deleted: false,
                };
                self.projects.insert(identity, project);
            }
        }
    }

    fn rename(&mut self, old: &ProjectName, new: &ProjectName, placed: &PlacedEvent) -> bool {
        let identity = self.resolve(old);
        let taken = self
            .find_live(new)
            .is_some_and(|project| project.identity != identity);
        let deleted = self
            .projects
            .get(&identity)
            .is_some_and(|project| project.is_deleted);
        if self.name_of(&identity) != *old || deleted || taken || old == new {
            return false;
        }
        self.given_names.insert(identity.clone(), new.clone());
        if let Some(project) = self.projects.get_mut(&identity) {
            project.name = new.clone();
        }
        self.mean(new, &identity, placed.position);
        true
    }

    fn delete(&mut self, name: &ProjectName, placed: &PlacedEvent) -> bool {
        let identity = self.resolve(name);
        if self.name_of(&identity) != *name {
            return false;
        }
        // One that no event created is deleted all the same: it cannot be renamed afterwards.
        let project = self
            .projects
            .entry(identity.clone())
            .or_insert_with(|| Project {
                identity,
                name: name.clone(),
                description: None,
                is_protected: false,
                created_at: placed.effective_ts(),
                created_by: placed.event.event_id.clone(),
                is_deleted: true,
            });
        project.is_deleted = true;
        true
    }

    fn mean(&mut self, name: &ProjectName, identity: &ProjectIdentity, from: Position) {
        self.names
            .entry(name.clone())
            .or_default()
            .push((from, identity.clone()));
    }

    /// A free identity for a name that already meant something: `name#2`, `name#3`, … (`#` cannot be
    /// part of a name).
    fn next_generation(&self, name: &ProjectName) -> ProjectIdentity {
        let mut generation = 2;
        loop {
            let identity = ProjectIdentity::new(format!("{name}#{generation}"));
            if !self.given_names.contains_key(&identity) {
                return identity;
            }
            generation += 1;
        }
    }

    fn list_superseded(&mut self, placed: &PlacedEvent) {
        let renamed = if let Payload::ProjectRenamed(renamed) = &placed.event.payload {
            Some(&renamed.new_name)
        } else {
            None
        };
        let wanted = json!(renamed);
        self.conflicts.push(Conflict {
            event_id: placed.event.event_id.clone(),
            kind: ConflictKind::SupersededProject,
            field: placed.event.payload.kind().to_owned(),
            task_id: None,
            winner_event_id: None,
            losing_value: wanted,
            winning_value: json!(null),
            at: placed.received_at,
        });
    }
}

fn base_name(identity: &ProjectIdentity) -> &str {
    identity
        .as_str()
        .split('#')
        .next()
        .unwrap_or(identity.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, ProjectCreated, ProjectDeleted, ProjectRenamed};

    fn timeline(payloads: Vec<Payload>) -> Projects {
        let events: Vec<PlacedEvent> = payloads
            .into_iter()
            .zip(1..)
            .map(|(payload, at)| PlacedEvent {
                event: Event {
                    event_id: EventId::new(format!("{at:026}")),
                    task_id: None,
                    payload,
                    author: None,
                    agent_id: None,
                    session_id: None,
                    correlation_id: None,
                    causation_id: None,
                    timestamp: Timestamp::from_millis(at),
                    basis_seq: 0,
                    epoch: Some(0),
                },
                position: Position::settled(at),
                seq: Some(at),
                received_at: None,
                device: None,
            })
            .collect();
        Projects::of(&events)
    }

    fn created(name: &str) -> Payload {
        Payload::ProjectCreated(ProjectCreated {
            name: name.into(),
            ..Default::default()
        })
    }

    fn renamed(old: &str, new: &str) -> Payload {
        Payload::ProjectRenamed(ProjectRenamed {
            old_name: old.into(),
            new_name: new.into(),
        })
    }

    fn deleted(name: &str) -> Payload {
        Payload::ProjectDeleted(ProjectDeleted {
            name: name.into(),
            ..Default::default()
        })
    }

    #[test]
    fn an_old_name_is_an_alias_until_it_is_created_again() {
        let projects = timeline(vec![created("a"), renamed("a", "x")]);
        assert_eq!(
            projects.name_of(&projects.resolve(&"a".into())).as_str(),
            "x"
        );
        let projects = timeline(vec![created("a"), renamed("a", "x"), created("a")]);
        assert_eq!(
            projects.name_of(&projects.resolve(&"a".into())).as_str(),
            "a"
        );
        assert_eq!(
            projects.name_of(&projects.resolve(&"x".into())).as_str(),
            "x"
        );
        let before = projects.resolve_at(&"a".into(), Position::settled(3));
        assert_eq!(
            projects.name_of(&before).as_str(),
            "x",
            "a task added before the second a"
        );
    }

    #[test]
    fn renames_that_no_longer_apply_are_listed() {
        for payloads in [
            vec![created("a"), created("b"), renamed("a", "b")],
            vec![created("a"), renamed("a", "b"), renamed("a", "c")],
            vec![created("a"), deleted("a"), renamed("a", "b")],
        ] {
            assert_eq!(
                timeline(payloads.clone()).conflicts().len(),
                1,
                "{payloads:?}"
            );
        }
    }

    #[test]
    fn renaming_there_and_back_is_no_loop() {
        let projects = timeline(vec![created("a"), renamed("a", "b"), renamed("b", "a")]);
        assert_eq!(projects.conflicts(), []);
        assert_eq!(projects.resolve(&"a".into()), projects.resolve(&"b".into()));
        assert!(projects.find_live(&"a".into()).is_some());
        assert!(projects.find_live(&"b".into()).is_none());
    }

    /// Every timeline of up to four events about two projects.
    fn timelines() -> Vec<Vec<Payload>> {
        let events = || {
            let named = ["a", "b"].map(|name| [created(name), deleted(name)]);
            let renamed = [renamed("a", "b"), renamed("b", "a")];
            named.into_iter().flatten().chain(renamed)
        };
        let longer = |shorter: &Vec<Vec<Payload>>| -> Vec<Vec<Payload>> {
            let each = shorter.iter().flat_map(|timeline| {
                events().map(move |event| [timeline.clone(), vec![event]].concat())
            });
            each.collect()
        };
        let mut all = vec![vec![vec![]]];
        for _ in 0..4 {
            let next = longer(all.last().unwrap());
            all.push(next);
        }
        all.concat()
    }

    #[test]
    fn plain_projects_say_what_their_timeline_says() {
        let mut plain = 0;
        for payloads in timelines() {
            let whole = timeline(payloads.clone());
            let renames = payloads
                .iter()
                .filter(|payload| matches!(payload, Payload::ProjectRenamed(_)));
            let refused = whole
                .conflicts()
                .iter()
                .filter(|conflict| conflict.field == "project_renamed");
            let is_plain = renames.count() == refused.count();
            assert_eq!(whole.is_plain(), is_plain, "{payloads:?}");
            if !whole.is_plain() {
                continue;
            }
            plain += 1;
            let rebuilt = Projects::plain(whole.list().cloned());
            assert!(rebuilt.list().eq(whole.list()));
            for name in ["a", "b", "c"].map(ProjectName::from) {
                let identity = whole.resolve(&name);
                assert_eq!(rebuilt.resolve(&name), identity);
                assert_eq!(rebuilt.name_of(&identity), whole.name_of(&identity));
                assert_eq!(
                    rebuilt.find_live(&name),
                    whole.find_live(&name),
                    "{payloads:?}"
                );
                assert_eq!(Projects::default().resolve(&name), identity);
                assert_eq!(
                    Projects::default().name_of(&identity),
                    whole.name_of(&identity)
                );
            }
        }
        assert!(plain > 300, "{plain}");
    }

    #[test]
    fn one_name_created_twice_is_one_project() {
        let projects = timeline(vec![created("inbox"), created("inbox")]);
        assert_eq!(projects.list().count(), 1);
        assert_eq!(projects.conflicts(), []);
    }
}
