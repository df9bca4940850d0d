//! The options: a letter, long names, or both.

/// An option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opt {
    /// PERSISTENT RESERVE OUT with PREEMPT AND ABORT.
    PreemptAbort,
    /// PERSISTENT RESERVE IN with REPORT CAPABILITIES.
    ReportCapabilities,
    /// PERSISTENT RESERVE OUT with CLEAR.
    Clear,
    /// The device.
    Device,
    /// PERSISTENT RESERVE OUT with REGISTER.
    Register,
    /// The answer in hexadecimal.
    Hex,
    /// A summary of the options.
    Help,
    /// PERSISTENT RESERVE IN.
    In,
    /// PERSISTENT RESERVE OUT with REGISTER AND IGNORE EXISTING KEY.
    RegisterIgnore,
    /// PERSISTENT RESERVE IN with READ KEYS.
    ReadKeys,
    /// The reservation key.
    ParamRk,
    /// Room for the answer in bytes, hexadecimal.
    AllocLength,
    /// PERSISTENT RESERVE OUT with RELEASE.
    Release,
    /// Room for the answer in bytes.
    Maxlen,
    /// PERSISTENT RESERVE OUT with REGISTER AND MOVE.
    RegisterMove,
    /// Not to send INQUIRY.
    NoInquiry,
    /// PERSISTENT RESERVE OUT.
    Out,
    /// PERSISTENT RESERVE OUT with PREEMPT.
    Preempt,
    /// The relative target port identifier.
    RelativeTargetPort,
    /// PERSISTENT RESERVE IN with READ RESERVATION.
    ReadReservation,
    /// PERSISTENT RESERVE OUT with RESERVE.
    Reserve,
    /// PERSISTENT RESERVE IN with READ FULL STATUS.
    ReadFullStatus,
    /// The service action reservation key.
    ParamSark,
    /// The type of a reservation.
    ProutType,
    /// The UNREG bit.
    ParamUnreg,
    /// Show more of what happens.
    Verbose,
    /// The version.
    Version,
    /// TransportIDs.
    TransportId,
    /// Open the device read-only.
    Readonly,
    /// The ALL_TG_PT bit.
    ParamAlltgpt,
    /// PERSISTENT RESERVE OUT with REPLACE LOST RESERVATION.
    ReplaceLost,
    /// The APTPL bit.
    ParamAptpl,
    /// How long a command may take, in seconds.
    Timeout,
    /// The answer as JSON.
    Json,
    /// The file for the JSON.
    JsFile,
    /// The schema of the JSON.
    JsonSchema,
    /// Whether a key is registered.
    HasKey,
    /// Whether the registrations with a key hold the reservation.
    HolderIs,
    /// Whether there is a reservation.
    Reserved,
    /// How often a command is sent again after a unit attention.
    UaRetries,
    /// Read back what a command changed.
    Verify,
    /// Show the command, and do not send it.
    DryRun,
    /// Everything about a logical unit, for a person.
    Overview,
    /// A script with which a shell completes command lines.
    Completion,
}

/// Whether an option takes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// It takes none.
    None,
    /// It takes one, behind `=` only, or none.
    Optional,
    /// It takes one.
    Required,
}

/// Every option with its letter.
static LETTERS: [(Opt, char); 34] = [
    (Opt::PreemptAbort, 'A'),
    (Opt::ReportCapabilities, 'c'),
    (Opt::Clear, 'C'),
    (Opt::Device, 'd'),
    (Opt::Register, 'G'),
    (Opt::Hex, 'H'),
    (Opt::Help, 'h'),
    (Opt::In, 'i'),
    (Opt::RegisterIgnore, 'I'),
    (Opt::ReadKeys, 'k'),
    (Opt::ParamRk, 'K'),
    (Opt::AllocLength, 'l'),
    (Opt::Release, 'L'),
    (Opt::Maxlen, 'm'),
    (Opt::RegisterMove, 'M'),
    (Opt::NoInquiry, 'n'),
    (Opt::Out, 'o'),
    (Opt::Preempt, 'P'),
    (Opt::RelativeTargetPort, 'Q'),
    (Opt::ReadReservation, 'r'),
    (Opt::Reserve, 'R'),
    (Opt::ReadFullStatus, 's'),
    (Opt::ParamSark, 'S'),
    (Opt::ProutType, 'T'),
    (Opt::ParamUnreg, 'U'),
    (Opt::Verbose, 'v'),
    (Opt::Version, 'V'),
    (Opt::TransportId, 'X'),
    (Opt::Readonly, 'y'),
    (Opt::ParamAlltgpt, 'Y'),
    (Opt::ReplaceLost, 'z'),
    (Opt::ParamAptpl, 'Z'),
    (Opt::Json, 'j'),
    (Opt::JsFile, 'J'),
];

/// The options that have no letter. The original knows none of them.
static WITHOUT_LETTER: [Opt; 10] = [
    Opt::Timeout,
    Opt::JsonSchema,
    Opt::HasKey,
    Opt::HolderIs,
    Opt::Reserved,
    Opt::UaRetries,
    Opt::Verify,
    Opt::DryRun,
    Opt::Overview,
    Opt::Completion,
];

/// The long names that the original has, in the order of its table.
///
/// The order shows in the message about an ambiguous abbreviation, which lists the names that it
/// could stand for.
pub static LONG_NAMES: [(&str, Opt); 53] = [
    ("alloc-length", Opt::AllocLength),
    ("alloc_length", Opt::AllocLength),
    ("clear", Opt::Clear),
    ("device", Opt::Device),
    ("help", Opt::Help),
    ("hex", Opt::Hex),
    ("in", Opt::In),
    ("maxlen", Opt::Maxlen),
    ("no-inquiry", Opt::NoInquiry),
    ("no_inquiry", Opt::NoInquiry),
    ("out", Opt::Out),
    ("param-alltgpt", Opt::ParamAlltgpt),
    ("param_alltgpt", Opt::ParamAlltgpt),
    ("param-aptpl", Opt::ParamAptpl),
    ("param_aptpl", Opt::ParamAptpl),
    ("param-rk", Opt::ParamRk),
    ("param_rk", Opt::ParamRk),
    ("param-sark", Opt::ParamSark),
    ("param_sark", Opt::ParamSark),
    ("param-unreg", Opt::ParamUnreg),
    ("param_unreg", Opt::ParamUnreg),
    ("preempt", Opt::Preempt),
    ("preempt-abort", Opt::PreemptAbort),
    ("preempt_abort", Opt::PreemptAbort),
    ("prout-type", Opt::ProutType),
    ("prout_type", Opt::ProutType),
    ("read-full-status", Opt::ReadFullStatus),
    ("read_full_status", Opt::ReadFullStatus),
    ("read-keys", Opt::ReadKeys),
    ("read_keys", Opt::ReadKeys),
    ("readonly", Opt::Readonly),
    ("read-reservation", Opt::ReadReservation),
    ("read_reservation", Opt::ReadReservation),
    ("read-status", Opt::ReadFullStatus),
    ("read_status", Opt::ReadFullStatus),
    ("register", Opt::Register),
    ("register-ignore", Opt::RegisterIgnore),
    ("register_ignore", Opt::RegisterIgnore),
    ("register-move", Opt::RegisterMove),
    ("register_move", Opt::RegisterMove),
    ("release", Opt::Release),
    ("relative-target-port", Opt::RelativeTargetPort),
    ("relative_target_port", Opt::RelativeTargetPort),
    ("replace-lost", Opt::ReplaceLost),
    ("replace_lost", Opt::ReplaceLost),
    ("report-capabilities", Opt::ReportCapabilities),
    ("report_capabilities", Opt::ReportCapabilities),
    ("reserve", Opt::Reserve),
    ("transport-id", Opt::TransportId),
    ("transport_id", Opt::TransportId),
    ("unreg", Opt::ParamUnreg),
    ("verbose", Opt::Verbose),
    ("version", Opt::Version),
];

/// The long names that the original does not have.
pub static NEW_LONG_NAMES: [(&str, Opt); 12] = [
    ("completion", Opt::Completion),
    ("dry-run", Opt::DryRun),
    ("has-key", Opt::HasKey),
    ("holder-is", Opt::HolderIs),
    ("js-file", Opt::JsFile),
    ("json", Opt::Json),
    ("json-schema", Opt::JsonSchema),
    ("overview", Opt::Overview),
    ("reserved", Opt::Reserved),
    ("timeout", Opt::Timeout),
    ("ua-retries", Opt::UaRetries),
    ("verify", Opt::Verify),
];

/// Abbreviations of the original's names that could also stand for a new one. They mean what they
/// always meant.
pub static KEPT_ABBREVIATIONS: [(&str, Opt); 9] = [
    ("c", Opt::Clear),
    ("d", Opt::Device),
    ("o", Opt::Out),
    ("res", Opt::Reserve),
    ("rese", Opt::Reserve),
    ("reser", Opt::Reserve),
    ("reserv", Opt::Reserve),
    ("t", Opt::TransportId),
    ("u", Opt::ParamUnreg),
];

impl Opt {
    /// All options: those with a letter in the order of their letters, then the others.
    pub fn all() -> impl Iterator<Item = Self> {
        let with_letter = LETTERS.iter().map(|&(option, _)| option);
        with_letter.chain(WITHOUT_LETTER.iter().copied())
    }

    /// The option that `letter` stands for.
    #[must_use]
    pub fn from_letter(letter: char) -> Option<Self> {
        let mut letters = LETTERS.iter();
        letters.find_map(|&(option, other)| (other == letter).then_some(option))
    }

    /// The option's letter, if it has one.
    #[must_use]
    pub fn letter(self) -> Option<char> {
        let mut letters = LETTERS.iter();
        letters.find_map(|&(other, letter)| (other == self).then_some(letter))
    }

    /// Whether the option takes a value.
    #[must_use]
    pub const fn value(self) -> Value {
        match self {
            Self::AllocLength
            | Self::Completion
            | Self::Device
            | Self::HasKey
            | Self::HolderIs
            | Self::JsFile
            | Self::Maxlen
            | Self::ParamRk
            | Self::ParamSark
            | Self::ProutType
            | Self::RelativeTargetPort
            | Self::Timeout
            | Self::TransportId
            | Self::UaRetries => Value::Required,
            Self::Json | Self::Reserved => Value::Optional,
            _ => Value::None,
        }
    }

    /// The long name that the option goes by.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.long_names().next().unwrap_or_default()
    }

    /// The option's long names, the one it goes by first.
    pub fn long_names(self) -> impl Iterator<Item = &'static str> {
        let names = LONG_NAMES.iter().chain(&NEW_LONG_NAMES);
        names.filter_map(move |&(name, other)| (other == self).then_some(name))
    }
}

/// What a long name as typed stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// The name of an option, or an abbreviation of names of one option.
    Option(&'static str, Opt),
    /// An abbreviation of names of several options: the first one, then those of other options
    /// than the first one's.
    Ambiguous(Vec<&'static str>),
    /// Nothing.
    Unknown,
}

/// Looks up a long name without its hyphens and value. A new name is looked for only where no
/// name of the original fits.
#[must_use]
pub fn resolve(typed: &[u8]) -> Resolved {
    match resolve_among(&LONG_NAMES, typed) {
        Resolved::Option(name, option) => Resolved::Option(name, option),
        ambiguous_or_unknown => match resolve_among(&NEW_LONG_NAMES, typed) {
            Resolved::Option(name, option) if name.as_bytes() == typed => {
                Resolved::Option(name, option)
            }
            resolved if ambiguous_or_unknown == Resolved::Unknown => resolved,
            _ => ambiguous_or_unknown,
        },
    }
}

fn resolve_among(names: &[(&'static str, Opt)], typed: &[u8]) -> Resolved {
    let exact = names.iter().find(|(name, _)| name.as_bytes() == typed);
    if let Some(&(name, option)) = exact {
        return Resolved::Option(name, option);
    }
    let mut candidates = names
        .iter()
        .copied()
        .filter(|(name, _)| name.as_bytes().starts_with(typed));
    let Some((first, option)) = candidates.next() else {
        return Resolved::Unknown;
    };
    let others: Vec<_> = candidates.filter(|&(_, other)| other != option).collect();
    if others.is_empty() {
        Resolved::Option(first, option)
    } else {
        let others = others.into_iter().map(|(name, _)| name);
        Resolved::Ambiguous(std::iter::once(first).chain(others).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_has_a_long_name_and_every_long_name_an_option() {
        for option in Opt::all() {
            assert_ne!(option.long_names().count(), 0, "{option:?}");
        }
        for (name, option) in LONG_NAMES.into_iter().chain(NEW_LONG_NAMES) {
            assert!(Opt::all().any(|other| other == option), "{name}");
        }
        assert_eq!(Opt::from_letter('x'), None);
        assert_eq!(Opt::from_letter('T'), Some(Opt::ProutType));
        assert_eq!(Opt::ProutType.letter(), Some('T'));
    }

    #[test]
    fn every_hyphen_may_be_an_underscore() {
        for (name, option) in LONG_NAMES {
            let other = name.replace('-', "_");
            assert!(LONG_NAMES.contains(&(&other, option)), "{name}");
        }
    }

    #[test]
    fn abbreviations() {
        assert_eq!(resolve(b"he"), Resolved::Ambiguous(vec!["help", "hex"]));
        assert_eq!(resolve(b"hel"), Resolved::Option("help", Opt::Help));
        assert_eq!(
            resolve(b"preempt"),
            Resolved::Option("preempt", Opt::Preempt)
        );
        assert_eq!(
            resolve(b"preempt-"),
            Resolved::Option("preempt-abort", Opt::PreemptAbort)
        );
        assert_eq!(
            resolve(b"param_r"),
            Resolved::Option("param_rk", Opt::ParamRk)
        );
        assert_eq!(resolve(b"param-rkk"), Resolved::Unknown);
        assert_eq!(
            resolve(b"rep"),
            Resolved::Ambiguous(vec![
                "replace-lost",
                "report-capabilities",
                "report_capabilities"
            ])
        );
        assert_eq!(
            resolve(b"read"),
            Resolved::Ambiguous(vec![
                "read-full-status",
                "read-keys",
                "read_keys",
                "readonly",
                "read-reservation",
                "read_reservation"
            ])
        );
    }

    #[test]
    fn new_names_leave_the_old_abbreviations_alone() {
        for (name, _) in NEW_LONG_NAMES {
            for end in 1..name.len() {
                let typed = &name[..end];
                // A whole name of the original wins over what it could abbreviate.
                if LONG_NAMES.iter().any(|(whole, _)| *whole == typed) {
                    continue;
                }
                if let Resolved::Option(_, option) = resolve_among(&LONG_NAMES, typed.as_bytes()) {
                    assert!(KEPT_ABBREVIATIONS.contains(&(typed, option)), "{typed}");
                }
            }
        }
        assert_eq!(
            resolve(b"t"),
            Resolved::Option("transport-id", Opt::TransportId)
        );
        assert_eq!(resolve(b"ti"), Resolved::Option("timeout", Opt::Timeout));
    }
}
