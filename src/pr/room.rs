//! How much room to give a PERSISTENT RESERVE IN, one attempt after the other, until its answer is
//! proven whole.

use super::prin::{
    AMPLE_ALLOCATION_LENGTH, DEFAULT_ALLOCATION_LENGTH, HEADER_LENGTH, ServiceAction,
};

/// The room for the attempts at one answer, in bytes.
///
/// At first it is what was asked for or the usual one, for READ FULL STATUS ample; then ample, and
/// at last all that the field can hold. Where so much is refused, twice as much as was not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    action: ServiceAction,
    least: u16,
    now: u16,
    /// The largest that was taken and was not enough.
    too_little: Option<u16>,
    /// The smallest that was refused.
    too_much: Option<u16>,
}

impl Room {
    /// For `action`; `given` is what a user asked for.
    #[must_use]
    pub(crate) fn new(action: ServiceAction, given: Option<u16>) -> Self {
        let least = given.unwrap_or(DEFAULT_ALLOCATION_LENGTH);
        let now = match action {
            // No device server lists anything in less than a header.
            ServiceAction::ReadFullStatus if usize::from(least) >= HEADER_LENGTH => {
                AMPLE_ALLOCATION_LENGTH
            }
            _ => least,
        };
        Self {
            action,
            least,
            now,
            too_little: None,
            too_much: None,
        }
    }

    /// The ALLOCATION LENGTH of the next attempt.
    #[must_use]
    pub(crate) const fn bytes(&self) -> u16 {
        self.now
    }

    /// Whether less can be asked for, where a command is refused, perhaps since this is too much.
    #[must_use]
    pub(crate) const fn can_shrink(&self) -> bool {
        self.now > self.least
    }

    /// The room was refused: less is to be tried. `false` where there is nothing left to try.
    pub(crate) fn shrink(&mut self) -> bool {
        self.too_much = Some(self.now);
        match self.too_little {
            None => {
                let shrinks = self.least < self.now;
                self.now = self.least;
                shrinks
            }
            Some(too_little) => self.grow_from(too_little),
        }
    }

    /// The answer is not proven whole: more is to be tried. `false` where there is nothing left to
    /// try.
    pub(crate) fn grow(&mut self) -> bool {
        self.too_little = Some(self.now);
        self.grow_from(self.now)
    }

    fn grow_from(&mut self, room: u16) -> bool {
        let more = match self.too_much {
            Some(too_much) => room
                .saturating_mul(2)
                .max(DEFAULT_ALLOCATION_LENGTH)
                .min(too_much),
            None if room < AMPLE_ALLOCATION_LENGTH => AMPLE_ALLOCATION_LENGTH,
            // What the ample room leaves free in its last page has to stay so (its documentation).
            None if self.action == ServiceAction::ReadFullStatus => room,
            None => u16::MAX,
        };
        let grows = more > room && Some(more) != self.too_much;
        if grows {
            self.now = more;
        }
        grows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rooms tried by a device that refuses more than `most` and never proves an answer whole.
    fn tried(action: ServiceAction, given: Option<u16>, most: u16) -> Vec<u16> {
        let mut room = Room::new(action, given);
        let mut tried = Vec::new();
        loop {
            tried.push(room.bytes());
            let more = match room.bytes() > most {
                true => room.shrink(),
                false => room.grow(),
            };
            if !more {
                return tried;
            }
        }
    }

    #[test]
    fn lists_of_keys() {
        let keys = |given, most| tried(ServiceAction::ReadKeys, given, most);
        assert_eq!(keys(None, u16::MAX), [8192, 65_024, 65_535]);
        assert_eq!(keys(None, 65_024), [8192, 65_024, 65_535]);
        assert_eq!(keys(None, 40_000), [8192, 65_024, 16_384, 32_768]);
        assert_eq!(keys(Some(24), u16::MAX), [24, 65_024, 65_535]);
        assert_eq!(keys(Some(24), 8192), [24, 65_024, 8192, 16_384]);
        assert_eq!(keys(Some(0), u16::MAX), [0, 65_024, 65_535]);
        assert_eq!(keys(Some(24), 20), [24]);
    }

    #[test]
    fn full_status_never_in_less_room_than_it_may_take() {
        let full_status = |given, most| tried(ServiceAction::ReadFullStatus, given, most);
        assert_eq!(full_status(None, u16::MAX), [65_024]);
        assert_eq!(full_status(Some(1024), u16::MAX), [65_024]);
        assert_eq!(full_status(Some(8), u16::MAX), [65_024]);
        assert_eq!(full_status(Some(7), u16::MAX), [7, 65_024]);
        assert_eq!(full_status(None, 40_000), [65_024, 8192, 16_384, 32_768]);
        assert_eq!(full_status(Some(1024), 1024), [65_024, 1024, 8192]);
    }
}
