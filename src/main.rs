//! The command `sg_persist`: hands the process's own world to the library.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::process::ExitCode;

use sg_persist::cli::request::Environment;
use sg_persist::cli::transport_ids::Input;
use sg_persist::run::{World, run};
use sg_persist::transport::sgio::Kernel;
use sg_persist::transport::watch::Watched;

/// Standard input and the file system.
struct Files;

impl Input for Files {
    fn stdin(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn file(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }
}

fn main() -> ExitCode {
    let argv: Vec<OsString> = env::args_os().collect();
    let is_set = |name| env::var_os(name).is_some();
    let stdout = io::stdout();
    let stderr = io::stderr();
    run(World {
        argv: &argv,
        environment: Environment {
            posixly_correct: is_set("POSIXLY_CORRECT"),
            in_readonly: is_set("SG_PERSIST_IN_RDONLY"),
            show_invocation: is_set("SG3_UTILS_INVOCATION"),
        },
        input: &mut Files,
        devices: &Watched::new(Kernel, stderr.is_terminal()),
        stdout: &mut stdout.lock(),
        stdout_is_terminal: stdout.is_terminal(),
        stderr: &mut stderr.lock(),
        stderr_is_terminal: stderr.is_terminal(),
    })
    .into()
}
