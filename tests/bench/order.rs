//! The linker script with which the functions that every run uses stand together.
//!
//! The kernel maps a program's file in pieces of 64 KiB, each at the first touch of it. The functions of a run are a
//! tenth of the program; where the compiler leaves them they are all over it.

use crate::{Bench, COMMANDS, Root};
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::process::Command;

const HEAD: &str = "\
/* Where the functions stand that a run uses: together, at the beginning of the text. Written by tests/bench/run order.
   What is named here and not in the program does no harm, and neither does what is not named: it stands further back. */
";

/// What the C library does for the kernel's own shared object, which valgrind does not show to programs.
const NOT_UNDER_VALGRIND: [&str; 4] = [
    "_dl_new_object",
    "_dl_setup_hash",
    "_dl_lookup_symbol_x",
    "__strcmp_avx2",
];

/// Writes the script for our programs, whose symbols must be in them. `library` is the C library that is linked into the
/// plain one: its functions are not in sections of their own, so the members of the archive are named.
pub(crate) fn write(roots: &[Root], library: &str, out: &mut dyn Write) -> io::Result<bool> {
    let bench = Bench::new()?;
    let mut functions = BTreeSet::from(NOT_UNDER_VALGRIND.map(str::to_owned));
    for root in roots.iter().filter(|root| root.ours) {
        for line in &COMMANDS {
            let profile = bench.callgrind(root, line)?.unwrap_or_default();
            functions.extend(profile.lines().filter_map(function).map(str::to_owned));
        }
    }
    let listed = Command::new("nm")
        .args(["--print-file-name", library])
        .output()?;
    let symbols = String::from_utf8_lossy(&listed.stdout);
    let members: BTreeSet<&str> = symbols
        .lines()
        .filter_map(|line| member(line, &functions))
        .collect();
    let sections: BTreeSet<String> = functions.iter().map(|name| section(name)).collect();
    if sections.len() < 50 || members.len() < 50 {
        return Err(io::Error::other("hardly any names: is a program stripped?"));
    }

    write!(out, "{HEAD}SECTIONS\n{{\n  .text.first :\n  {{\n")?;
    for section in sections {
        // The compiler puts what seems seldom used elsewhere.
        writeln!(out, "    *(.text.{section} .text.unlikely.{section})")?;
    }
    for member in members {
        writeln!(out, "    *libc.a:{member}(.text .text.*)")?;
    }
    write!(out, "  }}\n}}\nINSERT BEFORE .text;\n")?;
    Ok(true)
}

/// The function that a line of callgrind's file names: `fn=(number) name`, `cfn=` for one that is called.
fn function(line: &str) -> Option<&str> {
    let line = line.strip_prefix('c').unwrap_or(line);
    let (_, name) = line.strip_prefix("fn=(")?.split_once(") ")?;
    // Of recursive calls the second is told from the first.
    let name = name.split('\'').next()?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_.$".contains(c);
    (name.chars().all(is_name) && !name.starts_with("0x")).then_some(name)
}

/// The member of the C library that a line of nm's output is about, where it has one of the functions, or one that is
/// chosen by the processor when the program starts.
fn member<'a>(line: &'a str, functions: &BTreeSet<String>) -> Option<&'a str> {
    // ARCHIVE:MEMBER:ADDRESS KIND NAME
    let mut fields = line.split_whitespace();
    let member = fields.next()?.rsplit(':').nth(1)?;
    let (kind, name) = (fields.next()?, fields.next()?);
    (kind == "i" || "tTwW".contains(kind) && functions.contains(name)).then_some(member)
}

/// The name of a function in that of its section, with stars for what changes with every version of the program and the
/// compiler.
fn section(name: &str) -> String {
    let pattern = match name.rfind("17h") {
        Some(hash) if name.starts_with("_ZN") => format!("{}*", &name[..hash]),
        _ if name.starts_with("_R") => {
            // A number that tells copies apart.
            let (name, copy) = match name.split_once('.') {
                Some((name, _)) => (name, ".*"),
                None => (name, ""),
            };
            // Crates: Cs, a hash, an underscore, the length of the name.
            let mut parts = name.split("Cs");
            let mut pattern = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                match part.split_once('_') {
                    Some((_, rest)) => pattern += &format!("Cs*_{rest}"),
                    None => pattern += &format!("Cs{part}"),
                }
            }
            pattern + copy
        }
        _ => name.to_owned(),
    };
    // A linker takes it for the beginning of something else.
    pattern.replace('$', "?")
}
