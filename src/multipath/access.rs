//! What a program gets to know of maps from the machine that it runs on.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::lock::Lock;
use super::{BlockNumber, Map, TopologyError};
use crate::transport::remote::Nodes;

/// What can be known of maps, and the way to their paths.
pub trait Maps: Sync {
    /// The number of the block device `device`, if it is one.
    fn number(&self, device: &Path) -> Option<BlockNumber>;

    /// What tells the logical unit behind `device` from others, as far as the machine knows it: two
    /// devices that have one of these in common lead to one logical unit.
    fn identities(&self, device: &Path) -> Vec<String>;

    /// The map that `device` is, or stands on alone.
    ///
    /// # Errors
    /// It stands on several things, one of them a map; the map has no paths.
    fn below(&self, device: BlockNumber) -> Result<Option<Map>, TopologyError>;

    /// The map that `path` is a path of.
    ///
    /// # Errors
    /// The map has no paths.
    fn above(&self, path: BlockNumber) -> Result<Option<Map>, TopologyError>;

    /// Keeps other runs from changing the map `number` as long as the lock is there. `None` where
    /// there is no lock to be had, or another run has it for longer than `within`.
    fn lock(&self, number: BlockNumber, within: Duration) -> Option<Lock>;

    /// From now on, signals that would end the program set this instead, so that what was begun on
    /// some paths can be taken back; the program ends by the signal afterwards. `None` where they
    /// cannot be made to wait.
    fn watch_signals(&self) -> Option<Arc<AtomicBool>>;

    /// The device nodes of one logical unit, in a process of their own.
    ///
    /// # Errors
    /// What the operating system says.
    fn nodes(&self) -> io::Result<Box<dyn Nodes>>;
}
