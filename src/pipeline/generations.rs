//! The rules that a worker goes by: the newest, and those before them for the exchanges that began under them. In:
//! rules after a reload; out: the rules and the scanner for an exchange. Bounds: two generations.

use std::sync::Arc;

use super::Rules;
use crate::detect::Scanner;

/// Rules with what a worker needs to scan by them.
pub(super) struct Generation {
    /// Rises with each reload, from 0.
    pub(super) number: u64,
    pub(super) rules: Arc<Rules>,
    pub(super) scanner: Scanner,
}

pub(super) struct Generations {
    current: Generation,
    previous: Option<Generation>,
}

impl Generation {
    fn new(number: u64, rules: Arc<Rules>) -> Self {
        Self { number, scanner: rules.detector.scanner(), rules }
    }
}

impl Generations {
    pub(super) fn new(rules: Arc<Rules>) -> Self {
        Self { current: Generation::new(0, rules), previous: None }
    }

    /// New exchanges begin under these from now on.
    pub(super) fn begin(&mut self, number: u64, rules: Arc<Rules>) {
        self.previous = Some(std::mem::replace(&mut self.current, Generation::new(number, rules)));
    }

    /// What new exchanges begin under.
    pub(super) fn rules(&self) -> &Arc<Rules> {
        &self.current.rules
    }

    pub(super) fn number(&self) -> u64 {
        self.current.number
    }

    /// The generation `number`, or the newest when that one is given up already.
    pub(super) fn get(&mut self, number: u64) -> &mut Generation {
        match &mut self.previous {
            Some(previous) if previous.number == number => previous,
            _ => &mut self.current,
        }
    }
}
