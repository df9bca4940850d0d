//! SCSI status codes (SAM-6 5.3.1).

/// The status byte with which a device server ends a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScsiStatus(pub u8);

impl ScsiStatus {
    /// The command was carried out.
    pub const GOOD: Self = Self(0x00);
    /// Sense data says what happened.
    pub const CHECK_CONDITION: Self = Self(0x02);
    /// A condition asked for was met.
    pub const CONDITION_MET: Self = Self(0x04);
    /// The logical unit cannot take the command now.
    pub const BUSY: Self = Self(0x08);
    /// Obsolete since SAM-4.
    pub const INTERMEDIATE: Self = Self(0x10);
    /// Obsolete since SAM-4.
    pub const INTERMEDIATE_CONDITION_MET: Self = Self(0x14);
    /// A reservation, or the lack of a registration, forbids the command.
    pub const RESERVATION_CONFLICT: Self = Self(0x18);
    /// Obsolete; it came with sense data.
    pub const COMMAND_TERMINATED: Self = Self(0x22);
    /// The logical unit has no room for another command.
    pub const TASK_SET_FULL: Self = Self(0x28);
    /// An auto contingent allegiance is in the way.
    pub const ACA_ACTIVE: Self = Self(0x30);
    /// Another nexus had the command aborted.
    pub const TASK_ABORTED: Self = Self(0x40);

    /// The status without bits 0 and 7, which once were vendor specific: old
    /// targets set them, and what they mean with the others has not changed.
    #[must_use]
    pub const fn without_vendor_bits(self) -> Self {
        Self(self.0 & 0x7e)
    }

    /// The status's name in the standard; `None` for a reserved code.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::GOOD => "GOOD",
            Self::CHECK_CONDITION => "CHECK CONDITION",
            Self::CONDITION_MET => "CONDITION MET",
            Self::BUSY => "BUSY",
            Self::INTERMEDIATE => "INTERMEDIATE",
            Self::INTERMEDIATE_CONDITION_MET => "INTERMEDIATE-CONDITION MET",
            Self::RESERVATION_CONFLICT => "RESERVATION CONFLICT",
            Self::COMMAND_TERMINATED => "COMMAND TERMINATED",
            Self::TASK_SET_FULL => "TASK SET FULL",
            Self::ACA_ACTIVE => "ACA ACTIVE",
            Self::TASK_ABORTED => "TASK ABORTED",
            _ => return None,
        })
    }

    /// Whether sense data belongs to this status.
    #[must_use]
    pub fn has_sense(self) -> bool {
        matches!(
            self.without_vendor_bits(),
            Self::CHECK_CONDITION | Self::COMMAND_TERMINATED
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendor_bits_do_not_hide_a_status() {
        assert_eq!(
            ScsiStatus(0x99).without_vendor_bits(),
            ScsiStatus::RESERVATION_CONFLICT
        );
        assert!(ScsiStatus(0x83).has_sense());
        assert!(ScsiStatus(0x22).has_sense());
        assert!(!ScsiStatus(0x18).has_sense());
    }
}
