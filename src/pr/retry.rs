//! Sending a command again after a unit attention.
//!
//! With a unit attention the device server reports what has happened, and does not carry out the
//! command that it came with (SAM-5, unit attention conditions). Sending that command again is
//! right only if it would have been sent knowing what has happened: a node whose registration was
//! preempted is fenced, and must not register again without anybody noticing.

use std::time::Duration;

use crate::scsi::sense::{Sense, SenseKey, SenseKeySpecific};

/// The pause before a command is sent again for the first time.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Whether a command may be sent again after the unit attention that the sense data `sense` reports:
/// one that reads after any of them; one that changes only after those that concern neither
/// registrations or reservations nor what unit this is, and only where none was lost. What is read
/// before a change counts as part of it (`is_change`), for the device server reports a unit
/// attention once: the change would follow without anybody having looked.
#[must_use]
pub fn may_be_sent_again(sense: &[u8], is_change: bool) -> bool {
    let Some(header) = Sense::parse(sense) else {
        return false;
    };
    if header.key != SenseKey::UNIT_ATTENTION || header.deferred {
        return false;
    }
    if !is_change {
        return true;
    }
    // Which ones were lost nobody knows.
    let lost = SenseKeySpecific::find(sense)
        == Some(SenseKeySpecific::UnitAttentionConditionQueue { overflow: true });
    !lost && concerns_nothing_registered(header.asc, header.ascq)
}

/// Whether this additional sense code, with its qualifier, tells of nothing that whoever changes
/// registrations would have to look at. Everything else that T10 lists does, may do, or concerns
/// other kinds of devices: of reservations 2Ah/03h to 05h, of the unit's identity 28h, 2Fh (the
/// commands of others) and 3Fh.
const fn concerns_nothing_registered(asc: u8, ascq: u8) -> bool {
    match (asc, ascq) {
        // Power on, resets, loss of the nexus. Registrations survive them, or are all gone; then
        // the change meets none, as it would if it were sent for the first time.
        (0x29, 0x00..=0x07)
        // Mode parameters changed, log parameters changed.
        | (0x2a, 0x01 | 0x02)
        // Asymmetric access state changed, or failed to: the way to the unit, not the unit.
        | (0x2a, 0x06 | 0x07)
        // Capacity data has changed.
        | (0x2a, 0x09)
        // Timestamp changed.
        | (0x2a, 0x10)
        // Thin provisioning soft threshold reached.
        | (0x38, 0x07) => true,
        _ => false,
    }
}

/// Why a command is not sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It has been sent as often as it may be.
    NoneLeft,
    /// Whoever sends it has to know first what the unit attention reports.
    ToBeLookedAt,
    /// It has taken as long as it may take.
    NoTimeLeft,
}

/// The tries of one command.
#[derive(Clone, Copy, Debug)]
pub struct Tries {
    left: u32,
    within: Duration,
    pause: Duration,
}

impl Tries {
    /// As many as `retries` more than one, none of them later than `within` after the first.
    #[must_use]
    pub const fn new(retries: u32, within: Duration) -> Self {
        Self {
            left: retries,
            within,
            pause: FIRST_PAUSE,
        }
    }

    /// How long to wait before the command, which may be one that changes (`is_change`), is sent
    /// again. It has just ended with the unit attention that `sense` reports, so long (`elapsed`)
    /// after it was sent for the first time.
    ///
    /// # Errors
    /// [`Refusal`]: it is not to be sent again.
    pub fn again(
        &mut self,
        sense: &[u8],
        is_change: bool,
        elapsed: Duration,
    ) -> Result<Duration, Refusal> {
        if self.left == 0 {
            return Err(Refusal::NoneLeft);
        }
        if !may_be_sent_again(sense, is_change) {
            return Err(Refusal::ToBeLookedAt);
        }
        if elapsed.saturating_add(self.pause) > self.within {
            return Err(Refusal::NoTimeLeft);
        }
        self.left -= 1;
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        Ok(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// Sense data of both formats.
    fn unit_attention(asc: u8, ascq: u8) -> [Vec<u8>; 2] {
        [
            vec![
                0x70, 0, 6, 0, 0, 0, 0, 10, 0, 0, 0, 0, asc, ascq, 0, 0, 0, 0,
            ],
            vec![0x72, 6, asc, ascq, 0, 0, 0, 0],
        ]
    }

    /// What T10 lists and a change may follow, and nothing else.
    #[test]
    fn a_change_follows_what_concerns_no_registration() {
        let harmless = [
            0x2900, 0x2901, 0x2902, 0x2903, 0x2904, 0x2905, 0x2906, 0x2907, 0x2a01, 0x2a02, 0x2a06,
            0x2a07, 0x2a09, 0x2a10, 0x3807,
        ];
        for code in 0..=u16::MAX {
            let [asc, ascq] = code.to_be_bytes();
            for sense in unit_attention(asc, ascq) {
                let expected = harmless.contains(&code);
                assert_eq!(may_be_sent_again(&sense, true), expected, "{code:#06x}");
                assert!(may_be_sent_again(&sense, false), "{code:#06x}");
            }
        }
    }

    #[test]
    fn nothing_follows_what_is_no_unit_attention() {
        for is_change in [false, true] {
            for key in (0..16).filter(|&key| key != 6) {
                let sense = [0x72, key, 0x29, 0, 0, 0, 0, 0];
                assert!(!may_be_sent_again(&sense, is_change), "{key}");
            }
            // Deferred, too short to tell, of no format, none at all.
            for sense in [
                &[0x73, 6, 0x29, 0, 0, 0, 0, 0][..],
                &[0x71, 0, 6, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0x29, 0],
                &[0x72, 6],
                &[0x7f, 6, 0x29, 0, 0, 0, 0, 0],
                &[],
            ] {
                assert!(!may_be_sent_again(sense, is_change), "{sense:02x?}");
            }
        }
        // The additional sense code did not come.
        let cut = [0x70, 0, 6, 0, 0, 0, 0, 10, 0, 0, 0, 0];
        assert!(may_be_sent_again(&cut, false));
        assert!(!may_be_sent_again(&cut, true));
    }

    /// A reset and, lost, a registration that was preempted.
    #[test]
    fn no_change_follows_where_unit_attentions_were_lost() {
        for (flags, expected) in [(0x81, false), (0x80, true), (0x01, true)] {
            let fixed = [
                0x70, 0, 6, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x29, 0, 0, flags, 0, 0,
            ];
            let descriptor = [
                0x72, 6, 0x29, 0, 0, 0, 0, 12, 3, 2, 0, 7, 2, 6, 0, 0, flags, 0, 0, 0,
            ];
            for sense in [&fixed[..], &descriptor] {
                assert_eq!(may_be_sent_again(sense, true), expected, "{sense:02x?}");
                assert!(may_be_sent_again(sense, false));
            }
        }
    }

    #[test]
    fn pauses_grow() {
        let [sense, _] = unit_attention(0x29, 0);
        let mut tries = Tries::new(10, MINUTE);
        let pauses: Vec<u128> = std::iter::from_fn(|| {
            let pause = tries.again(&sense, true, Duration::ZERO);
            pause.ok().map(|pause| pause.as_millis())
        })
        .collect();
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000]);
        let last = tries.again(&sense, true, Duration::ZERO);
        assert_eq!(last, Err(Refusal::NoneLeft));
    }

    #[test]
    fn no_try_is_later_than_it_may_be() {
        let [sense, _] = unit_attention(0x29, 0);
        let again = |elapsed, within| Tries::new(u32::MAX, within).again(&sense, false, elapsed);
        let just = MINUTE - FIRST_PAUSE;
        assert_eq!(again(just, MINUTE), Ok(FIRST_PAUSE));
        let late = just + Duration::from_nanos(1);
        assert_eq!(again(late, MINUTE), Err(Refusal::NoTimeLeft));
        assert_eq!(
            again(Duration::MAX, Duration::from_secs(1)),
            Err(Refusal::NoTimeLeft)
        );
    }

    #[test]
    fn what_is_to_be_looked_at_counts_as_no_try() {
        let mut tries = Tries::new(1, MINUTE);
        let [preempted, _] = unit_attention(0x2a, 0x05);
        let refused = tries.again(&preempted, true, Duration::ZERO);
        assert_eq!(refused, Err(Refusal::ToBeLookedAt));
        let read = tries.again(&preempted, false, Duration::ZERO);
        assert_eq!(read, Ok(FIRST_PAUSE));
    }
}
