//! What is shown of runs on several devices: as they end, or in the order in which they were given.

use std::ffi::OsString;
use std::sync::Arc;

use super::console::Console;
use super::document;
use super::tally::{Beside, Tally};
use crate::cli::request::{JsonOptions, Operation, Task};
use crate::exit::ExitStatus;
use crate::render::json::{self, Document, ManyParts};
use crate::render::line::{labelled, name, outcome};
use crate::render::summary::{Row, summary};

/// What came of one device.
#[derive(Debug)]
pub(super) struct Ended {
    /// Its place among the devices.
    pub(super) index: usize,
    pub(super) status: ExitStatus,
    /// How it ended, in words.
    pub(super) words: String,
    /// What the run on it alone writes.
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    /// Its line in a list of overviews.
    pub(super) row: Option<Row>,
    /// What is told of it, where a document is wanted.
    pub(super) document: Option<Box<Document>>,
}

/// The form in which it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// A line for each, as they end.
    Lines,
    /// The answers, in order.
    Answers,
    /// A list of all, and the tables in order.
    Tables,
    /// One document.
    Document,
    /// A document for each, as they end.
    Documents,
}

/// What has been shown so far, and what waits for its turn.
pub(super) struct Announced<'a, 'c> {
    console: &'a Console<'c>,
    beside: &'a dyn Beside,
    task: &'a Task,
    names: &'a [OsString],
    argv: &'a [OsString],
    form: Form,
    tally: Option<Arc<Tally>>,
    waiting: Vec<Option<Ended>>,
    /// The first that is not shown yet.
    next: usize,
    statuses: Vec<ExitStatus>,
    /// Documents for a file.
    written: String,
}

impl<'a, 'c> Announced<'a, 'c> {
    pub(super) fn new(
        console: &'a Console<'c>,
        beside: &'a dyn Beside,
        task: &'a Task,
        names: &'a [OsString],
        argv: &'a [OsString],
    ) -> Self {
        let form = match (&task.json, &task.operation) {
            (Some(json), _) if json.pretty => Form::Document,
            (Some(_), _) => Form::Documents,
            (None, Operation::Out { .. } | Operation::Repair(_) | Operation::Question(_)) => {
                Form::Lines
            }
            (None, Operation::Overview) => Form::Tables,
            (None, Operation::In { .. } | Operation::DryRun(_)) => Form::Answers,
        };
        Self {
            console,
            beside,
            task,
            names,
            argv,
            form,
            tally: None,
            waiting: names.iter().map(|_| None).collect(),
            next: 0,
            statuses: Vec::new(),
            written: String::new(),
        }
    }

    pub(super) fn begin(&mut self, tally: &Arc<Tally>) {
        self.tally = Some(Arc::clone(tally));
    }

    /// How all that have ended so far did so.
    pub(super) fn status(&self) -> ExitStatus {
        ExitStatus::of_all(self.statuses.iter().copied())
    }

    /// One has ended.
    pub(super) fn take(&mut self, ended: Ended) {
        self.statuses.push(ended.status);
        if let Some(tally) = &self.tally {
            self.beside.pause(tally);
        }
        let name = &self.names[ended.index];
        self.console.err(&labelled(name, &ended.stderr));
        match self.form {
            Form::Lines => {
                let line = outcome(ended.status.code(), name, &ended.words);
                self.console.put(line.as_bytes());
            }
            Form::Documents => {
                if let (Some(json), Some(document)) = (&self.task.json, &ended.document) {
                    let line = document.text(document::layout(json));
                    self.write(json, &line);
                }
            }
            Form::Answers | Form::Tables | Form::Document => self.keep(ended),
        }
        self.console.flush();
        if let Some(tally) = &self.tally {
            tally.state().is_writing = false;
        }
    }

    /// Keeps it until it is its turn, which may be now.
    fn keep(&mut self, mut ended: Ended) {
        ended.stderr = Vec::new();
        let index = ended.index;
        self.waiting[index] = Some(ended);
        if self.form != Form::Answers {
            return;
        }
        while let Some(ended) = self.waiting.get_mut(self.next).and_then(Option::take) {
            self.console.put(&answer(&self.names[self.next], &ended));
            self.next += 1;
        }
    }

    fn write(&mut self, json: &JsonOptions, text: &str) {
        match json.file {
            Some(_) => self.written += text,
            None => self.console.put(text.as_bytes()),
        }
    }

    /// All have ended.
    pub(super) fn finish(&mut self) {
        if let Some(tally) = &self.tally {
            self.beside.pause(tally);
        }
        let ended = std::mem::take(&mut self.waiting);
        let ended: Vec<Ended> = ended.into_iter().flatten().collect();
        match (self.form, &self.task.json) {
            (Form::Tables, _) => self.console.put(&tables(&ended)),
            (Form::Document, Some(json)) => {
                let text = self.document(json, ended);
                self.write(json, &text);
            }
            _ => {}
        }
    }

    /// What goes into a file.
    pub(super) fn into_written(self) -> String {
        self.written
    }

    fn document(&self, json: &JsonOptions, ended: Vec<Ended>) -> String {
        let plain: Vec<u8> = match json.plain_text {
            true => ended.iter().flat_map(|one| self.plain(one)).collect(),
            false => Vec::new(),
        };
        let status = self.status();
        let meaning = status.text().unwrap_or("No errors".into()).into_owned();
        let parts = ManyParts {
            argv: json.lead_in.then(|| document::words(self.argv)),
            plain_text: json.plain_text.then_some(&plain[..]),
            exit_status: json.exit_status.then(|| (status.code(), meaning)),
        };
        let documents: Vec<Document> = ended
            .into_iter()
            .filter_map(|one| one.document)
            .map(|one| *one)
            .collect();
        json::many(&parts, &documents, document::layout(json))
    }

    /// What would be shown of one, if no document were wanted.
    fn plain(&self, ended: &Ended) -> Vec<u8> {
        let name = &self.names[ended.index];
        match self.task.operation {
            Operation::Out { .. } | Operation::Repair(_) | Operation::Question(_) => {
                outcome(ended.status.code(), name, &ended.words).into_bytes()
            }
            Operation::Overview => ended.stdout.clone(),
            Operation::In { .. } | Operation::DryRun(_) => answer(name, ended),
        }
    }
}

/// An answer under its device's name; nothing where there is none.
fn answer(device: &OsString, ended: &Ended) -> Vec<u8> {
    match ended.stdout.is_empty() {
        true => Vec::new(),
        false => [name(device).as_bytes(), b":\n", &ended.stdout].concat(),
    }
}

/// A line for each, and all tables.
fn tables(ended: &[Ended]) -> Vec<u8> {
    let rows: Vec<Row> = ended.iter().filter_map(|one| one.row.clone()).collect();
    let mut text = summary(&rows).into_bytes();
    for one in ended.iter().filter(|one| !one.stdout.is_empty()) {
        text.push(b'\n');
        text.extend(&one.stdout);
    }
    text
}
