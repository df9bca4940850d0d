//! The linker script with which what every run uses stands together.
//!
//! The kernel maps a program's file in pieces of 64 KiB, each at the first touch of it. The functions of a run are a
//! tenth of the program; where the compiler leaves them they are all over it. What is zero at first it fills page by
//! page.

use crate::{Bench, COMMANDS, Root};
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::process::Command;

const HEAD: &str = "\
/* Where the functions stand that a run uses: together, at the beginning of the text, before others those that every run
   uses. Written by tests/bench/run order.
   What is named here and not in the program does no harm, and neither does what is not named: it stands further back. */
";

const BLOCK: &str = "
/* The block of memory.rs, four megabytes, stands behind all other data that is zero at first, not in the midst of it. */
SECTIONS
{
  .bss.last (NOLOAD) :
  {
    *(.bss._ZN10sg_persist6memory5BLOCK*)
  }
}
INSERT AFTER .bss;
";

/// What the C library does for the kernel's own shared object, which valgrind does not show to programs, and a function
/// whose name valgrind does not find.
const NOT_UNDER_VALGRIND: [&str; 5] = [
    "__set_thread_area",
    "_dl_new_object",
    "_dl_setup_hash",
    "_dl_lookup_symbol_x",
    "__strcmp_avx2",
];

/// Writes the script for our programs, whose symbols must be in them. `libraries` are the C libraries that are linked into
/// them: not all of their functions are in sections of their own, so the members of the archives are named.
pub(crate) fn write(roots: &[Root], libraries: &[&str], out: &mut dyn Write) -> io::Result<bool> {
    let bench = Bench::new()?;
    // Those of every command, and those of any.
    let mut always = BTreeSet::from(NOT_UNDER_VALGRIND.map(str::to_owned));
    let mut functions = always.clone();
    for root in roots.iter().filter(|root| root.ours) {
        let mut of_each: Vec<BTreeSet<String>> = Vec::new();
        for line in &COMMANDS {
            let profile = bench.callgrind(root, line)?.unwrap_or_default();
            let names = profile.lines().filter_map(function);
            of_each.push(names.map(str::to_owned).collect());
        }
        functions.extend(of_each.iter().flatten().cloned());
        let of_all = of_each.into_iter().reduce(|all, these| &all & &these);
        always.extend(of_all.unwrap_or_default());
    }
    let listed = Command::new("nm")
        .arg("--print-file-name")
        .args(libraries)
        .output()?;
    let symbols = String::from_utf8_lossy(&listed.stdout);
    let patterns = |functions: &BTreeSet<String>| -> BTreeSet<String> {
        let members = symbols.lines().filter_map(|line| member(line, functions));
        // The compiler puts what seems seldom used elsewhere.
        let sections = functions
            .iter()
            .map(|name| section(name))
            .map(|name| format!("*(.text.{name} .text.unlikely.{name})"));
        members
            .map(|member| format!("*libc.a:{member}(.text .text.*)"))
            .chain(sections)
            .collect()
    };
    let (always, any) = (patterns(&always), patterns(&functions));
    if always.len() < 100 {
        return Err(io::Error::other("hardly any names: is a program stripped?"));
    }

    write!(out, "{HEAD}SECTIONS\n{{\n  .text.first :\n  {{\n")?;
    // Where the program begins, in one of several files of that kind.
    writeln!(out, "    *crt1.o(.text)")?;
    for pattern in &always {
        writeln!(out, "    {pattern}")?;
    }
    for pattern in any.difference(&always) {
        writeln!(out, "    {pattern}")?;
    }
    write!(out, "  }}\n}}\nINSERT BEFORE .text;\n{BLOCK}")?;
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
