//! What `-h`, `-hh` and `-V` print.

use super::options::Opt;

/// The version, with the form that the original gives it.
#[must_use]
pub fn version() -> String {
    format!("version: {}\n", env!("CARGO_PKG_VERSION"))
}

/// What `-h` prints, and what follows a message about a command line that is not understood.
pub const USAGE: &str = "\
Usage: sg_persist [OPTIONS] [DEVICE]

Reads and changes the persistent reservations of a SCSI logical unit.

Reading (PERSISTENT RESERVE IN; --in may be left out):
  -k, --read-keys             keys of all registrations (assumed if nothing is chosen)
  -r, --read-reservation      the reservation held, if any
  -s, --read-full-status      every registration, with its initiator (also --read-status)
  -c, --report-capabilities   what the device supports
  -i, --in                    says that it is to be read

Changing (PERSISTENT RESERVE OUT; needs --out):
  -o, --out                   says that it is to be changed
  -G, --register              register the key SARK, or unregister with SARK 0
  -I, --register-ignore       the same, whatever key was registered before
  -R, --reserve               reserve, as TYPE
  -L, --release               release a reservation of TYPE
  -P, --preempt               remove the registrations with key SARK, reserve as TYPE
  -A, --preempt-abort         the same, and abort their commands
  -C, --clear                 remove the reservation and all registrations
  -M, --register-move         register another initiator and move the reservation to it
  -z, --replace-lost          tell that a lost reservation was replaced
  -K, --param-rk=RK           key of this registration (hex, default 0)
  -S, --param-sark=SARK       key to register or to preempt (hex, default 0)
  -T, --prout-type=TYPE       1 Write Exclusive, 3 Exclusive Access, 5 and 6 the same for
                              registrants only, 7 and 8 for all registrants (hex, default 0)

  -d, --device=DEVICE         the device, if it is not the last word: /dev/sdX, /dev/sgN
  -n, --no-inquiry            leave out INQUIRY and the two lines about the device
  -v, --verbose               show the commands sent; more often: show more
  -h, --help                  this; -hh: the other options
  -V, --version               print the version
";

/// What `-hh` prints.
pub const MORE_USAGE: &str = "\
Usage: sg_persist [OPTIONS] [DEVICE]

Options that are needed less often (-h shows the others):
  -H, --hex                   the answer in hexadecimal; -HH with its header; -HHH bytes only
  -l, --alloc-length=LEN      room for the answer in bytes (hex, 0 to 2000)
  -m, --maxlen=LEN            the same (decimal; 0x before it or h behind it: hex; 0 to 8192)
  -y, --readonly              open the device read-only; -yy: read-write from the start
      --timeout=SECS          give a command up after SECS seconds (default 60)
  -X, --transport-id=TIDS     other initiators: sas,H16  fcp,H16  sbp,H16  spi,ADDRESS,PORT
                              srp,H32  sop,H4  iqn.NAME[,i,0xISID]  a list of hex bytes
                              file=NAME (one on each line)  - (the same from standard input)
  -Q, --relative-target-port=RTPI
                              --register-move: the target port to move to (hex, 0 to ffff)
  -U, --param-unreg           --register-move: unregister here (also --unreg)
  -Y, --param-alltgpt         register for all target ports
  -Z, --param-aptpl           registrations are to outlast a loss of power

For programs, and for certainty:
  -j, --json[=JO]             the answer, or what went wrong, as JSON; JO: 2, 4, 8 indentation,
                              p pretty, k packed, e exit status, l lead-in, o plain text; -p: off
  -J, --js-file=FILE          JSON into FILE
      --json-schema           print the JSON Schema of it
      --has-key=KEY           status 0: KEY is registered, 36: it is not
      --holder-is=KEY         status 0: the registrations with KEY hold the reservation, 36: not
      --reserved[=TYPE]       status 0: there is a reservation (of TYPE), 36: there is none
      --ua-retries=N          send a command again after a unit attention, at most N times
      --verify                --out: read back whether the change is there; 37: it is not
      --dry-run               show the command and its parameter list, and send nothing
      --overview              everything about one or more devices, as a table
      --completion=SHELL      print completions for SHELL: bash, zsh or fish

Hyphens inside long names may be underscores; long names may be abbreviated.

Types (--prout-type), and what a node may do while another one holds the reservation:
  1  Write Exclusive                       read
  3  Exclusive Access                      nothing
  5  Write Exclusive, registrants only     read; write if it is registered
  6  Exclusive Access, registrants only    read and write if it is registered
  7  Write Exclusive, all registrants      as 5; every registrant holds it
  8  Exclusive Access, all registrants     as 6; every registrant holds it

Exit status: 0 done, 1 and 31 command line, 2 not ready, 5 and 9 not supported,
6 unit attention, 24 reservation conflict, 35 transport, 50 + errno, 97 malformed answer;
sg_persist(8) lists them all.
";

/// What help says of an option, in one line and without its names.
#[must_use]
pub fn summary(option: Opt) -> &'static str {
    let name = option.long_names().next().unwrap_or_default();
    let mut lines = USAGE.lines().chain(MORE_USAGE.lines());
    let explains = |line: &&str| {
        let mut words = line
            .split_whitespace()
            .filter(|word| word.starts_with("--"));
        let first = words.next().unwrap_or_default().trim_start_matches("--");
        line.starts_with("  ") && first.split(['=', '[', ' ']).next() == Some(name)
    };
    let line = lines.find(explains).unwrap_or_default();
    // A long name has what is said of it in the next line.
    let line = match line.as_bytes().get(SUMMARY_COLUMN - 1) {
        Some(b' ') => line,
        _ => lines.next().unwrap_or_default(),
    };
    line.get(SUMMARY_COLUMN..).unwrap_or_default().trim()
}

/// Where what is said of an option starts in its line.
const SUMMARY_COLUMN: usize = 30;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::options::{LONG_NAMES, NEW_LONG_NAMES};

    #[test]
    fn every_option_is_explained_once() {
        for option in Opt::all() {
            let letter = option
                .letter()
                .map_or_else(|| "    ".to_owned(), |letter| format!("-{letter}, "));
            let name = option.long_names().next().unwrap_or_default();
            let shown = format!("  {letter}--{name}");
            let both = [USAGE, MORE_USAGE].concat();
            let lines = both.lines().filter(|line| {
                line.strip_prefix(&shown)
                    .is_some_and(|rest| rest.starts_with([' ', '=', '[']) || rest.is_empty())
            });
            assert_eq!(lines.count(), 1, "{name}");
        }
    }

    #[test]
    fn every_long_name_is_explained() {
        let both = [USAGE, MORE_USAGE].concat();
        for (name, _) in LONG_NAMES.into_iter().chain(NEW_LONG_NAMES) {
            let name = name.replace('_', "-");
            assert!(both.contains(&format!("--{name}")), "{name}");
        }
    }

    #[test]
    fn every_option_has_a_summary() {
        for option in Opt::all() {
            assert!(!summary(option).is_empty(), "{option:?}");
        }
        assert!(summary(Opt::RelativeTargetPort).starts_with("--register-move: the target"));
        assert_eq!(
            summary(Opt::Verify),
            "--out: read back whether the change is there; 37: it is not"
        );
    }

    #[test]
    fn lines_fit_a_terminal() {
        for line in USAGE.lines().chain(MORE_USAGE.lines()) {
            assert!(line.len() <= 100, "{line}");
        }
    }
}
