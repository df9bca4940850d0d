//! The program as a process, without a device.

use super::*;
use std::fs::{File, OpenOptions};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sg_persist"));
    for name in [
        "POSIXLY_CORRECT",
        "SG_PERSIST_IN_RDONLY",
        "SG3_UTILS_INVOCATION",
    ] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

#[track_caller]
fn is(output: &Output, code: i32, stdout: &str, stderr: &str) {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(
        (
            output.status.code(),
            &text(&output.stdout)[..],
            &text(&output.stderr)[..]
        ),
        (Some(code), stdout, stderr)
    );
}

#[test]
fn what_is_no_device() {
    let run = |words: &[&str]| program().args(words).output().unwrap();
    is(
        &run(&["-k", "/no/such"]),
        52,
        "",
        "sg_persist: error opening file (ro): /no/such: No such file or directory\n",
    );
    is(
        &run(&["-k", "/dev/null"]),
        75,
        "sg_persist: SCSI INQUIRY failed on /dev/null\n",
        "inquiry: pass-through os error: Inappropriate ioctl for device\n",
    );
    is(
        &run(&["-n", "-k", "/dev/null"]),
        75,
        "",
        "Persistent reservation in: pass-through os error: Inappropriate ioctl for device
PR in (Read keys): Inappropriate ioctl for device
sg_persist failed: Inappropriate ioctl for device
",
    );
    is(
        &run(&["-n", "-o", "-G", "/dev/null"]),
        75,
        "",
        "Persistent reservation out: pass-through os error: Inappropriate ioctl for device
PR out (Register): Inappropriate ioctl for device
sg_persist failed: Inappropriate ioctl for device
",
    );
    is(
        &run(&["-n", "-o", "-G", "/"]),
        71,
        "",
        "sg_persist: error opening file / (rw): Is a directory\n",
    );
    is(
        &run(&["-n", "-k", "/"]),
        75,
        "",
        "Persistent reservation in: pass-through os error: Inappropriate ioctl for device
PR in (Read keys): Inappropriate ioctl for device
sg_persist failed: Inappropriate ioctl for device
",
    );
}

#[test]
fn the_environment_counts() {
    let with = |name: &str, words: &[&str]| {
        let mut command = program();
        command.env(name, "").args(words);
        let output = command.output().unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let words = ["-n", "-k", "-vv", "/dev/null", "-yy"];
    assert!(
        with("POSIXLY_CORRECT", &["/dev/null", "-k"])
            .starts_with("Unexpected extra argument: -k\n")
    );
    assert!(with("SG3_UTILS_INVOCATION", &words).contains("\ninvocation_arguments:\n  "));
    // Other differences that it makes are not to be seen without a device.
    assert!(with("SG_PERSIST_IN_RDONLY", &words).contains("flags=0x802\n"));
    assert!(with("SG_PERSIST_IN_RDONLY", &words[..4]).contains("flags=0x800\n"));
}

#[test]
fn transport_ids_are_read_from_files_and_standard_input() {
    let file = tempfile("transport_ids", b"sas,zz\n");
    let expected = "badly formed symbolic SAS TransportID: zz
decode_file_tids: syntax error at line 1, pos 1
bad argument to '--transport-id'
";
    let mut command = program();
    command.arg("-X").arg(format!("file={}", file.display()));
    is(&command.output().unwrap(), 1, "", expected);
    let mut command = program();
    command.args(["-X", "-"]).stdin(File::open(&file).unwrap());
    is(&command.output().unwrap(), 1, "", expected);
    std::fs::remove_file(file).unwrap();
}

/// Without a limit this would take all memory there is.
#[test]
fn input_without_end_is_refused() {
    let refused = |path: &str| {
        format!(
            "decode_file_tids: {path} holds more than 1048576 bytes\n\
                 bad argument to '--transport-id'\n"
        )
    };
    let words = ["-o", "-G", "-X"];
    let mut command = program();
    command.args(words).args(["file=/dev/zero", "/dev/null"]);
    is(&command.output().unwrap(), 1, "", &refused("/dev/zero"));
    let mut command = program();
    command.args(words).args(["-", "/dev/null"]);
    command.stdin(File::open("/dev/zero").unwrap());
    is(&command.output().unwrap(), 1, "", &refused("stdin"));
}

#[test]
fn standard_streams_that_cannot_be_looked_at_are_told() {
    let mut command = std::process::Command::new("/bin/sh");
    let program = env!("CARGO_BIN_EXE_sg_persist");
    // Fewer descriptors than there are streams.
    command.args(["-c", "ulimit -n 2 && exec \"$0\" -V", program]);
    is(
        &command.output().unwrap(),
        72,
        "",
        "sg_persist: cannot make sure of the standard streams: Invalid argument\n",
    );
}

#[test]
fn a_full_device_is_told() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = program().arg("-V").stdout(full).output().unwrap();
    is(
        &output,
        78,
        "",
        "sg_persist: cannot write the output: No space left on device\n",
    );
}

#[test]
fn a_closed_pipe_is_not() {
    let (reader, writer) = std::os::unix::net::UnixStream::pair().unwrap();
    drop(reader);
    let writer = std::os::fd::OwnedFd::from(writer);
    let output = program().arg("-V").stdout(writer).output().unwrap();
    // As any filter's writer, and as the original.
    assert_eq!(output.status.signal(), Some(libc::SIGPIPE));
    assert!(output.stderr.is_empty());
}
