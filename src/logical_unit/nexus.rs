//! What tells whose the registrations are.

use super::{Exchange, LogicalUnit, QueryError};
use crate::pr::prin::{ReadFullStatus, ReadKeys};
use crate::pr::snapshot::NoAnswer;

impl<E: Exchange> LogicalUnit<E> {
    /// Keys and full status of one and the same PRGENERATION; full status is not asked for where
    /// nothing is registered. That the two list other keys than each other is possible: it is for
    /// the caller to see.
    ///
    /// # Errors
    /// [`QueryError`]; that there is no full status to be had is none.
    #[allow(clippy::type_complexity, reason = "two answers")]
    pub fn registrations(
        &mut self,
    ) -> Result<(ReadKeys, Result<ReadFullStatus, NoAnswer>), QueryError<E::Error>> {
        self.of_one_generation(|unit| {
            let keys = unit.read_keys()?;
            if keys.keys.is_empty() {
                let nobody = ReadFullStatus {
                    generation: keys.generation,
                    descriptors: Vec::new(),
                };
                return Ok(Some((keys, Ok(nobody))));
            }
            let full_status = unit.if_any(Self::read_full_status)?;
            let agree = full_status
                .as_ref()
                .map_or(true, |data| data.generation == keys.generation);
            Ok(agree.then_some((keys, full_status)))
        })
    }

    /// The relative target port identifier of the target port that commands go to; `None` where the
    /// device server does not tell, for whatever reason.
    pub fn relative_target_port(&mut self) -> Option<u16> {
        self.exchange.begin_optional();
        let identification = self.identification();
        self.exchange.end_optional(identification.is_err());
        identification.ok()?.relative_target_port()
    }
}
