//! Tools of the laboratory, run in its machines: a device that answers by script, and programs that put the one under
//! test to the proof faster than a shell could.

mod history;
mod kill;
mod kill_maps;
mod library;
mod map;
mod model;
mod nvme;
mod program;
mod race;
mod random;
mod rules;
mod signal;
mod tcmu;

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let result = match arguments.split_first() {
        Some((tool, rest)) if tool == "tcmu" => tcmu::run(rest).map(|()| true),
        Some((tool, rest)) if tool == "nvme" => nvme::run(rest).map(|()| true),
        Some((tool, rest)) if tool == "race" => race::run(rest),
        Some((tool, rest)) if tool == "kill" => kill::run(rest),
        Some((tool, rest)) if tool == "kill-maps" => kill_maps::run(rest),
        Some((tool, rest)) if tool == "map" => map::run(rest),
        Some((tool, rest)) if tool == "library" => library::run(rest).map(|()| true),
        _ => Err(io::Error::other(
            "one of: tcmu, nvme, race, kill, kill-maps, library, map",
        )),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // There is nobody else to tell.
            let _ = writeln!(io::stderr(), "lab-tools: {error}");
            ExitCode::from(2)
        }
    }
}
