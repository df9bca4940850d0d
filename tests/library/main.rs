//! The public surface of the library without the command, a line for each item, from the JSON form of
//! its documentation: `library JSON` prints it. run compares it with public.txt.
//!
//! Items that are hidden from the documentation are not in it. Of `Send`, `Sync` and `Unpin` is told
//! where they are missing.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{self, Write};
use std::{env, fs};

use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    let file = env::args().nth(1).ok_or("usage: library JSON")?;
    let document: Value = serde_json::from_slice(&fs::read(file)?)?;
    let mut surface = Surface {
        index: &document["index"],
        lines: BTreeSet::new(),
    };
    surface.module("sg_persist", &document["root"]);
    let lines: Vec<String> = surface.lines.into_iter().collect();
    writeln!(io::stdout(), "{}", lines.join("\n"))?;
    Ok(())
}

struct Surface<'a> {
    index: &'a Value,
    lines: BTreeSet<String>,
}

impl<'a> Surface<'a> {
    /// The item with this number, if it is one of the crate that is shown.
    fn item(&self, id: &Value) -> Option<&'a Value> {
        self.index.get(id.to_string())
    }

    fn add(&mut self, line: String) {
        self.lines.insert(line);
    }

    fn module(&mut self, path: &str, id: &Value) {
        let Some(item) = self.item(id) else { return };
        for id in list(&item["inner"]["module"]["items"]) {
            self.member(path, id, None);
        }
    }

    /// The item `id` within `path`, under `alias` where it is re-exported.
    fn member(&mut self, path: &str, id: &Value, alias: Option<&str>) {
        let Some(item) = self.item(id) else { return };
        let name = alias.or(item["name"].as_str()).unwrap_or_default();
        let path = &format!("{path}::{name}");
        let may_grow = match list(&item["attrs"]).iter().any(|it| it == "non_exhaustive") {
            true => "#[non_exhaustive] ",
            false => "",
        };
        let (kind, inner) = only(&item["inner"]);
        match kind {
            "module" => self.module(path, id),
            // It has no name of its own.
            "use" => self.member(
                path.trim_end_matches("::"),
                &inner["id"],
                inner["name"].as_str(),
            ),
            "struct" | "enum" | "union" => {
                let generics = parameters(&inner["generics"]);
                self.add(format!("{may_grow}{kind} {path}{generics}"));
                self.fields(path, &inner["kind"]);
                for variant in list(&inner["variants"]) {
                    self.variant(path, variant);
                }
                for implementation in list(&inner["impls"]) {
                    self.implementation(path, implementation);
                }
            }
            "trait" => {
                let bounds = bounds(&inner["bounds"]);
                self.add(format!("trait {path}: {bounds}"));
                for id in list(&inner["items"]) {
                    self.member(path, id, None);
                }
            }
            "function" => {
                let provided = match inner["has_body"] == true {
                    true => "",
                    false => " (required)",
                };
                self.add(format!("fn {path}{}{provided}", signature(inner)));
            }
            "constant" | "assoc_const" => {
                let of = type_text(&inner["type"]);
                self.add(format!("const {path}: {of}"));
            }
            "assoc_type" | "type_alias" => {
                let bounds = bounds(&inner["bounds"]);
                self.add(format!(
                    "type {path}: {bounds} = {}",
                    type_text(&inner["type"])
                ));
            }
            _ => self.add(format!("{kind} {path}")),
        }
    }

    fn variant(&mut self, path: &str, id: &Value) {
        let Some(item) = self.item(id) else { return };
        let path = format!("{path}::{}", item["name"].as_str().unwrap_or_default());
        self.add(format!("variant {path}"));
        self.fields(&path, &item["inner"]["variant"]["kind"]);
    }

    /// The fields of a structure or a variant that may be seen; how many there are besides is not
    /// told, but that there are some is.
    fn fields(&mut self, path: &str, kind: &Value) {
        let tuple = list(&kind["tuple"]);
        let named = [&kind["plain"], &kind["struct"]];
        let named = named.iter().find(|fields| fields.is_object());
        let named_ids = named.map_or(&[][..], |fields| list(&fields["fields"]));
        for id in tuple.iter().chain(named_ids) {
            let Some(item) = self.item(id) else {
                self.add(format!("field {path}::_ (private)"));
                continue;
            };
            let name = item["name"].as_str().unwrap_or_default();
            let of = type_text(&item["inner"]["struct_field"]);
            self.add(format!("field {path}::{name}: {of}"));
        }
        if named.is_some_and(|fields| fields["has_stripped_fields"] == true) {
            self.add(format!("field {path}::_ (private)"));
        }
    }

    fn implementation(&mut self, path: &str, id: &Value) {
        let Some(item) = self.item(id) else { return };
        let inner = &item["inner"]["impl"];
        if !inner["blanket_impl"].is_null() {
            return;
        }
        if inner["trait"].is_null() {
            for id in list(&inner["items"]) {
                self.member(path, id, None);
            }
            return;
        }
        let not = match inner["is_negative"] == true {
            true => "!",
            false => "",
        };
        let of = path_text(&inner["trait"]);
        let of = of.rsplit("::").next().unwrap_or(&of).to_owned();
        // Of what the compiler finds by itself, only what is missing is news.
        let is_found = inner["is_synthetic"] == true;
        let is_relied_on = ["Send", "Sync", "Unpin"].contains(&of.as_str());
        if is_found && !(is_relied_on && inner["is_negative"] == true) {
            return;
        }
        if of != "StructuralPartialEq" {
            self.add(format!("impl {not}{of} for {path}"));
        }
    }
}

/// The elements of an array; none of anything else.
fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Name and value of an object with one entry.
fn only(value: &Value) -> (&str, &Value) {
    let first = value.as_object().and_then(|object| object.iter().next());
    first.map_or(("", &Value::Null), |(name, value)| (name, value))
}

fn joined<'a>(values: impl IntoIterator<Item = &'a Value>, text: fn(&Value) -> String) -> String {
    let texts: Vec<String> = values.into_iter().map(text).collect();
    texts.join(", ")
}

fn signature(function: &Value) -> String {
    let header = &function["header"];
    let words: String = ["const", "unsafe", "async"]
        .into_iter()
        .filter(|word| header[format!("is_{word}")] == true)
        .map(|word| format!(" {word}"))
        .collect();
    let inputs = joined(list(&function["sig"]["inputs"]), |input| {
        format!(
            "{}: {}",
            input[0].as_str().unwrap_or_default(),
            type_text(&input[1])
        )
    });
    let output = match &function["sig"]["output"] {
        Value::Null => String::new(),
        output => format!(" -> {}", type_text(output)),
    };
    format!(
        "{}({inputs}){output}{words}",
        parameters(&function["generics"])
    )
}

/// Generic parameters as they are written, without those that stand for `impl Trait`.
fn parameters(generics: &Value) -> String {
    let written = list(&generics["params"])
        .iter()
        .filter(|parameter| parameter["kind"]["type"]["is_synthetic"] != true);
    let parameters = joined(written, |parameter| {
        let name = parameter["name"].as_str().unwrap_or_default();
        let kind = &parameter["kind"]["type"];
        let default = match &kind["default"] {
            Value::Null => String::new(),
            default => format!(" = {}", type_text(default)),
        };
        match list(&kind["bounds"]) {
            [] => format!("{name}{default}"),
            _ => format!("{name}: {}{default}", bounds(&kind["bounds"])),
        }
    });
    match parameters.is_empty() {
        true => parameters,
        false => format!("<{parameters}>"),
    }
}

fn bounds(bounds: &Value) -> String {
    let texts: Vec<String> = list(bounds)
        .iter()
        .map(|bound| match only(bound) {
            ("trait_bound", bound) => {
                let maybe = match bound["modifier"] == "maybe" {
                    true => "?",
                    false => "",
                };
                format!("{maybe}{}", path_text(&bound["trait"]))
            }
            (_, other) => other.to_string(),
        })
        .collect();
    texts.join(" + ")
}

fn path_text(path: &Value) -> String {
    let name = path["path"].as_str().unwrap_or_default();
    match only(&path["args"]) {
        ("angle_bracketed", arguments) => {
            let constraints = list(&arguments["constraints"]);
            let all = list(&arguments["args"]).iter().chain(constraints);
            match joined(all, argument) {
                none if none.is_empty() => name.to_owned(),
                arguments => format!("{name}<{arguments}>"),
            }
        }
        ("parenthesized", arguments) => {
            let inputs = joined(list(&arguments["inputs"]), type_text);
            format!("{name}({inputs}) -> {}", type_text(&arguments["output"]))
        }
        _ => name.to_owned(),
    }
}

fn argument(argument: &Value) -> String {
    match only(argument) {
        ("type", of) => type_text(of),
        ("lifetime", name) => name.as_str().unwrap_or_default().to_owned(),
        _ => argument.to_string(),
    }
}

fn type_text(of: &Value) -> String {
    let (kind, inner) = only(of);
    match kind {
        "primitive" | "generic" => inner.as_str().unwrap_or_default().to_owned(),
        "resolved_path" => path_text(inner),
        "tuple" => format!("({})", joined(list(inner), type_text)),
        "slice" => format!("[{}]", type_text(inner)),
        "array" => {
            let length = inner["len"].as_str().unwrap_or_default();
            format!("[{}; {length}]", type_text(&inner["type"]))
        }
        "impl_trait" => format!("impl {}", bounds(inner)),
        "dyn_trait" => {
            let traits = list(&inner["traits"]).iter();
            let traits: Vec<String> = traits.map(|one| path_text(&one["trait"])).collect();
            format!("dyn {}", traits.join(" + "))
        }
        "borrowed_ref" => {
            let lifetime = inner["lifetime"].as_str();
            let lifetime = lifetime.map_or_else(String::new, |name| format!("{name} "));
            let mutable = match inner["is_mutable"] == true {
                true => "mut ",
                false => "",
            };
            format!("&{lifetime}{mutable}{}", type_text(&inner["type"]))
        }
        "qualified_path" => {
            let name = inner["name"].as_str().unwrap_or_default();
            format!("{}::{name}", type_text(&inner["self_type"]))
        }
        "" => "_".to_owned(),
        _ => of.to_string(),
    }
}
