//! What `-v` shows of the commands that pass.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use crate::pr::transport_id::TransportId;
use crate::render::hex_rows;
use crate::transport::{
    Closed, Command, Completion, Data, Node, NodeKind, Transport, os_error_text,
};

/// Prints each command on its way to `inner`, and how the kernel took it.
pub(super) struct Tracer<'a> {
    inner: Box<dyn Transport>,
    /// How often `-v` was given.
    level: u8,
    /// Takes lines, each with its newline.
    print: &'a dyn Fn(&str),
    introduced: &'a Cell<bool>,
}

impl std::fmt::Debug for Tracer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tracer")
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

impl<'a> Tracer<'a> {
    /// Prints with `print` what `level` asks for. `introduced` remembers, over all devices, whether
    /// what is told once has been told.
    pub(super) fn new(
        inner: Box<dyn Transport>,
        level: u8,
        print: &'a dyn Fn(&str),
        introduced: &'a Cell<bool>,
    ) -> Self {
        Self {
            inner,
            level,
            print,
            introduced,
        }
    }

    /// Closes the device: some, such as tapes, can be opened by one at a time.
    pub(super) fn close(&mut self) {
        self.inner = Box::new(Closed);
    }

    fn before(&mut self, command: &Command<'_>) {
        let bytes: Vec<String> = command
            .cdb
            .as_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let name = command.cdb.name();
        (self.print)(&format!("    {name} cdb: [{}]\n", bytes.join(" ")));
        if let (2.., Data::Out(list)) = (self.level, &command.data) {
            (self.print)(&format!("    {name} parameters:\n"));
            (self.print)(&hex_rows::offsets_ascii(list));
        }
        let node = self.inner.node();
        if self.level >= 4 {
            if let (false, Some(major)) = (self.introduced.get(), node.bsg_major) {
                (self.print)(&format!("found sg_bsg_major={major}\n"));
            }
            let kind = match node.kind {
                NodeKind::Sg => "sg device",
                NodeKind::Bsg => "bsg device",
                NodeKind::Block => "block device",
                NodeKind::NvmeController => "NVMe char device",
                NodeKind::NvmeBlock { namespace } => {
                    &format!("NVMe block device, nsid={namespace}")
                }
                NodeKind::NvmeGeneric { namespace } => {
                    &format!("NVMe generic char device, nsid={namespace}")
                }
                NodeKind::Character => "character device",
                NodeKind::Other => "undetermined device, could be regular file",
            };
            (self.print)(&format!("check_file_type: file descriptor is {kind}\n"));
        }
        if self.level >= 6 {
            if let (false, Some([major, minor, patch])) =
                (self.introduced.get(), self.inner.sg_driver_version())
            {
                (self.print)(&format!(
                    "set_pt_file_handle: sg driver version {major}.{minor:02}.{patch:02} so choose v3\n"
                ));
            }
            let is_nvme = u8::from(node.kind.is_nvme());
            let is_sg = u8::from(node.kind == NodeKind::Sg);
            let is_bsg = u8::from(node.kind == NodeKind::Bsg);
            (self.print)(&format!(
                "do_scsi_pt:  is_nvme={is_nvme}, is_sg={is_sg}, is_bsg={is_bsg}\n"
            ));
        }
        self.introduced.set(true);
    }

    fn after(&mut self, result: &io::Result<Completion>) {
        if result.is_err() {
            let sent = self.inner.sent();
            self.show(&sent);
        }
        match result {
            Err(error) if self.level >= 2 => (self.print)(&format!(
                "ioctl({}) failed: {} (errno={})\n",
                match self.inner.node().kind {
                    NodeKind::Bsg => "SG_IO v4",
                    kind if kind.is_nvme() => "NVMe passthrough",
                    _ => "SG_IO v3",
                },
                os_error_text(error),
                error.raw_os_error().unwrap_or_default()
            )),
            Ok(completion) => {
                self.show(&completion.translation.sent);
                if self.level >= 3 {
                    let duration = completion.duration.as_millis();
                    (self.print)(&format!("      duration={duration} ms\n"));
                }
            }
            Err(_) => {}
        }
    }

    /// The commands that were sent in place of one.
    fn show(&self, sent: &[String]) {
        for line in sent {
            (self.print)(&format!("      {line}\n"));
        }
    }
}

// Whatever is not passed on is not known to the program.
#[deny(clippy::missing_trait_methods)]
impl Transport for Tracer<'_> {
    fn execute(&mut self, command: Command<'_>) -> io::Result<Completion> {
        if self.level == 0 {
            return self.inner.execute(command);
        }
        self.before(&command);
        let result = self.inner.execute(command);
        self.after(&result);
        result
    }

    fn node(&self) -> Node {
        self.inner.node()
    }

    fn sent(&mut self) -> Vec<String> {
        self.inner.sent()
    }

    fn sg_driver_version(&self) -> Option<[u32; 3]> {
        self.inner.sg_driver_version()
    }

    fn host(&mut self, timeout: Duration) -> Option<TransportId> {
        let host = self.inner.host(timeout);
        if self.level > 0 {
            let sent = self.inner.sent();
            self.show(&sent);
        }
        host
    }
}
