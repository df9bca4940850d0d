//! Which module of the library uses which: layers, and no circles.
//!
//! What counts is what stands in the sources, `crate::` and `super::` paths, but for their tests. A folder and the files
//! in it are one thing and may use each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

/// The modules of the library: each uses only those that stand after it.
const LAYERS: [&str; 14] = [
    "run",
    "exit",
    "error",
    "multipath",
    "logical_unit",
    "render",
    "transport",
    "host_ports",
    "nvme",
    "cli",
    "pr",
    "scsi",
    "output",
    "clock",
];

/// A module's names from the crate on: `["pr", "effect"]`.
type Module = Vec<String>;
/// The text of each module.
type Sources = BTreeMap<Module, String>;

#[test]
fn the_library_has_layers() {
    let sources = library();
    assert!(sources.len() > 30, "{:?}", sources.keys());
    assert_eq!(faults(&LAYERS, &sources), [""; 0]);
}

#[test]
fn the_map_in_lib_rs_has_every_module() {
    let text = library().remove(&Module::new()).unwrap();
    for module in children(&code(&text)) {
        assert!(
            text.contains(&format!("`{module}`")),
            "lib.rs says nothing of {module}"
        );
    }
}

/// And in this order.
#[test]
fn the_map_in_lib_rs_is_true() {
    let text = library().remove(&Module::new()).unwrap();
    let name = Regex::new(r"(?m)^//! - (?:`([a-z_]+)`|\[`([a-z_]+)`\])").unwrap();
    let names: Vec<String> = name
        .captures_iter(&text)
        .map(|found| found.get(1).or(found.get(2)).unwrap().as_str().to_owned())
        .collect();
    assert_eq!(names, LAYERS);
}

#[test]
fn what_uses_a_layer_above_is_found() {
    let found = faults(
        &["top", "middle", "bottom"],
        &written(&[
            ("", "pub mod top; pub mod middle; pub mod bottom;"),
            ("top", "use crate::bottom::Bottom;"),
            ("middle", "use crate::bottom::{self, A, B};"),
            ("bottom", "use crate::middle::Middle;"),
        ]),
    );
    assert_eq!(found, ["bottom uses middle: crate::middle::Middle"]);
}

#[test]
fn paths_are_found_wherever_they_stand() {
    for text in [
        "use crate::top::Top;",
        "use crate::top;",
        "use crate::{other::Other, top::Top};",
        "use crate::{\n    other::{A, B as C},\n    top::{under::Under},\n};",
        "use super::top::*;",
        "pub(crate) use crate::top::Top as Renamed;",
        "fn f() { let quote = '\"'; crate::top::call(\"\") }",
        "fn f<'a>(text: &'a str) -> crate::top::Result<'a> { g::<crate::other::A>() }",
        "#[cfg(test)]\nmod tests {\n    use crate::other;\n}\nuse crate::top::Top;",
        "#[cfg(test)]\nmod tests;\nuse crate::top::Top;",
    ] {
        let found = faults(&["top", "bottom", "other"], &three(text));
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].starts_with("bottom uses top: "), "{found:?}");
    }
}

#[test]
fn what_is_no_use_is_none() {
    for text in [
        "//! See [`crate::top`].",
        "/* crate::top::Top */ use crate::other::Other;",
        "const TEXT: &str = \"say \\\"crate::top::Top\\\"\";",
        "const TEXT: &str = r#\"say \"crate::top::Top\"\"#;",
        "pub(crate) struct Top; use sg_other::top::Top;",
        "#[cfg(test)]\n#[allow(clippy::unwrap_used)]\nmod tests {\n    use crate::top::Top;\n}\n",
    ] {
        let found = faults(&["top", "bottom", "other"], &three(text));
        assert_eq!(found, [""; 0], "{text}");
    }
}

#[test]
fn circles_within_a_folder_are_found() {
    let circle = |last: &str| {
        faults(
            &["folder"],
            &written(&[
                ("", "pub mod folder;"),
                ("folder", "mod a; mod b; mod c; use a::A; struct Shared;"),
                ("folder::a", "use super::b::B;\nuse super::Shared;"),
                ("folder::b", "mod inner;"),
                ("folder::b::inner", "use crate::folder::c::C;"),
                ("folder::c", last),
            ]),
        )
    };
    assert_eq!(circle("use super::Shared;"), [""; 0]);
    assert_eq!(
        circle("use super::a::A;"),
        ["in folder a circle: a, b, c, a"]
    );
}

#[test]
fn layers_and_modules_are_the_same() {
    let sources = written(&[("", "pub mod one; pub mod two;"), ("one", ""), ("two", "")]);
    assert_eq!(
        faults(&["one", "three"], &sources),
        ["two has no layer", "three is no module"]
    );
}

/// A library of three modules, of which `bottom` has this text.
fn three(text: &str) -> Sources {
    written(&[
        ("", "pub mod top; pub mod bottom; pub mod other;"),
        ("top", "pub mod under;"),
        ("top::under", ""),
        ("other", ""),
        ("bottom", text),
    ])
}

fn written(sources: &[(&str, &str)]) -> Sources {
    let module = |path: &str| {
        let names = path.split("::").filter(|name| !name.is_empty());
        names.map(str::to_owned).collect()
    };
    let sources = sources.iter();
    sources
        .map(|(path, text)| (module(path), (*text).to_owned()))
        .collect()
}

/// The sources of the library, as lib.rs has them.
fn library() -> Sources {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Sources::new();
    read(&folder.join("lib.rs"), &folder, Vec::new(), &mut sources);
    sources
}

/// Adds the module in `file`, and those in its `folder`.
fn read(file: &Path, folder: &Path, module: Module, sources: &mut Sources) {
    let text = std::fs::read_to_string(file).unwrap();
    for child in children(&code(&text)) {
        let folder = folder.join(&child);
        let file = folder.with_extension("rs");
        let file = match file.exists() {
            true => file,
            false => folder.join("mod.rs"),
        };
        let module = module.iter().cloned().chain([child]).collect();
        read(&file, &folder, module, sources);
    }
    sources.insert(module, text);
}

/// The test modules of a file, whole or declared.
static TESTS: LazyLock<Regex> = LazyLock::new(|| {
    let attributes = r"(?sm)^#\[cfg\(test\)\]\n(#\[[^\n]*\n)*";
    let module = r"(pub(\(crate\))? )?mod [a-z_]+(;| \{\n.*?^\}$)";
    Regex::new(&[attributes, module].concat()).unwrap()
});
/// Comments, strings, characters.
static NO_CODE: LazyLock<Regex> = LazyLock::new(|| {
    let comments = r"(?s)//[^\n]*|/\*.*?\*/";
    let strings = r##"|b?r#".*?"#|b?r"[^"]*"|b?"(?:[^"\\]|\\.)*""##;
    let characters = r"|b?'(?:[^'\\]|\\'|\\[^']+)'";
    Regex::new(&[comments, strings, characters].concat()).unwrap()
});
static DECLARED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\bmod ([a-z_0-9]+);").unwrap());
static TOKEN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[A-Za-z_0-9]+|::|\S").unwrap());

/// A text without comments, literals and tests.
fn code(text: &str) -> String {
    let text = TESTS.replace_all(text, " ");
    NO_CODE.replace_all(&text, " ").into_owned()
}

/// The modules in files of their own that a module declares.
fn children(code: &str) -> Vec<String> {
    let declared = DECLARED.captures_iter(code);
    declared.map(|found| found[1].to_owned()).collect()
}

/// The paths that begin at the crate or at the folder above.
fn paths(code: &str) -> Vec<Vec<String>> {
    let tokens: Vec<&str> = TOKEN.find_iter(code).map(|token| token.as_str()).collect();
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        let begins = matches!(tokens[at], "crate" | "super") && tokens.get(at + 1) == Some(&"::");
        if begins && (at == 0 || tokens[at - 1] != "::") {
            tree(&tokens[at..], &mut Vec::new(), &mut found);
        }
    }
    found
}

/// Adds the paths of a use tree, or a path, which is the simplest of them. Returns its length.
fn tree(tokens: &[&str], path: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> usize {
    let outer = path.len();
    let mut at = 0;
    while let Some(name) = tokens.get(at).filter(|token| is_name(token)) {
        path.push((*name).to_owned());
        at += 1;
        if tokens.get(at) != Some(&"::") {
            break;
        }
        at += 1;
    }
    if at > 0 && tokens[at - 1] == "::" && tokens.get(at) == Some(&"{") {
        at += 1;
        while tokens[at] != "}" {
            at += tree(&tokens[at..], path, found);
            // `as` and another name.
            at += tokens[at..]
                .iter()
                .take_while(|token| !matches!(**token, "," | "}"))
                .count();
            at += usize::from(tokens[at] == ",");
        }
        at += 1;
    } else {
        found.push(path.clone());
    }
    path.truncate(outer);
    at
}

fn is_name(token: &str) -> bool {
    token
        .chars()
        .all(|letter| letter.is_alphanumeric() || letter == '_')
}

/// The module to which a path in `module` leads.
fn target(sources: &Sources, module: &[String], path: &[String]) -> Module {
    let mut target = match path[0].as_str() {
        "crate" => Vec::new(),
        _ => module[..module.len() - 1].to_vec(),
    };
    for name in &path[1..] {
        if name == "super" {
            target.pop();
            continue;
        }
        target.push(name.clone());
        if !sources.contains_key(&target) {
            target.pop();
            break;
        }
    }
    target
}

/// What is wrong with the layers of a library.
fn faults(layers: &[&str], sources: &Sources) -> Vec<String> {
    let mut faults = Vec::new();
    let modules: BTreeSet<&str> = sources
        .keys()
        .filter(|module| module.len() == 1)
        .map(|module| &module[0][..])
        .collect();
    let without = modules.iter().filter(|module| !layers.contains(module));
    faults.extend(without.map(|module| format!("{module} has no layer")));
    let gone = layers.iter().filter(|layer| !modules.contains(*layer));
    faults.extend(gone.map(|layer| format!("{layer} is no module")));

    // For each folder, who in it uses whom.
    let mut uses: BTreeMap<&[String], BTreeSet<(&str, String)>> = BTreeMap::new();
    let layer = |name: &str| layers.iter().position(|layer| *layer == name);
    for (module, text) in sources {
        for path in paths(&code(text)) {
            let target = target(sources, module, &path);
            let both = module.iter().zip(&target);
            let common = both.take_while(|(one, other)| one == other).count();
            let (Some(user), Some(used)) = (module.get(common), target.get(common)) else {
                continue;
            };
            if common > 0 {
                let folder = uses.entry(&module[..common]).or_default();
                folder.insert((user, used.clone()));
            } else if layer(user) > layer(used) {
                let (module, path) = (module.join("::"), path.join("::"));
                faults.push(format!("{module} uses {used}: {path}"));
            }
        }
    }
    for (folder, uses) in &uses {
        if let Some(circle) = circle(uses) {
            let (folder, circle) = (folder.join("::"), circle.join(", "));
            faults.push(format!("in {folder} a circle: {circle}"));
        }
    }
    faults
}

/// A circle, if there is one: the first name comes again at its end.
fn circle<'a>(uses: &'a BTreeSet<(&'a str, String)>) -> Option<Vec<&'a str>> {
    fn follow<'a>(
        uses: &'a BTreeSet<(&'a str, String)>,
        way: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> Option<Vec<&'a str>> {
        let last = *way.last()?;
        for (_, used) in uses.iter().filter(|(user, _)| *user == last) {
            if let Some(at) = way.iter().position(|name| name == used) {
                return Some([&way[at..], &[&used[..]]].concat());
            }
            if !done.contains(&used[..]) {
                way.push(used);
                if let Some(found) = follow(uses, way, done) {
                    return Some(found);
                }
                way.pop();
            }
        }
        done.insert(last);
        None
    }
    let mut done = BTreeSet::new();
    let mut users = uses.iter().map(|(user, _)| *user);
    users.find_map(|user| follow(uses, &mut vec![user], &mut done))
}
