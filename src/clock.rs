//! The passing of time.

use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

/// A clock, and waiting by it.
pub trait Clock: Sync {
    /// The time since some moment in the past that stays the same.
    fn now(&self) -> Duration;

    /// Returns when so much time has passed.
    fn wait(&self, time: Duration);

    /// The same; earlier, where something is heard that may have changed what is registered or
    /// reserved somewhere.
    fn wait_for_news(&self, time: Duration) {
        self.wait(time);
    }
}

/// The clock of this machine, from its first reading on.
#[derive(Debug, Default)]
pub struct SystemClock(OnceLock<Instant>);

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.0.get_or_init(Instant::now).elapsed()
    }

    fn wait(&self, time: Duration) {
        thread::sleep(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_while_one_waits() {
        let clock = SystemClock::default();
        let before = clock.now();
        clock.wait(Duration::from_millis(2));
        assert!(clock.now() - before >= Duration::from_millis(2));
    }
}
