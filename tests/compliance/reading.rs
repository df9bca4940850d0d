//! What ours must send to read an answer to PERSISTENT RESERVE IN, and what must come of it: the
//! rules of the man page, written down a second time.

use crate::case::{Answer, Case};
use crate::differences::{Ending, Whole, ending, status};

/// Bytes of room where nobody says how much, for a long list, and at the most.
const USUAL: usize = 8192;
const AMPLE: usize = 65_024;
const MOST: usize = 65_535;

/// The commands of one answer.
#[derive(Debug)]
pub(crate) struct Reading {
    /// The room of each.
    pub(crate) rooms: Vec<usize>,
    pub(crate) end: Ended,
}

/// How it ends.
#[derive(Debug)]
pub(crate) enum Ended {
    /// With these bytes, which are whole and may be shown.
    Whole(Vec<u8>),
    /// Something came, and it is no answer.
    Malformed,
    /// The last command was not carried out.
    Failed,
}

impl Reading {
    /// The answer to `action`, for which a user may have `given` so much room.
    pub(crate) fn of(case: &Case, action: u8, given: Option<usize>) -> Self {
        let least = given.unwrap_or(USUAL);
        let mut room = if action == 3 && least >= 8 {
            AMPLE
        } else {
            least
        };
        let mut rooms = Vec::new();
        let (mut too_little, mut too_much) = (None, None);
        let more = |room: usize, too_much: Option<usize>| match too_much {
            Some(limit) => Some((room * 2).max(USUAL)).filter(|&more| more < limit),
            None if room < AMPLE => Some(AMPLE),
            None if action == 3 || room == MOST => None,
            None => Some(MOST),
        };
        let mut second = false;
        loop {
            rooms.push(room);
            let nth = u32::try_from(rooms.len()).unwrap_or(u32::MAX);
            let answer = case.answer(0x5e, action, nth);
            if refuses_room(&answer) && room > least {
                too_much = Some(room);
                let next = match too_little {
                    None => Some(least),
                    Some(room) => more(room, too_much),
                };
                match next {
                    Some(next) => room = next,
                    // What came before may be cut.
                    None => {
                        return Self {
                            rooms,
                            end: Ended::Malformed,
                        };
                    }
                }
                continue;
            }
            if ending(&answer) != Ending::Response {
                return Self {
                    rooms,
                    end: Ended::Failed,
                };
            }
            let written = answer.data.len().min(room);
            let left = answer
                .resid
                .map_or(Some(room - written), |resid| usize::try_from(resid).ok());
            let Some(came) = left.and_then(|left| room.checked_sub(left)) else {
                return Self {
                    rooms,
                    end: Ended::Malformed,
                };
            };
            let data = &answer.data[..written.min(came)];
            // What nobody wrote is no part of an answer; the end may be no more than look so.
            let field = if action == 2 { 0..2 } else { 4..8 };
            let claimed = claimed(action, data);
            if came >= field.end && (data.len() <= field.start || came > 0 && data.is_empty()) {
                return Self {
                    rooms,
                    end: Ended::Malformed,
                };
            }
            let looks_unwritten = |claimed: usize| {
                claimed > 0
                    && claimed <= came
                    && (claimed > data.len() || data[claimed - 1] == filling(claimed - 1, second))
            };
            // So may the last bytes of what is no whole answer: one to three of them.
            if claimed_so_far(action, data, came, second).is_none_or(|claimed| claimed > came) {
                let looks = |offset: usize| {
                    let byte = data.get(offset).copied();
                    byte.is_none_or(|byte| byte == filling(offset, second))
                };
                let rest = (0..came).rev().take_while(|&offset| looks(offset)).count();
                if (1..4).contains(&rest) && !second {
                    second = true;
                    continue;
                }
            }
            if let Some(claimed) = claimed.filter(|&claimed| looks_unwritten(claimed)) {
                if !second {
                    second = true;
                    continue;
                }
                if claimed > data.len() {
                    return Self {
                        rooms,
                        end: Ended::Malformed,
                    };
                }
            }
            second = false;
            let sense = answer.driver & 0xf == 8 || matches!(status(&answer), 0x02 | 0x22);
            if sense && data.iter().all(|&byte| byte == 0) {
                return Self {
                    rooms,
                    end: Ended::Malformed,
                };
            }
            let most = given.unwrap_or(MOST);
            if let Some(claimed) = claimed.filter(|&claimed| claimed <= most) {
                let behind = match action {
                    0 => claimed + 8,
                    1 => claimed.max(24),
                    3 => claimed + 24 + 248,
                    _ => 0,
                };
                if behind > room {
                    too_little = Some(room);
                    match more(room, too_much) {
                        Some(next) => room = next,
                        None => {
                            return Self {
                                rooms,
                                end: Ended::Malformed,
                            };
                        }
                    }
                    continue;
                }
            }
            let shown = &data[..data.len().min(given.unwrap_or(usize::MAX))];
            let end = match Whole::of(action, shown) {
                Whole::Yes => Ended::Whole(shown.to_vec()),
                _ => Ended::Malformed,
            };
            return Self { rooms, end };
        }
    }
}

/// Bytes that an answer takes by its own word.
fn claimed(action: u8, data: &[u8]) -> Option<usize> {
    if action == 2 {
        let length = data.first_chunk::<2>()?;
        return Some(u16::from_be_bytes(*length).into());
    }
    let length = data.get(4..8)?.first_chunk::<4>()?;
    usize::try_from(u32::from_be_bytes(*length))
        .ok()?
        .checked_add(8)
}

/// The same by all bytes that came, whether somebody wrote them or not.
fn claimed_so_far(action: u8, data: &[u8], came: usize, second: bool) -> Option<usize> {
    let byte = |offset: usize| {
        let written = data.get(offset).copied();
        written.unwrap_or_else(|| filling(offset, second))
    };
    let start: Vec<u8> = (0..came.min(8)).map(byte).collect();
    claimed(action, &start)
}

/// Whether so much room may be the reason for a refusal.
pub(crate) fn refuses_room(answer: &Answer) -> bool {
    match answer.errno {
        0 => {}
        // EIO, E2BIG, EINVAL.
        errno => return matches!(errno, 5 | 7 | 22),
    }
    if answer.host != 0 || !matches!(answer.driver, 0 | 8) && answer.driver & 0xf != 8 {
        return false;
    }
    if answer.driver & 0xf != 8 && !matches!(status(answer), 0x02 | 0x22) {
        return false;
    }
    // ILLEGAL REQUEST, INVALID FIELD IN CDB.
    match answer.sense[..] {
        [
            0x70 | 0xf0,
            _,
            key,
            _,
            _,
            _,
            _,
            length,
            _,
            _,
            _,
            _,
            0x24,
            ..,
        ] => {
            let ascq = answer.sense.get(13).filter(|_| length >= 6);
            key & 0xf == 5 && length >= 5 && ascq.is_none_or(|&ascq| ascq == 0)
        }
        [0x72 | 0xf2, key, 0x24, ..] => {
            key & 0xf == 5 && answer.sense.get(3).is_none_or(|&ascq| ascq == 0)
        }
        _ => false,
    }
}

/// With what ours fills a buffer, for the first attempt or the second.
fn filling(offset: usize, second: bool) -> u8 {
    let word = 0x9e37_79b9_7f4a_7c15_u64
        .wrapping_mul((offset / 8) as u64)
        .wrapping_add(0xb7e1_5162_8aed_2a6a);
    let word = if second { !word } else { word };
    word.to_le_bytes()[offset % 8]
}
