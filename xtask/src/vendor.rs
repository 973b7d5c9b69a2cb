//! `cargo xtask vendor`: the console's third-party modules, from npm into `crates/console/web/vendor/`.
//!
//! The console has no build step and its security policy forbids import maps in a page, so a browser can only follow
//! relative URLs: bare imports (`from "lit-html"`) are rewritten to relative ones here, once. Declarations for the
//! type checker go to `crates/console/types/vendor/`, which is not served. Nothing else is changed but references to
//! source maps, which are dropped. `manifest.json` names every file with its SHA-256; a test of `console` verifies it.
//!
//! Not here: choosing a registry; `npm` is asked and uses the one it is configured for.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A package as it is taken: its pinned version, and the files in it that are used.
struct Package {
    name: &'static str,
    version: &'static str,
    /// What a bare import of the package leads to; one of `modules`.
    entry: &'static str,
    /// Files to serve.
    modules: &'static [&'static str],
    /// Declarations for the type checker.
    types: &'static [&'static str],
}

const fn simple(name: &'static str, version: &'static str) -> Package {
    Package {
        name,
        version,
        entry: "dist/index.js",
        modules: &["dist/index.js"],
        types: &["dist/index.d.ts"],
    }
}

const PACKAGES: &[Package] = &[
    Package {
        name: "lit",
        version: "3.3.3",
        entry: "index.js",
        modules: &["index.js"],
        types: &["index.d.ts"],
    },
    Package {
        name: "@lit/reactive-element",
        version: "2.1.2",
        entry: "reactive-element.js",
        modules: &["reactive-element.js", "css-tag.js"],
        types: &["reactive-element.d.ts", "css-tag.d.ts", "reactive-controller.d.ts"],
    },
    Package {
        name: "lit-element",
        version: "4.2.2",
        entry: "lit-element.js",
        modules: &["lit-element.js"],
        types: &["lit-element.d.ts"],
    },
    Package {
        name: "lit-html",
        version: "3.3.3",
        entry: "lit-html.js",
        modules: &[
            "lit-html.js",
            "is-server.js",
            "directive.js",
            "directive-helpers.js",
            "directives/class-map.js",
            "directives/if-defined.js",
            "directives/live.js",
            "directives/repeat.js",
            "directives/style-map.js",
        ],
        types: &[
            "lit-html.d.ts",
            "is-server.d.ts",
            "directive.d.ts",
            "directive-helpers.d.ts",
            "directives/class-map.d.ts",
            "directives/if-defined.d.ts",
            "directives/live.d.ts",
            "directives/repeat.d.ts",
            "directives/style-map.d.ts",
        ],
    },
    Package {
        name: "uplot",
        version: "1.6.32",
        entry: "dist/uPlot.esm.js",
        modules: &["dist/uPlot.esm.js", "dist/uPlot.min.css"],
        types: &["dist/uPlot.d.ts"],
    },
    simple("@codemirror/state", "6.7.6"),
    simple("@codemirror/view", "6.43.15"),
    simple("@codemirror/language", "6.13.1"),
    simple("@codemirror/streamparser", "6.0.0"),
    simple("@codemirror/commands", "6.11.1"),
    simple("@codemirror/autocomplete", "6.20.4"),
    simple("@codemirror/lint", "6.9.8"),
    simple("@codemirror/lang-json", "6.0.2"),
    simple("@lezer/common", "1.5.5"),
    simple("@lezer/highlight", "1.2.5"),
    simple("@lezer/lr", "1.4.12"),
    simple("@lezer/json", "1.0.3"),
    Package {
        name: "@prometheus-io/lezer-promql",
        version: "0.315.0",
        entry: "dist/index.es.js",
        modules: &["dist/index.es.js"],
        types: &["dist/index.d.ts"],
    },
    Package {
        name: "style-mod",
        version: "4.1.5",
        entry: "src/style-mod.js",
        modules: &["src/style-mod.js"],
        types: &["src/style-mod.d.ts"],
    },
    Package {
        name: "w3c-keyname",
        version: "2.2.8",
        entry: "index.js",
        modules: &["index.js"],
        types: &["index.d.ts"],
    },
    Package {
        name: "crelt",
        version: "1.0.7",
        entry: "index.js",
        modules: &["index.js"],
        types: &["index.d.ts"],
    },
    Package {
        name: "@marijn/find-cluster-break",
        version: "1.0.4",
        entry: "src/index.js",
        modules: &["src/index.js"],
        types: &["src/index.d.ts"],
    },
];

/// Fetches the pinned packages and writes the files and their manifest. With `--check`, only compares what is there
/// with the manifest, offline; with `--outdated`, lists the packages that have a newer version.
///
/// # Errors
/// Says which package or file is wrong and what to do.
pub fn run(args: &[String]) -> Result<(), String> {
    let console = console_folder()?;
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => fetch(&console),
        ["--check"] => check(&console),
        ["--outdated"] => outdated(),
        _ => Err("usage: cargo xtask vendor [--check | --outdated]".to_owned()),
    }
}

fn console_folder() -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("xtask has no parent folder")?;
    Ok(root.join("crates/console"))
}

fn fetch(console: &Path) -> Result<(), String> {
    let scratch = std::env::temp_dir().join(format!("mainstay-vendor-{}", std::process::id()));
    fs::create_dir_all(&scratch).map_err(|error| format!("{}: {error}", scratch.display()))?;
    let outcome = fetch_into(console, &scratch);
    // Only a temporary folder: leaving it behind harms nothing.
    let _ = fs::remove_dir_all(&scratch);
    outcome
}

fn fetch_into(console: &Path, scratch: &Path) -> Result<(), String> {
    let folder = console.join("web/vendor");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let mut entries = Vec::new();
    for package in PACKAGES {
        println!("{} {}", package.name, package.version);
        entries.push(take(package, console, scratch)?);
    }
    let manifest = json!({
        "about": "Third-party modules of the console, fetched by `cargo xtask vendor`. Do not edit: change xtask/src/vendor.rs.",
        "packages": entries,
    });
    let text = format!("{:#}\n", manifest);
    write(&console.join("web/vendor/manifest.json"), text.as_bytes())?;
    check(console)
}

/// Downloads one package and writes its files; gives its entry in the manifest.
fn take(package: &Package, console: &Path, scratch: &Path) -> Result<Value, String> {
    let spec = format!("{}@{}", package.name, package.version);
    let answer = output(Command::new("npm").args(["pack", "--json", &spec]).current_dir(scratch))?;
    let answer: Value = serde_json::from_str(&answer).map_err(|error| format!("npm pack {spec}: {error}"))?;
    // npm 11 answers with a list, later ones with an object by name.
    let packed = answer
        .get(0)
        .or_else(|| answer.get(package.name))
        .ok_or_else(|| format!("npm pack {spec}: no answer"))?;
    let text = |name: &str| packed.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let folder = scratch.join(package.name);
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    output(Command::new("tar").arg("-xzf").arg(scratch.join(text("filename"))).arg("-C").arg(&folder))?;
    let unpacked = folder.join("package");

    let mut files = Vec::new();
    for paths in [package.modules, package.types, &["LICENSE"]] {
        for source in paths {
            let content = fs::read_to_string(unpacked.join(source)).map_err(|error| {
                format!("{spec} has no {source} ({error}); see what it holds now and adapt PACKAGES")
            })?;
            // The checker finds a module's declarations by the module's own name.
            let name = match *source {
                "LICENSE" => "LICENSE.txt".to_owned(),
                first if package.types.first() == Some(&first) => package.entry.replace(".js", ".d.ts"),
                other => other.to_owned(),
            };
            let path = format!("web/vendor/{}/{name}", package.name);
            let content = if name.ends_with(".js") || name.ends_with(".ts") {
                relative_imports(&content, package, source)?
            } else {
                content
            };
            write(&console.join(&path), content.as_bytes())?;
            files.push(json!({"path": path, "source": source, "sha256": digest(content.as_bytes())}));
        }
    }
    let about =
        fs::read_to_string(unpacked.join("package.json")).map_err(|error| format!("{spec}: {error}"))?;
    let about: Value =
        serde_json::from_str(&about).map_err(|error| format!("{spec}: package.json: {error}"))?;
    let licence =
        about.get("license").and_then(Value::as_str).ok_or_else(|| format!("{spec} states no licence"))?;
    Ok(json!({
        "name": package.name,
        "version": package.version,
        "licence": licence,
        "integrity": text("integrity"),
        "files": files,
    }))
}

/// Compares the files with the manifest: none missing, none changed, none unknown.
fn check(console: &Path) -> Result<(), String> {
    let manifest = console.join("web/vendor/manifest.json");
    let text = fs::read_to_string(&manifest).map_err(|error| format!("{}: {error}", manifest.display()))?;
    let manifest: Value =
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", manifest.display()))?;
    let list =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut expected: BTreeMap<String, String> = BTreeMap::new();
    for file in list(&manifest, "packages").iter().flat_map(|package| list(package, "files")) {
        let text = |name: &str| file.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        expected.insert(text("path"), text("sha256"));
    }
    let mut found = Vec::new();
    walk(&console.join("web/vendor"), &mut found)?;
    let mut wrong = Vec::new();
    for path in found {
        let name = path.strip_prefix(console).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        let content = fs::read(&path).map_err(|error| format!("{name}: {error}"))?;
        match expected.remove(&name) {
            Some(sha256) if sha256 == digest(&content) => {}
            Some(_) => wrong.push(format!("{name}: differs from the manifest")),
            None if name == "web/vendor/manifest.json" => {}
            None => wrong.push(format!("{name}: not in the manifest")),
        }
    }
    wrong.extend(expected.into_keys().map(|name| format!("{name}: missing")));
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!(
        "the vendored modules are not as fetched; run `cargo xtask vendor`\n  {}",
        wrong.join("\n  ")
    ))
}

fn outdated() -> Result<(), String> {
    for package in PACKAGES {
        let latest = output(Command::new("npm").args(["view", package.name, "version"]))?;
        if latest.trim() != package.version {
            println!("{}: {} is used, {} is out", package.name, package.version, latest.trim());
        }
    }
    Ok(())
}

/// `source` of `package` with every bare import made relative, and without references to source maps.
fn relative_imports(content: &str, package: &Package, source: &str) -> Result<String, String> {
    let mut out = String::with_capacity(content.len());
    let mut in_comment = false;
    for line in content.split_inclusive('\n') {
        let start = line.trim_start();
        if start.starts_with("//# sourceMappingURL=") {
            continue;
        }
        let comment = in_comment || start.starts_with("//") || start.starts_with("/*");
        if in_comment || start.starts_with("/*") {
            in_comment = !line.contains("*/");
        }
        let mut rest = line;
        while let Some((before, quote, specifier, after)) = if comment { None } else { next_import(rest) } {
            out.push_str(before);
            out.push(quote);
            out.push_str(&relative(specifier, package, source)?);
            out.push(quote);
            rest = after;
        }
        out.push_str(rest);
    }
    Ok(out)
}

/// The first bare specifier after `from` or `import` in `line`: what stands before its quote, the quote, the
/// specifier, what stands after. A string that only looks like this names none of [`PACKAGES`], which is an error, so
/// a wrong guess is noticed.
fn next_import(line: &str) -> Option<(&str, char, &str, &str)> {
    let mut from = 0;
    while let Some(place) = line.get(from..)?.find(['"', '\'']) {
        let open = from + place;
        let quote = line.get(open..)?.chars().next()?;
        let before = line.get(..open)?;
        let start = open + 1;
        let length = line.get(start..)?.find(quote)?;
        let specifier = line.get(start..start + length)?;
        let lead = before.trim_end();
        // `import` also opens a side-effect import; a name that merely ends so, or a property, is not one.
        let keyword = ["from", "import"].into_iter().find_map(|word| lead.strip_suffix(word));
        let introduced =
            keyword.is_some_and(|lead| !lead.ends_with(|c: char| c.is_alphanumeric() || "_$.".contains(c)));
        let bare = specifier.starts_with(|c: char| c == '@' || c.is_ascii_lowercase());
        if introduced && bare {
            return Some((before, quote, specifier, line.get(start + length + 1..)?));
        }
        from = start;
    }
    None
}

/// Where `specifier` leads, seen from `source` of `package`.
fn relative(specifier: &str, package: &Package, source: &str) -> Result<String, String> {
    let target = PACKAGES.iter().find_map(|other| {
        let rest = specifier.strip_prefix(other.name)?;
        match rest.strip_prefix('/') {
            Some(path) => Some((other, path.to_owned())),
            None => rest.is_empty().then(|| (other, other.entry.to_owned())),
        }
    });
    let declarations = source.ends_with(".d.ts");
    let Some((other, path)) = target else {
        // Stays unresolved for the type checker only, which forgives that inside declarations.
        return if declarations {
            Ok(specifier.to_owned())
        } else {
            Err(format!("{} imports {specifier}, which is not vendored; add it to PACKAGES", package.name))
        };
    };
    if !declarations && !other.modules.contains(&path.as_str()) {
        return Err(format!(
            "{} imports {specifier}, but {path} of it is not vendored; add it",
            package.name
        ));
    }
    let depth = package.name.matches('/').count() + source.matches('/').count() + 1;
    Ok(format!("{}{}/{path}", "../".repeat(depth), other.name))
}

fn output(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let answer = command.output().map_err(|error| format!("{name} cannot be run: {error}"))?;
    if !answer.status.success() {
        return Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&answer.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&answer.stdout).into_owned())
}

fn write(path: &Path, content: &[u8]) -> Result<(), String> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    fs::write(path, content).map_err(|error| format!("{}: {error}", path.display()))
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in entries {
        let path = entry.map_err(|error| format!("{}: {error}", folder.display()))?.path();
        if path.is_dir() { walk(&path, found)? } else { found.push(path) }
    }
    Ok(())
}

fn digest(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_imports_become_relative() {
        let view = PACKAGES.iter().find(|package| package.name == "@codemirror/view").unwrap();
        let check = |source: &str, line: &str, expect: &str| {
            assert_eq!(relative_imports(line, view, source).unwrap(), expect);
        };
        let file = "dist/index.js";
        check(
            file,
            "import { a } from '@codemirror/state';\n",
            "import { a } from '../../../@codemirror/state/dist/index.js';\n",
        );
        check(
            file,
            r#"import"lit-html";export*from"lit-html/is-server.js";"#,
            r#"import"../../../lit-html/lit-html.js";export*from"../../../lit-html/is-server.js";"#,
        );
        check(file, "import b from './b.js';", "import b from './b.js';");
        check(file, "let x = 'import', from = \"crelt\";", "let x = 'import', from = \"crelt\";");
        check(file, "a\n//# sourceMappingURL=a.js.map\nb\n", "a\nb\n");
        check("dist/index.d.ts", "import { S } from 'elsewhere';", "import { S } from 'elsewhere';");
        check(file, "// import x from 'left-pad'\n", "// import x from 'left-pad'\n");
        check(file, "/**\n as from 'left-pad'\n*/\n", "/**\n as from 'left-pad'\n*/\n");
        assert!(relative_imports("import 'left-pad';", view, file).unwrap_err().contains("left-pad"));
    }

    #[test]
    fn what_is_vendored_is_what_was_fetched() {
        check(&console_folder().unwrap()).unwrap();
    }
}
