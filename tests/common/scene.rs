//! A run: the command line and what is around it, and what came of it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use sg_persist::cli::request::Environment;
use sg_persist::host_ports::PathPorts;
use sg_persist::pr::transport_id::TransportId;
use sg_persist::run::{World, run};
use sg_persist::transport::Open;

use super::DEVICE;
use super::script::Script;
use super::world::{Alone, NoMaps, Passing, Sink, Texts, Written, WrittenFile};

/// A run to come.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) argv: Vec<OsString>,
    pub(crate) environment: Environment,
    pub(crate) texts: Texts,
    /// Whether standard output and standard error are terminals.
    pub(crate) terminals: (bool, bool),
    /// The error number with which standard output takes nothing.
    pub(crate) stdout_error: Option<i32>,
    pub(crate) own_ports: Vec<TransportId>,
    pub(crate) path_ports: PathPorts,
    /// The device that the script is about.
    pub(crate) device: OsString,
    pub(crate) script: Script,
}

/// `sg_persist` with the words of `line`, which blanks part.
pub(crate) fn sg_persist(line: &str) -> Scene {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    sg_persist_words(&words)
}

/// `sg_persist` with `words`, in which anything may stand.
pub(crate) fn sg_persist_words(words: &[&str]) -> Scene {
    Scene::of(words.iter().map(OsString::from))
}

impl Scene {
    /// `sg_persist` with these words.
    pub(crate) fn of(words: impl IntoIterator<Item = OsString>) -> Self {
        let name = OsString::from("sg_persist");
        Self {
            argv: std::iter::once(name).chain(words).collect(),
            environment: Environment::default(),
            texts: Texts::default(),
            terminals: (false, false),
            stdout_error: None,
            own_ports: Vec::new(),
            path_ports: PathPorts::default(),
            device: DEVICE.into(),
            script: Script::default(),
        }
    }

    /// The words behind the program's name.
    pub(crate) fn words(&self) -> &[OsString] {
        &self.argv[1..]
    }

    /// The name under which the program is called.
    pub(crate) fn called(mut self, name: &str) -> Self {
        self.argv[0] = name.into();
        self
    }

    /// One word more, of any bytes.
    pub(crate) fn word(mut self, word: &[u8]) -> Self {
        self.argv.push(OsString::from_vec(word.to_vec()));
        self
    }

    /// Another device than [`DEVICE`] is opened.
    pub(crate) fn device(self, device: &str) -> Self {
        self.device_of_bytes(device.as_bytes())
    }

    /// Another device, whose name may be of any bytes, is opened.
    pub(crate) fn device_of_bytes(mut self, device: &[u8]) -> Self {
        self.device = OsString::from_vec(device.to_vec());
        self
    }

    /// `SG_PERSIST_IN_RDONLY` is set.
    pub(crate) fn in_readonly(mut self) -> Self {
        self.environment.in_readonly = true;
        self
    }

    /// `SG_PERSIST_UA_RETRIES` is set to this.
    pub(crate) fn ua_retries(mut self, text: &str) -> Self {
        self.environment.ua_retries = Some(text.into());
        self
    }

    /// `POSIXLY_CORRECT` is set.
    pub(crate) fn posixly_correct(mut self) -> Self {
        self.environment.posixly_correct = true;
        self
    }

    /// `SG3_UTILS_INVOCATION` is set.
    pub(crate) fn show_invocation(mut self) -> Self {
        self.environment.show_invocation = true;
        self
    }

    /// What standard input holds. Without it, it cannot be read.
    pub(crate) fn stdin(mut self, text: impl AsRef<[u8]>) -> Self {
        self.texts.stdin = Some(text.as_ref().to_vec());
        self
    }

    /// A file that exists. No others do.
    pub(crate) fn file(mut self, name: &str, text: impl AsRef<[u8]>) -> Self {
        self.texts
            .files
            .push((name.to_owned(), text.as_ref().to_vec()));
        self
    }

    /// Standard output and standard error are terminals.
    pub(crate) fn on_terminals(mut self) -> Self {
        self.terminals = (true, true);
        self
    }

    /// Standard output takes nothing: each write ends with this error number.
    pub(crate) fn stdout_fails(mut self, errno: i32) -> Self {
        self.stdout_error = Some(errno);
        self
    }

    /// This host's initiator ports are known to be these. Without it, none is known.
    pub(crate) fn own_ports(mut self, ports: &[TransportId]) -> Self {
        self.own_ports = ports.to_vec();
        self
    }

    /// The commands to the device go through one of these. Without it, none is known.
    pub(crate) fn path_ports(mut self, ports: &[TransportId], is_one_path: bool) -> Self {
        self.path_ports = PathPorts {
            ports: ports.to_vec(),
            is_one_path,
        };
        self
    }

    /// Runs the program on other devices than that of the script.
    pub(crate) fn run_on(&self, devices: &dyn Open) -> Ran {
        self.run_in_time(devices, &Passing::default())
    }

    /// The same, by this clock.
    pub(crate) fn run_in_time(&self, devices: &dyn Open, clock: &Passing) -> Ran {
        let mut stdout = Sink::new(self.stdout_error);
        let mut stderr = Sink::new(None);
        let mut output = Written::default();
        let status = run(World {
            argv: &self.argv,
            environment: self.environment.clone(),
            input: &mut self.texts.clone(),
            devices,
            clock,
            output: &mut output,
            own_ports: &|_| self.own_ports.clone(),
            path_ports: &|_| self.path_ports.clone(),
            maps: &NoMaps,
            stdout: &mut stdout,
            stdout_is_terminal: &|| self.terminals.0,
            stderr: &mut stderr,
            stderr_is_terminal: &|| self.terminals.1,
            beside: &Alone,
        });
        Ran {
            status: status.code(),
            stdout: String::from_utf8_lossy(&stdout.text).into_owned(),
            stderr: String::from_utf8_lossy(&stderr.text).into_owned(),
            stdout_bytes: stdout.text,
            stderr_bytes: stderr.text,
            written: output.0.take(),
            trace: Vec::new(),
            pauses: std::mem::take(&mut *clock.pauses.lock().unwrap()),
        }
    }
}

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit status.
    pub(crate) status: u8,
    /// Standard output. Bytes that are no text are replaced.
    pub(crate) stdout: String,
    /// Standard error, likewise.
    pub(crate) stderr: String,
    /// Standard output, byte for byte.
    pub(crate) stdout_bytes: Vec<u8>,
    /// Standard error, likewise.
    pub(crate) stderr_bytes: Vec<u8>,
    /// The files that were written.
    pub(crate) written: Vec<WrittenFile>,
    /// What was done to a device with a script: `open ro`, a command's hex, `close`.
    pub(crate) trace: Vec<String>,
    /// Milliseconds that were waited between commands.
    pub(crate) pauses: Vec<u128>,
}

impl Ran {
    /// All that a caller sees of it.
    #[track_caller]
    pub(crate) fn is(&self, status: u8, stdout: &str, stderr: &str) {
        assert_eq!(
            (self.status, &self.stdout[..], &self.stderr[..]),
            (status, stdout, stderr),
            "\n--- stdout:\n{}--- stderr:\n{}",
            self.stdout,
            self.stderr
        );
    }

    /// All that a caller sees of it, where the usage text follows on stderr.
    #[track_caller]
    pub(crate) fn is_with_usage(&self, status: u8, stderr: &str) {
        let usage = match stderr.contains("unrecognized option") {
            true => "'sg_persist -h' and '-hh' list the options\n".to_owned(),
            false => sg_persist::cli::usage::usage(),
        };
        self.is(status, "", &format!("{stderr}{usage}"));
    }

    /// How it ended.
    #[track_caller]
    pub(crate) fn status_is(&self, status: u8) {
        assert_eq!(self.status, status, "{self:#?}");
    }

    /// No device was opened.
    #[track_caller]
    pub(crate) fn touched_nothing(&self) {
        assert_eq!(self.trace, [""; 0]);
    }
}
