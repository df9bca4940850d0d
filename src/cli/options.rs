//! The options. Each is defined once, in the table of this file: clap's arguments, the usage texts,
//! the completions and the check of the manual page all come from it.

/// Whether an option takes a value, and what the usage texts and the manual page call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// It takes none.
    None,
    /// It takes one, behind `=` only, or none.
    Optional(&'static str),
    /// It takes one.
    Required(&'static str),
}

/// The part of the usage texts that shows an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// PERSISTENT RESERVE IN.
    Reading,
    /// PERSISTENT RESERVE OUT.
    Changing,
    /// What goes with either.
    General,
    /// The same, and needed less often.
    LessCommon,
    /// What the original does not have.
    Scripting,
}

/// A row of the table.
struct Definition {
    letter: Option<char>,
    /// Its long names, parted by blanks, the one that it goes by first. Each hyphen may be an
    /// underscore, which is another name.
    names: &'static str,
    value: Value,
    group: Group,
    /// What the usage texts say of it. The first line stands alone in the completions.
    help: &'static str,
}

/// Makes the table into [`Opt`] and what it tells.
macro_rules! options {
    ($($group:ident { $($option:ident $letter:expr, $names:literal, $value:expr, $help:literal;)* })*) => {
        /// An option.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Opt {
            $($(#[doc = concat!("```text\n", $help, "\n```")] $option,)*)*
        }

        impl Opt {
            /// All options, in the order in which the usage texts show them.
            const ALL: &'static [Self] = &[$($(Self::$option,)*)*];

            const fn definition(self) -> Definition {
                match self {
                    $($(Self::$option => Definition {
                        letter: $letter,
                        names: $names,
                        value: $value,
                        group: Group::$group,
                        help: $help,
                    },)*)*
                }
            }
        }
    };
}

options! {
    Reading {
        ReadKeys Some('k'), "read-keys read_keys", Value::None,
            "list the keys of all registrations (default)";
        ReadReservation Some('r'), "read-reservation read_reservation", Value::None,
            "show the reservation, if there is one";
        ReadFullStatus Some('s'), "read-full-status read_full_status read-status read_status", Value::None,
            "show every registration with its initiator port";
        ReportCapabilities Some('c'), "report-capabilities report_capabilities", Value::None,
            "show what the device supports";
        In Some('i'), "in", Value::None,
            "send PERSISTENT RESERVE IN (default)";
    }
    Changing {
        Out Some('o'), "out", Value::None,
            "send PERSISTENT RESERVE OUT";
        Register Some('G'), "register", Value::None,
            "register key SARK, replacing RK if registered; SARK 0 unregisters";
        RegisterIgnore Some('I'), "register-ignore register_ignore", Value::None,
            "register key SARK, whatever key is registered now";
        Reserve Some('R'), "reserve", Value::None,
            "reserve the device with type TYPE";
        Release Some('L'), "release", Value::None,
            "release the reservation; TYPE must match";
        Preempt Some('P'), "preempt", Value::None,
            "remove all registrations with key SARK; if they hold the\n\
             reservation, take it over with type TYPE";
        PreemptAbort Some('A'), "preempt-abort preempt_abort", Value::None,
            "as --preempt, and abort the preempted nodes' commands";
        Clear Some('C'), "clear", Value::None,
            "remove the reservation and all registrations";
        RegisterMove Some('M'), "register-move register_move", Value::None,
            "register another I_T nexus and move the reservation to it";
        ReplaceLost Some('z'), "replace-lost replace_lost", Value::None,
            "acknowledge that a lost reservation has been replaced";
        ParamRk Some('K'), "param-rk param_rk", Value::Required("RK"),
            "reservation key: this node's registered key (hex, default 0)";
        ParamSark Some('S'), "param-sark param_sark", Value::Required("SARK"),
            "service action key: the one to register or preempt (hex, default 0)";
        ProutType Some('T'), "prout-type prout_type", Value::Required("TYPE"),
            "reservation type (hex, default 0):\n\
             1 Write Exclusive, 3 Exclusive Access, 5 and 6 the same for\n\
             registrants only, 7 and 8 the same for all registrants";
    }
    General {
        Device Some('d'), "device", Value::Required("DEVICE"),
            "device, if not given as an argument (/dev/sdX, /dev/sgN, /dev/nvmeXnY)";
        NoInquiry Some('n'), "no-inquiry no_inquiry", Value::None,
            "skip INQUIRY and the two lines about the device";
        Verbose Some('v'), "verbose", Value::None,
            "show the commands sent; repeat for more detail";
        Help Some('h'), "help", Value::None,
            "show this help; -hh shows the remaining options";
        Version Some('V'), "version", Value::None,
            "print the version";
    }
    LessCommon {
        Hex Some('H'), "hex", Value::None,
            "show the response in hex; -HH: all bytes; -HHH: without offsets";
        AllocLength Some('l'), "alloc-length alloc_length", Value::Required("LEN"),
            "allocation length in bytes (hex, at most 2000)";
        Maxlen Some('m'), "maxlen", Value::Required("LEN"),
            "allocation length in bytes (decimal, 0xLEN or LENh; at most 8192)";
        Readonly Some('y'), "readonly", Value::None,
            "open the device read-only; -yy opens it read-write";
        Timeout None, "timeout", Value::Required("SECS"),
            "timeout for each command in seconds (default 60)";
        TransportId Some('X'), "transport-id transport_id", Value::Required("TIDS"),
            "TransportIDs of other initiator ports:\n\
             sas,H16  fcp,H16  sbp,H16  srp,H32  sop,H4  (Hn: n hex digits)\n\
             spi,ADDRESS,PORT  iqn.NAME[,i,0xISID]  comma-separated hex bytes\n\
             file=NAME (one per line)  - (one per line, from standard input)";
        RelativeTargetPort Some('Q'), "relative-target-port relative_target_port", Value::Required("RTPI"),
            "with --register-move: target port to move to (hex, at most ffff)";
        ParamUnreg Some('U'), "param-unreg param_unreg unreg", Value::None,
            "with --register-move: unregister this I_T nexus";
        ParamAlltgpt Some('Y'), "param-alltgpt param_alltgpt", Value::None,
            "register for all target ports (ALL_TG_PT)";
        ParamAptpl Some('Z'), "param-aptpl param_aptpl", Value::None,
            "preserve registrations through a power loss (APTPL)";
    }
    Scripting {
        Json Some('j'), "json", Value::Optional("JO"),
            "print the response, or the error, as JSON;\n\
             JO is a list: 2, 4, 8: indentation width (default 4);\n\
             p: pretty-print (default); k: compact, no spaces; e: exit status;\n\
             l: lead-in; o: plain text output; - before a letter turns it off";
        JsFile Some('J'), "js-file js_file", Value::Required("FILE"),
            "write the JSON to FILE";
        JsonSchema None, "json-schema json_schema", Value::None,
            "print the JSON Schema of the JSON output";
        HasKey None, "has-key has_key", Value::Required("KEY"),
            "exit status 0 if KEY is registered, 36 if not";
        HolderIs None, "holder-is holder_is", Value::Required("KEY"),
            "exit status 0 if KEY holds the reservation, 36 if not";
        Reserved None, "reserved", Value::Optional("TYPE"),
            "exit status 0 if there is a reservation (of TYPE), 36 if not";
        Deadline None, "deadline", Value::Required("SECS"),
            "end within SECS seconds from the start, whatever the kernel does\n\
             (fractions too); exit status 33";
        Registered None, "registered", Value::Optional("KEY"),
            "exit status 0 if this nexus is registered (with KEY), 36 if not;\n\
             38: cannot be told";
        Wait None, "wait", Value::Required("SECS"),
            "with one of these questions: ask again until the answer is yes,\n\
             for SECS seconds at most";
        UaRetries None, "ua-retries ua_retries", Value::Required("N"),
            "retry up to N times after a unit attention (default 0)";
        Verify None, "verify", Value::None,
            "with --out: read the change back and check it;\n\
             exit status 37: not there, 38: could not be verified";
        AllPaths None, "all-paths all_paths", Value::None,
            "take DEVICE, a path of a multipath map, for all paths of the map";
        OnePath None, "one-path one_path", Value::None,
            "send the command through the multipath map, over any one path";
        Repair None, "repair", Value::None,
            "register key RK on the paths of a multipath map that lack it, if\n\
             another of its paths has it; DEVICE may be one of its paths";
        EveryPath None, "every-path every_path", Value::None,
            "when registering a map: a path that cannot be reached is a failure";
        Explain None, "explain", Value::None,
            "with --out: after a reservation conflict, read what is registered\n\
             and say why (--verify and --json do so anyway)";
        DryRun None, "dry-run dry_run", Value::None,
            "show the command and its parameter list; send nothing";
        Overview None, "overview", Value::None,
            "show everything about one or more devices, as a table";
        Each None, "each", Value::None,
            "take every argument for a device, and do it to each of them;\n\
             exit status 39: not the same on all";
        DevicesFrom None, "devices-from devices_from", Value::Required("FILE"),
            "do it to each device that FILE lists, one per line (-: standard input)";
        Parallel None, "parallel", Value::Required("N"),
            "with several devices: N at the same time (default 64)";
        FirstDecides None, "first-decides first_decides", Value::None,
            "change the first device alone; the others only if that was done";
        Completion None, "completion", Value::Required("SHELL"),
            "print the completion script for bash, zsh or fish";
    }
}

/// The options that the original has, in the order of its table of names; one with two names stands
/// there twice, at the end for the second.
///
/// The order shows in the message about an ambiguous abbreviation, which lists the names that it
/// could stand for. No option is added to these: what abbreviates one of them goes on doing so.
static ORIGINAL: [Opt; 34] = [
    Opt::AllocLength,
    Opt::Clear,
    Opt::Device,
    Opt::Help,
    Opt::Hex,
    Opt::In,
    Opt::Maxlen,
    Opt::NoInquiry,
    Opt::Out,
    Opt::ParamAlltgpt,
    Opt::ParamAptpl,
    Opt::ParamRk,
    Opt::ParamSark,
    Opt::ParamUnreg,
    Opt::Preempt,
    Opt::PreemptAbort,
    Opt::ProutType,
    Opt::ReadFullStatus,
    Opt::ReadKeys,
    Opt::Readonly,
    Opt::ReadReservation,
    Opt::ReadFullStatus,
    Opt::Register,
    Opt::RegisterIgnore,
    Opt::RegisterMove,
    Opt::Release,
    Opt::RelativeTargetPort,
    Opt::ReplaceLost,
    Opt::ReportCapabilities,
    Opt::Reserve,
    Opt::TransportId,
    Opt::ParamUnreg,
    Opt::Verbose,
    Opt::Version,
];

impl Opt {
    /// All options, in the order in which the usage texts show them.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied()
    }

    /// The option that `letter` stands for.
    #[must_use]
    pub fn from_letter(letter: char) -> Option<Self> {
        Self::all().find(|option| option.letter() == Some(letter))
    }

    /// The option's letter, if it has one.
    #[must_use]
    pub const fn letter(self) -> Option<char> {
        self.definition().letter
    }

    /// Whether the option takes a value.
    #[must_use]
    pub const fn value(self) -> Value {
        self.definition().value
    }

    /// The part of the usage texts that shows the option.
    #[must_use]
    pub const fn group(self) -> Group {
        self.definition().group
    }

    /// What the usage texts say of the option: one or more lines.
    #[must_use]
    pub const fn help(self) -> &'static str {
        self.definition().help
    }

    /// The long name that the option goes by.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.long_names().next().unwrap_or_default()
    }

    /// The option's long names, the one it goes by first.
    pub fn long_names(self) -> impl Iterator<Item = &'static str> {
        self.definition().names.split(' ')
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
    match resolve_among(|option| ORIGINAL.contains(&option), typed) {
        Resolved::Unknown => resolve_among(|option| !ORIGINAL.contains(&option), typed),
        resolved => resolved,
    }
}

fn resolve_among(is_candidate: impl Fn(Opt) -> bool, typed: &[u8]) -> Resolved {
    let mut candidates: Vec<(&'static str, Opt)> = Vec::new();
    for option in Opt::all().filter(|&option| is_candidate(option)) {
        for name in option.long_names() {
            if name.as_bytes() == typed {
                return Resolved::Option(name, option);
            }
            if name.as_bytes().starts_with(typed) {
                candidates.push((name, option));
            }
        }
    }
    match candidates[..] {
        [] => return Resolved::Unknown,
        [(name, option), ref others @ ..] if others.iter().all(|&(_, other)| other == option) => {
            return Resolved::Option(name, option);
        }
        _ => candidates.sort_by_key(|&(name, option)| position(name, option)),
    }
    let first = candidates.first().map(|&(_, option)| option);
    let mut names = Vec::new();
    for (name, option) in candidates {
        if names.is_empty() || Some(option) != first {
            names.push(name);
        }
    }
    Resolved::Ambiguous(names)
}

/// Where the original's table has a name; nowhere if it is a new one.
fn position(name: &str, option: Opt) -> Option<usize> {
    let mut options = ORIGINAL.iter();
    if name.replace('_', "-") == option.name() {
        options.position(|&other| other == option)
    } else {
        options.rposition(|&other| other == option)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_names_stand_for_one_option() {
        for option in Opt::all() {
            if let Some(letter) = option.letter() {
                assert_eq!(Opt::from_letter(letter), Some(option));
            }
            for name in option.long_names() {
                assert_eq!(resolve(name.as_bytes()), Resolved::Option(name, option));
            }
        }
        assert_eq!(Opt::from_letter('x'), None);
        assert_eq!(Opt::from_letter('T'), Some(Opt::ProutType));
        assert_eq!(Opt::ProutType.letter(), Some('T'));
        assert_eq!(Opt::ProutType.name(), "prout-type");
        assert_eq!(Opt::DryRun.letter(), None);
    }

    #[test]
    fn every_hyphen_may_be_an_underscore() {
        for option in Opt::all() {
            let names: Vec<_> = option.long_names().collect();
            for name in &names {
                assert!(names.contains(&&*name.replace('-', "_")), "{name}");
            }
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
    fn possibilities_stand_in_the_order_of_the_original() {
        let Resolved::Ambiguous(names) = resolve(b"") else {
            panic!();
        };
        // The second spelling of the first one's option is left out.
        assert_eq!(
            names.join(" "),
            "alloc-length clear device help hex in maxlen no-inquiry no_inquiry out param-alltgpt \
             param_alltgpt param-aptpl param_aptpl param-rk param_rk param-sark param_sark \
             param-unreg param_unreg preempt preempt-abort preempt_abort prout-type prout_type \
             read-full-status read_full_status read-keys read_keys readonly read-reservation \
             read_reservation read-status read_status register register-ignore register_ignore \
             register-move register_move release relative-target-port relative_target_port \
             replace-lost replace_lost report-capabilities report_capabilities reserve \
             transport-id transport_id unreg verbose version"
        );
        assert_eq!(
            resolve(b"js"),
            Resolved::Ambiguous(vec![
                "json",
                "js-file",
                "js_file",
                "json-schema",
                "json_schema"
            ])
        );
    }

    #[test]
    fn new_names_leave_the_old_abbreviations_alone() {
        let mut kept = Vec::new();
        for new in Opt::all().filter(|option| !ORIGINAL.contains(option)) {
            for name in new.long_names() {
                for typed in (1..name.len()).map(|end| &name.as_bytes()[..end]) {
                    let old = resolve_among(|option| ORIGINAL.contains(&option), typed);
                    if let Resolved::Option(_, option) = old {
                        assert_eq!(resolve(typed), old);
                        kept.push((String::from_utf8_lossy(typed).into_owned(), option));
                    }
                }
            }
        }
        kept.dedup();
        for (typed, option) in [
            ("c", Opt::Clear),
            ("d", Opt::Device),
            ("o", Opt::Out),
            ("reserv", Opt::Reserve),
            ("t", Opt::TransportId),
            ("u", Opt::ParamUnreg),
        ] {
            assert!(kept.contains(&(typed.to_owned(), option)), "{typed}");
        }
        assert_eq!(
            resolve(b"t"),
            Resolved::Option("transport-id", Opt::TransportId)
        );
        assert_eq!(resolve(b"ti"), Resolved::Option("timeout", Opt::Timeout));
    }
}
