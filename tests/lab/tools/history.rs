//! Whether there is an order in which the commands of several nodes, one after the other, would have had the results that
//! they had.

use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

use crate::model::{Action, Habits, Node, Outcome, State};

/// A command that was sent some time after `start` and had ended before `end`.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) node: Node,
    pub(crate) action: Action,
    pub(crate) outcome: Outcome,
    pub(crate) start: Instant,
    pub(crate) end: Instant,
}

/// In which states the device server may be after these commands, if it may have been in `before` at their beginning; none
/// if nothing explains their results. Each actor's commands are one after the other, those of different ones may overlap.
pub(crate) fn explain(
    before: &BTreeSet<State>,
    actors: &[Vec<Event>],
    habits: Habits,
) -> BTreeSet<State> {
    let mut after = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut open: VecDeque<(Vec<usize>, State)> = before
        .iter()
        .map(|state| (vec![0; actors.len()], state.clone()))
        .collect();
    while let Some((done, state)) = open.pop_front() {
        if !seen.insert((done.clone(), state.clone())) {
            continue;
        }
        let next = |actor: usize| actors[actor].get(done[actor]);
        let mut ended = true;
        for actor in 0..actors.len() {
            let Some(event) = next(actor) else {
                continue;
            };
            ended = false;
            // What had ended before this one began comes first.
            if (0..actors.len())
                .filter_map(next)
                .any(|other| other.end < event.start)
            {
                continue;
            }
            let mut progress = done.clone();
            progress[actor] += 1;
            open.extend(steps(&state, event, habits).map(|state| (progress.clone(), state)));
        }
        if ended {
            after.insert(state);
        }
    }
    after
}

/// The states in which the device server may be after the command had its result in this state.
fn steps(state: &State, event: &Event, habits: Habits) -> impl Iterator<Item = State> + use<> {
    let (changed, outcome) = state.apply(event.node, event.action, habits);
    let told = state
        .has_attention(event.node)
        .then(|| state.told(event.node));
    let mut states = Vec::new();
    match (&event.outcome, told) {
        // It was not sent, or it was: then a unit attention took its place if there was one.
        (Outcome::Unknown, told) => {
            states.push(state.clone());
            states.push(told.unwrap_or(changed));
        }
        (Outcome::Attention, told) => states.extend(told),
        (_, Some(_)) => {}
        (came, None) if *came == outcome => states.push(changed),
        (Outcome::Conflict, None) if outcome == Outcome::NotRegistered => states.push(changed),
        _ => {}
    }
    states.into_iter()
}
